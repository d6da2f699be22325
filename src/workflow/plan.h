// SPDX-License-Identifier: Apache-2.0
// workflow/plan.h: what a run follows: a normalised definition, compiled.
// A plan is data (DESIGN.md, promise 5): its JSON is kept with the run and compiled again by any
// later version of the program. A compiled Plan is immutable and safe from any thread.
#pragma once
#include <memory>
#include <optional>

#include "base/id.h"
#include "guard/rules.h"
#include "json/schema.h"
#include "workflow/template.h"

namespace avow::workflow {

inline constexpr std::int64_t kPlanVersion = 1;

enum class StepType {
  kTransform,
  kDecision,
  kLlmInference,
  kToolCall,
  kGuardrailCheck,
  kWebhook,
  kAgent,
  kWait,
  kOrchestration,
  kApproval
};
std::string_view step_type_name(StepType type);

enum class OnFailure { kAbort, kSkip, kContinue };
enum class OnCrash { kRetry, kFail };

struct RetryPolicy {
  int max_attempts = 1;  ///< 1 to 100, the first included.
  Duration initial_delay{500};
  double multiplier = 2;
  Duration max_delay{30'000};
  /// Of "transport", "timeout", "408", "429", "5xx", or an error code.
  std::vector<std::string> retry_on;
};

struct DecisionCase {
  cel::Expression when;
  std::string then;
};

struct Choice {
  std::string label;
  std::string description;
};

enum class OnTimeout { kFail, kReject, kApprove, kEscalate };

/// Who is asked for an approval, and for how long.
struct ApprovalRound {
  std::vector<std::string> approvers;  ///< auth::Caller::principal; empty: whoever has the scope.
  std::size_t quorum = 1;              ///< How many of them must approve.
  std::optional<Duration> timeout;     ///< Absent: until the run's own limit.
  OnTimeout on_timeout = OnTimeout::kFail;  ///< kEscalate only where there is another round.
};

struct Approval {
  std::vector<ApprovalRound> rounds;  ///< One, and where it escalates a second.
  bool allow_self = false;
  bool continues_on_reject = false;
};

/// One branch that a step stands on: it runs only where `decision` chose `label`.
struct BranchGate {
  std::size_t decision;  ///< Index of the decision step.
  std::string label;
};

struct Step {
  std::string name;
  StepType type = StepType::kTransform;
  std::string action;                     ///< The verb of an agent's action, else the type's name.
  std::vector<std::size_t> dependencies;  ///< Indexes into Plan::steps, ascending.
  std::vector<std::size_t> dependents;
  std::size_t level = 0;          ///< Steps of one level can run at once.
  std::vector<BranchGate> gates;  ///< Empty: on no branch. Any one that is taken suffices.

  std::optional<AgentId> agent;
  std::optional<cel::Expression> condition;
  std::optional<Duration> timeout;  ///< Of one attempt.
  RetryPolicy retry;
  OnFailure on_failure = OnFailure::kAbort;
  OnCrash on_crash = OnCrash::kRetry;
  std::optional<json::Schema> output_schema;

  std::optional<cel::Expression> for_each;  ///< Its list; absent: the step is done once.
  std::size_t max_parallel = 1;             ///< Items at work at once, 1 to 256.
  /// Its place among Plan::compensations; what undoes it.
  std::optional<std::size_t> compensation;

  /// The whole `config` but what is compiled below (a decision's cases, a guardrail's rules).
  Template config;
  std::vector<DecisionCase> cases;              ///< kDecision by rules.
  std::optional<std::string> default_decision;  ///< kDecision by rules.
  std::vector<Choice> choices;                  ///< kDecision by a model.
  std::optional<guard::Rules> rules;            ///< kGuardrailCheck.
  std::optional<Approval> approval;             ///< kApproval; `config` has it too.
};

/// What the model calls of a run may come to; absent: any amount.
struct Budget {
  std::optional<double> cost_cents_max;
  std::optional<std::int64_t> tokens_max;  ///< Read and written.
  [[nodiscard]] bool is_limited() const { return cost_cents_max || tokens_max; }
};

/// What the plan keeps of an agent at the start of the run.
struct PlanAgent {
  std::string model;  ///< Empty: it pulls tasks.
  std::string instructions;
  std::vector<std::string> tools;
  std::vector<std::string> scopes;
};

/// A run of a DAG, or of an agent by itself (`mode` "agent": no steps, they come as the model
/// asks).
class Plan {
 public:
  /// Compiles plan JSON made by make_plan(), of any plan_version up to kPlanVersion.
  /// Errors: kUnavailable  a newer plan_version: this program must not guess
  ///         kCorruption   not a plan
  static Result<std::shared_ptr<const Plan>> compile(const json::Value& plan);

  json::Value source;  ///< The plan's JSON.
  bool is_agent_run = false;
  std::vector<Step> steps;          ///< In plan order: by level, then as defined.
  std::vector<Step> compensations;  ///< In the order of what each undoes; they depend on nothing.
  std::optional<Template> output;
  std::optional<AgentId> agent;  ///< The definition's.
  std::string model;             ///< The definition's default; may be empty.
  std::optional<std::int64_t> max_steps;
  std::optional<std::int64_t> timeout_seconds;
  Budget budget;
  std::vector<std::pair<AgentId, PlanAgent>> agents;
  json::Value tools;  ///< Object: tool name -> its definition.

  /// The index of the step `name`; of a compensation steps.size() and more; of neither, how many
  /// of both there are.
  [[nodiscard]] std::size_t find(std::string_view name) const;
  [[nodiscard]] const PlanAgent* find_agent(AgentId id) const;
};

/// What is wrong with a step's rendered config by its type (templates may give anything), with
/// pointers from the config's root; empty if it fits. Names of models and tools are not looked up.
Faults check_rendered(StepType type, const json::Value& config);

/// The plan's JSON: {plan_version, definition, agents, tools}, or for an ad-hoc agent run
/// {plan_version, agent_run: true, agents, tools}. `agents` (uuid -> {model, instructions, tools,
/// scopes}) and `tools` (name -> definition) hold what the run needs of them, as they are now.
json::Value make_plan(const json::Value& definition, const json::Value& agents,
                      const json::Value& tools);
json::Value make_agent_plan(const json::Value& agents, const json::Value& tools);

}  // namespace avow::workflow
