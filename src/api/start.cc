// SPDX-License-Identifier: Apache-2.0
#include "api/start.h"

#include <algorithm>
#include <functional>
#include <set>

#include "json/pointer.h"

namespace avow::api {
namespace {

constexpr std::int64_t kMaxStepsDefault = 10;
constexpr std::int64_t kTimeoutSecondsDefault = 300;

using AgentPtr = std::shared_ptr<const auth::Agent>;

/// What every way to start a run shares: looking up agents, and the plan's copies of agents and
/// tools.
class Preparation {
 public:
  Preparation(Call& call, const StartRequest& request)
      : call_(call), request_(request), catalog_(call.services, call.caller.tenant) {}

  const TenantCatalog& catalog() const { return catalog_; }

  /// Who runs, and which agents the steps may use. `fallback` is the definition's agent.
  std::optional<Problem> choose_agents(std::optional<AgentId> fallback) {
    for (std::size_t i = 0; i < request_.agents.size(); ++i) {
      if (auto refusal = admit(request_.agents[i], json::join("/agents", i))) return refusal;
    }
    std::string pointer = "/agent_id";
    agent_ = request_.agent;
    if (!agent_ && !request_.agents.empty()) {
      agent_ = request_.agents.front();
      pointer = "/agents/0";
    } else if (agent_ && request_.has_agents && !contains(request_.agents, *agent_)) {
      return problem_at(422, "/agent_id", "agent_id must be one of agents");
    }
    if (!agent_ && !request_.has_agents) agent_ = fallback;
    if (agent_) {
      if (auto refusal = admit(*agent_, pointer)) return refusal;
    }
    if (call_.caller.agent_ids && (!agent_ || !call_.caller.may_act_as(*agent_))) {
      return problem_at(403, "/agent_id",
                        agent_ ? "this key may not start runs as that agent"
                               : "this key must name the agent that runs, one of its own");
    }
    return std::nullopt;
  }

  /// The agents of the plan's steps: each known, each allowed, and one for every step that needs
  /// one. Of a stored workflow its author chose them; of inline steps the caller does.
  std::optional<Problem> check_steps(const workflow::Plan& plan, const json::Value& definition) {
    for (const workflow::Step& step : plan.steps) {
      const auto pointer = [&] { return json::join("/steps", place_of(step.name, definition)); };
      if (auto refusal = check_step(step, [&] { return pointer() + "/agent_id"; })) return refusal;
      if (!step.compensation) continue;
      auto refusal = check_step(plan.compensations[*step.compensation],
                                [&] { return pointer() + "/compensate/agent_id"; });
      if (refusal) return refusal;
    }
    return std::nullopt;
  }

  /// {uuid: {model, instructions, tools, scopes}} of all agents so far. Of an agent's scopes a plan
  /// keeps those that `tools` ask for, wildcards and denials resolved.
  json::Value agents_snapshot(const json::Value& tools) const {
    json::Object out;
    for (const AgentPtr& agent : known_) {
      json::Array names(agent->tools.begin(), agent->tools.end());
      std::set<std::string> scopes;
      for (const auto& [name, tool] : tools.as_object()) {
        const std::string scope = tool.string_or("scope");
        if (!scope.empty() && agent->has_scope(scope)) scopes.insert(scope);
      }
      out.set(agent->id.uuid(),
              json::Object{{"model", agent->model},
                           {"instructions", agent->instructions},
                           {"tools", std::move(names)},
                           {"scopes", json::Array(scopes.begin(), scopes.end())}});
    }
    return out;
  }

  /// {name: definition} of the tools that the agents and `definition` name.
  json::Value tools_snapshot(const json::Value* definition) const {
    std::set<std::string> names;
    for (const AgentPtr& agent : known_) names.insert(agent->tools.begin(), agent->tools.end());
    const json::Value* steps = definition == nullptr ? nullptr : definition->find("steps");
    if (steps != nullptr) {
      for (const json::Value& step : steps->as_array()) collect_tools(step, names);
    }
    json::Object out;
    for (const std::string& name : names) {
      if (const json::Value* tool = catalog_.find_tool(name)) out.set(name, *tool);
    }
    return out;
  }

  /// Everything of the run but its plan.
  engine::NewRun new_run() const {
    engine::NewRun run;
    run.id = RunId{make_id(call_.now, call_.services.rng.bytes8())};
    run.tenant = call_.caller.tenant;
    run.labels = request_.labels;
    engine::Start& start = run.start;
    start.at = call_.now;
    start.actor = call_.caller.principal;
    start.agent = agent_;
    start.agents = request_.agents;
    if (!request_.has_agents) {
      for (const AgentPtr& agent : known_) start.agents.push_back(agent->id);
    }
    start.traceparent = call_.traceparent;
    start.model = request_.model;
    start.input = request_.input.value_or(json::Object());
    start.name = request_.name;
    for (const auto& [key, value] : request_.labels) start.labels.set(key, value);
    return run;
  }

  std::optional<AgentId> agent() const { return agent_; }
  const AgentPtr* runner() const {
    for (const AgentPtr& agent : known_) {
      if (agent_ == agent->id) return &agent;
    }
    return nullptr;
  }

 private:
  std::optional<Problem> check_step(const workflow::Step& step,
                                    const std::function<std::string()>& pointer_of) {
    if (step.agent) {
      if (request_.has_agents && !contains(request_.agents, *step.agent)) {
        return problem_at(
            422, pointer_of(),
            fmt::format("step \"{}\" names an agent that agents does not list", step.name));
      }
      if (request_.steps && !call_.caller.may_act_as(*step.agent)) {
        return problem_at(403, pointer_of(), "this key may not let that agent work");
      }
      const auto agent = call_.services.agents.get(call_.caller.tenant, *step.agent);
      if (!agent) return not_found(pointer_of(), agent.error());
      add(*agent);
    } else if (step.type == workflow::StepType::kAgent && !agent_) {
      return problem_at(422, pointer_of(),
                        fmt::format("step \"{}\" needs an agent: name agent_id in the request, "
                                    "the workflow or the step",
                                    step.name));
    }
    return std::nullopt;
  }

  static bool contains(const std::vector<AgentId>& agents, AgentId agent) {
    return std::find(agents.begin(), agents.end(), agent) != agents.end();
  }

  /// Where the step stands in the definition; the plan has another order.
  static std::size_t place_of(std::string_view step, const json::Value& definition) {
    const json::Array& steps = definition.find("steps")->as_array();
    const auto has_name = [step](const json::Value& one) { return one.string_or("name") == step; };
    return static_cast<std::size_t>(std::find_if(steps.begin(), steps.end(), has_name) -
                                    steps.begin());
  }

  static Problem not_found(const std::string& pointer, const Error& error) {
    if (error.code != Code::kNotFound) return problem_of(error);
    return problem_at(404, pointer, "no such agent");
  }

  static void collect_tools(const json::Value& step, std::set<std::string>& names) {
    if (const json::Value* undo = step.find("compensate")) collect_tools(*undo, names);
    const json::Value* config = step.find("config");
    if (config == nullptr) return;
    const std::string tool = config->string_or("tool");
    if (!tool.empty()) names.insert(tool);
    const json::Value* tools = config->find("tools");
    if (tools == nullptr || !tools->is_array()) return;
    for (const json::Value& name : tools->as_array()) {
      if (name.is_string()) names.insert(name.as_string());
    }
  }

  std::optional<Problem> admit(AgentId id, const std::string& pointer) {
    const auto agent = call_.services.agents.get(call_.caller.tenant, id);
    if (!agent) return not_found(pointer, agent.error());
    if (!(*agent)->is_active(call_.now)) {
      return problem_at(403, pointer,
                        "the agent is not active: it was suspended or revoked, or has expired");
    }
    add(*agent);
    return std::nullopt;
  }

  void add(const AgentPtr& agent) {
    const auto is_same = [&agent](const AgentPtr& other) { return other->id == agent->id; };
    if (std::none_of(known_.begin(), known_.end(), is_same)) known_.push_back(agent);
  }

  Call& call_;
  const StartRequest& request_;
  TenantCatalog catalog_;
  std::optional<AgentId> agent_;
  std::vector<AgentPtr> known_;
};

void set_limits(engine::Start& start, const StartRequest& request, const workflow::Plan& plan) {
  const auto steps = static_cast<std::int64_t>(plan.steps.size());
  start.max_steps =
      request.max_steps.value_or(plan.max_steps.value_or(std::max(kMaxStepsDefault, steps)));
  start.timeout_seconds =
      request.timeout_seconds.value_or(plan.timeout_seconds.value_or(kTimeoutSecondsDefault));
}

Result<std::shared_ptr<const engine::PlanIndex>> compile(const json::Value& source) {
  ASSIGN_OR_RETURN(auto plan, workflow::Plan::compile(source));
  return std::shared_ptr<const engine::PlanIndex>(
      std::make_shared<engine::PlanIndex>(std::move(plan)));
}

/// Gives the run a plan of its own, made from `definition` and what it uses of agents and tools
/// now.
std::optional<Problem> own_plan(engine::NewRun& run, const Preparation& preparation,
                                const json::Value& definition) {
  const json::Value tools = preparation.tools_snapshot(&definition);
  const json::Value source =
      workflow::make_plan(definition, preparation.agents_snapshot(tools), tools);
  if (preparation.catalog().failed()) return problem_of(*preparation.catalog().failed());
  auto plan = compile(source);
  if (!plan) return problem_of(plan.error());
  run.plan = std::move(*plan);
  run.has_own_plan = true;
  return std::nullopt;
}

std::optional<Problem> check_timeout(bool needs_timeout, const StartRequest& request,
                                     const json::Value& definition) {
  if (!needs_timeout || request.timeout_seconds || definition.find("timeout_seconds") != nullptr)
    return std::nullopt;
  return problem_at(422, "/timeout_seconds",
                    "a run that may wait for a person, or longer than 300 seconds, must set "
                    "timeout_seconds");
}

}  // namespace

std::variant<PreparedRun, Problem> prepare_workflow_run(Call& call, const StartRequest& request,
                                                        const StoredWorkflow& workflow) {
  if (workflow.status != "published") {
    return problem(
        409,
        workflow.status == "draft"
            ? fmt::format("the workflow is a draft; publish it with POST /v1/workflows/{}/publish",
                          workflow.id.uuid())
            : std::string("the workflow is archived and runs no more; publish a new version"));
  }
  Preparation preparation(call, request);
  std::optional<AgentId> fallback;
  if (workflow.plan->plan->agent) fallback = workflow.plan->plan->agent;
  if (auto refusal = preparation.choose_agents(fallback)) return *refusal;

  auto applied =
      workflow::apply_parameters(workflow.definition, request.parameters, preparation.catalog());
  if (preparation.catalog().failed()) return problem_of(*preparation.catalog().failed());
  if (const auto* faults = std::get_if<workflow::Faults>(&applied)) return problem_of(*faults);
  const auto& overrides = std::get<workflow::Overrides>(applied);
  if (auto refusal = preparation.check_steps(*workflow.plan->plan, workflow.definition.body))
    return *refusal;

  PreparedRun prepared;
  prepared.workflow_version = workflow.definition.version;
  prepared.run = preparation.new_run();
  engine::Start& start = prepared.run.start;
  start.workflow = workflow.id;
  start.workflow_version = workflow.definition.version;
  start.workflow_digest = workflow.definition.digest;
  start.parameters = overrides.parameters;
  if (start.model.empty()) start.model = workflow.plan->plan->model;
  if (workflow.input_schema) {
    const auto found = workflow.input_schema->validate(start.input);
    if (!found) return problem_at(422, "/input", found.error().message);
    workflow::Faults faults;
    for (const json::SchemaFault& fault : *found)
      faults.push_back({"/input" + fault.pointer, "SCHEMA_MISMATCH", fault.message});
    if (!faults.empty()) return problem_of(faults);
  }
  prepared.run.plan = workflow.plan;
  if (overrides.changed_steps || workflow.needs_snapshot) {
    if (auto refusal = own_plan(prepared.run, preparation, overrides.definition)) return *refusal;
  }
  if (auto refusal = check_timeout(overrides.needs_timeout, request, overrides.definition))
    return *refusal;
  set_limits(start, request, *prepared.run.plan->plan);
  return prepared;
}

std::variant<PreparedRun, Problem> prepare_inline_run(Call& call, const StartRequest& request) {
  Preparation preparation(call, request);
  if (auto refusal = preparation.choose_agents(std::nullopt)) return *refusal;
  auto normalised = workflow::normalise_steps(*request.steps, preparation.catalog());
  if (preparation.catalog().failed()) return problem_of(*preparation.catalog().failed());
  if (const auto* faults = std::get_if<workflow::Faults>(&normalised)) return problem_of(*faults);
  const auto& definition = std::get<workflow::Definition>(normalised);
  if (definition.uses_secrets && !call.caller.allows(auth::Scope::kSecretsUse)) {
    return problem_at(403, "/steps", "inline steps that name a secret need the scope secrets:use");
  }
  auto applied = workflow::apply_parameters(definition, request.parameters, preparation.catalog());
  if (const auto* faults = std::get_if<workflow::Faults>(&applied)) return problem_of(*faults);
  const auto& overrides = std::get<workflow::Overrides>(applied);
  if (auto refusal = check_timeout(overrides.needs_timeout, request, overrides.definition))
    return *refusal;

  const auto first =
      compile(workflow::make_plan(overrides.definition, json::Object(), json::Object()));
  if (!first) return problem_of(first.error());
  if (auto refusal = preparation.check_steps(*(*first)->plan, overrides.definition))
    return *refusal;
  PreparedRun prepared;
  prepared.run = preparation.new_run();
  prepared.run.start.parameters = overrides.parameters;
  if (auto refusal = own_plan(prepared.run, preparation, overrides.definition)) return *refusal;
  set_limits(prepared.run.start, request, *prepared.run.plan->plan);
  return prepared;
}

std::variant<PreparedRun, Problem> prepare_agent_run(Call& call, const StartRequest& request) {
  Preparation preparation(call, request);
  if (auto refusal = preparation.choose_agents(std::nullopt)) return *refusal;
  const AgentPtr* runner = preparation.runner();
  if (runner == nullptr) return problem_at(422, "/agent_id", "name the agent that runs");
  if (!request.model.empty() && (*runner)->model.empty()) {
    return problem_at(422, "/model",
                      "the agent has no model: its work is done by a worker that polls for tasks");
  }
  if (!request.model.empty() && !call.services.runner.has_model(request.model)) {
    return problem_at(422, "/model", "no such model is configured");
  }
  const json::Value tools = preparation.tools_snapshot(nullptr);
  auto plan = compile(workflow::make_agent_plan(preparation.agents_snapshot(tools), tools));
  if (preparation.catalog().failed()) return problem_of(*preparation.catalog().failed());
  if (!plan) return problem_of(plan.error());
  PreparedRun prepared;
  prepared.run = preparation.new_run();
  prepared.run.start.parameters = request.parameters;
  prepared.run.plan = std::move(*plan);
  prepared.run.has_own_plan = true;
  set_limits(prepared.run.start, request, *prepared.run.plan->plan);
  return prepared;
}

}  // namespace avow::api
