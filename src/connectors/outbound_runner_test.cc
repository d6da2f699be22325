// SPDX-License-Identifier: Apache-2.0
// The runner over real sockets on the loopback address: what servers see, and what becomes of what
// they answer.
#include "connectors/outbound_runner.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <future>
#include <latch>

#include "base/bytes.h"
#include "connectors/tools.h"
#include "connectors/webhook.h"
#include "json/parse.h"
#include "json/write.h"
#include "net/http_server.h"
#include "net/thread_pool.h"

namespace avow::connectors {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): the literals only

constexpr std::string_view kValue = "loopback-secret-1";
const TenantId kTenant{{1, 2}};
const RunId kRun{{0x0192f0c17a3b7c4d, 0x8e5f607182900000}};

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

/// A peer that keeps what it was sent and answers as it is told.
class Peer {
 public:
  Peer(Clock& clock, net::Handler answer) : answer_(std::move(answer)) {
    server_ = std::move(*net::HttpServer::start(
        {}, clock, [this](const net::Request& request) { return take(request); },
        [](int status, std::string_view, const net::Request*) { return net::Response{status}; }));
  }
  ~Peer() { server_->stop(0ms); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  [[nodiscard]] std::string url(std::string_view path = "/") const {
    return fmt::format("http://127.0.0.1:{}{}", server_->port(), path);
  }
  [[nodiscard]] std::vector<net::Request> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  net::Answer take(const net::Request& request) {
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    return answer_(request);
  }

  net::Handler answer_;
  std::mutex mutex_;
  std::vector<net::Request> requests_;
  std::unique_ptr<net::HttpServer> server_;
};

net::Response json_response(int status, std::string body) {
  return {status, {{"Content-Type", "application/json"}}, std::move(body)};
}

/// Answers 200 with `body`.
net::Handler always(std::string body) {
  return [body = std::move(body)](const net::Request&) { return json_response(200, body); };
}

/// Never answers; counts down `arrived` when a request is there.
net::Handler silence(std::latch& arrived) {
  return [&arrived](const net::Request&) {
    return net::Later{.start = [&arrived](net::Responder responder) {
      // Kept alive by itself: dropping it would be an answer.
      static std::mutex mutex;
      static std::vector<net::Responder> kept;
      const std::lock_guard lock(mutex);
      kept.push_back(std::move(responder));
      arrived.count_down();
    }};
  };
}

class OutboundRunnerTest : public testing::Test {
 protected:
  void TearDown() override {
    if (!is_stopped_) runner_->stop();
    client_->stop();
    pool_.stop();
  }

  static Config loopback_config() {
    setenv("AVOW_TEST_RUNNER", std::string(kValue).c_str(), 1);
    Config config;
    config.secrets["KEY"] = {.source = {.env = "AVOW_TEST_RUNNER"}, .hosts = {"127.0.0.1"}};
    config.outbound.policy.allow = {*net::Cidr::parse("127.0.0.0/8")};
    return config;
  }

  OutboundRunner& start_runner(const Config& config = loopback_config()) {
    net::ClientOptions options;
    options.policy = config.outbound.policy;
    client_ = std::make_unique<net::CurlClient>(options, clock_);
    auto runner = OutboundRunner::create(config, *client_, *strand_, clock_);
    EXPECT_TRUE(runner) << runner.error().message;
    runner_ = std::move(*runner);
    return *runner_;
  }

  /// The call of `spec`, rendered, with its deadline far away.
  engine::Call call_of(const engine::CallSpec& spec, std::string step = "step") {
    auto request = runner_->render(kTenant, spec);
    EXPECT_TRUE(request) << request.error().message;
    engine::Call call;
    call.id = {kRun, std::move(step), 1};
    call.kind = spec.kind;
    call.tenant = kTenant;
    call.request = request ? *request : json::Value();
    call.deadline = clock_.now() + 20s;
    call.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    return call;
  }

  std::future<engine::CallOutcome> start(engine::Call call) {
    auto promise = std::make_shared<std::promise<engine::CallOutcome>>();
    auto future = promise->get_future();
    // A second call of `done` would throw from set_value() and end the test program.
    runner_->start(std::move(call), [promise](engine::CallOutcome outcome) {
      promise->set_value(std::move(outcome));
    });
    return future;
  }

  engine::CallOutcome run(const engine::CallSpec& spec) { return start(call_of(spec)).get(); }

  engine::CallError failed(const engine::CallSpec& spec) {
    const auto outcome = run(spec);
    EXPECT_TRUE(std::holds_alternative<engine::CallError>(outcome));
    return std::holds_alternative<engine::CallError>(outcome) ? std::get<engine::CallError>(outcome)
                                                              : engine::CallError();
  }

  engine::CallResult succeeded(const engine::CallSpec& spec) {
    const auto outcome = run(spec);
    if (const auto* const error = std::get_if<engine::CallError>(&outcome)) {
      ADD_FAILURE() << error->code << ": " << error->message;
      return {};
    }
    return std::get<engine::CallResult>(outcome);
  }

  engine::CallSpec tool_spec(std::string_view method, std::string_view url,
                             std::string_view headers = "{}", std::string_view arguments = "{}") {
    const json::Value body =
        parsed(fmt::format(R"({{"name":"t","http":{{"method":"{}","url":"{}","headers":{}}}}})",
                           method, url, headers));
    auto tool = normalise_tool(kTenant, body, runner_->secrets());
    EXPECT_TRUE(std::holds_alternative<json::Value>(tool));
    return {engine::CallKind::kTool,
            json::Object{{"tool", std::get<json::Value>(tool)}, {"arguments", parsed(arguments)}},
            {}};
  }

  engine::CallSpec webhook_spec(const std::string& url, std::string_view rest = "") {
    return {engine::CallKind::kWebhook, parsed(fmt::format(R"({{"url":"{}"{}}})", url, rest)), {}};
  }

  SystemClock clock_;
  net::ThreadPool pool_{"runner-test", 2, clock_};
  std::unique_ptr<Executor> strand_ = pool_.make_strand();
  std::unique_ptr<net::CurlClient> client_;
  std::unique_ptr<OutboundRunner> runner_;
  bool is_stopped_ = false;
};

constexpr std::string_view kSecretHeader = R"({"Authorization":"${{ secrets.KEY }}"})";

TEST_F(OutboundRunnerTest, AToolSeesTheCallsKeyItsTraceAndItsSecret) {
  Peer peer(clock_, always(R"({"found":[1,2]})"));
  start_runner();
  const auto result =
      succeeded(tool_spec("POST", peer.url("/find"), kSecretHeader, R"({"q":"x"})"));
  EXPECT_EQ(json::write(result.value), R"({"found":[1,2]})");
  ASSERT_EQ(peer.requests().size(), 1U);
  const net::Request request = peer.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/find");
  EXPECT_EQ(request.body, R"({"q":"x"})");
  EXPECT_EQ(*request.headers.find("authorization"), kValue);
  EXPECT_EQ(*request.headers.find("idempotency-key"), kRun.ulid() + "/step");
  EXPECT_EQ(*request.headers.find("traceparent"),
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  EXPECT_EQ(*request.headers.find("content-type"), "application/json");
}

TEST_F(OutboundRunnerTest, AnAttemptFromTheStoredRecordIsTheSameByteByByte) {
  Peer peer(clock_, always("{}"));
  start_runner();
  engine::Call call =
      call_of(tool_spec("POST", peer.url(), kSecretHeader, R"({"z":[1.5,"\u00fc"],"a":null})"));
  start(call).get();
  call.request = parsed(json::write_canonical(call.request));  // as the store gives it back
  call.attempt = 2;
  start(call).get();
  const auto seen = peer.requests();
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].body, seen[1].body);
  EXPECT_EQ(*seen[0].headers.find("idempotency-key"), *seen[1].headers.find("idempotency-key"));
  EXPECT_EQ(*seen[0].headers.find("authorization"), *seen[1].headers.find("authorization"));
}

TEST_F(OutboundRunnerTest, AStatusBecomesACodeAClassAndTheTimeToWait) {
  std::atomic<int> status = 503;
  Peer peer(clock_, [&](const net::Request&) {
    net::Response response = json_response(status, R"({"message":"busy"})");
    response.headers.add("Retry-After", "7");
    return response;
  });
  start_runner();
  const engine::CallError unavailable = failed(tool_spec("GET", peer.url()));
  EXPECT_EQ(unavailable.code, "HTTP_503");
  EXPECT_EQ(unavailable.retry_class, "5xx");
  EXPECT_EQ(unavailable.retry_after, 7s);
  EXPECT_EQ(json::write(unavailable.detail), R"({"status":503,"body":{"message":"busy"}})");
  status = 429;
  EXPECT_EQ(failed(webhook_spec(peer.url())).retry_class, "429");
  status = 404;
  EXPECT_EQ(failed(webhook_spec(peer.url())).retry_class, "");
}

TEST_F(OutboundRunnerTest, AWebhookIsSignedAndItsStatusJudged) {
  Peer peer(clock_, [](const net::Request&) {
    return net::Response{418, {{"Content-Type", "text/plain"}}, "tea"};
  });
  start_runner();
  engine::CallSpec spec =
      webhook_spec(peer.url("/hook"),
                   R"(,"body":{"b":1,"a":2},"secret":"${{ secrets.KEY }}","expect_status":[418])");
  spec.secrets = {{"/secret", "KEY"}};
  const auto result = succeeded(spec);
  EXPECT_EQ(json::write(result.value), R"({"status":418,"body":"tea"})");
  const net::Request request = peer.requests()[0];
  const std::string id = kRun.ulid() + "/step";
  EXPECT_EQ(*request.headers.find("webhook-id"), id);
  const auto timestamp = std::stoll(*request.headers.find("webhook-timestamp"));
  EXPECT_EQ(*request.headers.find("webhook-signature"),
            webhook_signature(kValue, id, timestamp, R"({"a":2,"b":1})"));
  EXPECT_EQ(request.body, R"({"a":2,"b":1})");
  EXPECT_EQ(failed(webhook_spec(peer.url())).code, "HTTP_418");
}

TEST_F(OutboundRunnerTest, ARedirectToAnotherHostLosesTheSecretAndOneToTheSameKeepsIt) {
  Peer other(clock_, always("\"other\""));
  Peer peer(clock_, [&](const net::Request& request) {
    if (request.target == "/end") return json_response(200, "\"same\"");
    const std::string to = request.target == "/away" ? other.url("/in") : "/end";
    return net::Response{302, {{"Location", to}}, ""};
  });
  start_runner();
  EXPECT_EQ(succeeded(tool_spec("GET", peer.url("/away"), kSecretHeader)).value,
            json::Value("other"));
  ASSERT_EQ(other.requests().size(), 1U);
  EXPECT_EQ(other.requests()[0].headers.find("authorization"), nullptr);
  EXPECT_EQ(succeeded(tool_spec("GET", peer.url("/here"), kSecretHeader)).value,
            json::Value("same"));
  EXPECT_EQ(*peer.requests().back().headers.find("authorization"), kValue);
}

TEST_F(OutboundRunnerTest, WhatChangesSomethingIsNotRepeatedElsewhere) {
  Peer other(clock_, always("1"));
  Peer peer(clock_, [&](const net::Request&) {
    return net::Response{307, {{"Location", other.url()}}, ""};
  });
  start_runner();
  EXPECT_EQ(failed(tool_spec("POST", peer.url(), kSecretHeader)).code, "HTTP_307");
  EXPECT_EQ(failed(webhook_spec(peer.url())).code, "HTTP_307");
  EXPECT_TRUE(other.requests().empty());
}

TEST_F(OutboundRunnerTest, ASecretThatComesBackIsRedactedInResultsAndErrors) {
  Peer peer(clock_, [](const net::Request& request) {
    const std::string value = *request.headers.find("authorization");
    return json_response(
        request.target == "/good" ? 200 : 400,
        fmt::format(R"({{"message":"got {0}","raw":"{0}","b64":"{1}"}})", value, to_base64(value)));
  });
  start_runner();
  EXPECT_EQ(json::write(succeeded(tool_spec("GET", peer.url("/good"), kSecretHeader)).value),
            R"({"message":"got [REDACTED:KEY]","raw":"[REDACTED:KEY]","b64":"[REDACTED:KEY]"})");
  const engine::CallError error = failed(tool_spec("GET", peer.url("/bad"), kSecretHeader));
  EXPECT_EQ(error.message, "the answer was 400 Bad Request: got [REDACTED:KEY]");
  EXPECT_EQ(json::write(error.detail).find(kValue), std::string::npos);
}

TEST_F(OutboundRunnerTest, ACancelledCallSaysSoOnce) {
  std::latch arrived(1);
  Peer peer(clock_, silence(arrived));
  start_runner();
  auto outcome = start(call_of(tool_spec("GET", peer.url())));
  arrived.wait();
  runner_->cancel({kRun, "another", 1});
  runner_->cancel({kRun, "step", 1});
  runner_->cancel({kRun, "step", 1});
  EXPECT_EQ(std::get<engine::CallError>(outcome.get()).code, "CANCELLED");
  runner_->cancel({kRun, "step", 1});
}

TEST_F(OutboundRunnerTest, ACallEndsAtItsDeadline) {
  std::latch arrived(1);
  Peer peer(clock_, silence(arrived));
  start_runner();
  engine::Call call = call_of(tool_spec("GET", peer.url()));
  call.deadline = clock_.now() + 200ms;
  const auto outcome = start(call).get();
  EXPECT_EQ(std::get<engine::CallError>(outcome).code, "TIMEOUT");
  EXPECT_EQ(std::get<engine::CallError>(outcome).retry_class, "timeout");
}

TEST_F(OutboundRunnerTest, AModelsOwnTimeoutEndsACallEarlier) {
  std::latch arrived(1);
  Peer peer(clock_, silence(arrived));
  Config config = loopback_config();
  config.models["slow"] = {.base_url = peer.url("/v1"), .timeout = 200ms};
  start_runner(config);
  EXPECT_EQ(
      failed({engine::CallKind::kModel, parsed(R"({"model":"slow","messages":[]})"), {}}).code,
      "TIMEOUT");
}

TEST_F(OutboundRunnerTest, APeerThatIsNotThereIsATransportError) {
  start_runner();
  std::string url;
  {
    Peer gone(clock_, always("1"));
    url = gone.url();
  }
  const engine::CallError error = failed(webhook_spec(url));
  EXPECT_EQ(error.code, "TRANSPORT_ERROR");
  EXPECT_EQ(error.retry_class, "transport");
}

TEST_F(OutboundRunnerTest, PrivateAddressesAreRefusedUnlessAllowed) {
  Peer peer(clock_, always("1"));
  start_runner(Config());
  EXPECT_EQ(failed(webhook_spec(peer.url())).code, "ADDRESS_REFUSED");
  EXPECT_TRUE(peer.requests().empty());
}

TEST_F(OutboundRunnerTest, AnAnswerBeyondTheLimitIsRefused) {
  Peer peer(clock_, always("\"" + std::string(5000, 'x') + "\""));
  Config config = loopback_config();
  config.outbound.response_bytes_max = 4096;
  start_runner(config);
  EXPECT_EQ(failed(tool_spec("GET", peer.url())).code, "RESPONSE_TOO_LARGE");
}

TEST_F(OutboundRunnerTest, AModelIsCalledWithItsKeyAndPaidByItsPrice) {
  Peer peer(
      clock_,
      always(
          R"({"model":"gpt-4o-2024","choices":[{"message":{"content":"{\"ok\":true,\"k\":\"loopback-secret-1\"}"},
      "finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":100}})"));
  Config config = loopback_config();
  config.models["gpt"] = {.base_url = peer.url("/v1"),
                          .model = "gpt-4o",
                          .api_key_secret = "KEY",
                          .input_price_cents = 250,
                          .output_price_cents = 1000};
  start_runner(config);
  const auto result =
      succeeded({engine::CallKind::kModel,
                 parsed(R"({"model":"gpt","messages":[{"role":"user","content":"hi"}],
      "response_schema":{"type":"object"}})"),
                 {}});
  EXPECT_EQ(json::write(*result.value.find("json")), R"({"ok":true,"k":"[REDACTED:KEY]"})");
  EXPECT_EQ(result.model, "gpt-4o-2024");
  EXPECT_EQ(result.cost, 350'000);
  EXPECT_EQ(result.usage.input_tokens, 1000);
  const net::Request request = peer.requests()[0];
  EXPECT_EQ(request.target, "/v1/chat/completions");
  EXPECT_EQ(*request.headers.find("authorization"), "Bearer loopback-secret-1");
}

TEST_F(OutboundRunnerTest, EchoAnswersWithoutANetwork) {
  start_runner(Config());
  const auto result = succeeded(
      {engine::CallKind::kModel,
       parsed(R"({"model":"avow/echo","messages":[{"role":"user","content":"two words"}]})"),
       {}});
  EXPECT_EQ(json::write(result.value), R"({"text":"two words","finish_reason":"stop"})");
  EXPECT_EQ(result.model, "avow/echo");
  EXPECT_EQ(result.cost, 0);
}

TEST_F(OutboundRunnerTest, KnowsItsModelsAndSecrets) {
  OutboundRunner& runner = start_runner();
  EXPECT_TRUE(runner.has_model("avow/echo"));
  EXPECT_FALSE(runner.has_model("gpt-5"));
  EXPECT_TRUE(runner.has_secret(kTenant, "KEY"));
  EXPECT_FALSE(runner.has_secret(kTenant, "OTHER"));
  EXPECT_EQ(
      runner
          .render(kTenant,
                  {engine::CallKind::kModel, parsed(R"({"model":"gpt-5","messages":[]})"), {}})
          .error()
          .code,
      Code::kNotFound);
}

TEST_F(OutboundRunnerTest, ARecordThatIsNoneOrWhoseSecretIsGoneIsNotSent) {
  Peer peer(clock_, always("1"));
  start_runner();
  engine::Call call = call_of(tool_spec("GET", peer.url(), kSecretHeader));
  const engine::Call good = call;
  call.request.set("secrets", parsed(R"([{"pointer":"/headers/Authorization","name":"GONE"}])"));
  EXPECT_EQ(std::get<engine::CallError>(start(call).get()).code, "SECRET_UNAVAILABLE");
  call.request.set("secrets", parsed(R"([{"pointer":"/url","name":"KEY"}])"));
  EXPECT_EQ(std::get<engine::CallError>(start(call).get()).code, "INVALID_REQUEST");
  for (const char* const request :
       {"null", "{}", R"({"kind":"webhook"})", R"({"kind":"tool","url":5})",
        R"({"kind":"tool","method":"GET","url":"http://x/","headers":{"a":1}})"}) {
    call.request = parsed(request);
    EXPECT_EQ(std::get<engine::CallError>(start(call).get()).code, "INVALID_REQUEST") << request;
  }
  EXPECT_TRUE(peer.requests().empty());
  EXPECT_TRUE(std::holds_alternative<engine::CallResult>(start(good).get()));
}

/// What a call says piece by piece, and its outcome.
struct Heard {
  std::string text;
  std::size_t pieces = 0;
};

TEST_F(OutboundRunnerTest, TellsWhatAModelStreamsWithoutTheSecret) {
  const auto chunk = [](const std::string& text) {
    return "data: " +
           json::write(json::Object{
               {"choices",
                json::Array{json::Object{{"delta", json::Object{{"content", text}}}}}}}) +
           "\n\n";
  };
  Peer peer(clock_, [chunk](const net::Request&) -> net::Answer {
    return net::Stream{200, {{"Content-Type", "text/event-stream"}}, [chunk](auto writer) {
                         (void)writer.write(chunk("your key is loopback-"));
                         (void)writer.write(chunk("secret-1, keep it"));
                         (void)writer.write(
                             "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                             "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,"
                             "\"completion_tokens\":9}}\n\ndata: [DONE]\n\n");
                       }};
  });
  Config config = loopback_config();
  config.models["m"] = {.base_url = peer.url("/v1"), .api_key_secret = "KEY", .stream = true};
  start_runner(config);
  engine::Call call =
      call_of({engine::CallKind::kModel,
               parsed(R"({"model":"m","messages":[{"role":"user","content":"?"}]})"),
               {}});
  Heard heard;
  call.on_text = [&heard](std::string_view text) {
    heard.text += text;
    ++heard.pieces;
  };
  const auto outcome = std::get<engine::CallResult>(start(call).get());
  EXPECT_EQ(heard.text, "your key is [REDACTED:KEY], keep it");
  EXPECT_EQ(outcome.value.string_or("text"), heard.text);
  EXPECT_EQ(outcome.usage.output_tokens, 9);
  const json::Value sent = parsed(peer.requests().at(0).body);
  EXPECT_EQ(*sent.find("stream"), json::Value(true));
  EXPECT_EQ(json::write(*sent.find("stream_options")), R"({"include_usage":true})");
}

TEST_F(OutboundRunnerTest, ReadsAnAnswerInOnePieceThoughItAskedForAStream) {
  Peer peer(clock_, always(R"({"choices":[{"message":{"content":"whole"}}]})"));
  Config config = loopback_config();
  config.models["m"] = {.base_url = peer.url("/v1"), .stream = true};
  start_runner(config);
  engine::Call call = call_of({engine::CallKind::kModel, parsed(R"({"model":"m"})"), {}});
  call.on_text = [](std::string_view text) { ADD_FAILURE() << text; };
  EXPECT_EQ(std::get<engine::CallResult>(start(call).get()).value.string_or("text"), "whole");
}

TEST_F(OutboundRunnerTest, SaysAnEchoWordByWord) {
  start_runner();
  engine::Call call = call_of(
      {engine::CallKind::kModel,
       parsed(R"({"model":"avow/echo","messages":[{"role":"user","content":"one two  three"}]})"),
       {}});
  Heard heard;
  call.on_text = [&heard](std::string_view text) {
    heard.text += text;
    ++heard.pieces;
  };
  (void)start(call).get();
  EXPECT_EQ(heard.text, "one two  three");
  EXPECT_EQ(heard.pieces, 4U);
}

TEST_F(OutboundRunnerTest, StoppingEndsEveryCallBeforeItReturns) {
  std::latch arrived(3);
  Peer peer(clock_, silence(arrived));
  start_runner();
  std::vector<std::future<engine::CallOutcome>> outcomes;
  for (const char* const step : {"a", "b", "b"})
    outcomes.push_back(start(call_of(webhook_spec(peer.url()), step)));
  arrived.wait();
  runner_->stop();
  is_stopped_ = true;
  for (auto& outcome : outcomes) {
    ASSERT_EQ(outcome.wait_for(0s), std::future_status::ready);
    EXPECT_EQ(std::get<engine::CallError>(outcome.get()).code, "CANCELLED");
  }
  for (const auto& spec :
       {webhook_spec(peer.url()),
        engine::CallSpec{engine::CallKind::kModel, parsed(R"({"model":"avow/echo"})"), {}}}) {
    EXPECT_EQ(std::get<engine::CallError>(run(spec)).code, "CANCELLED");
  }
}

}  // namespace
}  // namespace avow::connectors
