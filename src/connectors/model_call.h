// SPDX-License-Identifier: Apache-2.0
// connectors/model_call.h: a model call in its recorded form, whoever the provider is, and its
// price. Pure; any thread.
#pragma once
#include "connectors/config.h"
#include "connectors/model_answer.h"
#include "connectors/outcome.h"
#include "connectors/request.h"

namespace avow::connectors {

/// The recorded form of a call of `model`, which the configuration calls `name`: the common
/// members, `model`, `provider` and `answer` (its AnswerForm). For the echo provider: kind, model,
/// provider and the neutral call as `body`. Errors: kInvalidArgument, kNotFound, kPermissionDenied
/// (a secret in the call: a prompt is no place for one)
Result<json::Value> render_model(TenantId tenant, const engine::CallSpec& spec,
                                 const std::string& name, const ModelConfig& model,
                                 const SecretStore& secrets);

/// What the provider's answer (a 2xx) is worth, with its cost; or MODEL_RESPONSE_INVALID.
engine::CallOutcome read_model(const json::Value& request, const ModelConfig& model,
                               const net::ClientResponse& response, const Redactor& redactor);

/// The answer of the echo provider to its recorded request.
engine::CallOutcome run_echo(const json::Value& request, const ModelConfig& model);

/// The most that the call with this recorded request may come to. No tokenizer makes more tokens of
/// a text than it has bytes, so the body's bytes are what it can read.
engine::WorstCase worst_case(const json::Value& request, const ModelConfig& model);

/// Cents per million tokens are millionths of a cent per token: exact but for a price with
/// decimals.
engine::Cost cost_of(const engine::Usage& usage, const ModelConfig& model);

}  // namespace avow::connectors
