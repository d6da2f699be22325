// SPDX-License-Identifier: Apache-2.0
// api/tenant_terms.h: what single tenants may have, where it is not what all have: their share of
// slots and their rate of requests. In memory, read from the store at start. Any thread.
// LIMITATION: a change reaches one process. With several nodes on one database, each must be told.
#pragma once
#include <map>
#include <memory>
#include <optional>

#include "auth/rate_limit.h"
#include "auth/tenant.h"
#include "base/mutex.h"
#include "engine/engine.h"

namespace avow::api {

class TenantTerms {
 public:
  /// Applies the terms of every tenant in the store. Errors: those of Store::list_records
  Result<void> load(store::Store& store, engine::Engine& engine);
  /// From now on. Call it when the tenant's record is durable.
  void apply(const auth::Tenant& tenant, engine::Engine& engine);
  /// Takes one request out of the tenant's allowance; nothing if it has no limit.
  std::optional<auth::RateState> take(TenantId tenant, Time now);

 private:
  Mutex mutex_;
  std::map<TenantId, std::shared_ptr<auth::TokenBuckets>> requests_ GUARDED_BY(mutex_);
};

}  // namespace avow::api
