// SPDX-License-Identifier: Apache-2.0
#include "net/server/response_head.h"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <iterator>

#include "net/characters.h"

namespace avow::net {
namespace {

/// "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (RFC 9110, section 5.6.7), made once a second a
/// thread.
std::string_view date_field() {
  thread_local std::time_t second = -1;
  thread_local std::string field;
  const std::time_t now = std::time(nullptr);
  if (now != second) {
    second = now;
    constexpr const char* kDays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr const char* kMonths[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    field = fmt::format("Date: {}, {:02} {} {} {:02}:{:02}:{:02} GMT\r\n", kDays[utc.tm_wday],
                        utc.tm_mday, kMonths[utc.tm_mon], utc.tm_year + 1900, utc.tm_hour,
                        utc.tm_min, utc.tm_sec);
  }
  return field;
}

bool is_ours(std::string_view name) {
  for (const char* ours : {"Date", "Content-Length", "Transfer-Encoding", "Connection"}) {
    if (equal_ignoring_case(name, ours)) return true;
  }
  return false;
}

}  // namespace

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

void write_head(std::string& out, int status, const Headers& headers, Framing framing,
                std::size_t length, bool keeps_alive) {
  out.clear();
  auto end = std::back_inserter(out);
  fmt::format_to(end, "HTTP/1.1 {} {}\r\n", status, reason_phrase(status));
  out += date_field();
  for (const Header& field : headers) {
    if (!is_token(field.name) || is_ours(field.name)) continue;
    out += field.name;
    out += ": ";
    for (const char c : field.value) out.push_back(is_control(c) ? '?' : c);
    out += "\r\n";
  }
  if (has_body(status) && framing == Framing::kLength) {
    fmt::format_to(end, "Content-Length: {}\r\n", length);
  } else if (has_body(status) && framing == Framing::kChunked) {
    out += "Transfer-Encoding: chunked\r\n";
  }
  if (!keeps_alive) out += "Connection: close\r\n";
  out += "\r\n";
}

void write_chunk(std::string& out, std::string_view chunk) {
  if (chunk.empty()) return;
  fmt::format_to(std::back_inserter(out), "{:x}\r\n", chunk.size());
  out += chunk;
  out += "\r\n";
}

}  // namespace avow::net
