// SPDX-License-Identifier: Apache-2.0
// engine/task_board.h: which tasks wait for a worker, per agent, and which workers wait for a task.
// An index in memory over the store's task rows: it may be wrong for a moment, and then the run's
// machine, which decides, refuses the claim. Any thread.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "engine/machine.h"
#include "store/store.h"

namespace avow::engine {

/// A task in the hands of a worker.
struct TakenTask {
  TaskGrant grant;
  std::string lease_token;  ///< Given to the worker only; its SHA-256 stands in the journal.
};

class TaskBoard {
 public:
  /// Asks the run's machine for a claim; calls back with the grant, or why there is none.
  using Claim = std::function<void(const store::TaskRow& task, std::string token_hash,
                                   std::string actor, std::function<void(Result<TaskGrant>)> done)>;
  using Done = std::function<void(std::vector<TakenTask>)>;

  /// `executor` runs its timers; all of these must outlive the board's use.
  TaskBoard(Clock& clock, Rng& rng, Executor& executor, Claim claim);

  /// Takes in what a commit changed.
  void apply(const store::TaskChange& change);

  /// Up to `max` tasks of `agent`, as soon as there is one, else none at `deadline`. `done` once.
  /// A worker whose `gone` is requested gets no task any more.
  void poll(AgentId agent, std::size_t max, Time deadline, std::string actor, std::stop_token gone,
            Done done);

  /// The runs in which tasks of `agent` stand, each once.
  [[nodiscard]] std::vector<RunId> runs_of(AgentId agent) const;

  /// Sends every worker home, and each that comes.
  void stop();

  [[nodiscard]] std::size_t size() const;

 private:
  struct Poller {
    std::size_t max;
    Time deadline;
    std::string actor;
    std::stop_token gone;
    Done done;
  };
  struct Queue {
    std::map<TaskId, store::TaskRow> tasks;
    std::deque<std::shared_ptr<Poller>> pollers;
  };

  void serve(AgentId agent);
  void claim(AgentId agent, std::vector<store::TaskRow> tasks, std::shared_ptr<Poller> poller);

  Clock& clock_;
  Rng& rng_;
  Executor& executor_;
  const Claim claim_;
  mutable Mutex mutex_;
  bool is_stopped_ GUARDED_BY(mutex_) = false;
  std::map<AgentId, Queue> queues_ GUARDED_BY(mutex_);
  std::map<TaskId, AgentId> agents_ GUARDED_BY(mutex_);
  /// Tasks that are being claimed: not offered to a second poller meanwhile.
  std::map<TaskId, bool> in_claim_ GUARDED_BY(mutex_);
};

}  // namespace avow::engine
