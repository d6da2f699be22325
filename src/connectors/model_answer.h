// SPDX-License-Identifier: Apache-2.0
// connectors/model_answer.h: what every provider's answer is turned into. Pure; any thread.
#pragma once
#include <string>

#include "engine/effect_runner.h"
#include "json/value.h"

namespace avow::connectors {

inline constexpr std::size_t kToolCallsMax = 128;  ///< In one answer; more is a malformed answer.

/// What form of answer a call asked for; recorded with it as "text", "json" or "wrapped".
enum class AnswerForm {
  kText,
  kJson,
  kWrapped,  ///< JSON, asked for as {"value": ...}.
};
std::string_view answer_form_name(AnswerForm form);
AnswerForm parse_answer_form(std::string_view name);  ///< Anything unknown is kText.

struct ModelAnswer {
  /// {"text", "json"?, "tool_calls"?, "finish_reason"} as engine/effect_runner.h says. "json" is
  /// absent although asked for if the text is not JSON: the engine judges and repairs.
  json::Value value;
  engine::Usage usage;
  std::string model;  ///< As the provider names it; empty: it did not say.
};

/// Collects the neutral form; providers fill it in.
class AnswerBuilder {
 public:
  std::string text;
  std::string finish_reason = "stop";

  /// Errors: kInvalidArgument  too many
  Result<void> add_tool_call(std::string id, std::string name, json::Value arguments);
  [[nodiscard]] bool has_tool_calls() const { return tool_calls_.is_array(); }
  void set_json(json::Value value);
  /// Sets "json" if `text` is JSON.
  void parse_json();
  json::Value finish() &&;

 private:
  json::Value tool_calls_;
  std::optional<json::Value> json_;
};

/// A member that counts tokens: what is no number from 0 to 10^9 counts as 0.
std::int64_t token_count(const json::Value& usage, std::string_view member);

}  // namespace avow::connectors
