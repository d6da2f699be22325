// SPDX-License-Identifier: Apache-2.0
// The live view over the real program, with a model that speaks when the test lets it.
#include <condition_variable>
#include <future>

#include "net/http_client.h"
#include "net/http_server.h"
#include "net/thread_pool.h"
#include "server_fixture.h"

namespace avow {
namespace {

constexpr std::string_view kLiveView = "text/event-stream";

/// A server that speaks as OpenAI's do, piece by piece, as the test says.
class SpeakingModel {
 public:
  SpeakingModel() {
    auto started = net::HttpServer::start(
        {}, clock_,
        [this](const net::Request&) -> net::Answer {
          return net::Stream{200,
                             {{"Content-Type", "text/event-stream"}},
                             [this](net::StreamWriter writer) { asked_.set_value(writer); }};
        },
        [](int status, std::string_view, const net::Request*) { return net::Response{status}; });
    CHECK(started.has_value());
    server_ = std::move(*started);
  }
  ~SpeakingModel() { server_->stop(Duration::zero()); }
  SpeakingModel(const SpeakingModel&) = delete;
  SpeakingModel& operator=(const SpeakingModel&) = delete;

  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}/v1", server_->port());
  }
  /// Waits until it is asked.
  net::StreamWriter asked() { return asked_.get_future().get(); }

 private:
  SystemClock clock_;
  std::promise<net::StreamWriter> asked_;
  std::unique_ptr<net::HttpServer> server_;
};

/// Reads a stream while it goes on.
class Reader {
 public:
  Reader(std::uint16_t port, const std::string& path, const std::string& key)
      : pool_("reader", 1, clock_), strand_(pool_.make_strand()), client_(options(), clock_) {
    net::ClientRequest request{.url = fmt::format("http://127.0.0.1:{}{}", port, path),
                               .headers = {{"X-API-Key", key}, {"Accept", std::string(kLiveView)}}};
    request.on_piece = [this](std::string_view piece) {
      const std::lock_guard lock(mutex_);
      text_ += piece;
      changed_.notify_all();
    };
    client_.send(std::move(request), clock_.now() + std::chrono::seconds(60), {}, *strand_,
                 [this](const Result<net::ClientResponse>& response) {
                   ended_.set_value(response ? response->body : response.error().message);
                 });
  }
  ~Reader() {
    client_.stop();
    pool_.stop();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  void wait_for(const std::string& part) {
    std::unique_lock lock(mutex_);
    EXPECT_TRUE(changed_.wait_for(lock, std::chrono::seconds(60), [&] {
      return text_.find(part) != std::string::npos;
    })) << text_;
  }
  /// The whole of it, when the server has ended it.
  std::string ended() { return ended_.get_future().get(); }

 private:
  static net::ClientOptions options() { return {.policy = {{*net::Cidr::parse("127.0.0.0/8")}}}; }

  SystemClock clock_;
  net::ThreadPool pool_;
  std::unique_ptr<Executor> strand_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  std::promise<std::string> ended_;
  net::CurlClient client_;
};

std::string chunk(const std::string& text) {
  const json::Value delta = json::Object{{"content", text}};
  const json::Value choice = json::Object{{"index", 0}, {"delta", delta}};
  return "data: " + json::write(json::Object{{"choices", json::Array{choice}}}) + "\n\n";
}

std::vector<std::string> ids_in(const std::string& stream) {
  std::vector<std::string> out;
  for (std::size_t at = stream.find("id: "); at != std::string::npos;
       at = stream.find("\nid: ", at)) {
    at += stream[at] == '\n' ? 5 : 4;
    out.push_back(stream.substr(at, stream.find('\n', at) - at));
  }
  return out;
}

std::vector<std::string> counted(std::size_t first, std::size_t last) {
  std::vector<std::string> out;
  for (std::size_t seq = first; seq <= last; ++seq) out.push_back(std::to_string(seq));
  return out;
}

TEST(Live, AModelIsHeardWhileItSpeaksAndItsRunIsSeenToItsEnd) {
  SpeakingModel model;
  const testing::Deployment deployment(AVOW_PROGRAM);
  auto server = testing::ServerProcess::start(deployment,
                                              "outbound: {allow: [127.0.0.0/8]}\n"
                                              "models: {m: {provider: openai, base_url: \"" +
                                                  model.url() + "\", stream: true}}\n");
  ASSERT_TRUE(server) << server.error().message;
  Contract contract(
      testing::exchange({.port = (*server)->port()}, {.target = "/openapi.json"}).json());
  Client client((*server)->port(), deployment.api_key, &contract);
  const std::string agent =
      client.expect(201, client.post("/v1/agents", json::Object{{"model", "m"}})).string_or("id");
  const std::string run =
      client
          .expect(202, client.post("/v1/orchestrations/execute",
                                   json::Object{{"agent_id", agent},
                                                {"input", json::Object{{"prompt", "hi"}}}}))
          .string_or("orchestration_id");
  const std::string path = "/v1/orchestrations/" + run + "/events";
  Reader reader((*server)->port(), path, deployment.api_key);
  reader.wait_for("event: run.started\n");
  const net::StreamWriter speech = model.asked();
  EXPECT_TRUE(speech.write(chunk("Once upon")));
  reader.wait_for(R"(data: {"step":"llm_1","attempt":1,"call":1,"text":"Once upon"})");
  // The model has not ended, and the run neither.
  EXPECT_EQ(client.expect(200, client.get("/v1/orchestrations/" + run)).string_or("status"),
            "running");
  EXPECT_TRUE(speech.write(chunk(" a time.")));
  EXPECT_TRUE(
      speech.write("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
                   "data: [DONE]\n\n"));
  speech.end();
  const std::string stream = reader.ended();
  const json::Value ended =
      client.expect(200, client.get("/v1/orchestrations/" + run + "?wait=30"));
  EXPECT_EQ(value_at(ended, "/output/text"), json::Value("Once upon a time."));
  const std::size_t events = value_at(client.get(path).json(), "/items").as_array().size();
  EXPECT_EQ(ids_in(stream), counted(1, events));

  // Resumed after each of them: what is left, and after the last nothing.
  for (std::size_t seq = 0; seq < events; ++seq) {
    const auto reply = client.send(
        {.target = path,
         .headers = {{"Accept", std::string(kLiveView)}, {"Last-Event-ID", std::to_string(seq)}}});
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(ids_in(reply.body), counted(seq + 1, events));
  }
  EXPECT_EQ(client
                .send({.target = path,
                       .headers = {{"Accept", std::string(kLiveView)},
                                   {"Last-Event-ID", std::to_string(events)}}})
                .status,
            204);
  EXPECT_EQ((*server)->terminate(), 0) << (*server)->log_end();
}

class LiveServer : public ServerTest {};

TEST_F(LiveServer, ARevokedKeyLosesItsOpenStreamsAtOnce) {
  Client all = owner();
  const json::Value key = all.expect(
      201, all.post("/v1/api-keys", json::Object{{"scopes", json::Array{"orchestrations:read"}}}));
  const std::string workflow =
      make_published(all, R"([{"name": "rest", "type": "wait", "config": {"seconds": 200}}])"_json);
  const std::string run =
      all.expect(202, all.post("/v1/workflows/" + workflow + "/execute")).string_or("run_id");
  Reader reader(port(), "/v1/orchestrations/" + run + "/events", key.string_or("api_key"));
  reader.wait_for("event: timer.armed\n");
  all.expect(204, all.send({"DELETE", "/v1/api-keys/" + key.string_or("id"), {}, {}}));
  EXPECT_EQ(ids_in(reader.ended()).front(), "1");
  all.expect(200, all.post("/v1/orchestrations/" + run + "/cancel"));
}

}  // namespace
}  // namespace avow
