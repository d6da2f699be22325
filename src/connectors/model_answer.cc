// SPDX-License-Identifier: Apache-2.0
#include "connectors/model_answer.h"

#include "json/parse.h"

namespace avow::connectors {

std::string_view answer_form_name(AnswerForm form) {
  switch (form) {
    case AnswerForm::kText:
      return "text";
    case AnswerForm::kJson:
      return "json";
    case AnswerForm::kWrapped:
      return "wrapped";
  }
  return {};
}

AnswerForm parse_answer_form(std::string_view name) {
  for (const AnswerForm form : {AnswerForm::kJson, AnswerForm::kWrapped}) {
    if (name == answer_form_name(form)) return form;
  }
  return AnswerForm::kText;
}

Result<void> AnswerBuilder::add_tool_call(std::string id, std::string name, json::Value arguments) {
  const std::size_t count = has_tool_calls() ? tool_calls_.as_array().size() : 0;
  if (count == kToolCallsMax) {
    return failure(Code::kInvalidArgument, "more than {} tool calls", kToolCallsMax);
  }
  if (name.empty()) return failure(Code::kInvalidArgument, "tool call {} has no name", count + 1);
  // Some servers leave the id out; the next request needs one to tie the result to the call.
  if (id.empty()) id = fmt::format("call_{}", count + 1);
  tool_calls_.push_back(json::Object{
      {"id", std::move(id)}, {"name", std::move(name)}, {"arguments", std::move(arguments)}});
  return {};
}

void AnswerBuilder::set_json(json::Value value) { json_ = std::move(value); }

void AnswerBuilder::parse_json() {
  if (auto parsed = json::parse(text)) json_ = std::move(*parsed);
}

json::Value AnswerBuilder::finish() && {
  json::Object value{{"text", std::move(text)}};
  if (json_) value.set("json", std::move(*json_));
  if (has_tool_calls()) {
    value.set("tool_calls", std::move(tool_calls_));
    finish_reason = "tool_calls";
  }
  value.set("finish_reason", std::move(finish_reason));
  return value;
}

std::int64_t token_count(const json::Value& usage, std::string_view member) {
  constexpr std::int64_t kTokensMax = 1'000'000'000;
  const std::int64_t count = usage.int_or(member, 0);
  return count >= 0 && count <= kTokensMax ? count : 0;
}

}  // namespace avow::connectors
