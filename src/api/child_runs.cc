// SPDX-License-Identifier: Apache-2.0
#include "api/child_runs.h"

#include "api/start.h"

namespace avow::api {
namespace {

using engine::ChildRefused;
using Prepared = std::variant<engine::NewRun, ChildRefused>;

/// The workflow that the request names: by its id, by name and version, or by name.
Result<std::shared_ptr<const StoredWorkflow>> find(WorkflowCache& workflows, TenantId tenant,
                                                   const json::Value& request) {
  const std::string workflow = request.string_or("workflow");
  if (const auto id = parse_id(workflow)) return workflows.get(tenant, WorkflowId{*id});
  const std::string version = request.string_or("version");
  if (!version.empty()) return workflows.version(tenant, workflow, version);
  return workflows.newest(tenant, workflow);
}

/// What is refused for good is the step's to fail with; the rest may pass.
Result<Prepared> refused(const Problem& problem) {
  if (problem.status >= 500) return failure(Code::kUnavailable, "{}", problem.message);
  const json::Value* pointer = problem.details.find("pointer");
  return Prepared(ChildRefused{"CHILD_REFUSED",
                               pointer == nullptr
                                   ? problem.message
                                   : fmt::format("{}: {}", pointer->as_string(), problem.message)});
}

}  // namespace

Result<Prepared> ChildRuns::prepare_child(const engine::ChildRequest& request) {
  Services* services = services_;
  if (services == nullptr) return failure(Code::kUnavailable, "the server is starting");
  const json::Value& asked = request.request;
  const auto workflow = find(services->workflows, request.tenant, asked);
  if (!workflow && is_retryable(workflow.error().code)) return workflow.error();
  if (!workflow) {
    return Prepared(ChildRefused{
        "WORKFLOW_UNKNOWN", fmt::format("there is no workflow \"{}\", or none that is published",
                                        shown(asked.string_or("workflow")))});
  }
  if ((*workflow)->status != "published") {
    return Prepared(
        ChildRefused{"WORKFLOW_NOT_PUBLISHED",
                     fmt::format("workflow {} is {}", (*workflow)->id.uuid(),
                                 (*workflow)->status == "draft" ? "a draft" : "archived")});
  }
  StartRequest start;
  if (const auto agent = parse_id(asked.string_or("agent_id"))) start.agent = AgentId{*agent};
  if (!start.agent && !(*workflow)->plan->plan->agent) start.agent = request.fallback;
  if (const json::Value* input = asked.find("input")) start.input = *input;
  if (const json::Value* parameters = asked.find("parameters")) start.parameters = *parameters;
  // Whom the parent's workflow lets work was its author's choice, and so is whom this one does.
  const auth::Caller caller{.tenant = request.tenant, .principal = request.actor};
  const Starter starter{*services, caller, request.at, request.traceparent};
  auto prepared = prepare_workflow_run(starter, start, **workflow);
  if (const auto* problem = std::get_if<Problem>(&prepared)) return refused(*problem);
  return Prepared(std::get<PreparedRun>(std::move(prepared)).run);
}

}  // namespace avow::api
