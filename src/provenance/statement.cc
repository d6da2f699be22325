// SPDX-License-Identifier: Apache-2.0
#include "provenance/statement.h"

#include <algorithm>
#include <array>
#include <span>

#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/members.h"

namespace avow::provenance {
namespace {

constexpr std::size_t kWordBytesMax = 64;
constexpr std::uint64_t kSeqMax = (1 << 20) - 1;  // what a receipt's id has room for
constexpr std::size_t kLogKeysMax = 8;
constexpr std::size_t kSignatureBytes = 64;

constexpr std::array<std::string_view, 10> kTypeNames = {
    "log.genesis",   "run.finished",  "run.open",    "run.progress",   "workflow.published",
    "agent.changed", "admin.changed", "key.rotated", "content.erased", "journal.retired"};

/// From a closed list: lower-case letters and underscores.
bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= kWordBytesMax &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool is_text(std::string_view text) { return !text.empty() && text.size() <= 4 * kWordBytesMax; }

// ---------------------------------------------------------------------- lists inside a statement

json::Value keys_value(const std::vector<StatementKey>& keys) {
  json::Array out;
  for (const StatementKey& key : keys) {
    json::Object one{{"from", key.from}, {"key", to_base64(key.spki_der)}};
    if (key.to) one.set("to", *key.to);
    out.emplace_back(std::move(one));
  }
  return out;
}

bool read_keys(const json::Value& value, std::vector<StatementKey>& out) {
  if (!value.is_array()) return false;
  for (const json::Value& one : value.as_array()) {
    StatementKey key;
    const json::Value* to = one.find("to");
    if (!has_only(one, {"from", "key", "to"}) || !read_count(one.find("from"), key.from) ||
        !read_base64(one.find("key"), key.spki_der)) {
      return false;
    }
    if (to != nullptr && (!read_count(to, key.to.emplace()) || *key.to <= key.from)) return false;
    out.push_back(std::move(key));
  }
  return !out.empty();
}

json::Value erased_value(const std::vector<ErasedContent>& erased) {
  json::Array out;
  for (const ErasedContent& content : erased) {
    json::Object one{{"run", content.run.uuid()}};
    if (content.seq != 0) {
      one.set("member", content.member);
      one.set("seq", content.seq);
    }
    out.emplace_back(std::move(one));
  }
  return out;
}

bool read_erased(const json::Value& value, std::vector<ErasedContent>& out) {
  if (!value.is_array()) return false;
  for (const json::Value& one : value.as_array()) {
    ErasedContent content;
    const json::Value* seq = one.find("seq");
    if (!has_only(one, {"member", "run", "seq"}) || !read_id(one.find("run"), content.run.value)) {
      return false;
    }
    if ((seq == nullptr) != (one.find("member") == nullptr)) return false;
    if (seq != nullptr &&
        (!read_count(seq, content.seq) || content.seq < 1 || content.seq > kSeqMax ||
         !read_string(one.find("member"), content.member))) {
      return false;
    }
    // Ascending, so that one erasure has one spelling.
    if (!out.empty() && !(out.back() < content)) return false;
    out.push_back(std::move(content));
  }
  return !out.empty();
}

bool read_old_head(const json::Value& value, std::optional<OldHead>& out) {
  out.emplace();
  return has_only(value, {"origin", "root", "size"}) &&
         read_string(value.find("origin"), out->origin) && is_text(out->origin) &&
         read_digest(value.find("root"), out->root) && read_count(value.find("size"), out->size);
}

// -------------------------------------------------------------------------------- the members

/// One member of a statement: how it is read and written. `write` gives null where it is absent.
struct Member {
  std::string_view name;
  bool (*read)(const json::Value&, Statement&);
  json::Value (*write)(const Statement&);
};

template <auto field>
constexpr Member digest_member(std::string_view name) {
  return {name,
          [](const json::Value& value, Statement& s) {
            return read_digest(&value, (s.*field).emplace());
          },
          [](const Statement& s) {
            return s.*field ? json::Value(to_hex(view_of(*(s.*field)))) : json::Value();
          }};
}

template <auto field>
constexpr Member time_member(std::string_view name) {
  return {name,
          [](const json::Value& value, Statement& s) {
            return read_time(&value, (s.*field).emplace());
          },
          [](const Statement& s) {
            return s.*field ? json::Value(format_time(*(s.*field))) : json::Value();
          }};
}

template <auto field, auto is_valid>
constexpr Member text_member(std::string_view name) {
  return {name,
          [](const json::Value& value, Statement& s) {
            return read_string(&value, s.*field) && is_valid(s.*field);
          },
          [](const Statement& s) {
            return (s.*field).empty() ? json::Value() : json::Value(s.*field);
          }};
}

/// Of all types but for `prev`, which depends on tenant_seq.
constexpr std::array kCommon = {
    Member{"created_at",
           [](const json::Value& value, Statement& s) { return read_time(&value, s.created_at); },
           [](const Statement& s) { return json::Value(format_time(s.created_at)); }},
    Member{"id", [](const json::Value& value, Statement& s) { return read_id(&value, s.id); },
           [](const Statement& s) { return json::Value(s.id.uuid()); }},
    Member{"nonce",
           [](const json::Value& value, Statement& s) { return read_digest(&value, s.nonce); },
           [](const Statement& s) { return json::Value(to_hex(view_of(s.nonce))); }},
    digest_member<&Statement::prev>("prev"),
    Member{"tenant",
           [](const json::Value& value, Statement& s) { return read_id(&value, s.tenant.value); },
           [](const Statement& s) { return json::Value(s.tenant.uuid()); }},
    Member{"tenant_seq",
           [](const json::Value& value, Statement& s) {
             return read_count(&value, s.tenant_seq) && s.tenant_seq >= 1;
           },
           [](const Statement& s) { return json::Value(s.tenant_seq); }},
};

constexpr std::array kSpecial = {
    text_member<&Statement::actor, is_text>("actor"),
    Member{
        "agent",
        [](const json::Value& value, Statement& s) {
          return read_id(&value, s.agent.emplace().value);
        },
        [](const Statement& s) { return s.agent ? json::Value(s.agent->uuid()) : json::Value(); }},
    text_member<&Statement::change, is_word>("change"),
    time_member<&Statement::completed_at>("completed_at"),
    Member{"erased",
           [](const json::Value& value, Statement& s) { return read_erased(value, s.erased); },
           [](const Statement& s) {
             return s.erased.empty() ? json::Value() : erased_value(s.erased);
           }},
    Member{
        "events",
        [](const json::Value& value, Statement& s) {
          return read_count(&value, s.events) && s.events >= 1 && s.events <= kSeqMax;
        },
        [](const Statement& s) { return s.events == 0 ? json::Value() : json::Value(s.events); }},
    Member{"keys", [](const json::Value& value, Statement& s) { return read_keys(value, s.keys); },
           [](const Statement& s) { return s.keys.empty() ? json::Value() : keys_value(s.keys); }},
    Member{"log_keys",
           [](const json::Value& value, Statement& s) {
             std::vector<std::string> texts;
             if (!read_strings(&value, texts) || texts.size() > kLogKeysMax) return false;
             return std::ranges::all_of(texts, [&](const std::string& text) {
               auto key = merkle::VerifierKey::parse(text);
               if (!key || key->type != merkle::SignatureType::kEd25519) return false;
               s.log_keys.push_back(*std::move(key));
               return true;
             });
           },
           [](const Statement& s) {
             json::Array out;
             for (const merkle::VerifierKey& key : s.log_keys) out.emplace_back(key.text());
             return out.empty() ? json::Value() : json::Value(std::move(out));
           }},
    Member{"old_head",
           [](const json::Value& value, Statement& s) { return read_old_head(value, s.old_head); },
           [](const Statement& s) {
             if (!s.old_head) return json::Value();
             return json::Value(json::Object{{"origin", s.old_head->origin},
                                             {"root", to_hex(view_of(s.old_head->root))},
                                             {"size", s.old_head->size}});
           }},
    text_member<&Statement::origin, is_text>("origin"),
    digest_member<&Statement::plan>("plan"),
    digest_member<&Statement::reason>("reason"),
    digest_member<&Statement::record>("record"),
    digest_member<&Statement::root>("root"),
    Member{"signatures",
           [](const json::Value& value, Statement& s) {
             std::vector<std::string> texts;
             if (!read_strings(&value, texts)) return false;
             return std::ranges::all_of(texts, [&](const std::string& text) {
               auto bytes = from_base64(text);
               if (!bytes || bytes->size() != kSignatureBytes) return false;
               s.signatures.push_back(*std::move(bytes));
               return true;
             });
           },
           [](const Statement& s) {
             json::Array out;
             for (const std::string& signature : s.signatures)
               out.emplace_back(to_base64(signature));
             return out.empty() ? json::Value() : json::Value(std::move(out));
           }},
    time_member<&Statement::started_at>("started_at"),
    text_member<&Statement::status, is_word>("status"),
    text_member<&Statement::subject, is_word>("subject"),
    text_member<&Statement::version, is_text>("version"),
    digest_member<&Statement::workflow_digest>("workflow_digest"),
};

/// The members of a type beyond the common ones, each list ended by an empty name.
struct Shape {
  std::array<std::string_view, 7> required;
  std::array<std::string_view, 4> optional;
};

constexpr Shape shape_of(StatementType type) {
  switch (type) {
    case StatementType::kLogGenesis:
      return {{"keys", "log_keys", "origin", "signatures"}, {"old_head"}};
    case StatementType::kKeyRotated:
      return {{"keys", "log_keys", "origin", "signatures"}, {"actor"}};
    case StatementType::kRunFinished:
      return {{"completed_at", "events", "plan", "root", "started_at", "status"},
              {"agent", "workflow_digest"}};
    case StatementType::kRunOpen:
    case StatementType::kRunProgress:
      return {{"events", "plan", "root", "started_at", "status"}, {"agent", "workflow_digest"}};
    case StatementType::kWorkflowPublished:
      return {{"version", "workflow_digest"}, {"actor"}};
    case StatementType::kAgentChanged:
      return {{"change", "status"}, {"actor", "record"}};
    case StatementType::kAdminChanged:
      return {{"change", "subject"}, {"actor", "record"}};
    case StatementType::kContentErased:
      return {{"erased"}, {"actor", "reason"}};
    case StatementType::kJournalRetired:
      return {{"events", "root"}, {}};
  }
  return {};
}

/// What the shape of the members does not say.
bool is_coherent(const Statement& s) {
  if ((s.id.low & kSeqMax) != 0 || s.prev.has_value() == (s.tenant_seq == 1)) return false;
  switch (s.type) {
    case StatementType::kRunFinished:
      return s.status == "completed" || s.status == "failed" || s.status == "cancelled";
    case StatementType::kRunOpen:
    case StatementType::kRunProgress:
      return s.status == "running";
    case StatementType::kLogGenesis:
      // After a recovery the deployment has made statements before.
      if (s.tenant_seq != 1 && !s.old_head) return false;
      [[fallthrough]];
    case StatementType::kKeyRotated:
      return s.tenant.is_zero() && s.signatures.size() == s.log_keys.size() &&
             std::ranges::all_of(
                 s.log_keys, [&](const merkle::VerifierKey& key) { return key.name == s.origin; });
    default:
      return true;
  }
}

/// Empty if the members are those of the type, else the name of one that is missing or too much.
std::string_view misplaced_member(const Statement& s) {
  const Shape shape = shape_of(s.type);
  for (const Member& member : kSpecial) {
    const bool is_required = std::ranges::find(shape.required, member.name) != shape.required.end();
    const bool is_optional = std::ranges::find(shape.optional, member.name) != shape.optional.end();
    const bool is_there = !member.write(s).is_null();
    if (is_required ? !is_there : is_there && !is_optional) return member.name;
  }
  return {};
}

json::Object object_of(const Statement& s) {
  json::Object out;
  const auto add = [&](const Member& member) {
    if (auto value = member.write(s); !value.is_null()) out.set(member.name, std::move(value));
  };
  std::ranges::for_each(kCommon, add);
  std::ranges::for_each(kSpecial, add);
  out.set("type", statement_type_name(s.type));
  out.set("v", kStatementVersion);
  return out;
}

Error bad_member(std::string_view name) {
  return failure(Code::kCorruption, "statement: member \"{}\" is missing or wrong", shown(name));
}

Result<Statement> from_json(const json::Object& object) {
  Statement s;
  for (const auto& [key, value] : object) {
    if (key == "v" || key == "type") continue;
    const auto is_it = [&](const Member& member) { return member.name == key; };
    const auto* member = std::ranges::find_if(kCommon, is_it);
    if (member == kCommon.end()) {
      member = std::ranges::find_if(kSpecial, is_it);
      if (member == kSpecial.end()) return bad_member(key);
    }
    if (!member->read(value, s)) return bad_member(key);
  }
  return s;
}

}  // namespace

std::string_view statement_type_name(StatementType type) {
  return kTypeNames.at(static_cast<std::size_t>(type));
}

bool is_about_keys(StatementType type) {
  return type == StatementType::kLogGenesis || type == StatementType::kKeyRotated;
}

std::string encode(const Statement& statement) {
  CHECK(misplaced_member(statement).empty() && is_coherent(statement));
  return json::write_canonical(object_of(statement));
}

Result<Statement> decode_statement(std::string_view bytes) {
  const auto value = json::parse(bytes, {.depth_max = 4, .bytes_max = kStatementBytesMax});
  if (!value) return Error{Code::kCorruption, value.error().in("statement").message};
  if (!value->is_object()) return failure(Code::kCorruption, "statement is no object");
  const std::int64_t version = value->int_or("v", 0);
  if (version > kStatementVersion) {
    return failure(Code::kUnavailable, "statement has version {}, this program knows up to {}",
                   version, kStatementVersion);
  }
  const auto type = std::ranges::find(kTypeNames, value->string_or("type"));
  if (version < 1 || type == kTypeNames.end()) return bad_member(version < 1 ? "v" : "type");
  ASSIGN_OR_RETURN(Statement statement, from_json(value->as_object()));
  statement.type = static_cast<StatementType>(type - kTypeNames.begin());
  if (const auto name = misplaced_member(statement); !name.empty()) return bad_member(name);
  if (!is_coherent(statement)) {
    return failure(Code::kCorruption, "statement: members contradict each other");
  }
  // One meaning, one spelling. A common member that was left out was written by encode().
  if (encode(statement) != bytes) {
    return failure(Code::kCorruption, "statement is not spelled canonically");
  }
  return statement;
}

Bytes32 statement_digest(std::string_view bytes) { return crypto::sha256(bytes); }

std::string signed_part(const Statement& statement) {
  json::Object object = object_of(statement);
  object.erase("signatures");
  return json::write_canonical(std::move(object));
}

void sign_keys(Statement& statement, std::span<const crypto::Ed25519PrivateKey> log_keys) {
  CHECK(is_about_keys(statement.type) && log_keys.size() == statement.log_keys.size());
  const std::string message = signed_part(statement);
  statement.signatures.clear();
  for (const auto& key : log_keys) statement.signatures.push_back(key.sign(message));
}

bool has_valid_signatures(const Statement& statement) {
  const std::string message = signed_part(statement);
  for (std::size_t i = 0; i < statement.log_keys.size(); ++i) {
    const std::string& key = statement.log_keys[i].key;
    crypto::Ed25519PublicKey ed25519;
    if (i >= statement.signatures.size() || key.size() != ed25519.bytes.size()) return false;
    std::copy(key.begin(), key.end(), ed25519.bytes.begin());
    if (!ed25519.verifies(message, statement.signatures[i])) return false;
  }
  return !statement.log_keys.empty();
}

bool names_key(const Statement& statement, std::string_view spki_der, std::uint64_t index) {
  return std::ranges::any_of(statement.keys, [&](const StatementKey& key) {
    return key.spki_der == spki_der && key.from <= index && (!key.to || index < *key.to);
  });
}

}  // namespace avow::provenance
