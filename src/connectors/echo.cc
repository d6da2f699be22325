// SPDX-License-Identifier: Apache-2.0
#include "connectors/echo.h"

#include <algorithm>

#include "connectors/config.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

constexpr int kSampleDepthMax = 8;
constexpr std::int64_t kSampleLengthMax = 1000;

std::int64_t word_count(std::string_view text) {
  std::int64_t words = 0;
  bool in_word = false;
  for (const char c : text) {
    const bool is_space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
    if (!is_space && !in_word) ++words;
    in_word = !is_space;
  }
  return words;
}

struct Conversation {
  std::string user;     ///< The last user message.
  std::string results;  ///< Of the tools called since, a line each.
  bool has_results = false;
  std::int64_t words = 0;  ///< Of everything.
};

Conversation read_conversation(const json::Value& call) {
  Conversation out;
  out.words = word_count(call.string_or("system"));
  const json::Value* const messages = call.find("messages");
  if (messages == nullptr || !messages->is_array()) return out;
  for (const json::Value& message : messages->as_array()) {
    const std::string role = message.string_or("role");
    const std::string content = message.string_or("content");
    out.words += word_count(content);
    if (role == "user") {
      out.user = content;
      out.results.clear();
      out.has_results = false;
    } else if (role == "tool") {
      if (out.has_results) out.results += '\n';
      out.results += content;
      out.has_results = true;
    }
  }
  return out;
}

/// The tool calls that the message scripts; false if it is no such script.
bool add_scripted_calls(const std::string& message, AnswerBuilder& answer) {
  const auto parsed = json::parse(message);
  const json::Value* const calls = parsed ? parsed->find("call_tools") : nullptr;
  if (calls == nullptr || !calls->is_array() || calls->as_array().size() > kToolCallsMax)
    return false;
  for (const json::Value& call : calls->as_array()) {
    const json::Value* const arguments = call.find("arguments");
    const bool is_object = arguments != nullptr && arguments->is_object();
    if (!answer.add_tool_call({}, call.string_or("name"),
                              is_object ? *arguments : json::Value(json::Object()))) {
      answer = {};
      return false;
    }
  }
  return answer.has_tool_calls();
}

json::Value sample_at(const json::Value& schema, int depth);

json::Value sample_object(const json::Value& schema, int depth) {
  json::Object out;
  const json::Value* const properties = schema.find("properties");
  const json::Value* const required = schema.find("required");
  if (required == nullptr || !required->is_array()) return out;
  for (const json::Value& name : required->as_array()) {
    if (!name.is_string()) continue;
    const json::Value* const property =
        properties == nullptr ? nullptr : properties->find(name.as_string());
    out.set(name.as_string(),
            property == nullptr ? json::Value() : sample_at(*property, depth + 1));
  }
  return out;
}

json::Value sample_array(const json::Value& schema, int depth) {
  const std::int64_t count = std::clamp<std::int64_t>(schema.int_or("minItems", 0), 0, 16);
  const json::Value* const items = schema.find("items");
  const json::Value element = items == nullptr ? json::Value() : sample_at(*items, depth + 1);
  return json::Array(static_cast<std::size_t>(count), element);
}

json::Value sample_of_type(const json::Value& schema, int depth) {
  const json::Value* type = schema.find("type");
  if (type != nullptr && type->is_array() && !type->as_array().empty()) {
    type = &type->as_array().front();
  }
  const std::string name = type != nullptr && type->is_string() ? type->as_string() : "";
  if (name == "object" || (name.empty() && schema.find("properties") != nullptr)) {
    return sample_object(schema, depth);
  }
  if (name == "array") return sample_array(schema, depth);
  if (name == "string") {
    const auto length =
        std::clamp<std::int64_t>(schema.int_or("minLength", 0), 0, kSampleLengthMax);
    return std::string(static_cast<std::size_t>(length), 'x');
  }
  if (name == "integer" || name == "number") {
    const json::Value* const minimum = schema.find("minimum");
    return minimum != nullptr && minimum->is_number() ? *minimum : json::Value(0);
  }
  if (name == "boolean") return false;
  return {};
}

json::Value sample_at(const json::Value& schema, int depth) {
  if (!schema.is_object() || depth > kSampleDepthMax) return {};
  for (const std::string_view keyword : {"const", "default"}) {
    if (const json::Value* const value = schema.find(keyword)) return *value;
  }
  const auto first_of = [&](std::string_view keyword) -> const json::Value* {
    const json::Value* const list = schema.find(keyword);
    const bool has_first = list != nullptr && list->is_array() && !list->as_array().empty();
    return has_first ? &list->as_array().front() : nullptr;
  };
  for (const std::string_view keyword : {"enum", "examples"}) {
    if (const json::Value* const value = first_of(keyword)) return *value;
  }
  for (const std::string_view keyword : {"anyOf", "oneOf", "allOf"}) {
    if (const json::Value* const part = first_of(keyword)) return sample_at(*part, depth + 1);
  }
  return sample_of_type(schema, depth);
}

}  // namespace

json::Value sample_of(const json::Value& schema) { return sample_at(schema, 0); }

ModelAnswer echo_answer(const json::Value& call) {
  const Conversation conversation = read_conversation(call);
  AnswerBuilder answer;
  const bool calls_tools =
      !conversation.has_results && add_scripted_calls(conversation.user, answer);
  if (!calls_tools) {
    answer.text = conversation.has_results ? conversation.results : conversation.user;
    if (const json::Value* const schema = call.find("response_schema")) {
      auto parsed = json::parse(answer.text);
      if (!parsed) answer.text = json::write_canonical(sample_of(*schema));
      answer.parse_json();
    }
  }
  ModelAnswer out;
  out.usage = {conversation.words, word_count(answer.text)};
  out.value = std::move(answer).finish();
  out.model = kEchoModel;
  return out;
}

}  // namespace avow::connectors
