// SPDX-License-Identifier: Apache-2.0
// net/server/response_head.h: status line and fields of an answer to bytes (RFC 9112). Pure.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "net/http.h"

namespace avow::net {

/// How the client finds the end of the body.
enum class Framing {
  kLength,    ///< Content-Length.
  kChunked,   ///< Transfer-Encoding: chunked.
  kUntilEnd,  ///< It ends with the connection (HTTP/1.0).
};

/// Replaces `out` by the head of an answer. Framing, Date and Connection are the server's: fields
/// of these names in `headers` are left out, as are ill-formed names; control characters in values
/// become
/// '?'. `length` counts for kLength; statuses without a body (204, 304) get no framing.
void write_head(std::string& out, int status, const Headers& headers, Framing framing,
                std::size_t length, bool keeps_alive);

/// Whether an answer of this status has a body at all.
bool has_body(int status);

/// `chunk` in the chunked coding, appended. An empty one would end the body, so it adds nothing.
void write_chunk(std::string& out, std::string_view chunk);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace avow::net
