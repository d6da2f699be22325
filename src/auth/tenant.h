// SPDX-License-Identifier: Apache-2.0
// auth/tenant.h: tenants, whose objects never see each other. Pure functions; safe from any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "auth/fault.h"
#include "base/id.h"
#include "base/rng.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::auth {

struct Tenant {
  TenantId id;
  std::string name;          ///< For people; need not be unique.
  std::uint32_t weight = 1;  ///< Its share of slots while others want some too: 1 to 100.
  // Absent: what the settings say of every tenant; no limit of requests.
  std::optional<std::uint32_t> steps_in_flight = {};
  std::optional<std::uint32_t> requests_per_minute = {};
  Time created_at = {};
  std::uint64_t version = 0;  ///< Of the store's record.
};

/// Reads POST /v1/tenants: `name`, 1 to 256 characters; `weight`; `limits` {`steps_in_flight`,
/// `requests_per_minute`}. `request` is untrusted.
Checked<Tenant> make_tenant(const json::Value& request, Time now, Rng& rng);
/// Reads PATCH /v1/tenants/{id}: the same members, as a merge patch (RFC 7396). Untrusted.
Checked<Tenant> patch_tenant(const Tenant& tenant, const json::Value& patch);

/// `tenant_id`, `name`, `weight`, `limits` (those that are set), `created_at`.
json::Value render(const Tenant& tenant);

store::RecordChange to_change(const Tenant& tenant);
/// Errors: kCorruption
Result<Tenant> tenant_from(const store::Record& record);

}  // namespace avow::auth
