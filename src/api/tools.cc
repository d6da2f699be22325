// SPDX-License-Identifier: Apache-2.0
// HTTP tools and their registration (CONTRACT.md section 4).
#include "connectors/tools.h"
#include "api/change_statements.h"
#include "api/record_list.h"
#include "api/route.h"
#include "api/tenant_catalog.h"
#include "base/bytes.h"
#include "json/write.h"
#include "net/percent.h"

namespace avow::api {
namespace {

Reply create(Call& call) {
  auto checked =
      connectors::normalise_tool(call.caller.tenant, call.body, call.services.runner.secrets());
  if (const auto* faults = std::get_if<workflow::Faults>(&checked)) return problem_of(*faults);
  const json::Value tool = std::get<json::Value>(std::move(checked));
  const std::string name = tool.string_or("name");
  const std::string key = tool_key(call.caller.tenant, name);
  const auto known = call.services.store.find_record(store::RecordKind::kTool, key);
  if (known) return problem(409, fmt::format("a tool \"{}\" is registered already", name));
  if (known.error().code != Code::kNotFound) return problem_of(known.error());

  store::RecordChange change;
  change.record = {.kind = store::RecordKind::kTool,
                   .tenant = call.caller.tenant,
                   .id = make_id(call.now, call.services.rng.bytes8()),
                   .unique_key = key,
                   .name = name,
                   .status = "active",
                   .version = 1,
                   .body = json::write(tool)};
  net::Response response = json_response(201, tool);
  response.headers.set("Location", "/v1/tools/" + net::percent_encode(name));
  const AdminChange made{.tenant = call.caller.tenant,
                         .id = change.record.id,
                         .subject = "tool",
                         .change = "created",
                         .record = tool};
  return commit_then_answer(call,
                            {.run = {},
                             .records = {change},
                             .tasks = {},
                             .answer = call.kept(response),
                             .statements = {admin_changed(call, made)}},
                            response);
}

Reply list(Call& call) { return list_records(call, store::RecordKind::kTool, {}, tool_from); }

Reply get(Call& call) {
  const TenantCatalog catalog(call.services, call.caller.tenant);
  const std::string& name = call.path.at("name");
  const json::Value* const tool = catalog.find_tool(name);
  if (catalog.failed()) return problem_of(*catalog.failed());
  if (tool == nullptr) return problem(404, fmt::format("no tool \"{}\"", shown(name)));
  return json_response(200, *tool);
}

}  // namespace

std::vector<Route> tool_routes() {
  constexpr Access kRead = scope(auth::Scope::kToolsRead);
  return {
      {"POST", "/v1/tools", scope(auth::Scope::kToolsWrite), create, "registerTool"},
      {"GET", "/v1/tools", kRead, list, "listTools"},
      {"GET", "/v1/tools/{name}", kRead, get, "getTool"},
  };
}

}  // namespace avow::api
