// SPDX-License-Identifier: Apache-2.0
// bench/http_message.h: just enough of HTTP/1.1 for a load driver that must cost little beside the
// server it measures. Trusts its peers: the server under test, and a stub of our own.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace avow::bench {

struct HttpMessage {
  int status = 0;         ///< 0 in a request.
  std::string_view body;  ///< In the buffer that was given.
  std::size_t bytes = 0;  ///< How much of the buffer the message takes.
};

/// The first message in `buffer`, if all of it is there. Knows Content-Length only: a message
/// without it has no body.
std::optional<HttpMessage> first_message(std::string_view buffer);

struct HttpRequest {
  std::string_view path;
  std::string_view api_key;
  std::string_view prefer;  ///< Of the header Prefer; empty: none.
  std::string_view body;    ///< JSON.
};

/// The bytes of a POST.
std::string post(const HttpRequest& request);

/// The bytes of a GET.
std::string get(std::string_view path, std::string_view api_key);

/// The value of the first member `name` that is a string without escapes; empty if there is none.
std::string_view first_string(std::string_view body, std::string_view name);

/// Whether the JSON object `body` has the member "status": "completed" at its top. Stops there.
bool is_completed(std::string_view body);

}  // namespace avow::bench
