// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <algorithm>
#include <thread>

#include "api/agent_directory.h"
#include "api/child_runs.h"
#include "api/idempotency.h"
#include "api/metrics.h"
#include "api/route.h"
#include "api/workflow_cache.h"
#include "net/http_client.h"
#include "server/deployment_log.h"
#include "server/settings_record.h"
#include "store/sqlite/sqlite_store.h"

namespace avow::server {
namespace {

constexpr int kLanes = 64;
constexpr std::size_t kCallersMax = 65'536;  ///< Whose rate is remembered.
/// For answers that are being written when the engine has stopped.
constexpr Duration kAnswerGrace = std::chrono::seconds(1);

int pool_threads() {
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 2U, 4U));
}

Result<void> check_listen(const Endpoint& endpoint, const ServerOptions& options) {
  const bool is_tls = !options.config.http.tls_certificate_file.empty();
  if (endpoint.is_loopback() || is_tls || options.is_insecure_http_allowed) return {};
  return failure(Code::kInvalidArgument,
                 "{} is reachable from outside, and without TLS keys would be readable on the way: "
                 "set tls in avow.yaml, or give --insecure-http if a proxy in front has it",
                 endpoint.text());
}

/// The metrics' listener answers nothing else.
bool is_for_operators(const net::Request& request) {
  return request.path() == "/metrics" || request.path().starts_with("/health/");
}

net::AddressPolicy anywhere() {
  net::AddressPolicy policy;
  for (const char* block : {"0.0.0.0/0", "::/0"}) policy.allow.push_back(*net::Cidr::parse(block));
  return policy;
}

}  // namespace

/// In the order of their start. Each may use those above it.
struct Server::Parts {
  bool is_tls = false;
  SystemClock clock;
  SystemRng rng;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<tlog::Sequencer> sequencer;  ///< The store's hook, to its last commit.
  std::unique_ptr<net::ThreadPool> readers;    ///< May block for reading.
  std::unique_ptr<net::ThreadPool> lanes;
  std::unique_ptr<net::CurlClient> client;
  std::unique_ptr<net::CurlClient> witnesses;  ///< Whom the operator named: at any address.
  std::unique_ptr<Executor> log_strand;
  std::unique_ptr<tlog::Log> log;
  bool is_log_started = false;
  std::unique_ptr<Executor> answers;  ///< Where answers of outside calls are read.
  std::unique_ptr<connectors::OutboundRunner> runner;
  std::unique_ptr<auth::JwtVerifier> tokens;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::unique_ptr<auth::TokenBuckets> request_buckets;  ///< Null: requests are not limited.
  std::unique_ptr<api::AgentDirectory> agents;
  std::unique_ptr<api::WorkflowCache> workflows;
  std::shared_ptr<api::TenantTerms> tenant_terms = std::make_shared<api::TenantTerms>();
  api::ChildRuns children;
  api::IdempotencyGate idempotency;
  api::Metrics metrics;
  /// Before the engine: what the engine drops last may still answer somebody through them.
  std::unique_ptr<api::Services> services;
  std::unique_ptr<api::Services> metrics_services;  ///< The same, with /metrics open.
  std::unique_ptr<engine::Engine> engine;
  bool is_engine_started = false;
  std::unique_ptr<net::HttpServer> http;
  std::unique_ptr<net::HttpServer> metrics_http;

  Result<void> start(const ServerOptions& options);
  Result<void> start_log(const ServerOptions& options);
  Result<void> start_outbound(const Config& config);
  Result<void> start_engine(const Config& config);
  Result<void> listen(const ServerOptions& options);
  void stop(Duration grace);
};

Result<void> Server::Parts::start_log(const ServerOptions& options) {
  const Config& config = options.config;
  ASSIGN_OR_RETURN(sequencer, open_log(*store, options.data_directory, clock, rng,
                                       {.signing_threads = config.signing_threads}));
  if (!options.is_log_off) store->set_hook(*sequencer);
  const connectors::OutboundConfig& outbound = config.connectors.outbound;
  witnesses = std::make_unique<net::CurlClient>(
      net::ClientOptions{
          .policy = anywhere(), .proxy = outbound.proxy, .extra_ca_file = outbound.ca_file},
      clock);
  log_strand = readers->make_strand();
  ASSIGN_OR_RETURN(log, tlog::Log::open(*store, *sequencer, watermark_path(options.data_directory),
                                        *witnesses, *log_strand, clock, config.log_options));
  log->ask_witnesses_at_start();
  if (const auto why = sequencer->sealed()) {
    log::error("the log cannot be believed, so nothing is written: {}", *why);
  }
  return {};
}

Result<void> Server::Parts::start_outbound(const Config& config) {
  const connectors::OutboundConfig& outbound = config.connectors.outbound;
  client = std::make_unique<net::CurlClient>(
      net::ClientOptions{
          .policy = outbound.policy, .proxy = outbound.proxy, .extra_ca_file = outbound.ca_file},
      clock);
  answers = readers->make_strand();
  auto made = connectors::OutboundRunner::create(config.connectors, *client, *answers, clock);
  if (!made) return made.error().in("settings");
  runner = std::move(*made);
  auto verifier = auth::JwtVerifier::create(config.issuers, *client, *answers);
  if (!verifier) return verifier.error().in("settings: jwt.issuers");
  tokens = std::move(*verifier);
  tokens->refresh(clock.now());
  return {};
}

Result<void> Server::Parts::start_engine(const Config& config) {
  std::vector<engine::Engine::LaneExecutors> executors;
  for (int i = 0; i < kLanes; ++i) {
    executors.push_back({lanes->make_strand(), readers->make_strand()});
  }
  engine = std::make_unique<engine::Engine>(clock, rng, std::move(executors), *store, *runner,
                                            *agents, *workflows, children, config.engine);
  services = std::make_unique<api::Services>(
      api::Services{clock, rng, *store, *log, *engine, *authenticator, *runner, *agents, *workflows,
                    idempotency, metrics, *readers, config.api, request_buckets.get()});
  services->tenant_terms = tenant_terms;
  metrics_services = std::make_unique<api::Services>(*services);
  metrics_services->options.is_metrics_open = true;
  children.begin(*services);
  // Where nothing can be committed no run goes on; what callers ask of runs is refused by the
  // engine.
  if (sequencer->sealed()) return {};
  RETURN_IF_ERROR(tenant_terms->load(*store, *engine));
  is_engine_started = true;
  return engine->start();
}

Result<void> Server::Parts::listen(const ServerOptions& options) {
  net::ServerOptions settings = options.config.http;
  settings.address = options.listen.address;
  settings.port = options.listen.port;
  auto started = net::HttpServer::start(
      settings, clock,
      [this](const net::Request& request) { return api::serve(*services, request); },
      api::render_net_error);
  if (!started) return started.error();
  http = std::move(*started);

  if (!options.config.metrics_listen) return {};
  settings.address = options.config.metrics_listen->address;
  settings.port = options.config.metrics_listen->port;
  auto metrics_started = net::HttpServer::start(
      settings, clock,
      [this](const net::Request& request) -> net::Answer {
        if (is_for_operators(request)) return api::serve(*metrics_services, request);
        return api::render_net_error(404, "only /metrics and /health are here", &request);
      },
      api::render_net_error);
  if (!metrics_started) return metrics_started.error().in("metrics_listen");
  metrics_http = std::move(*metrics_started);
  return {};
}

Result<void> Server::Parts::start(const ServerOptions& options) {
  const Config& config = options.config;
  is_tls = !config.http.tls_certificate_file.empty();
  RETURN_IF_ERROR(check_listen(options.listen, options));
  if (config.metrics_listen) RETURN_IF_ERROR(check_listen(*config.metrics_listen, options));

  auto opened = store::SqliteStore::open(
      {.directory = options.data_directory, .queue_bytes_max = config.commit_queue_bytes});
  if (!opened) return opened.error();
  store = std::move(*opened);
  readers = std::make_unique<net::ThreadPool>("reader", pool_threads(), clock);
  lanes = std::make_unique<net::ThreadPool>("lane", pool_threads(), clock);
  RETURN_IF_ERROR(start_log(options));
  RETURN_IF_ERROR(start_outbound(config));
  if (!sequencer->sealed() && !options.is_log_off) {
    auto recorded = record_settings(*store, config, runner->secrets(), clock, rng);
    if (!recorded) return recorded.error().in("record the settings");
  }
  authenticator =
      std::make_unique<auth::Authenticator>(*store, tokens.get(), config.authentication);
  if (config.requests_per_caller) {
    request_buckets =
        std::make_unique<auth::TokenBuckets>(*config.requests_per_caller, kCallersMax);
  }
  agents = std::make_unique<api::AgentDirectory>(clock, *store);
  workflows = std::make_unique<api::WorkflowCache>(*store);
  log->start();
  is_log_started = true;
  RETURN_IF_ERROR(start_engine(config));
  return listen(options);
}

void Server::Parts::stop(Duration grace) {
  // The engine first, while HTTP still answers: a worker can bring the result of its task, who
  // waits for a run sees it end, and who wants to start one gets 503. Then nothing happens any more
  // that a waiting request could wait for.
  if (is_engine_started) {
    engine->stop(grace);
    log::info("stopped the engine");
  }
  if (http) http->stop(kAnswerGrace);
  if (metrics_http) metrics_http->stop(kAnswerGrace);
  if (is_log_started) log->stop();
  if (runner) runner->stop();
  if (client) client->stop();
  if (witnesses) witnesses->stop();
  if (lanes) lanes->stop();
  if (readers) readers->stop();
  if (store) store->stop();
  if (store) log::info("closed the store");
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Server::~Server() { CHECK(parts_ == nullptr); }

Result<std::unique_ptr<Server>> Server::start(const ServerOptions& options) {
  auto parts = std::make_unique<Parts>();
  if (auto started = parts->start(options); !started) {
    parts->stop(Duration::zero());
    return started.error();
  }
  return std::unique_ptr<Server>(new Server(std::move(parts)));
}

bool Server::is_tls() const { return parts_->is_tls; }

std::uint16_t Server::port() const { return parts_->http->port(); }

std::optional<std::uint16_t> Server::metrics_port() const {
  if (!parts_->metrics_http) return {};
  return parts_->metrics_http->port();
}

void Server::stop(Duration grace) {
  parts_->stop(grace);
  parts_.reset();
}

}  // namespace avow::server
