// SPDX-License-Identifier: Apache-2.0
#include "connectors/model_call.h"

#include <cmath>

#include "connectors/anthropic.h"
#include "connectors/echo.h"
#include "connectors/model_stream.h"
#include "connectors/openai.h"
#include "json/write.h"
#include "net/percent.h"
#include "workflow/segments.h"

namespace avow::connectors {
namespace {

std::string url_of(const ModelConfig& model) {
  std::string url = model.base_url;
  url += model.provider == Provider::kAnthropic ? "/messages" : "/chat/completions";
  if (model.query.empty()) return url;
  return url + "?" + net::write_query({model.query.begin(), model.query.end()});
}

void add_key(const std::string& name, const ModelConfig& model, RequestBuilder& request) {
  const std::string secret = model.api_key ? model_key_name(name) : model.api_key_secret;
  if (secret.empty()) return;
  if (!model.api_key_header.empty()) {
    request.secret_header(model.api_key_header, secret);
  } else if (model.provider == Provider::kAnthropic) {
    request.secret_header("x-api-key", secret);
  } else {
    request.secret_header("Authorization", secret, "Bearer ");
  }
}

void add_headers(const ModelConfig& model, RequestBuilder& request) {
  if (model.provider == Provider::kAnthropic) {
    request.header("anthropic-version", kAnthropicVersion);
  }
  for (const auto& [name, value] : model.headers) {
    const std::string secret = workflow::secret_name(value);
    if (secret.empty()) {
      request.header(name, value);
    } else {
      request.secret_header(name, secret);
    }
  }
}

AnswerForm form_of(const json::Value& call, Provider provider) {
  if (provider == Provider::kAnthropic) return anthropic_form(call);
  return call.find("response_schema") == nullptr ? AnswerForm::kText : AnswerForm::kJson;
}

engine::CallOutcome outcome_of(ModelAnswer answer, const ModelConfig& model) {
  engine::CallResult result;
  result.value = std::move(answer.value);
  result.usage = answer.usage;
  result.cost = cost_of(answer.usage, model);
  result.model = answer.model.empty() ? model.model : std::move(answer.model);
  return result;
}

/// The answer as it would have come in one piece.
Result<json::Value> whole_body(const net::ClientResponse& response, bool is_anthropic) {
  if (!is_event_stream(response)) return body_value(response);
  ModelStream stream(is_anthropic ? Provider::kAnthropic : Provider::kOpenAi);
  stream.take(response.body);
  return std::move(stream).finish();
}

}  // namespace

Result<json::Value> render_model(TenantId tenant, const engine::CallSpec& spec,
                                 const std::string& name, const ModelConfig& model,
                                 const SecretStore& secrets) {
  if (!spec.secrets.empty()) {
    return failure(Code::kPermissionDenied, "secret {} cannot be part of a prompt",
                   spec.secrets.front().name);
  }
  if (model.provider == Provider::kEcho) {
    return json::Value(json::Object{{"kind", "model"},
                                    {"model", name},
                                    {"provider", provider_name(model.provider)},
                                    {"body", spec.value}});
  }
  RequestBuilder request("model", "POST", url_of(model));
  add_key(name, model, request);
  add_headers(model, request);
  request.body(model.provider == Provider::kAnthropic ? anthropic_body(spec.value, model)
                                                      : openai_body(spec.value, model));
  request.member("model", name);
  request.member("provider", provider_name(model.provider));
  request.member("answer", answer_form_name(form_of(spec.value, model.provider)));
  return std::move(request).finish(tenant, secrets);
}

engine::CallOutcome read_model(const json::Value& request, const ModelConfig& model,
                               const net::ClientResponse& response, const Redactor& redactor) {
  const AnswerForm form = parse_answer_form(request.string_or("answer"));
  const bool is_anthropic = request.string_or("provider") == provider_name(Provider::kAnthropic);
  auto answer = [&]() -> Result<ModelAnswer> {
    ASSIGN_OR_RETURN(const json::Value body, whole_body(response, is_anthropic));
    return is_anthropic ? read_anthropic(body, form) : read_openai(body, form);
  }();
  if (answer) return outcome_of(std::move(*answer), model);
  engine::CallError error;
  error.code = "MODEL_RESPONSE_INVALID";
  error.message = answer.error().message;
  error.detail =
      json::Object{{"status", response.status}, {"body", readable_body(response, redactor)}};
  return error;
}

engine::CallOutcome run_echo(const json::Value& request, const ModelConfig& model) {
  const json::Value* const body = request.find("body");
  return outcome_of(echo_answer(body == nullptr ? json::Value() : *body), model);
}

engine::WorstCase worst_case(const json::Value& request, const ModelConfig& model) {
  const json::Value* const body = request.find("body");
  const json::Value none = json::Object();
  const json::Value& asked = body == nullptr ? none : *body;
  const bool is_openai = model.provider == Provider::kOpenAi;
  engine::Usage most;
  most.input_tokens = static_cast<std::int64_t>(json::write(asked).size());
  // The echo says what it heard, and no more.
  most.output_tokens = model.provider == Provider::kEcho
                           ? most.input_tokens
                           : asked.int_or(is_openai ? model.max_tokens_member : "max_tokens", 0);
  return {most.input_tokens + most.output_tokens, cost_of(most, model)};
}

engine::Cost cost_of(const engine::Usage& usage, const ModelConfig& model) {
  // At most 3 * 10^9 tokens and 10^9 cents: far below 2^63.
  const double cost = static_cast<double>(usage.input_tokens) * model.input_price_cents +
                      static_cast<double>(usage.output_tokens) * model.output_price_cents;
  return std::llround(cost);
}

}  // namespace avow::connectors
