// SPDX-License-Identifier: Apache-2.0
#include "server/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <mutex>
#include <sstream>

#include "json/parse.h"
#include "json/write.h"
#include "merkle/checkpoint.h"
#include "merkle/consistency.h"
#include "merkle/note.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "provenance/verify.h"
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
    log_key_ = made->log_key;
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
  std::string log_key_;
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

/// A witness (C2SP tlog-witness) of one log: cosigns what goes on from what it cosigned before.
class Witness {
 public:
  Witness() {
    auto started = net::HttpServer::start(
        {}, clock_, [this](const net::Request& request) { return answer(request.body); },
        [](int status, std::string_view, const net::Request*) {
          return net::Response{.status = status};
        });
    CHECK(started);
    server_ = std::move(*started);
  }
  ~Witness() { server_->stop(Duration::zero()); }

  /// A policy with this one alone, for those who verify with `log_key` too.
  [[nodiscard]] std::string policy(const std::string& log_key) const {
    const auto vkey =
        merkle::VerifierKey::ed25519(kName, merkle::SignatureType::kCosignature, key_.public_key());
    return fmt::format("log {}\nwitness w {} http://127.0.0.1:{}\nquorum w\n", log_key, vkey.text(),
                       server_->port());
  }

 private:
  static constexpr const char* kName = "witness.example.com";

  net::Answer answer(std::string_view body) {
    const std::lock_guard lock(mutex_);
    const std::size_t end_of_proof = body.find("\n\n");
    const auto note = merkle::Note::parse(body.substr(end_of_proof + 2));
    const auto checkpoint =
        note ? merkle::Checkpoint::parse(note->text) : Result<merkle::Checkpoint>(note.error());
    if (!checkpoint) return net::Response{.status = 400};
    if (!body.starts_with(fmt::format("old {}\n", size_))) {
      return net::Response{.status = 409, .body = fmt::format("{}\n", size_)};
    }
    merkle::ConsistencyProof proof{size_, checkpoint->size, {}};
    std::istringstream lines{std::string(body.substr(0, end_of_proof))};
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      const std::string bytes = from_base64(line).value();
      std::copy(bytes.begin(), bytes.end(), proof.nodes.emplace_back().begin());
    }
    if (size_ > 0 && !merkle::verify_consistency(proof, root_, checkpoint->root)) {
      return net::Response{.status = 422};
    }
    size_ = checkpoint->size;
    root_ = checkpoint->root;
    const auto now = std::chrono::time_point_cast<std::chrono::seconds>(clock_.now());
    return net::Response{.status = 200,
                         .body = merkle::cosign_note(note->text, kName, key_, now).line()};
  }

  SystemClock clock_;
  const crypto::Ed25519PrivateKey key_ = crypto::Ed25519PrivateKey::from_seed(Bytes32{7});
  std::mutex mutex_;
  std::uint64_t size_ = 0;
  merkle::Hash root_{};
  std::unique_ptr<net::HttpServer> server_;
};

TEST_F(ServerTest, HasItsCheckpointsCosignedAndSaysSoInReceipts) {
  const Witness witness;
  const auto policy = merkle::Policy::parse(witness.policy(log_key_));
  ASSERT_TRUE(policy) << policy.error().message;
  options_.config.log_options.policy = *policy;
  auto server = Server::start(options_);
  ASSERT_TRUE(server) << server.error().message;
  const std::uint16_t port = (*server)->port();
  const std::string agent =
      json::parse(call(port, "POST", "/v1/agents", "{}").body)->string_or("id");
  const std::string body =
      fmt::format(R"({{"agent_id":"{}","steps":[{{"name":"a","type":"transform",)"
                  R"("config":{{"output":1}}}}]}})",
                  agent);
  for (int run = 0; run < 2; ++run) {
    const std::string id = json::parse(call(port, "POST", "/v1/orchestrations/execute", body).body)
                               ->string_or("orchestration_id");
    call(port, "GET", "/v1/orchestrations/" + id + "?wait=10");
    const auto receipt = call(port, "GET", "/v1/receipts/" + id + "?witnessed=true");
    ASSERT_EQ(receipt.status, 200) << receipt.body;
    ASSERT_NE(receipt.headers.find("Avow-Witnessed"), nullptr);
    EXPECT_EQ(*receipt.headers.find("Avow-Witnessed"), "true");
    const auto verified = provenance::verify(receipt.body, {.log_keys = {}, .policy = *policy});
    EXPECT_EQ(verified.verdict, provenance::Verdict::kValid)
        << provenance::verdict_name(verified.verdict);
  }
  (*server)->stop(Duration::zero());
}

TEST_F(ServerTest, SaysWhichKeyIsMissing) {
  fs::remove(root_ / "data" / kKeysFolder / tlog::kStatementKeyFile);
  const auto server = Server::start(options_);
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().code, Code::kUnavailable);
  EXPECT_THAT(server.error().message, HasSubstr(std::string(tlog::kStatementKeyFile)));
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
