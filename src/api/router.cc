// SPDX-License-Identifier: Apache-2.0
#include "api/router.h"

#include <algorithm>
#include <tuple>

namespace avow::api {
namespace {

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }
/// "{path...}": this segment and all that follow.
bool is_rest(std::string_view segment) { return segment.ends_with("...}"); }

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  while (path.size() > 1) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    segments.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return segments;
}

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  const bool has_rest = !pattern.empty() && is_rest(pattern.back());
  const bool is_long_enough =
      has_rest ? segments.size() >= pattern.size() : segments.size() == pattern.size();
  return is_long_enough && std::equal(pattern.begin(), pattern.end(), segments.begin(),
                                      [](const std::string& expected, const std::string& got) {
                                        return is_parameter(expected) ? !got.empty()
                                                                      : expected == got;
                                      });
}

/// Whether `a` is to be tried first: at the first difference in kind it has the name.
bool is_narrower(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](const std::string& x, const std::string& y) {
                                        return std::tuple(is_rest(x), is_parameter(x), x) <
                                               std::tuple(is_rest(y), is_parameter(y), y);
                                      });
}

template <class... Lists>
std::vector<Route> joined(Lists... lists) {
  std::vector<Route> out;
  (out.insert(out.end(), lists.begin(), lists.end()), ...);
  return out;
}

}  // namespace

const std::vector<Route>& all_routes() {
  static const std::vector<Route> routes =
      joined(workflow_routes(), execute_routes(), orchestration_routes(), rerun_routes(),
             approval_routes(), erasure_routes(), receipt_routes(), audit_routes(), log_routes(),
             task_routes(), agent_routes(), tool_routes(), guardrail_routes(), key_routes(),
             service_routes());
  return routes;
}

Router::Router(const std::vector<Route>& routes) {
  for (const Route& route : routes) {
    std::vector<std::string> segments = split(route.path);
    auto known = std::find_if(patterns_.begin(), patterns_.end(),
                              [&](const Pattern& pattern) { return pattern.segments == segments; });
    if (known == patterns_.end()) {
      known = patterns_.insert(known, Pattern{std::move(segments), {}});
    }
    known->routes.push_back(&route);
  }
  std::sort(patterns_.begin(), patterns_.end(),
            [](const Pattern& a, const Pattern& b) { return is_narrower(a.segments, b.segments); });
}

RouteMatch Router::match(std::string_view method, const std::vector<std::string>& segments) const {
  RouteMatch out;
  const auto pattern = std::find_if(patterns_.begin(), patterns_.end(), [&](const Pattern& one) {
    return fits(one.segments, segments);
  });
  if (pattern == patterns_.end()) return out;
  for (const Route* route : pattern->routes) {
    if (route->method == method) out.route = route;
    out.allow += fmt::format("{}{}", out.allow.empty() ? "" : ", ", route->method);
    if (route->method == "GET") out.allow += ", HEAD";
  }
  for (std::size_t i = 0; i < pattern->segments.size(); ++i) {
    const std::string& name = pattern->segments[i];
    if (is_rest(name)) {
      out.parameters.emplace(
          name.substr(1, name.size() - 5),
          fmt::format("{}", fmt::join(segments.begin() + static_cast<std::ptrdiff_t>(i),
                                      segments.end(), "/")));
    } else if (is_parameter(name)) {
      out.parameters.emplace(name.substr(1, name.size() - 2), segments[i]);
    }
  }
  return out;
}

const Router& router() {
  static const Router the_router(all_routes());
  return the_router;
}

}  // namespace avow::api
