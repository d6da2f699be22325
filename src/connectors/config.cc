// SPDX-License-Identifier: Apache-2.0
#include "connectors/config.h"

#include <cmath>

#include "connectors/url.h"

namespace avow::connectors {
namespace {

std::string_view default_base_url(Provider provider) {
  switch (provider) {
    case Provider::kOpenAi:
      return "https://api.openai.com/v1";
    case Provider::kAnthropic:
      return "https://api.anthropic.com/v1";
    case Provider::kEcho:
      break;
  }
  return {};
}

Result<void> check_price(double cents, std::string_view member) {
  constexpr double kCentsMax = 1e9;  // so that a cost fits its integer for any number of tokens
  if (std::isfinite(cents) && cents >= 0 && cents <= kCentsMax) return {};
  return failure(Code::kInvalidArgument, "{} must be a number from 0 to 1e9", member);
}

Result<void> complete_model(const std::string& name, ModelConfig& model) {
  if (model.model.empty()) model.model = name;
  RETURN_IF_ERROR(check_price(model.input_price_cents, "input_price_cents"));
  RETURN_IF_ERROR(check_price(model.output_price_cents, "output_price_cents"));
  if (model.provider == Provider::kEcho) return {};

  if (model.base_url.empty()) model.base_url = default_base_url(model.provider);
  while (model.base_url.ends_with('/')) model.base_url.pop_back();
  const auto url = parse_url(model.base_url);
  if (!url) return url.error().in("base_url");
  if (url->target.find('?') != std::string::npos) {
    return failure(Code::kInvalidArgument, "base_url must not hold a query; see the member query");
  }
  if (model.api_key && !model.api_key_secret.empty()) {
    return failure(Code::kInvalidArgument, "the API key is given twice");
  }
  return {};
}

}  // namespace

std::string_view provider_name(Provider provider) {
  switch (provider) {
    case Provider::kOpenAi:
      return "openai";
    case Provider::kAnthropic:
      return "anthropic";
    case Provider::kEcho:
      return "echo";
  }
  return {};
}

Result<Provider> parse_provider(std::string_view name) {
  for (const Provider provider : {Provider::kOpenAi, Provider::kAnthropic, Provider::kEcho}) {
    if (name == provider_name(provider)) return provider;
  }
  return failure(Code::kInvalidArgument, "provider must be openai, anthropic or echo");
}

Result<Config> complete_config(Config config) {
  for (auto& [name, model] : config.models) {
    const auto done = complete_model(name, model);
    if (!done) return done.error().in(fmt::format("models.{}", name));
  }
  ModelConfig echo;
  echo.provider = Provider::kEcho;
  echo.model = kEchoModel;
  const auto [it, is_new] = config.models.try_emplace(std::string(kEchoModel), std::move(echo));
  if (!is_new && it->second.provider != Provider::kEcho) {
    return failure(Code::kInvalidArgument, "models.{}: this name is the built-in double",
                   kEchoModel);
  }
  return config;
}

}  // namespace avow::connectors
