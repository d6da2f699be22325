// SPDX-License-Identifier: Apache-2.0
#include "connectors/outbound_runner.h"

#include <algorithm>

#include "base/bytes.h"
#include "connectors/model_call.h"
#include "connectors/model_stream.h"
#include "connectors/tools.h"
#include "connectors/webhook.h"

namespace avow::connectors {
namespace {

engine::CallError call_error(std::string_view code, std::string message) {
  engine::CallError error;
  error.code = code;
  error.message = std::move(message);
  return error;
}

engine::CallError fill_error(const Error& error) {
  const bool is_about_secret =
      error.code == Code::kNotFound || error.code == Code::kPermissionDenied;
  return call_error(is_about_secret ? "SECRET_UNAVAILABLE" : "INVALID_REQUEST", error.message);
}

bool is_success(int status) { return status >= 200 && status < 300; }

/// `expect_status` of a recorded webhook: a status, a list of them, or an empty list for any 2xx.
bool is_expected(const json::Value* expected, int status) {
  if (expected == nullptr || expected->is_null()) return is_success(status);
  if (!expected->is_array()) return *expected == json::Value(status);
  const json::Array& list = expected->as_array();
  if (list.empty()) return is_success(status);
  return std::find(list.begin(), list.end(), json::Value(status)) != list.end();
}

engine::CallResult webhook_result(const net::ClientResponse& response, const Redactor& redactor) {
  engine::CallResult result;
  result.value =
      json::Object{{"status", response.status}, {"body", readable_body(response, redactor)}};
  return result;
}

/// A redirect repeats the request elsewhere, so only what reads, and only where no secret stands in
/// a body that would go along. Secret headers the client drops.
bool may_follow(const json::Value& request) {
  return request.string_or("kind") == engine::call_kind_name(engine::CallKind::kTool) &&
         request.string_or("method") == "GET" && request.find("body") == nullptr;
}

/// The echo's answer as a model would stream it: word by word.
void say_words(const engine::Call& call, const engine::CallOutcome& outcome) {
  const auto* const result = std::get_if<engine::CallResult>(&outcome);
  if (!call.on_text || result == nullptr) return;
  const std::string text = result->value.string_or("text");
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size() - 1) + 1;
    call.on_text(std::string_view(text).substr(at, end - at));
    at = end;
  }
}

bool is_streamed(const json::Value& request) {
  const json::Value* const body = request.find("body");
  const json::Value* const asked = body == nullptr ? nullptr : body->find("stream");
  return request.string_or("kind") == engine::call_kind_name(engine::CallKind::kModel) &&
         asked != nullptr && *asked == json::Value(true);
}

Provider provider_of(const json::Value& request) {
  const bool is_anthropic = request.string_or("provider") == provider_name(Provider::kAnthropic);
  return is_anthropic ? Provider::kAnthropic : Provider::kOpenAi;
}

/// What a streamed answer says, on its way to who looks on.
struct Speech {
  Speech(Provider provider, const Redactor& redactor) : stream(provider), filter(redactor) {}
  ModelStream stream;
  SpokenTextFilter filter;
};

}  // namespace

/// One call under way.
struct OutboundRunner::Flight {
  engine::Call call;
  std::function<void(engine::CallOutcome)> done;
  std::stop_source stop;
};

Result<std::unique_ptr<OutboundRunner>> OutboundRunner::create(Config config,
                                                               net::HttpClient& client,
                                                               Executor& executor, Clock& clock) {
  ASSIGN_OR_RETURN(Config complete, complete_config(std::move(config)));
  ASSIGN_OR_RETURN(SecretStore secrets, SecretStore::load(complete));
  return std::unique_ptr<OutboundRunner>(
      new OutboundRunner(std::move(complete), std::move(secrets), client, executor, clock));
}

OutboundRunner::OutboundRunner(Config config, SecretStore secrets, net::HttpClient& client,
                               Executor& executor, Clock& clock)
    : config_(std::move(config)),
      secrets_(std::move(secrets)),
      client_(client),
      executor_(executor),
      clock_(clock) {}

OutboundRunner::~OutboundRunner() { CHECK(is_stopped_ && flights_.empty()); }

const ModelConfig* OutboundRunner::find_model(std::string_view name) const {
  const auto it = config_.models.find(std::string(name));
  return it == config_.models.end() ? nullptr : &it->second;
}

bool OutboundRunner::has_model(std::string_view name) const { return find_model(name) != nullptr; }

bool OutboundRunner::has_secret(TenantId tenant, std::string_view name) const {
  return secrets_.has(tenant, name);
}

engine::WorstCase OutboundRunner::worst_case(const json::Value& request) const {
  const ModelConfig* const model = find_model(request.string_or("model"));
  return model == nullptr ? engine::WorstCase() : connectors::worst_case(request, *model);
}

Result<json::Value> OutboundRunner::render(TenantId tenant, const engine::CallSpec& spec) const {
  switch (spec.kind) {
    case engine::CallKind::kTool:
      return render_tool(tenant, spec, secrets_);
    case engine::CallKind::kWebhook:
      return render_webhook(tenant, spec, secrets_);
    case engine::CallKind::kRun:
      return failure(Code::kInvalidArgument, "a child run is no outside call");
    case engine::CallKind::kModel:
      break;
  }
  const std::string name = spec.value.string_or("model");
  const ModelConfig* const model = find_model(name);
  if (model == nullptr)
    return failure(Code::kNotFound, "no model \"{}\" is configured", shown(name));
  return render_model(tenant, spec, name, *model, secrets_);
}

void OutboundRunner::start(engine::Call call, std::function<void(engine::CallOutcome)> done) {
  const auto flight = take_off(std::move(call), std::move(done));
  const json::Value& request = flight->call.request;
  if (request.string_or("kind") != engine::call_kind_name(flight->call.kind)) {
    return land_later(flight,
                      call_error("INVALID_REQUEST", "the recorded request is of another kind"));
  }
  if (flight->call.kind == engine::CallKind::kModel &&
      request.string_or("provider") == provider_name(Provider::kEcho)) {
    return echo(flight);
  }
  send(flight);
}

std::shared_ptr<OutboundRunner::Flight> OutboundRunner::take_off(
    engine::Call call, std::function<void(engine::CallOutcome)> done) {
  auto flight = std::make_shared<Flight>(Flight{std::move(call), std::move(done), {}});
  bool is_too_late = false;
  {
    const std::lock_guard lock(mutex_);
    flights_.emplace(flight->call.id, flight);
    is_too_late = is_stopped_;
  }
  if (is_too_late) flight->stop.request_stop();
  return flight;
}

void OutboundRunner::land(const std::shared_ptr<Flight>& flight, engine::CallOutcome outcome) {
  flight->done(std::move(outcome));
  const std::lock_guard lock(mutex_);
  const auto [begin, end] = flights_.equal_range(flight->call.id);
  const auto it = std::find_if(begin, end, [&](const auto& one) { return one.second == flight; });
  CHECK(it != end);
  flights_.erase(it);
  landed_.notify_all();
}

/// From start(): `done` must not run inside it, the caller may hold a lock.
void OutboundRunner::land_later(const std::shared_ptr<Flight>& flight,
                                engine::CallOutcome outcome) {
  executor_.post(
      [this, flight, outcome = std::move(outcome)]() mutable { land(flight, std::move(outcome)); });
}

void OutboundRunner::echo(const std::shared_ptr<Flight>& flight) {
  executor_.post([this, flight] {
    const ModelConfig* const model = find_model(flight->call.request.string_or("model"));
    if (flight->stop.stop_requested()) return land(flight, call_error("CANCELLED", "cancelled"));
    if (model == nullptr)
      return land(flight, call_error("UNKNOWN_MODEL", "the model is no longer configured"));
    auto outcome = run_echo(flight->call.request, *model);
    say_words(flight->call, outcome);
    land(flight, std::move(outcome));
  });
}

void OutboundRunner::send(const std::shared_ptr<Flight>& flight) {
  const engine::Call& call = flight->call;
  auto filled = fill(call.request, call.tenant, secrets_);
  if (!filled) return land_later(flight, fill_error(filled.error()));

  filled->http.headers.set("Idempotency-Key", call.id.key());
  if (!call.traceparent.empty()) filled->http.headers.set("traceparent", call.traceparent);
  sign_webhook(*filled, call.id.key(), clock_.now());
  filled->http.response_bytes_max = config_.outbound.response_bytes_max;
  filled->http.follow_redirects = may_follow(call.request);

  Time deadline = call.deadline;
  if (const ModelConfig* const model = find_model(call.request.string_or("model"));
      model && model->timeout) {
    deadline = std::min(deadline, clock_.now() + *model->timeout);
  }
  auto redactor = std::make_shared<const Redactor>(std::move(filled->redactor));
  const auto speech = std::make_shared<Speech>(provider_of(call.request), *redactor);
  const auto say = [flight](const std::string& text) {
    if (!text.empty()) flight->call.on_text(text);
  };
  const bool is_heard = call.on_text && is_streamed(call.request);
  if (is_heard) {
    filled->http.on_piece = [speech, redactor, say](std::string_view piece) {
      say(speech->filter.take(speech->stream.take(piece)));
    };
  }
  client_.send(
      std::move(filled->http), deadline, flight->stop.get_token(), executor_,
      [this, flight, redactor, speech, say, is_heard](Result<net::ClientResponse> response) {
        if (is_heard) say(speech->filter.finish());
        land(flight, redacted(read(flight->call, *redactor, response), *redactor));
      });
}

engine::CallOutcome OutboundRunner::read(const engine::Call& call, const Redactor& redactor,
                                         const Result<net::ClientResponse>& response) const {
  if (!response) return transport_error(response.error());
  const bool is_webhook = call.kind == engine::CallKind::kWebhook;
  const bool is_good = is_webhook
                           ? is_expected(call.request.find("expect_status"), response->status)
                           : is_success(response->status);
  if (!is_good) return status_error(*response, redactor, clock_.now());
  if (is_webhook) return webhook_result(*response, redactor);
  if (call.kind == engine::CallKind::kTool) return read_tool(call.request, *response, redactor);
  const ModelConfig* const model = find_model(call.request.string_or("model"));
  // The answer was paid for; without the configuration its price is not known any more.
  return read_model(call.request, model == nullptr ? ModelConfig() : *model, *response, redactor);
}

void OutboundRunner::cancel(const engine::CallId& id) {
  std::vector<std::shared_ptr<Flight>> found;
  {
    const std::lock_guard lock(mutex_);
    const auto [begin, end] = flights_.equal_range(id);
    for (auto it = begin; it != end; ++it) found.push_back(it->second);
  }
  for (const auto& flight : found) flight->stop.request_stop();
}

void OutboundRunner::stop() {
  std::vector<std::shared_ptr<Flight>> found;
  {
    const std::lock_guard lock(mutex_);
    CHECK(!is_stopped_);
    is_stopped_ = true;
    for (const auto& [id, flight] : flights_) found.push_back(flight);
  }
  for (const auto& flight : found) flight->stop.request_stop();
  std::unique_lock lock(mutex_);
  landed_.wait(lock, [&] { return flights_.empty(); });
}

}  // namespace avow::connectors
