// SPDX-License-Identifier: Apache-2.0
#include "testing/http_exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <optional>
#include <ostream>

#include "json/parse.h"
#include "json/pointer.h"
#include "json/write.h"

namespace avow::testing {
namespace {

class Connection {
 public:
  explicit Connection(const Exchange& exchange)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(exchange.timeout);
    const timeval limit{.tv_sec = seconds.count(),
                        .tv_usec = (exchange.timeout - seconds).count() * 1000};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    const sockaddr_in from = address(exchange.source, 0);
    const sockaddr_in to = address("127.0.0.1", exchange.port);
    // NOLINTBEGIN(cppcoreguidelines-pro-type-reinterpret-cast): the socket API's own way
    is_open_ = ::bind(socket_, reinterpret_cast<const sockaddr*>(&from), sizeof from) == 0 &&
               ::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0;
    // NOLINTEND(cppcoreguidelines-pro-type-reinterpret-cast)
  }
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] bool is_open() const { return is_open_; }

  /// As much as the peer takes: one that refuses early has sent its answer meanwhile.
  void send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  /// Appends what comes next to `text`; false at the end, or when the time is over.
  bool receive(std::string& text) const {
    std::array<char, 65536> buffer{};
    const ssize_t got = ::recv(socket_, buffer.data(), buffer.size(), 0);
    if (got <= 0) return false;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    return true;
  }

 private:
  static sockaddr_in address(const std::string& host, std::uint16_t port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &out.sin_addr);
    return out;
  }

  const int socket_;
  bool is_open_ = false;
};

std::optional<std::size_t> number(std::string_view text, int base) {
  std::size_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out, base);
  if (error != std::errc() || end == text.data()) return {};
  return out;
}

/// Reads the status line and the fields out of `head`.
std::optional<HttpReply> read_head(std::string_view head) {
  HttpReply reply;
  if (!head.starts_with("HTTP/1.1 ") || head.size() < 12) return {};
  reply.status = static_cast<int>(number(head.substr(9, 3), 10).value_or(0));
  std::size_t line = head.find("\r\n");
  while (line != std::string_view::npos) {
    const std::size_t begin = line + 2;
    line = head.find("\r\n", begin);
    const std::string_view field = head.substr(begin, line - begin);
    const std::size_t colon = field.find(':');
    if (colon == std::string_view::npos) continue;
    std::string_view value = field.substr(colon + 1);
    while (value.starts_with(' ')) value.remove_prefix(1);
    reply.headers.add(std::string(field.substr(0, colon)), std::string(value));
  }
  return reply;
}

/// Takes the chunks out of `rest`, reading on as needed; nothing if they do not end.
std::optional<std::string> read_chunks(const Connection& connection, std::string rest) {
  std::string body;
  while (true) {
    const std::size_t line = rest.find("\r\n");
    const auto size = line == std::string::npos ? std::nullopt : number(rest, 16);
    const bool is_whole = size && rest.size() >= line + 4 + *size;
    if (is_whole) {
      body += rest.substr(line + 2, *size);
      if (*size == 0) return body;
      rest.erase(0, line + 4 + *size);
    } else if (!connection.receive(rest)) {
      return {};
    }
  }
}

}  // namespace

json::Value HttpReply::json() const {
  auto parsed = json::parse(body, {.depth_max = 256, .bytes_max = std::size_t{16} << 20});
  return parsed ? std::move(*parsed) : json::Value();
}

std::string request_bytes(const HttpCall& call) {
  std::string out = call.method + " " + call.target + " HTTP/1.1\r\nHost: localhost\r\n";
  for (const net::Header& field : call.headers) out += field.name + ": " + field.value + "\r\n";
  const bool has_body = !call.body.empty() || call.method == "POST";
  if (has_body) out += "Content-Length: " + std::to_string(call.body.size()) + "\r\n";
  return out + "Connection: close\r\n\r\n" + call.body;
}

HttpReply exchange_bytes(const Exchange& exchange, std::string_view bytes) {
  const Connection connection(exchange);
  if (!connection.is_open()) return {};
  connection.send(bytes);
  std::string text;
  std::size_t end = std::string::npos;
  while ((end = text.find("\r\n\r\n")) == std::string::npos) {
    if (!connection.receive(text)) return {};
  }
  auto reply = read_head(std::string_view(text).substr(0, end));
  if (!reply) return {};
  std::string rest = text.substr(end + 4);
  if (const std::string* const coding = reply->headers.find("Transfer-Encoding")) {
    auto body = read_chunks(connection, std::move(rest));
    if (*coding != "chunked" || !body) return {};
    reply->body = std::move(*body);
    return *reply;
  }
  const std::string* const length = reply->headers.find("Content-Length");
  const std::size_t size = length == nullptr ? 0 : number(*length, 10).value_or(0);
  while (rest.size() < size) {
    if (!connection.receive(rest)) return {};
  }
  reply->body = rest.substr(0, size);
  return *reply;
}

HttpReply exchange(const Exchange& where, const HttpCall& call) {
  return exchange_bytes(where, request_bytes(call));
}

json::Value value_at(const json::Value& value, std::string_view pointer) {
  const json::Value* const found = json::at(value, pointer);
  return found == nullptr ? json::Value() : *found;
}

}  // namespace avow::testing

namespace avow::json {
// NOLINTNEXTLINE(readability-identifier-naming): GoogleTest's name
void PrintTo(const Value& value, std::ostream* out) { *out << write(value); }
}  // namespace avow::json
