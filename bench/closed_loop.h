// SPDX-License-Identifier: Apache-2.0
// bench/closed_loop.h: clients that each send a request, wait for its answer and send again, over
// connections that stay open. All on the calling thread, with one epoll: cheap, so that what is
// measured is the server.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/http_message.h"

namespace avow::bench {

struct LoopResult {
  std::vector<std::chrono::nanoseconds> latencies;  ///< Of each answer, sorted.
  std::chrono::nanoseconds elapsed{};               ///< From the first request to the last answer.
};

class ClosedLoop {
 public:
  /// `count` connections to 127.0.0.1:`port`. Errors: kUnavailable
  static Result<ClosedLoop> connect(std::uint16_t port, std::size_t count);
  ClosedLoop(ClosedLoop&& other) noexcept;
  ClosedLoop& operator=(ClosedLoop&&) = delete;
  ~ClosedLoop();

  /// Every client sends `request` again and again until `duration` is over, then waits for its last
  /// answer. `is_good` judges each. With `follow`, each good answer is followed by the request that
  /// it gives, and the two count as one: until the second is answered. Errors: kInternal (a bad
  /// answer, its start in the message), kUnavailable (a connection that was closed),
  /// kDeadlineExceeded (no answer to anybody in 30 s)
  Result<LoopResult> run(std::string_view request, std::chrono::nanoseconds duration,
                         const std::function<bool(const HttpMessage&)>& is_good,
                         const std::function<std::string(const HttpMessage&)>& follow = {});

  /// One request on the first connection; the body of its answer. Errors: as of run()
  Result<std::string> ask(std::string_view request);

 private:
  using Instant = std::chrono::steady_clock::time_point;
  struct Client {
    int socket = -1;
    std::string received;
    Instant sent_at;  ///< Of the first of two requests.
    bool is_following = false;
  };

  ClosedLoop() = default;
  static Result<void> send(Client& client, std::string_view request);
  static Result<void> receive(Client& client);
  Result<int> wait_ready();

  int epoll_ = -1;
  std::vector<Client> clients_;
  std::vector<std::size_t> ready_;
};

}  // namespace avow::bench
