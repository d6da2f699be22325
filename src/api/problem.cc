// SPDX-License-Identifier: Apache-2.0
#include "api/problem.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/log.h"
#include "json/write.h"

namespace avow::api {
namespace {

constexpr std::size_t kErrorsShownMax = 100;

struct StatusCode {
  int status;
  std::string_view code;
};
constexpr std::array<StatusCode, 13> kCodes = {{{400, "INVALID_INPUT"},
                                                {401, "UNAUTHORIZED"},
                                                {403, "FORBIDDEN"},
                                                {404, "NOT_FOUND"},
                                                {405, "METHOD_NOT_ALLOWED"},
                                                {408, "REQUEST_TIMEOUT"},
                                                {409, "CONFLICT"},
                                                {413, "PAYLOAD_TOO_LARGE"},
                                                {415, "UNSUPPORTED_MEDIA_TYPE"},
                                                {422, "UNPROCESSABLE"},
                                                {429, "RATE_LIMITED"},
                                                {431, "HEADERS_TOO_LARGE"},
                                                {503, "UNAVAILABLE"}}};

/// Faults of workflow definitions that say that the request itself is not what it should be. A
/// definition with any other fault is a bad definition (422), whatever else is wrong with it.
constexpr std::array<std::string_view, 3> kMalformed = {"WRONG_TYPE", "UNKNOWN_FIELD",
                                                        "ILL_FORMED_ID"};

bool is_malformed(const workflow::Fault& fault) {
  return std::find(kMalformed.begin(), kMalformed.end(), fault.code) != kMalformed.end();
}

Problem retry_later(int status, std::string message) {
  Problem out = problem(status, std::move(message));
  out.headers.set("Retry-After", "1");
  return out;
}

Problem internal_error(const Error& error) {
  log::error("request failed: {}: {}", code_name(error.code), error.message);
  return problem(500, "internal error");
}

json::Object shown_fault(std::string pointer, std::string code, std::string message) {
  return {
      {"pointer", std::move(pointer)}, {"code", std::move(code)}, {"message", std::move(message)}};
}

/// The answer of `status` to all of `errors`, of which there is at least one.
Problem problem_with(int status, json::Array errors) {
  const json::Value first = errors.front();
  const std::string pointer = first.string_or("pointer");
  std::string message = pointer.empty()
                            ? first.string_or("message")
                            : fmt::format("{}: {}", shown(pointer), first.string_or("message"));
  if (errors.size() > 1) message += fmt::format(" (and {} more)", errors.size() - 1);
  if (errors.size() > kErrorsShownMax) errors.resize(kErrorsShownMax);
  Problem out = problem(status, std::move(message));
  out.details.set("pointer", pointer);
  out.details.set("error_id", first.string_or("code"));
  out.details.set("errors", std::move(errors));
  return out;
}

int status_of(const std::vector<auth::Fault>& faults) {
  const auto is = [](auth::FaultKind kind) {
    return [kind](const auth::Fault& fault) { return fault.kind == kind; };
  };
  if (std::any_of(faults.begin(), faults.end(), is(auth::FaultKind::kForbidden))) return 403;
  if (std::all_of(faults.begin(), faults.end(),
                  [](const auth::Fault& fault) { return fault.code == "NOT_FOUND"; })) {
    return 404;
  }
  return std::any_of(faults.begin(), faults.end(), is(auth::FaultKind::kMalformed)) ? 400 : 422;
}

int status_of(const workflow::Faults& faults) {
  const auto has_code = [](std::string_view code) {
    return [code](const workflow::Fault& fault) { return fault.code == code; };
  };
  if (std::any_of(faults.begin(), faults.end(), has_code("OVERRIDE_FORBIDDEN"))) return 403;
  if (std::all_of(faults.begin(), faults.end(), has_code("NOT_FOUND"))) return 404;
  return std::all_of(faults.begin(), faults.end(), is_malformed) ? 400 : 422;
}

}  // namespace

Problem problem(int status, std::string message) {
  Problem out;
  out.status = status;
  out.message = std::move(message);
  const auto* const known =
      std::find_if(kCodes.begin(), kCodes.end(),
                   [status](const StatusCode& one) { return one.status == status; });
  if (known != kCodes.end()) out.code = known->code;
  return out;
}

Problem problem_at(int status, std::string_view pointer, std::string message) {
  Problem out = problem(status, std::move(message));
  out.details.set("pointer", pointer);
  return out;
}

Problem problem_of(const Error& error) {
  switch (error.code) {
    case Code::kInvalidArgument:
      return problem(400, error.message);
    case Code::kUnauthenticated: {
      Problem out = problem(401, error.message);
      out.headers.set("WWW-Authenticate", "Bearer realm=\"avow\"");
      return out;
    }
    case Code::kPermissionDenied:
      return problem(403, error.message);
    case Code::kNotFound:
      return problem(404, error.message);
    case Code::kConflict:
      return problem(409, error.message);
    case Code::kResourceExhausted:
      return retry_later(429, error.message);
    case Code::kUnavailable:
    case Code::kDeadlineExceeded:
    case Code::kCancelled:
      return retry_later(503, error.message);
    case Code::kOutcomeUnknown:
      return retry_later(503,
                         "whether this was done is not known: read again, or send it again "
                         "with the same Idempotency-Key");
    case Code::kCorruption:
    case Code::kInternal:
      return internal_error(error);
  }
  return internal_error(error);
}

Problem problem_of(const std::vector<auth::Fault>& faults) {
  CHECK(!faults.empty());
  json::Array errors;
  for (const auth::Fault& fault : faults) {
    errors.emplace_back(shown_fault(fault.pointer, fault.code, fault.message));
  }
  return problem_with(status_of(faults), std::move(errors));
}

json::Array shown_faults(const workflow::Faults& faults, std::string_view prefix) {
  json::Array errors;
  for (const workflow::Fault& fault : faults) {
    json::Object error =
        shown_fault(std::string(prefix) + fault.pointer, fault.code, fault.message);
    if (fault.line > 0) {
      error.set("line", fault.line);
      error.set("column", fault.column);
    }
    errors.emplace_back(std::move(error));
  }
  return errors;
}

Problem problem_of(const workflow::Faults& faults, std::string_view prefix) {
  CHECK(!faults.empty());
  return problem_with(status_of(faults), shown_faults(faults, prefix));
}

net::Response render(const Problem& problem, std::string_view trace_id) {
  net::Response out;
  out.status = problem.status;
  out.headers = problem.headers;
  out.headers.set("Content-Type", "application/json");
  out.body = json::write(json::Object{{"code", problem.code},
                                      {"message", problem.message},
                                      {"details", problem.details},
                                      {"trace_id", trace_id}});
  return out;
}

}  // namespace avow::api
