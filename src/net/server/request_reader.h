// SPDX-License-Identifier: Apache-2.0
// net/server/request_reader.h: bytes to a Request, without I/O (RFC 9112).
// Beast reads the grammar of lines, fields and chunks; what Beast would repair (folded lines,
// repeated Content-Length, codings before chunked, trailers) is refused or dropped here. The bytes
// are untrusted. One thread.
#pragma once
#include <cstddef>
#include <memory>
#include <string_view>

#include "net/http.h"

namespace avow::net {

class RequestReader {
 public:
  enum class State {
    kHead,     ///< Waits for the whole of the request line and the fields.
    kBody,     ///< The head is good; reads the body.
    kDone,     ///< take() the request.
    kRefused,  ///< See fault(); the connection is lost.
  };
  struct Fault {
    int status;  ///< 400, 413 or 431.
    const char* reason;
  };

  RequestReader(std::size_t header_bytes_max, std::size_t body_bytes_max);
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  /// Reads on; returns how many bytes of `input` are used up. The rest must come again, with more
  /// behind it. Call it in kHead and kBody only.
  std::size_t feed(std::string_view input);

  [[nodiscard]] State state() const;
  [[nodiscard]] const Fault& fault() const;
  /// In kBody: the client waits for "100 Continue" (RFC 9110, section 10.1.1).
  [[nodiscard]] bool expects_continue() const;

  // From kBody on; in kRefused if the head was good.
  [[nodiscard]] bool is_head_method() const;
  [[nodiscard]] bool is_http_1_0() const;
  [[nodiscard]] bool keeps_alive() const;
  /// How much of the body is here.
  [[nodiscard]] std::size_t body_bytes() const;
  /// Null pointer before the head is good.
  [[nodiscard]] const Request* request() const;

  /// In kDone: the request, and back to kHead for the next.
  Request take();
  /// When the connection is lost: lets go of the request's memory.
  void forget();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace avow::net
