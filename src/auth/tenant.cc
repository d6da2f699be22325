// SPDX-License-Identifier: Apache-2.0
#include "auth/tenant.h"

#include <limits>

#include "auth/fields.h"
#include "auth/stored.h"
#include "json/merge_patch.h"
#include "json/pointer.h"

namespace avow::auth {
namespace {

constexpr std::int64_t kWeightMax = 100;
constexpr std::int64_t kStepsInFlightMax = 1'000'000;
constexpr std::int64_t kRequestsMax = std::numeric_limits<std::int32_t>::max();

/// A whole number from 1 to `max`; nothing where `value` is absent, or after its fault was noted.
std::optional<std::uint32_t> number(Fields& fields, const json::Value* value,
                                    const std::string& pointer, std::int64_t max) {
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_int() && value->as_int() >= 1 && value->as_int() <= max)
    return static_cast<std::uint32_t>(value->as_int());
  fields.fault(value->is_int() ? FaultKind::kInvalid : FaultKind::kMalformed, pointer,
               value->is_int() ? "OUT_OF_RANGE" : "WRONG_TYPE",
               fmt::format("must be a whole number from 1 to {}", max));
  return std::nullopt;
}

void read_limits(Fields& fields, const json::Value& limits, Tenant& tenant) {
  if (!limits.is_object()) {
    return fields.fault(FaultKind::kMalformed, "/limits", "WRONG_TYPE", "must be an object");
  }
  for (const auto& [name, value] : limits.as_object()) {
    if (name == "steps_in_flight") {
      tenant.steps_in_flight = number(fields, &value, "/limits/steps_in_flight", kStepsInFlightMax);
    } else if (name == "requests_per_minute") {
      tenant.requests_per_minute =
          number(fields, &value, "/limits/requests_per_minute", kRequestsMax);
    } else {
      fields.fault(FaultKind::kMalformed, json::join("/limits", name), "UNKNOWN_FIELD",
                   "unknown field; allowed: steps_in_flight, requests_per_minute");
    }
  }
}

/// What a request says of a tenant.
Checked<Tenant> read_members(Tenant tenant, const json::Value& request) {
  std::vector<Fault> faults;
  Fields fields(request, faults);
  if (fields.any("name") == nullptr && request.is_object()) {
    fields.fault(FaultKind::kMalformed, "/name", "MISSING", "is required");
  }
  tenant.name =
      fields.text("name", {.characters_min = 1, .characters_max = 256}).value_or(std::string());
  tenant.weight = number(fields, fields.any("weight"), "/weight", kWeightMax).value_or(1);
  tenant.steps_in_flight.reset();
  tenant.requests_per_minute.reset();
  if (const json::Value* const limits = fields.any("limits")) read_limits(fields, *limits, tenant);
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  return tenant;
}

json::Object limits_of(const Tenant& tenant) {
  json::Object out;
  if (tenant.steps_in_flight) out.set("steps_in_flight", std::uint64_t{*tenant.steps_in_flight});
  if (tenant.requests_per_minute)
    out.set("requests_per_minute", std::uint64_t{*tenant.requests_per_minute});
  return out;
}

}  // namespace

Checked<Tenant> make_tenant(const json::Value& request, Time now, Rng& rng) {
  Tenant tenant;
  tenant.id = {make_id(now, rng.bytes8())};
  tenant.created_at = now;
  return read_members(std::move(tenant), request);
}

Checked<Tenant> patch_tenant(const Tenant& tenant, const json::Value& patch) {
  std::vector<Fault> faults;
  const Fields whole(patch, faults);  // only to see that it is an object
  if (!faults.empty()) return faults;
  const json::Value sent = json::Object{{"name", tenant.name},
                                        {"weight", std::uint64_t{tenant.weight}},
                                        {"limits", limits_of(tenant)}};
  return read_members(tenant, json::merge_patch(sent, patch));
}

json::Value render(const Tenant& tenant) {
  return json::Object{{"tenant_id", tenant.id.uuid()},
                      {"name", tenant.name},
                      {"weight", std::uint64_t{tenant.weight}},
                      {"limits", limits_of(tenant)},
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
  // A record of an older program has neither.
  std::vector<Fault> faults;
  Fields fields(body, faults);
  tenant.weight = number(fields, fields.any("weight"), "/weight", kWeightMax).value_or(1);
  if (const json::Value* const limits = fields.any("limits")) read_limits(fields, *limits, tenant);
  if (!faults.empty()) members.spoil(faults.front().pointer);
  RETURN_IF_ERROR(members.verdict());
  return tenant;
}

}  // namespace avow::auth
