// SPDX-License-Identifier: Apache-2.0
// Outside calls: committed to, made, and what becomes of their outcomes.
#include "engine/reactor.h"

namespace avow::engine {
namespace {

std::string error_code_of(const Error& error, CallKind kind) {
  switch (error.code) {
    case Code::kNotFound:
      return "CALL_UNKNOWN_TARGET";
    case Code::kPermissionDenied:
      return "CALL_REFUSED";
    default:
      return kind == CallKind::kTool ? "TOOL_ARGUMENTS_INVALID" : "CALL_INVALID";
  }
}

}  // namespace

void Reactor::start_call(std::size_t i, const CallSpec& spec, json::Value facts) {
  auto request = turn_.runner.render(state_.tenant, spec);
  if (!request) {
    fail_step(i, error_code_of(request.error(), spec.kind), request.error().message);
    return;
  }
  begin_call(i, spec.kind, std::move(*request), std::move(facts));
}

void Reactor::begin_call(std::size_t i, CallKind kind, json::Value request, json::Value facts) {
  const auto reserved = reserve(i, kind, request);
  if (!reserved) return;
  const StepState& step = unit(i);
  Event event = begin("effect.started", i);
  event.attempt = step.attempt;
  for (auto& [fact, value] : facts.mutable_object()) event.data.set(fact, std::move(value));
  event.data.set("call",
                 step.calls.empty() ? 1 : static_cast<std::int64_t>(step.calls.back().number) + 1);
  event.data.set("kind", call_kind_name(kind));
  if (reserved->tokens > 0) {
    event.data.set("reserved_tokens", reserved->tokens);
    event.data.set("reserved_cents",
                   json::Value::number(static_cast<double>(reserved->cost) / 1e6));
  }
  commit(event, "request", std::move(request));
  emit(std::move(event));
  call_again(i);
}

/// Takes the most that a call may come to out of what the run's budget leaves; where it leaves
/// less, the run fails and there is nothing. What undoes steps counts in no limit.
std::optional<WorstCase> Reactor::reserve(std::size_t i, CallKind kind,
                                          const json::Value& request) {
  const workflow::Budget& budget = plan().budget;
  if (!budget.is_limited() || kind != CallKind::kModel || state_.is_compensation(i))
    return WorstCase{};
  const WorstCase worst = turn_.runner.worst_case(request);
  WorstCase sum{state_.usage.input_tokens + state_.usage.output_tokens + worst.tokens,
                state_.cost + worst.cost};
  for (std::size_t u = 0; u < state_.unit_count(); ++u) {
    const StepState& other = unit(u);
    if (is_terminal(other.status) || other.calls.empty()) continue;
    if (other.calls.back().result.seq != 0) continue;
    sum.tokens += other.calls.back().reserved.tokens;
    sum.cost += other.calls.back().reserved.cost;
  }
  const double cents = static_cast<double>(sum.cost) / 1e6;
  std::string why;
  if (budget.tokens_max && sum.tokens > *budget.tokens_max) {
    why = fmt::format("{} tokens of at most {}", sum.tokens, *budget.tokens_max);
  } else if (budget.cost_cents_max && cents > *budget.cost_cents_max) {
    why = fmt::format("{} cents of at most {}", cents, *budget.cost_cents_max);
  } else {
    return worst;
  }
  fail_run("BUDGET_EXCEEDED", "with this call the run could come to " + why,
           unit(unit(i).planned).name);
  return std::nullopt;
}

/// Has the last call of the step made (once more), as it was committed to.
void Reactor::call_again(std::size_t i) {
  const StepState& step = unit(i);
  const CallState& call = step.calls.back();
  reaction_.calls.push_back(Call{.id = {state_.id, step.name, call.number},
                                 .kind = call.kind,
                                 .tenant = state_.tenant,
                                 .attempt = step.attempt,
                                 .request = value_of(call.request),
                                 .deadline = step.deadline.value_or(time_limit(i)),
                                 .traceparent = state_.traceparent});
}

/// Has the call of a unit stopped, if one is under way.
void Reactor::stop_call(const StepState& step) {
  if (!step.is_in_flight) return;
  const CallState& call = step.calls.back();
  reaction_.cancels.push_back({state_.id, step.name, call.number});
  if (call.kind == CallKind::kRun) reaction_.stopped_children.push_back(call.child);
}

void Reactor::call_succeeded(std::size_t i, const CallResult& result) {
  const StepState& step = unit(i);
  const CallState& call = step.calls.back();
  switch (call.kind) {
    case CallKind::kWebhook:
      return complete_step(i, result.value);
    case CallKind::kModel:
      return model_answered(i, result);
    case CallKind::kTool:
      if (step.type == StepType::kToolCall && !state_.is_agent_run) {
        Event event = begin("tool.called", i);
        event.data.set("call", static_cast<std::int64_t>(call.number));
        event.data.set("tool", call.tool);
        commit(event, "output", result.value);
        emit(std::move(event));
        return complete_step(i, result.value);
      }
      return tool_answered(i, result.value);
    case CallKind::kRun:
      return;  // a child that was started tells its end itself
  }
}

void Reactor::call_failed(std::size_t i, const CallError& error) {
  const StepState& step = unit(i);
  const bool is_inner_tool =
      step.calls.back().kind == CallKind::kTool && step.type != StepType::kToolCall;
  if (is_inner_tool && step.call_failures + 1 >= retry_policy(i).max_attempts) {
    // The model asked for it, so the model hears what came of it.
    tool_answered(
        i, json::Object{{"error", json::Object{{"code", error.code}, {"message", error.message}}}});
    return;
  }
  fail_or_retry(i, error);
}

}  // namespace avow::engine
