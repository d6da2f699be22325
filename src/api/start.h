// SPDX-License-Identifier: Apache-2.0
// api/start.h: from a request to execute something to the run that the engine starts: who runs,
// what, with which plan and limits (CONTRACT.md, Execute Workflow and Execute Orchestration).
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "api/agent_directory.h"
#include "api/call.h"
#include "api/orchestrations.h"
#include "api/tenant_catalog.h"
#include "api/workflow_cache.h"
#include "auth/agent.h"
#include "engine/engine.h"

namespace avow::api {

/// The name of a run stands among its labels in the store, under a key that no label has: it is
/// found as they are, and goes with them when contents of the run are erased.
inline constexpr std::string_view kNameLabel;

/// The members of both execute requests, read. Absent ones are empty.
struct StartRequest {
  std::optional<AgentId> agent;
  std::vector<AgentId> agents;  ///< Without repetitions.
  bool has_agents = false;
  std::optional<WorkflowId> workflow;
  std::optional<json::Value> input;
  json::Value parameters = json::Object();
  std::string model;
  std::optional<std::int64_t> max_steps;
  std::optional<std::int64_t> timeout_seconds;
  std::optional<std::int64_t> priority;
  std::string name;
  std::vector<std::pair<std::string, std::string>> labels;
  std::optional<json::Value> steps;
  bool is_dry_run = false;
};

/// Reads the body of Execute Workflow, or of Execute Orchestration, which has more members.
enum class StartKind { kWorkflow, kOrchestration };
std::variant<StartRequest, Problem> read_start_request(const json::Value& body, StartKind kind);

/// Who starts a run, and when.
struct Starter {
  Services& services;
  const auth::Caller& caller;
  Time now;
  std::string traceparent;
};
Starter starter_of(const Call& call);

/// A run, ready to start or to be shown as a dry run.
struct PreparedRun {
  engine::NewRun run;
  std::string workflow_version;
};

/// Starts the run and says whether it could.
using Begin = std::function<void(std::shared_ptr<engine::NewRun> run, Begun begun)>;
/// Answers 202 with the run as it was created or, if the caller waits, with the run as it ended.
/// Without a `begin` it is started at once.
Reply start_run(Call& call, PreparedRun prepared, Begin begin = {});
void begin_run(Services& services, engine::NewRun run, Begun begun);

/// A run of a published workflow. Agents are looked up, parameters applied, the input checked.
std::variant<PreparedRun, Problem> prepare_workflow_run(const Starter& starter,
                                                        const StartRequest& request,
                                                        const StoredWorkflow& workflow);
/// A run of the request's inline steps.
std::variant<PreparedRun, Problem> prepare_inline_run(const Starter& starter,
                                                      const StartRequest& request);
/// The same once more: `earlier` has ended, and its plan, input, parameters, limits and agent
/// are taken as they were. With `from_step` (empty: none) that step runs again and what
/// depends on it; of every other step that ended there well enough to go on, the end is taken over.
std::variant<PreparedRun, Problem> prepare_rerun(const Starter& starter,
                                                 const store::RunRecord& earlier,
                                                 const engine::History& history,
                                                 const std::string& from_step);
/// A run of the request's agent by itself.
std::variant<PreparedRun, Problem> prepare_agent_run(const Starter& starter,
                                                     const StartRequest& request);

}  // namespace avow::api
