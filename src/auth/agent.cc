// SPDX-License-Identifier: Apache-2.0
#include "auth/agent.h"

#include <algorithm>
#include <array>

#include "auth/fields.h"
#include "auth/scope.h"
#include "auth/stored.h"
#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/merge_patch.h"
#include "json/pointer.h"

namespace avow::auth {
namespace {

constexpr std::array<std::string_view, 7> kTypes = {
    "orchestrator", "worker", "inference", "pipeline", "service", "bot", "llm"};
constexpr std::array<std::string_view, 3> kStatusNames = {"active", "suspended", "revoked"};

std::string_view status_name(AgentStatus status) {
  return kStatusNames[static_cast<std::size_t>(status)];
}

bool is_name(std::string_view text, std::string_view marks) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= 64 && is_plain(text[0]) &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return is_plain(c) || marks.find(c) != std::string_view::npos;
         });
}

/// `resource:action`, `resource:*` or `*:*`, also with "!".
bool is_agent_scope(std::string_view text) {
  if (text.starts_with('!')) text.remove_prefix(1);
  if (text == "*:*" || is_tool_scope(text)) return true;
  return text.ends_with(":*") && is_tool_scope(std::string(text.substr(0, text.size() - 1)) + "a");
}

bool covers(std::string_view pattern, std::string_view scope) {
  if (pattern == "*:*" || pattern == scope) return true;
  return pattern.ends_with(":*") && scope.starts_with(pattern.substr(0, pattern.size() - 1));
}

void read_type(Fields& fields, Agent& agent) {
  agent.agent_type = fields.text("agent_type", {}).value_or("worker");
  if (std::find(kTypes.begin(), kTypes.end(), agent.agent_type) != kTypes.end()) return;
  fields.fault(FaultKind::kInvalid, "/agent_type", "INVALID_VALUE",
               fmt::format("\"{}\" is no agent type; allowed are {}", shown(agent.agent_type),
                           fmt::join(kTypes, ", ")));
}

void read_scopes(Fields& fields, Agent& agent) {
  agent.scopes = fields.texts("scopes", kScopesMax, {.characters_min = 1})
                     .value_or(std::vector<std::string>());
  for (std::size_t i = 0; i < agent.scopes.size(); ++i) {
    if (is_agent_scope(agent.scopes[i])) continue;
    fields.fault(
        FaultKind::kInvalid, json::join("/scopes", i), "INVALID_VALUE",
        fmt::format("\"{}\" is no scope; write resource:action in lower case, resource:* or "
                    "*:*, or one of them with ! before it",
                    shown(agent.scopes[i])));
  }
}

void read_way_of_working(Fields& fields, Agent& agent) {
  agent.model = fields.text("model", {.characters_min = 1, .characters_max = 256}).value_or("");
  agent.instructions =
      fields.text("instructions", {.characters_max = kAgentInstructionsMax, .is_one_line = false})
          .value_or("");
  agent.tools = fields.texts("tools", kAgentToolsMax, {.characters_min = 1, .characters_max = 64})
                    .value_or(std::vector<std::string>());
  if (fields.any("model") != nullptr) return;
  for (const std::string_view name : {"instructions", "tools"}) {
    if (fields.any(name) == nullptr) continue;
    fields.fault(FaultKind::kInvalid, json::join("", name), "INVALID_VALUE",
                 "needs a model; an agent without one pulls tasks");
  }
}

/// The members that registration and PATCH have in common.
void read_members(Fields& fields, Agent& agent, Time now) {
  read_type(fields, agent);
  agent.display_name = fields.text("display_name", {.characters_max = 256}).value_or("");
  agent.description =
      fields.text("description", {.characters_max = 2048, .is_one_line = false}).value_or("");
  read_scopes(fields, agent);
  agent.metadata = fields.object("metadata", kAgentMetadataBytesMax).value_or(nullptr);
  // An end that stands as it was is no fault, though it may be past by now.
  const json::Value* end = fields.any("expires_at");
  const bool is_unchanged =
      agent.expires_at && end != nullptr && *end == json::Value(format_time(*agent.expires_at));
  if (!is_unchanged) agent.expires_at = fields.time_after("expires_at", now);
  read_way_of_working(fields, agent);
}

Result<crypto::Ed25519PublicKey> public_key_from(const std::string& text) {
  if (text.starts_with("-----BEGIN")) return crypto::Ed25519PublicKey::from_spki_pem(text);
  ASSIGN_OR_RETURN(const std::string bytes, from_base64(text));
  crypto::Ed25519PublicKey key;
  if (bytes.size() != key.bytes.size()) {
    return failure(Code::kInvalidArgument, "has {} bytes, not 32", bytes.size());
  }
  std::copy(bytes.begin(), bytes.end(), key.bytes.begin());
  return key;
}

/// The key that the request names, or a new one.
Secret read_public_key(Fields& fields, Agent& agent, Rng& rng) {
  if (fields.any("public_key") == nullptr) {
    const Bytes32 seed = rng.bytes32();
    agent.public_key = crypto::Ed25519PrivateKey::from_seed(seed).public_key();
    return Secret(to_base64(view_of(seed)));
  }
  const auto text = fields.text("public_key", {.characters_max = 1024, .is_one_line = false});
  if (!text) return {};
  if (const auto key = public_key_from(*text)) {
    agent.public_key = *key;
  } else {
    fields.fault(FaultKind::kInvalid, "/public_key", "INVALID_VALUE",
                 "is no Ed25519 key: write the base64 of its 32 bytes, or its PEM");
  }
  return {};
}

/// What was or could have been sent at registration, without `public_key`.
json::Object sent_members(const Agent& agent) {
  json::Object out{{"agent_type", agent.agent_type}};
  if (!agent.display_name.empty()) out.set("display_name", agent.display_name);
  if (!agent.description.empty()) out.set("description", agent.description);
  if (!agent.scopes.empty()) out.set("scopes", stored::texts_value(agent.scopes));
  if (!agent.metadata.is_null()) out.set("metadata", agent.metadata);
  if (agent.expires_at) out.set("expires_at", format_time(*agent.expires_at));
  if (!agent.model.empty()) out.set("model", agent.model);
  if (!agent.instructions.empty()) out.set("instructions", agent.instructions);
  if (!agent.tools.empty()) out.set("tools", stored::texts_value(agent.tools));
  return out;
}

Agent with_status(Agent agent, AgentStatus status, std::string reason, Time now) {
  if (agent.status == status) return agent;
  agent.status = status;
  agent.status_reason = std::move(reason);
  agent.updated_at = now;
  return agent;
}

}  // namespace

bool is_tool_scope(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon != std::string_view::npos && is_name(text.substr(0, colon), "._-") &&
         is_name(text.substr(colon + 1), "._-");
}

bool Agent::has_scope(std::string_view tool_scope) const {
  bool is_granted = false;
  for (const std::string_view entry : scopes) {
    const bool is_denial = entry.starts_with('!');
    if (!covers(entry.substr(is_denial ? 1 : 0), tool_scope)) continue;
    if (is_denial) return false;
    is_granted = true;
  }
  return is_granted;
}

std::string Agent::key_id() const {
  return to_hex(view_of(crypto::sha256(view_of(public_key.bytes)))).substr(0, 16);
}

Checked<RegisteredAgent> register_agent(const json::Value& request, TenantId tenant, Time now,
                                        Rng& rng) {
  std::vector<Fault> faults;
  Fields fields(request, faults);
  RegisteredAgent out;
  read_members(fields, out.agent, now);
  out.private_key = read_public_key(fields, out.agent, rng);
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  out.agent.id = {make_id(now, rng.bytes8())};
  out.agent.tenant = tenant;
  out.agent.created_at = now;
  out.agent.updated_at = now;
  return out;
}

Checked<Agent> patch_agent(const Agent& agent, const json::Value& patch, Time now) {
  std::vector<Fault> faults;
  Fields given(patch, faults);  // only to see that it is an object
  if (given.any("public_key") != nullptr) {
    given.fault(FaultKind::kMalformed, "/public_key", "UNKNOWN_FIELD",
                "cannot change; register another agent for another key");
  }
  if (!faults.empty()) return faults;
  const json::Value merged = json::merge_patch(sent_members(agent), patch);
  Fields fields(merged, faults);
  Agent out = agent;
  read_members(fields, out, now);
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  out.updated_at = now;
  return out;
}

Result<void> can_change(const Agent& agent) {
  if (agent.status != AgentStatus::kRevoked) return {};
  return failure(Code::kConflict, "agent {} is revoked, which is final", agent.id.uuid());
}

Result<Agent> suspend_agent(Agent agent, std::string reason, Time now) {
  RETURN_IF_ERROR(can_change(agent));
  return with_status(std::move(agent), AgentStatus::kSuspended, std::move(reason), now);
}

Result<Agent> resume_agent(Agent agent, Time now) {
  RETURN_IF_ERROR(can_change(agent));
  return with_status(std::move(agent), AgentStatus::kActive, "", now);
}

Agent revoke_agent(Agent agent, std::string reason, Time now) {
  return with_status(std::move(agent), AgentStatus::kRevoked, std::move(reason), now);
}

Checked<std::string> read_reason(const json::Value& request, bool* cascade) {
  std::vector<Fault> faults;
  Fields fields(request, faults);
  auto reason = fields.text("reason", {.characters_max = 1024, .is_one_line = false});
  if (cascade != nullptr) {
    const json::Value* value = fields.any("cascade");
    if (value != nullptr && !value->is_bool()) {
      fields.fault(FaultKind::kMalformed, "/cascade", "WRONG_TYPE", "must be boolean");
    }
    *cascade = value != nullptr && value->is_bool() && value->as_bool();
  }
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  return reason.value_or("");
}

json::Value render(const Agent& agent) {
  json::Object out{{"id", agent.id.uuid()},
                   {"agent_id", "maip-agent:" + agent.id.ulid()},
                   {"tenant_id", agent.tenant.uuid()},
                   {"status", status_name(agent.status)},
                   {"public_key", to_base64(view_of(agent.public_key.bytes))},
                   {"key_id", agent.key_id()}};
  for (const json::Member& member : sent_members(agent)) out.set(member.key, member.value);
  if (!agent.status_reason.empty()) out.set("reason", agent.status_reason);
  out.set("created_at", format_time(agent.created_at));
  out.set("updated_at", format_time(agent.updated_at));
  return out;
}

store::RecordChange to_change(const Agent& agent) {
  return stored::change_of({.kind = store::RecordKind::kAgent,
                            .tenant = agent.tenant,
                            .id = agent.id.value,
                            .unique_key = agent.id.uuid(),
                            .name = agent.display_name,
                            .status = std::string(status_name(agent.status)),
                            .version = agent.version,
                            .body = {}},
                           render(agent));
}

Result<Agent> agent_from(const store::Record& record) {
  ASSIGN_OR_RETURN(const json::Value body, stored::body_of(record, store::RecordKind::kAgent));
  stored::Members members(body, record);
  Agent agent;
  agent.id = {record.id};
  agent.tenant = record.tenant;
  agent.version = record.version;
  const auto status = std::find(kStatusNames.begin(), kStatusNames.end(), record.status);
  if (status == kStatusNames.end()) members.spoil("status");
  agent.status = static_cast<AgentStatus>(std::distance(kStatusNames.begin(), status));
  agent.status_reason = members.text("reason");
  agent.agent_type = members.text("agent_type");
  agent.display_name = members.text("display_name");
  agent.description = members.text("description");
  agent.scopes = members.texts("scopes");
  if (const json::Value* metadata = body.find("metadata")) agent.metadata = *metadata;
  agent.expires_at = members.time("expires_at");
  const auto public_key = public_key_from(members.text("public_key"));
  if (!public_key) members.spoil("public_key");
  agent.model = members.text("model");
  agent.instructions = members.text("instructions");
  agent.tools = members.texts("tools");
  agent.created_at = members.time("created_at").value_or(Time{});
  agent.updated_at = members.time("updated_at").value_or(Time{});
  RETURN_IF_ERROR(members.verdict());
  agent.public_key = *public_key;
  return agent;
}

}  // namespace avow::auth
