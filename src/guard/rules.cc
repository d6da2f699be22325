// SPDX-License-Identifier: Apache-2.0
#include "guard/rules.h"

#include <fmt/ranges.h>
#include <re2/re2.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <variant>

#include "base/bytes.h"
#include "cel/expression.h"
#include "guard/pii.h"
#include "json/pointer.h"
#include "json/schema.h"
#include "json/write.h"

namespace avow::guard {
namespace {

constexpr std::int64_t kPatternMemory = std::int64_t{4} << 20;  // of one compiled RE2
constexpr std::size_t kBytesPerFuel = 16;                       // as in cel and json/schema.h

using Pattern = std::shared_ptr<const RE2>;

// What a rule looks for. The first four look at every text by itself, the others at the whole
// content.
struct Matches {  // regex, keywords
  Pattern pattern;
};
struct MaxLength {
  std::size_t characters;
};
struct Pii {
  std::vector<const PiiKind*> kinds;
};
struct Schema {
  json::Schema schema;
};
struct Cel {
  cel::Expression expression;
};

struct Rule {
  std::string id;
  std::string severity;
  std::string message;  ///< As the definition says it; empty: the rule's own words.
  std::variant<std::monostate, Matches, MaxLength, Pii, Schema, Cel> look_for;
};

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// ---- compile ------------------------------------------------------------------------------------

constexpr std::array<std::string_view, 4> kSeverities = {"low", "medium", "high", "critical"};

/// The members that a rule of `type` has beside the common ones; empty: no such type.
std::vector<std::string_view> members_of(std::string_view type) {
  if (type == "regex") return {"pattern"};
  if (type == "keywords") return {"keywords", "case_sensitive"};
  if (type == "max_length") return {"max"};
  if (type == "json_schema") return {"schema"};
  if (type == "pii") return {"kinds"};
  if (type == "cel") return {"expression"};
  return {};
}

class Compiler {
 public:
  explicit Compiler(std::vector<RuleFault>& faults) : faults_(faults) {}

  std::vector<Rule> compile(const json::Value& rules) {
    std::vector<Rule> out;
    if (!rules.is_array() || rules.as_array().empty() || rules.as_array().size() > kRulesMax) {
      fault("", fmt::format("must be a list of 1 to {} rules", kRulesMax));
      return out;
    }
    for (std::size_t i = 0; i < rules.as_array().size(); ++i) {
      const json::Value& rule = rules.as_array()[i];
      at_ = json::join("", i);
      if (rule.is_object()) {
        out.push_back(compile_rule(rule));
      } else {
        fault("", "a rule must be an object");
      }
    }
    return out;
  }

 private:
  void fault(std::string_view member, std::string message, std::size_t line = 0,
             std::size_t column = 0) {
    faults_.push_back(
        {member.empty() ? at_ : json::join(at_, member), std::move(message), line, column});
  }

  Rule compile_rule(const json::Value& rule) {
    Rule out;
    out.id = id_of(rule);
    out.severity = rule.string_or("severity", "medium");
    if (rule.find("severity") != nullptr &&
        std::find(kSeverities.begin(), kSeverities.end(), out.severity) == kSeverities.end()) {
      fault("severity", fmt::format("must be one of {}", fmt::join(kSeverities, ", ")));
    }
    if (const auto* message = rule.find("message"); message != nullptr) {
      if (message->is_string() && characters_of(message->as_string()) <= 256) {
        out.message = message->as_string();
      } else {
        fault("message", "must be a string of at most 256 characters");
      }
    }
    compile_kind(rule, out);
    return out;
  }

  std::string id_of(const json::Value& rule) {
    static const RE2 kId("[A-Za-z0-9_.-]{1,64}");
    const auto* id = rule.find("id");
    if (id == nullptr) {
      fault("", R"(a rule needs an "id")");
      return {};
    }
    if (!id->is_string() || !RE2::FullMatch(id->as_string(), kId)) {
      fault("id", "must be 1 to 64 of the characters A-Z a-z 0-9 _ . -");
      return {};
    }
    if (!ids_.insert(id->as_string()).second) {
      fault("id", fmt::format("\"{}\" is the id of an earlier rule", id->as_string()));
    }
    return id->as_string();
  }

  void compile_kind(const json::Value& rule, Rule& out) {
    const std::string type = rule.string_or("type");
    const auto own = members_of(type);
    if (own.empty()) {
      const char* types = "must be one of regex, keywords, max_length, json_schema, pii, cel";
      if (rule.find("type") == nullptr) {
        fault("", fmt::format(R"(a rule needs a "type": it {})", types));
      } else {
        fault("type", types);
      }
      return;
    }
    for (const auto& [key, value] : rule.as_object()) {
      if (key == "id" || key == "type" || key == "severity" || key == "message") continue;
      if (std::find(own.begin(), own.end(), key) == own.end()) {
        fault(key,
              fmt::format("unknown member of a {} rule; allowed: id, type, severity, message, {}",
                          type, fmt::join(own, ", ")));
      }
    }
    if (type != "pii" && rule.find(own[0]) == nullptr) {
      fault("", fmt::format("a {} rule needs \"{}\"", type, own[0]));
      return;
    }
    if (type == "regex") compile_regex(*rule.find("pattern"), out);
    if (type == "keywords") compile_keywords(rule, out);
    if (type == "max_length") compile_max_length(*rule.find("max"), out);
    if (type == "json_schema") compile_schema(*rule.find("schema"), out);
    if (type == "pii") compile_pii(rule.find("kinds"), out);
    if (type == "cel") compile_cel(*rule.find("expression"), out);
  }

  static Pattern pattern_of(const std::string& source, bool case_sensitive) {
    RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(kPatternMemory);
    options.set_case_sensitive(case_sensitive);
    return std::make_shared<const RE2>(source, options);
  }

  void compile_regex(const json::Value& source, Rule& out) {
    if (!source.is_string() || source.as_string().size() > kPatternBytesMax) {
      fault("pattern", fmt::format("must be a string of at most {} bytes", kPatternBytesMax));
      return;
    }
    Pattern pattern = pattern_of(source.as_string(), true);
    if (!pattern->ok()) {
      fault("pattern", fmt::format("is not an RE2 pattern: {}", shown(pattern->error(), 128)));
    } else if (RE2::FullMatch("", *pattern)) {
      fault("pattern", "matches the empty text, so it would match every content");
    } else {
      out.look_for = Matches{std::move(pattern)};
    }
  }

  /// One alternation. A keyword that begins or ends with an ASCII word character begins or ends
  /// there with a word; others (as in languages without spaces) are found anywhere.
  void compile_keywords(const json::Value& rule, Rule& out) {
    const json::Value& list = *rule.find("keywords");
    const auto* case_sensitive = rule.find("case_sensitive");
    if (case_sensitive != nullptr && !case_sensitive->is_bool()) {
      fault("case_sensitive", "must be true or false");
    }
    const std::string wanted =
        fmt::format("must be a list of 1 to {} texts of 1 to 256 bytes", kKeywordsMax);
    if (!list.is_array() || list.as_array().empty() || list.as_array().size() > kKeywordsMax) {
      fault("keywords", wanted);
      return;
    }
    const auto is_word = [](char c) {
      return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    std::string alternation;
    for (const json::Value& keyword : list.as_array()) {
      if (!keyword.is_string() || keyword.as_string().empty() || keyword.as_string().size() > 256) {
        fault("keywords", wanted);
        return;
      }
      const std::string& text = keyword.as_string();
      alternation += fmt::format("{}{}{}{}", alternation.empty() ? "" : "|",
                                 is_word(text.front()) ? "\\b" : "", RE2::QuoteMeta(text),
                                 is_word(text.back()) ? "\\b" : "");
    }
    Pattern pattern = pattern_of(alternation, rule.bool_or("case_sensitive", false));
    if (!pattern->ok()) {
      fault("keywords", "together are too large; split the rule");
      return;
    }
    out.look_for = Matches{std::move(pattern)};
  }

  void compile_max_length(const json::Value& max, Rule& out) {
    if (!max.is_int() || max.as_int() < 0) {
      fault("max", "must be an integer, 0 or more (characters)");
      return;
    }
    out.look_for = MaxLength{static_cast<std::size_t>(max.as_int())};
  }

  void compile_schema(const json::Value& source, Rule& out) {
    std::vector<json::SchemaFault> faults;
    auto schema = json::Schema::compile(source, {}, &faults);
    if (schema) {
      out.look_for = Schema{std::move(*schema)};
      return;
    }
    if (faults.empty()) faults.push_back({"", "", schema.error().message});
    for (const json::SchemaFault& found : faults) {
      const std::string here = at_;
      at_ = json::join(at_, "schema") + found.pointer;
      fault("", found.message);
      at_ = here;
    }
  }

  void compile_pii(const json::Value* kinds, Rule& out) {
    Pii pii;
    if (kinds == nullptr) {
      for (const PiiKind& kind : kPiiKinds) pii.kinds.push_back(&kind);
      out.look_for = std::move(pii);
      return;
    }
    std::vector<std::string_view> names;
    for (const PiiKind& kind : kPiiKinds) names.push_back(kind.name);
    bool good = kinds->is_array() && !kinds->as_array().empty();
    for (std::size_t i = 0; good && i < kinds->as_array().size(); ++i) {
      const json::Value& name = kinds->as_array()[i];
      const auto* kind = std::find_if(kPiiKinds.begin(), kPiiKinds.end(), [&](const PiiKind& k) {
        return name.is_string() && k.name == name.as_string();
      });
      good = kind != kPiiKinds.end();
      if (good) pii.kinds.push_back(kind);
    }
    if (good) {
      out.look_for = std::move(pii);
    } else {
      fault("kinds", fmt::format("must be a list of some of {}", fmt::join(names, ", ")));
    }
  }

  void compile_cel(const json::Value& source, Rule& out) {
    if (!source.is_string()) {
      fault("expression", "must be a CEL expression as a string");
      return;
    }
    std::vector<cel::Fault> faults;
    auto expression = cel::Expression::parse(source.as_string(), &faults);
    if (expression) {
      faults = expression->check();
      for (const auto& reference : expression->references()) {
        if (reference.root == "content" || reference.root == "context") continue;
        faults.push_back({fmt::format("unknown name \"{}\"; a rule sees content and context",
                                      shown(reference.root)),
                          reference.line, reference.column});
      }
    } else if (faults.empty()) {
      faults.push_back({expression.error().message, 1, 1});
    }
    for (const cel::Fault& found : faults)
      fault("expression", found.message, found.line, found.column);
    if (faults.empty()) out.look_for = Cel{std::move(*expression)};
  }

  std::vector<RuleFault>& faults_;
  std::string at_;  ///< Pointer of the rule in hand.
  std::set<std::string, std::less<>> ids_;
};

// ---- check --------------------------------------------------------------------------------------

struct Found {
  Span span;
  std::size_t rule;  ///< Index.
};

class RuleEnvironment : public cel::Environment {
 public:
  RuleEnvironment(const json::Value& content, const json::Value& context)
      : content_(content), context_(context) {}
  const json::Value* find(std::string_view root, std::span<const std::string> /*path*/,
                          std::size_t& used) const override {
    used = 0;
    if (root == "content") return &content_;
    return root == "context" ? &context_ : nullptr;
  }

 private:
  const json::Value& content_;
  const json::Value& context_;
};

std::string marker(const Rule& rule) { return fmt::format("[REDACTED:{}]", rule.id); }

void find_matches(const RE2& pattern, std::string_view text, std::vector<Span>& out) {
  const re2::StringPiece all(text.data(), text.size());
  re2::StringPiece match;
  std::size_t at = 0;
  while (at <= text.size() && pattern.Match(all, at, all.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<std::size_t>(match.data() - all.data());
    if (!match.empty()) out.push_back({begin, begin + match.size()});
    at = begin + std::max<std::size_t>(match.size(), 1);
  }
}

/// `text` with the first of overlapping finds replaced by its rule's marker, and all that they
/// cover.
std::string redact(std::string_view text, std::vector<Found> finds,
                   const std::vector<Rule>& rules) {
  std::stable_sort(finds.begin(), finds.end(),
                   [](const Found& a, const Found& b) { return a.span.begin < b.span.begin; });
  std::string out;
  std::size_t done = 0;
  for (const Found& found : finds) {
    if (found.span.begin >= done) {
      out.append(text.substr(done, found.span.begin - done));
      out += marker(rules[found.rule]);
    }
    done = std::max(done, found.span.end);
  }
  out.append(text.substr(std::min(done, text.size())));
  return out;
}

class Checker {
 public:
  Checker(const std::vector<Rule>& rules, std::int64_t& fuel) : rules_(rules), fuel_(fuel) {}

  Result<Verdict> check(const json::Value& content, const json::Value& context) {
    bytes_ = 0;
    if (!within_limit(content)) {
      return failure(Code::kResourceExhausted, "content is larger than {} bytes", kContentBytesMax);
    }
    Verdict verdict;
    verdict.redacted = redact_texts(content, "");
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      RETURN_IF_ERROR(check_whole(rules_[i], content, context));
    }
    if (fuel_ <= 0) return failure(Code::kResourceExhausted, "the rules took too much work");
    // Rules over the whole content redact in what the others left.
    for (const auto& [pointer, rule] : whole_finds_) {
      if (pointer.empty()) {
        verdict.redacted = marker(rules_[rule]);
        break;
      }
      // A place inside one that is redacted already is no more; that is as good.
      static_cast<void>(json::replace(verdict.redacted, pointer, marker(rules_[rule])).has_value());
    }
    std::stable_sort(violations_.begin(), violations_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [rule, violation] : violations_) verdict.violations.push_back(std::move(violation));
    verdict.allowed = verdict.violations.empty();
    return verdict;
  }

 private:
  bool within_limit(const json::Value& value) {
    bytes_ += 8;
    if (value.is_string()) bytes_ += value.as_string().size();
    if (value.is_array()) {
      for (const json::Value& element : value.as_array()) {
        if (!within_limit(element)) return false;
      }
    }
    if (value.is_object()) {
      for (const auto& [key, member] : value.as_object()) {
        bytes_ += key.size();
        if (!within_limit(member)) return false;
      }
    }
    return bytes_ <= kContentBytesMax;
  }

  void spend(std::size_t bytes) { fuel_ -= static_cast<std::int64_t>(bytes / kBytesPerFuel) + 1; }

  void violate(std::size_t rule, std::string message, std::string pointer) {
    if (violations_.size() >= kViolationsMax) return;
    const Rule& broken = rules_[rule];
    if (!broken.message.empty()) message = broken.message;
    violations_.push_back(
        {rule, {broken.id, broken.severity, std::move(message), std::move(pointer)}});
  }

  /// `value` with what the rules for texts find in it replaced. Numbers and member names are texts
  /// too: a card number is one also where it is written without quotes.
  json::Value redact_texts(const json::Value& value, const std::string& pointer) {
    if (fuel_ <= 0) return {};
    if (value.is_string() || value.is_number()) {
      auto redacted =
          redact_text(value.is_string() ? value.as_string() : json::write(value), pointer);
      return redacted ? json::Value(std::move(*redacted)) : value;
    }
    if (value.is_array()) {
      json::Array out;
      for (std::size_t i = 0; i < value.as_array().size(); ++i) {
        out.push_back(redact_texts(value.as_array()[i], json::join(pointer, i)));
      }
      return out;
    }
    if (value.is_object()) {
      json::Object out;
      for (const auto& [key, member] : value.as_object()) {
        const std::string here = json::join(pointer, key);
        std::string name = redact_text(key, here).value_or(key);
        json::Value redacted = redact_texts(member, here);
        for (int n = 2; out.contains(name); ++n) name = fmt::format("{}#{}", name, n);
        out.set(name, std::move(redacted));
      }
      return out;
    }
    return value;
  }

  /// Nothing if no rule finds anything in `text`.
  std::optional<std::string> redact_text(std::string_view text, const std::string& pointer) {
    std::vector<Found> finds;
    for (std::size_t i = 0; i < rules_.size() && fuel_ > 0; ++i) look_at(i, text, pointer, finds);
    if (finds.empty()) return std::nullopt;
    return redact(text, std::move(finds), rules_);
  }

  void look_at(std::size_t rule, std::string_view text, const std::string& pointer,
               std::vector<Found>& finds) {
    spend(text.size());
    std::vector<Span> spans;
    const auto& look_for = rules_[rule].look_for;
    if (const auto* matches = std::get_if<Matches>(&look_for)) {
      find_matches(*matches->pattern, text, spans);
      if (!spans.empty()) violate(rule, "contains text that is not allowed", pointer);
    } else if (const auto* length = std::get_if<MaxLength>(&look_for)) {
      if (const auto characters = characters_of(text); characters > length->characters) {
        spans.push_back({0, text.size()});
        violate(rule,
                fmt::format("has {} characters, allowed are {}", characters, length->characters),
                pointer);
      }
    } else if (const auto* pii = std::get_if<Pii>(&look_for)) {
      for (const PiiKind* kind : pii->kinds) {
        const auto found = kind->find(text);
        if (!found.empty()) violate(rule, fmt::format("contains {}", kind->what), pointer);
        spans.insert(spans.end(), found.begin(), found.end());
      }
    }
    for (const Span span : spans) finds.push_back({span, rule});
  }

  Result<void> check_whole(const Rule& rule, const json::Value& content,
                           const json::Value& context) {
    const auto index = static_cast<std::size_t>(&rule - rules_.data());
    if (const auto* schema = std::get_if<Schema>(&rule.look_for)) {
      spend(bytes_);
      auto faults = schema->schema.validate(content);
      if (!faults) return faults.error().in(fmt::format("rule {}", rule.id));
      for (const json::SchemaFault& fault : *faults) {
        violate(index, fmt::format("does not fit the schema (\"{}\")", fault.keyword),
                fault.pointer);
        whole_finds_.emplace_back(fault.pointer, index);
      }
    } else if (const auto* cel = std::get_if<Cel>(&rule.look_for)) {
      const RuleEnvironment environment(content, context);
      const auto outcome = cel->expression.evaluate(environment, fuel_);
      if (const auto* error = std::get_if<cel::EvalError>(&outcome)) {
        return failure(error->kind == cel::EvalError::Kind::kLimit ? Code::kResourceExhausted
                                                                   : Code::kInvalidArgument,
                       "rule {}: {}", rule.id, error->message);
      }
      const auto& value = std::get<json::Value>(outcome);
      if (!value.is_bool()) {
        return failure(Code::kInvalidArgument, "rule {}: the expression gives {}, not a boolean",
                       rule.id, json::type_name(value.type()));
      }
      if (!value.as_bool()) {
        violate(index, "does not satisfy the rule's expression", "");
        whole_finds_.emplace_back("", index);
      }
    }
    return {};
  }

  const std::vector<Rule>& rules_;
  std::int64_t& fuel_;
  std::size_t bytes_ = 0;
  std::vector<std::pair<std::size_t, Violation>> violations_;  ///< With the rule's index.
  std::vector<std::pair<std::string, std::size_t>> whole_finds_;
};

}  // namespace

struct Rules::Compiled {
  std::vector<Rule> rules;
};

Result<Rules> Rules::compile(const json::Value& rules, std::vector<RuleFault>* faults) {
  std::vector<RuleFault> found;
  auto compiled = std::make_shared<Compiled>();
  compiled->rules = Compiler(found).compile(rules);
  if (!found.empty()) {
    const Error error = failure(Code::kInvalidArgument, "rules{}: {}", found.front().pointer,
                                found.front().message);
    if (faults != nullptr) *faults = std::move(found);
    return error;
  }
  Rules out;
  out.compiled_ = std::move(compiled);
  return out;
}

Result<Verdict> Rules::check(const json::Value& content, const json::Value& context,
                             std::int64_t& fuel) const {
  static const std::vector<Rule> kNone;
  return Checker(compiled_ == nullptr ? kNone : compiled_->rules, fuel).check(content, context);
}

}  // namespace avow::guard
