// SPDX-License-Identifier: Apache-2.0
#include "net/http_server.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "net/server/session.h"

namespace avow::net {
namespace {

constexpr Duration kTickMax = std::chrono::milliseconds(100);
constexpr Duration kTickMin = std::chrono::milliseconds(5);
/// After accept() has failed, as it does when file descriptors run out.
constexpr Duration kAcceptPause = std::chrono::milliseconds(50);
/// Connections beyond connections_max that are told so; more are closed without a word.
constexpr std::size_t kTurnedAwayMax = 64;

/// Often enough for the shortest of the timeouts.
Duration tick_of(const ServerOptions& o) {
  const Duration shortest = std::min(
      {o.header_timeout, o.body_timeout, o.write_timeout, o.idle_timeout, o.drain_timeout});
  return std::clamp(shortest / 4, kTickMin, kTickMax);
}

class Door : public IoDoor {
 public:
  explicit Door(asio::io_context& io) : io_(&io) {}
  void post(std::function<void()> task) override {
    const std::lock_guard lock(mutex_);
    if (io_) asio::post(*io_, std::move(task));
  }
  /// Nothing reaches the I/O thread any more.
  void close() {
    const std::lock_guard lock(mutex_);
    io_ = nullptr;
  }

 private:
  std::mutex mutex_;
  asio::io_context* io_;
};

void log_escaped(const std::exception_ptr& error) {
  if (!error) return;
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    log::error("http server: a connection ended by an exception: {}", e.what());
  }
}

Result<std::optional<asio::ssl::context>> load_tls(const ServerOptions& options) {
  if (options.tls_certificate_file.empty() && options.tls_key_file.empty()) {
    return std::optional<asio::ssl::context>();
  }
  std::optional<asio::ssl::context> tls(asio::ssl::context::tls_server);
  ErrorCode error;
  tls->set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                       asio::ssl::context::no_tlsv1_1 | asio::ssl::context::no_compression,
                   error);
  if (!error) tls->use_certificate_chain_file(options.tls_certificate_file, error);
  if (error) {
    return failure(Code::kInvalidArgument, "TLS certificate file \"{}\": {}",
                   options.tls_certificate_file, error.message());
  }
  tls->use_private_key_file(options.tls_key_file, asio::ssl::context::pem, error);
  if (error) {
    return failure(Code::kInvalidArgument, "TLS key file \"{}\": {}", options.tls_key_file,
                   error.message());
  }
  return tls;
}

}  // namespace

class HttpServer::Impl {
 public:
  Impl(const ServerOptions& options, Clock& clock, Handler handler, ErrorRenderer render_error,
       std::optional<asio::ssl::context> tls)
      : request_threads_("http", options.request_threads, clock, options.request_queue_max),
        context_{options,
                 clock,
                 std::move(handler),
                 std::make_shared<const ErrorRenderer>(std::move(render_error)),
                 request_threads_,
                 door_,
                 std::move(tls)} {}

  Result<void> listen();
  void run();
  void stop(Duration grace);
  void stop_before_run() { request_threads_.stop(); }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }

 private:
  Awaitable<void> accept_connections();
  Awaitable<void> watch_deadlines();
  void admit(Socket socket);
  void drain();
  void abort_all();
  void count_sessions();
  bool wait_for_sessions(Duration timeout);

  asio::io_context io_{1};
  const std::shared_ptr<Door> door_ = std::make_shared<Door>(io_);
  ThreadPool request_threads_;
  ServerContext context_;
  Acceptor acceptor_{io_.get_executor()};
  SteadyTimer ticker_{io_.get_executor()};
  SteadyTimer accept_pause_{io_.get_executor()};
  std::uint16_t port_ = 0;
  bool is_closing_ = false;  // on the I/O thread only
  std::thread io_thread_;
  bool is_stopped_ = false;

  std::mutex mutex_;
  std::condition_variable sessions_gone_;
  bool has_sessions_ = true;  ///< As stop() sees it.
};

Result<void> HttpServer::Impl::listen() {
  const ServerOptions& options = context_.options;
  ErrorCode error;
  const std::string text = options.address == "localhost" ? "127.0.0.1" : options.address;
  const auto address = asio::ip::make_address(text, error);
  if (error) {
    return failure(Code::kInvalidArgument, "listen: \"{}\" is no IP address", options.address);
  }
  const Tcp::endpoint endpoint(address, options.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    return failure(Code::kUnavailable, "listen on {} port {}: {}", options.address, options.port,
                   error.message());
  }
  port_ = acceptor_.local_endpoint(error).port();
  return {};
}

void HttpServer::Impl::run() {
  asio::co_spawn(io_, accept_connections(), log_escaped);
  asio::co_spawn(io_, watch_deadlines(), log_escaped);
  io_thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "http-io");
    for (;;) {
      try {
        io_.run();
        return;
      } catch (const std::exception& e) {
        // Only memory can be short here. The one connection is lost, the others go on.
        log::error("http server: {}", e.what());
      }
    }
  });
}

Awaitable<void> HttpServer::Impl::accept_connections() {
  while (acceptor_.is_open()) {
    auto [error, socket] = co_await acceptor_.async_accept(kAsTuple);
    if (!error) {
      admit(std::move(socket));
    } else if (acceptor_.is_open()) {
      log::warning("http server: accept: {}", error.message());
      accept_pause_.expires_after(kAcceptPause);
      const auto [cancelled] = co_await accept_pause_.async_wait(kAsTuple);
      if (cancelled) co_return;
    }
  }
}

void HttpServer::Impl::admit(Socket socket) {
  const std::size_t count = context_.sessions.size();
  const bool is_full = count >= context_.options.connections_max;
  if (is_full && (context_.tls || count >= context_.options.connections_max + kTurnedAwayMax)) {
    return;  // closed without a word
  }
  auto session = std::make_shared<Session>(context_, std::move(socket));
  auto life = is_full ? Session::turn_away(std::move(session)) : Session::serve(std::move(session));
  asio::co_spawn(io_, std::move(life), log_escaped);
}

Awaitable<void> HttpServer::Impl::watch_deadlines() {
  const Duration period = tick_of(context_.options);
  for (;;) {
    ticker_.expires_after(period);
    const auto [cancelled] = co_await ticker_.async_wait(kAsTuple);
    // A tick that had expired when cancel() came is not told of it.
    if (cancelled || is_closing_) co_return;
    const auto now = SteadyClock::now();
    const Time wall_time = context_.clock.now();
    for (Session* session : context_.sessions) session->tick(now, wall_time);
    if (context_.is_draining) count_sessions();
  }
}

void HttpServer::Impl::drain() {
  context_.is_draining = true;
  ErrorCode ignored;
  acceptor_.close(ignored);
  accept_pause_.cancel();
  // A session that is closed may end at once and leave the set.
  const std::vector<Session*> sessions(context_.sessions.begin(), context_.sessions.end());
  for (Session* session : sessions) session->close_if_idle();
  asio::post(io_, [this] { count_sessions(); });
}

void HttpServer::Impl::abort_all() {
  std::vector<std::shared_ptr<Session>> sessions;
  for (Session* session : context_.sessions) sessions.push_back(session->shared_from_this());
  for (const auto& session : sessions) session->abort();
  sessions.clear();
  asio::post(io_, [this] { count_sessions(); });
}

void HttpServer::Impl::count_sessions() {
  if (!context_.sessions.empty()) return;
  {
    const std::lock_guard lock(mutex_);
    has_sessions_ = false;
  }
  sessions_gone_.notify_one();
}

bool HttpServer::Impl::wait_for_sessions(Duration timeout) {
  std::unique_lock lock(mutex_);
  return sessions_gone_.wait_for(lock, timeout, [this] { return !has_sessions_; });
}

void HttpServer::Impl::stop(Duration grace) {
  CHECK(!is_stopped_);
  door_->post([this] { drain(); });
  if (!wait_for_sessions(grace)) {
    door_->post([this] { abort_all(); });
    // Nothing in a session waits for anything but its socket, which is closed: this is soon.
    while (!wait_for_sessions(kTickMax)) {
    }
  }
  door_->close();
  request_threads_.stop();
  asio::post(io_, [this] {
    is_closing_ = true;
    ticker_.cancel();
  });
  io_thread_.join();
  is_stopped_ = true;
}

Result<std::unique_ptr<HttpServer>> HttpServer::start(const ServerOptions& options, Clock& clock,
                                                      Handler handler, ErrorRenderer render_error) {
  ASSIGN_OR_RETURN(auto tls, load_tls(options));
  auto impl = std::make_unique<Impl>(options, clock, std::move(handler), std::move(render_error),
                                     std::move(tls));
  if (auto listening = impl->listen(); !listening) {
    impl->stop_before_run();
    return listening.error();
  }
  impl->run();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() { CHECK(impl_->is_stopped()); }

std::uint16_t HttpServer::port() const { return impl_->port(); }

void HttpServer::stop(Duration grace) { impl_->stop(grace); }

}  // namespace avow::net
