// SPDX-License-Identifier: Apache-2.0
// net/server/asio.h: the few Asio types that the server uses, with concrete executors (a
// type-erased one costs an allocation here and there). Included by the files with coroutines only.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <utility>

namespace avow::net {

namespace asio = boost::asio;
using ErrorCode = boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using IoExecutor = asio::io_context::executor_type;
using Tcp = asio::ip::tcp;
using Socket = asio::basic_stream_socket<Tcp, IoExecutor>;
using Acceptor = asio::basic_socket_acceptor<Tcp, IoExecutor>;
using SteadyTimer =
    asio::basic_waitable_timer<SteadyClock, asio::wait_traits<SteadyClock>, IoExecutor>;
template <class T>
using Awaitable = asio::awaitable<T, IoExecutor>;
using UseAwaitable = asio::use_awaitable_t<IoExecutor>;

/// Errors of the network come back as values.
inline constexpr asio::as_tuple_t<UseAwaitable> kAsTuple{};

/// Wakes the one coroutine that waits for it, on its own thread. A wake-up that nobody waits for is
/// kept; several are one, so the coroutine looks at the state itself when it wakes.
class WakeUp {
 public:
  /// Resumes the coroutine inside this call, so it is the caller's last act.
  void announce() {
    is_announced_ = true;
    if (!waiter_) return;
    Handler waiter = std::move(*waiter_);
    waiter_.reset();
    waiter();
  }

  Awaitable<void> next() {
    // A coroutine must not be resumed before it has stopped, so what is there already is no wait.
    if (!is_announced_) co_await wait();
    is_announced_ = false;
  }

 private:
  using Handler = asio::async_result<UseAwaitable, void()>::handler_type;

  Awaitable<void> wait() {
    return asio::async_initiate<const UseAwaitable, void()>(
        [](Handler handler, WakeUp* self) { self->waiter_.emplace(std::move(handler)); },
        asio::use_awaitable_t<IoExecutor>(), this);
  }

  std::optional<Handler> waiter_;
  bool is_announced_ = false;
};

/// A TCP connection with TLS or without.
class Transport {
 public:
  /// `tls` is null for plain text; it outlives the transport.
  Transport(Socket socket, asio::ssl::context* tls) : socket_(std::move(socket)) {
    if (tls) tls_.emplace(socket_, *tls);
  }

  [[nodiscard]] bool is_tls() const { return tls_.has_value(); }
  Socket& socket() { return socket_; }
  asio::ssl::stream<Socket&>& tls() { return *tls_; }

  template <class Token>
  auto async_read_some(asio::mutable_buffer buffer, Token&& token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [](auto handler, Transport* self, asio::mutable_buffer into) {
          if (self->tls_) {
            self->tls_->async_read_some(into, std::move(handler));
          } else {
            self->socket_.async_read_some(into, std::move(handler));
          }
        },
        token, this, buffer);
  }

  template <class Buffers, class Token>
  auto async_write_some(const Buffers& buffers, Token&& token) {
    return asio::async_initiate<Token, void(ErrorCode, std::size_t)>(
        [](auto handler, Transport* self, const Buffers& from) {
          if (self->tls_) {
            self->tls_->async_write_some(from, std::move(handler));
          } else {
            self->socket_.async_write_some(from, std::move(handler));
          }
        },
        token, this, buffers);
  }

 private:
  Socket socket_;
  std::optional<asio::ssl::stream<Socket&>> tls_;
};

}  // namespace avow::net
