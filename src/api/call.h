// SPDX-License-Identifier: Apache-2.0
// api/call.h: one request on its way through a route, and how a route answers it.
// A Call belongs to the request thread; what goes on later copies what it needs.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "api/problem.h"
#include "api/services.h"
#include "auth/caller.h"

namespace avow::api {

/// The Idempotency-Key of a request that is to be the first of its kind.
struct KeyedRequest {
  std::string key;          ///< store::IdempotentAnswer::key
  std::string body_digest;  ///< store::IdempotentAnswer::body_digest
  Time expires_at;
};

struct Call {
  Services& services;
  const net::Request& request;  ///< Valid until the handler (and Later::start) returns.
  auth::Caller caller;
  std::map<std::string, std::string, std::less<>> path;  ///< {"id": "..."}, decoded.
  json::Value body = json::Object();                     ///< Of requests that have one: an object.
  std::string trace_id;
  std::string traceparent = {};  ///< Of the request, checked; empty if it has none that is valid.
  Time now;
  std::optional<KeyedRequest> keyed;

  /// Path parameter `name` as an id. Errors: kInvalidArgument
  [[nodiscard]] Result<Id> path_id(std::string_view name) const;
  /// Seconds of `Prefer: wait=<s>` or `?wait=<s>`, at most 60; nothing if not asked for.
  /// Errors: kInvalidArgument
  [[nodiscard]] Result<std::optional<std::chrono::seconds>> wait() const;
  /// What to write with the change, so that `response` is the answer of every repetition; nothing
  /// if the request has no key. A secret that is shown once must not stand in `response`; say
  /// "secret_withheld": true there instead.
  [[nodiscard]] std::optional<store::IdempotentAnswer> kept(const net::Response& response) const;
  /// The same for an answer that shows a run as it is when asked again.
  [[nodiscard]] std::optional<store::IdempotentAnswer> kept_run(int status, RunId run) const;
};

/// What a handler gives: an answer, an answer that comes later, or why there is none.
using Reply = std::variant<net::Response, net::Later, net::Stream, Problem>;

net::Response json_response(int status, const json::Value& body);

/// Commits `changes` with the kept answer of `call`; then answers `response`, or the problem that
/// the commit met. `committed` runs before the answer, on success only, on a thread of the store's:
/// brief.
net::Later commit_records(const Call& call, std::vector<store::RecordChange> changes,
                          net::Response response, std::optional<store::IdempotentAnswer> kept,
                          std::function<void()> committed = {});

/// Errors of a list's query: limit (1 to 200, 50 if absent) and cursor.
struct Page {
  std::size_t limit = 50;
  std::optional<Id> before;
};
Result<Page> page_of(const Call& call);
/// {"items": [...], "next_cursor": ... | null}; `last` is the id of the last item if there is more.
json::Value list_of(json::Array items, std::optional<Id> last);

}  // namespace avow::api
