// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook.h"

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

constexpr std::string_view kSecretPrefix = "whsec_";

/// The member `key`; null counts as absent (CONTRACT.md section 1).
const json::Value* present(const json::Value& object, std::string_view key) {
  const json::Value* const value = object.find(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

std::string signing_key(std::string_view secret) {
  if (secret.starts_with(kSecretPrefix)) {
    if (auto key = from_base64(secret.substr(kSecretPrefix.size()))) return std::move(*key);
  }
  return std::string(secret);
}

Result<void> add_headers(const json::Value& headers, RequestBuilder& request) {
  if (!headers.is_object()) return failure(Code::kInvalidArgument, "headers must be an object");
  for (const auto& [name, value] : headers.as_object()) {
    if (value.is_array() || value.is_object() || value.is_null()) {
      return failure(Code::kInvalidArgument, "header \"{}\" must be text", shown(name));
    }
    request.header(name, value.is_string() ? value.as_string() : json::write_canonical(value));
  }
  return {};
}

}  // namespace

Result<json::Value> render_webhook(TenantId tenant, const engine::CallSpec& spec,
                                   const SecretStore& secrets) {
  const json::Value& config = spec.value;
  RequestBuilder request("webhook", config.string_or("method", "POST"), config.string_or("url"));
  if (const json::Value* const headers = present(config, "headers")) {
    RETURN_IF_ERROR(add_headers(*headers, request));
  }
  if (const json::Value* const body = present(config, "body")) request.body(*body);
  const json::Value* const expected = present(config, "expect_status");
  request.member("expect_status", expected == nullptr ? json::Value(json::Array()) : *expected);

  bool is_signed = false;
  for (const auto& [pointer, name] : spec.secrets) {
    is_signed = is_signed || pointer == "/secret";
    request.secret(pointer == "/secret" ? "/signing_secret" : pointer, name);
  }
  if (const json::Value* const secret = present(config, "secret")) {
    // A literal would stand in the record for everybody to sign with.
    if (!is_signed)
      return failure(Code::kInvalidArgument, "secret must be a ${{{{ secrets.NAME }}}}");
    request.member("signing_secret", *secret);
  }
  return std::move(request).finish(tenant, secrets);
}

std::string webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp,
                              std::string_view body) {
  const std::string content = fmt::format("{}.{}.{}", id, timestamp, body);
  return "v1," + to_base64(view_of(crypto::hmac_sha256(signing_key(secret), content)));
}

void sign_webhook(FilledRequest& request, std::string_view id, Time now) {
  if (request.signing_secret.empty()) return;
  const auto timestamp =
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  net::ClientRequest& http = request.http;
  http.headers.set("webhook-id", std::string(id));
  http.headers.set("webhook-timestamp", std::to_string(timestamp));
  http.headers.set("webhook-signature",
                   webhook_signature(request.signing_secret, id, timestamp, http.body));
}

}  // namespace avow::connectors
