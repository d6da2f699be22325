// SPDX-License-Identifier: Apache-2.0
// net/http_server.h: an HTTP/1.1 server (RFC 9112) with optional TLS.
// One I/O thread reads and writes, request threads run the handler: a slow client holds no request
// thread, a slow handler no connection but its own. Requests of one connection are answered one
// after the other, so pipelining is safe. What is malformed or ambiguous (two Content-Length or
// Host, Content-Length with Transfer-Encoding, folded lines, bare line feeds, bad percent-encoding,
// control characters) is refused with 400 and the connection closed, never repaired.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "net/http.h"

namespace avow::net {

struct ServerOptions {
  std::string address = "127.0.0.1";  ///< An IPv4 or IPv6 address, or "localhost" (127.0.0.1).
  std::uint16_t port = 0;             ///< 0: the system chooses, see HttpServer::port().
  int request_threads = 8;
  std::size_t request_queue_max = 1024;  ///< Requests that wait for a thread; beyond: 503.
  std::size_t connections_max = 4096;    ///< Beyond: 503 and closed.
  std::size_t header_bytes_max = std::size_t{16} << 10;  ///< With the request line; beyond: 431.
  std::size_t body_bytes_max = std::size_t{4} << 20;  ///< Beyond: 413, before reading if declared.
  /// Of all requests that are being read or answered; the body that goes beyond gets a 503.
  std::size_t all_bodies_bytes_max = std::size_t{256} << 20;
  std::size_t stream_backlog_max = std::size_t{1} << 20;  ///< Of one Stream; beyond: cut off.
  std::size_t drain_bytes_max = std::size_t{8} << 20;     ///< Read on after an early refusal.
  Duration drain_timeout = std::chrono::seconds(2);       ///< The same.
  Duration header_timeout = std::chrono::seconds(10);     ///< From the first byte; beyond: 408.
  Duration body_timeout = std::chrono::seconds(60);       ///< For the whole body; beyond: 408.
  Duration write_timeout = std::chrono::seconds(60);      ///< Without progress; beyond: closed.
  Duration idle_timeout = std::chrono::seconds(60);       ///< Between requests; beyond: closed.
  /// PEM files for TLS 1.2 and above; both or neither.
  std::string tls_certificate_file = {};  ///< The chain, leaf first.
  std::string tls_key_file = {};
};

class HttpServer {
 public:
  /// Listens and serves. `clock` (for Later::deadline) must outlive the server.
  /// Errors: kInvalidArgument  the address, or the TLS files
  ///         kUnavailable      the address cannot be bound
  static Result<std::unique_ptr<HttpServer>> start(const ServerOptions& options, Clock& clock,
                                                   Handler handler, ErrorRenderer render_error);
  /// CHECKs that stop() was called.
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;

  /// Accepts no more, closes idle connections at once and others after their answer; what is not
  /// answered after `grace` is cancelled and closed. Returns when no handler runs any more and the
  /// threads are joined. Once; not from a handler.
  /// Responders and StreamWriters may outlive the server; using them then does nothing.
  void stop(Duration grace);

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace avow::net
