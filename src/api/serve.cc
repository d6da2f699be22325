// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>

#include "api/idempotency.h"
#include "api/metrics.h"
#include "api/request_body.h"
#include "api/router.h"
#include "base/bytes.h"

namespace avow::api {
namespace {

/// Query parameters that would carry a credential, and so into logs and histories.
constexpr std::array<std::string_view, 12> kCredentialParameters = {
    "api_key", "api-key", "apikey",        "x-api-key", "access_token", "token",
    "key",     "bearer",  "authorization", "jwt",       "password",     "secret"};

std::string random_hex(Rng& rng, std::size_t digits) {
  const Bytes32 bytes = rng.bytes32();
  return to_hex(view_of(bytes)).substr(0, digits);
}

/// The client's X-Request-ID if it is 1 to 128 visible characters, else a new one.
std::string request_id_of(const net::Request& request, Rng& rng) {
  const auto given = request.headers.all("X-Request-ID");
  const auto is_visible = [](char c) { return c > ' ' && c < '\x7F'; };
  if (given.size() == 1 && !given[0].empty() && given[0].size() <= 128 &&
      std::all_of(given[0].begin(), given[0].end(), is_visible)) {
    return std::string(given[0]);
  }
  return random_hex(rng, 32);
}

bool is_lower_hex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_zero(std::string_view text) {
  return text.find_first_not_of('0') == std::string_view::npos;
}

/// The traceparent as level 1 of W3C Trace Context writes it; empty if there is none that is valid.
/// What a later version adds behind it is left out: it could be any text.
std::string traceparent_in(const net::Headers& headers) {
  const auto given = headers.all("traceparent");
  if (given.size() != 1 || given[0].size() < 55) return {};
  const std::string_view text = given[0];
  const bool has_form = text[2] == '-' && text[35] == '-' && text[52] == '-' &&
                        (text.size() == 55 || (text[55] == '-' && !text.starts_with("00")));
  const std::string_view version = text.substr(0, 2);
  const std::string_view trace = text.substr(3, 32);
  const std::string_view parent = text.substr(36, 16);
  const bool has_digits = is_lower_hex(version) && is_lower_hex(trace) && is_lower_hex(parent) &&
                          is_lower_hex(text.substr(53, 2));
  if (!has_form || !has_digits || version == "ff" || is_zero(trace) || is_zero(parent)) return {};
  return fmt::format("00{}", text.substr(2, 53));
}

std::string trace_id_of(const net::Request& request, Rng& rng) {
  const std::string given = traceparent_in(request.headers);
  return given.empty() ? random_hex(rng, 32) : given.substr(3, 32);
}

std::string seconds_up(Duration duration) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(duration).count());
}

bool is_trusted(const std::vector<net::Cidr>& proxies, std::string_view address) {
  const auto parsed = net::IpAddress::parse(address);
  return parsed && std::any_of(proxies.begin(), proxies.end(),
                               [&](const net::Cidr& proxy) { return proxy.contains(*parsed); });
}

/// Where the request came from: the nearest address that is not one of our own proxies.
std::string source_of(const net::Request& request, const std::vector<net::Cidr>& proxies) {
  std::string source = request.peer_address;
  if (!is_trusted(proxies, source)) return source;
  const auto lines = request.headers.all("X-Forwarded-For");
  for (auto at = lines.rbegin(); at != lines.rend(); ++at) {
    std::string_view rest = *at;
    while (!rest.empty()) {
      const std::size_t comma = rest.rfind(',');
      std::string_view one = comma == std::string_view::npos ? rest : rest.substr(comma + 1);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(0, comma);
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (!net::IpAddress::parse(one)) return source;
      source = std::string(one);
      if (!is_trusted(proxies, source)) return source;
    }
  }
  return source;
}

/// Whether it is about the log, which pages of any origin may read.
bool is_public_log(const net::Request& request) {
  return !request.segments.empty() && request.segments[0] == "log";
}

/// What every answer to one request has in common. Shared by all that may give the answer.
class Exchange {
 public:
  Exchange(Services& services, const net::Request& request)
      : metrics_(services.metrics),
        request_id_(request_id_of(request, services.rng)),
        trace_id_(trace_id_of(request, services.rng)),
        is_versioned_(!request.segments.empty() && request.segments[0] == "v1"),
        is_of_log_(is_public_log(request)) {}

  [[nodiscard]] const std::string& trace_id() const { return trace_id_; }
  void set_route(const Route* route) { route_ = route; }

  void set_rate(const auth::RateState& rate) {
    common_.set("X-RateLimit-Limit", std::to_string(rate.limit));
    common_.set("X-RateLimit-Remaining", std::to_string(rate.remaining));
    common_.set("X-RateLimit-Reset", seconds_up(rate.reset));
  }

  /// `response` as it leaves. The first one is counted: a later one finds the client answered.
  net::Response finish(net::Response response) {
    add_common(response.headers);
    count(response.status);
    return response;
  }
  net::Response finish(const Problem& problem) { return finish(render(problem, trace_id_)); }

  void add_common(net::Headers& headers) const {
    headers.set("X-Request-ID", request_id_);
    const bool has_state = is_versioned_ || is_of_log_;
    if (has_state && headers.find("Cache-Control") == nullptr) {
      headers.set("Cache-Control", "no-store");
    }
    if (is_of_log_) headers.set("Access-Control-Allow-Origin", "*");
    for (const net::Header& field : common_) headers.set(field.name, field.value);
  }

  void count(int status) {
    if (is_counted_.exchange(true)) return;
    metrics_.count(route_, status, std::chrono::steady_clock::now() - began_);
  }

 private:
  Metrics& metrics_;
  const std::string request_id_;
  const std::string trace_id_;
  const bool is_versioned_;
  const bool is_of_log_;
  const Route* route_ = nullptr;
  net::Headers common_;
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<bool> is_counted_ = false;
};

using ExchangePtr = std::shared_ptr<Exchange>;

net::Answer finish(const ExchangePtr& exchange, net::Later later) {
  later.start = [exchange, start = std::move(later.start)](const net::Responder& respond) {
    start(net::Responder([exchange, respond](std::optional<net::Response> response) {
      if (!response) return respond(exchange->finish(problem(500, "internal error")));
      respond(exchange->finish(std::move(*response)));
    }));
  };
  later.at_deadline = [exchange, at_deadline = std::move(later.at_deadline)] {
    if (at_deadline) return exchange->finish(at_deadline());
    return exchange->finish(problem_of(failure(Code::kUnavailable, "no answer in time")));
  };
  return later;
}

net::Answer finish(const ExchangePtr& exchange, Reply reply) {
  if (auto* const response = std::get_if<net::Response>(&reply)) {
    return exchange->finish(std::move(*response));
  }
  if (const auto* const problem = std::get_if<Problem>(&reply)) return exchange->finish(*problem);
  if (auto* const later = std::get_if<net::Later>(&reply)) {
    return finish(exchange, std::move(*later));
  }
  auto& stream = std::get<net::Stream>(reply);
  exchange->add_common(stream.headers);
  exchange->count(stream.status);
  return std::move(stream);
}

bool is_same_word(std::string_view a, std::string_view b) { return net::equal_ignoring_case(a, b); }

/// The name of a query parameter that would be a credential; empty if there is none.
std::string_view credential_in_url(const net::Request& request) {
  for (const std::string_view known : kCredentialParameters) {
    const bool is_there = std::any_of(
        request.query.begin(), request.query.end(),
        [known](const auto& parameter) { return is_same_word(known, parameter.first); });
    if (is_there) return known;
  }
  return {};
}

/// The name of a query parameter that is there twice, so that nobody knows which one counts; empty
/// if there is none. Only `reveal` is a list.
std::string_view repeated_in_url(const net::Request& request) {
  for (auto one = request.query.begin(); one != request.query.end(); ++one) {
    const bool is_again = std::any_of(
        request.query.begin(), one, [&](const auto& before) { return before.first == one->first; });
    if (is_again && one->first != "reveal") return one->first;
  }
  return {};
}

bool is_open(const Services& services, const Route& route) {
  return route.access.kind == Access::Kind::kPublic ||
         (services.options.is_metrics_open && route.path == "/metrics");
}

/// Who calls. Problems: 400, 401, 403, 429, 503
std::variant<auth::Caller, Problem> authenticate(Services& services, const net::Request& request,
                                                 const std::string& source, Time now) {
  auto caller =
      services.authenticator.authenticate({.api_keys = request.headers.all("X-API-Key"),
                                           .authorizations = request.headers.all("Authorization"),
                                           .tenant_ids = request.headers.all("X-Tenant-ID"),
                                           .source_address = source},
                                          now);
  if (caller) return std::move(*caller);
  Problem out = problem_of(caller.error());
  if (caller.error().code == Code::kResourceExhausted) {
    const Duration wait = services.authenticator.retry_after(source, now);
    out.headers.set("Retry-After", seconds_up(std::max(wait, Duration(1000))));
  }
  return out;
}

/// Why `caller` may not use `route`; nothing if he may.
std::optional<Problem> forbidden(const auth::Caller& caller, const Route& route) {
  const Access& access = route.access;
  if (access.kind == Access::Kind::kPlatform) {
    if (caller.is_platform) return {};
    return problem(403, "this needs a platform key");
  }
  if (caller.is_platform) {
    if (access.admits_platform) return {};
    return problem(403, "a platform key reaches tenants, API keys and metrics only");
  }
  if (caller.allows(access.scope)) return {};
  return problem(403, fmt::format("this needs the scope {}", auth::scope_name(access.scope)));
}

/// Takes one request out of the caller's allowance, and then out of his tenant's. Problem: 429
std::optional<Problem> over_limit(Services& services, const auth::Caller& caller, Time now,
                                  Exchange& exchange) {
  std::optional<auth::RateState> tightest;
  if (services.request_buckets != nullptr) {
    tightest = services.request_buckets->take(caller.principal, now);
  }
  const bool counts_for_tenant = !caller.is_platform && (!tightest || tightest->is_allowed);
  if (const auto of_tenant =
          counts_for_tenant ? services.tenant_terms->take(caller.tenant, now) : std::nullopt) {
    const bool is_tighter = !tightest || of_tenant->remaining <= tightest->remaining;
    if (is_tighter || !of_tenant->is_allowed) tightest = of_tenant;
  }
  if (!tightest) return {};
  const auth::RateState& rate = *tightest;
  exchange.set_rate(rate);
  if (rate.is_allowed) return {};
  Problem out = problem(429, fmt::format("more than {} requests", rate.limit));
  out.headers.set("Retry-After", seconds_up(std::max(rate.retry_after, Duration(1000))));
  return out;
}

/// Everything between the route and its answer, in the order that CONTRACT.md gives.
Reply answer(Services& services, const net::Request& request, RouteMatch match,
             Exchange& exchange) {
  const Route& route = *match.route;
  Call call{.services = services,
            .request = request,
            .caller = {},
            .path = std::move(match.parameters),
            .trace_id = exchange.trace_id(),
            .traceparent = traceparent_in(request.headers),
            .source = source_of(request, services.options.trusted_proxies),
            .now = services.clock.now(),
            .keyed = {}};
  if (!is_open(services, route)) {
    auto caller = authenticate(services, request, call.source, call.now);
    if (auto* const refused = std::get_if<Problem>(&caller)) return std::move(*refused);
    call.caller = std::get<auth::Caller>(std::move(caller));
    if (auto refused = over_limit(services, call.caller, call.now, exchange)) return *refused;
    if (auto refused = forbidden(call.caller, route)) return *refused;
  }
  if (const auto name = repeated_in_url(request); !name.empty()) {
    return problem(400, fmt::format("the query parameter \"{}\" is there twice", shown(name)));
  }
  if (route.takes_raw_body) {
    if (auto refused = refuse_media_type(request)) return std::move(*refused);
  } else {
    auto body = read_body(request);
    if (auto* const refused = std::get_if<Problem>(&body)) return std::move(*refused);
    call.body = std::get<json::Value>(std::move(body));
  }
  if (request.method == "POST" && !is_open(services, route)) {
    auto keyed = keyed_request(request, call.caller, call.now);
    if (!keyed) return problem_of(keyed.error());
    call.keyed = std::move(*keyed);
  }
  return answer_once(call, route.handler);
}

/// Tells a browser that pages of any origin may read the log (CORS preflight).
net::Response preflight(const RouteMatch& match) {
  return {.status = 204,
          .headers = {{"Access-Control-Allow-Methods", match.allow + ", OPTIONS"},
                      {"Access-Control-Allow-Headers", "*"},
                      {"Access-Control-Max-Age", "86400"}},
          .body = {}};
}

Problem no_route(const RouteMatch& match) {
  if (match.allow.empty()) return problem(404, "no such endpoint");
  Problem out = problem(405, "this endpoint knows only " + match.allow);
  out.headers.set("Allow", match.allow);
  return out;
}

}  // namespace

net::Answer serve(Services& services, const net::Request& request) {
  const auto exchange = std::make_shared<Exchange>(services, request);
  if (const auto name = credential_in_url(request); !name.empty()) {
    return finish(exchange, problem(400, fmt::format("a credential does not belong in a URL (query "
                                                     "parameter \"{}\"); send it in a header",
                                                     name)));
  }
  RouteMatch match = router().match(request.method, request.segments);
  exchange->set_route(match.route);
  if (is_public_log(request) && request.method == "OPTIONS" && !match.allow.empty()) {
    return finish(exchange, Reply(preflight(match)));
  }
  if (match.route == nullptr) return finish(exchange, no_route(match));
  return finish(exchange, answer(services, request, std::move(match), *exchange));
}

net::Response render_net_error(int status, std::string_view reason, const net::Request* request) {
  SystemRng rng;
  Problem out = problem(status, std::string(reason));
  if (status == 503) out.headers.set("Retry-After", "1");
  const net::Request none;
  const net::Request& known = request == nullptr ? none : *request;
  net::Response response = render(out, trace_id_of(known, rng));
  response.headers.set("X-Request-ID", request_id_of(known, rng));
  if (is_public_log(known)) response.headers.set("Access-Control-Allow-Origin", "*");
  return response;
}

}  // namespace avow::api
