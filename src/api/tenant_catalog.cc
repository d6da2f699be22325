// SPDX-License-Identifier: Apache-2.0
#include "api/tenant_catalog.h"

#include "api/agent_directory.h"
#include "json/parse.h"

namespace avow::api {

std::string tool_key(TenantId tenant, std::string_view name) {
  return fmt::format("{}/{}", tenant.uuid(), name);
}

Result<json::Value> tool_from(const store::Record& record) {
  auto body = json::parse(record.body);
  if (!body || body->find("http") == nullptr) {
    return failure(Code::kCorruption, "record {} holds no tool", record.id.uuid());
  }
  return body;
}

bool TenantCatalog::has_agent(AgentId id) const {
  const auto agent = services_.agents.get(tenant_, id);
  if (!agent && agent.error().code != Code::kNotFound && !failed_) failed_ = agent.error();
  return agent.has_value();
}

bool TenantCatalog::agent_has_model(AgentId id) const {
  if (!has_agent(id)) return false;
  const auto agent = services_.agents.get(tenant_, id);
  return agent && !(*agent)->model.empty();
}

const json::Value* TenantCatalog::find_tool(std::string_view name) const {
  auto known = tools_.find(name);
  if (known == tools_.end()) {
    const auto record =
        services_.store.find_record(store::RecordKind::kTool, tool_key(tenant_, name));
    auto tool = record ? tool_from(*record) : Result<json::Value>(record.error());
    if (!tool && tool.error().code != Code::kNotFound && !failed_) failed_ = tool.error();
    known = tools_.emplace(name, tool ? std::optional(std::move(*tool)) : std::nullopt).first;
  }
  return known->second ? &*known->second : nullptr;
}

bool TenantCatalog::has_model(std::string_view name) const {
  return services_.runner.has_model(name);
}

bool TenantCatalog::has_secret(std::string_view name) const {
  return services_.runner.has_secret(tenant_, name);
}

}  // namespace avow::api
