// SPDX-License-Identifier: Apache-2.0
#include "api/dry_run.h"

#include <algorithm>
#include <limits>

#include "api/orchestration_view.h"
#include "workflow/template.h"

namespace avow::api {
namespace {

/// Of one answer. A byte that is shown costs 1/16, so the answer stays below 8 MiB and a request
/// thread is held for milliseconds; what is beyond is shown as it was written.
constexpr std::int64_t kFuel = 250'000;

/// What is not stored cannot be referred to.
constexpr std::size_t kInlineAlways = std::numeric_limits<std::size_t>::max();

/// What is known before a run starts.
class BeforeStart : public cel::Environment {
 public:
  explicit BeforeStart(const engine::NewRun& run)
      : run_(run),
        facts_(json::Object{{"id", run_name(run.id)}, {"started_at", format_time(run.start.at)}}) {}

  const json::Value* find(std::string_view root, std::span<const std::string>,
                          std::size_t& used) const override {
    used = 0;
    if (root == "input") return &run_.start.input;
    if (root == "parameters") return &run_.start.parameters;
    if (root == "run") return &facts_;
    return nullptr;
  }

  static bool knows(const cel::Reference& reference) {
    return reference.root == "input" || reference.root == "parameters" || reference.root == "run";
  }

 private:
  const engine::NewRun& run_;
  const json::Value facts_;
};

/// `tree` with every string evaluated that can be; the others stay as they were written.
json::Value evaluate_known(const json::Value& tree, const BeforeStart& environment,
                           std::int64_t& fuel) {
  if (tree.is_array()) {
    json::Array out;
    for (const json::Value& item : tree.as_array())
      out.push_back(evaluate_known(item, environment, fuel));
    return out;
  }
  if (tree.is_object()) {
    json::Object out;
    for (const auto& [key, value] : tree.as_object())
      out.set(key, evaluate_known(value, environment, fuel));
    return out;
  }
  if (!tree.is_string()) return tree;
  workflow::Faults faults;
  const auto text = workflow::Template::compile(tree, "", true, faults);
  const auto references = text.references();
  const bool is_known = std::all_of(
      references.begin(), references.end(),
      [](const workflow::TemplateReference& one) { return BeforeStart::knows(one.reference); });
  if (!faults.empty() || !is_known) return tree;
  auto rendered = text.render(environment, fuel);
  const auto* value = std::get_if<workflow::Rendered>(&rendered);
  return value == nullptr ? tree : value->value;
}

json::Value condition_of(const cel::Expression& condition, const BeforeStart& environment,
                         std::int64_t& fuel) {
  json::Object out{{"expression", condition.source()}};
  const auto& references = condition.references();
  if (std::all_of(references.begin(), references.end(), BeforeStart::knows)) {
    const auto value = condition.evaluate(environment, fuel);
    if (const auto* known = std::get_if<json::Value>(&value)) out.set("value", *known);
  }
  return out;
}

json::Value planned(const engine::NewRun& run, std::string_view name, std::string_view type,
                    std::string_view action) {
  json::Object out;
  out.set("step_id", run.id.ulid() + "/" + std::string(name));
  out.set("step_number", 1);
  out.set("name", name);
  out.set("type", type);
  out.set("action", action);
  if (run.start.agent) out.set("agent_id", run.start.agent->uuid());
  out.set("status", "planned");
  out.set("level", 0);
  out.set("result", json::Object());
  return out;
}

}  // namespace

json::Value render_dry_run(const PreparedRun& prepared) {
  const engine::NewRun& run = prepared.run;
  const workflow::Plan& plan = *run.plan->plan;
  json::Value out = render_created(run.id, *run.plan, run.start, kInlineAlways);
  out.set("status", "pending");
  out.set("dry_run", true);
  out.mutable_object().erase("started_at");
  const BeforeStart environment(run);
  std::int64_t fuel = kFuel;
  json::Array steps;
  if (plan.is_agent_run) {
    const workflow::PlanAgent* agent = plan.find_agent(*run.start.agent);
    const bool has_model = agent != nullptr && !agent->model.empty();
    steps.push_back(has_model ? planned(run, "llm_1", "llm_inference", "llm_inference")
                              : planned(run, "task", "agent", "run"));
  }
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const workflow::Step& step = plan.steps[i];
    json::Value one = out.find("steps")->as_array()[i];
    one.set("status", "planned");
    one.set("level", static_cast<std::int64_t>(step.level));
    one.set("config", evaluate_known(step.config.source(), environment, fuel));
    json::Array dependencies;
    for (const std::size_t dependency : step.dependencies)
      dependencies.emplace_back(plan.steps[dependency].name);
    one.set("depends_on", std::move(dependencies));
    if (step.condition) one.set("condition", condition_of(*step.condition, environment, fuel));
    one.mutable_object().erase("attempts");
    steps.push_back(std::move(one));
  }
  out.set("steps", std::move(steps));
  out.set("max_steps", run.start.max_steps);
  out.set("timeout_seconds", run.start.timeout_seconds);
  return out;
}

}  // namespace avow::api
