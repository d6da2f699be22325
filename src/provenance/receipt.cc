// SPDX-License-Identifier: Apache-2.0
#include "provenance/receipt.h"

#include <algorithm>

#include "json/parse.h"
#include "json/write.h"
#include "provenance/members.h"

namespace avow::provenance {
namespace {

constexpr std::uint64_t kSeqBits = (1 << 20) - 1;
constexpr std::string_view kIdPrefix = "rcpt_";
/// As deep as a content may be, and what a receipt wraps around it.
constexpr std::size_t kDepthMax = 1024 + 8;
constexpr std::size_t kOpenedParts = 3;  // s_k, k, v

// --------------------------------------------------------------------------------------- writing

json::Value hashes_value(const std::vector<Bytes32>& hashes) {
  json::Array out;
  for (const Bytes32& hash : hashes) out.emplace_back(to_base64(view_of(hash)));
  return out;
}

json::Value value_of(const LoggedStatement& logged) {
  return json::Object{{"statement", logged.statement},
                      {"entry", logged.entry},
                      {"index", logged.index},
                      {"path", hashes_value(logged.path)}};
}

json::Value value_of(const ProvenEvent& event) {
  return json::Object{{"event", event.event}, {"path", hashes_value(event.path)}};
}

json::Value value_of(const Disclosure& disclosure) {
  json::Array members;
  for (const OpenedMember& member : disclosure.members) {
    members.emplace_back(json::Array{member.salt, member.key, member.value});
  }
  return json::Object{{"members", std::move(members)},
                      {"mask", to_base64(view_of(disclosure.mask))},
                      {"digests", hashes_value(disclosure.digests)}};
}

json::Value value_of(const ContentAccount& account) {
  json::Object out{{"seq", account.ref.seq}, {"member", account.ref.member}};
  if (const auto* opened = std::get_if<OpenedContent>(&account.shown)) {
    out.set("salt", to_base64(view_of(opened->salt)));
    out.set("value", opened->value);
  } else if (const auto* disclosure = std::get_if<Disclosure>(&account.shown)) {
    out.set("disclosed", value_of(*disclosure));
  } else {
    const bool is_erased = std::get<Withheld>(account.shown) == Withheld::kErased;
    out.set("withheld", is_erased ? "erased" : "from_reader");
  }
  return out;
}

template <class T>
void add_list(json::Object& out, std::string_view name, const std::vector<T>& list) {
  if (list.empty()) return;
  json::Array values;
  for (const T& one : list) values.emplace_back(value_of(one));
  out.set(name, std::move(values));
}

// --------------------------------------------------------------------------------------- reading

bool read(const json::Value& value, LoggedStatement& out) {
  return has_only(value, {"entry", "index", "path", "statement"}) &&
         read_string(value.find("statement"), out.statement) &&
         read_string(value.find("entry"), out.entry) &&
         read_count(value.find("index"), out.index) && read_hashes(value.find("path"), out.path);
}

bool read(const json::Value& value, ProvenEvent& out) {
  return has_only(value, {"event", "path"}) && read_string(value.find("event"), out.event) &&
         read_hashes(value.find("path"), out.path);
}

bool read(const json::Value& value, std::string& out) { return read_string(&value, out); }

bool read(const json::Value& value, OpenedMember& out) {
  if (!value.is_array() || value.as_array().size() != kOpenedParts) return false;
  const json::Array& parts = value.as_array();
  if (!read_string(&parts[0], out.salt) || !parts[1].is_string()) return false;
  out.key = parts[1].as_string();  // which may be empty
  out.value = parts[2];
  return true;
}

bool read(const json::Value& value, ContentAccount& out);

/// An array, empty perhaps.
template <class T>
bool read_list(const json::Value* value, std::vector<T>& out) {
  if (value == nullptr || !value->is_array()) return false;
  return std::ranges::all_of(value->as_array(),
                             [&](const json::Value& one) { return read(one, out.emplace_back()); });
}

bool read(const json::Value& value, Disclosure& out) {
  return has_only(value, {"digests", "mask", "members"}) &&
         read_list(value.find("members"), out.members) &&
         read_base64(value.find("mask"), out.mask) &&
         read_hashes(value.find("digests"), out.digests);
}

bool read(const json::Value& value, ContentAccount& out) {
  if (!read_count(value.find("seq"), out.ref.seq) ||
      !read_string(value.find("member"), out.ref.member)) {
    return false;
  }
  if (const json::Value* content = value.find("value")) {
    OpenedContent opened{{}, *content};
    if (!has_only(value, {"member", "salt", "seq", "value"})) return false;
    if (!read_base64(value.find("salt"), opened.salt)) return false;
    out.shown = std::move(opened);
    return true;
  }
  if (const json::Value* disclosed = value.find("disclosed")) {
    out.shown = Disclosure();
    return has_only(value, {"disclosed", "member", "seq"}) &&
           read(*disclosed, std::get<Disclosure>(out.shown));
  }
  const std::string why = value.string_or("withheld");
  out.shown = why == "erased" ? Withheld::kErased : Withheld::kFromReader;
  return has_only(value, {"member", "seq", "withheld"}) &&
         (why == "erased" || why == "from_reader");
}

bool read_receipt_id(const json::Value* value, Id& out) {
  std::string text;
  if (!read_string(value, text) || !read_id(value, out)) return false;
  return text == std::string(kIdPrefix) + out.ulid();
}

/// Lists that are empty are left out.
template <class T>
bool read_optional_list(const json::Value* value, std::vector<T>& out) {
  return value == nullptr || (read_list(value, out) && !out.empty());
}

bool are_ascending(const std::vector<ContentAccount>& contents) {
  return std::ranges::adjacent_find(contents, [](const auto& a, const auto& b) {
           return !(a.ref < b.ref);
         }) == contents.end();
}

bool are_ascending(const std::vector<LoggedStatement>& erasures) {
  return erasures.size() <= kErasuresMax &&
         std::ranges::adjacent_find(erasures, [](const auto& a, const auto& b) {
           return a.index >= b.index;
         }) == erasures.end();
}

Error bad_member(std::string_view name) {
  return failure(Code::kCorruption, "receipt: member \"{}\" is missing or wrong", name);
}

Result<Receipt> from_json(const json::Value& value) {
  Receipt receipt;
  const std::string kind = value.string_or("kind");
  if (kind != "receipt" && kind != "bundle") return bad_member("kind");
  if (!read_receipt_id(value.find("id"), receipt.id)) return bad_member("id");
  const auto read_logged = [&](std::string_view name, LoggedStatement& out) {
    const json::Value* logged = value.find(name);
    return logged != nullptr && read(*logged, out);
  };
  if (!read_logged("statement", receipt.statement)) return bad_member("statement");
  if (!read_logged("keys", receipt.keys)) return bad_member("keys");
  if (!read_string(value.find("checkpoint"), receipt.checkpoint)) return bad_member("checkpoint");
  if (kind == "bundle") {
    if (!read_list(value.find("journal"), receipt.journal.emplace())) return bad_member("journal");
  } else if (!read_optional_list(value.find("events"), receipt.events)) {
    return bad_member("events");
  }
  if (!read_optional_list(value.find("contents"), receipt.contents) ||
      !are_ascending(receipt.contents)) {
    return bad_member("contents");
  }
  if (!read_optional_list(value.find("erasures"), receipt.erasures) ||
      !are_ascending(receipt.erasures)) {
    return bad_member("erasures");
  }
  if (!has_only(value, {"v", "kind", "id", "statement", "keys", "checkpoint",
                        kind == "bundle" ? "journal" : "events", "contents", "erasures"})) {
    return failure(Code::kCorruption, "receipt has a member that is not known");
  }
  return receipt;
}

}  // namespace

Id receipt_id(const Id& statement, std::uint32_t seq) {
  CHECK((statement.low & kSeqBits) == 0 && seq <= kSeqBits);
  return {statement.high, statement.low | seq};
}

Id statement_of(const Id& receipt) { return {receipt.high, receipt.low & ~kSeqBits}; }

std::uint32_t seq_of(const Id& receipt) {
  return static_cast<std::uint32_t>(receipt.low & kSeqBits);
}

std::string encode(const Receipt& receipt) {
  json::Object out{{"v", kReceiptVersion},
                   {"kind", receipt.is_bundle() ? "bundle" : "receipt"},
                   {"id", std::string(kIdPrefix) + receipt.id.ulid()},
                   {"statement", value_of(receipt.statement)},
                   {"keys", value_of(receipt.keys)},
                   {"checkpoint", receipt.checkpoint}};
  add_list(out, "events", receipt.events);
  if (receipt.journal) {
    out.set("journal", json::Array(receipt.journal->begin(), receipt.journal->end()));
  }
  add_list(out, "contents", receipt.contents);
  add_list(out, "erasures", receipt.erasures);
  return json::write(std::move(out));
}

Result<Receipt> decode_receipt(std::string_view text, std::size_t bytes_max) {
  const auto value = json::parse(text, {.depth_max = kDepthMax, .bytes_max = bytes_max});
  if (!value) {
    const bool is_long = value.error().code == Code::kResourceExhausted;
    return Error{is_long ? Code::kResourceExhausted : Code::kCorruption,
                 value.error().in("receipt").message};
  }
  if (!value->is_object()) return failure(Code::kCorruption, "receipt is no object");
  const std::int64_t version = value->int_or("v", 0);
  if (version > kReceiptVersion) {
    return failure(Code::kUnavailable, "receipt has version {}, this program knows up to {}",
                   version, kReceiptVersion);
  }
  if (version < 1) return bad_member("v");
  return from_json(*value);
}

}  // namespace avow::provenance
