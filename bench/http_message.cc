// SPDX-License-Identifier: Apache-2.0
#include "bench/http_message.h"

#include <fmt/format.h>

#include <charconv>

namespace avow::bench {
namespace {

constexpr std::string_view kHeadEnd = "\r\n\r\n";

bool is_same_letter(char a, char b) { return (a | 0x20) == (b | 0x20); }

/// The number behind `name` (with its colon) at the start of a line of `head`; 0 if there is none.
std::size_t number_field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find('\n'); at != std::string_view::npos; at = head.find('\n', at)) {
    ++at;
    if (head.size() - at < name.size()) return 0;
    std::size_t same = 0;
    while (same < name.size() && is_same_letter(head[at + same], name[same])) ++same;
    if (same < name.size()) continue;
    at += name.size();
    while (at < head.size() && head[at] == ' ') ++at;
    std::size_t number = 0;
    std::from_chars(head.data() + at, head.data() + head.size(), number);
    return number;
  }
  return 0;
}

}  // namespace

std::optional<HttpMessage> first_message(std::string_view buffer) {
  const std::size_t end = buffer.find(kHeadEnd);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view head = buffer.substr(0, end);
  const std::size_t length = number_field(head, "content-length:");
  HttpMessage message;
  message.bytes = end + kHeadEnd.size() + length;
  if (buffer.size() < message.bytes) return std::nullopt;
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  if (head.starts_with(kVersion)) {
    std::from_chars(head.data() + kVersion.size(), head.data() + head.size(), message.status);
  }
  message.body = buffer.substr(end + kHeadEnd.size(), length);
  return message;
}

std::string post(const HttpRequest& request) {
  std::string out = fmt::format(
      "POST {} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n",
      request.path, request.api_key, request.body.size());
  if (!request.prefer.empty()) out += fmt::format("Prefer: {}\r\n", request.prefer);
  return out.append("\r\n").append(request.body);
}

std::string get(std::string_view path, std::string_view api_key) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\n\r\n", path, api_key);
}

std::string_view first_string(std::string_view body, std::string_view name) {
  const std::string member = fmt::format("\"{}\":\"", name);
  const std::size_t at = body.find(member);
  if (at == std::string_view::npos) return {};
  body.remove_prefix(at + member.size());
  return body.substr(0, body.find('"'));
}

bool is_completed(std::string_view body) {
  constexpr std::string_view kMember = "\"status\":";
  constexpr std::string_view kValue = "\"completed\"";
  int depth = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    const char c = body[i];
    if (c == '{') ++depth;
    if (c == '}') --depth;
    if (c != '"') continue;
    if (depth == 1 && body.substr(i).starts_with(kMember)) {
      return body.substr(i + kMember.size()).starts_with(kValue);
    }
    for (++i; i < body.size() && body[i] != '"'; ++i) {
      if (body[i] == '\\') ++i;
    }
  }
  return false;
}

}  // namespace avow::bench
