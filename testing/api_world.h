// SPDX-License-Identifier: Apache-2.0
// testing/api_world.h: everything behind the HTTP server, without sockets: requests go to
// api::serve() as values. The store is the memory store; engine, runner and log are the real ones.
// Every answer is held against the OpenAPI document. Use from one thread.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp

#include <atomic>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <string>

#include "api/agent_directory.h"
#include "api/child_runs.h"
#include "api/idempotency.h"
#include "api/metrics.h"
#include "api/openapi.h"
#include "api/router.h"
#include "api/workflow_cache.h"
#include "auth/tenant.h"
#include "json/parse.h"
#include "json/schema.h"
#include "json/write.h"
#include "net/http_client.h"
#include "net/percent.h"
#include "store/memory/memory_store.h"

namespace avow::testing {

/// The system's time and what a test adds to it.
class MovedClock : public Clock {
 public:
  Time now() override { return system_.now() + added_.load(); }
  void advance(Duration by) { added_ = added_.load() + by; }

 private:
  SystemClock system_;
  std::atomic<Duration> added_{Duration(0)};
};

/// Holds answers against the OpenAPI document: their status is listed and their body is valid.
class AnswerChecker {
 public:
  AnswerChecker() : document_(api::openapi_of(api::all_routes())) {}

  /// What is wrong with `response` as an answer of `route`; empty if nothing is.
  std::string check(const api::Route& route, const net::Response& response) {
    const json::Value* item = document_.find("paths")->find(api::documented_path(route.path));
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    const json::Value* described =
        item->find(method)->find("responses")->find(std::to_string(response.status));
    const std::string where = fmt::format("{} {} {}", route.method, route.path, response.status);
    if (described == nullptr) return where + " is not in the document";
    const json::Value* content = described->find("content");
    if (content == nullptr) return response.body.empty() ? "" : where + " must have no body";
    const std::string* type = response.headers.find("Content-Type");
    const std::string name = type == nullptr ? "" : type->substr(0, type->find(';'));
    const json::Value* media = content->find(name);
    if (media == nullptr) return where + " has an undocumented media type";
    if (name != "application/json") return {};
    const auto body =
        json::parse(response.body, {.depth_max = 256, .bytes_max = std::size_t{16} << 20});
    if (!body) return fmt::format("{}: {}", where, body.error().message);
    const auto faults = schema(media->find("schema")->string_or("$ref")).validate(*body);
    if (!faults) return fmt::format("{}: {}", where, faults.error().message);
    if (faults->empty()) return {};
    return fmt::format("{}: at \"{}\" ({}): {}\n{}", where, faults->front().pointer,
                       faults->front().keyword, faults->front().message, response.body);
  }

 private:
  const json::Schema& schema(const std::string& reference) {
    const auto known = schemas_.find(reference);
    if (known != schemas_.end()) return known->second;
    auto compiled = json::Schema::compile(
        json::Object{{"$ref", reference}, {"components", *document_.find("components")}},
        {.registered = nullptr, .fuel = 100'000'000});
    CHECK(compiled.has_value());
    return schemas_.emplace(reference, std::move(*compiled)).first->second;
  }

  const json::Value document_;
  std::map<std::string, json::Schema> schemas_;
};

/// Where the log's watermark is.
class WatermarkFolder {
 public:
  WatermarkFolder() { CHECK(mkdtemp(path_.data()) != nullptr); }
  ~WatermarkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WatermarkFolder(const WatermarkFolder&) = delete;
  WatermarkFolder& operator=(const WatermarkFolder&) = delete;
  [[nodiscard]] std::string file() const { return path_ + "/log.watermark"; }

 private:
  std::string path_ = (std::filesystem::temp_directory_path() / "avow-log-XXXXXX").string();
};

struct ApiWorldOptions {
  connectors::Config connectors = {};
  api::ApiOptions api = {};
  auth::AuthenticatorOptions authenticator = {};
};

class ApiWorld {
 public:
  /// A tenant, and a key for everything in it, that requests are sent with unless they say
  /// otherwise.
  explicit ApiWorld(ApiWorldOptions options = {})
      : pool("world", 4, clock),
        strand_(pool.make_strand()),
        store(*strand_),
        client_({}, clock),
        sequencer(made(tlog::Sequencer::open(store, log_keys(), clock, rng))),
        log_(opened_log()),
        runner_(made(connectors::OutboundRunner::create(std::move(options.connectors), client_,
                                                        *strand_for_runner_, clock))),
        authenticator(store, nullptr, options.authenticator),
        agents(clock, store),
        workflows(store),
        services{.clock = clock,
                 .rng = rng,
                 .store = store,
                 .log = *log_,
                 .engine = engine,
                 .authenticator = authenticator,
                 .runner = *runner_,
                 .agents = agents,
                 .workflows = workflows,
                 .idempotency = gate,
                 .metrics = metrics,
                 .pool = pool,
                 .options = options.api},
        engine(clock, rng, lanes(), store, *runner_, agents, workflows, children, {}) {
    children.begin(services);
    if (services.options.requests_per_key) {
      buckets_ = std::make_unique<auth::TokenBuckets>(*services.options.requests_per_key,
                                                      std::size_t{100});
      services.request_buckets = buckets_.get();
    }
    log_->start();
    EXPECT_TRUE(engine.start());
    tenant = make_tenant("first");
    key = make_key(tenant, {"*:*"});
  }

  ~ApiWorld() {
    engine.stop(Duration(0));
    runner_->stop();
    log_->stop();
    client_.stop();
    store.stop();
    pool.stop();
  }
  ApiWorld(const ApiWorld&) = delete;
  ApiWorld& operator=(const ApiWorld&) = delete;

  TenantId make_tenant(const std::string& name) {
    auto made = auth::make_tenant(json::Object{{"name", name}}, clock.now(), rng);
    commit({.run = {},
            .records = {auth::to_change(*made)},
            .tasks = {},
            .answer = {},
            .statements = {}});
    return made->id;
  }

  /// The text of a new key.
  std::string make_key(TenantId of, const std::vector<std::string>& scopes,
                       std::optional<std::vector<AgentId>> agent_ids = {},
                       std::optional<Time> expires_at = {}) {
    auto parsed = auth::ScopeSet::parse(scopes, "/scopes");
    EXPECT_TRUE(parsed);
    return issue({.tenant = of,
                  .scopes = *parsed,
                  .agent_ids = std::move(agent_ids),
                  .expires_at = expires_at});
  }
  std::string make_platform_key() { return issue({.is_platform = true}); }

  /// A request as the server hands it on, with the world's key. Text that begins with "{" or "[" is
  /// JSON.
  net::Request request(const std::string& method, const std::string& target,
                       const std::string& body = "") const {
    net::Request out;
    out.method = method;
    out.target = target;
    std::string_view path = out.path();
    if (path == "/") path = {};
    while (!path.empty()) {
      path.remove_prefix(1);
      const std::size_t end = std::min(path.find('/'), path.size());
      out.segments.push_back(*net::percent_decode(path.substr(0, end)));
      path.remove_prefix(end);
    }
    if (const std::size_t mark = target.find('?'); mark != std::string::npos) {
      out.query = *net::parse_query(std::string_view(target).substr(mark + 1));
    }
    out.peer_address = "192.0.2.1";
    out.headers.set("X-API-Key", key);
    if (!body.empty()) out.headers.set("Content-Type", "application/json");
    out.body = body;
    return out;
  }

  /// What `request` is answered, when it is; holds the answer against the document.
  net::Response send(const net::Request& request) {
    net::Response response = answer(request);
    const auto match = api::router().match(request.method, request.segments);
    if (match.route != nullptr) {
      EXPECT_EQ(checker_.check(*match.route, response), "");
    }
    EXPECT_NE(response.headers.find("X-Request-ID"), nullptr);
    return response;
  }
  net::Response send(const std::string& method, const std::string& target,
                     const std::string& body = "") {
    return send(request(method, target, body));
  }
  /// The answer of a request without a wait; for a Later that cannot be answered yet, the promise
  /// of it.
  std::future<net::Response> begin(const net::Request& request) {
    net::Answer answer = api::serve(services, request);
    return begin(std::move(answer));
  }

  /// The body of an answer.
  static json::Value body(const net::Response& response) {
    auto value = json::parse(response.body);
    EXPECT_TRUE(value) << response.body;
    return value ? *value : json::Value();
  }

  void commit(store::Commit commit) {
    std::promise<Result<void>> done;
    store.commit(std::move(commit), [&done](Result<void> result) { done.set_value(result); });
    const auto result = done.get_future().get();
    ASSERT_TRUE(result) << result.error().message;
  }

  // In the order of their making: each needs those before it.
  MovedClock clock;
  SystemRng rng;
  net::ThreadPool pool;

 private:
  std::unique_ptr<Executor> strand_;
  std::unique_ptr<Executor> strand_for_runner_ = pool.make_strand();

 public:
  store::MemoryStore store;

 private:
  net::CurlClient client_;
  WatermarkFolder folder_;

 public:
  std::unique_ptr<tlog::Sequencer> sequencer;

 private:
  std::unique_ptr<Executor> strand_for_log_ = pool.make_strand();
  std::unique_ptr<tlog::Log> log_;
  std::unique_ptr<connectors::OutboundRunner> runner_;
  std::unique_ptr<auth::TokenBuckets> buckets_;
  AnswerChecker checker_;

 public:
  auth::Authenticator authenticator;
  api::AgentDirectory agents;
  api::WorkflowCache workflows;
  api::ChildRuns children;
  api::IdempotencyGate gate;
  api::Metrics metrics;
  api::Services services;
  engine::Engine engine;
  TenantId tenant;
  std::string key;

 private:
  template <class T>
  static std::unique_ptr<T> made(Result<std::unique_ptr<T>> result) {
    CHECK(result.has_value());
    return std::move(*result);
  }

  tlog::LogKeys log_keys() {
    return {.origin = "log.example.com",
            .log = crypto::Ed25519PrivateKey::from_seed(rng.bytes32()),
            .old_log = {},
            .statements = crypto::P256PrivateKey::generate()};
  }

  std::unique_ptr<tlog::Log> opened_log() {
    store.set_hook(*sequencer);
    return made(
        tlog::Log::open(store, *sequencer, folder_.file(), client_, *strand_for_log_, clock, {}));
  }

  std::vector<engine::Engine::LaneExecutors> lanes() {
    std::vector<engine::Engine::LaneExecutors> out;
    for (int i = 0; i < 2; ++i) out.push_back({pool.make_strand(), pool.make_strand()});
    return out;
  }

  std::string issue(auth::KeyGrant grant) {
    const auto issued = auth::issue_key(std::move(grant), clock.now(), rng);
    commit({.run = {},
            .records = {auth::to_change(issued.key)},
            .tasks = {},
            .answer = {},
            .statements = {}});
    return issued.text.reveal();
  }

  static std::future<net::Response> begin(net::Answer answer) {
    auto promise = std::make_shared<std::promise<net::Response>>();
    if (auto* const response = std::get_if<net::Response>(&answer)) {
      promise->set_value(std::move(*response));
    } else if (auto* const later = std::get_if<net::Later>(&answer)) {
      later->start(net::Responder([promise](std::optional<net::Response> given) {
        promise->set_value(given ? std::move(*given) : net::Response{.status = 500});
      }));
    }
    return promise->get_future();
  }

  /// Waits for the answer as the server does: until the deadline, if there is one.
  net::Response answer(const net::Request& request) {
    net::Answer answer = api::serve(services, request);
    if (!std::holds_alternative<net::Later>(answer)) return begin(std::move(answer)).get();
    const auto later = std::get<net::Later>(answer);
    std::future<net::Response> given = begin(std::move(answer));
    const auto patience = later.deadline ? *later.deadline - clock.now() : Duration(60'000);
    if (given.wait_for(patience) == std::future_status::ready) return given.get();
    EXPECT_TRUE(later.deadline) << request.target << " is not answered";
    return later.at_deadline();
  }
};

}  // namespace avow::testing
