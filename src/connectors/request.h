// SPDX-License-Identifier: Apache-2.0
// connectors/request.h: the recorded form of an outside call, and how bytes are made of it.
//
// {"kind", "method", "url", "headers": {name: text}, "body"?: JSON, "secrets": [{"pointer", "name",
// "prefix"?}], ...}: what EffectRunner::render() gives and the journal commits to. A secret stands
// in it as the text "${{ secrets.NAME }}" at its pointer; only pointers listed in `secrets` are
// ever filled, so the same text inside data stays data. A body that is a string is sent as it is,
// any other as canonical JSON; what is sent depends on nothing else, so a resend is the same byte
// by byte. Pure but for the secrets' values; safe from any thread.
#pragma once
#include <string>
#include <string_view>

#include "base/id.h"
#include "connectors/redaction.h"
#include "connectors/secrets.h"
#include "json/value.h"
#include "net/http_client.h"

namespace avow::connectors {

/// Why `name: value` cannot be a header that the configuration, a tool or a webhook sets; empty if
/// it can. Names that the connectors or HTTP itself set are refused.
std::string header_fault(std::string_view name, std::string_view value);

/// Collects the recorded form.
class RequestBuilder {
 public:
  RequestBuilder(std::string_view kind, std::string_view method, std::string_view url);

  void header(std::string_view name, std::string_view value);
  /// A header whose value is `prefix` and the secret.
  void secret_header(std::string_view name, std::string_view secret, std::string_view prefix = {});
  void body(json::Value body);
  /// The string at `pointer`, which exists already, stands for `secret`.
  void secret(std::string pointer, std::string_view secret, std::string_view prefix = {});
  /// A further member of the recorded object.
  void member(std::string_view name, json::Value value);

  /// Checks URL, method, headers, and that each secret may go where it stands: in a header, the
  /// body or `signing_secret`, to this URL, for `tenant`. Errors: kInvalidArgument, kNotFound,
  /// kPermissionDenied
  Result<json::Value> finish(TenantId tenant, const SecretStore& secrets) &&;

 private:
  json::Value request_;
  json::Value headers_ = json::Object();
  json::Value secrets_ = json::Array();
};

/// A request with its secrets in place. Lives from start() to send(), never longer.
struct FilledRequest {
  net::ClientRequest http;
  std::string signing_secret;  ///< Of a webhook; empty: unsigned.
  Redactor redactor;           ///< Knows every secret that was filled in.
};

/// Fills in the secrets of a recorded request, each checked again against `url`'s host.
/// Errors: kInvalidArgument (not a recorded request), kNotFound, kPermissionDenied
Result<FilledRequest> fill(const json::Value& request, TenantId tenant, const SecretStore& secrets);

}  // namespace avow::connectors
