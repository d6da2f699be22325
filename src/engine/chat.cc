// SPDX-License-Identifier: Apache-2.0
// Inferences: an llm_inference step, a decision by a model, an agent's step whose agent has a
// model. A step asks the model, runs the tools that it asks for one after the other, and asks again
// until it answers. Each request is built from recorded results, so it can be built again.
#include <algorithm>

#include "engine/reactor.h"
#include "json/schema.h"
#include "json/write.h"

namespace avow::engine {
namespace {

constexpr std::ptrdiff_t kSchemaRepairsMax =
    1;  // times that a model is told what was wrong with its answer

json::Value message(std::string_view role, json::Value content) {
  return json::Object{{"role", role}, {"content", std::move(content)}};
}

std::string as_text(const json::Value& value) {
  return value.is_string() ? value.as_string() : json::write_canonical(value);
}

/// What a model said, as a message of the conversation.
json::Value assistant_message(const json::Value& response) {
  json::Value said = message("assistant", response.string_or("text"));
  if (const json::Value* calls = response.find("tool_calls")) said.set("tool_calls", *calls);
  return said;
}

json::Value tool_message(const json::Value& asked, const json::Value& output) {
  json::Value said = message("tool", as_text(output));
  said.set("tool_call_id", asked.string_or("id"));
  return said;
}

const json::Array& tool_calls(const json::Value& response) {
  static const json::Array kNone;
  const json::Value* calls = response.find("tool_calls");
  return calls != nullptr && calls->is_array() ? calls->as_array() : kNone;
}

json::Value cents(Cost cost) { return json::Value::number(static_cast<double>(cost) / 1e6); }

json::Value usage_json(const Usage& usage) {
  return json::Object{{"input_tokens", usage.input_tokens}, {"output_tokens", usage.output_tokens}};
}

/// What is wrong with a final answer by the schema that was asked for; empty if it fits.
std::string schema_fault(const json::Value& schema, const json::Value& response) {
  const json::Value* answer = response.find("json");
  if (answer == nullptr) return "it is not JSON";
  const auto compiled = json::Schema::compile(schema);
  if (!compiled) return compiled.error().message;
  const auto faults = compiled->validate(*answer);
  if (!faults) return faults.error().message;
  if (faults->empty()) return {};
  return fmt::format("at \"{}\": {}", faults->front().pointer, faults->front().message);
}

std::size_t last_model_call(const StepState& step) {
  std::size_t at = step.calls.size();
  while (at > 0 && step.calls[at - 1].kind != CallKind::kModel) --at;
  CHECK(at > 0);
  return at - 1;
}

}  // namespace

/// Of the step, else of the request or the workflow, else of the agent.
std::string Reactor::model_of(std::size_t i) const {
  if (!state_.is_agent_run) {
    const std::string own = value_of(unit(i).input).string_or("model");
    if (!own.empty()) return own;
  }
  const auto agent = agent_of(i);
  const workflow::PlanAgent* known = agent ? plan().find_agent(*agent) : nullptr;
  if (!state_.model.empty()) return state_.model;
  return known == nullptr ? std::string() : known->model;
}

json::Value Reactor::tool_offers(const json::Value& names) const {
  json::Array offers;
  if (!names.is_array()) return offers;
  for (const json::Value& name : names.as_array()) {
    const json::Value* tool = name.is_string() ? plan().tools.find(name.as_string()) : nullptr;
    if (tool == nullptr) continue;
    json::Value offer = json::Object{{"name", name}};
    for (const std::string_view member : {"description", "input_schema"}) {
      if (const json::Value* value = tool->find(member)) offer.set(member, *value);
    }
    offers.push_back(std::move(offer));
  }
  return offers;
}

/// The conversation before the model has said anything, with the options of the call.
json::Value Reactor::chat_opening(std::size_t i) const {
  const StepState& step = unit(i);
  const json::Value config = value_of(step.input);
  json::Value chat = json::Object{{"messages", json::Array()}};
  if (step.type == StepType::kAgent) {
    const workflow::PlanAgent* agent = plan().find_agent(*agent_of(i));
    if (!agent->instructions.empty()) chat.set("system", agent->instructions);
    json::Value work = json::Object{{"action", planned(i).action}};
    if (const json::Value* parameters = config.find("parameters"))
      work.set("parameters", *parameters);
    chat.set("messages", json::Array{message("user", json::write_canonical(work))});
    json::Array names(agent->tools.begin(), agent->tools.end());
    if (!names.empty()) chat.set("tools", tool_offers(std::move(names)));
    return chat;
  }
  for (const std::string_view member : {"system", "temperature", "max_tokens", "response_schema"}) {
    if (const json::Value* value = config.find(member)) chat.set(member, *value);
  }
  if (const json::Value* prompt = config.find("prompt")) {
    std::string text = as_text(*prompt);
    if (step.type == StepType::kDecision) {
      text += "\n\nAnswer with one of these decisions:";
      json::Array labels;
      for (const workflow::Choice& choice : planned(i).choices) {
        text += fmt::format("\n- {}: {}", choice.label, choice.description);
        labels.emplace_back(choice.label);
      }
      chat.set("response_schema",
               json::Object{
                   {"type", "object"},
                   {"properties",
                    json::Object{{"decision", json::Object{{"type", "string"}, {"enum", labels}}},
                                 {"reason", json::Object{{"type", "string"}}}}},
                   {"required", json::Array{"decision", "reason"}},
                   {"additionalProperties", false}});
    }
    chat.set("messages", json::Array{message("user", text)});
  } else if (const json::Value* messages = config.find("messages")) {
    json::Array said;
    for (const json::Value& one : messages->as_array()) {
      const json::Value* content = one.find("content");
      said.push_back(
          message(one.string_or("role", "user"), content == nullptr ? "" : as_text(*content)));
    }
    chat.set("messages", std::move(said));
  }
  if (const json::Value* tools = config.find("tools")) {
    if (tools->is_array() && !tools->as_array().empty()) chat.set("tools", tool_offers(*tools));
  }
  return chat;
}

json::Value Reactor::chat(std::size_t i, const std::string& model) const {
  json::Value chat = chat_opening(i);
  chat.set("model", model);
  // What may be of any length has no worst case.
  if (plan().budget.is_limited() && chat.find("max_tokens") == nullptr)
    chat.set("max_tokens", kBudgetedTokens);
  json::Array messages = chat.find("messages")->as_array();
  json::Value response;
  const json::Value* schema = chat.find("response_schema");
  for (const CallState& call : unit(i).calls) {
    if (call.result.seq == 0) continue;
    const json::Value result = value_of(call.result);
    if (call.kind == CallKind::kModel) {
      response = result;
      messages.push_back(assistant_message(response));
      if (schema != nullptr && tool_calls(response).empty()) {
        // It was a final answer and is asked about again: it did not fit.
        messages.push_back(message(
            "user",
            fmt::format(
                "That answer does not fit the schema: {}. Answer again, with JSON that fits.",
                schema_fault(*schema, response))));
      }
    } else if (call.tool_index < tool_calls(response).size()) {
      messages.push_back(tool_message(tool_calls(response)[call.tool_index], result));
    }
  }
  chat.set("messages", std::move(messages));
  return chat;
}

void Reactor::start_inference(std::size_t i) {
  const std::string model = model_of(i);
  if (model.empty()) {
    fail_step(i, "MODEL_MISSING",
              "neither the step, the request, the workflow nor the agent names a model");
    return;
  }
  const json::Value spec = state_.is_agent_run ? agent_run_chat() : chat(i, model);
  start_call(i, CallSpec{.kind = CallKind::kModel, .value = spec, .secrets = {}},
             json::Object{{"model", model}});
}

void Reactor::model_answered(std::size_t i, const CallResult& result) {
  Event event = begin("llm.called", i);
  const CallState& call = unit(i).calls.back();
  json::Value response = result.value;
  // The peer's own name for its model is what the peer says: content.
  if (!result.model.empty()) response.set("model", result.model);
  event.data.set("call", static_cast<std::int64_t>(call.number));
  event.data.set("model", call.model);
  event.data.set("finish_reason", result.value.string_or("finish_reason", "stop"));
  event.data.set("input_tokens", result.usage.input_tokens);
  event.data.set("output_tokens", result.usage.output_tokens);
  event.data.set("cost_cents", cents(result.cost));
  commit(event, "response", response);
  emit(std::move(event));
  if (tool_calls(response).size() > kToolCallsPerAnswerMax) {
    fail_step(i, "TOOL_CALLS_LIMIT",
              fmt::format("the model asked for {} tool calls at once, of at most {}",
                          tool_calls(response).size(), kToolCallsPerAnswerMax));
    return;
  }
  next_of_inference(i);
}

/// The model has answered, or a tool has: what comes next in the step.
void Reactor::next_of_inference(std::size_t i) {
  const std::size_t last = last_model_call(unit(i));
  const json::Value response = value_of(unit(i).calls[last].result);
  const json::Array& asked = tool_calls(response);
  if (asked.empty() || state_.is_agent_run) return finish_inference(i);
  if (is_paused()) return;  // resume_due() comes back to it
  for (std::size_t answered = unit(i).calls.size() - last - 1; answered < asked.size();
       ++answered) {
    if (call_inner_tool(i, asked[answered], answered)) return;
  }
  const StepState& step = unit(i);
  const auto rounds =
      std::count_if(step.calls.begin(), step.calls.end(),
                    [](const CallState& call) { return call.kind == CallKind::kModel; });
  const std::int64_t rounds_max = value_of(step.input).int_or("max_tool_rounds", 8);
  if (rounds > rounds_max) {
    fail_step(i, "TOOL_ROUNDS_EXCEEDED",
              fmt::format("the model asked for tools more than {} times", rounds_max));
    return;
  }
  const std::string model = step.calls[last].model;
  start_call(i, CallSpec{.kind = CallKind::kModel, .value = chat(i, model), .secrets = {}},
             json::Object{{"model", model}});
}

/// Makes the call that the model asked for; false if it is refused and the model will hear so.
bool Reactor::call_inner_tool(std::size_t i, const json::Value& asked, std::size_t tool_index) {
  const std::string name = asked.string_or("name");
  const json::Value* arguments = asked.find("arguments");
  const json::Value* tool = plan().tools.find(name);
  const json::Value chat_now = chat_opening(i);
  const json::Value* offers = chat_now.find("tools");
  const bool is_offered =
      offers != nullptr &&
      std::any_of(offers->as_array().begin(), offers->as_array().end(),
                  [&name](const json::Value& offer) { return offer.string_or("name") == name; });
  json::Value facts = json::Object{{"tool", is_offered ? name : ""},
                                   {"tool_index", static_cast<std::int64_t>(tool_index)}};
  json::Value refusal;
  if (tool == nullptr || !is_offered) {
    refusal = json::Object{{"code", "TOOL_UNKNOWN"}, {"message", "there is no such tool"}};
  } else if (!tool_is_allowed(*tool, agent_of(i))) {
    refusal = json::Object{{"code", "AGENT_SCOPE_DENIED"},
                           {"message", "the agent may not use this tool"}};
  } else {
    const CallSpec spec{
        .kind = CallKind::kTool,
        .value = json::Object{{"tool", *tool},
                              {"arguments", arguments == nullptr ? json::Object() : *arguments}},
        .secrets = {}};
    const auto request = turn_.runner.render(state_.tenant, spec);
    if (request) {
      start_call(i, spec, std::move(facts));
      return true;
    }
    refusal =
        json::Object{{"code", "TOOL_ARGUMENTS_INVALID"}, {"message", request.error().message}};
  }
  Event event = begin("tool.called", i);
  for (auto& [fact, value] : facts.mutable_object()) event.data.set(fact, std::move(value));
  event.data.set("call", static_cast<std::int64_t>(unit(i).calls.back().number) + 1);
  event.data.set("refused", refusal.string_or("code"));
  commit(event, "output", json::Object{{"error", refusal}});
  emit(std::move(event));
  return false;
}

void Reactor::tool_answered(std::size_t i, json::Value output) {
  const StepState& step = unit(i);
  const CallState& call = step.calls.back();
  Event event = begin("tool.called", i);
  event.data.set("call", static_cast<std::int64_t>(call.number));
  event.data.set("tool", call.tool);
  event.data.set("tool_index", static_cast<std::int64_t>(call.tool_index));
  commit(event, "output", output);
  emit(std::move(event));
  if (state_.is_agent_run) return complete_step(i, std::move(output));
  next_of_inference(i);
}

/// After a call that failed for good: the next of fallback_models, as a new call.
bool Reactor::try_fallback_model(std::size_t i) {
  const StepState& step = unit(i);
  if (state_.is_agent_run || step.calls.empty() || step.calls.back().kind != CallKind::kModel)
    return false;
  const json::Value config = value_of(step.input);
  const json::Value* fallbacks = config.find("fallback_models");
  if (fallbacks == nullptr || !fallbacks->is_array()) return false;
  const json::Array& names = fallbacks->as_array();
  // The one after the model that failed; the first if that was the step's own.
  std::size_t next = 0;
  for (std::size_t n = 0; n < names.size(); ++n) {
    if (names[n].is_string() && names[n].as_string() == step.calls.back().model) next = n + 1;
  }
  if (next >= names.size()) return false;
  if (is_paused()) {
    Event event = begin("effect.failed", i);
    event.data.set("call", static_cast<std::int64_t>(step.calls.back().number));
    emit(std::move(event));
    return true;  // resume_due() comes back to it
  }
  const std::string model = names[next].as_string();
  start_call(i, CallSpec{.kind = CallKind::kModel, .value = chat(i, model), .secrets = {}},
             json::Object{{"model", model}});
  return true;
}

/// An answer does not fit its schema: says so to the model, as a new call, a few times.
bool Reactor::ask_again(std::size_t i) {
  const StepState& step = unit(i);
  const auto is_final_answer = [this](const CallState& call) {
    return call.kind == CallKind::kModel && tool_calls(value_of(call.result)).empty();
  };
  if (std::count_if(step.calls.begin(), step.calls.end(), is_final_answer) > kSchemaRepairsMax)
    return false;
  if (is_paused()) return true;  // resume_due() comes back to it
  const std::string model = step.calls[last_model_call(step)].model;
  start_call(i, CallSpec{.kind = CallKind::kModel, .value = chat(i, model), .secrets = {}},
             json::Object{{"model", model}});
  return true;
}

void Reactor::finish_inference(std::size_t i) {
  const StepState& step = unit(i);
  const CallState& call = step.calls[last_model_call(step)];
  json::Value result = value_of(call.result);
  result.set("model", call.model);
  result.set("usage", usage_json(step.usage));
  result.set("cost_cents", cents(step.cost));
  if (!state_.is_agent_run) {
    const json::Value opening = chat_opening(i);
    const json::Value* schema = opening.find("response_schema");
    const std::string fault = schema == nullptr ? std::string() : schema_fault(*schema, result);
    if (!fault.empty() && ask_again(i)) return;
    if (!fault.empty() && step.type != StepType::kDecision) {
      fail_step(i, "RESPONSE_SCHEMA_MISMATCH",
                "the model's answer does not fit response_schema: " + fault);
      return;
    }
  }
  if (step.type != StepType::kDecision) return complete_step(i, std::move(result));

  const json::Value* answer = result.find("json");
  const std::string label = answer == nullptr ? std::string() : answer->string_or("decision");
  const workflow::Step& plan_step = planned(i);
  const auto choice =
      std::find_if(plan_step.choices.begin(), plan_step.choices.end(),
                   [&label](const workflow::Choice& one) { return one.label == label; });
  if (choice == plan_step.choices.end() && !plan_step.default_decision) {
    fail_step(i, "DECISION_UNMATCHED",
              "the model's answer is none of the choices and there is no default");
    return;
  }
  const bool is_matched = choice != plan_step.choices.end();
  const std::string decision = is_matched ? label : *plan_step.default_decision;
  Event event = begin("decision.made", i);
  event.data.set("decision", decision);
  if (is_matched)
    event.data.set("matched", static_cast<std::int64_t>(choice - plan_step.choices.begin()));
  commit(event, "values", json::Object{{"answer", result}});
  emit(std::move(event));
  json::Value decided = json::Object{{"decision", decision}};
  decided.set("matched",
              is_matched
                  ? json::Value(static_cast<std::int64_t>(choice - plan_step.choices.begin()))
                  : json::Value());
  decided.set("reason", is_matched ? answer->string_or("reason") : std::string("default"));
  for (const std::string_view member : {"model", "usage", "cost_cents"})
    decided.set(member, *result.find(member));
  complete_step(i, std::move(decided));
}

}  // namespace avow::engine
