// SPDX-License-Identifier: Apache-2.0
// testing/scheduler.h: time and threads as the test decides: one thread, a virtual clock, and every
// task of every Executor in one queue. The same seed gives the same order. One thread.
#pragma once
#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/executor.h"
#include "base/rng.h"
#include "base/time.h"

namespace avow::testing {

class Scheduler : public Clock {
 public:
  explicit Scheduler(std::uint64_t seed = 1, Time start = Time(Duration(1'790'000'000'000)))
      : chance_(seed), now_(start) {}

  Time now() override { return now_; }

  /// An executor whose tasks run in order among themselves, and in any order among others'.
  std::unique_ptr<Executor> make_executor() {
    return std::make_unique<Strand>(*this, next_strand_++);
  }

  /// Runs one task: of those that are due the one that chance picks, first in its strand. If none
  /// is due, moves the clock to the next one. False if there is nothing left until `until`.
  bool step(Time until) {
    if (is_halted_ || tasks_.empty()) return false;
    const Time earliest =
        std::min_element(tasks_.begin(), tasks_.end(),
                         [](const auto& a, const auto& b) {
                           return a.second.begin()->first.first < b.second.begin()->first.first;
                         })
            ->second.begin()
            ->first.first;
    if (earliest > until) return false;
    now_ = std::max(now_, earliest);
    std::vector<std::uint64_t> due;
    for (const auto& [strand, tasks] : tasks_) {
      if (tasks.begin()->first.first <= now_) due.push_back(strand);
    }
    const std::uint64_t strand = due[chance_.below(due.size())];
    auto& queue = tasks_[strand];
    const Executor::Task task = std::move(queue.begin()->second);
    queue.erase(queue.begin());
    if (queue.empty()) tasks_.erase(strand);
    task();
    return true;
  }

  /// Runs everything that is due now, and what comes of it.
  void run_due() {
    while (step(now_)) {
    }
  }
  /// Runs everything up to `duration` from now, timers included, and moves the clock there.
  void run_for(Duration duration) {
    const Time until = now_ + duration;
    while (step(until)) {
    }
    now_ = until;
  }
  /// Runs nothing more until drop_all(): the process is dead.
  void halt() { is_halted_ = true; }
  /// Drops every task that waits: the process is gone.
  void drop_all() {
    tasks_.clear();
    is_halted_ = false;
  }

  /// Tasks that wait, timers included.
  [[nodiscard]] std::size_t waiting() const {
    std::size_t count = 0;
    for (const auto& [strand, tasks] : tasks_) count += tasks.size();
    return count;
  }

  SeededRng& chance() { return chance_; }

 private:
  class Strand : public Executor {
   public:
    Strand(Scheduler& scheduler, std::uint64_t id) : scheduler_(scheduler), id_(id) {}
    void post(Task task) override { scheduler_.add(id_, scheduler_.now_, std::move(task)); }
    void post_at(Time time, Task task) override {
      scheduler_.add(id_, std::max(time, scheduler_.now_), std::move(task));
    }

   private:
    Scheduler& scheduler_;
    std::uint64_t id_;
  };

  void add(std::uint64_t strand, Time time, Executor::Task task) {
    tasks_[strand].emplace(std::pair{time, next_task_++}, std::move(task));
  }

  SeededRng chance_;
  Time now_;
  bool is_halted_ = false;
  std::uint64_t next_strand_ = 0;
  std::uint64_t next_task_ = 0;
  std::map<std::uint64_t, std::map<std::pair<Time, std::uint64_t>, Executor::Task>> tasks_;
};

}  // namespace avow::testing
