// SPDX-License-Identifier: Apache-2.0
#include "engine/machine.h"

#include <algorithm>

#include "engine/reactor.h"

namespace avow::engine {
namespace {

void note(const cel::Reference& reference, const Plan& plan, PlanIndex::Uses& uses) {
  if (reference.root == "input") uses.input = true;
  if (reference.root == "parameters") uses.parameters = true;
  if (reference.root != "steps" || reference.path.empty()) return;
  const std::size_t i = plan.find(reference.path.front());
  if (i < plan.steps.size()) uses.steps.push_back(i);
}

void note(const workflow::Template& text, const Plan& plan, PlanIndex::Uses& uses) {
  for (const workflow::TemplateReference& one : text.references()) note(one.reference, plan, uses);
}

void sort_unique(std::vector<std::size_t>& items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
}

PlanIndex::Uses uses_of(const workflow::Step& step, const Plan& plan) {
  PlanIndex::Uses uses;
  note(step.config, plan, uses);
  for (const workflow::DecisionCase& one : step.cases) {
    for (const cel::Reference& reference : one.when.references()) note(reference, plan, uses);
  }
  if (step.for_each) {
    for (const cel::Reference& reference : step.for_each->references()) note(reference, plan, uses);
  }
  sort_unique(uses.steps);
  return uses;
}

}  // namespace

PlanIndex::PlanIndex(std::shared_ptr<const Plan> compiled) : plan(std::move(compiled)) {
  for (const auto* steps : {&plan->steps, &plan->compensations}) {
    for (const workflow::Step& step : *steps) step_uses.push_back(uses_of(step, *plan));
  }
  if (plan->output) note(*plan->output, *plan, output_uses);
  sort_unique(output_uses.steps);
}

Machine::Machine(RunId id, TenantId tenant, std::shared_ptr<const PlanIndex> plan)
    : index_(std::move(plan)), state_(id, tenant, index_->plan) {}

Result<void> Machine::replay(const Event& event, std::string_view bytes) {
  tree_.append(bytes);
  return state_.apply(event);
}

Reaction Machine::react(const Input& input, const Turn& turn) {
  Reaction reaction;
  Reactor(state_, *index_, tree_, turn, reaction).react(input);
  return reaction;
}

std::vector<Call> Machine::calls_in_flight(const Contents& contents) const {
  std::vector<Call> calls;
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = state_.unit(i);
    if (!step.is_in_flight) continue;
    const CallState& call = step.calls.back();
    const json::Value* request = contents.find(call.request);
    calls.push_back(Call{.id = {state_.id, step.name, call.number},
                         .kind = call.kind,
                         .tenant = state_.tenant,
                         .attempt = step.attempt,
                         .request = request == nullptr ? json::Value() : *request,
                         .deadline = step.deadline.value_or(
                             state_.is_compensation(i) ? Time::max() : state_.deadline),
                         .traceparent = state_.traceparent});
  }
  return calls;
}

std::size_t Machine::slots_held() const {
  std::size_t held = 0;
  for (std::size_t i = 0; i < state_.unit_count(); ++i) held += state_.unit(i).holds_slot() ? 1 : 0;
  return held;
}

std::size_t Machine::slots_usable() const {
  constexpr std::size_t kToolCallsGuess = 8;  // an agent's model may ask for some tools at once
  if (is_terminal(state_.status)) return 0;
  if (state_.is_agent_run) return kToolCallsGuess;
  std::size_t usable = 0;
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = state_.unit(i);
    const StepType type = step.type;
    if (step.items) {
      // So many more of its items may begin.
      const std::size_t most = state_.plan().steps[i].max_parallel;
      const std::size_t left = step.items->count - step.items->begun;
      if (!is_terminal(step.status))
        usable += std::min(left, most - std::min(most, step.items->open));
      continue;
    }
    if (state_.is_compensation(i) && !state_.is_ending()) continue;
    const bool may_call = type != StepType::kTransform && type != StepType::kGuardrailCheck &&
                          type != StepType::kWait && type != StepType::kOrchestration &&
                          type != StepType::kApproval;
    if (!may_call || step.is_in_flight || is_terminal(step.status)) continue;
    const bool has_items = i < state_.steps.size() && state_.plan().steps[i].for_each.has_value();
    usable += has_items ? state_.plan().steps[i].max_parallel : 1;
  }
  return usable;
}

std::optional<Time> Machine::wake_at(Time now, bool waits_for_slot) const {
  if (is_terminal(state_.status) || state_.paused_at) return std::nullopt;
  // While steps are undone the run's own time counts no more.
  Time at = state_.is_ending() ? Time::max() : std::max(state_.deadline, now + Duration(1));
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = state_.unit(i);
    if (is_terminal(step.status)) continue;
    if (step.deadline && !step.is_held_back()) at = std::min(at, *step.deadline);
    if (!step.wake_at) continue;
    // What became due since the last turn is due now; but an attempt that waits for a slot waits
    // for no time any more.
    const bool is_without_slot = waits_for_slot && !step.calls.empty() && *step.wake_at <= now;
    if (!is_without_slot) at = std::min(at, *step.wake_at);
  }
  return at == Time::max() ? std::nullopt : std::optional(at);
}

bool Machine::is_parked() const { return !is_terminal(state_.status) && slots_held() == 0; }

bool Machine::has_kin() const {
  if (state_.parent) return true;
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    if (state_.unit(i).waits_for_child()) return true;
  }
  return false;
}

std::string_view Machine::waiting_for() const {
  if (state_.paused_at) return "paused";
  std::string_view what;
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = state_.unit(i);
    if (step.items) continue;  // its items say
    if (step.waits_for_child()) {
      if (what != "agent") what = "child";
    } else if (step.status == StepStatus::kRunning) {
      if (!step.task) return {};
      if (what != "approval") what = "agent";
    } else if (step.status == StepStatus::kWaiting) {
      if (step.approval) {
        what = "approval";
      } else if (step.task) {
        if (what != "approval") what = "agent";
      } else if (what.empty()) {
        what = step.type == StepType::kWait ? "timer" : "retry";
      }
    }
  }
  return what;
}

}  // namespace avow::engine
