// SPDX-License-Identifier: Apache-2.0
#include "connectors/openai.h"

#include "base/bytes.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

json::Value message_of(const json::Value& message) {
  const std::string role = message.string_or("role");
  json::Object out{{"role", role}, {"content", message.string_or("content")}};
  if (role == "tool") out.set("tool_call_id", message.string_or("tool_call_id"));
  const json::Value* const calls = message.find("tool_calls");
  if (calls == nullptr || !calls->is_array() || calls->as_array().empty()) return out;
  json::Array list;
  for (const json::Value& call : calls->as_array()) {
    const json::Value* const arguments = call.find("arguments");
    json::Object function{
        {"name", call.string_or("name")},
        {"arguments", arguments == nullptr ? "{}" : json::write_canonical(*arguments)}};
    list.push_back(json::Object{
        {"id", call.string_or("id")}, {"type", "function"}, {"function", std::move(function)}});
  }
  if (message.string_or("content").empty()) out.set("content", nullptr);
  out.set("tool_calls", std::move(list));
  return out;
}

json::Value tool_of(const json::Value& tool) {
  json::Object function{{"name", tool.string_or("name")}};
  if (const json::Value* const text = tool.find("description")) function.set("description", *text);
  if (const json::Value* const schema = tool.find("input_schema")) {
    function.set("parameters", *schema);
  }
  return json::Object{{"type", "function"}, {"function", std::move(function)}};
}

json::Array messages_of(const json::Value& call) {
  json::Array messages;
  if (const json::Value* const system = call.find("system")) {
    messages.push_back(json::Object{{"role", "system"}, {"content", *system}});
  }
  if (const json::Value* const list = call.find("messages"); list != nullptr && list->is_array()) {
    for (const json::Value& message : list->as_array()) messages.push_back(message_of(message));
  }
  return messages;
}

/// `content` is a string, null, or with some servers a list of parts.
std::string content_text(const json::Value* content) {
  if (content == nullptr) return {};
  if (content->is_string()) return content->as_string();
  std::string text;
  if (content->is_array()) {
    for (const json::Value& part : content->as_array()) text += part.string_or("text");
  }
  return text;
}

std::string finish_reason_of(const std::string& reason) {
  if (reason == "length" || reason == "content_filter") return reason;
  return "stop";  // tool_calls follows from the calls themselves
}

/// The arguments come as text that the model wrote: often JSON, not always.
Result<json::Value> parse_arguments(const json::Value* arguments) {
  if (arguments == nullptr || arguments->is_null()) return json::Value(json::Object());
  if (arguments->is_object()) return *arguments;  // Ollama's own habit
  if (!arguments->is_string()) return failure(Code::kInvalidArgument, "arguments are no text");
  if (arguments->as_string().empty()) return json::Value(json::Object());
  ASSIGN_OR_RETURN(json::Value parsed, json::parse(arguments->as_string()));
  if (!parsed.is_object()) return failure(Code::kInvalidArgument, "arguments are no JSON object");
  return parsed;
}

Result<void> read_tool_calls(const json::Value& message, AnswerBuilder& answer) {
  const json::Value* const calls = message.find("tool_calls");
  if (calls == nullptr || calls->is_null()) return {};
  if (!calls->is_array()) return failure(Code::kInvalidArgument, "tool_calls is no list");
  for (const json::Value& call : calls->as_array()) {
    const json::Value* const function = call.find("function");
    if (function == nullptr) return failure(Code::kInvalidArgument, "a tool call without function");
    const std::string name = function->string_or("name");
    auto arguments = parse_arguments(function->find("arguments"));
    if (!arguments) return arguments.error().in(fmt::format("call of tool \"{}\"", shown(name)));
    RETURN_IF_ERROR(answer.add_tool_call(call.string_or("id"), name, std::move(*arguments)));
  }
  return {};
}

}  // namespace

json::Value openai_body(const json::Value& call, const ModelConfig& model) {
  json::Object body{{"model", model.model}, {"messages", messages_of(call)}};
  if (const json::Value* const tools = call.find("tools");
      tools != nullptr && tools->is_array() && !tools->as_array().empty()) {
    json::Array list;
    for (const json::Value& tool : tools->as_array()) list.push_back(tool_of(tool));
    body.set("tools", std::move(list));
  }
  if (const json::Value* const schema = call.find("response_schema")) {
    json::Object format{{"name", "response"}, {"schema", *schema}};
    body.set("response_format",
             json::Object{{"type", "json_schema"}, {"json_schema", std::move(format)}});
  }
  if (const json::Value* const t = call.find("temperature")) body.set("temperature", *t);
  if (const json::Value* const n = call.find("max_tokens")) body.set(model.max_tokens_member, *n);
  if (model.stream) {
    body.set("stream", true);
    body.set("stream_options", json::Object{{"include_usage", true}});
  }
  return body;
}

Result<ModelAnswer> read_openai(const json::Value& response, AnswerForm form) {
  const json::Value* const choices = response.find("choices");
  if (choices == nullptr || !choices->is_array() || choices->as_array().empty()) {
    return failure(Code::kInvalidArgument, "the answer has no choices");
  }
  const json::Value& choice = choices->as_array().front();
  const json::Value* const message = choice.find("message");
  if (message == nullptr || !message->is_object()) {
    return failure(Code::kInvalidArgument, "the first choice has no message");
  }
  AnswerBuilder answer;
  answer.text = content_text(message->find("content"));
  answer.finish_reason = finish_reason_of(choice.string_or("finish_reason"));
  RETURN_IF_ERROR(read_tool_calls(*message, answer));
  if (const std::string refusal = message->string_or("refusal"); !refusal.empty()) {
    answer.text = refusal;
    answer.finish_reason = "content_filter";
  } else if (form != AnswerForm::kText && !answer.has_tool_calls()) {
    answer.parse_json();
  }

  ModelAnswer out;
  out.value = std::move(answer).finish();
  if (const json::Value* const usage = response.find("usage")) {
    out.usage = {token_count(*usage, "prompt_tokens"), token_count(*usage, "completion_tokens")};
  }
  out.model = response.string_or("model");
  return out;
}

}  // namespace avow::connectors
