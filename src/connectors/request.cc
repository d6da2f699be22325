// SPDX-License-Identifier: Apache-2.0
#include "connectors/request.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "json/pointer.h"
#include "json/write.h"
#include "net/http.h"

namespace avow::connectors {
namespace {

constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kHeaderBytesMax = 8 * 1024;

/// Set by HTTP itself or by the runner at each call.
constexpr std::array<std::string_view, 15> kReservedHeaders = {"host",
                                                               "content-length",
                                                               "transfer-encoding",
                                                               "connection",
                                                               "keep-alive",
                                                               "upgrade",
                                                               "te",
                                                               "trailer",
                                                               "expect",
                                                               "proxy-authorization",
                                                               "idempotency-key",
                                                               "traceparent",
                                                               "webhook-id",
                                                               "webhook-timestamp",
                                                               "webhook-signature"};

bool is_token_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_method(std::string_view method) {
  constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD",  "POST",
                                                        "PUT", "PATCH", "DELETE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

Result<void> check_headers(const json::Value& headers) {
  if (headers.as_object().size() > kHeadersMax) {
    return failure(Code::kInvalidArgument, "more than {} headers", kHeadersMax);
  }
  for (const auto& [name, value] : headers.as_object()) {
    const std::string fault = header_fault(name, value.as_string());
    if (!fault.empty())
      return failure(Code::kInvalidArgument, "header \"{}\" {}", shown(name), fault);
  }
  return {};
}

/// Only there does fill() look: a URL with a secret in it would end up in logs and Referer headers.
bool may_hold_secret(std::string_view pointer) {
  return pointer == "/signing_secret" || pointer == "/body" || pointer.starts_with("/body/") ||
         pointer.starts_with("/headers/");
}

/// The bytes of a body and what to call them if no header says so.
void set_body(const json::Value* body, net::ClientRequest& http) {
  if (body == nullptr) return;
  http.body = body->is_string() ? body->as_string() : json::write_canonical(*body);
  if (http.headers.find("content-type") != nullptr) return;
  http.headers.add("Content-Type",
                   body->is_string() ? "text/plain; charset=utf-8" : "application/json");
}

/// Puts the values in place in `request`, and notes them in `filled`.
Result<void> fill_secrets(json::Value& request, const Url& url, TenantId tenant,
                          const SecretStore& secrets, FilledRequest& filled) {
  const json::Value* const uses = request.find("secrets");
  if (uses == nullptr || !uses->is_array()) return {};
  const json::Value list = *uses;  // `request` changes below
  for (const json::Value& use : list.as_array()) {
    const std::string pointer = use.string_or("pointer");
    const std::string name = use.string_or("name");
    if (!may_hold_secret(pointer)) {
      return failure(Code::kInvalidArgument, "recorded request: a secret stands at \"{}\"",
                     shown(pointer));
    }
    ASSIGN_OR_RETURN(const Secret value, secrets.reveal(tenant, name, url));
    RETURN_IF_ERROR(json::replace(request, pointer, use.string_or("prefix") + value.reveal()));
    filled.redactor.add(name, value.reveal());
    filled.http.has_secrets = true;
    constexpr std::string_view kHeaders = "/headers/";
    if (pointer.starts_with(kHeaders)) {
      filled.http.drop_on_redirect.push_back(json::tokens(pointer)->back());
    }
  }
  return {};
}

}  // namespace

std::string header_fault(std::string_view name, std::string_view value) {
  if (name.empty() || name.size() > 256 ||
      !std::all_of(name.begin(), name.end(), is_token_character)) {
    return "has no valid name";
  }
  for (const std::string_view reserved : kReservedHeaders) {
    if (net::equal_ignoring_case(name, reserved)) return "is set by the server itself";
  }
  if (value.size() > kHeaderBytesMax)
    return fmt::format("is longer than {} bytes", kHeaderBytesMax);
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) {
      return "holds a control character";
    }
  }
  return {};
}

RequestBuilder::RequestBuilder(std::string_view kind, std::string_view method,
                               std::string_view url) {
  request_.set("kind", kind);
  request_.set("method", method);
  request_.set("url", url);
}

void RequestBuilder::header(std::string_view name, std::string_view value) {
  headers_.set(name, value);
}

void RequestBuilder::secret_header(std::string_view name, std::string_view secret,
                                   std::string_view prefix) {
  headers_.set(name, fmt::format("${{{{ secrets.{} }}}}", secret));
  this->secret(json::join("/headers", name), secret, prefix);
}

void RequestBuilder::body(json::Value body) { request_.set("body", std::move(body)); }

void RequestBuilder::secret(std::string pointer, std::string_view secret, std::string_view prefix) {
  json::Object use{{"pointer", std::move(pointer)}, {"name", secret}};
  if (!prefix.empty()) use.set("prefix", prefix);
  secrets_.push_back(std::move(use));
}

void RequestBuilder::member(std::string_view name, json::Value value) {
  request_.set(name, std::move(value));
}

Result<json::Value> RequestBuilder::finish(TenantId tenant, const SecretStore& secrets) && {
  if (!is_method(request_.string_or("method"))) {
    return failure(Code::kInvalidArgument, "method must be GET, HEAD, POST, PUT, PATCH or DELETE");
  }
  ASSIGN_OR_RETURN(const Url url, parse_url(request_.string_or("url")));
  if (has_dot_segment(url.target)) {
    return failure(Code::kInvalidArgument, "a path segment of the URL is \".\" or \"..\"");
  }
  RETURN_IF_ERROR(check_headers(headers_));
  request_.set("headers", std::move(headers_));
  for (const json::Value& use : secrets_.as_array()) {
    const std::string pointer = use.string_or("pointer");
    const json::Value* const place = json::at(request_, pointer);
    if (!may_hold_secret(pointer) || place == nullptr || !place->is_string()) {
      return failure(Code::kPermissionDenied,
                     "secret {} cannot stand at \"{}\": only in a header or the body",
                     use.string_or("name"), shown(pointer));
    }
    RETURN_IF_ERROR(secrets.check(tenant, use.string_or("name"), url));
  }
  request_.set("secrets", std::move(secrets_));
  return std::move(request_);
}

Result<FilledRequest> fill(const json::Value& request, TenantId tenant,
                           const SecretStore& secrets) {
  ASSIGN_OR_RETURN(const Url url, parse_url(request.string_or("url")));
  FilledRequest filled;
  json::Value copy = request;
  RETURN_IF_ERROR(fill_secrets(copy, url, tenant, secrets, filled));
  filled.http.method = copy.string_or("method");
  filled.http.url = copy.string_or("url");
  if (const json::Value* const headers = copy.find("headers"); headers && headers->is_object()) {
    for (const auto& [name, value] : headers->as_object()) {
      if (!value.is_string())
        return failure(Code::kInvalidArgument, "recorded request: a header is no text");
      filled.http.headers.add(name, value.as_string());
    }
  }
  filled.signing_secret = copy.string_or("signing_secret");
  set_body(copy.find("body"), filled.http);
  return filled;
}

}  // namespace avow::connectors
