// SPDX-License-Identifier: Apache-2.0
// auth/tenant.h: tenants, whose objects never see each other. Pure functions; safe from any thread.
#pragma once
#include <string>

#include "auth/fault.h"
#include "base/id.h"
#include "base/rng.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::auth {

struct Tenant {
  TenantId id;
  std::string name;  ///< For people; need not be unique.
  Time created_at;
  std::uint64_t version = 0;  ///< Of the store's record.
};

/// Reads POST /v1/tenants: `name`, 1 to 256 characters. `request` is untrusted.
Checked<Tenant> make_tenant(const json::Value& request, Time now, Rng& rng);

/// `tenant_id`, `name`, `created_at`.
json::Value render(const Tenant& tenant);

store::RecordChange to_change(const Tenant& tenant);
/// Errors: kCorruption
Result<Tenant> tenant_from(const store::Record& record);

}  // namespace avow::auth
