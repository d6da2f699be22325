// SPDX-License-Identifier: Apache-2.0
// engine/state.h: where a run stands: what its events, applied in order, come to.
// apply() is the only thing that changes a RunState, live and at recovery alike, so a run that is
// read back from its journal stands exactly where it stood. Holds names of contents, never
// contents.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/effect_runner.h"
#include "engine/limits.h"
#include "provenance/content.h"
#include "provenance/event.h"
#include "store/store.h"
#include "workflow/plan.h"

namespace avow::engine {

using provenance::ContentRef;
using provenance::Event;
using store::RunStatus;
using workflow::Plan;
using workflow::StepType;

enum class StepStatus { kPending, kRunning, kWaiting, kCompleted, kFailed, kSkipped, kCancelled };
std::string_view step_status_name(StepStatus status);
std::string_view run_status_name(RunStatus status);
bool is_terminal(StepStatus status);
inline bool is_terminal(RunStatus status) { return status != RunStatus::kRunning; }

/// A content and the commitment to it, lower-case hex.
struct Committed {
  ContentRef ref;
  std::string commitment;
  [[nodiscard]] bool exists() const { return ref.seq != 0; }
};

/// One outside call of a step.
struct CallState {
  std::uint32_t number = 1;
  CallKind kind = CallKind::kWebhook;
  ContentRef request;
  ContentRef result;  ///< seq 0: none yet.
  std::string model;  ///< kModel: the one asked.
  std::string tool;   ///< kTool inside an inference: the tool, and which of the asked calls it is.
  std::size_t tool_index = 0;
  WorstCase reserved;  ///< Of the run's budget, until it has a result or its step is over.
  RunId child;         ///< kRun: the run that it starts.
  std::string request_commitment;  ///< kRun
};

/// What became of an item of for_each.
struct ItemOutcome {
  std::uint32_t seq = 0;  ///< Of its items.completed; 0: none yet.
  std::uint32_t at = 0;   ///< Its place in the list that stands there as `output`.
  bool is_failed = false;
};

/// The items of a step with for_each.
struct ItemsState {
  Committed list;
  std::size_t count = 0;
  std::size_t begun = 0;  ///< They begin in order.
  std::size_t open = 0;   ///< Begun and not over.
  std::size_t over = 0;
  std::vector<ItemOutcome> outcomes;  ///< By item.
};

/// The task of an agent's step.
struct TaskState {
  TaskId id;
  int claims = 0;
  std::optional<Time> lease_expires_at;
  std::string token_hash;  ///< Lower-case hex; empty: free.
};

/// What somebody said to an approval.
struct ApprovalDecision {
  std::string by;  ///< auth::Caller::principal
  bool approves = false;
  Committed comment;  ///< May not exist.
  Time at;
};

/// The approval that a step asked for last; until when it waits is StepState::wake_at.
struct ApprovalState {
  std::size_t round = 1;
  Committed subject;                        ///< What the approvers are shown.
  std::vector<ApprovalDecision> decisions;  ///< Of every round, oldest first.
  std::size_t first_of_round = 0;           ///< Only those from here on count.
};

/// A step, what compensates one, or an open item of one.
struct StepState {
  std::string name;         ///< Of an item "<step>/i<item>", as in the key of its calls.
  std::size_t planned = 0;  ///< The place of its step among the units; of an item: its step's.
  std::optional<std::uint32_t> item;
  StepType type = StepType::kTransform;
  StepStatus status = StepStatus::kPending;
  std::optional<AgentId> agent;
  std::uint32_t attempt = 0;
  std::optional<Time> started_at;
  std::optional<Time> completed_at;
  std::uint32_t ended_seq = 0;   ///< Of the event that ended it; 0: none yet.
  std::optional<Time> deadline;  ///< Of the attempt under way.
  /// While waiting: for the next attempt, the end of a wait, or of the time to approve.
  std::optional<Time> wake_at;
  Committed input;  ///< The resolved config.
  Committed output;
  std::string error_code;
  Committed error_message;
  std::string decision;          ///< The label chosen by a decision.
  std::vector<CallState> calls;  ///< The last one may be in flight.
  bool is_in_flight = false;     ///< The last call has left, or is about to, and has not come back.
  int crashes = 0;               ///< Attempts lost to crashes.
  int call_failures = 0;         ///< Attempts at the last call that failed.
  Usage usage;
  Cost cost = 0;
  std::optional<TaskState> task;
  std::optional<ItemsState> items;        ///< Of a step with for_each, once it has started.
  std::optional<ApprovalState> approval;  ///< Stays when the step has ended.
  std::size_t unfinished_dependencies = 0;
  /// In an agent's own run: the round (number of model calls so far) and which tool call of it.
  std::size_t round = 0;
  std::size_t tool_index = 0;
  std::string tool;
  std::optional<RunId>
      reused_from;  ///< The run in which it ended like this; it did not begin here.

  [[nodiscard]] bool waits_for_child() const {
    return is_in_flight && calls.back().kind == CallKind::kRun;
  }
  [[nodiscard]] bool holds_slot() const { return is_in_flight && !waits_for_child(); }

  /// Whether its last call has ended, and a pause of the run kept it from making the next.
  [[nodiscard]] bool is_held_back() const {
    return status == StepStatus::kRunning && !calls.empty() && !is_in_flight;
  }
};

/// Why nothing new starts any more.
struct Ending {
  std::string code;
  std::string step;   ///< Empty: the run itself.
  Committed message;  ///< Of the step that failed.
};

class RunState {
 public:
  RunState(RunId id, TenantId tenant, std::shared_ptr<const Plan> plan);

  /// Takes the next event. CHECKs that its seq follows: the journal's own integrity is checked
  /// where it is read. Errors: kUnavailable  an event type that this program does not know: it must
  /// not guess
  Result<void> apply(const Event& event);

  [[nodiscard]] const Plan& plan() const { return *plan_; }
  // What can be at work are units: the steps, then what compensates them, then places for items
  // that are open (an unused one is pending). The places of steps and compensations never change.
  [[nodiscard]] const StepState& unit(std::size_t i) const;
  [[nodiscard]] std::size_t unit_count() const {
    return steps.size() + compensations.size() + items.size();
  }
  /// By its name; unit_count() if there is none.
  [[nodiscard]] std::size_t index_of(std::string_view name) const;
  [[nodiscard]] const StepState* find_step(std::string_view name) const;
  [[nodiscard]] bool is_compensation(std::size_t i) const {
    return i >= steps.size() && i < steps.size() + compensations.size();
  }
  /// Whether it is over but for what compensates its steps.
  [[nodiscard]] bool is_ending() const { return ending.has_value() || is_cancel_requested; }
  /// Pending steps whose dependencies are all terminal, in plan order.
  [[nodiscard]] const std::set<std::size_t>& ready() const { return ready_; }

  // The rest is for reading; only apply() writes it.
  RunId id;
  TenantId tenant;
  RunStatus status = RunStatus::kRunning;
  std::uint32_t seq = 0;  ///< Of the last event.
  Time time;              ///< Of the last event.
  bool is_agent_run = false;
  std::string actor;
  std::optional<RunId> parent;
  std::string parent_step;
  int depth = 0;            ///< How many runs are above it.
  json::Value start_facts;  ///< The data of run.started.
  std::string traceparent;
  std::optional<AgentId> agent;
  std::string model;  ///< The request's or the workflow's; empty: the agent's.
  std::int64_t max_steps = 0;
  int priority = kPriorityDefault;
  Time started_at;
  std::optional<Time> completed_at;
  Time deadline;
  Committed input;
  Committed parameters;
  Committed plan_commitment;
  Committed name;
  Committed labels;
  Committed output;
  std::string error_code;
  std::string error_step;
  Committed error_message;
  std::optional<Ending> ending;
  bool is_cancel_requested = false;
  /// While it is paused: since when. Every time of the state is as of then, and moves on resuming.
  std::optional<Time> paused_at;
  std::vector<StepState> steps;  ///< In plan order; in an agent's own run in the order of start.
  std::vector<StepState> compensations;  ///< In the order of Plan::compensations.
  std::deque<StepState> items;  ///< Open, or unused. Grows to what is open at once, no further.
  std::size_t unfinished_steps = 0;
  std::int64_t steps_started = 0;
  std::int64_t fuel_used = 0;
  Cost cost = 0;
  Usage usage;

 private:
  using Handler = void (RunState::*)(const Event&);
  static const std::map<std::string, Handler, std::less<>>& handlers();

  void on_run_started(const Event& event);
  void on_step_started(const Event& event);
  void on_effect_started(const Event& event);
  void on_llm_called(const Event& event);
  void on_tool_called(const Event& event);
  void on_decision_made(const Event& event);
  void on_guardrail_checked(const Event& event);
  void on_effect_in_doubt(const Event& event);
  void on_effect_failed(const Event& event);
  void on_timer_armed(const Event& event);
  void on_task_offered(const Event& event);
  void on_task_claimed(const Event& event);
  void on_items_completed(const Event& event);
  void on_run_compensating(const Event& event);
  void on_approval_requested(const Event& event);
  void on_approval_decided(const Event& event);
  void on_approval_expired(const Event& event);
  void on_step_retrying(const Event& event);
  void on_child_finished(const Event& event);
  void on_step_completed(const Event& event);
  void on_step_failed(const Event& event);
  void on_step_skipped(const Event& event);
  void on_step_cancelled(const Event& event);
  void on_run_paused(const Event& event);
  void on_run_resumed(const Event& event);
  void on_cancel_requested(const Event& event);
  void on_run_completed(const Event& event);
  void on_run_failed(const Event& event);
  void on_run_cancelled(const Event& event);

  StepState& at(std::size_t unit);
  StepState& step_of(const Event& event);
  std::size_t open_item(std::size_t step, std::uint32_t item);
  void close_item(StepState& item);
  void add_spent(const Event& event, StepState& step);
  void end_step(const Event& event, StepStatus status);
  void end_run(const Event& event, RunStatus status);

  std::shared_ptr<const Plan> plan_;
  std::map<std::string, std::size_t, std::less<>> by_name_;
  std::set<std::size_t> ready_;
};

}  // namespace avow::engine
