// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <future>
#include <latch>
#include <mutex>
#include <optional>
#include <thread>

#include "base/time.h"

namespace avow::net {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): the literals only

/// What a client sees of an answer.
struct Seen {
  int status = 0;
  std::string head;
  std::string body;
};

/// A client of bare sockets: it sends just what it is told, and no read waits more than 20 s.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval limit{20, 0};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): that is how connect() is called
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawClient() { close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }

  /// False if the server has closed.
  bool send(std::string_view text) {
    while (!text.empty()) {
      const auto n = ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  /// The text up to and with `end`; what came until the close if `end` never comes.
  std::string read_until(std::string_view end) {
    while (true) {
      const std::size_t at = input_.find(end);
      if (at != std::string::npos) return take(at + end.size());
      if (!receive()) return take(input_.size());
    }
  }
  std::string read_to_close() {
    while (receive()) {
    }
    return take(input_.size());
  }
  Seen read_answer(bool is_head = false) {
    Seen seen;
    seen.head = read_until("\r\n\r\n");
    if (seen.head.size() < 12) return seen;
    std::from_chars(seen.head.data() + 9, seen.head.data() + 12, seen.status);
    const std::size_t at = seen.head.find("Content-Length: ");
    std::size_t length = 0;
    if (at != std::string::npos && !is_head) {
      std::from_chars(seen.head.data() + at + 16, seen.head.data() + seen.head.size(), length);
    }
    while (input_.size() < length && receive()) {
    }
    seen.body = take(std::min(length, input_.size()));
    return seen;
  }
  Seen ask(std::string_view text) {
    send(text);
    return read_answer();
  }

 private:
  bool receive() {
    char buffer[16384];
    const auto n = ::recv(socket_, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    input_.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  std::string take(std::size_t n) {
    std::string out = input_.substr(0, n);
    input_.erase(0, n);
    return out;
  }

  int socket_;
  std::string input_;
};

Response render_error(int status, std::string_view reason, const Request* request) {
  return {status,
          {{"X-Path", request ? std::string(request->path()) : "-"}},
          fmt::format("error {}: {}", status, reason)};
}

/// Answers with what it understood.
Answer echo(const Request& request) {
  return Response{
      200, {{"X-Kind", "echo"}}, request.method + ' ' + request.target + ' ' + request.body};
}

/// A server that is stopped when the test ends.
struct Server {
  explicit Server(Handler handler, ServerOptions options = {}) {
    auto started = HttpServer::start(options, clock, std::move(handler), render_error);
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    http = std::move(*started);
  }
  ~Server() { stop(0ms); }
  void stop(Duration grace) {
    if (!std::exchange(is_stopped, true)) http->stop(grace);
  }
  [[nodiscard]] std::uint16_t port() const { return http->port(); }

  SystemClock clock;
  std::unique_ptr<HttpServer> http;
  bool is_stopped = false;
};

constexpr const char* kGet = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";

TEST(HttpServer, AnswersRequestsOfOneConnectionOneAfterTheOther) {
  Server server(echo);
  RawClient client(server.port());
  const Seen first = client.ask("POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.body, "POST /a?b=c hi");
  EXPECT_NE(first.head.find("X-Kind: echo\r\n"), std::string::npos);
  EXPECT_NE(first.head.find("\r\nDate: "), std::string::npos);
  EXPECT_EQ(client.ask(kGet).body, "GET /a ");
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  Server server(echo);
  RawClient client(server.port());
  std::string requests;
  for (int i = 0; i < 200; ++i) requests += fmt::format("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", i);
  client.send(requests);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(client.read_answer().body, fmt::format("GET /{} ", i));
}

TEST(HttpServer, SendsNoBodyForHeadButItsLength) {
  Server server(echo);
  RawClient client(server.port());
  client.send("HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n");
  const Seen seen = client.read_answer(true);
  EXPECT_EQ(seen.status, 200);
  EXPECT_NE(seen.head.find("Content-Length: 7\r\n"), std::string::npos);
  EXPECT_EQ(client.ask(kGet).body, "GET /a ");
}

TEST(HttpServer, ClosesAfterHttp10AndAfterConnectionClose) {
  Server server(echo);
  for (const char* text :
       {"GET /a HTTP/1.0\r\n\r\n", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"}) {
    RawClient client(server.port());
    client.send(text);
    const std::string all = client.read_to_close();
    EXPECT_NE(all.find("Connection: close\r\n"), std::string::npos);
    EXPECT_TRUE(all.ends_with("\r\n\r\nGET /a ")) << all;
  }
}

TEST(HttpServer, AnswersAClientThatHasEndedItsSide) {
  Server server(echo);
  RawClient client(server.port());
  client.send(kGet);
  client.end_sending();
  EXPECT_TRUE(client.read_to_close().ends_with("GET /a "));
}

TEST(HttpServer, RefusesWhatIsMalformedAndClosesWithoutReadingOnAsARequest) {
  Server server([](const Request&) -> Answer { return Response{200, {}, "must not be called"}; });
  for (const char* text : {
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: "
           "chunked\r\n\r\n0\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
           "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
       }) {
    RawClient client(server.port());
    client.send(std::string(text) + kGet);
    const Seen seen = client.read_answer();
    EXPECT_EQ(seen.status, 400) << text;
    EXPECT_TRUE(seen.body.starts_with("error 400: ")) << seen.body;
    EXPECT_NE(seen.head.find("Connection: close"), std::string::npos);
    client.end_sending();
    EXPECT_EQ(client.read_to_close(), "");
  }
}

TEST(HttpServer, ShowsA413ToAClientThatSendsItsWholeBodyFirst) {
  Server server(echo);
  RawClient client(server.port());
  const std::size_t size = std::size_t{5} << 20;
  client.send(fmt::format("POST /big HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", size));
  EXPECT_TRUE(client.send(std::string(size, 'a')));
  const Seen seen = client.read_answer();
  EXPECT_EQ(seen.status, 413);
  EXPECT_NE(seen.head.find("X-Path: /big"), std::string::npos);
}

TEST(HttpServer, ShowsA431ToAClientThatSendsItsWholeHeaderFirst) {
  Server server(echo);
  RawClient client(server.port());
  EXPECT_TRUE(client.send("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(1 << 20, 'a')));
  EXPECT_EQ(client.read_answer().status, 431);
}

TEST(HttpServer, TakesABodyOfTheLimit) {
  Server server(
      [](const Request& r) -> Answer { return Response{200, {}, std::to_string(r.body.size())}; });
  RawClient client(server.port());
  const std::size_t size = std::size_t{4} << 20;
  client.send(fmt::format("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n", size));
  client.send(std::string(size, 'a'));
  EXPECT_EQ(client.read_answer().body, std::to_string(size));
}

TEST(HttpServer, TimesOutSlowHeadersAndSlowBodies) {
  ServerOptions options;
  options.header_timeout = 40ms;
  options.body_timeout = 40ms;
  Server server(echo, options);
  for (const char* text :
       {"GET / HT", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab"}) {
    RawClient client(server.port());
    EXPECT_EQ(client.ask(text).status, 408) << text;
  }
}

TEST(HttpServer, ClosesIdleConnectionsWithoutAWord) {
  ServerOptions options;
  options.idle_timeout = 40ms;
  Server server(echo, options);
  RawClient fresh(server.port());
  EXPECT_EQ(fresh.read_to_close(), "");
  RawClient used(server.port());
  EXPECT_EQ(used.ask(kGet).status, 200);
  EXPECT_EQ(used.read_to_close(), "");
}

TEST(HttpServer, SaysContinueToAClientThatWaitsForIt) {
  Server server(echo);
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.ask("hi").body, "POST / hi");
  RawClient refused(server.port());
  EXPECT_EQ(refused
                .ask("POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: "
                     "99999999\r\n\r\n")
                .status,
            413);
}

TEST(HttpServer, SlowClientsHoldNoRequestThread) {
  ServerOptions options;
  options.request_threads = 1;
  Server server(echo, options);
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 50; ++i) {
    slow.push_back(std::make_unique<RawClient>(server.port()));
    slow.back()->send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nab");
  }
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kGet).status, 200);
  EXPECT_EQ(slow[7]->ask("cde").body, "POST / abcde");
}

TEST(HttpServer, Answers503WhenTheQueueOfRequestsIsFull) {
  ServerOptions options;
  options.request_threads = 1;
  options.request_queue_max = 1;
  std::promise<void> go;
  const std::shared_future<void> gate = go.get_future().share();
  std::latch started(1);
  std::once_flag once;
  Server server(
      [&](const Request& r) {
        std::call_once(once, [&] { started.count_down(); });
        gate.wait();
        return echo(r);
      },
      options);
  RawClient running(server.port());
  running.send(kGet);
  started.wait();
  // One of these two waits in the queue, the other is refused, whichever was read first.
  RawClient a(server.port()), b(server.port());
  a.send(kGet);
  b.send(kGet);
  std::promise<Seen> seen_a, seen_b;
  std::thread reader_a([&] { seen_a.set_value(a.read_answer()); });
  std::thread reader_b([&] { seen_b.set_value(b.read_answer()); });
  auto future_a = seen_a.get_future();
  auto future_b = seen_b.get_future();
  while (future_a.wait_for(1ms) != std::future_status::ready &&
         future_b.wait_for(1ms) != std::future_status::ready) {
  }
  go.set_value();
  const Seen answers[] = {future_a.get(), future_b.get()};
  reader_a.join();
  reader_b.join();
  EXPECT_EQ(answers[0].status + answers[1].status, 200 + 503);
  const Seen& refused = answers[0].status == 503 ? answers[0] : answers[1];
  EXPECT_NE(refused.head.find("Retry-After: 1\r\n"), std::string::npos);
  EXPECT_EQ(running.read_answer().status, 200);
}

TEST(HttpServer, TurnsAwayConnectionsAboveTheLimit) {
  ServerOptions options;
  options.connections_max = 1;
  Server server(echo, options);
  RawClient first(server.port());
  EXPECT_EQ(first.ask(kGet).status, 200);
  RawClient second(server.port());
  EXPECT_EQ(second.read_answer().status, 503);
  EXPECT_EQ(first.ask(kGet).status, 200);
}

TEST(HttpServer, RefusesAddressesItCannotListenOn) {
  SystemClock clock;
  ServerOptions options;
  options.address = "example.org";
  EXPECT_EQ(HttpServer::start(options, clock, echo, render_error).error().code,
            Code::kInvalidArgument);
  Server other(echo);
  options.address = "localhost";
  options.port = other.port();
  EXPECT_EQ(HttpServer::start(options, clock, echo, render_error).error().code, Code::kUnavailable);
  options.port = 0;
  options.tls_certificate_file = "/nonexistent";
  EXPECT_EQ(HttpServer::start(options, clock, echo, render_error).error().code,
            Code::kInvalidArgument);
}

TEST(HttpServer, LetsNoHeaderOfAHandlerBreakTheFraming) {
  Server server([](const Request&) -> Answer {
    return Response{
        200, {{"X-A", "b\r\nX-C: d"}, {"Content-Length", "0"}, {"Bad Name", "e"}}, "body"};
  });
  RawClient client(server.port());
  const Seen seen = client.ask(kGet);
  EXPECT_NE(seen.head.find("X-A: b??X-C: d\r\n"), std::string::npos);
  EXPECT_EQ(seen.head.find("Bad Name"), std::string::npos);
  EXPECT_EQ(seen.body, "body");
  EXPECT_EQ(client.ask(kGet).body, "body");
}

// --- answers that come later -------------------------------------------------------------------

/// A handler that keeps the Responder for the test.
struct LaterHandler {
  Answer operator()(const Request& request) {
    auto later = Later{[this](Responder r) { responder.set_value(std::move(r)); }};
    later.deadline = deadline;
    later.at_deadline = at_deadline;
    cancelled.set_value(request.cancelled);
    return later;
  }
  std::promise<Responder> responder;
  std::promise<std::stop_token> cancelled;
  std::optional<Time> deadline;
  std::function<Response()> at_deadline;
};

TEST(LaterAnswer, ComesFromAnotherThreadAndCountsOnce) {
  LaterHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  const Responder responder = handler.responder.get_future().get();
  responder(Response{201, {}, "first"});
  responder(Response{202, {}, "second"});
  const Seen seen = client.read_answer();
  EXPECT_EQ(seen.status, 201);
  EXPECT_EQ(seen.body, "first");
}

TEST(LaterAnswer, IsA500IfNobodyGivesIt) {
  LaterHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  {
    const Responder dropped = handler.responder.get_future().get();
  }
  handler.responder = {};
  EXPECT_EQ(client.read_answer().status, 500);
}

TEST(LaterAnswer, IsMadeAtTheDeadline) {
  LaterHandler handler;
  handler.deadline = SystemClock().now() + 20ms;
  handler.at_deadline = [] { return Response{200, {}, "so far"}; };
  Server server(std::ref(handler));
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kGet).body, "so far");
  handler.responder.get_future().get()(Response{500, {}, "too late"});
}

TEST(LaterAnswer, IsA503AtADeadlineWithoutAnAnswer) {
  LaterHandler handler;
  handler.deadline = SystemClock().now();
  Server server(std::ref(handler));
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kGet).status, 503);
}

TEST(LaterAnswer, IsCancelledWhenTheClientGoesAway) {
  LaterHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  const std::stop_token token = handler.cancelled.get_future().get();
  EXPECT_FALSE(token.stop_requested());
  std::promise<void> cancelled;
  const std::stop_callback on_cancel(token, [&] { cancelled.set_value(); });
  client.close();
  EXPECT_EQ(cancelled.get_future().wait_for(20s), std::future_status::ready);
}

TEST(LaterAnswer, DoesNotLoseTheRequestsThatWerePipelinedBehindIt) {
  std::promise<Responder> first;
  std::atomic<int> count = 0;
  Server server([&](const Request& r) -> Answer {
    if (count++ > 0) return echo(r);
    // The deadline only tells the test that the connection has been watched since.
    return Later{[&](Responder responder) { first.set_value(std::move(responder)); },
                 SystemClock().now(), [] { return Response{200, {}, "later"}; }};
  });
  RawClient client(server.port());
  client.send(std::string(kGet) + "GET /b HTTP/1.1\r\nHost: h\r\n\r\nGET /c HTT");
  EXPECT_EQ(client.read_answer().body, "later");
  EXPECT_EQ(client.read_answer().body, "GET /b ");
  EXPECT_EQ(client.ask("P/1.1\r\nHost: h\r\n\r\n").body, "GET /c ");
}

TEST(LaterAnswer, HoldsItsBodyAgainstTheLimitOfAllBodies) {
  LaterHandler handler;
  ServerOptions options;
  options.all_bodies_bytes_max = 1500;
  Server server([&](const Request& r) { return r.target == "/later" ? handler(r) : echo(r); },
                options);
  const auto post = [](const char* target) {
    return fmt::format("POST {} HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n{}", target,
                       std::string(1000, 'a'));
  };
  RawClient holder(server.port()), other(server.port()), bodiless(server.port());
  holder.send(post("/later"));
  const Responder responder = handler.responder.get_future().get();
  EXPECT_EQ(other.ask(post("/")).status, 503);
  EXPECT_EQ(bodiless.ask(kGet).status, 200);
  responder(Response{200, {}, ""});
  EXPECT_EQ(holder.read_answer().status, 200);
  EXPECT_EQ(holder.ask(post("/")).status, 200);
}

// --- streams -----------------------------------------------------------------------------------

struct StreamHandler {
  Answer operator()(const Request& request) {
    cancelled.set_value(request.cancelled);
    return Stream{200, {{"Content-Type", "text/event-stream"}}, [this](StreamWriter w) {
                    writer.set_value(std::move(w));
                  }};
  }
  std::promise<StreamWriter> writer;
  std::promise<std::stop_token> cancelled;
};

TEST(StreamedAnswer, ArrivesPieceByPieceAndKeepsTheConnection) {
  StreamHandler handler;
  Server server([&](const Request& r) { return r.target == "/a" ? handler(r) : echo(r); });
  RawClient client(server.port());
  client.send(kGet);
  const std::string head = client.read_until("\r\n\r\n");  // before anything is written
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  const StreamWriter writer = handler.writer.get_future().get();
  EXPECT_TRUE(writer.write("hello"));
  EXPECT_EQ(client.read_until("hello\r\n"), "5\r\nhello\r\n");
  EXPECT_TRUE(writer.write(std::string(300, 'x')));
  EXPECT_EQ(client.read_until("x\r\n"), "12c\r\n" + std::string(300, 'x') + "\r\n");
  writer.end();
  EXPECT_FALSE(writer.write("late"));
  EXPECT_EQ(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
  EXPECT_EQ(client.ask("GET /b HTTP/1.1\r\nHost: h\r\n\r\n").body, "GET /b ");
}

TEST(StreamedAnswer, EndsWithTheLastWriter) {
  Server server([](const Request&) -> Answer {
    return Stream{200, {}, [](const StreamWriter& writer) { (void)writer.write("one"); }};
  });
  RawClient client(server.port());
  client.send(kGet);
  EXPECT_TRUE(client.read_until("0\r\n\r\n").ends_with("3\r\none\r\n0\r\n\r\n"));
}

TEST(StreamedAnswer, IsBareInHttp10) {
  Server server([](const Request&) -> Answer {
    return Stream{200, {}, [](const StreamWriter& writer) { (void)writer.write("one"); }};
  });
  RawClient client(server.port());
  client.send("GET / HTTP/1.0\r\n\r\n");
  EXPECT_TRUE(client.read_to_close().ends_with("\r\n\r\none"));
}

TEST(StreamedAnswer, IsCancelledWhenTheClientGoesAway) {
  StreamHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  const StreamWriter writer = handler.writer.get_future().get();
  std::promise<void> cancelled;
  const std::stop_callback on_cancel(handler.cancelled.get_future().get(),
                                     [&] { cancelled.set_value(); });
  client.close();
  EXPECT_EQ(cancelled.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_FALSE(writer.write("x"));
}

TEST(StreamedAnswer, CutsOffAClientThatIsTooFarBehind) {
  StreamHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  const StreamWriter writer = handler.writer.get_future().get();
  const std::string chunk(64 << 10, 'x');
  std::size_t written = 0;
  // What the kernel buffers is tens of MiB at most.
  while (written < (std::size_t{256} << 20) && writer.write(chunk)) written += chunk.size();
  EXPECT_LT(written, std::size_t{256} << 20);
  EXPECT_FALSE(client.read_to_close().ends_with("0\r\n\r\n"));
}

TEST(StreamedAnswer, TellsWhenAllOfItHasLeft) {
  constexpr int kChunks = 30;  // more than the kernel buffers for a client that does not read
  const std::string chunk(900 << 10, 'x');
  std::atomic<int> told = 0;
  std::promise<void> at_once;
  StreamHandler handler;
  std::optional<StreamWriter> writer;
  std::function<void()> next = [&] {
    if (++told == 1) at_once.set_value();
    if (told <= kChunks && writer->write(chunk)) writer->when_sent(next);
  };
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  writer = handler.writer.get_future().get();
  writer->when_sent(next);  // nothing was written
  EXPECT_EQ(at_once.get_future().wait_for(20s), std::future_status::ready);
  while (told <= kChunks && !client.read_until("\r\n").empty()) {
  }
  EXPECT_EQ(told, kChunks + 1);  // and never more than one was on its way, or it had been cut off
  writer->end();
  writer->when_sent([] { ADD_FAILURE() << "nothing more is sent"; });
  EXPECT_FALSE(writer->write("x"));
}

// --- stop --------------------------------------------------------------------------------------

TEST(HttpServerStop, ClosesIdleConnectionsAtOnceAndAnswersWhatIsInFlight) {
  LaterHandler handler;
  Server server([&](const Request& r) { return r.target == "/later" ? handler(r) : echo(r); });
  RawClient idle(server.port()), busy(server.port());
  EXPECT_EQ(idle.ask(kGet).status, 200);
  busy.send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  const Responder responder = handler.responder.get_future().get();
  std::thread stopper([&] { server.stop(20s); });
  EXPECT_EQ(idle.read_to_close(), "");  // so the stop has begun
  responder(Response{200, {}, "done"});
  const Seen seen = busy.read_answer();
  EXPECT_EQ(seen.body, "done");
  EXPECT_NE(seen.head.find("Connection: close"), std::string::npos);
  busy.close();
  stopper.join();
}

TEST(HttpServerStop, CancelsWhatIsNotAnsweredWithinTheGraceTime) {
  LaterHandler handler;
  Server server(std::ref(handler));
  RawClient client(server.port());
  client.send(kGet);
  const Responder responder = handler.responder.get_future().get();
  server.stop(10ms);
  EXPECT_TRUE(handler.cancelled.get_future().get().stop_requested());
  EXPECT_EQ(client.read_to_close(), "");
  responder(Response{200, {}, "too late"});
}

TEST(HttpServerStop, MayDieBeforeItsRespondersAndWriters) {
  LaterHandler handler;
  StreamHandler streams;
  std::optional<Responder> responder;
  std::optional<StreamWriter> writer;
  {
    Server server([&](const Request& r) { return r.target == "/a" ? handler(r) : streams(r); });
    RawClient a(server.port()), b(server.port());
    a.send(kGet);
    b.send("GET /b HTTP/1.1\r\nHost: h\r\n\r\n");
    responder = handler.responder.get_future().get();
    writer = streams.writer.get_future().get();
    server.stop(0ms);
  }
  (*responder)(Response{});
  EXPECT_FALSE(writer->write("x"));
}

}  // namespace
}  // namespace avow::net
