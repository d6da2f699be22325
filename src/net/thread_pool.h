// SPDX-License-Identifier: Apache-2.0
// net/thread_pool.h: a fixed set of threads with strands and timers; the production Executor.
// All functions are safe from any thread, save where said.
#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/executor.h"
#include "base/time.h"

namespace avow::net {

class ThreadPool {
 public:
  /// Starts `threads` (at least 1) workers and one timer thread, named `name` for debuggers.
  /// `clock` says when timers are due; it must outlive the pool. `queue_max` bounds try_post().
  ThreadPool(std::string name, int threads, Clock& clock, std::size_t queue_max = 1024);
  /// CHECKs that stop() was called.
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  /// Runs `task` on one of the threads, side by side with others. False, and nothing happens, if
  /// queue_max tasks wait already or the pool is stopped.
  [[nodiscard]] bool try_post(std::function<void()> task);

  /// An Executor on these threads. Its queue has no bound of its own: who posts bounds what he
  /// posts. It may outlive the pool (posting then does nothing); tasks that wait when it is
  /// destroyed still run.
  std::unique_ptr<Executor> make_strand();

  /// Runs what was posted before this call, drops timers and all later posts, joins the threads.
  /// Once, and not from one of the pool's own threads.
  void stop();

 private:
  struct Core;
  std::shared_ptr<Core> core_;
};

}  // namespace avow::net
