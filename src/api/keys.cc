// SPDX-License-Identifier: Apache-2.0
// Tenants and API keys (CONTRACT.md section 5).
#include "api/agent_directory.h"
#include "api/change_statements.h"
#include "api/record_list.h"
#include "api/route.h"
#include "auth/tenant.h"
#include "json/pointer.h"

namespace avow::api {
namespace {

constexpr Access kKeys{Access::Kind::kScope, auth::Scope::kApiKeysWrite, true};

std::function<void()> apply_terms(Services& services, const auth::Tenant& tenant) {
  return [&services, tenant] { services.tenant_terms->apply(tenant, services.engine); };
}

Reply create_tenant(Call& call) {
  const auto tenant = auth::make_tenant(call.body, call.now, call.services.rng);
  if (!tenant.value) return problem_of(tenant.faults);
  const net::Response response = json_response(201, auth::render(*tenant.value));
  const AdminChange made{.tenant = tenant.value->id,
                         .id = tenant.value->id.value,
                         .subject = "tenant",
                         .change = "created",
                         .record = auth::render(*tenant.value)};
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(*tenant.value)},
                             .tasks = {},
                             .answer = call.kept(response),
                             .statements = {admin_changed(call, made)}},
                            response, apply_terms(call.services, *tenant.value));
}

/// Name, share of slots and limits, from the moment at which the change is durable.
Reply patch_tenant(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  const auto record = call.services.store.get_record(store::RecordKind::kTenant, *id);
  if (!record && record.error().code != Code::kNotFound) return problem_of(record.error());
  if (!record) return problem(404, fmt::format("no tenant {}", id->uuid()));
  const auto before = auth::tenant_from(*record);
  if (!before) return problem_of(before.error());
  const auto tenant = auth::patch_tenant(*before, call.body);
  if (!tenant.value) return problem_of(tenant.faults);
  const net::Response response = json_response(200, auth::render(*tenant.value));
  const AdminChange made{.tenant = tenant.value->id,
                         .id = tenant.value->id.value,
                         .subject = "tenant",
                         .change = "updated",
                         .record = auth::render(*tenant.value)};
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(*tenant.value)},
                             .tasks = {},
                             .answer = {},
                             .statements = {admin_changed(call, made)}},
                            response, apply_terms(call.services, *tenant.value));
}

/// A platform key works on the keys of the tenant that it names. Nothing if that one is there.
std::optional<Problem> refuse_tenant(const Call& call) {
  if (!call.caller.is_platform) return {};
  if (call.caller.tenant.is_zero()) {
    return problem(400, "with a platform key the header X-Tenant-ID must name a tenant");
  }
  const auto tenant =
      call.services.store.get_record(store::RecordKind::kTenant, call.caller.tenant.value);
  if (tenant) return {};
  if (tenant.error().code != Code::kNotFound) return problem_of(tenant.error());
  return problem(404, fmt::format("no tenant {}", call.caller.tenant.uuid()));
}

/// The agents of the request that the tenant does not have.
Result<std::vector<auth::Fault>> unknown_agents(const Call& call, const auth::ApiKey& key) {
  std::vector<auth::Fault> faults;
  if (!key.agent_ids || call.body.find("agent_ids") == nullptr) return faults;
  const json::Array& given = call.body.find("agent_ids")->as_array();
  for (std::size_t i = 0; i < given.size(); ++i) {
    ASSIGN_OR_RETURN(const Id id, parse_id(given[i].as_string()));
    const auto agent = call.services.agents.get(key.tenant, AgentId{id});
    if (agent) continue;
    if (agent.error().code != Code::kNotFound) return agent.error();
    faults.push_back({auth::FaultKind::kInvalid, json::join("/agent_ids", i), "NOT_FOUND",
                      agent.error().message});
  }
  return faults;
}

store::QueuedStatement key_changed(const Call& call, const auth::ApiKey& key,
                                   std::string_view change) {
  return admin_changed(call, {.tenant = key.tenant,
                              .id = key.id.value,
                              .subject = "api_key",
                              .change = change,
                              .record = auth::render(key)});
}

Reply create_key(Call& call) {
  if (auto refused = refuse_tenant(call)) return *refused;
  const auto issued = auth::make_api_key(call.body, call.caller, call.now, call.services.rng);
  if (!issued.value) return problem_of(issued.faults);
  const auth::ApiKey& key = issued.value->key;
  const auto unknown = unknown_agents(call, key);
  if (!unknown) return problem_of(unknown.error());
  if (!unknown->empty()) return problem_of(*unknown);
  json::Value shown = auth::render(key);
  json::Value repeated = shown;
  shown.set("api_key", issued.value->text.reveal());
  repeated.set("secret_withheld", true);
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(key)},
                             .tasks = {},
                             .answer = call.kept(json_response(201, repeated)),
                             .statements = {key_changed(call, key, "created")}},
                            json_response(201, shown));
}

Reply list_keys(Call& call) {
  if (auto refused = refuse_tenant(call)) return *refused;
  return list_records(call, store::RecordKind::kApiKey, {"active", "revoked"},
                      [](const store::Record& record) -> Result<json::Value> {
                        ASSIGN_OR_RETURN(const auth::ApiKey key, auth::api_key_from(record));
                        return auth::render(key);
                      });
}

Reply revoke_key(Call& call) {
  if (auto refused = refuse_tenant(call)) return *refused;
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  const auto record = call.services.store.get_record(store::RecordKind::kApiKey, *id);
  if (!record && record.error().code != Code::kNotFound) return problem_of(record.error());
  if (!record || record->tenant != call.caller.tenant) {
    return problem(404, fmt::format("no API key {}", id->uuid()));
  }
  const auto key = auth::api_key_from(*record);
  if (!key) return problem_of(key.error());
  if (key->revoked_at) return net::Response{.status = 204};
  const auth::ApiKey revoked = auth::revoked(*key, call.now);
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(revoked)},
                             .tasks = {},
                             .answer = {},
                             .statements = {key_changed(call, revoked, "revoked")}},
                            net::Response{.status = 204},
                            [&authenticator = call.services.authenticator, key_id = key->id] {
                              authenticator.forget(key_id);
                            });
}

}  // namespace

std::vector<Route> key_routes() {
  return {
      {"POST", "/v1/tenants", kPlatform, create_tenant, "createTenant"},
      {"PATCH", "/v1/tenants/{id}", kPlatform, patch_tenant, "patchTenant"},
      {"POST", "/v1/api-keys", kKeys, create_key, "createApiKey"},
      {"GET", "/v1/api-keys", kKeys, list_keys, "listApiKeys"},
      {"DELETE", "/v1/api-keys/{id}", kKeys, revoke_key, "revokeApiKey"},
  };
}

}  // namespace avow::api
