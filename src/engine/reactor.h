// SPDX-License-Identifier: Apache-2.0
// engine/reactor.h: one turn of a machine at work. Only machine.cc makes one.
//
// Where to read what: reactor.cc the inputs and the order of things, steps.cc how a step of each
// type starts, items.cc the items of for_each, calls.cc what becomes of outside calls, chat.cc
// inferences with tools, agent_run.cc an agent's own run, children.cc runs that come of runs,
// tasks.cc workers, approvals.cc people who decide, ending.cc how steps and runs end and what
// undoes them.
#pragma once
#include "engine/environment.h"
#include "engine/machine.h"

namespace avow::engine {

class Reactor {
 public:
  Reactor(RunState& state, const PlanIndex& index, provenance::RunTree& tree, const Turn& turn,
          Reaction& reaction);

  void react(const Input& input);

 private:
  // reactor.cc: inputs
  void on(const Start& start);
  void on(const CallFinished& finished);
  void on(const ChildEnded& ended);
  void on(const TimerFired&) {}
  void on(const CancelRequested& request);
  void on(const PauseRequested& request);
  void on(const ResumeRequested& request);
  void on(const TaskClaimed& claim);
  void on(const TaskRenewed& renewal);
  void on(const TaskFinished& finished);
  void on(const ApprovalDecided& decided);
  void on(const AgentStopped& stopped);
  void on(const Recovered&);
  void on(const Continue&) {}
  void advance();
  void resume_due();
  void resume_attempt(std::size_t i);
  void resume_held_back(std::size_t i);
  bool run_ready(std::size_t i);
  std::optional<std::string_view> skip_reason(const workflow::Step& step) const;

  // reactor.cc: writing
  Event begin(std::string_view type, std::string_view step = {}) const;
  Event begin(std::string_view type, std::size_t i) const;
  /// Puts the commitment to `value` into the event's data and the value among the contents.
  Committed commit(Event& event, std::string_view member, json::Value value);
  void emit(Event event);
  [[nodiscard]] Bytes32 derive(std::string_view purpose) const;
  [[nodiscard]] Id draw_id(std::string_view purpose) const;
  /// A `from`: commitments to what expressions read. Not to the plan, whose literals, and what a
  /// request merged into a step's config, are in every step: run.started has its commitment.
  [[nodiscard]] json::Value sources(const PlanIndex::Uses& uses) const;
  [[nodiscard]] json::Value value_of(const Committed& committed) const;
  [[nodiscard]] json::Value value_of(const ContentRef& ref) const;

  // steps.cc
  void start_step(std::size_t i);
  /// What a unit does once it has been started.
  void begin_unit(std::size_t i, const workflow::Rendered& config);
  /// Emits step.started for the step's first attempt.
  void emit_started(std::size_t i, const json::Value& config);
  void run_transform(std::size_t i, const json::Value& config);
  void decide_by_rules(std::size_t i);
  void check_guardrail(std::size_t i, const json::Value& config);
  void start_webhook(std::size_t i, const workflow::Rendered& config);
  void start_tool(std::size_t i, const workflow::Rendered& config);
  void start_wait(std::size_t i, const json::Value& config);
  void start_agent(std::size_t i);
  [[nodiscard]] bool needs_slot(std::size_t i) const;
  [[nodiscard]] std::optional<AgentId> agent_of(std::size_t i) const;
  [[nodiscard]] bool tool_is_allowed(const json::Value& tool, std::optional<AgentId> agent) const;
  [[nodiscard]] std::optional<Time> attempt_deadline(std::size_t i, Duration fallback) const;
  /// Evaluates and counts the fuel into the turn.
  [[nodiscard]] std::variant<json::Value, cel::EvalError> evaluate(
      const cel::Expression& expression);
  [[nodiscard]] std::variant<workflow::Rendered, cel::EvalError> render(
      const workflow::Template& text);
  void fail_expression(std::size_t i, const cel::EvalError& error, std::string_view what);

  // items.cc
  struct ItemFailure {
    std::string code;
    std::string message;
  };
  struct EndedItem {
    std::uint32_t item = 0;
    json::Value value;
    std::optional<ItemFailure> failure;
  };
  void start_items(std::size_t i);
  [[nodiscard]] std::size_t step_with_items_to_begin();
  void begin_items(std::size_t i);
  void make_items(std::size_t i);
  void begin_item(std::size_t i, std::uint32_t item);
  std::variant<workflow::Rendered, ItemFailure> render_item(std::size_t i, std::uint32_t item);
  [[nodiscard]] EndedItem judged(std::size_t i, std::uint32_t item, json::Value value) const;
  void end_items(std::size_t i, std::vector<EndedItem> ended);
  [[nodiscard]] json::Value items_result(std::size_t i) const;
  void stop_items(std::size_t i);

  // calls.cc
  /// Commits to a new outside call of step `i` and has it made; a spec that cannot be rendered
  /// fails it.
  void start_call(std::size_t i, const CallSpec& spec, json::Value facts = json::Object());
  std::optional<WorstCase> reserve(std::size_t i, CallKind kind, const json::Value& request);
  void begin_call(std::size_t i, CallKind kind, json::Value request, json::Value facts);
  void call_again(std::size_t i);
  void stop_call(const StepState& step);
  void call_succeeded(std::size_t i, const CallResult& result);
  void call_failed(std::size_t i, const CallError& error);
  [[nodiscard]] const workflow::RetryPolicy& retry_policy(std::size_t i) const;

  // chat.cc
  void start_inference(std::size_t i);
  void model_answered(std::size_t i, const CallResult& result);
  void next_of_inference(std::size_t i);
  bool try_fallback_model(std::size_t i);
  void tool_answered(std::size_t i, json::Value output);
  bool ask_again(std::size_t i);
  void finish_inference(std::size_t i);
  bool call_inner_tool(std::size_t i, const json::Value& asked, std::size_t tool_index);
  [[nodiscard]] json::Value chat(std::size_t i, const std::string& model) const;
  [[nodiscard]] json::Value chat_opening(std::size_t i) const;
  [[nodiscard]] std::string model_of(std::size_t i) const;
  [[nodiscard]] json::Value tool_offers(const json::Value& names) const;

  // agent_run.cc
  void begin_agent_run();
  void advance_agent_run();
  void start_llm_step(std::size_t round);
  void start_tool_step(std::size_t round, std::size_t tool_index, const json::Value& asked);
  [[nodiscard]] json::Value agent_run_chat() const;

  // children.cc
  void start_orchestration(std::size_t i, const json::Value& config);
  void start_child(std::size_t i, json::Value request);
  void take_over(const RerunLink& rerun);

  // tasks.cc
  void offer_task(std::size_t i);
  void withdraw_task(const StepState& step);
  [[nodiscard]] bool is_held(const StepState& step) const;
  /// The step whose task it is; else why not.
  [[nodiscard]] Result<std::size_t> find_task(const TaskName& name) const;
  [[nodiscard]] Result<std::size_t> find_held_task(const TaskName& name,
                                                   std::string_view token_hash) const;
  [[nodiscard]] store::TaskRow task_row(std::size_t i) const;

  // approvals.cc
  /// Asks for the approval of step `i`, of the first round on.
  void request_approval(std::size_t i, std::size_t round = 1);
  /// The time to decide is over.
  void expire_approval(std::size_t i);
  void settle_approval(std::size_t i, bool is_approved);
  [[nodiscard]] Result<void> check_decision(std::size_t i, const ApprovalDecided& decided) const;
  [[nodiscard]] bool has_part_in_run(const ApprovalDecided& decided) const;

  // ending.cc
  void complete_step(std::size_t i, json::Value result);
  void fail_step(std::size_t i, std::string_view code, std::string message);
  void fail_or_retry(std::size_t i, const CallError& error);
  void skip_step(std::size_t i, std::string_view reason);
  void settle();
  /// Has the next of what undoes the run's steps begin; false if there is nothing left to undo.
  bool compensate();
  [[nodiscard]] std::size_t next_compensation() const;
  /// What is wrong with a result by the step's output_schema; empty if it fits.
  [[nodiscard]] static std::string output_fault(const workflow::Step& step,
                                                const json::Value& result);
  void complete_run();
  void fail_run(std::string_view code, std::string message, std::string_view step = {});
  void end_failed(std::string_view code, std::string message, std::string_view step);
  void cancel_open_steps();

  [[nodiscard]] const Plan& plan() const { return *index_.plan; }
  [[nodiscard]] const StepState& unit(std::size_t i) const { return state_.unit(i); }
  /// What the plan says of a unit; not in an agent's own run.
  [[nodiscard]] const workflow::Step& planned(std::size_t i) const {
    const std::size_t place = unit(i).planned;
    return place < plan().steps.size() ? plan().steps[place]
                                       : plan().compensations[place - plan().steps.size()];
  }
  [[nodiscard]] const PlanIndex::Uses& uses_of(std::size_t i) const {
    return index_.step_uses[unit(i).planned];
  }
  /// Until when it may take: a compensation has no more than its own time.
  [[nodiscard]] Time time_limit(std::size_t i) const {
    return state_.is_compensation(i) ? Time::max() : state_.deadline;
  }
  /// The run's own time, by which its limits count: it stands still while the run is paused.
  [[nodiscard]] Time now() const { return state_.paused_at.value_or(turn_.now); }
  [[nodiscard]] bool is_paused() const { return state_.paused_at.has_value(); }
  [[nodiscard]] bool is_over() const { return is_terminal(state_.status); }
  [[nodiscard]] bool is_ending() const { return is_over() || state_.is_ending(); }

  RunState& state_;
  const PlanIndex& index_;
  provenance::RunTree& tree_;
  const Turn& turn_;
  Reaction& reaction_;
  RunEnvironment environment_;
  std::size_t slots_;
  std::set<std::size_t> without_slot_;
  std::int64_t fuel_pending_ = 0;  ///< Used since the last event that says so.
  std::int64_t fuel_at_start_ = 0;
  std::size_t contents_bytes_ = 0;
};

}  // namespace avow::engine
