// SPDX-License-Identifier: Apache-2.0
#include "connectors/outcome.h"

#include <time.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "json/parse.h"

namespace avow::connectors {
namespace {

constexpr Duration kRetryAfterMax = std::chrono::hours(24);
constexpr std::size_t kRecordedTextMax = 4096;
constexpr std::size_t kErrorBodyBytesMax = 64 * 1024;

enum class BodyKind { kJson, kUnknown, kText };

BodyKind kind_of(const net::ClientResponse& response) {
  const std::string* const type = response.headers.find("content-type");
  if (type == nullptr) return BodyKind::kUnknown;
  std::string_view media = std::string_view(*type).substr(0, type->find(';'));
  media = media.substr(0, media.find_last_not_of(' ') + 1);
  const bool is_json =
      net::equal_ignoring_case(media, "application/json") ||
      (media.size() > 5 && net::equal_ignoring_case(media.substr(media.size() - 5), "+json"));
  return is_json ? BodyKind::kJson : BodyKind::kText;
}

std::string_view retry_class_of(int status) {
  if (status == 408) return "408";
  if (status == 429) return "429";
  return status >= 500 ? "5xx" : "";
}

/// What the peer says is wrong, in the forms that APIs commonly use; empty if in none of them.
std::string peer_message(const json::Value& body) {
  const json::Value* const error = body.find("error");
  if (error != nullptr && error->is_string()) return error->as_string();
  if (error != nullptr) return error->string_or("message");
  return body.string_or("message");
}

engine::CallError make_error(std::string_view code, std::string_view retry_class,
                             std::string message) {
  engine::CallError out;
  out.code = code;
  out.message = std::move(message);
  out.retry_class = retry_class;
  return out;
}

}  // namespace

engine::CallError transport_error(const Error& error) {
  switch (error.code) {
    case Code::kDeadlineExceeded:
      return make_error("TIMEOUT", "timeout", error.message);
    case Code::kCancelled:
      return make_error("CANCELLED", "", error.message);
    case Code::kPermissionDenied:
      return make_error("ADDRESS_REFUSED", "", error.message);
    case Code::kInvalidArgument:
      return make_error("INVALID_REQUEST", "", error.message);
    case Code::kResourceExhausted:
      return make_error("RESPONSE_TOO_LARGE", "", error.message);
    default:
      return make_error("TRANSPORT_ERROR", "transport", error.message);
  }
}

engine::CallError status_error(const net::ClientResponse& response, const Redactor& redactor,
                               Time now) {
  // An error's body is there to be read by people: short, or cut.
  const json::Value body = response.body.size() <= kErrorBodyBytesMax
                               ? readable_body(response, redactor)
                               : shown(redactor.text(response.body), kRecordedTextMax);
  const std::string said = peer_message(body);
  engine::CallError out = make_error(
      fmt::format("HTTP_{}", response.status), retry_class_of(response.status),
      fmt::format("the answer was {} {}{}{}", response.status, net::reason_phrase(response.status),
                  said.empty() ? "" : ": ", shown(said, 300)));
  out.detail = json::Object{{"status", response.status}, {"body", body}};
  if (const std::string* const value = response.headers.find("retry-after")) {
    out.retry_after = retry_after(*value, now);
  }
  return out;
}

std::optional<Duration> retry_after(std::string_view value, Time now) {
  std::int64_t seconds = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, seconds);
  const bool is_number = rest == end && !value.empty() && value.front() != '-';
  if (is_number && error == std::errc::result_out_of_range) return kRetryAfterMax;
  if (is_number && error == std::errc()) {
    const std::int64_t most =
        std::chrono::duration_cast<std::chrono::seconds>(kRetryAfterMax).count();
    return std::chrono::seconds(std::min(seconds, most));
  }
  std::tm parts{};
  const std::string text(value);
  const char* const stop = strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (stop == nullptr || *stop != '\0') return std::nullopt;
  const Time time{std::chrono::seconds(timegm(&parts))};
  return std::clamp(time - now, Duration(0), kRetryAfterMax);
}

Result<json::Value> body_value(const net::ClientResponse& response) {
  if (response.body.empty()) return json::Value();
  const BodyKind kind = kind_of(response);
  if (kind != BodyKind::kText) {
    json::ParseOptions options;
    options.bytes_max = response.body.size();  // the client has bounded it
    auto parsed = json::parse(response.body, options);
    if (parsed) return parsed;
    if (kind == BodyKind::kJson) return parsed.error().in("the answer is no valid JSON");
  }
  if (!is_utf8(response.body)) {
    return failure(Code::kInvalidArgument, "the answer is neither JSON nor UTF-8 text");
  }
  return json::Value(response.body);
}

json::Value readable_body(const net::ClientResponse& response, const Redactor& redactor) {
  if (auto value = body_value(response)) return redactor.value(*value);
  return shown(redactor.text(response.body), kRecordedTextMax);
}

engine::CallOutcome redacted(engine::CallOutcome outcome, const Redactor& redactor) {
  if (auto* const result = std::get_if<engine::CallResult>(&outcome)) {
    result->value = redactor.value(result->value);
    result->model = redactor.text(result->model);
    return outcome;
  }
  auto& error = std::get<engine::CallError>(outcome);
  error.message = redactor.text(error.message);
  error.detail = redactor.value(error.detail);
  return outcome;
}

}  // namespace avow::connectors
