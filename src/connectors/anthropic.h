// SPDX-License-Identifier: Apache-2.0
// connectors/anthropic.h: Anthropic's messages API to and from the engine's neutral form
// (engine/effect_runner.h). Pure; any thread.
#pragma once
#include "connectors/config.h"
#include "connectors/model_answer.h"

namespace avow::connectors {

inline constexpr std::string_view kAnthropicVersion = "2023-06-01";
/// The API demands a limit; this one where the call sets none.
inline constexpr std::int64_t kAnthropicMaxTokens = 4096;
/// The tool whose arguments are the structured answer, see anthropic_body().
inline constexpr std::string_view kAnswerTool = "avow_answer";

/// The body of POST {base_url}/messages. A response_schema becomes the input schema of an extra
/// tool, kAnswerTool, which the model must call (tool_choice "tool"; "any" where there are other
/// tools): every Claude model can do that. A schema that is not of type object is wrapped as
/// {"value": ...}.
json::Value anthropic_body(const json::Value& call, const ModelConfig& model);

/// The form in which anthropic_body() asks for the answer of `call`.
AnswerForm anthropic_form(const json::Value& call);

/// Reads the body of a 200. `response` is untrusted. A call of kAnswerTool is the answer, unless
/// other tools were called with it: then those count. Errors: kInvalidArgument  not a message
Result<ModelAnswer> read_anthropic(const json::Value& response, AnswerForm form);

}  // namespace avow::connectors
