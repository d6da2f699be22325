// SPDX-License-Identifier: Apache-2.0
// api/problem.h: what an answer says when a request is refused (CONTRACT.md, "Errors").
// Values; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "auth/fault.h"
#include "base/result.h"
#include "json/value.h"
#include "net/http.h"
#include "workflow/fault.h"

namespace avow::api {

struct Problem {
  int status = 500;
  std::string code = "INTERNAL_ERROR";
  std::string message;
  json::Value details = json::Object();
  net::Headers headers = {};  ///< Allow, Retry-After, ...
};

/// A problem of the status's own code: problem(404, "no such workflow") is NOT_FOUND.
Problem problem(int status, std::string message);
/// The same, about the place `pointer` of the body.
Problem problem_at(int status, std::string_view pointer, std::string message);
/// The one table from Error codes to statuses. What is ours (kInternal, kCorruption) says no more
/// than "internal error": the log has the rest.
Problem problem_of(const Error& error);
/// All faults of a request in one answer: 403 if one is forbidden, else 404 if all are "NOT_FOUND",
/// else 400 if one is malformed ("WRONG_TYPE", "UNKNOWN_FIELD" ...), else 422.
Problem problem_of(const std::vector<auth::Fault>& faults);
/// Faults of definitions and overrides: 403 if one is forbidden, else 404 if all are "NOT_FOUND",
/// else 400 if all are malformed, else 422: a definition is refused whole. `prefix` goes before
/// every pointer.
Problem problem_of(const workflow::Faults& faults, std::string_view prefix = {});
/// The items of `details.errors`.
json::Array shown_faults(const workflow::Faults& faults, std::string_view prefix = {});

/// {"code","message","details","trace_id"}
net::Response render(const Problem& problem, std::string_view trace_id);

}  // namespace avow::api
