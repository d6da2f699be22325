// SPDX-License-Identifier: Apache-2.0
#include "api/tenant_terms.h"

namespace avow::api {

Result<void> TenantTerms::load(store::Store& store, engine::Engine& engine) {
  store::RecordQuery query;
  query.kind = store::RecordKind::kTenant;
  query.limit = 200;
  while (true) {
    ASSIGN_OR_RETURN(const auto records, store.list_records(query));
    for (const store::Record& record : records) {
      ASSIGN_OR_RETURN(const auth::Tenant tenant, auth::tenant_from(record));
      const bool is_as_all =
          tenant.weight == 1 && !tenant.steps_in_flight && !tenant.requests_per_minute;
      if (!is_as_all) apply(tenant, engine);
    }
    if (records.size() < query.limit) return {};
    query.before = records.back().id;
  }
}

void TenantTerms::apply(const auth::Tenant& tenant, engine::Engine& engine) {
  engine.set_terms(tenant.id, {.weight = tenant.weight, .steps_in_flight = tenant.steps_in_flight});
  const MutexLock lock(mutex_);
  requests_.erase(tenant.id);
  if (!tenant.requests_per_minute) return;
  const auth::RateLimit limit{*tenant.requests_per_minute, std::chrono::minutes(1)};
  requests_.emplace(tenant.id, std::make_shared<auth::TokenBuckets>(limit, std::size_t{1}));
}

std::optional<auth::RateState> TenantTerms::take(TenantId tenant, Time now) {
  std::shared_ptr<auth::TokenBuckets> bucket;
  {
    const MutexLock lock(mutex_);
    const auto at = requests_.find(tenant);
    if (at == requests_.end()) return std::nullopt;
    bucket = at->second;
  }
  return bucket->take({}, now);
}

}  // namespace avow::api
