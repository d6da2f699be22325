// SPDX-License-Identifier: Apache-2.0
// connectors/config.h: what `server` reads from avow.yaml for calls to the outside. Plain values.
#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "net/address.h"

namespace avow::connectors {

inline constexpr std::string_view kEchoModel = "avow/echo";

/// Where the value of a secret is read from, once, at start. Exactly one is set.
struct SecretSource {
  std::string env = {};   ///< The name of an environment variable.
  std::string file = {};  ///< A file; one line feed at its end is not part of the value.
};

struct SecretConfig {
  SecretSource source = {};
  /// Host names that it may be sent to: "api.example.com", or "*.example.com" for every name below
  /// example.com. At least one.
  std::vector<std::string> hosts = {};
  std::optional<TenantId> tenant = {};  ///< Whose it is; absent: every tenant's.
};

enum class Provider { kOpenAi, kAnthropic, kEcho };
/// "openai", "anthropic" or "echo".
std::string_view provider_name(Provider provider);
/// Errors: kInvalidArgument
Result<Provider> parse_provider(std::string_view name);

struct ModelConfig {
  Provider provider = Provider::kOpenAi;
  std::string base_url = {};  ///< Up to the API's version: ".../v1". Empty: the provider's own.
  std::string model = {};     ///< The provider's name of it; empty: the name it has here.
  /// At most one of the two: the name of a secret, or the key's own source (it then goes to
  /// base_url's host only, and no workflow can name it).
  std::string api_key_secret = {};
  std::optional<SecretSource> api_key = {};
  /// Header that carries the key; empty: "Authorization: Bearer" (openai) or "x-api-key"
  /// (anthropic). Azure wants "api-key".
  std::string api_key_header = {};
  std::map<std::string, std::string> headers = {};  ///< A value may be a "${{ secrets.NAME }}".
  std::map<std::string, std::string> query = {};    ///< Azure: {"api-version": "..."}.
  /// What the openai provider calls the limit; newer OpenAI models want "max_completion_tokens".
  std::string max_tokens_member = "max_tokens";
  /// Asks for the answer piece by piece, so that who follows a run sees it being said.
  bool stream = false;
  double input_price_cents = 0;          ///< Per million tokens.
  double output_price_cents = 0;         ///< Per million tokens.
  std::optional<Duration> timeout = {};  ///< Of one call, beside the step's own.
};

struct OutboundConfig {
  net::AddressPolicy policy = {};  ///< `outbound.allow`
  std::string proxy = {};
  std::string ca_file = {};
  std::size_t response_bytes_max = std::size_t{8} << 20;
};

struct Config {
  std::map<std::string, ModelConfig> models = {};
  std::map<std::string, SecretConfig> secrets = {};
  OutboundConfig outbound = {};
};

/// Checks `config` and writes out its defaults; adds `avow/echo`.
/// Errors: kInvalidArgument  names the member that is wrong, never a value of a secret
Result<Config> complete_config(Config config);

}  // namespace avow::connectors
