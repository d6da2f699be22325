// SPDX-License-Identifier: Apache-2.0
#include "engine/reactor.h"

#include "crypto/sha256.h"

namespace avow::engine {

Reactor::Reactor(RunState& state, const PlanIndex& index, provenance::RunTree& tree,
                 const Turn& turn, Reaction& reaction)
    : state_(state),
      index_(index),
      tree_(tree),
      turn_(turn),
      reaction_(reaction),
      environment_(state, turn.contents),
      slots_(turn.slots),
      fuel_at_start_(state.fuel_used),
      contents_bytes_(turn.contents_bytes) {
  reaction_.first_seq = state.seq + 1;
}

void Reactor::react(const Input& input) {
  CHECK(std::holds_alternative<Start>(input) == (state_.seq == 0));
  std::visit([this](const auto& one) { on(one); }, input);
  if (is_over() || reaction_.refusal) return;
  if (is_paused()) return;  // what came is recorded, and no more
  if (turn_.now >= state_.deadline && !is_ending()) {
    fail_run("TIMEOUT", fmt::format("the run did not end within {} seconds",
                                    state_.start_facts.int_or("timeout_seconds", 0)));
  } else if (contents_bytes_ > kContentsBytesMax && !is_ending()) {
    fail_run("CONTENTS_LIMIT",
             fmt::format("the contents of a run may have {} bytes", kContentsBytesMax));
  }
  resume_due();
  if (state_.is_agent_run) advance_agent_run();
  advance();
}

// ---------------------------------------------------------------------------------------- inputs

void Reactor::on(const Start& start) {
  Event event = begin("run.started");
  event.time = start.at;
  event.actor = start.actor;
  event.agent = start.agent;
  json::Object& data = event.data.mutable_object();
  data.set("mode", state_.is_agent_run ? "agent" : "workflow");
  if (start.workflow) {
    data.set("workflow", start.workflow->uuid());
    data.set("workflow_version", start.workflow_version);
    data.set("workflow_digest", start.workflow_digest);
  }
  if (!start.agents.empty()) {
    json::Array agents;
    for (const AgentId& agent : start.agents) agents.emplace_back(agent.uuid());
    data.set("agents", std::move(agents));
  }
  if (!start.model.empty()) data.set("model", start.model);
  if (!start.traceparent.empty()) data.set("traceparent", start.traceparent);
  data.set("max_steps", start.max_steps);
  data.set("timeout_seconds", start.timeout_seconds);
  data.set("priority", start.priority);
  commit(event, "input", start.input);
  commit(event, "parameters", start.parameters);
  commit(event, "plan", plan().source);
  if (!start.name.empty()) commit(event, "name", start.name);
  if (!start.labels.as_object().empty()) commit(event, "labels", start.labels);
  if (start.parent) {
    data.set("parent", start.parent->run.uuid());
    data.set("parent_step", start.parent->step);
    data.set("depth", start.parent->depth);
    data.set("from", json::Array{json::Object{{"commitment", start.parent->request},
                                              {"run", start.parent->run.uuid()},
                                              {"step", start.parent->step}}});
  }
  if (start.rerun) {
    const std::string run = start.rerun->run.uuid();
    data.set("rerun_of", run);
    if (!start.rerun->from_step.empty()) data.set("from_step", start.rerun->from_step);
    data.set("from",
             json::Array{json::Object{{"commitment", start.rerun->input}, {"run", run}},
                         json::Object{{"commitment", start.rerun->parameters}, {"run", run}}});
  }
  emit(std::move(event));
  if (start.rerun) take_over(*start.rerun);
  if (state_.is_agent_run) begin_agent_run();
}

void Reactor::on(const CallFinished& finished) {
  const std::size_t i = state_.index_of(finished.id.step);
  if (i >= state_.unit_count()) return;
  const StepState& step = unit(i);
  // An answer to something that is over already: a duplicate, or one that came after its deadline.
  if (!step.is_in_flight || step.calls.back().number != finished.id.number ||
      step.attempt != finished.attempt) {
    return;
  }
  if (const auto* result = std::get_if<CallResult>(&finished.outcome)) {
    call_succeeded(i, *result);
  } else {
    call_failed(i, std::get<CallError>(finished.outcome));
  }
}

void Reactor::on(const CancelRequested& request) {
  if (state_.is_cancel_requested || is_over()) return;
  if (state_.ending) {
    reaction_.refusal =
        failure(Code::kConflict, "the run has failed already; what undoes its steps is under way");
    return;
  }
  Event event = begin("run.cancel_requested");
  event.actor = request.actor;
  if (!request.reason.empty()) commit(event, "reason", request.reason);
  emit(std::move(event));
}

void Reactor::on(const PauseRequested& request) {
  if (is_over()) {
    reaction_.refusal =
        failure(Code::kConflict, "the orchestration is {} already", run_status_name(state_.status));
    return;
  }
  if (is_paused()) return;
  Event event = begin("run.paused");
  event.actor = request.actor;
  if (!request.reason.empty()) commit(event, "reason", request.reason);
  emit(std::move(event));
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    if (!is_held(unit(i))) withdraw_task(unit(i));
  }
}

void Reactor::on(const ResumeRequested& request) {
  if (is_over()) {
    reaction_.refusal =
        failure(Code::kConflict, "the orchestration is {} already", run_status_name(state_.status));
    return;
  }
  if (!is_paused()) return;
  Event event = begin("run.resumed");
  event.actor = request.actor;
  if (!request.reason.empty()) commit(event, "reason", request.reason);
  emit(std::move(event));
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    if (!unit(i).task) continue;
    // Whoever stopped the agent meanwhile did not see a task that was not offered.
    const AgentId agent = *agent_of(i);
    if (turn_.directory.is_agent_active(state_.tenant, agent)) {
      reaction_.tasks.push_back({task_row(i), false});
    } else {
      fail_step(i, "AGENT_INACTIVE", fmt::format("agent {} is not active", agent.uuid()));
    }
  }
}

void Reactor::on(const Recovered&) {
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    const StepState& step = unit(i);
    // A child is started by its id, once, however often that is asked for: there is no doubt.
    if (!step.holds_slot()) continue;
    Event event = begin("effect.in_doubt", i);
    event.attempt = step.attempt;
    event.data.set("call", static_cast<std::int64_t>(step.calls.back().number));
    event.data.set("crashes", step.crashes + 1);
    // The attempt that was lost keeps the time that it had: the crash was not its fault.
    const Duration left =
        step.deadline ? std::max(*step.deadline - std::min(state_.time, now()), Duration(1'000))
                      : kCallTimeoutDefault;
    event.data.set("deadline", format_time(std::min(now() + left, time_limit(i))));
    emit(std::move(event));
    const bool may_repeat = state_.is_agent_run || planned(i).on_crash == workflow::OnCrash::kRetry;
    if (!may_repeat) {
      fail_step(i, "EFFECT_IN_DOUBT",
                "the server stopped while this call was under way, and on_crash is \"fail\"");
    } else if (step.crashes >= kCrashesMax) {
      fail_step(i, "CRASH_LOOP", fmt::format("{} attempts were lost to crashes", step.crashes));
    } else if (!is_paused()) {
      call_again(i);
    }
  }
}

// ------------------------------------------------------------------------------------- the order

void Reactor::advance() {
  std::size_t started = 0;
  while (!is_ending()) {
    if (state_.seq >= kEventsMax - kEventsKeptForEnding) {
      fail_run("EVENTS_LIMIT", fmt::format("the run has {} events", state_.seq));
      break;
    }
    const auto next = std::find_if(state_.ready().begin(), state_.ready().end(),
                                   [this](std::size_t i) { return !without_slot_.contains(i); });
    const bool has_ready = next != state_.ready().end();
    const std::size_t with_items = has_ready ? 0 : step_with_items_to_begin();
    if (!has_ready && with_items == state_.unit_count()) break;
    if (started == kInlineStepsMax ||
        state_.fuel_used + fuel_pending_ - fuel_at_start_ > kInlineFuelMax) {
      reaction_.wants_more = true;
      return;
    }
    if (!has_ready) {
      begin_items(with_items);
      ++started;
    } else if (run_ready(*next)) {
      ++started;
    }
  }
  settle();
}

std::optional<std::string_view> Reactor::skip_reason(const workflow::Step& step) const {
  const auto was_skipped = [this](std::size_t i) { return unit(i).status == StepStatus::kSkipped; };
  if (!step.dependencies.empty() &&
      std::all_of(step.dependencies.begin(), step.dependencies.end(), was_skipped)) {
    return "dependencies";
  }
  const auto is_taken = [this](const workflow::BranchGate& gate) {
    const StepState& decision = state_.steps[gate.decision];
    return decision.status == StepStatus::kCompleted && decision.decision == gate.label;
  };
  if (!step.gates.empty() && std::none_of(step.gates.begin(), step.gates.end(), is_taken))
    return "branch";
  return std::nullopt;
}

/// Takes one ready step a stage further; false if it must wait for a slot.
bool Reactor::run_ready(std::size_t i) {
  const workflow::Step& step = planned(i);
  if (const auto reason = skip_reason(step)) {
    skip_step(i, *reason);
    return true;
  }
  if (step.condition) {
    const auto value = evaluate(*step.condition);
    if (const auto* error = std::get_if<cel::EvalError>(&value)) {
      fail_expression(i, *error, "condition");
      return true;
    }
    const auto& holds = std::get<json::Value>(value);
    if (!holds.is_bool()) {
      fail_step(i, "EXPRESSION_ERROR",
                fmt::format("the condition gave a value of type {}, not a boolean",
                            json::type_name(holds.type())));
      return true;
    }
    if (!holds.as_bool()) {
      skip_step(i, "condition");
      return true;
    }
  }
  if (state_.steps_started >= state_.max_steps) {
    fail_run("MAX_STEPS_EXCEEDED", fmt::format("the run may start {} steps", state_.max_steps),
             step.name);
    return true;
  }
  if (needs_slot(i) && !step.for_each) {
    if (slots_ == 0) {
      without_slot_.insert(i);
      reaction_.wants_slots = true;
      return false;
    }
    --slots_;
  }
  start_step(i);
  return true;
}

/// What time has brought: attempts that are over, retries and waits that are due.
void Reactor::resume_due() {
  for (std::size_t i = 0; i < state_.unit_count() && !is_over(); ++i) {
    if (is_ending() && !state_.is_compensation(i)) continue;
    const StepState& step = unit(i);
    if (is_terminal(step.status) || step.status == StepStatus::kPending) continue;
    if (step.is_held_back()) {
      resume_held_back(i);
    } else if (step.deadline && *step.deadline <= turn_.now) {
      stop_call(step);
      fail_or_retry(i, CallError{.code = "TIMEOUT",
                                 .message = "the attempt did not end in its time",
                                 .retry_class = "timeout",
                                 .retry_after = {},
                                 .detail = {}});
    } else if (step.wake_at && *step.wake_at <= turn_.now) {
      if (step.type == StepType::kWait) {
        complete_step(i, json::Object{{"until", format_time(turn_.now)}});
      } else if (step.approval) {
        expire_approval(i);
      } else {
        resume_attempt(i);
      }
    }
  }
}

/// Goes on with an inference whose next call a pause held back.
void Reactor::resume_held_back(std::size_t i) {
  if (slots_ == 0) {
    reaction_.wants_slots = true;
    return;
  }
  --slots_;
  if (unit(i).calls.back().result.seq != 0) {
    next_of_inference(i);
  } else {
    try_fallback_model(i);
  }
}

void Reactor::resume_attempt(std::size_t i) {
  const bool is_child = unit(i).type == StepType::kOrchestration;
  const bool is_call = !unit(i).calls.empty() && !is_child;
  if (is_call && slots_ == 0) {
    reaction_.wants_slots = true;
    return;
  }
  Event event = begin("step.started", i);
  event.attempt = unit(i).attempt + 1;
  event.agent = unit(i).agent;
  if (const auto deadline = attempt_deadline(i, is_call ? kCallTimeoutDefault : Duration(0))) {
    event.data.set("deadline", format_time(*deadline));
  }
  emit(std::move(event));
  if (is_child) {
    start_child(i, value_of(unit(i).calls.back().request));
  } else if (is_call) {
    --slots_;
    call_again(i);
  } else if (unit(i).type == StepType::kApproval) {
    request_approval(i);
  } else {
    offer_task(i);
  }
}

// --------------------------------------------------------------------------------------- writing

Event Reactor::begin(std::string_view type, std::string_view step) const {
  Event event;
  event.run = state_.id;
  event.type = type;
  event.step = step;
  return event;
}

Event Reactor::begin(std::string_view type, std::size_t i) const {
  const StepState& at_work = unit(i);
  if (!at_work.item) return begin(type, at_work.name);
  Event event = begin(type, unit(at_work.planned).name);
  event.data.set("item", static_cast<std::int64_t>(*at_work.item));
  return event;
}

Committed Reactor::commit(Event& event, std::string_view member, json::Value value) {
  const ContentRef ref{state_.seq + 1, std::string(member)};
  Content content{ref, provenance::derive_salt(turn_.random, ref), std::move(value)};
  const std::string hex = to_hex(view_of(provenance::commitment(content.value, content.salt)));
  event.data.set(member, hex);
  contents_bytes_ += approximate_bytes(content.value);
  // The plan is kept beside the run or with its workflow; here stays only what proves it.
  const bool is_plan = member == "plan";
  reaction_.contents.push_back(is_plan ? Content{ref, content.salt, {}} : content);
  if (is_plan) content.value = {};
  turn_.contents.add(std::move(content));
  return {ref, hex};
}

void Reactor::emit(Event event) {
  event.seq = state_.seq + 1;
  if (event.seq > 1) event.time = std::max(turn_.now, state_.time);
  if (fuel_pending_ > 0) {
    event.data.set("fuel", fuel_pending_);
    fuel_pending_ = 0;
  }
  std::string bytes = provenance::encode(event);
  tree_.append(bytes);
  const auto applied = state_.apply(event);
  CHECK(applied.has_value());
  reaction_.events.push_back(std::move(bytes));
}

Bytes32 Reactor::derive(std::string_view purpose) const {
  return crypto::hmac_sha256(view_of(turn_.random), fmt::format("{}/{}", purpose, state_.seq));
}

Id Reactor::draw_id(std::string_view purpose) const {
  const Bytes32 chance = derive(purpose);
  std::array<std::uint8_t, 8> random{};
  std::copy_n(chance.begin(), random.size(), random.begin());
  return make_id(turn_.now, random);
}

json::Value Reactor::value_of(const ContentRef& ref) const {
  const json::Value* value = turn_.contents.find(ref);
  return value == nullptr ? json::Value() : *value;
}

json::Value Reactor::value_of(const Committed& committed) const { return value_of(committed.ref); }

json::Value Reactor::sources(const PlanIndex::Uses& uses) const {
  json::Array from;
  if (uses.input)
    from.emplace_back(json::Object{{"commitment", state_.input.commitment}, {"run", "input"}});
  if (uses.parameters) {
    from.emplace_back(
        json::Object{{"commitment", state_.parameters.commitment}, {"run", "parameters"}});
  }
  for (const std::size_t i : uses.steps) {
    const StepState& step = unit(i);
    if (!step.output.exists()) continue;
    from.emplace_back(json::Object{{"commitment", step.output.commitment}, {"step", step.name}});
  }
  return from;
}

std::variant<json::Value, cel::EvalError> Reactor::evaluate(const cel::Expression& expression) {
  const std::int64_t before = kRunFuel - state_.fuel_used - fuel_pending_;
  std::int64_t fuel = before;
  auto value = expression.evaluate(environment_, fuel);
  fuel_pending_ += before - fuel;
  return value;
}

std::variant<workflow::Rendered, cel::EvalError> Reactor::render(const workflow::Template& text) {
  const std::int64_t before = kRunFuel - state_.fuel_used - fuel_pending_;
  std::int64_t fuel = before;
  auto rendered = text.render(environment_, fuel);
  fuel_pending_ += before - fuel;
  return rendered;
}

}  // namespace avow::engine
