// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <future>
#include <latch>
#include <thread>

#include "net/http_server.h"
#include "net/thread_pool.h"

namespace avow::net {
namespace {

using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace): the literals only

Response render_error(int status, std::string_view, const Request*) { return {status}; }

struct Server {
  explicit Server(Handler handler, const ServerOptions& options = {}) {
    auto started = HttpServer::start(options, clock, std::move(handler), render_error);
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
    http = std::move(*started);
  }
  ~Server() { http->stop(0ms); }
  [[nodiscard]] std::string url(std::string_view path) const {
    return fmt::format("http://127.0.0.1:{}{}", http->port(), path);
  }
  SystemClock clock;
  std::unique_ptr<HttpServer> http;
};

AddressPolicy loopback() { return {{*Cidr::parse("127.0.0.0/8")}}; }

struct Client {
  explicit Client(const ClientOptions& options = {loopback()}) : http(options, clock) {}
  ~Client() { http.stop(); }
  Result<ClientResponse> send(ClientRequest request, Duration timeout = 20s) {
    return send_blocking(http, std::move(request), timeout);
  }
  Result<ClientResponse> get(std::string url) { return send({"GET", std::move(url)}); }
  SystemClock clock;
  CurlClient http;
};

/// A port of this machine on which a bare socket listens.
struct Listener {
  Listener() : socket(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* plain = reinterpret_cast<sockaddr*>(&address);  // NOLINT: that is how bind() is called
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(socket, plain, length), 0);
    EXPECT_EQ(::listen(socket, 8), 0);
    EXPECT_EQ(::getsockname(socket, plain, &length), 0);
    port = ntohs(address.sin_port);
  }
  ~Listener() { close(); }
  void close() {
    if (socket >= 0) ::close(socket);
    socket = -1;
  }
  int socket;
  std::uint16_t port = 0;
};

Answer echo(const Request& request) {
  const std::string* extra = request.headers.find("X-Extra");
  const std::string* type = request.headers.find("Content-Type");
  return Response{200,
                  {{"X-Reply", "yes"}},
                  fmt::format("{} {} [{}] extra={} type={}", request.method, request.target,
                              request.body, extra ? *extra : "-", type ? *type : "-")};
}

Code code_of(const Result<ClientResponse>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Code::kInternal : result.error().code;
}

TEST(CurlClient, TellsABodyPieceByPieceBeforeItsEnd) {
  std::promise<StreamWriter> made;
  Server server([&](const Request& request) -> Answer {
    if (request.target == "/no") return Response{404, {}, "not this"};
    return Stream{200, {}, [&](StreamWriter writer) { made.set_value(std::move(writer)); }};
  });
  Client client;
  SystemClock clock;
  ThreadPool pool("pieces", 1, clock);
  const auto strand = pool.make_strand();
  std::promise<std::string> first;
  std::string all;
  std::promise<ClientResponse> done;
  ClientRequest request{"GET", server.url("/")};
  request.on_piece = [&](std::string_view piece) {
    if (all.empty()) first.set_value(std::string(piece));
    all += piece;
  };
  client.http.send(request, clock.now() + 20s, {}, *strand,
                   [&](Result<ClientResponse> response) { done.set_value(*response); });
  const StreamWriter writer = made.get_future().get();
  EXPECT_TRUE(writer.write("one"));
  EXPECT_EQ(first.get_future().get(), "one");  // and the body has not ended
  EXPECT_TRUE(writer.write("two"));
  writer.end();
  EXPECT_EQ(done.get_future().get().body, "onetwo");
  EXPECT_EQ(all, "onetwo");

  request.url = server.url("/no");
  request.on_piece = [](std::string_view piece) { ADD_FAILURE() << piece; };
  EXPECT_EQ(client.send(request)->body, "not this");
  pool.stop();
}

TEST(CurlClient, SendsMethodHeadersAndBodyAndReadsTheAnswer) {
  Server server(echo);
  Client client;
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    for (const char* body : {"", "b\"y"}) {
      ClientRequest request{method, server.url("/a?b=c")};
      request.headers = {{"X-Extra", "e"}, {"Content-Type", "text/x"}};
      request.body = body;
      const auto got = client.send(request);
      ASSERT_TRUE(got) << method;
      EXPECT_EQ(got->status, 200);
      EXPECT_EQ(got->body, fmt::format("{} /a?b=c [{}] extra=e type=text/x", method, body));
      EXPECT_EQ(*got->headers.find("x-reply"), "yes");
    }
  }
}

TEST(CurlClient, AddsNoContentTypeAndTakesAnyStatusAsAnAnswer) {
  Server server([](const Request& r) -> Answer {
    return Response{
        r.headers.find("Content-Type") || r.headers.find("Expect") ? 500 : 404, {}, "no"};
  });
  Client client;
  ClientRequest request{"POST", server.url("/")};
  request.body = std::string(3 << 20, 'a');
  EXPECT_EQ(client.send(request)->status, 404);
  EXPECT_EQ(client.send({"HEAD", server.url("/")})->body, "");
}

TEST(CurlClient, RefusesAddressesOutsideThePolicyHoweverTheyAreSpelt) {
  std::atomic<int> asked = 0;
  Server server([&](const Request& r) {
    ++asked;
    return echo(r);
  });
  Client client{ClientOptions{}};
  const auto port = server.http->port();
  for (const char* host :
       {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "017700000001", "127.1",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::1]", "0.0.0.0", "[::]", "10.0.0.1",
        "169.254.169.254", "[fe80::1]", "[fd00::1]", "[64:ff9b::7f00:1]"}) {
    EXPECT_EQ(code_of(client.get(fmt::format("http://{}:{}/", host, port))),
              Code::kPermissionDenied)
        << host;
  }
  EXPECT_EQ(asked, 0);
}

TEST(CurlClient, SendsSecretsOverPlainHttpOnlyToListedAddresses) {
  Server server(echo);
  Client client;
  ClientRequest request{"GET", server.url("/")};
  request.has_secrets = true;
  EXPECT_TRUE(client.send(request));
  request.url = "http://8.8.8.8/";  // public, so allowed otherwise; refused before any packet
  EXPECT_EQ(code_of(client.send(request)), Code::kPermissionDenied);
}

TEST(CurlClient, RefusesUrlsMethodsAndHeadersThatAreNotOnes) {
  Client client;
  for (const char* url :
       {"", "example.org", "/a", "ftp://example.org/", "file:///etc/passwd", "gopher://h/",
        "http://", "http://u:p@example.org/", "http://u@example.org/", "http://a b/",
        "http://example.org/\r\nX: y", "http://example.org:99999/"}) {
    EXPECT_EQ(code_of(client.get(url)), Code::kInvalidArgument) << url;
  }
  EXPECT_EQ(code_of(client.get(std::string("http://127.0.0.1\0.example.org/", 30))),
            Code::kInvalidArgument);
  const Header bad[] = {{"X", "a\r\nY: b"},
                        {"X Y", "z"},
                        {"", "z"},
                        {"Content-Length", "1"},
                        {"Transfer-Encoding", "chunked"}};
  for (const Header& header : bad) {
    ClientRequest request{"GET", "http://127.0.0.1:1/"};
    request.headers.add(header.name, header.value);
    EXPECT_EQ(code_of(client.send(request)), Code::kInvalidArgument) << header.name;
  }
  EXPECT_EQ(code_of(client.send({"GET / HTTP/1.1\r\n", "http://127.0.0.1:1/"})),
            Code::kInvalidArgument);
}

TEST(CurlClient, SaysUnavailableWhenNothingWasSent) {
  Listener listener;
  listener.close();
  Client client;
  EXPECT_EQ(code_of(client.get(fmt::format("http://127.0.0.1:{}/", listener.port))),
            Code::kUnavailable);
  EXPECT_EQ(code_of(client.get("http://does-not-exist.invalid/")), Code::kUnavailable);
}

TEST(CurlClient, SaysOutcomeUnknownWhenTheConnectionIsLostAfterTheRequest) {
  for (const char* answer :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "HTTP/1.1 2"}) {
    Listener listener;
    std::thread peer([&] {
      const int connection = ::accept(listener.socket, nullptr, nullptr);
      char buffer[4096];
      EXPECT_GT(::recv(connection, buffer, sizeof buffer, 0), 0);
      EXPECT_GE(::send(connection, answer, std::strlen(answer), MSG_NOSIGNAL), 0);
      ::close(connection);
    });
    Client client;
    ClientRequest request{"POST", fmt::format("http://127.0.0.1:{}/", listener.port)};
    request.body = "pay";
    EXPECT_EQ(code_of(client.send(request)), Code::kOutcomeUnknown) << answer;
    peer.join();
  }
}

/// A handler that never answers, and tells when its request was cancelled.
struct Silent {
  Answer operator()(const Request& request) {
    on_cancel.emplace(request.cancelled, [this] { cancelled.set_value(); });
    asked.set_value();
    return Later{[this](const Responder& r) { responder = r; }};
  }
  std::promise<void> asked, cancelled;
  std::optional<Responder> responder;
  std::optional<std::stop_callback<std::function<void()>>> on_cancel;
};

TEST(CurlClient, GivesUpAtTheDeadlineAndClosesTheConnection) {
  Silent silent;
  Server server(std::ref(silent));
  Client client;
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(code_of(client.send({"GET", server.url("/")}, 50ms)), Code::kDeadlineExceeded);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 49ms);
  EXPECT_EQ(silent.cancelled.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_EQ(code_of(client.send({"GET", server.url("/")}, -1ms)), Code::kDeadlineExceeded);
}

struct Strand {
  Strand() : pool("test", 1, clock), executor(pool.make_strand()) {}
  ~Strand() { pool.stop(); }
  SystemClock clock;
  ThreadPool pool;
  std::unique_ptr<Executor> executor;
};

TEST(CurlClient, StopsACallWhenAskedToAndCallsBackOnTheExecutor) {
  Silent silent;
  Server server(std::ref(silent));
  Strand strand;
  Client client;
  std::stop_source source;
  std::promise<std::pair<Code, std::thread::id>> ended;
  client.http.send({"GET", server.url("/")}, client.clock.now() + 60s, source.get_token(),
                   *strand.executor, [&](Result<ClientResponse> result) {
                     ended.set_value({code_of(result), std::this_thread::get_id()});
                   });
  silent.asked.get_future().wait();
  source.request_stop();
  const auto [code, thread] = ended.get_future().get();
  EXPECT_EQ(code, Code::kCancelled);
  std::promise<std::thread::id> of_strand;
  strand.executor->post([&] { of_strand.set_value(std::this_thread::get_id()); });
  EXPECT_EQ(thread, of_strand.get_future().get());

  std::promise<Code> again;
  client.http.send({"GET", server.url("/")}, client.clock.now() + 60s, source.get_token(),
                   *strand.executor,
                   [&](Result<ClientResponse> result) { again.set_value(code_of(result)); });
  EXPECT_EQ(again.get_future().get(), Code::kCancelled);
}

TEST(CurlClient, CancelsItsCallsWhenItStops) {
  Silent silent;
  Server server(std::ref(silent));
  Strand strand;
  std::promise<Code> ended, after;
  SystemClock clock;
  CurlClient client({loopback()}, clock);
  client.send({"GET", server.url("/")}, clock.now() + 60s, {}, *strand.executor,
              [&](Result<ClientResponse> result) { ended.set_value(code_of(result)); });
  silent.asked.get_future().wait();
  client.stop();
  EXPECT_EQ(ended.get_future().get(), Code::kCancelled);
  client.send({"GET", server.url("/")}, clock.now() + 60s, {}, *strand.executor,
              [&](Result<ClientResponse> result) { after.set_value(code_of(result)); });
  EXPECT_EQ(after.get_future().get(), Code::kCancelled);
}

TEST(CurlClient, MakesManyCallsAtOnceAndRefusesThoseAboveItsLimit) {
  Server server(echo);
  Strand strand;
  Client client(ClientOptions{loopback(), "", "", "test", 1000});
  std::latch all(1200);
  std::atomic<int> answered = 0, refused = 0;
  for (int i = 0; i < 1200; ++i) {
    client.http.send({"GET", server.url("/")}, client.clock.now() + 60s, {}, *strand.executor,
                     [&](Result<ClientResponse> result) {
                       if (result) ++answered;
                       if (!result && result.error().code == Code::kResourceExhausted) ++refused;
                       all.count_down();
                     });
  }
  all.wait();
  EXPECT_EQ(answered + refused, 1200);
  EXPECT_GE(answered, 1000);
}

TEST(CurlClient, BoundsTheBodyOfTheAnswer) {
  Server server([](const Request& r) -> Answer {
    std::string body(1000, 'a');
    if (r.target == "/length") return Response{200, {}, std::move(body)};
    return Stream{200, {}, [body](const StreamWriter& w) { (void)w.write(body); }};
  });
  Client client;
  for (const char* path : {"/length", "/chunked"}) {
    ClientRequest request{"GET", server.url(path)};
    request.response_bytes_max = 1000;
    EXPECT_EQ(client.send(request)->body.size(), 1000U) << path;
    request.response_bytes_max = 999;
    EXPECT_EQ(code_of(client.send(request)), Code::kResourceExhausted) << path;
  }
}

TEST(CurlClient, BoundsTheHeadersOfTheAnswer) {
  Server server([](const Request&) -> Answer {
    return Response{200, {{"X", std::string(70 << 10, 'a')}}, ""};
  });
  Client client;
  EXPECT_EQ(code_of(client.get(server.url("/"))), Code::kResourceExhausted);
}

TEST(CurlClient, AsksNoProxyThatTheEnvironmentNames) {
  Listener closed;
  closed.close();
  const std::string proxy = fmt::format("http://127.0.0.1:{}", closed.port);
  ::setenv("http_proxy", proxy.c_str(), 1);
  ::setenv("ALL_PROXY", proxy.c_str(), 1);
  Server server(echo);
  Client client;
  EXPECT_TRUE(client.get(server.url("/")));
  ::unsetenv("http_proxy");
  ::unsetenv("ALL_PROXY");
}

TEST(CurlClient, AsksTheProxyOfItsOptions) {
  Server proxy(echo);  // it sees the absolute form and answers itself
  Client client(ClientOptions{{}, proxy.url("")});
  EXPECT_EQ(client.get("http://example.invalid/x")->body, "GET /x [] extra=- type=-");
  EXPECT_EQ(code_of(client.get("http://10.0.0.1/x")), Code::kPermissionDenied);
  ClientRequest secret{"GET", "http://example.invalid/x"};
  secret.has_secrets = true;
  EXPECT_EQ(code_of(client.send(secret)), Code::kPermissionDenied);
}

// --- redirects ---------------------------------------------------------------------------------

/// "/NNN?to=URL" answers with status NNN and that location.
Answer redirector(const Request& request) {
  const std::string* to = request.query_value("to");
  if (!to) return echo(request);
  return Response{std::stoi(request.segments.at(0)), {{"Location", *to}}, "moved"};
}

struct Redirects : testing::Test {
  ClientRequest request(int status, std::string_view to, std::string method = "GET") {
    ClientRequest r{std::move(method), server.url(fmt::format("/{}?to={}", status, to))};
    r.headers = {{"X-Extra", "secret"}, {"Content-Type", "text/x"}};
    r.drop_on_redirect = {"x-extra"};
    r.follow_redirects = true;
    if (r.method != "GET") r.body = "b";
    return r;
  }
  Server server{redirector};
  Server other{redirector};
  Client client;
};

TEST_F(Redirects, AreAnswersUnlessTheyAreToBeFollowed) {
  ClientRequest plain = request(302, "/x");
  plain.follow_redirects = false;
  const auto got = client.send(plain);
  EXPECT_EQ(got->status, 302);
  EXPECT_EQ(*got->headers.find("Location"), "/x");
  EXPECT_EQ(got->body, "moved");
}

TEST_F(Redirects, KeepOrChangeTheMethodAsTheStatusSays) {
  const auto body = [&](int status, const char* method) {
    return client.send(request(status, "/x", method))->body;
  };
  EXPECT_EQ(body(301, "POST"), "GET /x [] extra=secret type=-");
  EXPECT_EQ(body(302, "POST"), "GET /x [] extra=secret type=-");
  EXPECT_EQ(body(303, "PUT"), "GET /x [] extra=secret type=-");
  EXPECT_EQ(body(302, "PUT"), "PUT /x [b] extra=secret type=text/x");
  EXPECT_EQ(body(307, "POST"), "POST /x [b] extra=secret type=text/x");
  EXPECT_EQ(body(308, "POST"), "POST /x [b] extra=secret type=text/x");
}

TEST_F(Redirects, DropTheNamedHeadersOnTheWayToAnotherOrigin) {
  EXPECT_EQ(client.send(request(307, other.url("/x")))->body, "GET /x [] extra=- type=text/x");
  const std::string by_name = fmt::format("http://localhost:{}/x", server.http->port());
  EXPECT_EQ(client.send(request(307, by_name))->body, "GET /x [] extra=- type=text/x");
  EXPECT_EQ(client.send(request(307, server.url("/x")))->body,
            "GET /x [] extra=secret type=text/x");
}

TEST_F(Redirects, AreCheckedLikeTheFirstUrl) {
  EXPECT_EQ(code_of(client.send(request(302, "file:///etc/passwd"))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(client.send(request(302, "http://u:p@127.0.0.1/"))), Code::kInvalidArgument);
  EXPECT_EQ(code_of(client.send(request(302, "http://10.0.0.1/"))), Code::kPermissionDenied);
  EXPECT_EQ(code_of(client.send(request(302, "http://[::1]/"))), Code::kPermissionDenied);
}

TEST_F(Redirects, EndAfterFive) {
  Server loop([](const Request& r) -> Answer {
    const int left = std::stoi(r.segments.at(0));
    if (left == 0) return Response{200, {}, "there"};
    return Response{302, {{"Location", fmt::format("/{}", left - 1)}}, ""};
  });
  ClientRequest r{"GET", loop.url("/5")};
  r.follow_redirects = true;
  EXPECT_EQ(client.send(r)->body, "there");
  r.url = loop.url("/6");
  EXPECT_EQ(code_of(client.send(r)), Code::kInvalidArgument);
}

TEST_F(Redirects, ThatLeadNowhereHaveAnUnknownOutcome) {
  Listener closed;
  closed.close();
  EXPECT_EQ(
      code_of(client.send(request(307, fmt::format("http://127.0.0.1:{}/", closed.port), "POST"))),
      Code::kOutcomeUnknown);
}

// --- TLS ---------------------------------------------------------------------------------------

/// A fresh self-signed certificate for "localhost" and its key, as files.
struct Certificate {
  Certificate() {
    EVP_PKEY* key = EVP_EC_gen("P-256");
    X509* x509 = X509_new();
    X509_set_version(x509, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(X509_getm_notAfter(x509), 3600);
    X509_set_pubkey(x509, key);
    X509_NAME* name = X509_get_subject_name(x509);
    const auto* common =
        reinterpret_cast<const unsigned char*>("localhost");  // NOLINT: C interface
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, common, -1, -1, 0);
    X509_set_issuer_name(x509, name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x509, names, -1);
    X509_sign(x509, key, EVP_sha256());
    std::FILE* file = std::fopen(certificate_file.c_str(), "w");
    PEM_write_X509(file, x509);
    std::fclose(file);
    file = std::fopen(key_file.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_EXTENSION_free(names);
    X509_free(x509);
    EVP_PKEY_free(key);
  }
  ~Certificate() {
    std::remove(certificate_file.c_str());
    std::remove(key_file.c_str());
  }
  const std::string stem = fmt::format("{}avow-net-test-{}", testing::TempDir(), ::getpid());
  const std::string certificate_file = stem + ".crt";
  const std::string key_file = stem + ".key";
};

TEST(Tls, CarriesRequestsToAServerThatIsTrustedUnderItsName) {
  const Certificate certificate;
  ServerOptions options;
  options.tls_certificate_file = certificate.certificate_file;
  options.tls_key_file = certificate.key_file;
  Server server(
      [](const Request& r) -> Answer {
        return Response{200, {}, fmt::format("{} {}", r.tls, r.body.size())};
      },
      options);
  const std::string by_name = fmt::format("https://localhost:{}/", server.http->port());
  const std::string by_address = fmt::format("https://127.0.0.1:{}/", server.http->port());
  ClientRequest request{"POST", by_name};
  request.body = std::string(1 << 20, 'a');
  request.has_secrets = true;
  ClientOptions trusting{loopback()};
  trusting.extra_ca_file = certificate.certificate_file;
  Client client(trusting);
  for (int i = 0; i < 3; ++i) {
    const auto got = client.send(request);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->body, "true 1048576");
  }
  request.body = std::string(5 << 20, 'a');
  EXPECT_EQ(client.send(request)->status, 413);
  EXPECT_EQ(code_of(client.get(by_address)), Code::kUnavailable);
  Client stranger;
  EXPECT_EQ(code_of(stranger.get(by_name)), Code::kUnavailable);
  EXPECT_EQ(code_of(client.get(fmt::format("http://localhost:{}/", server.http->port()))),
            Code::kOutcomeUnknown);
}

TEST(Tls, DoesNotStartWithAFileThatHoldsNoKey) {
  const Certificate certificate;
  ServerOptions options;
  options.tls_certificate_file = certificate.certificate_file;
  options.tls_key_file = certificate.certificate_file;
  SystemClock clock;
  EXPECT_EQ(HttpServer::start(options, clock, echo, render_error).error().code,
            Code::kInvalidArgument);
}

}  // namespace
}  // namespace avow::net
