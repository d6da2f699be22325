// SPDX-License-Identifier: Apache-2.0
#include "auth/api_key.h"

#include <algorithm>

#include "auth/fields.h"
#include "auth/stored.h"
#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/pointer.h"

namespace avow::auth {
namespace {

constexpr std::string_view kMark = "avow_";
constexpr std::size_t kDigits = 43;       // 256 bits in base62
constexpr std::size_t kPrefixDigits = 6;  // leaves 220 unknown bits

/// Reads `agent_ids` of a request; repetitions collapse.
std::optional<std::vector<AgentId>> read_agent_ids(Fields& fields) {
  const auto texts = fields.texts("agent_ids", kKeyAgentsMax, {.characters_min = 1});
  if (!texts) return {};
  std::vector<AgentId> ids;
  for (std::size_t i = 0; i < texts->size(); ++i) {
    const auto id = parse_id((*texts)[i]);
    if (!id) {
      fields.fault(FaultKind::kMalformed, json::join("/agent_ids", i), "INVALID_VALUE",
                   "is no agent's id");
    } else if (std::find(ids.begin(), ids.end(), AgentId{*id}) == ids.end()) {
      ids.push_back({*id});
    }
  }
  return ids;
}

/// Holds `grant` to what `maker` has: takes over what the request left open, refuses what is more.
void inherit(KeyGrant& grant, const Caller& maker, Fields& fields) {
  grant.scopes = grant.scopes.with_denials_of(maker.scopes);
  if (grant.scopes.entries().size() > kScopesMax) {
    fields.fault(FaultKind::kInvalid, "/scopes", "TOO_LONG",
                 fmt::format("has more than {} scopes together with your own denials, which the "
                             "new key inherits",
                             kScopesMax));
  }
  for (const Scope scope : all_scopes()) {
    if (!grant.scopes.allows(scope) || maker.allows(scope)) continue;
    fields.fault(FaultKind::kForbidden, "/scopes", "FORBIDDEN",
                 fmt::format("would grant {}, which you do not have", scope_name(scope)));
  }
  if (maker.agent_ids) {
    if (!grant.agent_ids) grant.agent_ids = maker.agent_ids;
    for (const AgentId agent : *grant.agent_ids) {
      if (maker.may_act_as(agent)) continue;
      fields.fault(FaultKind::kForbidden, "/agent_ids", "FORBIDDEN",
                   "names an agent that your own credential does not cover");
      break;
    }
  }
  if (maker.expires_at) {
    if (!grant.expires_at) grant.expires_at = maker.expires_at;
    if (*grant.expires_at > *maker.expires_at) {
      fields.fault(
          FaultKind::kForbidden, "/expires_at", "FORBIDDEN",
          fmt::format("lies after your own credential's end, {}", format_time(*maker.expires_at)));
    }
  }
}

json::Value ids_value(const std::vector<AgentId>& ids) {
  json::Array out;
  for (const AgentId id : ids) out.emplace_back(id.uuid());
  return out;
}

}  // namespace

IssuedKey issue_key(KeyGrant grant, Time now, Rng& rng) {
  const Bytes32 secret = rng.bytes32();
  std::string text = std::string(kMark) + to_base62(view_of(secret));
  ApiKey key{.id = {make_id(now, rng.bytes8())},
             .tenant = grant.tenant,
             .is_platform = grant.is_platform,
             .name = std::move(grant.name),
             .scopes = std::move(grant.scopes),
             .agent_ids = std::move(grant.agent_ids),
             .expires_at = grant.expires_at,
             .prefix = text.substr(0, kMark.size() + kPrefixDigits),
             .hash = key_hash(text),
             .created_by = std::move(grant.created_by),
             .created_at = now,
             .revoked_at = {}};
  return {std::move(key), Secret(std::move(text))};
}

Checked<IssuedKey> make_api_key(const json::Value& request, const Caller& maker, Time now,
                                Rng& rng) {
  std::vector<Fault> faults;
  Fields fields(request, faults);
  KeyGrant grant{.tenant = maker.tenant, .created_by = maker.principal};
  if (maker.tenant.is_zero()) {
    fields.fault(FaultKind::kMalformed, "", "MISSING",
                 "the header X-Tenant-ID must name a tenant when a platform key is used");
  }
  grant.name = fields.text("name", {.characters_max = 256}).value_or("");
  if (fields.any("scopes") == nullptr) {
    fields.fault(FaultKind::kMalformed, "/scopes", "MISSING", "is required: a list of scopes");
  }
  if (const auto texts = fields.texts("scopes", kScopesMax, {.characters_min = 1})) {
    auto scopes = ScopeSet::parse(*texts, "/scopes");
    if (scopes) grant.scopes = *scopes;
    faults.insert(faults.end(), scopes.faults.begin(), scopes.faults.end());
  }
  grant.agent_ids = read_agent_ids(fields);
  grant.expires_at = fields.time_after("expires_at", now);
  fields.refuse_unknown();
  // Only a request that can be read is held against the maker's rights: else a fault could hide
  // one.
  if (faults.empty() && !maker.is_platform) inherit(grant, maker, fields);
  if (!faults.empty()) return faults;
  return issue_key(std::move(grant), now, rng);
}

ApiKey revoked(ApiKey key, Time now) {
  if (!key.revoked_at) key.revoked_at = now;
  return key;
}

json::Value render(const ApiKey& key) {
  json::Object out{{"id", key.id.uuid()}, {"name", key.name}, {"prefix", key.prefix}};
  out.set("status", key.revoked_at ? "revoked" : "active");
  if (!key.is_platform) out.set("tenant_id", key.tenant.uuid());
  out.set("scopes", stored::texts_value(key.scopes.entries()));
  if (key.agent_ids) out.set("agent_ids", ids_value(*key.agent_ids));
  if (key.expires_at) out.set("expires_at", format_time(*key.expires_at));
  out.set("created_at", format_time(key.created_at));
  if (key.revoked_at) out.set("revoked_at", format_time(*key.revoked_at));
  return out;
}

store::RecordChange to_change(const ApiKey& key) {
  json::Value body = render(key);
  body.set("platform", key.is_platform);
  body.set("created_by", key.created_by);
  return stored::change_of({.kind = store::RecordKind::kApiKey,
                            .tenant = key.tenant,
                            .id = key.id.value,
                            .unique_key = key.hash,
                            .name = key.name,
                            .status = key.revoked_at ? "revoked" : "active",
                            .version = key.version,
                            .body = {}},
                           body);
}

Result<ApiKey> api_key_from(const store::Record& record) {
  ASSIGN_OR_RETURN(const json::Value body, stored::body_of(record, store::RecordKind::kApiKey));
  stored::Members members(body, record);
  ApiKey key{.id = {record.id},
             .tenant = record.tenant,
             .is_platform = body.bool_or("platform", false),
             .name = record.name,
             .scopes = {},
             .agent_ids = {},
             .expires_at = members.time("expires_at"),
             .prefix = members.text("prefix"),
             .hash = record.unique_key,
             .created_by = members.text("created_by"),
             .created_at = members.time("created_at").value_or(Time{}),
             .revoked_at = members.time("revoked_at"),
             .version = record.version};
  if (body.find("agent_ids") != nullptr) {
    key.agent_ids.emplace();
    for (const std::string& text : members.texts("agent_ids")) {
      const auto id = parse_id(text);
      if (!id) members.spoil("agent_ids");
      key.agent_ids->push_back({id ? *id : Id{}});
    }
  }
  auto scopes = ScopeSet::parse(members.texts("scopes"), "/scopes");
  if (!scopes) members.spoil("scopes");
  RETURN_IF_ERROR(members.verdict());
  key.scopes = *scopes;
  return key;
}

bool is_key_shaped(std::string_view text) {
  return text.size() == kMark.size() + kDigits && text.starts_with(kMark) &&
         std::all_of(text.begin() + kMark.size(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
         });
}

std::string key_hash(std::string_view text) { return to_hex(view_of(crypto::sha256(text))); }

}  // namespace avow::auth
