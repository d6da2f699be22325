// SPDX-License-Identifier: Apache-2.0
// Agents: registered, changed, stopped (CONTRACT.md section 4).
#include "api/agent_directory.h"
#include "api/change_statements.h"
#include "api/record_list.h"
#include "api/route.h"
#include "api/tenant_catalog.h"
#include "base/bytes.h"
#include "base/log.h"
#include "json/pointer.h"

namespace avow::api {
namespace {

constexpr std::size_t kRunsPage = 200;

/// What `agent` names that is not there.
Result<std::vector<auth::Fault>> unknown_names(const Call& call, const auth::Agent& agent) {
  std::vector<auth::Fault> faults;
  const TenantCatalog catalog(call.services, call.caller.tenant);
  if (!agent.model.empty() && !catalog.has_model(agent.model)) {
    faults.push_back({auth::FaultKind::kInvalid, "/model", "UNKNOWN_MODEL",
                      fmt::format("no model \"{}\" is configured", shown(agent.model))});
  }
  for (std::size_t i = 0; i < agent.tools.size(); ++i) {
    if (catalog.find_tool(agent.tools[i]) != nullptr) continue;
    faults.push_back({auth::FaultKind::kInvalid, json::join("/tools", i), "UNKNOWN_TOOL",
                      fmt::format("no tool \"{}\" is registered", shown(agent.tools[i]))});
  }
  if (catalog.failed()) return *catalog.failed();
  return faults;
}

/// Nothing if all that `agent` names is there.
std::optional<Problem> refuse_unknown_names(const Call& call, const auth::Agent& agent) {
  const auto faults = unknown_names(call, agent);
  if (!faults) return problem_of(faults.error());
  if (!faults->empty()) return problem_of(*faults);
  return {};
}

Reply create(Call& call) {
  auto checked = auth::register_agent(call.body, call.caller.tenant, call.now, call.services.rng);
  if (!checked) return problem_of(checked.faults);
  const auth::Agent& agent = checked->agent;
  if (auto refused = refuse_unknown_names(call, agent)) return *refused;
  json::Value shown = auth::render(agent);
  json::Value repeated = shown;
  if (!checked->private_key.empty()) {
    shown.set("private_key", checked->private_key.reveal());
    repeated.set("secret_withheld", true);
  }
  const std::string location = "/v1/agents/" + agent.id.uuid();
  net::Response response = json_response(201, shown);
  net::Response kept = json_response(201, repeated);
  response.headers.set("Location", location);
  kept.headers.set("Location", location);
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(agent)},
                             .tasks = {},
                             .answer = call.kept(kept),
                             .statements = {agent_changed(call, agent, "created")}},
                            std::move(response));
}

Reply list(Call& call) {
  return list_records(call, store::RecordKind::kAgent, {"active", "suspended", "revoked"},
                      [](const store::Record& record) -> Result<json::Value> {
                        ASSIGN_OR_RETURN(const auth::Agent agent, auth::agent_from(record));
                        return auth::render(agent);
                      });
}

/// The agent that the path names.
Result<auth::Agent> agent_of(const Call& call) {
  ASSIGN_OR_RETURN(const Id id, call.path_id("id"));
  ASSIGN_OR_RETURN(const auto agent, call.services.agents.get(call.caller.tenant, AgentId{id}));
  return *agent;
}

Reply get(Call& call) {
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  return json_response(200, auth::render(*agent));
}

/// Writes `agent`, which was changed as `change` says, and answers with it.
net::Later commit_agent(const Call& call, const auth::Agent& agent, std::string_view change) {
  const net::Response response = json_response(200, auth::render(agent));
  return commit_then_answer(call,
                            {.run = {},
                             .records = {auth::to_change(agent)},
                             .tasks = {},
                             .answer = call.kept(response),
                             .statements = {agent_changed(call, agent, change)}},
                            response,
                            [&agents = call.services.agents, id = agent.id] { agents.forget(id); });
}

Reply patch(Call& call) {
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  if (const auto may = auth::can_change(*agent); !may) return problem_of(may.error());
  auto checked = auth::patch_agent(*agent, call.body, call.now);
  if (!checked) return problem_of(checked.faults);
  if (auto refused = refuse_unknown_names(call, *checked)) return *refused;
  return commit_agent(call, *checked, "updated");
}

/// Writes the agent if its status is another one now.
Reply change_status(const Call& call, const auth::Agent& before, const Result<auth::Agent>& after,
                    std::string_view change) {
  if (!after) return problem_of(after.error());
  if (after->status == before.status) return json_response(200, auth::render(before));
  return commit_agent(call, *after, change);
}

Reply suspend(Call& call) {
  const auto reason = auth::read_reason(call.body);
  if (!reason.value) return problem_of(reason.faults);
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  return change_status(call, *agent, auth::suspend_agent(*agent, *reason.value, call.now),
                       "suspended");
}

Reply resume(Call& call) {
  const auto reason = auth::read_reason(call.body);
  if (!reason.value) return problem_of(reason.faults);
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  return change_status(call, *agent, auth::resume_agent(*agent, call.now), "resumed");
}

Reply revoke(Call& call) {
  const auto reason = auth::read_reason(call.body);
  if (!reason.value) return problem_of(reason.faults);
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  return change_status(call, *agent, auth::revoke_agent(*agent, *reason.value, call.now),
                       "revoked");
}

/// What becomes of runs that were told that their agent is gone. kConflict: one ended by itself
/// meanwhile.
engine::Engine::Done logged(RunId run) {
  return [run](const Result<engine::Outcome>& done) {
    if (done || done.error().code == Code::kConflict) return;
    log::warning("run {} still works for a killed agent: {}", run.uuid(), done.error().message);
  };
}

/// Asks every running run of `agent` to stop, and fails its tasks in the runs of others; may read
/// the store.
/// LIMITATION: a model or tool call that is under way for this agent in another agent's run ends by
/// itself; the agent's next step there fails AGENT_INACTIVE.
Result<void> cancel_work(Services& services, TenantId tenant, AgentId agent,
                         const std::string& actor, const std::string& reason) {
  store::RunQuery query;
  query.tenant = tenant;
  query.agent = agent;
  query.status = store::RunStatus::kRunning;
  query.limit = kRunsPage;
  while (true) {
    ASSIGN_OR_RETURN(const auto runs, services.store.list_runs(query));
    for (const store::RunRow& run : runs) {
      services.engine.tell(run.id, engine::CancelRequested{actor, reason}, {}, logged(run.id));
    }
    if (runs.size() < query.limit) break;
    query.before = runs.back().id;
  }
  for (const RunId run : services.engine.runs_with_tasks_of(agent)) {
    services.engine.tell(run, engine::AgentStopped{agent}, {}, logged(run));
  }
  return {};
}

/// Answers `response` when the agent's runs have been asked to stop.
void cancel_then_answer(Services& services, TenantId tenant, AgentId agent, std::string actor,
                        std::string reason, const net::Responder& respond, net::Response response,
                        const std::string& trace_id) {
  const auto refuse = [respond, trace_id](const std::string& why) {
    respond(render(problem_of(failure(Code::kUnavailable,
                                      "the agent is revoked, but not all of its runs are "
                                      "cancelled; send this again: {}",
                                      why)),
                   trace_id));
  };
  const bool is_posted = services.pool.try_post([&services, tenant, agent, actor = std::move(actor),
                                                 reason = std::move(reason), respond,
                                                 response = std::move(response), refuse] {
    const auto cancelled = cancel_work(services, tenant, agent, actor, reason);
    if (!cancelled) return refuse(cancelled.error().message);
    respond(response);
  });
  if (!is_posted) refuse("the server is busy");
}

/// Revokes the agent, then cancels its runs unless `cascade` is false. Of a revoked agent the runs
/// only, so that it can be sent again when the second half did not get done.
Reply kill(Call& call) {
  bool cascade = true;
  const auto reason = auth::read_reason(call.body, &cascade);
  if (!reason.value) return problem_of(reason.faults);
  if (call.body.find("cascade") == nullptr) cascade = true;
  const auto agent = agent_of(call);
  if (!agent) return problem_of(agent.error());
  const auth::Agent revoked = auth::revoke_agent(*agent, *reason.value, call.now);
  const net::Response response = json_response(200, auth::render(revoked));
  Reply changed = change_status(call, *agent, revoked, "killed");
  if (!cascade) return changed;

  net::Later later;
  later.start = [&services = call.services, tenant = call.caller.tenant, id = agent->id,
                 actor = call.caller.principal, reason = *reason.value, response,
                 trace_id = call.trace_id, changed](const net::Responder& respond) {
    const auto cancel = [&services, tenant, id, actor, reason, trace_id,
                         respond](net::Response answered) {
      cancel_then_answer(services, tenant, id, actor, reason, respond, std::move(answered),
                         trace_id);
    };
    const auto* const commit = std::get_if<net::Later>(&changed);
    if (commit == nullptr) return cancel(response);
    commit->start(net::Responder([cancel, respond](std::optional<net::Response> answered) {
      if (!answered) return;
      if (answered->status == 200) return cancel(std::move(*answered));
      respond(std::move(*answered));
    }));
  };
  return later;
}

}  // namespace

std::vector<Route> agent_routes() {
  constexpr Access kRead = scope(auth::Scope::kAgentsRead);
  constexpr Access kWrite = scope(auth::Scope::kAgentsWrite);
  return {
      {"POST", "/v1/agents", kWrite, create, "registerAgent"},
      {"GET", "/v1/agents", kRead, list, "listAgents"},
      {"GET", "/v1/agents/{id}", kRead, get, "getAgent"},
      {"PATCH", "/v1/agents/{id}", kWrite, patch, "patchAgent"},
      {"POST", "/v1/agents/{id}/suspend", kWrite, suspend, "suspendAgent"},
      {"POST", "/v1/agents/{id}/resume", kWrite, resume, "resumeAgent"},
      {"POST", "/v1/agents/{id}/revoke", kWrite, revoke, "revokeAgent"},
      {"POST", "/v1/agents/{id}/kill", scope(auth::Scope::kAgentsKill), kill, "killAgent"},
  };
}

}  // namespace avow::api
