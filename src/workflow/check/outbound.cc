// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/outbound.h"

#include <fmt/format.h>

#include <algorithm>

#include "workflow/segments.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kUrlBytesMax = 8192;
constexpr std::size_t kHeaderBytesMax = 8192;

// Set by the connection, or by the engine: the effect's key, the trace and the signature.
constexpr auto kReservedHeaders = std::to_array<std::string_view>(
    {"connection", "content-length", "expect", "host", "idempotency-key", "keep-alive", "te",
     "traceparent", "tracestate", "trailer", "transfer-encoding", "upgrade", "webhook-id",
     "webhook-signature", "webhook-timestamp"});

constexpr auto kCredentialHeaders =
    std::to_array<std::string_view>({"authorization", "proxy-authorization", "cookie", "token",
                                     "secret", "password", "api-key", "apikey", "api_key"});
// "X-Api-Key", "X-Auth-Token", "X-Amz-Security-Token", "Ocp-Apim-Subscription-Key", ...
constexpr auto kCredentialEndings =
    std::to_array<std::string_view>({"-authorization", "-token", "_token", "-secret", "-password",
                                     "-api-key", "-apikey", "-api_key", "-auth-key", "-access-key",
                                     "-subscription-key", "-auth", "-credential", "-credentials"});

constexpr const char* kWantedUrl = "must begin with http:// or https:// and a host";

bool is_token_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::optional<std::string_view> behind_scheme(std::string_view url) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (lower_case(url.substr(0, scheme.size())) == scheme) return url.substr(scheme.size());
  }
  return std::nullopt;
}

bool has_space_or_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; });
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::optional<std::string> check_url(std::string_view url) {
  if (url.size() > kUrlBytesMax) return fmt::format("is longer than {} bytes", kUrlBytesMax);
  const auto rest = behind_scheme(url);
  if (!rest) return kWantedUrl;
  if (has_space_or_control(url)) return "holds a space or a control character";
  const std::string_view authority = rest->substr(0, rest->find_first_of("/?#\\"));
  if (authority.find('@') != authority.npos) return "must not hold credentials; use a header";
  if (authority.empty() || authority[0] == ':') return kWantedUrl;
  return std::nullopt;
}

std::optional<std::string> check_url_template(std::string_view text) {
  const auto segments = split_template(text);
  const auto* split = std::get_if<std::vector<Segment>>(&segments);
  // An ill-formed template is reported where it is compiled.
  if (split == nullptr) return std::nullopt;
  if (split->empty()) return kWantedUrl;
  const Segment& first = split->front();
  if (first.is_expression) return std::nullopt;
  if (split->size() == 1) return check_url(first.text);
  // Behind the scheme a template may make the host, so only what is there can be checked.
  const auto rest = behind_scheme(first.text);
  if (!rest) return kWantedUrl;
  if (has_space_or_control(first.text)) return "holds a space or a control character";
  const std::string_view authority = rest->substr(0, rest->find_first_of("/?#\\"));
  if (authority.find('@') != authority.npos) return "must not hold credentials; use a header";
  return std::nullopt;
}

std::optional<std::string> check_header_name(std::string_view name) {
  if (name.empty() || name.size() > 256 ||
      !std::all_of(name.begin(), name.end(), is_token_character)) {
    return "is no header name (RFC 9110)";
  }
  const std::string lower = lower_case(name);
  if (std::find(kReservedHeaders.begin(), kReservedHeaders.end(), lower) !=
      kReservedHeaders.end()) {
    return "is set by the server itself";
  }
  return std::nullopt;
}

std::optional<std::string> check_header_value(std::string_view value) {
  if (value.size() > kHeaderBytesMax)
    return fmt::format("is longer than {} bytes", kHeaderBytesMax);
  const bool bad = std::any_of(value.begin(), value.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
  return bad ? std::optional<std::string>("holds a control character") : std::nullopt;
}

bool is_credential_header(std::string_view name) {
  const std::string lower = lower_case(name);
  return std::find(kCredentialHeaders.begin(), kCredentialHeaders.end(), lower) !=
             kCredentialHeaders.end() ||
         std::any_of(kCredentialEndings.begin(), kCredentialEndings.end(),
                     [&](std::string_view ending) { return lower.ends_with(ending); });
}

}  // namespace avow::workflow
