// SPDX-License-Identifier: Apache-2.0
#include "connectors/anthropic.h"

#include "json/write.h"

namespace avow::connectors {
namespace {

bool is_object_schema(const json::Value& schema) { return schema.string_or("type") == "object"; }

/// A tool's input is always an object, so any other answer goes into one. `$defs` moves along to
/// the root, where references look for it.
json::Value answer_schema(const json::Value& schema) {
  if (is_object_schema(schema)) return schema;
  json::Object wrapped{{"type", "object"},
                       {"properties", json::Object{{"value", schema}}},
                       {"required", json::Array{"value"}}};
  if (const json::Value* const definitions = schema.find("$defs")) {
    wrapped.set("$defs", *definitions);
  }
  return wrapped;
}

json::Value text_block(std::string text) {
  return json::Object{{"type", "text"}, {"text", std::move(text)}};
}

json::Value result_block(const json::Value& message) {
  return json::Object{{"type", "tool_result"},
                      {"tool_use_id", message.string_or("tool_call_id")},
                      {"content", message.string_or("content")}};
}

json::Array assistant_blocks(const json::Value& message) {
  json::Array blocks;
  // An empty text block is refused by the API.
  if (std::string text = message.string_or("content"); !text.empty()) {
    blocks.push_back(text_block(std::move(text)));
  }
  const json::Value* const calls = message.find("tool_calls");
  if (calls == nullptr || !calls->is_array()) return blocks;
  for (const json::Value& call : calls->as_array()) {
    const json::Value* const input = call.find("arguments");
    blocks.push_back(
        json::Object{{"type", "tool_use"},
                     {"id", call.string_or("id")},
                     {"name", call.string_or("name")},
                     {"input", input == nullptr ? json::Value(json::Object()) : *input}});
  }
  return blocks;
}

/// The results of one turn's tool calls must stand together in one user message.
json::Array messages_of(const json::Value& call) {
  json::Array out;
  json::Array results;
  const auto flush = [&] {
    if (results.empty()) return;
    out.push_back(json::Object{{"role", "user"}, {"content", std::move(results)}});
    results = {};
  };
  const json::Value* const list = call.find("messages");
  if (list == nullptr || !list->is_array()) return out;
  for (const json::Value& message : list->as_array()) {
    const std::string role = message.string_or("role");
    if (role == "system") continue;  // see system_of()
    if (role == "tool") {
      results.push_back(result_block(message));
      continue;
    }
    flush();
    json::Array blocks = role == "assistant"
                             ? assistant_blocks(message)
                             : json::Array{text_block(message.string_or("content"))};
    if (!blocks.empty()) {
      out.push_back(json::Object{{"role", role}, {"content", std::move(blocks)}});
    }
  }
  flush();
  return out;
}

/// The API knows no system messages, only one text before the conversation.
std::string system_of(const json::Value& call) {
  std::string system = call.string_or("system");
  const json::Value* const list = call.find("messages");
  if (list == nullptr || !list->is_array()) return system;
  for (const json::Value& message : list->as_array()) {
    if (message.string_or("role") != "system") continue;
    if (!system.empty()) system += "\n\n";
    system += message.string_or("content");
  }
  return system;
}

void set_tools(const json::Value& call, json::Object& body) {
  json::Array tools;
  if (const json::Value* const list = call.find("tools"); list != nullptr && list->is_array()) {
    tools =
        list->as_array();  // {"name", "description", "input_schema"}: the neutral form is theirs
  }
  if (const json::Value* const schema = call.find("response_schema")) {
    body.set("tool_choice", tools.empty() ? json::Object{{"type", "tool"}, {"name", kAnswerTool}}
                                          : json::Object{{"type", "any"}});
    tools.push_back(
        json::Object{{"name", kAnswerTool},
                     {"description", "Gives the final answer in the form that was asked for."},
                     {"input_schema", answer_schema(*schema)}});
  }
  if (!tools.empty()) body.set("tools", std::move(tools));
}

std::string finish_reason_of(const std::string& reason) {
  if (reason == "max_tokens" || reason == "model_context_window_exceeded") return "length";
  if (reason == "refusal") return "content_filter";
  return "stop";  // end_turn, stop_sequence; tool_use follows from the calls themselves
}

void set_answer(const json::Value& input, AnswerForm form, AnswerBuilder& answer) {
  const json::Value* const inner = form == AnswerForm::kWrapped ? input.find("value") : nullptr;
  const json::Value& value = inner == nullptr ? input : *inner;
  answer.text = json::write_canonical(value);
  answer.set_json(value);
  answer.finish_reason = "stop";
}

}  // namespace

json::Value anthropic_body(const json::Value& call, const ModelConfig& model) {
  json::Object body{{"model", model.model},
                    {"max_tokens", call.int_or("max_tokens", kAnthropicMaxTokens)}};
  if (std::string system = system_of(call); !system.empty()) {
    body.set("system", std::move(system));
  }
  body.set("messages", messages_of(call));
  set_tools(call, body);
  if (const json::Value* const t = call.find("temperature")) body.set("temperature", *t);
  if (model.stream) body.set("stream", true);
  return body;
}

AnswerForm anthropic_form(const json::Value& call) {
  const json::Value* const schema = call.find("response_schema");
  if (schema == nullptr) return AnswerForm::kText;
  return is_object_schema(*schema) ? AnswerForm::kJson : AnswerForm::kWrapped;
}

Result<ModelAnswer> read_anthropic(const json::Value& response, AnswerForm form) {
  const json::Value* const content = response.find("content");
  if (content == nullptr || !content->is_array()) {
    return failure(Code::kInvalidArgument, "the answer has no content");
  }
  AnswerBuilder answer;
  answer.finish_reason = finish_reason_of(response.string_or("stop_reason"));
  const json::Value* structured = nullptr;
  for (const json::Value& block : content->as_array()) {
    const std::string type = block.string_or("type");
    if (type == "text") answer.text += block.string_or("text");
    if (type != "tool_use") continue;  // thinking and what may come later
    const json::Value* const input = block.find("input");
    if (input == nullptr || !input->is_object()) {
      return failure(Code::kInvalidArgument, "a tool call without an input object");
    }
    if (form != AnswerForm::kText && block.string_or("name") == kAnswerTool) {
      structured = input;
      continue;
    }
    RETURN_IF_ERROR(answer.add_tool_call(block.string_or("id"), block.string_or("name"), *input));
  }
  if (form != AnswerForm::kText && !answer.has_tool_calls()) {
    if (structured != nullptr) {
      set_answer(*structured, form, answer);
    } else {
      answer.parse_json();
    }
  }

  ModelAnswer out;
  out.value = std::move(answer).finish();
  if (const json::Value* const usage = response.find("usage")) {
    out.usage = {token_count(*usage, "input_tokens") +
                     token_count(*usage, "cache_creation_input_tokens") +
                     token_count(*usage, "cache_read_input_tokens"),
                 token_count(*usage, "output_tokens")};
  }
  out.model = response.string_or("model");
  return out;
}

}  // namespace avow::connectors
