// SPDX-License-Identifier: Apache-2.0
// How steps and runs end.
#include <algorithm>
#include <cmath>

#include "engine/reactor.h"

namespace avow::engine {

void Reactor::complete_step(std::size_t i, json::Value result) {
  if (approximate_bytes(result) > kResultBytesMax) {
    fail_step(i, "RESULT_TOO_LARGE",
              fmt::format("a step's result may have {} bytes", kResultBytesMax));
    return;
  }
  if (depth_of(result) > kResultDepthMax) {
    fail_step(i, "RESULT_TOO_LARGE",
              fmt::format("a step's result may be nested {} deep", kResultDepthMax));
    return;
  }
  if (contents_bytes_ + approximate_bytes(result) > kContentsBytesMax) {
    if (is_ending()) return fail_step(i, "CONTENTS_LIMIT", "the run has no room for the result");
    fail_run("CONTENTS_LIMIT",
             fmt::format("the contents of a run may have {} bytes", kContentsBytesMax),
             unit(unit(i).planned).name);
    return;
  }
  // Of a step with items each item's result was held against the schema, not the list.
  const bool is_list = unit(i).items.has_value();
  if (!state_.is_agent_run && !is_list && planned(i).output_schema) {
    const std::string fault = output_fault(planned(i), result);
    if (!fault.empty()) {
      fail_or_retry(i, CallError{.code = "OUTPUT_INVALID",
                                 .message = fault,
                                 .retry_class = {},
                                 .retry_after = {},
                                 .detail = {}});
      return;
    }
  }
  withdraw_task(unit(i));
  if (const auto item = unit(i).item) {
    std::vector<EndedItem> ended;
    ended.push_back({*item, std::move(result), std::nullopt});
    return end_items(unit(i).planned, std::move(ended));
  }
  Event event = begin("step.completed", i);
  event.attempt = unit(i).attempt;
  event.agent = unit(i).agent;
  commit(event, "output", std::move(result));
  emit(std::move(event));
}

std::string Reactor::output_fault(const workflow::Step& step, const json::Value& result) {
  const auto faults = step.output_schema->validate(result);
  if (faults && faults->empty()) return {};
  const std::string why =
      faults ? fmt::format("at \"{}\": {}", faults->front().pointer, faults->front().message)
             : faults.error().message;
  return "the result does not fit output_schema " + why;
}

void Reactor::fail_step(std::size_t i, std::string_view code, std::string message) {
  withdraw_task(unit(i));
  if (const auto item = unit(i).item) {
    std::vector<EndedItem> ended;
    ended.push_back({*item, json::Value(), ItemFailure{std::string(code), std::move(message)}});
    return end_items(unit(i).planned, std::move(ended));
  }
  Event event = begin("step.failed", i);
  event.attempt = unit(i).attempt;
  event.agent = unit(i).agent;
  event.data.set("code", code);
  commit(event, "message", std::move(message));
  emit(std::move(event));
}

void Reactor::fail_expression(std::size_t i, const cel::EvalError& error, std::string_view what) {
  const bool is_limit = error.kind == cel::EvalError::Kind::kLimit;
  fail_step(i, is_limit ? "EXPRESSION_LIMIT" : "EXPRESSION_ERROR",
            fmt::format("{}: {}", what, error.message));
}

const workflow::RetryPolicy& Reactor::retry_policy(std::size_t i) const {
  static const workflow::RetryPolicy kAgentRun{
      .max_attempts = 3,
      .initial_delay = Duration(500),
      .multiplier = 2,
      .max_delay = Duration(30'000),
      .retry_on = {"transport", "timeout", "408", "429", "5xx"}};
  return state_.is_agent_run ? kAgentRun : planned(i).retry;
}

void Reactor::fail_or_retry(std::size_t i, const CallError& error) {
  const workflow::RetryPolicy& policy = retry_policy(i);
  const StepState& step = unit(i);
  const auto matches = [&error](const std::string& what) {
    return what == error.code || (!error.retry_class.empty() && what == error.retry_class);
  };
  const bool is_listed = std::any_of(policy.retry_on.begin(), policy.retry_on.end(), matches);
  // Full jitter: anywhere between nothing and the delay, so that runs that failed together part.
  const double steps_up = std::pow(policy.multiplier, step.call_failures);
  const double ceiling = std::min(static_cast<double>(policy.initial_delay.count()) * steps_up,
                                  static_cast<double>(policy.max_delay.count()));
  const Bytes32 chance = derive("jitter");
  const double share = (chance[0] * 256.0 + chance[1]) / 65'535.0;
  Duration delay(static_cast<std::int64_t>(ceiling * share));
  if (error.retry_after) delay = std::max(delay, *error.retry_after);
  const Time retry_at = now() + delay;
  if (!is_listed || step.call_failures + 1 >= policy.max_attempts || retry_at >= time_limit(i)) {
    if (error.code != "CANCELLED" && try_fallback_model(i)) return;
    fail_step(i, error.code, error.message);
    return;
  }
  withdraw_task(step);
  Event event = begin("step.retrying", i);
  event.attempt = step.attempt;
  event.data.set("code", error.code);
  event.data.set("retry_at", format_time(retry_at));
  commit(event, "message", error.message);
  emit(std::move(event));
}

void Reactor::skip_step(std::size_t i, std::string_view reason) {
  Event event = begin("step.skipped", i);
  event.data.set("reason", reason);
  emit(std::move(event));
}

/// After everything that could start has started: is the run over?
void Reactor::settle() {
  if (is_over()) return;
  if (is_ending()) {
    cancel_open_steps();
    if (compensate()) return;
    if (state_.is_cancel_requested) {
      emit(begin("run.cancelled"));
    } else {
      const Ending ending = *state_.ending;
      const json::Value message = value_of(ending.message);
      end_failed(ending.code, message.is_string() ? message.as_string() : std::string(),
                 ending.step);
    }
  } else if (state_.unfinished_steps == 0 && !state_.is_agent_run) {
    complete_run();
    if (is_ending()) settle();  // its output could not be made
  }
}

void Reactor::complete_run() {
  json::Value output;
  json::Value from;
  if (plan().output) {
    auto rendered = render(*plan().output);
    if (const auto* error = std::get_if<cel::EvalError>(&rendered)) {
      fail_run(
          error->kind == cel::EvalError::Kind::kLimit ? "EXPRESSION_LIMIT" : "EXPRESSION_ERROR",
          "output: " + error->message);
      return;
    }
    output = std::get<workflow::Rendered>(std::move(rendered)).value;
    from = sources(index_.output_uses);
  } else {
    PlanIndex::Uses leaves;
    for (std::size_t i = 0; i < state_.steps.size(); ++i) {
      const bool is_leaf = planned(i).dependents.empty();
      if (is_leaf && unit(i).status != StepStatus::kSkipped) leaves.steps.push_back(i);
    }
    if (leaves.steps.size() == 1) {
      output = value_of(state_.steps[leaves.steps.front()].output);
    } else {
      json::Object by_name;
      for (const std::size_t i : leaves.steps) by_name.set(unit(i).name, value_of(unit(i).output));
      output = std::move(by_name);
    }
    from = sources(leaves);
  }
  if (approximate_bytes(output) > kResultBytesMax || depth_of(output) > kResultDepthMax) {
    fail_run("RESULT_TOO_LARGE", fmt::format("the output may have {} bytes and be nested {} deep",
                                             kResultBytesMax, kResultDepthMax));
    return;
  }
  Event event = begin("run.completed");
  commit(event, "output", std::move(output));
  event.data.set("from", std::move(from));
  emit(std::move(event));
}

/// Nothing more starts. Where steps are to be undone the run goes on until that is done.
void Reactor::fail_run(std::string_view code, std::string message, std::string_view step) {
  if (is_ending()) return;
  cancel_open_steps();
  if (next_compensation() == state_.unit_count()) return end_failed(code, std::move(message), step);
  Event event = begin("run.compensating");
  event.data.set("code", code);
  if (!step.empty()) event.data.set("step", step);
  commit(event, "message", std::move(message));
  emit(std::move(event));
}

void Reactor::end_failed(std::string_view code, std::string message, std::string_view step) {
  Event event = begin("run.failed");
  event.data.set("code", code);
  if (!step.empty()) event.data.set("step", step);
  commit(event, "message", std::move(message));
  emit(std::move(event));
}

/// What undoes steps is not among them: it is what the end waits for.
void Reactor::cancel_open_steps() {
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = unit(i);
    if (step.status != StepStatus::kRunning && step.status != StepStatus::kWaiting) continue;
    if (state_.is_compensation(i)) continue;
    if (step.items) stop_items(i);
    if (step.item) continue;  // it ends with its step
    stop_call(step);
    withdraw_task(step);
    Event event = begin("step.cancelled", i);
    event.attempt = step.attempt;
    emit(std::move(event));
  }
}

// --------------------------------------------------------------------------------------- undoing

/// What undoes the step that completed last of those that are not undone yet; none: unit_count().
std::size_t Reactor::next_compensation() const {
  std::size_t next = state_.unit_count();
  std::uint32_t newest = 0;
  for (std::size_t i = 0; i < state_.steps.size(); ++i) {
    const StepState& step = state_.steps[i];
    if (step.status != StepStatus::kCompleted || step.ended_seq <= newest) continue;
    // What another run did is not this one's to undo.
    if (state_.is_agent_run || !planned(i).compensation || step.reused_from) continue;
    const std::size_t undo = state_.steps.size() + *planned(i).compensation;
    if (unit(undo).status != StepStatus::kPending) continue;
    next = undo;
    newest = step.ended_seq;
  }
  return next;
}

/// One after the other, in the reverse order of completion; one that fails does not stop the rest.
/// False if nothing is left to undo.
bool Reactor::compensate() {
  while (true) {
    const auto is_at_work = [](const StepState& step) {
      return step.status == StepStatus::kRunning || step.status == StepStatus::kWaiting;
    };
    if (std::any_of(state_.compensations.begin(), state_.compensations.end(), is_at_work))
      return true;
    const std::size_t next = next_compensation();
    if (next == state_.unit_count()) return false;
    if (needs_slot(next)) {
      if (slots_ == 0) {
        reaction_.wants_slots = true;
        return true;
      }
      --slots_;
    }
    start_step(next);
  }
}

}  // namespace avow::engine
