// SPDX-License-Identifier: Apache-2.0
#include "merkle/policy.h"

#include <algorithm>
#include <set>

#include "merkle/lines.h"

namespace avow::merkle {
namespace {

constexpr std::string_view kNone = "none";

using Words = std::vector<std::string_view>;

/// The items of a line; none in a comment or an empty line.
Words words_of(std::string_view line) {
  Words words;
  while (true) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    if (line.empty() || (words.empty() && line.front() == '#')) return words;
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

bool is_allowed(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte >= ' ' && byte != 0x7F) || byte == '\t' || byte == '\n';
}

bool has_signed(const VerifierKey& key, std::span<const VerifiedSignature> verified) {
  return std::ranges::find(verified, key, &VerifiedSignature::key) != verified.end();
}

/// Reads line after line. Each function gives what is wrong with its line, or nothing.
class Reader {
 public:
  std::string read_line(const Words& words) {
    if (words[0] == "log") return read_log(words);
    if (words[0] == "witness") return read_witness(words);
    if (words[0] == "group") return read_group(words);
    if (words[0] == "quorum") return read_quorum(words);
    return fmt::format("\"{}\" is not log, witness, group or quorum", shown(words[0]));
  }

  Policy policy;

 private:
  std::string read_log(const Words& words) {
    if (words.size() < 2 || words.size() > 3) return "its form is: log <vkey> [<url>]";
    if (policy.logs.size() == kPolicyLinesMax) return "too many logs";
    auto key = VerifierKey::parse(words[1]);
    if (!key) return key.error().message;
    if (!log_keys_.insert(key->key).second) return "another log has the same key";
    policy.logs.push_back({*std::move(key), std::string(words.size() > 2 ? words[2] : "")});
    return {};
  }

  std::string read_witness(const Words& words) {
    if (words.size() < 3 || words.size() > 4) return "its form is: witness <name> <vkey> [<url>]";
    if (policy.witnesses.size() == kPolicyLinesMax) return "too many witnesses";
    auto key = VerifierKey::parse(words[2]);
    if (!key) return key.error().message;
    // A plain signature says nothing of what the log was before.
    if (key->type == SignatureType::kEd25519) return "its key is not one for cosignatures";
    if (!witness_keys_.insert(key->key).second) return "another witness has the same key";
    policy.witnesses.push_back(
        {std::string(words[1]), *std::move(key), std::string(words.size() > 3 ? words[3] : "")});
    return define(words[1]);
  }

  std::string read_group(const Words& words) {
    if (words.size() < 4) return "its form is: group <name> all|any|<k> <name>...";
    if (policy.groups.size() == kPolicyLinesMax) return "too many groups";
    const std::size_t count = words.size() - 3;
    const auto threshold = words[2] == "all"   ? count
                           : words[2] == "any" ? 1
                                               : parse_decimal(words[2]).value_or(0);
    if (threshold < 1 || threshold > count) {
      return fmt::format("\"{}\" is not all, any or a number from 1 to {}", shown(words[2]), count);
    }
    Policy::Group group{std::string(words[1]), threshold, {}};
    for (const std::string_view member : std::span(words).subspan(3)) {
      if (!defined_.contains(member)) {
        return fmt::format("\"{}\" is not defined before it", shown(member));
      }
      // So that no witness counts twice.
      if (!members_.insert(std::string(member)).second) {
        return fmt::format("\"{}\" is a member already", shown(member));
      }
      group.members.emplace_back(member);
    }
    policy.groups.push_back(std::move(group));
    return define(words[1]);
  }

  std::string read_quorum(const Words& words) {
    if (words.size() != 2) return "its form is: quorum <name>";
    if (!policy.quorum.empty()) return "there is a quorum already";
    if (words[1] != kNone && !defined_.contains(words[1])) {
      return fmt::format("\"{}\" is not defined before it", shown(words[1]));
    }
    policy.quorum = words[1];
    return {};
  }

  /// Witnesses and groups share one space of names.
  std::string define(std::string_view name) {
    if (name != kNone && defined_.insert(std::string(name)).second) return {};
    return fmt::format("the name \"{}\" is taken", shown(name));
  }

  std::set<std::string> log_keys_;
  std::set<std::string> witness_keys_;
  std::set<std::string, std::less<>> defined_;
  std::set<std::string> members_;
};

}  // namespace

Result<Policy> Policy::parse(std::string_view text) {
  if (text.size() > kPolicyBytesMax) {
    return failure(Code::kInvalidArgument, "a policy has {} bytes, more than {}", text.size(),
                   kPolicyBytesMax);
  }
  Reader reader;
  for (int number = 1; !text.empty(); ++number) {
    const auto line = take_line(text);
    std::string fault;
    if (!line) {
      fault = "no newline at its end";
    } else if (!std::ranges::all_of(*line, is_allowed)) {
      fault = "a control character";
    } else if (const Words words = words_of(*line); !words.empty()) {
      fault = reader.read_line(words);
    }
    if (!fault.empty()) {
      return failure(Code::kInvalidArgument, "policy line {}: {}", number, fault);
    }
  }
  if (reader.policy.quorum.empty()) {
    return failure(Code::kInvalidArgument, "a policy has no quorum line");
  }
  return std::move(reader.policy);
}

std::vector<VerifierKey> Policy::keys() const {
  std::vector<VerifierKey> keys;
  keys.reserve(logs.size() + witnesses.size());
  for (const Log& log : logs) keys.push_back(log.key);
  for (const Witness& witness : witnesses) keys.push_back(witness.key);
  return keys;
}

bool Policy::has_log(std::string_view origin, std::span<const VerifiedSignature> verified) const {
  return std::ranges::any_of(logs, [&](const Log& log) {
    return log.key.name == origin && has_signed(log.key, verified);
  });
}

bool Policy::has_quorum(std::span<const VerifiedSignature> verified) const {
  // A group's members stand before it, so one pass in the file's order settles all of them.
  std::set<std::string_view> satisfied = {kNone};
  for (const Witness& witness : witnesses) {
    if (has_signed(witness.key, verified)) satisfied.insert(witness.name);
  }
  for (const Group& group : groups) {
    const auto count = std::ranges::count_if(
        group.members, [&satisfied](const std::string& name) { return satisfied.contains(name); });
    if (static_cast<std::size_t>(count) >= group.threshold) satisfied.insert(group.name);
  }
  return satisfied.contains(quorum);
}

}  // namespace avow::merkle
