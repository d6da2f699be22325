// SPDX-License-Identifier: Apache-2.0
// api/tenant_catalog.h: what a tenant's definitions may refer to: its agents and tools, the
// configured models, the secrets it may name. Reads the store as asked and remembers for one
// request; one thread.
#pragma once
#include <map>

#include "api/services.h"
#include "workflow/definition.h"

namespace avow::api {

class TenantCatalog : public workflow::Catalog {
 public:
  TenantCatalog(Services& services, TenantId tenant) : services_(services), tenant_(tenant) {}

  [[nodiscard]] bool has_agent(AgentId id) const override;
  [[nodiscard]] bool agent_has_model(AgentId id) const override;
  [[nodiscard]] const json::Value* find_tool(std::string_view name) const override;
  [[nodiscard]] bool has_model(std::string_view name) const override;
  [[nodiscard]] bool has_secret(std::string_view name) const override;

  /// The first failure of the store while answering; a caller that finds one must not trust the
  /// answers.
  [[nodiscard]] const std::optional<Error>& failed() const { return failed_; }

 private:
  Services& services_;
  const TenantId tenant_;
  mutable std::optional<Error> failed_;
  mutable std::map<std::string, std::optional<json::Value>, std::less<>> tools_;
};

/// unique_key of a tool's record.
std::string tool_key(TenantId tenant, std::string_view name);
/// The definition that a tool's record holds. Errors: kCorruption
Result<json::Value> tool_from(const store::Record& record);

}  // namespace avow::api
