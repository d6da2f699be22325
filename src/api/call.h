// SPDX-License-Identifier: Apache-2.0
// api/call.h: one request on its way through a route, and how a route answers it.
// A Call belongs to the request thread; what goes on later copies what it needs.
#pragma once
#include <functional>
#include <initializer_list>
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
  std::string source = {};       ///< The address it came from; of a trusted proxy: through it.
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
  /// One that shows contents of `run` goes with them when they are erased.
  [[nodiscard]] std::optional<store::IdempotentAnswer> kept(const net::Response& response,
                                                            std::optional<RunId> run = {}) const;
  /// The same for an answer that shows a run as it is when asked again.
  [[nodiscard]] std::optional<store::IdempotentAnswer> kept_run(int status, RunId run) const;
};

/// What a handler gives: an answer, an answer that comes later, or why there is none.
using Reply = std::variant<net::Response, net::Later, net::Stream, Problem>;

net::Response json_response(int status, const json::Value& body);

/// Writes `commit`; then answers `response`, or the problem that the commit met. `committed` runs
/// before the answer, on success only, on a thread of the store's: brief.
net::Later commit_then_answer(const Call& call, store::Commit commit, net::Response response,
                              std::function<void()> committed = {});

/// Errors: kInvalidArgument  a query parameter that is none of `allowed`
Result<void> check_query(const Call& call, std::initializer_list<std::string_view> allowed);
/// How many items of a list are asked for: 1 to 200, 50 if nobody says. Errors: kInvalidArgument
Result<std::size_t> limit_of(const Call& call);
/// The same with the cursor of a list of things by their ids.
struct Page {
  std::size_t limit = 0;
  std::optional<Id> before;
};
Result<Page> page_of(const Call& call);
/// {"items": [...], "next_cursor": ... | null}; `last` is the id of the last item if there is more.
json::Value list_of(json::Array items, std::optional<Id> last);

}  // namespace avow::api
