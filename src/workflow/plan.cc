// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/bytes.h"
#include "workflow/check/config.h"
#include "workflow/check/graph.h"
#include "workflow/check/step_types.h"

namespace avow::workflow {
namespace {

/// Reads a plan without trusting it: the first thing that is not as make_plan() and normalise()
/// write it ends the reading. It asks for no more than it needs, so that plans of earlier versions
/// stay readable when the checks at creation become stricter.
class PlanReader {
 public:
  explicit PlanReader(const json::Value& source) : source_(source) {}

  Result<std::shared_ptr<const Plan>> read() {
    if (!source_.is_object()) return failure(Code::kCorruption, "plan: not an object");
    const json::Value* version = source_.find("plan_version");
    if (version == nullptr || !version->is_int() || version->as_int() < 1) {
      return failure(Code::kCorruption, "plan: no plan_version");
    }
    if (version->as_int() > kPlanVersion) {
      return failure(Code::kUnavailable,
                     "plan: version {} is newer than {}, which this program reads",
                     version->as_int(), kPlanVersion);
    }
    auto plan = std::make_shared<Plan>();
    plan->source = source_;
    plan->is_agent_run = source_.bool_or("agent_run", false);
    read_surroundings(*plan);
    if (!plan->is_agent_run) read_definition(*plan);
    if (!error_.empty()) return failure(Code::kCorruption, "plan: {}", error_);
    return std::shared_ptr<const Plan>(std::move(plan));
  }

 private:
  void fail(std::string message) {
    if (error_.empty()) error_ = std::move(message);
  }

  /// The member of an object; null pointer if it is absent, null or of another type (which fails).
  const json::Value* member(const json::Value& object, std::string_view name, json::Type type) {
    const json::Value* value = object.find(name);
    if (value == nullptr || value->is_null()) return nullptr;
    if (value->type() == type) return value;
    fail(fmt::format("\"{}\" is no {}", name, json::type_name(type)));
    return nullptr;
  }

  std::string text(const json::Value& object, std::string_view name) {
    const json::Value* value = member(object, name, json::Type::kString);
    return value == nullptr ? std::string() : value->as_string();
  }

  std::optional<std::int64_t> integer(const json::Value& object, std::string_view name,
                                      std::int64_t max) {
    const json::Value* value = member(object, name, json::Type::kInt);
    if (value == nullptr) return std::nullopt;
    if (value->as_int() < 0 || value->as_int() > max) {
      fail(fmt::format("\"{}\" is out of range", name));
      return std::nullopt;
    }
    return value->as_int();
  }

  std::vector<std::string> texts(const json::Value& object, std::string_view name) {
    std::vector<std::string> out;
    const json::Value* list = member(object, name, json::Type::kArray);
    if (list == nullptr) return out;
    for (const json::Value& element : list->as_array()) {
      if (element.is_string()) {
        out.push_back(element.as_string());
      } else {
        fail(fmt::format("\"{}\" holds something else than strings", name));
      }
    }
    return out;
  }

  std::optional<AgentId> agent_id(std::string_view id) {
    const auto parsed = parse_id(id);
    if (parsed) return AgentId{*parsed};
    fail("an agent's id is ill formed");
    return std::nullopt;
  }

  void read_surroundings(Plan& plan) {
    plan.tools = json::Object();
    if (const auto* tools = member(source_, "tools", json::Type::kObject)) plan.tools = *tools;
    const json::Value* agents = member(source_, "agents", json::Type::kObject);
    if (agents == nullptr) return;
    for (const auto& [id, agent] : agents->as_object()) {
      const auto parsed = agent_id(id);
      if (!parsed) return;
      plan.agents.emplace_back(*parsed, PlanAgent{text(agent, "model"), text(agent, "instructions"),
                                                  texts(agent, "tools"), texts(agent, "scopes")});
    }
  }

  void read_definition(Plan& plan) {
    const json::Value* definition = member(source_, "definition", json::Type::kObject);
    const json::Value* list =
        definition == nullptr ? nullptr : member(*definition, "steps", json::Type::kArray);
    if (list == nullptr || list->as_array().empty()) return fail("no steps");
    if (const std::string id = text(*definition, "agent_id"); !id.empty())
      plan.agent = agent_id(id);
    plan.model = text(*definition, "model");
    plan.max_steps = integer(*definition, "max_steps", json::kSafeIntegerMax);
    plan.timeout_seconds = integer(*definition, "timeout_seconds", kSecondsMax);
    if (const json::Value* output = definition->find("output"); output != nullptr) {
      plan.output = compile_template(*output, false);
    }
    order_steps(list->as_array());
    for (const std::size_t i : order_) {
      if (!error_.empty()) return;
      Step step = read_step(list->as_array()[i]);
      step.dependencies = dependencies_[i];
      step.level = levels_[i];
      if (const auto* undo = member(list->as_array()[i], "compensate", json::Type::kObject)) {
        step.compensation = plan.compensations.size();
        plan.compensations.push_back(read_step(*undo));
      }
      plan.steps.push_back(std::move(step));
    }
    if (error_.empty()) connect(plan, list->as_array());
    read_budget(*definition, plan);
  }

  void read_budget(const json::Value& definition, Plan& plan) {
    const json::Value* budget = member(definition, "budget", json::Type::kObject);
    if (budget == nullptr) return;
    plan.budget.tokens_max = integer(*budget, "max_tokens", json::kSafeIntegerMax);
    const json::Value* cents = budget->find("max_cost_cents");
    if (cents == nullptr) return;
    if (!cents->is_number() || cents->as_double() < 0) return fail("a budget is out of range");
    plan.budget.cost_cents_max = cents->as_double();
  }

  /// Fills order_, levels_ and dependencies_: by level, then as defined.
  void order_steps(const json::Array& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string name = text(list[i], "name");
      if (name.empty() || !defined_.emplace(name, i).second)
        return fail("a step's name is not its own");
    }
    Graph graph(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      for (const std::string& name : texts(list[i], "depends_on")) {
        const auto found = defined_.find(name);
        if (found == defined_.end()) return fail("a step depends on one that is not there");
        graph[i].push_back(found->second);
      }
    }
    auto found_levels = levels(graph);
    if (!found_levels) return fail("the steps depend on each other in a cycle");
    levels_ = std::move(*found_levels);
    order_.resize(list.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return levels_[a] < levels_[b]; });
    place_.resize(list.size());
    for (std::size_t place = 0; place < order_.size(); ++place) place_[order_[place]] = place;
    dependencies_.resize(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      for (const std::size_t dependency : graph[i]) {
        dependencies_[i].push_back(place_[dependency]);
      }
      std::sort(dependencies_[i].begin(), dependencies_[i].end());
    }
  }

  void connect(Plan& plan, const json::Array& list) {
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      for (const std::size_t dependency : plan.steps[i].dependencies) {
        plan.steps[dependency].dependents.push_back(i);
      }
    }
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      if (plan.steps[i].type != StepType::kDecision) continue;
      const json::Value* config = list[order_[i]].find("config");
      const json::Value* branches =
          config == nullptr ? nullptr : member(*config, "branches", json::Type::kObject);
      if (branches == nullptr) continue;
      for (const auto& branch : branches->as_object()) {
        for (const std::string& name : texts(*branches, branch.key)) {
          const std::size_t step = plan.find(name);
          if (step == plan.steps.size()) return fail("a branch names a step that is not there");
          plan.steps[step].gates.push_back({i, branch.key});
        }
      }
    }
  }

  Step read_step(const json::Value& source) {
    Step step;
    step.name = text(source, "name");
    const auto type = step_type_of(text(source, "type"));
    if (!type) {
      fail("a step's type is not known");
      return step;
    }
    step.type = *type;
    step.action = step_type_name(*type);
    const json::Value none = json::Object();
    const json::Value* config = member(source, "config", json::Type::kObject);
    read_config(config == nullptr ? none : *config, step);
    if (const std::string id = text(source, "agent_id"); !id.empty()) step.agent = agent_id(id);
    if (const auto* condition = source.find("condition"); condition != nullptr) {
      step.condition = expression(*condition);
    }
    if (const auto seconds = integer(source, "timeout_seconds", kSecondsMax)) {
      step.timeout = std::chrono::seconds(*seconds);
    }
    if (const auto* items = source.find("for_each"); items != nullptr) {
      step.for_each = expression(*items);
      const auto most = integer(source, "max_parallel", 256);
      if (most == 0) fail("\"max_parallel\" is out of range");
      step.max_parallel = static_cast<std::size_t>(most.value_or(1));
    }
    step.output_schema = schema(source, "output_schema");
    read_policies(source, step);
    return step;
  }

  void read_policies(const json::Value& source, Step& step) {
    const std::string on_failure = text(source, "on_failure");
    if (on_failure == "skip") step.on_failure = OnFailure::kSkip;
    if (on_failure == "continue") step.on_failure = OnFailure::kContinue;
    if (text(source, "on_crash") == "fail") step.on_crash = OnCrash::kFail;
    const json::Value* retry = member(source, "retry", json::Type::kObject);
    if (retry == nullptr) return;
    step.retry.max_attempts = static_cast<int>(integer(*retry, "max_attempts", 1000).value_or(1));
    step.retry.initial_delay =
        Duration(integer(*retry, "initial_delay_ms", kMillisecondsMax).value_or(500));
    step.retry.max_delay =
        Duration(integer(*retry, "max_delay_ms", kMillisecondsMax).value_or(30'000));
    const json::Value* multiplier = retry->find("multiplier");
    if (multiplier != nullptr && multiplier->is_number())
      step.retry.multiplier = multiplier->as_double();
    step.retry.retry_on = texts(*retry, "retry_on");
    if (step.retry.max_attempts < 1 || step.retry.multiplier < 1)
      fail("a step's retry is out of range");
  }

  void read_config(const json::Value& config, Step& step) {
    step.config = compile_template(templated_part(step.type, config), may_use_secrets(step.type));
    if (step.type == StepType::kAgent) step.action = text(config, "action");
    if (step.type == StepType::kGuardrailCheck) read_rules(config, step);
    if (step.type == StepType::kDecision) read_decision(config, step);
    if (step.type == StepType::kApproval) read_approval(config, step);
  }

  void read_approval(const json::Value& config, Step& step) {
    Approval approval;
    approval.rounds.push_back(read_round(config));
    if (const auto* escalate = member(config, "escalate", json::Type::kObject)) {
      approval.rounds.push_back(read_round(*escalate));
    } else if (approval.rounds.front().on_timeout == OnTimeout::kEscalate) {
      fail("an approval escalates to nobody");
    }
    approval.allow_self = config.bool_or("allow_self", false);
    approval.continues_on_reject = text(config, "on_reject") == "continue";
    step.approval = std::move(approval);
  }

  ApprovalRound read_round(const json::Value& source) {
    ApprovalRound round;
    round.approvers = texts(source, "approvers");
    round.quorum = static_cast<std::size_t>(integer(source, "quorum", 1000).value_or(1));
    if (round.quorum < 1) fail("an approval's quorum is out of range");
    if (const auto seconds = integer(source, "timeout_seconds", kSecondsMax))
      round.timeout = std::chrono::seconds(*seconds);
    const std::string on_timeout = text(source, "on_timeout");
    if (on_timeout == "reject") round.on_timeout = OnTimeout::kReject;
    if (on_timeout == "approve") round.on_timeout = OnTimeout::kApprove;
    if (on_timeout == "escalate") round.on_timeout = OnTimeout::kEscalate;
    return round;
  }

  void read_rules(const json::Value& config, Step& step) {
    const json::Value* rules = member(config, "rules", json::Type::kArray);
    if (rules == nullptr) return fail("a guardrail_check without rules");
    auto compiled = guard::Rules::compile(*rules);
    if (!compiled) return fail(compiled.error().message);
    step.rules = std::move(*compiled);
  }

  void read_decision(const json::Value& config, Step& step) {
    if (const json::Value* choices = member(config, "choices", json::Type::kArray)) {
      for (const json::Value& choice : choices->as_array()) {
        step.choices.push_back({text(choice, "label"), text(choice, "description")});
      }
      return;
    }
    if (const auto* fallback = member(config, "default", json::Type::kString)) {
      step.default_decision = fallback->as_string();
    }
    const json::Value* cases = member(config, "cases", json::Type::kArray);
    if (cases == nullptr) return fail("a decision without cases and choices");
    for (const json::Value& one : cases->as_array()) {
      const json::Value* when = one.find("when");
      auto condition = when == nullptr ? std::nullopt : expression(*when);
      if (!condition) return fail("a case without its condition");
      step.cases.push_back({std::move(*condition), text(one, "then")});
    }
  }

  std::optional<cel::Expression> expression(const json::Value& source) {
    if (!source.is_string()) {
      fail("an expression is no string");
      return std::nullopt;
    }
    auto parsed = cel::Expression::parse(source.as_string());
    if (parsed) return std::move(*parsed);
    fail(parsed.error().message);
    return std::nullopt;
  }

  std::optional<json::Schema> schema(const json::Value& object, std::string_view name) {
    const json::Value* source = object.find(name);
    if (source == nullptr) return std::nullopt;
    auto compiled = json::Schema::compile(*source);
    if (compiled) return std::move(*compiled);
    fail(compiled.error().message);
    return std::nullopt;
  }

  Template compile_template(const json::Value& tree, bool may_use_secrets) {
    Faults faults;
    Template out = Template::compile(tree, "", may_use_secrets, faults);
    if (!faults.empty()) fail(faults.front().message);
    return out;
  }

  static constexpr std::int64_t kMillisecondsMax = 1'000'000'000'000;  // 30 years; no overflow
  static constexpr std::int64_t kSecondsMax = kMillisecondsMax / 1000;

  const json::Value& source_;
  std::string error_;  ///< The first; empty while all is well.
  std::map<std::string, std::size_t, std::less<>> defined_;
  // By index in the definition, values by place in the plan; but order_: the other way round.
  std::vector<std::size_t> levels_;
  std::vector<std::size_t> place_;
  std::vector<std::vector<std::size_t>> dependencies_;
  std::vector<std::size_t> order_;
};

}  // namespace

Result<std::shared_ptr<const Plan>> Plan::compile(const json::Value& plan) {
  return PlanReader(plan).read();
}

std::size_t Plan::find(std::string_view name) const {
  const auto is_it = [&](const Step& step) { return step.name == name; };
  const auto found = std::find_if(steps.begin(), steps.end(), is_it);
  if (found != steps.end()) return static_cast<std::size_t>(found - steps.begin());
  const auto undo = std::find_if(compensations.begin(), compensations.end(), is_it);
  return steps.size() + static_cast<std::size_t>(undo - compensations.begin());
}

const PlanAgent* Plan::find_agent(AgentId id) const {
  const auto found = std::find_if(agents.begin(), agents.end(),
                                  [&](const auto& known) { return known.first == id; });
  return found == agents.end() ? nullptr : &found->second;
}

json::Value make_plan(const json::Value& definition, const json::Value& agents,
                      const json::Value& tools) {
  return json::Object{{"plan_version", kPlanVersion},
                      {"definition", definition},
                      {"agents", agents},
                      {"tools", tools}};
}

json::Value make_agent_plan(const json::Value& agents, const json::Value& tools) {
  return json::Object{
      {"plan_version", kPlanVersion}, {"agent_run", true}, {"agents", agents}, {"tools", tools}};
}

}  // namespace avow::workflow
