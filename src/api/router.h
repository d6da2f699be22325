// SPDX-License-Identifier: Apache-2.0
// api/router.h: which route a request means. Immutable after construction; safe from any thread.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/route.h"

namespace avow::api {

/// What a request's path and method come to.
struct RouteMatch {
  const Route* route = nullptr;  ///< Null: no such path, or not with this method.
  std::map<std::string, std::string, std::less<>> parameters;
  std::string allow;  ///< The methods of the path, for `Allow`; empty if there is no such path.
};

class Router {
 public:
  /// `routes` must outlive the router.
  explicit Router(const std::vector<Route>& routes);

  /// A segment that a pattern names goes before one that it leaves open: /v1/workflows/validate is
  /// never a workflow's id, whatever the method.
  [[nodiscard]] RouteMatch match(std::string_view method,
                                 const std::vector<std::string>& segments) const;

 private:
  struct Pattern {
    std::vector<std::string> segments;  ///< "{id}" is a parameter.
    std::vector<const Route*> routes;   ///< One for each method.
  };
  std::vector<Pattern> patterns_;  ///< Those with names before those with parameters.
};

/// The router of all_routes().
const Router& router();

}  // namespace avow::api
