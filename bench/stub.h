// SPDX-License-Identifier: Apache-2.0
// bench/stub.h: the other side of webhooks and HTTP tools: answers every request at once with the
// same small JSON object; and a model that asks for the tool "bench" as often as its prompt says.
#pragma once
#include <cstdint>
#include <memory>
#include <thread>

#include "base/result.h"

namespace avow::bench {

class Stub {
 public:
  /// Listens on 127.0.0.1, on a port that the system chooses. Errors: kUnavailable
  static Result<std::unique_ptr<Stub>> start();
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;
  ~Stub();
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  Stub(int listener, int epoll, int stop, std::uint16_t port);
  void run() const;

  const int listener_;
  const int epoll_;
  const int stop_;  ///< An eventfd.
  const std::uint16_t port_;
  std::thread thread_;
};

}  // namespace avow::bench
