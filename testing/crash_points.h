// SPDX-License-Identifier: Apache-2.0
// testing/crash_points.h: the moments at which the process of a simulation can be killed: beside
// every commit, every call that leaves and every answer that comes. One thread.
#pragma once
#include <cstdint>
#include <map>
#include <optional>

#include "testing/scheduler.h"

namespace avow::testing {

enum class CrashPoint {
  kBeforeCommit,  ///< It is not written.
  kAfterCommit,   ///< It is written, and nobody hears of it.
  kBeforeCall,    ///< What it was committed for does not leave.
  kAfterCall,     ///< The peer has it, and nobody waits for its answer.
  kBeforeAnswer,  ///< The answer is there, and nobody takes it.
  kAfterAnswer,   ///< The answer is taken, and nothing made of it is written.
};
inline constexpr std::size_t kCrashPoints = 6;

class CrashPoints {
 public:
  explicit CrashPoints(Scheduler& scheduler) : scheduler_(scheduler) {}

  /// The process dies at the `number`-th point that it passes from now on, from 1.
  void kill_at(std::uint64_t number) { left_ = number; }
  /// Whether the process gets past this point. One that is dead gets past none, and none of its
  /// tasks runs any more.
  bool passes(CrashPoint point) {
    if (is_dead_) return false;
    if (!left_ || --*left_ > 0) return true;
    is_dead_ = true;
    ++deaths_[point];
    scheduler_.halt();
    return false;
  }
  [[nodiscard]] bool is_dead() const { return is_dead_; }
  /// There is a new process, which will not be killed.
  void begin_anew() {
    is_dead_ = false;
    left_.reset();
  }
  /// How many processes died where.
  [[nodiscard]] const std::map<CrashPoint, int>& deaths() const { return deaths_; }

 private:
  Scheduler& scheduler_;
  std::optional<std::uint64_t> left_;  ///< Absent: it lives for ever.
  bool is_dead_ = false;
  std::map<CrashPoint, int> deaths_;
};

}  // namespace avow::testing
