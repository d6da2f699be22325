// SPDX-License-Identifier: Apache-2.0
// base/executor.h: where work runs. `net` implements it on threads, `testing` on a virtual clock.
#pragma once
#include <functional>

#include "base/time.h"

namespace avow {

/// Runs tasks one at a time, in the order in which they were posted (a strand).
class Executor {
 public:
  using Task = std::function<void()>;
  virtual ~Executor() = default;
  /// Runs `task` soon, never inside this call. Any thread. Tasks posted after stop are dropped.
  virtual void post(Task task) = 0;
  /// Runs `task` at `time`, or soon if that is past. Any thread. Not cancellable: a task that is no
  /// longer wanted checks so itself.
  virtual void post_at(Time time, Task task) = 0;
};

}  // namespace avow
