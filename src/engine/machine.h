// SPDX-License-Identifier: Apache-2.0
// engine/machine.h: one run as a pure machine (DESIGN.md section 2).
// react() decides and applies what it decided to its own state; nothing of it may leave the process
// before the events are durable. If the commit fails, the machine is dropped and read back.
// No I/O, no clock, no thread, no chance but Turn::random. One thread at a time.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/contents.h"
#include "engine/limits.h"
#include "engine/state.h"
#include "provenance/run_tree.h"

namespace avow::engine {

/// A plan with what the engine reads off it once: where each step's values come from.
struct PlanIndex {
  struct Uses {
    std::vector<std::size_t> steps;
    bool input = false;
    bool parameters = false;
  };
  explicit PlanIndex(std::shared_ptr<const Plan> compiled);
  std::shared_ptr<const Plan> plan;
  std::vector<Uses> step_uses;  ///< Of the steps, then of what compensates them.
  Uses output_uses;
};

/// The step that started a run, of the run's parent.
struct ParentLink {
  RunId run;
  std::string step;
  std::string request;  ///< The commitment to what it asked for.
  int depth = 1;        ///< Of the child: the parent's and one.
};

/// How a step ended in an earlier run: a rerun takes it over instead of doing it again.
struct ReusedStep {
  std::string step;
  StepStatus status = StepStatus::kCompleted;  ///< Or kFailed, kSkipped.
  json::Value value{};                         ///< Its result, or the message of its error.
  std::string commitment{};                    ///< To that, in the earlier run.
  std::string code{};                          ///< kFailed: of its error.
  std::string decision{};                      ///< Of a decision.
};

/// The run that is run again.
struct RerunLink {
  RunId run;
  std::string from_step;  ///< Empty: everything runs again.
  std::string input;      ///< Its commitments.
  std::string parameters;
  std::vector<ReusedStep> reused{};  ///< In plan order; with each all that it depends on.
};

/// The first input of a run: who starts it, with what, under which limits.
struct Start {
  Time at;  ///< When it was asked for: the time of run.started.
  std::string actor;
  std::optional<AgentId> agent;
  std::vector<AgentId> agents;
  std::optional<WorkflowId> workflow;
  std::string workflow_version;
  std::string workflow_digest;
  std::string model;
  std::string traceparent;
  std::int64_t max_steps = 10;
  std::int64_t timeout_seconds = 300;
  int priority = kPriorityDefault;  ///< From 0 to 9, the most urgent.
  json::Value input = json::Object();
  json::Value parameters = json::Object();
  std::string name;  ///< Empty: none.
  json::Value labels = json::Object();
  std::optional<ParentLink> parent;
  std::optional<RerunLink> rerun;
};

struct CallFinished {
  CallId id;
  std::uint32_t attempt = 1;
  CallOutcome outcome;
};
/// How a child of the run ended. The child says so, perhaps more than once.
struct ChildEnded {
  RunId child;
  std::string step;  ///< That started it.
  RunStatus status = RunStatus::kCompleted;
  std::string code;  ///< kFailed: why.
  std::uint32_t events = 0;
  Bytes32 root{};  ///< Of its run tree.
  Usage usage;
  Cost cost = 0;
  json::Value output;
  std::string commitment;  ///< To the output, in the child.
};
struct TimerFired {};
struct CancelRequested {
  std::string actor;
  std::string reason;
};
/// From now on nothing new starts, and no time passes for the run.
struct PauseRequested {
  std::string actor;
  std::string reason;
};
struct ResumeRequested {
  std::string actor;
  std::string reason;
};
/// Which task of a run: that of the attempt `attempt` at `step`; `agents` are those for which its
/// worker may work, absent: all.
struct TaskName {
  std::string step;
  std::uint32_t attempt = 1;
  std::optional<std::vector<AgentId>> agents;
};
/// A worker takes a task; `token_hash` is the lower-case hex SHA-256 of the lease token it will
/// get.
struct TaskClaimed {
  TaskName task;
  std::string token_hash;
  std::string actor;
};
struct TaskRenewed {
  TaskName task;
  std::string token_hash;
};
struct TaskError {
  std::string code;
  std::string message;
  bool is_retryable = false;
};
struct TaskFinished {
  TaskName task;
  std::string token_hash;
  std::variant<json::Value, TaskError> outcome;
};
/// Somebody decides about an approval; `agents` are those that his key is bound to, absent: none.
struct ApprovalDecided {
  std::string step;
  std::string actor;
  std::optional<std::vector<AgentId>> agents;
  bool approves = false;
  std::string comment;
  std::string subject_digest;  ///< Of what he was shown, lower-case hex; empty: he does not say.
};
/// The agent works no more: its tasks fail `AGENT_INACTIVE`.
struct AgentStopped {
  AgentId agent;
};
/// The process that had calls of this run under way is gone: they are in doubt.
struct Recovered {};
/// Go on: a turn ended before the work did, or slots became free.
struct Continue {};

using Input = std::variant<Start, CallFinished, ChildEnded, TimerFired, CancelRequested,
                           PauseRequested, ResumeRequested, TaskClaimed, TaskRenewed, TaskFinished,
                           ApprovalDecided, AgentStopped, Recovered, Continue>;

/// What is true of the tenant's agents now; a run keeps the rest in its plan.
class Directory {
 public:
  virtual ~Directory() = default;
  [[nodiscard]] virtual bool is_agent_active(TenantId tenant, AgentId agent) const = 0;
};

struct Turn {
  Time now;
  Bytes32 random{};    ///< Fresh; salts, ids and jitter come from it, and it is then dropped.
  Contents& contents;  ///< The run's; react() adds what it commits to.
  std::size_t contents_bytes = 0;  ///< Of the run so far, as stored.
  std::size_t slots = 0;           ///< How many more calls may be under way.
  const Directory& directory;
  const EffectRunner& runner;  ///< For render() only.
};

/// What a worker gets with a task.
struct TaskGrant {
  RunId run;
  std::string step;                   ///< Of an item "<step>/i<item>".
  std::optional<std::uint32_t> item;  ///< Of for_each.
  std::uint32_t attempt = 1;
  std::string action;
  json::Value parameters;
  json::Value input;
  Time lease_expires_at;
};

/// What one turn comes to. Calls and cancels may leave only when the events are durable.
struct Reaction {
  std::optional<Error> refusal;     ///< The input does not fit the state; nothing changed.
  std::vector<std::string> events;  ///< Their exact bytes.
  std::uint32_t first_seq = 0;      ///< Of the first one.
  std::vector<Content> contents;
  std::vector<Call> calls;
  std::vector<CallId> cancels;
  std::vector<RunId> stopped_children;  ///< Runs that the run waits for no more.
  std::vector<store::TaskChange> tasks;
  std::optional<TaskGrant> grant;
  bool wants_more = false;   ///< Call again with Continue after the commit.
  bool wants_slots = false;  ///< Call again with Continue when a slot is free.
};

class Machine {
 public:
  Machine(RunId id, TenantId tenant, std::shared_ptr<const PlanIndex> plan);

  /// Takes an event read back from the journal, with its bytes. Errors: see RunState::apply.
  Result<void> replay(const Event& event, std::string_view bytes);

  Reaction react(const Input& input, const Turn& turn);

  [[nodiscard]] const RunState& state() const { return state_; }
  [[nodiscard]] const PlanIndex& index() const { return *index_; }
  [[nodiscard]] const std::shared_ptr<const PlanIndex>& shared_index() const { return index_; }
  [[nodiscard]] const provenance::RunTree& tree() const { return tree_; }

  /// Calls that have left, or must leave, and have not come back; children that are under way too.
  [[nodiscard]] std::vector<Call> calls_in_flight(const Contents& contents) const;
  /// How many of them hold a slot: children hold their own.
  [[nodiscard]] std::size_t slots_held() const;
  /// No more than this many further slots could be used in the next turn.
  [[nodiscard]] std::size_t slots_usable() const;
  /// The first moment at which TimerFired is due, which may be past; none when terminal or paused.
  /// `waits_for_slot`: the last turn wanted a slot and got none.
  [[nodiscard]] std::optional<Time> wake_at(Time now, bool waits_for_slot) const;
  /// Whether it waits only for timers and inputs of others.
  [[nodiscard]] bool is_parked() const;
  /// Whether it is a child or waits for one. What its kin had to tell it may be lost with the
  /// process, so it asks at every start.
  [[nodiscard]] bool has_kin() const;
  /// "paused", "approval", "agent", "child", "timer", "retry", or empty.
  [[nodiscard]] std::string_view waiting_for() const;

 private:
  std::shared_ptr<const PlanIndex> index_;
  RunState state_;
  provenance::RunTree tree_;
};

}  // namespace avow::engine
