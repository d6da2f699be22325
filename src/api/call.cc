// SPDX-License-Identifier: Apache-2.0
#include "api/call.h"

#include <algorithm>
#include <charconv>

#include "api/idempotency.h"
#include "base/bytes.h"
#include "json/write.h"

namespace avow::api {
namespace {

constexpr std::int64_t kWaitSecondsMax = 60;
constexpr std::size_t kPageMax = 200;
constexpr std::size_t kPageDefault = 50;

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size() || text.empty()) return {};
  return number;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// The value of the preference `wait` (RFC 7240), as text.
std::optional<std::string_view> preferred_wait(const net::Headers& headers) {
  for (std::string_view rest : headers.all("Prefer")) {
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view one = rest.substr(0, comma);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      one = one.substr(0, one.find(';'));
      const std::size_t equals = one.find('=');
      if (equals == std::string_view::npos) continue;
      if (!net::equal_ignoring_case(trimmed(one.substr(0, equals)), "wait")) continue;
      return trimmed(one.substr(equals + 1));
    }
  }
  return {};
}

}  // namespace

Result<Id> Call::path_id(std::string_view name) const {
  const auto found = path.find(name);
  CHECK(found != path.end());
  auto id = parse_id(found->second);
  if (!id) {
    return failure(Code::kInvalidArgument, "the {} in the path is neither a UUID nor a ULID", name);
  }
  return id;
}

Result<std::optional<std::chrono::seconds>> Call::wait() const {
  std::optional<std::string_view> text = preferred_wait(request.headers);
  if (const std::string* asked = request.query_value("wait")) text = *asked;
  if (!text) return std::optional<std::chrono::seconds>();
  const auto seconds = whole_number(*text);
  if (!seconds || *seconds < 0 || *seconds > kWaitSecondsMax) {
    return failure(Code::kInvalidArgument, "wait must be a whole number of seconds, 0 to {}",
                   kWaitSecondsMax);
  }
  return std::optional(std::chrono::seconds(*seconds));
}

std::optional<store::IdempotentAnswer> Call::kept(const net::Response& response,
                                                  std::optional<RunId> run) const {
  if (!keyed) return {};
  return store::IdempotentAnswer{.key = keyed->key,
                                 .body_digest = keyed->body_digest,
                                 .answer = write_kept(response),
                                 .expires_at = keyed->expires_at,
                                 .stored_at = now,
                                 .run = run};
}

std::optional<store::IdempotentAnswer> Call::kept_run(int status, RunId run) const {
  if (!keyed) return {};
  return store::IdempotentAnswer{.key = keyed->key,
                                 .body_digest = keyed->body_digest,
                                 .answer = write_kept_run(status, run),
                                 .expires_at = keyed->expires_at,
                                 .stored_at = now,
                                 .run = run};
}

net::Response json_response(int status, const json::Value& body) {
  return {.status = status,
          .headers = {{"Content-Type", "application/json"}},
          .body = json::write(body)};
}

net::Later commit_then_answer(const Call& call, store::Commit commit, net::Response response,
                              std::function<void()> committed) {
  net::Later later;
  // Shared, since a std::function copies: the contents that an erasure leaves can be many.
  later.start = [&store = call.services.store,
                 commit = std::make_shared<store::Commit>(std::move(commit)),
                 response = std::move(response), committed = std::move(committed),
                 trace_id = call.trace_id](const net::Responder& respond) {
    store.commit(std::move(*commit), [respond, response, committed, trace_id](Result<void> done) {
      if (done) {
        if (committed) committed();
        respond(response);
        return;
      }
      // The store's own limits are the server's, not the caller's.
      Error error = done.error();
      if (error.code == Code::kResourceExhausted) error.code = Code::kUnavailable;
      respond(render(problem_of(error), trace_id));
    });
  };
  return later;
}

Result<void> check_query(const Call& call, std::initializer_list<std::string_view> allowed) {
  for (const auto& [name, value] : call.request.query) {
    if (std::find(allowed.begin(), allowed.end(), name) != allowed.end()) continue;
    if (allowed.size() == 0) {
      return failure(Code::kInvalidArgument, "unknown query parameter \"{}\"; there are none",
                     shown(name));
    }
    return failure(Code::kInvalidArgument, "unknown query parameter \"{}\"; allowed: {}",
                   shown(name), fmt::join(allowed, ", "));
  }
  return {};
}

Result<std::size_t> limit_of(const Call& call) {
  const std::string* const text = call.request.query_value("limit");
  if (text == nullptr) return kPageDefault;
  const auto limit = whole_number(*text);
  if (!limit || *limit < 1 || *limit > static_cast<std::int64_t>(kPageMax)) {
    return failure(Code::kInvalidArgument, "limit must be a whole number, 1 to {}", kPageMax);
  }
  return static_cast<std::size_t>(*limit);
}

Result<Page> page_of(const Call& call) {
  Page page;
  ASSIGN_OR_RETURN(page.limit, limit_of(call));
  if (const std::string* text = call.request.query_value("cursor")) {
    const auto bytes = from_base64url(*text);
    const auto before = bytes ? Id::from_bytes(*bytes) : Result<Id>(bytes.error());
    if (!before) {
      return failure(Code::kInvalidArgument, "cursor must be the next_cursor of an earlier answer");
    }
    page.before = *before;
  }
  return page;
}

json::Value list_of(json::Array items, std::optional<Id> last) {
  json::Value cursor;
  if (last) cursor = to_base64url(last->bytes());
  return json::Object{{"items", std::move(items)}, {"next_cursor", std::move(cursor)}};
}

}  // namespace avow::api
