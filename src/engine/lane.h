// SPDX-License-Identifier: Apache-2.0
// engine/lane.h: the runs of one lane: reads them back, gives them their inputs one turn at a time,
// commits what they decide, with the statement that the log is to witness, and only then lets it
// happen. All on one strand.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>

#include "engine/engine.h"
#include "engine/run_statement.h"

namespace avow::engine {

class Lane {
 public:
  Lane(Engine& engine, Executor& strand, Executor& reader)
      : engine_(engine), strand_(strand), reader_(reader) {}

  // Any thread; each posts to the strand.
  void start_run(NewRun run, Engine::Done done);
  void tell(RunId run, Input input, std::optional<store::IdempotentAnswer> answer,
            Engine::Done done);
  /// Reads the run back and goes on with it.
  void recover(RunId run, TenantId tenant);
  void arm(RunId run, TenantId tenant, Time wake_at);
  /// From now on nothing is done for any run. `done` when that is so.
  void stop(std::function<void()> done);

 private:
  struct Queued {
    Input input;
    std::optional<store::IdempotentAnswer> answer;
    Engine::Done done;
  };
  /// What one or more turns came to, until it is durable.
  struct Pending {
    std::vector<Call> calls;
    std::vector<CallId> cancels;
    std::vector<RunId> stopped_children;
    std::vector<store::TaskChange> tasks;
    std::vector<std::pair<Engine::Done, Outcome>> answers;
    std::vector<Queued> inputs;       ///< To be given again if the commit fails.
    std::uint64_t version = 0;        ///< Of the run with it.
    bool is_outcome_unknown = false;  ///< It failed, and may be durable all the same.
    std::size_t events = 0;
    bool wants_more = false;
    bool wants_slots = false;
    bool must_state = false;
    /// Of a commit that brings a statement and no event: what the run had before.
    std::optional<std::pair<store::RunRow, Stated>> before;
  };

  /// One run in memory.
  struct Actor {
    RunId id;
    TenantId tenant;
    std::optional<Machine> machine;  ///< None: being read back.
    Contents contents;
    std::size_t contents_bytes = 0;
    store::RunRow row;
    Stated stated;
    Time state_from{};       ///< Not before: after a commit that failed.
    int commits_failed = 0;  ///< In a row; and reads:
    int reads_failed = 0;
    std::optional<Time> state_at;         ///< While it rests in memory: in to_state_.
    store::Labels labels;                 ///< To write with the first commit.
    std::optional<std::string> own_plan;  ///< To write with the first commit.
    std::deque<Queued> queue;
    bool is_loading = false;
    bool is_recovering = false;  ///< The engine starts, and waits for it.
    bool is_committing = false;
    /// Of the commit that failed: what becomes of it is known when the run has been read back.
    std::shared_ptr<Pending> failed;
    bool waits_for_slot = false;
    std::size_t slots = 0;  ///< Held of the pool.
    std::set<std::pair<CallId, std::uint32_t>>
        dispatched;  ///< Calls (and attempts) that have left.
    /// Children that are being started: until they are durable the run stays in memory.
    std::set<RunId> starting;
    bool must_rejoin = false;  ///< Its kin may have had something to tell while nobody heard.
  };
  Actor* find(RunId run);
  Actor& add(RunId run, TenantId tenant);
  void remove(RunId run);
  void enqueue(Actor& actor, Queued queued);
  void load(Actor& actor);
  void load_later(Actor& actor);
  void loaded(RunId run, Result<std::unique_ptr<Actor>> read);
  void load_failed(Actor& actor, const Error& error);
  void recovered(Actor& actor);
  static void give_again(Actor& actor, Pending& pending);
  void process(Actor& actor);
  void rest(Actor& actor);
  static void take_calls(Reaction& reaction, Pending& pending);
  [[nodiscard]] bool may_leave(const Actor& actor, bool waits_for_slot) const;
  store::Commit transition(Actor& actor, Pending& pending, bool waits_for_slot);
  void state_at(Actor& actor, std::optional<Time> time);
  void commit(Actor& actor, store::Commit commit, std::shared_ptr<Pending> pending);
  void committed(RunId run, const Result<void>& done, const std::shared_ptr<Pending>& pending);
  void commit_failed(Actor& actor, const Error& error, const std::shared_ptr<Pending>& pending);
  void go_on(Actor& actor, Pending& pending);
  void dispatch(Actor& actor, Call call);

  // lane_children.cc
  struct AskedChild {
    CallId call;
    std::uint32_t attempt = 1;
    ChildRequest request;
    int tries = 0;  ///< That failed.
  };
  struct UnderWay {};
  using FoundChild = std::variant<NewRun, ChildRefused, ChildEnded, UnderWay>;
  struct ParentOf {
    RunId child;
    RunId parent;
    std::string step;
  };
  void start_child(Actor& actor, Call call);
  void ask_for_child(const std::shared_ptr<AskedChild>& asked);
  [[nodiscard]] Result<FoundChild> find_child(const ChildRequest& request) const;
  void child_found(const std::shared_ptr<AskedChild>& asked, Result<FoundChild> found);
  void child_is_known(const ChildRequest& request);
  void ask_again(const std::shared_ptr<AskedChild>& asked, const Error& error);
  void stop_child(Actor& actor, RunId child);
  void tell_parent(const Actor& actor);
  void rejoin(Actor& actor);
  void ask_parent(const ParentOf& kin);
  [[nodiscard]] Result<bool> is_awaited(const ParentOf& kin) const;

  void keep_slots(Actor& actor, std::size_t count);
  void wait_for_slot(Actor& actor);
  void arm_on_strand(RunId run, TenantId tenant, Time wake_at);
  void disarm(RunId run);
  void check_in_time();
  void check_timers();
  void check_statements();
  static json::Value summary(const Actor& actor, bool waits_for_slot,
                             const std::optional<Bytes32>& root);

  Engine& engine_;
  Executor& strand_;
  Executor& reader_;
  bool is_stopped_ = false;
  /// What commits failed with since one was written: each is logged once.
  std::set<Code> failing_;
  std::unordered_map<RunId, std::unique_ptr<Actor>> actors_;
  struct Timer {
    Time wake_at;
    TenantId tenant;
  };
  std::unordered_map<RunId, Timer> timers_;
  std::set<std::pair<Time, RunId>> due_;
  /// Runs in memory that need a statement at that time if nothing happens to them before.
  std::set<std::pair<Time, RunId>> to_state_;
  /// When due_ and to_state_ will be looked at: at the first of both or before.
  std::set<Time> checks_;
};

}  // namespace avow::engine
