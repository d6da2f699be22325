// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "json/parse.h"
#include "json/write.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "server/deployment_log.h"
#include "server/init.h"
#include "store/sqlite/sqlite_store.h"

namespace avow::server {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;

constexpr Duration kPatience = std::chrono::seconds(20);

/// A data directory, and a client that talks to whatever serves it.
class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    std::string name = (fs::temp_directory_path() / "avow-server-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    options_.data_directory = (root_ / "data").string();
    auto made = initialise({.data_directory = options_.data_directory}, clock_, rng_);
    CHECK(made);
    key_ = made->api_key.reveal();
  }
  ~ServerTest() override {
    client_.stop();
    fs::remove_all(root_);
  }

  static net::AddressPolicy loopback() {
    net::AddressPolicy policy;
    policy.allow.push_back(*net::Cidr::parse("127.0.0.0/8"));
    return policy;
  }

  net::ClientResponse call(std::uint16_t port, const std::string& method, const std::string& path,
                           const std::string& body = {}) {
    net::ClientRequest request{.method = method,
                               .url = fmt::format("http://127.0.0.1:{}{}", port, path),
                               .headers = {{"X-API-Key", key_}},
                               .body = body};
    if (!body.empty()) request.headers.add("Content-Type", "application/json");
    auto response = net::send_blocking(client_, std::move(request), kPatience);
    EXPECT_TRUE(response) << response.error().message;
    return response ? std::move(*response) : net::ClientResponse{};
  }

  fs::path root_;
  ServerOptions options_;
  std::string key_;
  SystemClock clock_;
  SystemRng rng_;
  net::CurlClient client_{{.policy = loopback()}, clock_};
};

/// Inline steps of one run: one of pure work, and one that waits.
std::string run_that_waits(int seconds) {
  return fmt::format(
      R"({{"agent_id":"AGENT","steps":[{{"name":"a","type":"transform","config":{{"output":1}}}},)"
      R"({{"name":"b","type":"wait","depends_on":["a"],"config":{{"seconds":{}}}}}]}})",
      seconds);
}

TEST_F(ServerTest, AnswersOnAPortThatTheSystemChoseAndStopsWithoutATrace) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_NE((*server)->port(), 0);
  EXPECT_EQ(call((*server)->port(), "GET", "/health/ready").status, 200);
  EXPECT_EQ(call((*server)->port(), "GET", "/v1/workflows").status, 200);
  (*server)->stop(Duration::zero());
  // The same directory serves again: nothing holds it.
  auto again = Server::start(options_);
  ASSERT_TRUE(again) << again.error().message;
  (*again)->stop(Duration::zero());
}

TEST_F(ServerTest, GoesOnAfterARestartWithARunThatWaited) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const auto agent = json::parse(call((*server)->port(), "POST", "/v1/agents", "{}").body);
  ASSERT_TRUE(agent);
  std::string body = run_that_waits(1);
  body.replace(body.find("AGENT"), 5, agent->string_or("id"));
  const auto created = call((*server)->port(), "POST", "/v1/orchestrations/execute", body);
  ASSERT_EQ(created.status, 202) << created.body;
  const std::string id = json::parse(created.body)->string_or("orchestration_id");
  (*server)->stop(Duration::zero());

  auto again = Server::start(options_);
  ASSERT_TRUE(again) << again.error().message;
  const auto ended = call((*again)->port(), "GET", "/v1/orchestrations/" + id + "?wait=15");
  EXPECT_EQ(json::parse(ended.body)->string_or("status"), "completed") << ended.body;
  (*again)->stop(Duration::zero());
}

/// A receiver of webhooks that answers when the test says so.
class SlowReceiver {
 public:
  SlowReceiver() {
    auto started = net::HttpServer::start(
        {}, clock_,
        [this](const net::Request&) -> net::Answer {
          return net::Later{.start = [this](net::Responder respond) {
            ++calls_;
            arrived_.set_value(std::move(respond));
          }};
        },
        [](int status, std::string_view, const net::Request*) {
          return net::Response{.status = status};
        });
    CHECK(started);
    server_ = std::move(*started);
  }
  ~SlowReceiver() { server_->stop(Duration::zero()); }
  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}/", server_->port());
  }
  /// The one call, when it has come.
  net::Responder call() { return arrived_.get_future().get(); }
  [[nodiscard]] int calls() const { return calls_; }

 private:
  SystemClock clock_;
  std::atomic<int> calls_ = 0;
  std::promise<net::Responder> arrived_;
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ServerTest, DrainsCallsUnderWayAndStartsNothingNew) {
  SlowReceiver receiver;
  options_.config.connectors.outbound.policy = loopback();
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const std::uint16_t port = (*server)->port();
  const std::string agent =
      json::parse(call(port, "POST", "/v1/agents", "{}").body)->string_or("id");
  const auto execute = [&](const std::string& steps) {
    return call(port, "POST", "/v1/orchestrations/execute",
                fmt::format(R"({{"agent_id":"{}","steps":[{}]}})", agent, steps));
  };
  const auto created = execute(
      fmt::format(R"({{"name":"hook","type":"webhook","config":{{"url":"{}"}}}})", receiver.url()));
  ASSERT_EQ(created.status, 202) << created.body;
  const net::Responder respond = receiver.call();

  auto stopped = std::async(std::launch::async, [&] { (*server)->stop(kPatience); });
  int status = 202;
  for (int i = 0; i < 10'000 && status == 202; ++i) {
    status = execute(R"({"name":"a","type":"transform","config":{"output":1}})").status;
  }
  EXPECT_EQ(status, 503);  // it is stopping, and says so
  respond(net::Response{.status = 204});
  stopped.get();

  auto again = Server::start(options_);
  ASSERT_TRUE(again) << again.error().message;
  const std::string id = json::parse(created.body)->string_or("orchestration_id");
  const auto ended =
      json::parse(call((*again)->port(), "GET", "/v1/orchestrations/" + id + "?wait=15").body);
  EXPECT_EQ(ended->string_or("status"), "completed");
  EXPECT_EQ(receiver.calls(), 1);  // what arrived while draining was recorded, not done again
  (*again)->stop(Duration::zero());
}

TEST_F(ServerTest, DoesNotHoldWhoWaitsForARunWhenItStops) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const std::uint16_t port = (*server)->port();
  const auto agent = json::parse(call(port, "POST", "/v1/agents", "{}").body);
  std::string body = run_that_waits(200);
  body.replace(body.find("AGENT"), 5, agent->string_or("id"));
  const std::string id =
      json::parse(call(port, "POST", "/v1/orchestrations/execute", body).body)->string_or("id");
  auto waiting = std::async(std::launch::async, [&] {
    net::ClientRequest request{
        .url = fmt::format("http://127.0.0.1:{}/v1/orchestrations/{}?wait=60", port, id),
        .headers = {{"X-API-Key", key_}}};
    return net::send_blocking(client_, std::move(request), kPatience);
  });
  (*server)->stop(std::chrono::milliseconds(100));
  // Answered or cut off, but not held for its sixty seconds: send_blocking would not be patient.
  const auto answer = waiting.get();
  EXPECT_TRUE(answer || answer.error().code != Code::kDeadlineExceeded);
}

TEST_F(ServerTest, HasMetricsWithoutAKeyOnAListenerOfTheirOwnAndNothingElse) {
  options_.config.metrics_listen = Endpoint{"127.0.0.1", 0};
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const std::uint16_t port = *(*server)->metrics_port();
  key_ = "";
  const auto metrics = call(port, "GET", "/metrics");
  EXPECT_EQ(metrics.status, 200);
  EXPECT_THAT(metrics.body, HasSubstr("# TYPE "));
  EXPECT_EQ(call(port, "GET", "/v1/workflows").status, 404);
  EXPECT_EQ(call((*server)->port(), "GET", "/metrics").status, 401);
  (*server)->stop(Duration::zero());
}

// What the release before left: keys and a store, and no log.
TEST_F(ServerTest, GivesAStoreThatHasNoLogItsGenesisAtTheFirstStart) {
  options_.data_directory = (root_ / "older").string();
  fs::create_directories(root_ / "older" / "keys");
  ASSERT_TRUE(tlog::make_keys((root_ / "older" / "keys").string(), "older.avow.local", {}, rng_));
  auto store = store::SqliteStore::create({.directory = options_.data_directory});
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE((*store)->put_meta("origin", "older.avow.local"));
  (*store)->stop();
  store->reset();  // gives the folder back
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const auto checkpoint = call((*server)->port(), "GET", "/log/checkpoint");
  EXPECT_EQ(checkpoint.status, 200) << checkpoint.body;
  EXPECT_THAT(checkpoint.body, StartsWith("older.avow.local\n2\n"));  // genesis, and the settings
  (*server)->stop(Duration::zero());
  auto again = Server::start(options_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(call((*again)->port(), "GET", "/health/ready").status, 200);
  (*again)->stop(Duration::zero());
}

TEST_F(ServerTest, OnlyAnswersReadsWhereItsLogCannotBeBelieved) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const auto agent =
      json::parse(call((*server)->port(), "POST", "/v1/agents", "{}").body)->string_or("id");
  std::string body = run_that_waits(200);
  body.replace(body.find("AGENT"), 5, agent);
  const std::string id =
      json::parse(call((*server)->port(), "POST", "/v1/orchestrations/execute", body).body)
          ->string_or("id");
  (*server)->stop(Duration::zero());
  fs::remove(root_ / "data" / kWatermarkFile);

  auto sealed = Server::start(options_);
  ASSERT_TRUE(sealed) << sealed.error().message;
  const std::uint16_t port = (*sealed)->port();
  const auto ready = call(port, "GET", "/health/ready");
  EXPECT_EQ(ready.status, 503);
  EXPECT_THAT(ready.body, HasSubstr(kWatermarkFile));
  for (const auto& [path, text] : std::vector<std::pair<std::string, std::string>>{
           {"/v1/agents", "{}"},
           {"/v1/orchestrations/execute", body},
           {"/v1/orchestrations/" + id + "/cancel", "{}"}}) {
    const auto refused = call(port, "POST", path, text);
    EXPECT_EQ(refused.status, 503) << path << refused.body;
    EXPECT_NE(refused.headers.find("Retry-After"), nullptr) << path;
  }
  const auto run = call(port, "GET", "/v1/orchestrations/" + id);
  EXPECT_EQ(run.status, 200);
  EXPECT_EQ(json::parse(run.body)->string_or("status"), "running");
  EXPECT_EQ(call(port, "GET", "/v1/agents").status, 200);
  (*sealed)->stop(std::chrono::seconds(1));
}

TEST_F(ServerTest, MakesNoEntryWithoutItsLog) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const std::string before = call((*server)->port(), "GET", "/log/checkpoint").body;
  (*server)->stop(Duration::zero());
  options_.is_log_off = true;
  auto without = Server::start(options_);
  ASSERT_TRUE(without) << without.error().message;
  EXPECT_EQ(call((*without)->port(), "POST", "/v1/agents", "{}").status, 201);
  EXPECT_EQ(call((*without)->port(), "GET", "/log/checkpoint").body, before);
  (*without)->stop(Duration::zero());
}

TEST_F(ServerTest, ListensBeyondLoopbackOnlyWithTlsOrWhenToldTo) {
  options_.listen = Endpoint{"0.0.0.0", 0};
  const auto refused = Server::start(options_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("--insecure-http"));

  options_.is_insecure_http_allowed = true;
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  EXPECT_EQ(call((*server)->port(), "GET", "/health/live").status, 200);
  (*server)->stop(Duration::zero());
}

TEST_F(ServerTest, RefusesADirectoryWithoutAStoreOrWithAnotherServer) {
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const auto second = Server::start(options_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kConflict);
  (*server)->stop(Duration::zero());

  options_.data_directory = (root_ / "empty").string();
  const auto missing = Server::start(options_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

// What fails late must stop what had started before: destructors check it.
TEST_F(ServerTest, StopsWhatHadStartedWhereALaterPartFails) {
  options_.config.issuers.push_back({.issuer = "half an issuer"});
  EXPECT_FALSE(Server::start(options_));
  options_.config.issuers.clear();
  options_.config.connectors.models["m"] = {.base_url = "no url"};
  EXPECT_FALSE(Server::start(options_));
  options_.config.connectors.models.clear();
  options_.listen.address = "127.0.0.1";
  auto first = Server::start(options_);
  ASSERT_TRUE(first);
  (*first)->stop(Duration::zero());
}

}  // namespace
}  // namespace avow::server
