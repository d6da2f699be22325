// SPDX-License-Identifier: Apache-2.0
// POST /v1/workflows/{id}/execute and POST /v1/orchestrations/execute.
#include "api/dry_run.h"
#include "api/orchestration_view.h"
#include "api/orchestrations.h"
#include "api/route.h"
#include "api/start.h"

namespace avow::api {
namespace {

/// Nothing of a dry run is stored, so no value can be shown by reference.
Reply show_plan(const PreparedRun& run) {
  net::Response response = json_response(200, render_dry_run(run));
  if (response.body.size() <= kAnswerBytesMax) return response;
  return problem(413,
                 fmt::format("the plan with its input would be an answer of more than {} bytes",
                             kAnswerBytesMax));
}

Reply finish(Call& call, std::variant<PreparedRun, Problem> prepared, bool is_dry_run) {
  if (auto* refusal = std::get_if<Problem>(&prepared)) return std::move(*refusal);
  auto& run = std::get<PreparedRun>(prepared);
  if (!is_dry_run) return start_run(call, std::move(run));
  const auto wait = call.wait();
  if (!wait) return problem_of(wait.error());
  return show_plan(run);
}

Reply execute_workflow(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  auto request = read_start_request(call.body, StartKind::kWorkflow);
  if (auto* refusal = std::get_if<Problem>(&request)) return std::move(*refusal);
  const auto& asked = std::get<StartRequest>(request);
  const auto workflow = call.services.workflows.get(call.caller.tenant, WorkflowId{*id});
  if (!workflow) return problem_of(workflow.error());
  return finish(call, prepare_workflow_run(starter_of(call), asked, **workflow), asked.is_dry_run);
}

/// Whether the request is of one of the three forms: narrative, OpenAPI, inline steps.
std::optional<Problem> check_form(const StartRequest& request) {
  if (request.workflow && request.steps) {
    return problem_at(400, "/steps", "give workflow_id or steps, not both");
  }
  const bool has_agent = request.agent || !request.agents.empty();
  if (request.steps && has_agent) return std::nullopt;
  if (request.agent && request.input) return std::nullopt;
  if (request.workflow && !request.agents.empty()) return std::nullopt;
  return problem(
      400,
      "give agent_id and input; or workflow_id and agents (at least one); or steps and an agent");
}

Reply execute_orchestration(Call& call) {
  auto request = read_start_request(call.body, StartKind::kOrchestration);
  if (auto* refusal = std::get_if<Problem>(&request)) return std::move(*refusal);
  const auto& asked = std::get<StartRequest>(request);
  if (auto refusal = check_form(asked)) return std::move(*refusal);
  if (!asked.model.empty() && !call.services.runner.has_model(asked.model)) {
    return problem_at(422, "/model", "no such model is configured");
  }
  if (asked.workflow) {
    const auto workflow = call.services.workflows.get(call.caller.tenant, *asked.workflow);
    if (!workflow) {
      if (workflow.error().code != Code::kNotFound) return problem_of(workflow.error());
      return problem_at(404, "/workflow_id", "no such workflow");
    }
    return finish(call, prepare_workflow_run(starter_of(call), asked, **workflow),
                  asked.is_dry_run);
  }
  return finish(call,
                asked.steps ? prepare_inline_run(starter_of(call), asked)
                            : prepare_agent_run(starter_of(call), asked),
                asked.is_dry_run);
}

}  // namespace

Starter starter_of(const Call& call) {
  return {call.services, call.caller, call.now, call.traceparent};
}

Reply start_run(Call& call, PreparedRun prepared, Begin begin) {
  const auto asked = call.wait();
  if (!asked) return problem_of(asked.error());
  const auto wait = asked->value_or(std::chrono::seconds(0));
  const RunId id = prepared.run.id;
  const bool is_waiting = wait > std::chrono::seconds(0);
  net::Response created;
  // Who waits is shown the run as it ended, and so is who repeats that.
  if (is_waiting) {
    prepared.run.answer = call.kept_run(202, id);
  } else {
    created = json_response(202, render_created(id, *prepared.run.plan, prepared.run.start));
    created.headers.set("Location", "/v1/orchestrations/" + id.uuid());
    prepared.run.answer = call.kept(created, id);
  }
  auto run = std::make_shared<engine::NewRun>(std::move(prepared.run));
  if (!begin) {
    begin = [&services = call.services](const std::shared_ptr<engine::NewRun>& started,
                                        Begun begun) {
      begin_run(services, std::move(*started), std::move(begun));
    };
  }
  if (is_waiting) {
    return wait_for_run(call, id, wait, 202,
                        [run, begin](Begun begun) { begin(run, std::move(begun)); });
  }
  net::Later later;
  later.start = [run, begin, created = std::move(created),
                 trace_id = call.trace_id](net::Responder respond) {
    begin(run, [respond, created, trace_id](const std::optional<Problem>& refusal) {
      respond(refusal ? render(*refusal, trace_id) : created);
    });
  };
  return later;
}

void begin_run(Services& services, engine::NewRun run, Begun begun) {
  services.engine.start_run(std::move(run),
                            [begun = std::move(begun)](const Result<engine::Outcome>& done) {
                              begun(done ? std::nullopt : std::optional(problem_of(done.error())));
                            });
}

std::vector<Route> execute_routes() {
  return {
      {"POST", "/v1/workflows/{id}/execute", scope(auth::Scope::kWorkflowsExecute),
       execute_workflow, "executeWorkflow"},
      {"POST", "/v1/orchestrations/execute", scope(auth::Scope::kOrchestrationsWrite),
       execute_orchestration, "executeOrchestration"},
  };
}

}  // namespace avow::api
