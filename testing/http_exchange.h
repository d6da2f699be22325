// SPDX-License-Identifier: Apache-2.0
// testing/http_exchange.h: one HTTP exchange over a plain socket, for tests of the real program.
// Blocking; shares no code with the client under src/net, so that what is sent is exactly what the
// test says. Any thread.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "base/time.h"
#include "json/value.h"
#include "net/http.h"

namespace avow::testing {

struct HttpCall {
  std::string method = "GET";
  std::string target = "/";
  net::Headers headers = {};
  std::string body = {};
};

struct HttpReply {
  int status = 0;  ///< 0: the connection ended, or the time, before a whole answer.
  net::Headers headers = {};
  std::string body = {};

  /// The body as JSON; null if it is none.
  [[nodiscard]] json::Value json() const;
};

/// How a connection is used.
struct Exchange {
  std::uint16_t port = 0;
  std::string source = "127.0.0.1";             ///< The loopback address that calls.
  Duration timeout = std::chrono::seconds(70);  ///< For each read.
};

/// The bytes of `call` with Host, Connection: close, and Content-Length where there is a body.
std::string request_bytes(const HttpCall& call);
/// Sends `bytes` on a connection of their own and reads one answer.
HttpReply exchange_bytes(const Exchange& exchange, std::string_view bytes);
HttpReply exchange(const Exchange& exchange, const HttpCall& call);

/// The value at `pointer` (RFC 6901); null if there is none.
json::Value value_at(const json::Value& value, std::string_view pointer);

}  // namespace avow::testing

namespace avow::json {
/// How GoogleTest shows a value.
void PrintTo(const Value& value, std::ostream* out);
}  // namespace avow::json
