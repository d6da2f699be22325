// SPDX-License-Identifier: Apache-2.0
// An agent's own run (CONTRACT.md section 3): without a workflow the agent itself works. With a
// model: model call, the tools that it asks for side by side, model call, until it answers; each
// call is a step, llm_<n> or tool_<n>. Without one: a single task for a worker.
#include <algorithm>

#include "engine/reactor.h"
#include "json/write.h"

namespace avow::engine {
namespace {

const json::Array& asked_tools(const json::Value& response) {
  static const json::Array kNone;
  const json::Value* calls = response.find("tool_calls");
  return calls != nullptr && calls->is_array() ? calls->as_array() : kNone;
}

/// The user's message: `input.prompt` or `input.message` if that is all there is, else all of it.
std::string user_message(const json::Value& input, const json::Value& parameters) {
  std::string text;
  const auto& members = input.as_object();
  const bool is_text = members.size() == 1 && members.begin()->value.is_string() &&
                       (members.begin()->key == "prompt" || members.begin()->key == "message");
  text = is_text ? members.begin()->value.as_string() : json::write_canonical(input);
  if (!parameters.as_object().empty())
    text += "\n\nParameters: " + json::write_canonical(parameters);
  return text;
}

}  // namespace

void Reactor::begin_agent_run() {
  const workflow::PlanAgent* agent = state_.agent ? plan().find_agent(*state_.agent) : nullptr;
  const bool has_model = agent != nullptr && !agent->model.empty();
  if (has_model) return;  // advance_agent_run() starts the first round
  if (state_.max_steps < 1) return;
  Event event = begin("step.started", "task");
  event.attempt = 1;
  event.agent = state_.agent;
  event.data.set("type", "agent");
  commit(event, "input", json::Object{{"parameters", value_of(state_.parameters)}});
  emit(std::move(event));
  offer_task(0);
}

void Reactor::advance_agent_run() {
  while (!is_ending()) {
    if (state_.steps.empty()) {
      if (slots_ == 0) {
        reaction_.wants_slots = true;
        return;
      }
      start_llm_step(1);
      continue;
    }
    const std::size_t round =
        state_.steps.back().type == StepType::kAgent ? 0 : state_.steps.back().round;
    // The step that leads this round: the task, or the model call.
    const auto is_lead = [round](const StepState& step) {
      return step.round == round && step.type != StepType::kToolCall;
    };
    const auto lead = std::find_if(state_.steps.begin(), state_.steps.end(), is_lead);
    CHECK(lead != state_.steps.end());
    if (lead->status != StepStatus::kCompleted) return;
    const json::Value response = value_of(lead->output);
    const json::Array asked = asked_tools(response);
    if (round == 0 || asked.empty()) {
      json::Value output = response;
      if (round > 0) {
        output = json::Object{{"text", response.string_or("text")}};
        if (const json::Value* parsed = response.find("json")) output.set("json", *parsed);
      }
      Event event = begin("run.completed");
      event.data.set("from", json::Array{json::Object{{"commitment", lead->output.commitment},
                                                      {"step", lead->name}}});
      commit(event, "output", std::move(output));
      emit(std::move(event));
      return;
    }
    std::size_t begun = 0;
    std::size_t over = 0;
    for (const StepState& step : state_.steps) {
      if (step.round != round || step.type != StepType::kToolCall) continue;
      ++begun;
      if (is_terminal(step.status)) ++over;
    }
    if (begun == asked.size() && over < begun) return;
    if (state_.steps_started >= state_.max_steps) {
      fail_run("MAX_STEPS_EXCEEDED", fmt::format("the run may start {} steps", state_.max_steps));
      return;
    }
    if (slots_ == 0) {
      reaction_.wants_slots = true;
      return;
    }
    if (begun < asked.size()) {
      start_tool_step(round, begun, asked[begun]);
    } else {
      start_llm_step(round + 1);
    }
  }
}

json::Value Reactor::agent_run_chat() const {
  const workflow::PlanAgent* agent = plan().find_agent(*state_.agent);
  json::Value chat = json::Object{{"model", state_.model.empty() ? agent->model : state_.model}};
  if (!agent->instructions.empty()) chat.set("system", agent->instructions);
  json::Array messages;
  messages.emplace_back(
      json::Object{{"role", "user"},
                   {"content", user_message(value_of(state_.input), value_of(state_.parameters))}});
  json::Value response;
  for (const StepState& step : state_.steps) {
    if (step.type == StepType::kLlmInference) {
      if (step.status != StepStatus::kCompleted) break;
      response = value_of(step.output);
      json::Value said =
          json::Object{{"role", "assistant"}, {"content", response.string_or("text")}};
      if (!asked_tools(response).empty()) said.set("tool_calls", *response.find("tool_calls"));
      messages.push_back(std::move(said));
      continue;
    }
    if (step.tool_index >= asked_tools(response).size()) continue;
    json::Value output = value_of(step.output);
    if (step.status != StepStatus::kCompleted) {
      output = json::Object{{"error", json::Object{{"code", step.error_code},
                                                   {"message", value_of(step.error_message)}}}};
    }
    messages.emplace_back(json::Object{
        {"role", "tool"},
        {"content", output.is_string() ? output.as_string() : json::write_canonical(output)},
        {"tool_call_id", asked_tools(response)[step.tool_index].string_or("id")}});
  }
  chat.set("messages", std::move(messages));
  const json::Array names(agent->tools.begin(), agent->tools.end());
  if (!names.empty()) chat.set("tools", tool_offers(names));
  return chat;
}

void Reactor::start_llm_step(std::size_t round) {
  --slots_;
  json::Array from;
  from.emplace_back(json::Object{{"commitment", state_.input.commitment}, {"run", "input"}});
  for (const StepState& step : state_.steps) {
    if (step.round + 1 != round || !step.output.exists()) continue;
    from.emplace_back(json::Object{{"commitment", step.output.commitment}, {"step", step.name}});
  }
  const std::size_t i = state_.steps.size();
  const workflow::PlanAgent* agent = plan().find_agent(*state_.agent);
  Event event = begin("step.started", "llm_" + std::to_string(round));
  event.attempt = 1;
  event.agent = state_.agent;
  event.data.set("type", "llm_inference");
  event.data.set("round", static_cast<std::int64_t>(round));
  event.data.set("deadline",
                 format_time(std::min(turn_.now + kCallTimeoutDefault, state_.deadline)));
  event.data.set("from", std::move(from));
  commit(event, "input",
         json::Object{{"model", state_.model.empty() ? agent->model : state_.model}});
  emit(std::move(event));
  start_inference(i);
}

void Reactor::start_tool_step(std::size_t round, std::size_t tool_index, const json::Value& asked) {
  const std::string name = asked.string_or("name");
  const json::Value* arguments = asked.find("arguments");
  const workflow::PlanAgent* agent = plan().find_agent(*state_.agent);
  const bool is_offered =
      std::find(agent->tools.begin(), agent->tools.end(), name) != agent->tools.end();
  const auto tools_so_far =
      std::count_if(state_.steps.begin(), state_.steps.end(),
                    [](const StepState& step) { return step.type == StepType::kToolCall; });
  const StepState* lead = state_.find_step("llm_" + std::to_string(round));
  const std::size_t i = state_.steps.size();
  Event event = begin("step.started", "tool_" + std::to_string(tools_so_far + 1));
  event.attempt = 1;
  event.agent = state_.agent;
  event.data.set("type", "tool_call");
  event.data.set("round", static_cast<std::int64_t>(round));
  event.data.set("tool_index", static_cast<std::int64_t>(tool_index));
  if (is_offered) event.data.set("tool", name);
  event.data.set("deadline",
                 format_time(std::min(turn_.now + kCallTimeoutDefault, state_.deadline)));
  event.data.set("from", json::Array{json::Object{{"commitment", lead->output.commitment},
                                                  {"step", lead->name}}});
  commit(event, "input",
         json::Object{{"tool", name},
                      {"arguments", arguments == nullptr ? json::Object() : *arguments}});
  emit(std::move(event));
  if (!is_offered) {
    fail_step(i, "TOOL_UNKNOWN", "the agent has no such tool");
    return;
  }
  --slots_;
  start_tool(i, {value_of(unit(i).input), {}});
}

}  // namespace avow::engine
