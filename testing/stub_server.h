// SPDX-License-Identifier: Apache-2.0
// testing/stub_server.h: the other side of webhooks and tools: an HTTP server on a loopback port
// that remembers what it was asked. Any thread.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "net/http_server.h"
#include "net/thread_pool.h"

namespace avow::testing {

struct StubCall {
  std::string key;     ///< The Idempotency-Key.
  std::string target;  ///< As sent.
  std::string body;
  Time at;  ///< When it came.
};

/// What a stub does with a call: answers 200 with `body` after `delay`.
struct StubAnswer {
  std::string body = "{}";
  Duration delay = Duration::zero();
};

class StubServer {
 public:
  using Answering = std::function<StubAnswer(const StubCall&)>;
  /// `answering` runs on several threads.
  explicit StubServer(Answering answering = [](const StubCall&) { return StubAnswer(); });
  ~StubServer();
  StubServer(const StubServer&) = delete;
  StubServer& operator=(const StubServer&) = delete;

  /// "http://127.0.0.1:PORT" and `path`.
  [[nodiscard]] std::string url(const std::string& path) const;
  /// All calls so far, in the order in which they came.
  [[nodiscard]] std::vector<StubCall> calls() const;

 private:
  net::Answer answer(const net::Request& request);

  SystemClock clock_;
  net::ThreadPool pool_;
  std::unique_ptr<Executor> strand_;
  const Answering answering_;
  mutable Mutex mutex_;
  std::vector<StubCall> calls_ GUARDED_BY(mutex_);
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace avow::testing
