// SPDX-License-Identifier: Apache-2.0
#include "auth/tenant.h"

#include "auth/fields.h"
#include "auth/stored.h"

namespace avow::auth {

Checked<Tenant> make_tenant(const json::Value& request, Time now, Rng& rng) {
  std::vector<Fault> faults;
  Fields fields(request, faults);
  if (fields.any("name") == nullptr && request.is_object()) {
    fields.fault(FaultKind::kMalformed, "/name", "MISSING", "is required");
  }
  auto name = fields.text("name", {.characters_min = 1, .characters_max = 256});
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  return Tenant{.id = {make_id(now, rng.bytes8())}, .name = std::move(*name), .created_at = now};
}

json::Value render(const Tenant& tenant) {
  return json::Object{{"tenant_id", tenant.id.uuid()},
                      {"name", tenant.name},
                      {"created_at", format_time(tenant.created_at)}};
}

store::RecordChange to_change(const Tenant& tenant) {
  return stored::change_of({.kind = store::RecordKind::kTenant,
                            .tenant = {},
                            .id = tenant.id.value,
                            .unique_key = tenant.id.uuid(),
                            .name = tenant.name,
                            .status = "active",
                            .version = tenant.version,
                            .body = {}},
                           render(tenant));
}

Result<Tenant> tenant_from(const store::Record& record) {
  ASSIGN_OR_RETURN(const json::Value body, stored::body_of(record, store::RecordKind::kTenant));
  stored::Members members(body, record);
  Tenant tenant{.id = {record.id},
                .name = record.name,
                .created_at = members.time("created_at").value_or(Time{}),
                .version = record.version};
  RETURN_IF_ERROR(members.verdict());
  return tenant;
}

}  // namespace avow::auth
