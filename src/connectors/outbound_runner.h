// SPDX-License-Identifier: Apache-2.0
// connectors/outbound_runner.h: the engine's EffectRunner on HTTP: models, tools and webhooks.
// It adds to the recorded request only what belongs to the call itself: Idempotency-Key,
// traceparent, the secrets' values and a webhook's signature. Nothing leaves it that holds a secret
// it used.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <stop_token>

#include "base/executor.h"
#include "base/mutex.h"
#include "connectors/outcome.h"
#include "connectors/request.h"
#include "engine/effect_runner.h"

namespace avow::connectors {

/// Codes of CallError beside transport_error() and status_error(): MODEL_RESPONSE_INVALID,
/// TOOL_OUTPUT_INVALID, UNKNOWN_MODEL and SECRET_UNAVAILABLE (gone or moved since the request was
/// recorded), INVALID_REQUEST (not a recorded request).
class OutboundRunner : public engine::EffectRunner {
 public:
  /// `client`, `executor` and `clock` must outlive the runner and work until stop() has returned;
  /// answers are read on `executor`. Errors: kInvalidArgument  the configuration, by member
  static Result<std::unique_ptr<OutboundRunner>> create(Config config, net::HttpClient& client,
                                                        Executor& executor, Clock& clock);
  /// CHECKs that stop() was called.
  ~OutboundRunner() override;
  OutboundRunner(const OutboundRunner&) = delete;
  OutboundRunner& operator=(const OutboundRunner&) = delete;

  [[nodiscard]] Result<json::Value> render(TenantId tenant,
                                           const engine::CallSpec& spec) const override;
  [[nodiscard]] engine::WorstCase worst_case(const json::Value& request) const override;
  void start(engine::Call call, std::function<void(engine::CallOutcome)> done) override;
  void cancel(const engine::CallId& id) override;
  /// Cancels every call and returns when all have said so. Later calls end with CANCELLED. Once.
  void stop();

  /// For workflow::Catalog.
  [[nodiscard]] bool has_model(std::string_view name) const;
  [[nodiscard]] bool has_secret(TenantId tenant, std::string_view name) const;
  /// For normalise_tool().
  [[nodiscard]] const SecretStore& secrets() const { return secrets_; }

 private:
  struct Flight;
  OutboundRunner(Config config, SecretStore secrets, net::HttpClient& client, Executor& executor,
                 Clock& clock);
  [[nodiscard]] const ModelConfig* find_model(std::string_view name) const;
  std::shared_ptr<Flight> take_off(engine::Call call,
                                   std::function<void(engine::CallOutcome)> done);
  void land(const std::shared_ptr<Flight>& flight, engine::CallOutcome outcome);
  void land_later(const std::shared_ptr<Flight>& flight, engine::CallOutcome outcome);
  void echo(const std::shared_ptr<Flight>& flight);
  void send(const std::shared_ptr<Flight>& flight);
  [[nodiscard]] engine::CallOutcome read(const engine::Call& call, const Redactor& redactor,
                                         const Result<net::ClientResponse>& response) const;

  const Config config_;
  const SecretStore secrets_;
  net::HttpClient& client_;
  Executor& executor_;
  Clock& clock_;

  std::mutex mutex_;
  std::condition_variable landed_;
  // Guarded by mutex_. Two attempts of one call can overlap for a moment after a cancel.
  std::multimap<engine::CallId, std::shared_ptr<Flight>> flights_;
  bool is_stopped_ = false;
};

}  // namespace avow::connectors
