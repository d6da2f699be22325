// SPDX-License-Identifier: Apache-2.0
// How a step of each type starts. Steps that call nobody run to their end here.
#include <cmath>

#include "engine/reactor.h"

namespace avow::engine {
namespace {

/// The references of an expression that a decision consulted, with their values: why it was made.
json::Value consulted(const std::vector<workflow::DecisionCase>& cases, std::size_t count,
                      const RunEnvironment& environment) {
  json::Object values;
  for (std::size_t i = 0; i < count; ++i) {
    for (const cel::Reference& reference : cases[i].when.references()) {
      std::string text = reference.root;
      for (const std::string& part : reference.path) text += "." + part;
      std::size_t used = 0;
      const json::Value* value = environment.find(reference.root, reference.path, used);
      for (; value != nullptr && used < reference.path.size(); ++used)
        value = value->find(reference.path[used]);
      values.set(text, value == nullptr ? json::Value() : *value);
    }
  }
  return values;
}

}  // namespace

std::optional<AgentId> Reactor::agent_of(std::size_t i) const {
  if (state_.is_agent_run || !planned(i).agent) return state_.agent;
  return planned(i).agent;
}

bool Reactor::needs_slot(std::size_t i) const {
  const workflow::Step& step = planned(i);
  switch (step.type) {
    case StepType::kLlmInference:
    case StepType::kToolCall:
    case StepType::kWebhook:
      return true;
    case StepType::kDecision:
      return !step.choices.empty();
    case StepType::kAgent: {
      const auto agent = agent_of(i);
      const workflow::PlanAgent* known = agent ? plan().find_agent(*agent) : nullptr;
      return known != nullptr && !known->model.empty();
    }
    case StepType::kTransform:
    case StepType::kGuardrailCheck:
    case StepType::kWait:
    case StepType::kOrchestration:
    case StepType::kApproval:
      return false;
  }
  return false;
}

std::optional<Time> Reactor::attempt_deadline(std::size_t i, Duration fallback) const {
  Duration timeout = fallback;
  if (!state_.is_agent_run && planned(i).timeout) timeout = *planned(i).timeout;
  if (timeout == Duration(0)) return std::nullopt;
  return std::min(turn_.now + timeout, time_limit(i));
}

void Reactor::emit_started(std::size_t i, const json::Value& config) {
  const workflow::Step& step = planned(i);
  const bool is_call = needs_slot(i);
  Event event = begin("step.started", i);
  event.attempt = 1;
  event.agent = agent_of(i);
  event.data.set("type", workflow::step_type_name(step.type));
  if (const auto deadline = attempt_deadline(i, is_call ? kCallTimeoutDefault : Duration(0))) {
    event.data.set("deadline", format_time(*deadline));
  }
  commit(event, "input", config);
  event.data.set("from", sources(uses_of(i)));
  emit(std::move(event));
}

void Reactor::start_step(std::size_t i) {
  const workflow::Step& step = planned(i);
  if (step.agent && !turn_.directory.is_agent_active(state_.tenant, *step.agent)) {
    fail_step(i, "AGENT_INACTIVE", fmt::format("agent {} is not active", step.agent->uuid()));
    return;
  }
  if (step.for_each) return start_items(i);
  auto rendered = render(step.config);
  if (const auto* error = std::get_if<cel::EvalError>(&rendered)) {
    fail_expression(i, *error, "config");
    return;
  }
  const auto& config = std::get<workflow::Rendered>(rendered);
  emit_started(i, config.value);
  begin_unit(i, config);
}

void Reactor::begin_unit(std::size_t i, const workflow::Rendered& config) {
  const workflow::Step& step = planned(i);
  if (!step.config.is_constant()) {
    // What a template gives is checked like what was written: it may come from a model.
    const auto faults = workflow::check_rendered(step.type, config.value);
    if (!faults.empty()) {
      fail_step(
          i, "CONFIG_INVALID",
          fmt::format("config at \"{}\": {}", faults.front().pointer, faults.front().message));
      return;
    }
  }
  switch (step.type) {
    case StepType::kTransform:
      return run_transform(i, config.value);
    case StepType::kDecision:
      return step.choices.empty() ? decide_by_rules(i) : start_inference(i);
    case StepType::kGuardrailCheck:
      return check_guardrail(i, config.value);
    case StepType::kWebhook:
      return start_webhook(i, config);
    case StepType::kToolCall:
      return start_tool(i, config);
    case StepType::kLlmInference:
      return start_inference(i);
    case StepType::kWait:
      return start_wait(i, config.value);
    case StepType::kAgent:
      return start_agent(i);
    case StepType::kOrchestration:
      return start_orchestration(i, config.value);
    case StepType::kApproval:
      return request_approval(i);
  }
}

void Reactor::run_transform(std::size_t i, const json::Value& config) {
  const json::Value* output = config.find("output");
  complete_step(i, output == nullptr ? json::Value() : *output);
}

void Reactor::decide_by_rules(std::size_t i) {
  const workflow::Step& step = planned(i);
  std::optional<std::size_t> matched;
  std::size_t looked_at = 0;
  while (looked_at < step.cases.size() && !matched) {
    const std::size_t n = looked_at++;
    const auto value = evaluate(step.cases[n].when);
    if (const auto* error = std::get_if<cel::EvalError>(&value)) {
      fail_expression(i, *error, fmt::format("case {}", n));
      return;
    }
    const auto& holds = std::get<json::Value>(value);
    if (!holds.is_bool()) {
      fail_step(i, "EXPRESSION_ERROR",
                fmt::format("case {} gave a value of type {}, not a boolean", n,
                            json::type_name(holds.type())));
      return;
    }
    if (holds.as_bool()) matched = n;
  }
  if (!matched && !step.default_decision) {
    fail_step(i, "DECISION_UNMATCHED", "no case holds and there is no default");
    return;
  }
  const std::string decision = matched ? step.cases[*matched].then : *step.default_decision;
  const json::Value values = consulted(step.cases, looked_at, environment_);
  Event event = begin("decision.made", i);
  event.data.set("decision", decision);
  if (matched) event.data.set("matched", static_cast<std::int64_t>(*matched));
  commit(event, "values", values);
  emit(std::move(event));
  json::Value result = json::Object{{"decision", decision}};
  result.set("matched", matched ? json::Value(static_cast<std::int64_t>(*matched)) : json::Value());
  result.set("reason", matched ? "case " + std::to_string(*matched) + ": " +
                                     step.cases[*matched].when.source()
                               : std::string("default"));
  result.set("values", values);
  complete_step(i, std::move(result));
}

void Reactor::check_guardrail(std::size_t i, const json::Value& config) {
  const json::Value* content = config.find("content");
  const json::Value context = json::Object{{"input", value_of(state_.input)}};
  std::int64_t fuel = kRunFuel - state_.fuel_used - fuel_pending_;
  const std::int64_t before = fuel;
  const auto verdict =
      planned(i).rules->check(content == nullptr ? json::Value() : *content, context, fuel);
  fuel_pending_ += before - fuel;
  if (!verdict) {
    const bool is_limit = verdict.error().code == Code::kResourceExhausted;
    fail_step(i, is_limit ? "EXPRESSION_LIMIT" : "EXPRESSION_ERROR", verdict.error().message);
    return;
  }
  json::Value violations = json::Array();
  for (const guard::Violation& violation : verdict->violations) {
    json::Value one = json::Object{{"rule_id", violation.rule_id},
                                   {"severity", violation.severity},
                                   {"message", violation.message}};
    if (!violation.pointer.empty()) one.set("pointer", violation.pointer);
    violations.push_back(std::move(one));
  }
  Event event = begin("guardrail.checked", i);
  event.data.set("allowed", verdict->allowed);
  event.data.set("violation_count", static_cast<std::int64_t>(verdict->violations.size()));
  commit(event, "violations", violations);
  emit(std::move(event));
  const std::string on_violation = config.string_or("on_violation", "fail");
  if (!verdict->allowed && on_violation == "fail") {
    fail_step(i, "GUARDRAIL_VIOLATION",
              fmt::format("{}: {}", verdict->violations.front().rule_id,
                          verdict->violations.front().message));
    return;
  }
  const json::Value original = content == nullptr ? json::Value() : *content;
  complete_step(i,
                json::Object{{"allowed", verdict->allowed},
                             {"violations", violations},
                             {"content", on_violation == "redact" ? verdict->redacted : original}});
}

void Reactor::start_webhook(std::size_t i, const workflow::Rendered& config) {
  start_call(
      i, CallSpec{.kind = CallKind::kWebhook, .value = config.value, .secrets = config.secrets});
}

bool Reactor::tool_is_allowed(const json::Value& tool, std::optional<AgentId> agent) const {
  const std::string scope = tool.string_or("scope");
  if (scope.empty()) return true;
  const workflow::PlanAgent* known = agent ? plan().find_agent(*agent) : nullptr;
  return known != nullptr &&
         std::find(known->scopes.begin(), known->scopes.end(), scope) != known->scopes.end();
}

void Reactor::start_tool(std::size_t i, const workflow::Rendered& config) {
  const std::string name = config.value.string_or("tool");
  const json::Value* tool = plan().tools.find(name);
  if (tool == nullptr) {
    fail_step(i, "TOOL_UNKNOWN", fmt::format("there is no tool \"{}\"", shown(name)));
    return;
  }
  if (!tool_is_allowed(*tool, agent_of(i))) {
    fail_step(i, "AGENT_SCOPE_DENIED",
              fmt::format("the tool \"{}\" needs an agent with the scope \"{}\"", name,
                          tool->string_or("scope")));
    return;
  }
  const json::Value* arguments = config.value.find("arguments");
  std::vector<workflow::SecretUse> secrets;
  for (const workflow::SecretUse& use : config.secrets) {
    if (use.pointer.starts_with("/arguments")) secrets.push_back(use);
  }
  start_call(i,
             CallSpec{.kind = CallKind::kTool,
                      .value = json::Object{{"tool", *tool},
                                            {"arguments",
                                             arguments == nullptr ? json::Object() : *arguments}},
                      .secrets = std::move(secrets)},
             json::Object{{"tool", name}});
}

void Reactor::start_wait(std::size_t i, const json::Value& config) {
  std::optional<Time> until;
  const json::Value* seconds = config.find("seconds");
  if (seconds == nullptr) {
    const auto time = parse_time(config.string_or("until"));
    if (time) until = *time;
  } else if (seconds->is_number() && seconds->as_double() >= 0 &&
             seconds->as_double() <= 2'592'000) {
    until = turn_.now + Duration(std::llround(seconds->as_double() * 1000));
  }
  if (!until) {
    fail_step(i, "WAIT_INVALID",
              "seconds must be a number from 0 to 2592000, until a time by RFC 3339");
    return;
  }
  Event event = begin("timer.armed", i);
  event.data.set("until", format_time(*until));
  emit(std::move(event));
}

void Reactor::start_agent(std::size_t i) {
  const auto agent = agent_of(i);
  if (!agent) {
    fail_step(i, "AGENT_MISSING", "the step needs an agent, and neither it nor the run names one");
    return;
  }
  if (!turn_.directory.is_agent_active(state_.tenant, *agent)) {
    fail_step(i, "AGENT_INACTIVE", fmt::format("agent {} is not active", agent->uuid()));
    return;
  }
  if (needs_slot(i)) {
    start_inference(i);
  } else {
    offer_task(i);
  }
}

}  // namespace avow::engine
