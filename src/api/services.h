// SPDX-License-Identifier: Apache-2.0
// api/services.h: what the routes work with. `server` makes one and keeps all of it alive.
#pragma once
#include <atomic>
#include <memory>

#include "api/receipt_verifier.h"
#include "api/tenant_terms.h"
#include "auth/authenticator.h"
#include "base/rng.h"
#include "base/time.h"
#include "connectors/outbound_runner.h"
#include "engine/engine.h"
#include "net/thread_pool.h"
#include "store/store.h"
#include "tlog/log.h"

namespace avow::api {

class AgentDirectory;
class WorkflowCache;
class IdempotencyGate;
class Metrics;

struct ApiOptions {
  std::optional<auth::RateLimit> requests_per_key;  ///< Absent: no limit.
  bool is_metrics_open = false;                     ///< On a listener of its own.
  std::vector<net::Cidr> trusted_proxies;           ///< Whose X-Forwarded-For counts.
};

/// It outlives the engine: what the engine drops when it goes answers for the last time.
struct Services {
  Clock& clock;
  Rng& rng;
  store::Store& store;
  tlog::Log& log;
  engine::Engine& engine;
  auth::Authenticator& authenticator;
  connectors::OutboundRunner& runner;  ///< For the models and secrets that are configured.
  AgentDirectory& agents;
  WorkflowCache& workflows;
  IdempotencyGate& idempotency;
  Metrics& metrics;
  /// For work that may read the store, after a Later was answered elsewhere.
  net::ThreadPool& pool;
  ApiOptions options;
  /// Of options.requests_per_key, by caller; null: requests are not limited.
  auth::TokenBuckets* request_buckets = nullptr;
  // Shared by all copies.
  std::shared_ptr<ReceiptVerifier> receipt_verifier = std::make_shared<ReceiptVerifier>();
  std::shared_ptr<TenantTerms> tenant_terms = std::make_shared<TenantTerms>();
  std::shared_ptr<std::atomic<int>> bundles_under_way = std::make_shared<std::atomic<int>>(0);
};

}  // namespace avow::api
