// SPDX-License-Identifier: Apache-2.0
// engine/engine.h: all runs of this process: where they are started, told things, and resumed.
// Every run lives on one of a fixed number of lanes; a lane does one thing at a time, and never
// waits for a disk or a peer. Any thread may call anything here; `done` callbacks come on a lane or
// on a thread of the store's and must be brief.
#pragma once
#include <atomic>
#include <memory>
#include <unordered_map>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "engine/history.h"
#include "engine/machine.h"
#include "engine/new_run.h"
#include "engine/slots.h"
#include "engine/task_board.h"

namespace avow::engine {

class Lane;

struct EngineOptions {
  std::size_t steps_in_flight_per_tenant_max = 256;
  std::size_t steps_in_flight_max = 1024;
  /// Beyond, runs that wait for a slot leave memory until they get one.
  std::size_t runs_loaded_max = 10'000;
  std::size_t runs_waiting_per_tenant_max =
      100'000;  ///< For a slot; beyond: kResourceExhausted at start.
  /// Runs that have not ended, parked ones among them; beyond: kResourceExhausted at start.
  std::size_t runs_unfinished_per_tenant_max = 1'000'000;
};

struct Outcome {
  RunStatus status = RunStatus::kRunning;  ///< After the input.
  std::optional<TaskGrant> grant;
};

/// A run that is over, as its last commit left it: what read_history() would give.
struct EndedRun {
  store::RunRow row;
  History history;
};

/// What a model says while it says it. Never recorded.
struct SpokenText {
  CallId call;
  std::uint32_t attempt = 1;
  std::string text;
};

/// Somebody who looks on while a run goes on. Called on lanes and on threads of the runner's, in
/// the order in which things happen to the run: brief, and not back into the engine.
class Follower {
 public:
  virtual ~Follower() = default;
  /// The journal is durable up to `seq`; `is_over`: that was the run's last event.
  virtual void on_events(std::uint32_t seq, bool is_over) = 0;
  virtual void on_text(const SpokenText& spoken) = 0;
  /// The engine has stopped: nothing more comes.
  virtual void on_stop() = 0;
};

class Engine {
 public:
  using Done = std::function<void(Result<Outcome>)>;
  /// The run is shared by all who watched it.
  using Ended = std::function<void(const std::shared_ptr<const EndedRun>&)>;

  /// The threads that the engine works on: for each lane a strand, and beside it one that may block
  /// for reading. Any number of lanes from 1; 64 in production.
  struct LaneExecutors {
    std::unique_ptr<Executor> strand;
    std::unique_ptr<Executor> reader;
  };

  Engine(Clock& clock, Rng& rng, std::vector<LaneExecutors> lanes, store::Store& store,
         EffectRunner& runner, const Directory& directory, PlanSource& plans, ChildSource& children,
         EngineOptions options);
  ~Engine();  ///< CHECKs that stop() was called, if start() was.
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Reads back what is not finished: runs that were at work are resumed, timers and tasks are
  /// armed.
  Result<void> start();
  /// Lets no call leave any more, waits up to `grace` for those under way, and forgets all runs:
  /// the store has them. Blocks. The executors must still run.
  void stop(Duration grace);

  /// As if the process were killed: does nothing any more, and need not be stopped. Only where the
  /// executors' tasks are dropped as well, in simulations.
  void crash() { is_stopped_ = true; }

  /// Starts a run. `done` when it is durable. Errors: those of Store::commit; kResourceExhausted
  /// beyond runs_waiting_per_tenant_max; kUnavailable while stopping, and if start() was not
  /// called.
  void start_run(NewRun run, Done done);
  /// Tells a run something. Errors: kNotFound; kConflict where the machine refuses it;
  /// kResourceExhausted beyond kInputsQueuedMax; kUnavailable as for start_run; those of
  /// Store::commit.
  void tell(RunId run, Input input, std::optional<store::IdempotentAnswer> answer, Done done);

  /// What one tenant may have, from now on; also before start().
  void set_terms(TenantId tenant, TenantTerms terms) { slots_.set_terms(tenant, terms); }

  /// See TaskBoard::poll.
  void poll_tasks(AgentId agent, std::size_t max, Time deadline, std::string actor,
                  std::stop_token gone, TaskBoard::Done done) {
    board_.poll(agent, max, deadline, std::move(actor), std::move(gone), std::move(done));
  }

  /// See TaskBoard::runs_of.
  [[nodiscard]] std::vector<RunId> runs_with_tasks_of(AgentId agent) const {
    return board_.runs_of(agent);
  }

  /// Calls `ended` once, when a commit of this process ends `run` (also before start_run says so).
  /// It does not look at the store: watch first, read then. `ended` must not block. Returns what
  /// unwatch() takes.
  std::uint64_t watch(RunId run, Ended ended);
  void unwatch(RunId run, std::uint64_t watch);

  /// Tells `follower` of everything that happens to `run` in this process from now on. As watch(),
  /// it does not look at the store: follow first, read then. Returns what unfollow() takes.
  std::uint64_t follow(RunId run, std::shared_ptr<Follower> follower);
  void unfollow(RunId run, std::uint64_t follower);

  struct Figures {
    std::size_t runs_loaded = 0;
    std::size_t calls_in_flight = 0;
    std::size_t runs_waiting_for_slots = 0;
    std::size_t tasks = 0;
    std::uint64_t runs_started = 0;
    std::uint64_t runs_completed = 0;
    std::uint64_t runs_failed = 0;
    std::uint64_t runs_cancelled = 0;
    std::uint64_t events = 0;
    std::uint64_t calls = 0;
    std::uint64_t in_doubt = 0;
  };
  [[nodiscard]] Figures figures() const;

 private:
  friend class Lane;
  Lane& lane_of(RunId run) const;
  void recovered();
  void run_ended(RunId run, TenantId tenant, RunStatus status,
                 const std::function<std::shared_ptr<const EndedRun>()>& describe);
  void forget_unfinished(TenantId tenant) REQUIRES(mutex_);
  [[nodiscard]] std::vector<std::shared_ptr<Follower>> followers(RunId run) const;

  Clock& clock_;
  Rng& rng_;
  store::Store& store_;
  EffectRunner& runner_;
  const Directory& directory_;
  PlanSource& plans_;
  ChildSource& children_;
  const EngineOptions options_;
  SlotPool slots_;
  std::vector<LaneExecutors> executors_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  TaskBoard board_;
  std::atomic<std::size_t> runs_loaded_ = 0;
  std::atomic<std::size_t> recovering_ = 0;  ///< Runs of which start() does not know the calls yet.
  std::atomic<bool> is_started_ = false;
  bool is_stopped_ = false;

  mutable Mutex mutex_;
  bool is_stopping_ GUARDED_BY(mutex_) = false;
  std::uint64_t next_watch_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<RunId, std::map<std::uint64_t, Ended>> watches_ GUARDED_BY(mutex_);
  using Followers = std::unordered_map<RunId, std::map<std::uint64_t, std::shared_ptr<Follower>>>;
  Followers followers_ GUARDED_BY(mutex_);
  Figures figures_ GUARDED_BY(mutex_);
  std::unordered_map<TenantId, std::size_t> unfinished_ GUARDED_BY(mutex_);  ///< Runs; none is 0.
};

}  // namespace avow::engine
