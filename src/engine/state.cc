// SPDX-License-Identifier: Apache-2.0
#include "engine/state.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace avow::engine {
namespace {

Committed committed(const Event& event, std::string_view member) {
  const json::Value* hex = event.data.find(member);
  if (hex == nullptr || !hex->is_string()) return {};
  return {{event.seq, std::string(member)}, hex->as_string()};
}

std::optional<Time> time_member(const Event& event, std::string_view member) {
  const json::Value* text = event.data.find(member);
  if (text == nullptr || !text->is_string()) return std::nullopt;
  const auto time = parse_time(text->as_string());
  return time ? std::optional(*time) : std::nullopt;
}

std::optional<RunId> run_member(const Event& event, std::string_view member) {
  const auto id = parse_id(event.data.string_or(member));
  return id ? std::optional(RunId{*id}) : std::nullopt;
}

std::size_t size_member(const Event& event, std::string_view member) {
  return static_cast<std::size_t>(event.data.int_or(member, 0));
}

CallKind call_kind(std::string_view name) {
  if (name == "model") return CallKind::kModel;
  if (name == "run") return CallKind::kRun;
  return name == "tool" ? CallKind::kTool : CallKind::kWebhook;
}

StepType step_type(std::string_view name) {
  for (int i = 0; i <= static_cast<int>(StepType::kApproval); ++i) {
    if (workflow::step_type_name(static_cast<StepType>(i)) == name) return static_cast<StepType>(i);
  }
  return StepType::kAgent;
}

/// Costs stand in events as cents with at most six decimals.
Cost cost_member(const Event& event, std::string_view member = "cost_cents") {
  const json::Value* cents = event.data.find(member);
  if (cents == nullptr || !cents->is_number()) return 0;
  return std::llround(cents->as_double() * 1e6);
}

std::string item_name(std::string_view step, std::int64_t item) {
  return fmt::format("{}/i{}", step, item);
}

}  // namespace

std::string_view step_status_name(StepStatus status) {
  switch (status) {
    case StepStatus::kPending:
      return "pending";
    case StepStatus::kRunning:
      return "running";
    case StepStatus::kWaiting:
      return "waiting";
    case StepStatus::kCompleted:
      return "completed";
    case StepStatus::kFailed:
      return "failed";
    case StepStatus::kSkipped:
      return "skipped";
    case StepStatus::kCancelled:
      return "cancelled";
  }
  return "pending";
}

std::string_view run_status_name(RunStatus status) {
  switch (status) {
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kCompleted:
      return "completed";
    case RunStatus::kFailed:
      return "failed";
    case RunStatus::kCancelled:
      return "cancelled";
  }
  return "running";
}

bool is_terminal(StepStatus status) {
  return status != StepStatus::kPending && status != StepStatus::kRunning &&
         status != StepStatus::kWaiting;
}

RunState::RunState(RunId run, TenantId owner, std::shared_ptr<const Plan> plan)
    : id(run), tenant(owner), plan_(std::move(plan)) {
  is_agent_run = plan_->is_agent_run;
  steps.reserve(plan_->steps.size());
  for (const workflow::Step& step : plan_->steps) {
    StepState& state = steps.emplace_back();
    state.name = step.name;
    state.planned = steps.size() - 1;
    state.type = step.type;
    state.unfinished_dependencies = step.dependencies.size();
    if (step.dependencies.empty()) ready_.insert(steps.size() - 1);
  }
  unfinished_steps = steps.size();
  for (const workflow::Step& step : plan_->compensations) {
    StepState& state = compensations.emplace_back();
    state.name = step.name;
    state.planned = steps.size() + compensations.size() - 1;
    state.type = step.type;
  }
}

const StepState& RunState::unit(std::size_t i) const {
  if (i < steps.size()) return steps[i];
  i -= steps.size();
  if (i < compensations.size()) return compensations[i];
  CHECK(i - compensations.size() < items.size());
  return items[i - compensations.size()];
}

StepState& RunState::at(std::size_t unit_index) {
  return const_cast<StepState&>(std::as_const(*this).unit(unit_index));
}

std::size_t RunState::index_of(std::string_view name_sought) const {
  if (is_agent_run) {
    const auto found = by_name_.find(name_sought);
    return found == by_name_.end() ? unit_count() : found->second;
  }
  if (name_sought.find('/') == std::string_view::npos) {
    const std::size_t found = plan_->find(name_sought);
    return found < steps.size() + compensations.size() ? found : unit_count();
  }
  const auto item = std::find_if(items.begin(), items.end(), [name_sought](const StepState& one) {
    return one.item && one.name == name_sought;
  });
  return steps.size() + compensations.size() + static_cast<std::size_t>(item - items.begin());
}

const StepState* RunState::find_step(std::string_view step) const {
  const std::size_t i = index_of(step);
  return i < unit_count() ? &unit(i) : nullptr;
}

const std::map<std::string, RunState::Handler, std::less<>>& RunState::handlers() {
  static const std::map<std::string, Handler, std::less<>> all = {
      {"run.started", &RunState::on_run_started},
      {"step.started", &RunState::on_step_started},
      {"effect.started", &RunState::on_effect_started},
      {"llm.called", &RunState::on_llm_called},
      {"tool.called", &RunState::on_tool_called},
      {"decision.made", &RunState::on_decision_made},
      {"guardrail.checked", &RunState::on_guardrail_checked},
      {"effect.in_doubt", &RunState::on_effect_in_doubt},
      {"timer.armed", &RunState::on_timer_armed},
      {"task.offered", &RunState::on_task_offered},
      {"task.claimed", &RunState::on_task_claimed},
      {"task.renewed", &RunState::on_task_claimed},
      {"items.completed", &RunState::on_items_completed},
      {"approval.requested", &RunState::on_approval_requested},
      {"approval.decided", &RunState::on_approval_decided},
      {"approval.expired", &RunState::on_approval_expired},
      {"step.retrying", &RunState::on_step_retrying},
      {"child.finished", &RunState::on_child_finished},
      {"step.completed", &RunState::on_step_completed},
      {"step.failed", &RunState::on_step_failed},
      {"step.skipped", &RunState::on_step_skipped},
      {"step.cancelled", &RunState::on_step_cancelled},
      {"effect.failed", &RunState::on_effect_failed},
      {"run.paused", &RunState::on_run_paused},
      {"run.resumed", &RunState::on_run_resumed},
      {"run.cancel_requested", &RunState::on_cancel_requested},
      {"run.compensating", &RunState::on_run_compensating},
      {"run.completed", &RunState::on_run_completed},
      {"run.failed", &RunState::on_run_failed},
      {"run.cancelled", &RunState::on_run_cancelled},
  };
  return all;
}

Result<void> RunState::apply(const Event& event) {
  CHECK(event.seq == seq + 1);
  const auto handler = handlers().find(event.type);
  if (handler == handlers().end()) {
    return failure(Code::kUnavailable,
                   "event {} has the type \"{}\", which this program does not know", event.seq,
                   shown(event.type));
  }
  if (!event.step.empty() && event.type != "step.started" && find_step(event.step) == nullptr) {
    return failure(Code::kCorruption,
                   "event {} names the step \"{}\", which the plan does not have", event.seq,
                   shown(event.step));
  }
  seq = event.seq;
  time = event.time;
  fuel_used += event.data.int_or("fuel", 0);
  (this->*handler->second)(event);
  return {};
}

StepState& RunState::step_of(const Event& event) {
  const json::Value* item = event.data.find("item");
  const std::size_t i =
      item == nullptr ? index_of(event.step) : index_of(item_name(event.step, item->as_int()));
  return at(i);
}

/// A place among the units for an item that begins.
std::size_t RunState::open_item(std::size_t step, std::uint32_t item) {
  auto place = std::find_if(items.begin(), items.end(),
                            [](const StepState& one) { return !one.item.has_value(); });
  if (place == items.end()) place = items.insert(items.end(), StepState());
  place->name = item_name(steps[step].name, item);
  place->planned = step;
  place->item = item;
  place->type = steps[step].type;
  ++steps[step].items->begun;
  ++steps[step].items->open;
  return steps.size() + compensations.size() + static_cast<std::size_t>(place - items.begin());
}

void RunState::close_item(StepState& item) {
  --steps[item.planned].items->open;
  item = StepState();
}

void RunState::on_run_started(const Event& event) {
  actor = event.actor;
  agent = event.agent;
  parent = run_member(event, "parent");
  parent_step = event.data.string_or("parent_step");
  depth = static_cast<int>(event.data.int_or("depth", 0));
  start_facts = event.data;
  traceparent = event.data.string_or("traceparent");
  model = event.data.string_or("model");
  max_steps = event.data.int_or("max_steps", 0);
  priority = static_cast<int>(event.data.int_or("priority", kPriorityDefault));
  started_at = event.time;
  deadline = started_at + std::chrono::seconds(event.data.int_or("timeout_seconds", 0));
  input = committed(event, "input");
  parameters = committed(event, "parameters");
  plan_commitment = committed(event, "plan");
  name = committed(event, "name");
  labels = committed(event, "labels");
}

void RunState::on_step_started(const Event& event) {
  std::size_t i = index_of(event.step);
  if (is_agent_run && i == steps.size()) {
    // The steps of an agent's own run come as its model asks for them.
    StepState& added = steps.emplace_back();
    added.name = event.step;
    added.planned = i;
    added.type = step_type(event.data.string_or("type"));
    added.round = size_member(event, "round");
    added.tool_index = size_member(event, "tool_index");
    added.tool = event.data.string_or("tool");
    by_name_.emplace(event.step, i);
    ++unfinished_steps;
  }
  const json::Value* item = event.data.find("item");
  if (item != nullptr && event.attempt == 1) {
    i = open_item(i, static_cast<std::uint32_t>(item->as_int()));
  } else if (item != nullptr) {
    i = index_of(item_name(event.step, item->as_int()));
  }
  StepState& step = at(i);
  if (event.attempt == 1) {
    ready_.erase(i);
    if (i < steps.size()) ++steps_started;
    step.started_at = event.time;
    step.input = committed(event, "input");
    step.agent = event.agent;
    if (const json::Value* count = event.data.find("count")) {
      const auto items_count = static_cast<std::size_t>(count->as_int());
      step.items.emplace(
          ItemsState{.list = committed(event, "items"), .count = items_count, .outcomes = {}});
      step.items->outcomes.resize(items_count);
    }
  }
  step.attempt = event.attempt;
  step.status = StepStatus::kRunning;
  step.wake_at.reset();
  step.deadline = time_member(event, "deadline");
  step.is_in_flight = !step.calls.empty();  // a later attempt sends the last call again
}

void RunState::on_effect_started(const Event& event) {
  StepState& step = step_of(event);
  CallState& call = step.calls.emplace_back();
  call.number = static_cast<std::uint32_t>(event.data.int_or("call", 1));
  call.kind = call_kind(event.data.string_or("kind"));
  call.request = {event.seq, "request"};
  call.model = event.data.string_or("model");
  call.tool = event.data.string_or("tool");
  call.tool_index = size_member(event, "tool_index");
  call.reserved = {event.data.int_or("reserved_tokens", 0), cost_member(event, "reserved_cents")};
  call.child = run_member(event, "child").value_or(RunId{});
  if (call.kind == CallKind::kRun) call.request_commitment = event.data.string_or("request");
  step.is_in_flight = true;
  // Each attempt at an orchestration starts a run of its own; the same call is made again
  // elsewhere.
  if (call.kind != CallKind::kRun) step.call_failures = 0;
}

void RunState::on_llm_called(const Event& event) {
  StepState& step = step_of(event);
  if (!step.calls.empty()) step.calls.back().result = {event.seq, "response"};
  step.is_in_flight = false;
  add_spent(event, step);
}

/// What a call of `step` took; of an item its step too.
void RunState::add_spent(const Event& event, StepState& step) {
  StepState* own = step.item ? &steps[step.planned] : nullptr;
  for (Usage* sum : {&usage, &step.usage, own == nullptr ? nullptr : &own->usage}) {
    if (sum == nullptr) continue;
    sum->input_tokens += event.data.int_or("input_tokens", 0);
    sum->output_tokens += event.data.int_or("output_tokens", 0);
  }
  for (Cost* sum : {&cost, &step.cost, own == nullptr ? nullptr : &own->cost}) {
    if (sum != nullptr) *sum += cost_member(event);
  }
}

void RunState::on_child_finished(const Event& event) {
  StepState& step = step_of(event);
  step.is_in_flight = false;
  add_spent(event, step);
}

void RunState::on_tool_called(const Event& event) {
  StepState& step = step_of(event);
  if (!step.is_in_flight) {
    // Refused before it left: an unknown tool, a scope that the agent lacks, arguments that do not
    // fit.
    CallState& call = step.calls.emplace_back();
    call.number = static_cast<std::uint32_t>(event.data.int_or("call", 1));
    call.kind = CallKind::kTool;
    call.tool = event.data.string_or("tool");
    call.tool_index = size_member(event, "tool_index");
  }
  step.calls.back().result = {event.seq, "output"};
  step.is_in_flight = false;
}

void RunState::on_decision_made(const Event& event) {
  step_of(event).decision = event.data.string_or("decision");
}

void RunState::on_guardrail_checked(const Event&) {}

void RunState::on_effect_in_doubt(const Event& event) {
  StepState& step = step_of(event);
  ++step.crashes;
  step.deadline = time_member(event, "deadline");
  if (!paused_at) return;  // made again at once
  step.status = StepStatus::kWaiting;
  step.wake_at = paused_at;
  step.deadline.reset();
  step.is_in_flight = false;
}

/// What is to be tried instead waits until the run is resumed.
void RunState::on_effect_failed(const Event& event) { step_of(event).is_in_flight = false; }

void RunState::on_timer_armed(const Event& event) {
  StepState& step = step_of(event);
  step.status = StepStatus::kWaiting;
  step.wake_at = time_member(event, "until");
}

void RunState::on_task_offered(const Event& event) {
  StepState& step = step_of(event);
  const auto task = parse_id(event.data.string_or("task"));
  step.status = StepStatus::kWaiting;
  step.task =
      TaskState{.id = TaskId{task ? *task : Id{}}, .lease_expires_at = {}, .token_hash = {}};
}

void RunState::on_task_claimed(const Event& event) {
  StepState& step = step_of(event);
  if (!step.task) return;
  step.status = StepStatus::kRunning;
  step.task->claims = static_cast<int>(event.data.int_or("claim", step.task->claims));
  step.task->lease_expires_at = time_member(event, "lease_expires_at");
  step.task->token_hash = event.data.string_or("token", step.task->token_hash);
}

void RunState::on_approval_requested(const Event& event) {
  StepState& step = step_of(event);
  step.status = StepStatus::kWaiting;
  step.wake_at = time_member(event, "deadline");
  if (!step.approval) step.approval.emplace();
  step.approval->round = size_member(event, "round");
  step.approval->subject = committed(event, "subject");
  step.approval->first_of_round = step.approval->decisions.size();
}

void RunState::on_approval_decided(const Event& event) {
  StepState& step = step_of(event);
  if (!step.approval) return;
  step.approval->decisions.push_back({.by = event.actor,
                                      .approves = event.data.string_or("decision") == "approve",
                                      .comment = committed(event, "comment"),
                                      .at = event.time});
}

/// What follows says its own event.
void RunState::on_approval_expired(const Event& event) { step_of(event).wake_at.reset(); }

void RunState::on_step_retrying(const Event& event) {
  StepState& step = step_of(event);
  step.status = StepStatus::kWaiting;
  step.wake_at = time_member(event, "retry_at");
  step.deadline.reset();
  step.is_in_flight = false;
  step.task.reset();
  step.approval.reset();
  ++step.call_failures;
  step.error_code = event.data.string_or("code");
  step.error_message = committed(event, "message");
}

/// Those of a step with for_each that are over, with what they gave or failed with in one list.
void RunState::on_items_completed(const Event& event) {
  StepState& step = steps[index_of(event.step)];
  const json::Array& over = event.data.find("items")->as_array();
  const json::Value* failed = event.data.find("failed");
  for (std::uint32_t i = 0; i < over.size(); ++i) {
    const auto item = static_cast<std::uint32_t>(over[i].as_int());
    const std::string key = std::to_string(item);
    step.items->outcomes[item] = {event.seq, i, failed != nullptr && failed->find(key) != nullptr};
    ++step.items->over;
    const std::size_t unit_index = index_of(item_name(event.step, item));
    if (unit_index < unit_count()) {
      close_item(at(unit_index));
    } else {
      ++step.items->begun;  // one that needs no place: it began and ended in one turn
    }
  }
}

void RunState::end_step(const Event& event, StepStatus status_now) {
  const std::size_t i = index_of(event.step);
  StepState& step = at(i);
  ready_.erase(i);
  step.status = status_now;
  step.reused_from = run_member(event, "reused_from");
  step.completed_at = event.time;
  step.ended_seq = event.seq;
  step.deadline.reset();
  step.wake_at.reset();
  step.task.reset();
  step.is_in_flight = false;
  if (step.items) {
    for (StepState& item : items) {
      if (item.item && item.planned == i) close_item(item);
    }
  }
  if (is_compensation(i)) return;
  --unfinished_steps;
  if (is_agent_run) return;
  for (const std::size_t dependent : plan_->steps[i].dependents) {
    StepState& next = steps[dependent];
    if (--next.unfinished_dependencies == 0 && next.status == StepStatus::kPending) {
      ready_.insert(dependent);
    }
  }
}

void RunState::on_step_completed(const Event& event) {
  StepState& step = step_of(event);
  step.output = committed(event, "output");
  if (step.decision.empty()) step.decision = event.data.string_or("decision");
  step.error_code.clear();
  step.error_message = {};
  end_step(event, StepStatus::kCompleted);
}

void RunState::on_step_failed(const Event& event) {
  StepState& step = step_of(event);
  step.error_code = event.data.string_or("code");
  step.error_message = committed(event, "message");
  end_step(event, StepStatus::kFailed);
  const std::size_t i = index_of(event.step);
  if (is_compensation(i)) return;
  const bool aborts = is_agent_run ? step.type != StepType::kToolCall
                                   : plan_->steps[i].on_failure == workflow::OnFailure::kAbort;
  if (aborts && !ending) ending = Ending{step.error_code, event.step, step.error_message};
}

void RunState::on_step_skipped(const Event& event) { end_step(event, StepStatus::kSkipped); }
void RunState::on_step_cancelled(const Event& event) { end_step(event, StepStatus::kCancelled); }

void RunState::on_run_paused(const Event& event) { paused_at = event.time; }

/// Time goes on for the run: every time moves by as long as it stood still.
void RunState::on_run_resumed(const Event& event) {
  if (!paused_at) return;
  const Duration paused = event.time - *paused_at;
  paused_at.reset();
  deadline += paused;
  for (std::size_t i = 0; i < unit_count(); ++i) {
    StepState& step = at(i);
    if (step.deadline) *step.deadline += paused;
    if (step.wake_at) *step.wake_at += paused;
  }
}

/// A run that is to end is paused no more.
void RunState::on_cancel_requested(const Event& event) {
  is_cancel_requested = true;
  on_run_resumed(event);
}

/// The run is over but for what undoes its steps; why, where no step's failure says it.
void RunState::on_run_compensating(const Event& event) {
  if (ending || is_cancel_requested) return;
  ending = Ending{event.data.string_or("code"), event.data.string_or("step"),
                  committed(event, "message")};
}

void RunState::end_run(const Event& event, RunStatus status_now) {
  status = status_now;
  completed_at = event.time;
  ready_.clear();
}

void RunState::on_run_completed(const Event& event) {
  output = committed(event, "output");
  end_run(event, RunStatus::kCompleted);
}

void RunState::on_run_failed(const Event& event) {
  error_code = event.data.string_or("code");
  error_step = event.data.string_or("step");
  error_message = committed(event, "message");
  end_run(event, RunStatus::kFailed);
}

void RunState::on_run_cancelled(const Event& event) { end_run(event, RunStatus::kCancelled); }

}  // namespace avow::engine
