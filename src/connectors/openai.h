// SPDX-License-Identifier: Apache-2.0
// connectors/openai.h: OpenAI's chat-completions API, as OpenAI, Azure, vLLM, Ollama, llama.cpp and
// others speak it, to and from the engine's neutral form (engine/effect_runner.h). Pure; any
// thread.
#pragma once
#include "connectors/config.h"
#include "connectors/model_answer.h"

namespace avow::connectors {

/// The body of POST {base_url}/chat/completions. A response_schema becomes
/// response_format {"type": "json_schema"}, not strict: strict mode refuses schemas that name no
/// `required`, and the engine validates anyway. A stream is asked for with its usage.
json::Value openai_body(const json::Value& call, const ModelConfig& model);

/// Reads the body of a 200. `response` is untrusted. The first choice counts; a refusal is text
/// with finish_reason content_filter. Errors: kInvalidArgument  not a chat completion
Result<ModelAnswer> read_openai(const json::Value& response, AnswerForm form);

}  // namespace avow::connectors
