// SPDX-License-Identifier: Apache-2.0
#include "bench/closed_loop.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/bytes.h"

namespace avow::bench {
namespace {

constexpr int kAnswerWaitMs = 30'000;
constexpr std::size_t kShownBytes = 600;

Error system_error(std::string_view what) {
  return failure(Code::kUnavailable, "{}: {}", what, std::strerror(errno));
}

Error bad_answer(const HttpMessage& message) {
  return failure(Code::kInternal, "an answer {} that is not as it should be: {}", message.status,
                 shown(message.body, kShownBytes));
}

Result<int> connect_to(std::uint16_t port) {
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return system_error("socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const Error error = system_error("connect");
    ::close(socket);
    return error;
  }
  return socket;
}

}  // namespace

Result<ClosedLoop> ClosedLoop::connect(std::uint16_t port, std::size_t count) {
  ClosedLoop loop;
  loop.epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (loop.epoll_ < 0) return system_error("epoll_create1");
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const int socket, connect_to(port));
    loop.clients_.push_back(
        {.socket = socket, .received = {}, .sent_at = {}, .is_following = false});
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(loop.epoll_, EPOLL_CTL_ADD, socket, &event) != 0)
      return system_error("epoll_ctl");
  }
  return loop;
}

ClosedLoop::ClosedLoop(ClosedLoop&& other) noexcept
    : epoll_(std::exchange(other.epoll_, -1)), clients_(std::move(other.clients_)) {
  other.clients_.clear();
}

ClosedLoop::~ClosedLoop() {
  for (const Client& client : clients_) ::close(client.socket);
  if (epoll_ >= 0) ::close(epoll_);
}

Result<void> ClosedLoop::send(Client& client, std::string_view request) {
  // A request is small and the one before it is answered: the socket's buffer takes it whole.
  const ssize_t sent = ::send(client.socket, request.data(), request.size(), MSG_NOSIGNAL);
  if (sent < 0) return system_error("send");
  if (static_cast<std::size_t>(sent) < request.size())
    return failure(Code::kUnavailable, "a request was sent in part");
  return {};
}

Result<void> ClosedLoop::receive(Client& client) {
  std::array<char, 65'536> buffer;  // NOLINT(*-member-init): recv fills it
  const ssize_t got = ::recv(client.socket, buffer.data(), buffer.size(), 0);
  if (got < 0) return system_error("recv");
  if (got == 0) return failure(Code::kUnavailable, "the server closed a connection");
  client.received.append(buffer.data(), static_cast<std::size_t>(got));
  return {};
}

/// Fills ready_; says how many.
Result<int> ClosedLoop::wait_ready() {
  std::array<epoll_event, 64> events{};
  const int count = ::epoll_wait(epoll_, events.data(), events.size(), kAnswerWaitMs);
  if (count < 0) return system_error("epoll_wait");
  if (count == 0) return failure(Code::kDeadlineExceeded, "no answer in {} ms", kAnswerWaitMs);
  ready_.clear();
  for (int i = 0; i < count; ++i) ready_.push_back(events[static_cast<std::size_t>(i)].data.u64);
  return count;
}

Result<LoopResult> ClosedLoop::run(std::string_view request, std::chrono::nanoseconds duration,
                                   const std::function<bool(const HttpMessage&)>& is_good,
                                   const std::function<std::string(const HttpMessage&)>& follow) {
  LoopResult result;
  const Instant began = std::chrono::steady_clock::now();
  for (Client& client : clients_) {
    client.sent_at = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(send(client, request));
  }
  for (std::size_t waiting = clients_.size(); waiting > 0;) {
    ASSIGN_OR_RETURN([[maybe_unused]] const int count, wait_ready());
    for (const std::size_t i : ready_) {
      Client& client = clients_[i];
      RETURN_IF_ERROR(receive(client));
      const auto message = first_message(client.received);
      if (!message) continue;
      if (!is_good(*message)) return bad_answer(*message);
      client.is_following = follow && !client.is_following;
      const std::string next = client.is_following ? follow(*message) : std::string();
      client.received.erase(0, message->bytes);
      if (client.is_following) {
        RETURN_IF_ERROR(send(client, next));
        continue;
      }
      const Instant now = std::chrono::steady_clock::now();
      result.latencies.push_back(now - client.sent_at);
      client.sent_at = now;
      if (now - began < duration) {
        RETURN_IF_ERROR(send(client, request));
      } else {
        --waiting;
      }
    }
  }
  result.elapsed = std::chrono::steady_clock::now() - began;
  std::sort(result.latencies.begin(), result.latencies.end());
  return result;
}

Result<std::string> ClosedLoop::ask(std::string_view request) {
  Client& client = clients_.front();
  RETURN_IF_ERROR(send(client, request));
  for (;;) {
    RETURN_IF_ERROR(receive(client));
    const auto message = first_message(client.received);
    if (!message) continue;
    if (message->status / 100 != 2) return bad_answer(*message);
    std::string body(message->body);
    client.received.erase(0, message->bytes);
    return body;
  }
}

}  // namespace avow::bench
