// SPDX-License-Identifier: Apache-2.0
// testing/thread_executor.h: an Executor that is one real thread, for tests that look for races.
#pragma once
#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "base/executor.h"

namespace avow::testing {

class ThreadExecutor : public Executor {
 public:
  explicit ThreadExecutor(Clock& clock) : clock_(clock), thread_([this] { run(); }) {}
  ~ThreadExecutor() override { stop(); }

  /// Drops what waits and all that comes, and joins the thread.
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      is_stopped_ = true;
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void post(Task task) override { post_at(Time::min(), std::move(task)); }
  void post_at(Time time, Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.emplace(std::pair{time, next_++}, std::move(task));
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!is_stopped_) {
      if (tasks_.empty()) {
        changed_.wait(lock);
        continue;
      }
      const Time due = tasks_.begin()->first.first;
      const Time now = clock_.now();
      if (due > now) {
        changed_.wait_for(lock, due - now);
        continue;
      }
      const Task task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      lock.unlock();
      task();
      lock.lock();
    }
  }

  Clock& clock_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::pair<Time, std::uint64_t>, Task> tasks_;
  std::uint64_t next_ = 0;
  bool is_stopped_ = false;
  std::thread thread_;
};

}  // namespace avow::testing
