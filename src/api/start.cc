// SPDX-License-Identifier: Apache-2.0
#include "api/start.h"

#include <algorithm>
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
  Preparation(const Starter& starter, const StartRequest& request)
      : starter_(starter), request_(request), catalog_(starter.services, starter.caller.tenant) {}

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
    if (starter_.caller.agent_ids && (!agent_ || !starter_.caller.may_act_as(*agent_))) {
      return problem_at(403, "/agent_id",
                        agent_ ? "this key may not start runs as that agent"
                               : "this key must name the agent that runs, one of its own");
    }
    return std::nullopt;
  }

  /// Who may work for a caller that chose the steps, or would have chosen them.
  std::optional<Problem> check_inline_steps(const workflow::Plan& plan,
                                            const json::Value& definition) const {
    return for_each_step(
        plan, definition,
        [this](const workflow::Step& step, const std::string& pointer) -> std::optional<Problem> {
          if (step.agent && !starter_.caller.may_act_as(*step.agent)) {
            return problem_at(403, pointer, "this key may not let that agent work");
          }
          // The workflow that it starts may run as any agent.
          if (step.type == workflow::StepType::kOrchestration && !step.agent &&
              starter_.caller.agent_ids) {
            return problem_at(
                403, pointer,
                fmt::format("this key must name the agent that step \"{}\" starts a run as, one of "
                            "its own",
                            step.name));
          }
          return std::nullopt;
        });
  }

  /// The agents of the plan's steps: each known, each allowed, and one for every step that needs
  /// one. Of a stored workflow its author chose them; of inline steps the caller does.
  std::optional<Problem> check_steps(const workflow::Plan& plan, const json::Value& definition) {
    if (request_.steps) {
      if (auto refusal = check_inline_steps(plan, definition)) return refusal;
    }
    return for_each_step(
        plan, definition,
        [this](const workflow::Step& step, const std::string& pointer) -> std::optional<Problem> {
          if (step.agent) {
            if (request_.has_agents && !contains(request_.agents, *step.agent)) {
              return problem_at(
                  422, pointer,
                  fmt::format("step \"{}\" names an agent that agents does not list", step.name));
            }
            const auto agent = starter_.services.agents.get(starter_.caller.tenant, *step.agent);
            if (!agent) return not_found(pointer, agent.error());
            add(*agent);
          } else if (step.type == workflow::StepType::kAgent && !agent_) {
            return problem_at(422, pointer,
                              fmt::format("step \"{}\" needs an agent: name agent_id in the "
                                          "request, the workflow or the step",
                                          step.name));
          }
          return std::nullopt;
        });
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
    run.id = RunId{make_id(starter_.now, starter_.services.rng.bytes8())};
    run.tenant = starter_.caller.tenant;
    run.labels = request_.labels;
    if (!request_.name.empty()) run.labels.emplace_back(kNameLabel, request_.name);
    engine::Start& start = run.start;
    start.at = starter_.now;
    start.actor = starter_.caller.principal;
    start.agent = agent_;
    start.agents = request_.agents;
    if (!request_.has_agents) {
      for (const AgentPtr& agent : known_) start.agents.push_back(agent->id);
    }
    start.traceparent = starter_.traceparent;
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
  /// The first that `check` finds of the steps and of what undoes them; it gets where each one's
  /// agent_id stands in the definition.
  template <class Check>
  static std::optional<Problem> for_each_step(const workflow::Plan& plan,
                                              const json::Value& definition, const Check& check) {
    for (const workflow::Step& step : plan.steps) {
      const std::string pointer = json::join("/steps", place_of(step.name, definition));
      if (auto refusal = check(step, pointer + "/agent_id")) return refusal;
      if (!step.compensation) continue;
      auto refusal =
          check(plan.compensations[*step.compensation], pointer + "/compensate/agent_id");
      if (refusal) return refusal;
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
    const auto agent = starter_.services.agents.get(starter_.caller.tenant, id);
    if (!agent) return not_found(pointer, agent.error());
    if (!(*agent)->is_active(starter_.now)) {
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

  const Starter& starter_;
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
  start.priority = static_cast<int>(request.priority.value_or(engine::kPriorityDefault));
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

std::optional<Problem> check_published(const StoredWorkflow& workflow) {
  if (workflow.status == "published") return std::nullopt;
  return problem(
      409,
      workflow.status == "draft"
          ? fmt::format("the workflow is a draft; publish it with POST /v1/workflows/{}/publish",
                        workflow.id.uuid())
          : std::string("the workflow is archived and runs no more; publish a new version"));
}

/// Of a run with a plan of its own that is no workflow's: what its caller must be allowed, whoever
/// wrote it.
std::optional<Problem> check_own_plan(const Starter& starter, const Preparation& preparation,
                                      const workflow::Plan& plan) {
  const auto names_one = [](const workflow::Step& step) { return !step.config.secrets().empty(); };
  const bool uses_secrets =
      std::any_of(plan.steps.begin(), plan.steps.end(), names_one) ||
      std::any_of(plan.compensations.begin(), plan.compensations.end(), names_one);
  if (uses_secrets && !starter.caller.allows(auth::Scope::kSecretsUse)) {
    return problem(403, "the run names a secret, so running it again needs the scope secrets:use");
  }
  const json::Value* definition = plan.source.find("definition");
  return definition == nullptr ? std::nullopt : preparation.check_inline_steps(plan, *definition);
}

/// What was undone is as if it had not been done.
bool is_undone(const engine::RunState& state, std::size_t i) {
  const auto& compensation = state.plan().steps[i].compensation;
  return compensation && state.compensations[*compensation].status != engine::StepStatus::kPending;
}

/// The ends of the steps that need not run again from step `from` on. Problem: 409
std::variant<std::vector<engine::ReusedStep>, Problem> reused_steps(const engine::History& history,
                                                                    std::size_t from) {
  using engine::StepStatus;
  const engine::RunState& state = history.machine.state();
  std::vector<engine::ReusedStep> out;
  std::vector<bool> runs_again(state.plan().steps.size());
  for (std::size_t i = 0; i < runs_again.size(); ++i) {
    const workflow::Step& planned = state.plan().steps[i];
    const engine::StepState& step = state.steps[i];
    runs_again[i] = i == from || is_undone(state, i) ||
                    std::any_of(planned.dependencies.begin(), planned.dependencies.end(),
                                [&](std::size_t d) { return runs_again[d]; });
    const bool is_good =
        step.status == StepStatus::kCompleted || step.status == StepStatus::kSkipped ||
        (step.status == StepStatus::kFailed && planned.on_failure != workflow::OnFailure::kAbort);
    // What did not end is to run; so is all that depends on it, since that did not begin.
    if (runs_again[i] || !is_good) continue;
    engine::ReusedStep& reused = out.emplace_back();
    reused.step = step.name;
    reused.status = step.status;
    reused.code = step.error_code;
    reused.decision = step.decision;
    if (step.status == StepStatus::kSkipped) continue;
    const bool is_failed = step.status == StepStatus::kFailed;
    const engine::Committed& end = is_failed ? step.error_message : step.output;
    const json::Value* value = history.contents.find(end.ref);
    if (value == nullptr) {
      return problem(409, fmt::format("the result of step \"{}\" was erased, so it cannot be used "
                                      "again",
                                      step.name));
    }
    reused.value = *value;
    reused.commitment = end.commitment;
  }
  return out;
}

/// The content, or null if the run has none such.
json::Value value_of(const engine::History& history, const engine::Committed& committed) {
  const json::Value* value = history.contents.find(committed.ref);
  return value == nullptr ? json::Value() : *value;
}

/// What a rerun takes of how the earlier run was started.
void start_as(const store::RunRecord& earlier, const engine::History& history,
              engine::Start& start) {
  const engine::RunState& state = history.machine.state();
  const json::Value& facts = state.start_facts;
  start.agents.clear();
  if (const json::Value* agents = facts.find("agents")) {
    for (const json::Value& agent : agents->as_array()) {
      if (const auto id = parse_id(agent.as_string())) start.agents.push_back(AgentId{*id});
    }
  }
  start.workflow = earlier.row.workflow;
  start.workflow_version = facts.string_or("workflow_version");
  start.workflow_digest = facts.string_or("workflow_digest");
  start.model = state.model;
  start.max_steps = state.max_steps;
  start.timeout_seconds = facts.int_or("timeout_seconds", kTimeoutSecondsDefault);
  start.parameters = value_of(history, state.parameters);
  engine::RerunLink& link = start.rerun.emplace();
  link.run = state.id;
  link.input = state.input.commitment;
  link.parameters = state.parameters.commitment;
}

}  // namespace

std::variant<PreparedRun, Problem> prepare_workflow_run(const Starter& starter,
                                                        const StartRequest& request,
                                                        const StoredWorkflow& workflow) {
  if (auto refusal = check_published(workflow)) return *refusal;
  Preparation preparation(starter, request);
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

std::variant<PreparedRun, Problem> prepare_inline_run(const Starter& starter,
                                                      const StartRequest& request) {
  Preparation preparation(starter, request);
  if (auto refusal = preparation.choose_agents(std::nullopt)) return *refusal;
  auto normalised = workflow::normalise_steps(*request.steps, preparation.catalog());
  if (preparation.catalog().failed()) return problem_of(*preparation.catalog().failed());
  if (const auto* faults = std::get_if<workflow::Faults>(&normalised)) return problem_of(*faults);
  const auto& definition = std::get<workflow::Definition>(normalised);
  if (definition.uses_secrets && !starter.caller.allows(auth::Scope::kSecretsUse)) {
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

std::variant<PreparedRun, Problem> prepare_agent_run(const Starter& starter,
                                                     const StartRequest& request) {
  Preparation preparation(starter, request);
  if (auto refusal = preparation.choose_agents(std::nullopt)) return *refusal;
  const AgentPtr* runner = preparation.runner();
  if (runner == nullptr) return problem_at(422, "/agent_id", "name the agent that runs");
  if (!request.model.empty() && (*runner)->model.empty()) {
    return problem_at(422, "/model",
                      "the agent has no model: its work is done by a worker that polls for tasks");
  }
  if (!request.model.empty() && !starter.services.runner.has_model(request.model)) {
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

std::variant<PreparedRun, Problem> prepare_rerun(const Starter& starter,
                                                 const store::RunRecord& earlier,
                                                 const engine::History& history,
                                                 const std::string& from_step) {
  const engine::RunState& state = history.machine.state();
  const workflow::Plan& plan = state.plan();
  if (earlier.row.workflow) {
    const auto workflow = starter.services.workflows.get(earlier.row.tenant, *earlier.row.workflow);
    if (!workflow) return problem_of(workflow.error());
    if (auto refusal = check_published(**workflow)) return *refusal;
  }
  if (history.contents.find(state.input.ref) == nullptr ||
      history.contents.find(state.parameters.ref) == nullptr ||
      (earlier.plan && history.contents.find(state.plan_commitment.ref) == nullptr)) {
    return problem(409,
                   "the input, the parameters or the plan of the orchestration were erased, so "
                   "it cannot run again");
  }
  StartRequest request;
  request.agent = state.agent;
  request.input = value_of(history, state.input);
  Preparation preparation(starter, request);
  if (auto refusal = preparation.choose_agents(std::nullopt)) return *refusal;
  if (!earlier.row.workflow) {
    if (auto refusal = check_own_plan(starter, preparation, plan)) return *refusal;
  }

  PreparedRun prepared;
  prepared.run = preparation.new_run();
  prepared.run.plan = history.machine.shared_index();
  prepared.run.has_own_plan = earlier.plan.has_value();
  start_as(earlier, history, prepared.run.start);
  if (from_step.empty()) return prepared;
  if (state.is_agent_run) {
    return problem_at(422, "/from_step",
                      "an agent's own run has no plan: it runs again as a whole");
  }
  const std::size_t from = plan.find(from_step);
  if (from == plan.steps.size()) {
    std::vector<std::string_view> names;
    for (const workflow::Step& step : plan.steps) names.push_back(step.name);
    return problem_at(422, "/from_step",
                      fmt::format("there is no step \"{}\"; allowed: {}", shown(from_step),
                                  fmt::join(names, ", ")));
  }
  auto reused = reused_steps(history, from);
  if (auto* refusal = std::get_if<Problem>(&reused)) return std::move(*refusal);
  prepared.run.start.rerun->from_step = from_step;
  prepared.run.start.rerun->reused = std::get<std::vector<engine::ReusedStep>>(std::move(reused));
  return prepared;
}

}  // namespace avow::api
