// SPDX-License-Identifier: Apache-2.0
// The live view of runs. What it must show is what the store's journal says, read by itself.
#include "api/live_view.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>

#include "provenance/event.h"
#include "testing/api_world.h"

namespace avow::api {
namespace {

using ::testing::AnyOf;
using testing::ApiWorld;
using ::testing::HasSubstr;
using ::testing::Not;
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): the literals only

/// A client that reads what it likes, when it likes.
class Onlooker : public net::StreamSink {
 public:
  bool write(std::string chunk) override {
    const std::lock_guard lock(mutex_);
    if (has_ended_ || is_gone_) return false;
    text_ += chunk;
    changed_.notify_all();
    return true;
  }
  void when_sent(std::function<void()> then) override {
    {
      const std::lock_guard lock(mutex_);
      if (!is_reading_) {
        waiting_ = std::move(then);
        return;
      }
    }
    then();
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    has_ended_ = true;
    changed_.notify_all();
  }

  /// What came so far, once `is_enough` says so; fails the test if it never does.
  std::string wait_for(const std::function<bool(const std::string&)>& is_enough) {
    std::unique_lock lock(mutex_);
    const bool is_there = changed_.wait_for(lock, 20s, [&] { return is_enough(text_); });
    EXPECT_TRUE(is_there) << text_;
    return text_;
  }
  std::string wait_for(const std::string& part) {
    return wait_for([&](const std::string& text) { return text.find(part) != std::string::npos; });
  }
  std::string wait_for_end() {
    return wait_for([this](const std::string&) { return has_ended_; });
  }
  void stop_reading() {
    const std::lock_guard lock(mutex_);
    is_reading_ = false;
  }
  bool has_ended() {
    const std::lock_guard lock(mutex_);
    return has_ended_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string text_;
  bool has_ended_ = false;
  bool is_gone_ = false;
  bool is_reading_ = true;
  std::function<void()> waiting_;
};

/// The messages of a stream, without comments.
std::vector<std::string> messages_in(const std::string& text) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find("\n\n", at);
    if (text[at] != ':') out.push_back(text.substr(at, end - at));
    at = end == std::string::npos ? text.size() : end + 2;
  }
  return out;
}

class LiveViewTest : public ::testing::Test {
 protected:
  net::Request request(const std::string& run, const std::string& query = "") {
    net::Request out = world_.request("GET", "/v1/orchestrations/" + run + "/events" + query);
    out.headers.set("Accept", "text/event-stream");
    out.cancelled = client_.get_token();
    return out;
  }

  std::shared_ptr<Onlooker> open(const net::Request& request) {
    net::Answer answer = serve(world_.services, request);
    auto* const stream = std::get_if<net::Stream>(&answer);
    EXPECT_NE(stream, nullptr);
    auto out = std::make_shared<Onlooker>();
    if (stream == nullptr) return out;
    EXPECT_EQ(stream->status, 200);
    EXPECT_EQ(*stream->headers.find("Content-Type"), "text/event-stream");
    stream->start(net::StreamWriter(out));
    return out;
  }

  std::string execute(const std::string& steps, const std::string& input = "{}") {
    if (agent_.empty()) {
      agent_ = ApiWorld::body(world_.send("POST", "/v1/agents", R"({"display_name":"a"})"))
                   .string_or("id");
    }
    const auto response = world_.send(
        "POST", "/v1/orchestrations/execute",
        R"({"agent_id":")" + agent_ + R"(","input":)" + input + R"(,"steps":)" + steps + "}");
    EXPECT_EQ(response.status, 202) << response.body;
    return ApiWorld::body(response).string_or("orchestration_id");
  }

  void advance(Duration by) {
    world_.clock.advance(by);
    // The pool's timers sleep on another clock: one that is due wakes them.
    world_.pool.make_strand()->post_at(Time(), [] {});
  }

  json::Value ended(const std::string& run) {
    return ApiWorld::body(world_.send("GET", "/v1/orchestrations/" + run + "?wait=20"));
  }

  /// What a stream from after `after` to the end must hold.
  std::vector<std::string> journal(const std::string& run, std::uint32_t after = 0) {
    std::vector<std::string> out;
    const auto record = world_.store.read_run(RunId{*parse_id(run)});
    EXPECT_TRUE(record);
    for (const store::Segment& segment : record->journal) {
      for (const std::string& bytes : *provenance::decode_journal(segment.bytes)) {
        const auto event = provenance::decode(bytes);
        if (event->seq <= after) continue;
        out.push_back(fmt::format("id: {}\nevent: {}\ndata: {}", event->seq, event->type, bytes));
      }
    }
    return out;
  }

  std::stop_source client_;
  ApiWorld world_;
  std::string agent_;
};

constexpr const char* kWaits =
    R"([{"name":"first","type":"transform","config":{"output":1}},
        {"name":"pause","type":"wait","depends_on":["first"],"config":{"seconds":200}},
        {"name":"last","type":"transform","depends_on":["pause"],"config":{"output":2}}])";
constexpr const char* kSays =
    R"([{"name":"pause","type":"wait","config":{"seconds":200}},
        {"name":"say","type":"llm_inference","depends_on":["pause"],
         "config":{"model":"avow/echo","prompt":"once upon a time"}}])";

TEST_F(LiveViewTest, ShowsTheJournalAsItGrowsToTheRunsLastEvent) {
  const std::string run = execute(kWaits);
  const auto view = open(request(run));
  view->wait_for("event: timer.armed");
  EXPECT_FALSE(view->has_ended());
  advance(201s);
  const auto got = messages_in(view->wait_for_end());
  EXPECT_EQ(got, journal(run));
  EXPECT_EQ(ended(run).string_or("status"), "completed");
}

TEST_F(LiveViewTest, ResumesAfterEveryEventWithoutGapOrDuplicate) {
  const std::string run = execute(kWaits);
  std::vector<std::shared_ptr<Onlooker>> views;
  open(request(run))->wait_for("event: timer.armed");
  const std::size_t so_far = journal(run).size();
  for (std::size_t seq = 0; seq <= so_far; ++seq) {
    net::Request resumed = request(run, "?cursor=0");  // what a browser leaves in the URL
    resumed.headers.set("Last-Event-ID", std::to_string(seq));
    views.push_back(open(resumed));
  }
  advance(201s);
  for (std::size_t seq = 0; seq <= so_far; ++seq) {
    const auto got = messages_in(views[seq]->wait_for_end());
    EXPECT_EQ(got, journal(run, static_cast<std::uint32_t>(seq))) << "after " << seq;
  }
  const std::size_t all = journal(run).size();
  for (std::size_t seq = 0; seq < all; ++seq) {
    const auto view = open(request(run, fmt::format("?cursor={}", seq)));
    const auto got = messages_in(view->wait_for_end());
    EXPECT_EQ(got, journal(run, static_cast<std::uint32_t>(seq))) << "after " << seq;
  }
}

TEST_F(LiveViewTest, OfARunThatIsOverAndSeenThereIsNothing) {
  const std::string run = execute(R"([{"name":"a","type":"transform","config":{"output":1}}])");
  ended(run);
  net::Request seen = request(run);
  seen.headers.set("Last-Event-ID", std::to_string(journal(run).size()));
  EXPECT_EQ(world_.send(seen).status, 204);
  seen.headers.set("Last-Event-ID", "x");
  EXPECT_EQ(world_.send(seen).status, 400);
  EXPECT_EQ(world_.send(request("0192f0c1-7a3b-7c4d-8e5f-607182900000")).status, 404);
  net::Request of_another = request(run);
  of_another.headers.set("X-API-Key", world_.make_key(world_.make_tenant("other"), {"*:*"}));
  EXPECT_EQ(world_.send(of_another).status, 404);
}

TEST_F(LiveViewTest, ShowsWhatAModelSaysBetweenItsEventsToWhoMayReadContents) {
  const std::string run = execute(kSays);
  const auto view = open(request(run));
  net::Request plain = request(run);
  plain.headers.set("X-API-Key", world_.make_key(world_.tenant, {"orchestrations:read"}));
  const auto without_contents = open(plain);
  without_contents->wait_for("event: timer.armed");
  view->wait_for("event: timer.armed");
  advance(201s);
  const auto got = messages_in(view->wait_for_end());
  const auto only_events = messages_in(without_contents->wait_for_end());
  EXPECT_EQ(only_events, journal(run));
  // Taken out of the one, the words leave the other, and they stand where they were said.
  std::vector<std::string> events;
  std::string said;
  for (const std::string& message : got) {
    if (!message.starts_with("event: llm.delta\n")) {
      events.push_back(message);
      continue;
    }
    EXPECT_THAT(events.back(), Not(AnyOf(HasSubstr("timer."), HasSubstr("llm.called"))));
    const auto data = json::parse(message.substr(message.find("data: ") + 6));
    EXPECT_EQ(data->string_or("step"), "say");
    EXPECT_EQ(data->int_or("attempt", 0), 1);
    EXPECT_EQ(data->int_or("call", 0), 1);
    said += data->string_or("text");
  }
  EXPECT_EQ(events, only_events);
  EXPECT_EQ(said, "once upon a time");
}

TEST_F(LiveViewTest, EndsWhenTheKeyIsRevoked) {
  const std::string run = execute(kWaits);
  net::Request asked = request(run);
  const auto made =
      ApiWorld::body(world_.send("POST", "/v1/api-keys", R"({"scopes":["orchestrations:read"]})"));
  asked.headers.set("X-API-Key", made.string_or("api_key"));
  const auto view = open(asked);
  const auto others = open(request(run));
  view->wait_for("event: timer.armed");
  EXPECT_EQ(world_.send("DELETE", "/v1/api-keys/" + made.string_or("id")).status, 204);
  view->wait_for_end();
  EXPECT_FALSE(others->has_ended());
  EXPECT_EQ(world_.send(asked).status, 401);
}

TEST_F(LiveViewTest, EndsWhenTheKeyExpiresAndSaysNowAndThenThatItLives) {
  const std::string run = execute(kWaits);
  net::Request asked = request(run);
  asked.headers.set("X-API-Key", world_.make_key(world_.tenant, {"orchestrations:read"}, {},
                                                 world_.clock.now() + 20s));
  const auto view = open(asked);
  view->wait_for("event: timer.armed");
  advance(16s);
  view->wait_for(": alive\n\n");
  advance(5s);
  view->wait_for_end();
}

TEST_F(LiveViewTest, EndsWithItsClient) {
  const std::string run = execute(kWaits);
  const auto view = open(request(run));
  view->wait_for("event: timer.armed");
  client_.request_stop();
  view->wait_for_end();
}

TEST_F(LiveViewTest, CutsOffWhoIsMoreThanAMebibyteOfTextBehind) {
  // Each word is a message: the echo says two mebibytes of them to a client that reads nothing.
  std::string words;
  while (words.size() < (std::size_t{2} << 20)) words += std::string(60'000, 'w') + " ";
  const std::string run = execute(
      R"([{"name":"pause","type":"wait","config":{"seconds":200}},
          {"name":"say","type":"llm_inference","depends_on":["pause"],
           "config":{"model":"avow/echo","prompt":"${{ input.words }}"}}])",
      R"({"words":")" + words + R"("})");
  const auto view = open(request(run));
  view->wait_for("event: timer.armed");
  view->stop_reading();
  advance(201s);
  view->wait_for_end();
  // It resumes where it was, and misses no event.
  net::Request resumed = request(run);
  resumed.headers.set("Last-Event-ID", "1");
  const auto rest = messages_in(open(resumed)->wait_for_end());
  EXPECT_EQ(rest.back(), journal(run).back());
}

TEST(WantsLiveView, ReadsTheAcceptHeader) {
  net::Request request;
  EXPECT_FALSE(wants_live_view(request));
  for (const char* const accept :
       {"text/event-stream", "Text/Event-Stream;q=0.9", "application/json , text/event-stream"}) {
    request.headers.set("Accept", accept);
    EXPECT_TRUE(wants_live_view(request)) << accept;
  }
  for (const char* const accept : {"*/*", "application/json", "text/event-streams", ",;,"}) {
    request.headers.set("Accept", accept);
    EXPECT_FALSE(wants_live_view(request)) << accept;
  }
}

}  // namespace
}  // namespace avow::api
