// SPDX-License-Identifier: Apache-2.0
// api/route.h: every endpoint in one table: who may call it and which function answers it. The
// OpenAPI document is made from the same table, so neither can have a route that the other lacks.
#pragma once
#include <string_view>
#include <vector>

#include "api/call.h"
#include "auth/scope.h"

namespace avow::api {

/// Whom a route lets in: anybody, a platform key, or a caller with a scope.
struct Access {
  enum class Kind { kPublic, kPlatform, kScope };
  Kind kind = Kind::kPublic;
  auth::Scope scope = auth::Scope::kWorkflowsRead;  ///< kScope only.
  bool admits_platform = false;  ///< kScope only: a platform key may as well (/v1/api-keys).
};
constexpr Access kPublic{};
constexpr Access kPlatform{Access::Kind::kPlatform};
constexpr Access scope(auth::Scope needed) { return {Access::Kind::kScope, needed}; }

struct Route {
  std::string_view method;
  /// "/v1/workflows/{id}/execute"; "/log/tile/{path...}" takes the rest of the path, slashes and
  /// all.
  std::string_view path;
  Access access;
  Reply (*handler)(Call&);
  /// The operation in openapi/ that documents it, and what names its body and answers there.
  std::string_view operation_id;
  bool takes_raw_body = false;  ///< JSON that only the handler reads: Call::body is {}.
};

/// All routes; each source of endpoints gives its own: workflow_routes() and so on.
const std::vector<Route>& all_routes();

std::vector<Route> workflow_routes();       // workflows.cc
std::vector<Route> execute_routes();        // execute.cc
std::vector<Route> orchestration_routes();  // orchestrations.cc
std::vector<Route> rerun_routes();          // rerun.cc
std::vector<Route> approval_routes();       // approvals.cc
std::vector<Route> erasure_routes();        // erase.cc
std::vector<Route> receipt_routes();        // receipts.cc
std::vector<Route> audit_routes();          // audit.cc
std::vector<Route> log_routes();            // public_log.cc
std::vector<Route> task_routes();           // tasks.cc
std::vector<Route> agent_routes();          // agents.cc
std::vector<Route> tool_routes();           // tools.cc
std::vector<Route> guardrail_routes();      // guardrails.cc
std::vector<Route> key_routes();            // keys.cc: tenants and API keys
std::vector<Route> service_routes();        // service.cc: health, metrics, openapi.json

/// The whole way of a request: routing (404, 405), authentication, scope, body, idempotency,
/// handler, problem rendering, X-Request-ID, access metrics. Any thread.
net::Answer serve(Services& services, const net::Request& request);
/// Renders the errors that `net` writes itself.
net::Response render_net_error(int status, std::string_view reason, const net::Request* request);

}  // namespace avow::api
