// SPDX-License-Identifier: Apache-2.0
#include "bench/stub.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>
#include <unordered_map>

#include <fmt/format.h>

#include "bench/http_message.h"

namespace avow::bench {
namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 19\r\n\r\n"
    "{\"q\":\"hello\",\"n\":1}";

/// What a model says to a conversation that began with "calls=<n>": that it wants a tool, n times.
std::string model_answer(std::string_view conversation) {
  std::size_t asked = 0;
  const std::size_t wanted = conversation.find("calls=");
  if (wanted != std::string_view::npos) {
    const char* const end = conversation.data() + conversation.size();
    std::from_chars(conversation.data() + wanted + 6, end, asked);
  }
  constexpr std::string_view kOfTool = "\"tool_call_id\"";
  std::size_t answered = 0;
  for (std::size_t at = conversation.find(kOfTool); at != std::string_view::npos;
       at = conversation.find(kOfTool, at + 1)) {
    ++answered;
  }
  const std::string_view message =
      answered < asked
          ? R"({"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"bench","arguments":"{}"}}]})"
          : R"({"role":"assistant","content":"done"})";
  const std::string body = fmt::format(
      R"({{"choices":[{{"message":{},"finish_reason":"{}"}}],"usage":{{"prompt_tokens":1,"completion_tokens":1}}}})",
      message, answered < asked ? "tool_calls" : "stop");
  return fmt::format(
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}",
      body.size(), body);
}

void watch(int epoll, int file) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = file;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, file, &event);
}

/// Reads what is there and answers every request in it; false when the connection is over.
bool serve(int socket, std::string& received) {
  std::array<char, 16'384> buffer;  // NOLINT(*-member-init): recv fills it
  const ssize_t got = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (got <= 0) return false;
  received.append(buffer.data(), static_cast<std::size_t>(got));
  while (const auto request = first_message(received)) {
    const bool is_model = received.starts_with("POST /chat/completions");
    const std::string answer = is_model ? model_answer(request->body) : std::string(kAnswer);
    received.erase(0, request->bytes);
    if (::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Stub>> Stub::start() {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || ::bind(listener, any, size) != 0 || ::listen(listener, 128) != 0 ||
      ::getsockname(listener, any, &size) != 0) {
    return failure(Code::kUnavailable, "start the stub: {}", std::strerror(errno));
  }
  return std::unique_ptr<Stub>(new Stub(listener, ::epoll_create1(EPOLL_CLOEXEC),
                                        ::eventfd(0, EFD_CLOEXEC), ntohs(address.sin_port)));
}

Stub::Stub(int listener, int epoll, int stop, std::uint16_t port)
    : listener_(listener), epoll_(epoll), stop_(stop), port_(port) {
  watch(epoll_, listener_);
  watch(epoll_, stop_);
  thread_ = std::thread([this] { run(); });
}

Stub::~Stub() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(stop_);
  ::close(epoll_);
  ::close(listener_);
}

void Stub::run() const {
  std::unordered_map<int, std::string> connections;
  for (bool is_stopping = false; !is_stopping;) {
    std::array<epoll_event, 64> events{};
    const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int file = events[static_cast<std::size_t>(i)].data.fd;
      if (file == stop_) {
        is_stopping = true;
      } else if (file == listener_) {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) continue;
        const int on = 1;
        ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        connections[socket].clear();
        watch(epoll_, socket);
      } else if (!serve(file, connections[file])) {
        connections.erase(file);
        ::close(file);
      }
    }
  }
  for (const auto& [socket, received] : connections) ::close(socket);
}

}  // namespace avow::bench
