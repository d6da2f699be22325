// SPDX-License-Identifier: Apache-2.0
// Plans by chance: workflows of every type of step with every option that decides what starts when,
// and agents' own runs.
#pragma once
#include <array>
#include <string>

#include "base/rng.h"
#include "testing/engine_world.h"

namespace avow::engine {

/// The workflows that steps of random plans start runs of; the last one is not there.
inline constexpr std::array<const char*, 5> kChildWorkflows = {"pure", "random", "again", "slow",
                                                               "nobody"};

/// Who starts runs and decides about them.
inline std::string person(std::uint64_t n) { return "key:" + Id{n + 1, 7 << 20}.uuid(); }
inline constexpr std::uint64_t kPersons = 4;

/// Builds one workflow of 1 to 8 steps. One that is itself a child's starts no more runs: each step
/// would be as many again.
class RandomPlan {
 public:
  RandomPlan(SeededRng& chance, AgentId agent, bool is_child = false)
      : chance_(chance), agent_(agent), is_child_(is_child) {}

  json::Value make() {
    const std::size_t count = 1 + chance_.below(8);
    for (std::size_t i = 0; i < count; ++i) add_step("s" + std::to_string(i));
    json::Array steps;
    for (json::Object& step : steps_) steps.emplace_back(std::move(step));
    json::Object body{{"name", "random"}, {"steps", std::move(steps)}, {"timeout_seconds", 600}};
    if (one_in(4)) {
      body.set("budget", json::Object{{"max_tokens",
                                       static_cast<std::int64_t>(100 * (1 + chance_.below(20)))}});
    }
    const auto normalised = workflow::normalise(body, testing::AnythingGoes());
    if (const auto* faults = std::get_if<workflow::Faults>(&normalised)) {
      for (const auto& fault : *faults) fmt::print(stderr, "{} {}\n", fault.pointer, fault.message);
    }
    CHECK(std::holds_alternative<workflow::Definition>(normalised));
    // The agent works by itself, or has a model that does.
    const json::Value agents =
        one_in(2) ? json::Object{}
                  : json::Object{{agent_.uuid(), json::Object{{"model", "m"},
                                                              {"instructions", ""},
                                                              {"tools", json::Array{"look"}},
                                                              {"scopes", json::Array{}}}}};
    return workflow::make_plan(std::get<workflow::Definition>(normalised).body, agents,
                               json::Object{{"look", json::Object{{"name", "look"}}}});
  }

 private:
  bool one_in(std::uint64_t n) { return chance_.below(n) == 0; }

  void add_step(const std::string& name) {
    json::Array dependencies;
    for (const json::Object& before : steps_) {
      if (one_in(3)) dependencies.push_back(*before.find("name"));
    }
    const std::string value = dependencies.empty()
                                  ? "${{ input }}"
                                  : "${{ steps." + dependencies.back().as_string() + ".status }}";
    json::Object step{{"name", name}};
    choose_type(step, value);
    choose_options(step, dependencies);
    choose_branch(name, dependencies);
    step.set("depends_on", std::move(dependencies));
    steps_.push_back(std::move(step));
  }

  void choose_type(json::Object& step, const std::string& value) {
    const auto is = [&step](std::string_view type, json::Object config) {
      step.set("type", type);
      step.set("config", std::move(config));
    };
    switch (chance_.below(is_child_ ? 12 : 13)) {
      case 0:
      case 1:
        return is("webhook", {{"url", "https://example.com/"}, {"body", value}});
      case 2: {
        json::Object config{{"model", "m"}, {"prompt", value}, {"tools", json::Array{"look"}}};
        if (one_in(2)) config.set("fallback_models", json::Array{"n", "o"});
        if (one_in(3)) config.set("max_tool_rounds", 1);
        if (one_in(3)) config.set("response_schema", json::Object{{"type", "object"}});
        return is("llm_inference", std::move(config));
      }
      case 3:
        step.set("agent_id", agent_.uuid());
        return is("agent", {{"action", "work"}, {"parameters", json::Object{{"v", value}}}});
      case 4:
        if (one_in(3)) return is("wait", {{"until", "${{ run.started_at }}"}});
        return is("wait", {{"seconds", static_cast<std::int64_t>(1 + chance_.below(30))}});
      case 5:
        return is("tool_call", {{"tool", "look"}, {"arguments", json::Object{{"v", value}}}});
      case 6:
        return is("decision",
                  {{"cases", json::Array{json::Object{{"when", "input.n > 4"}, {"then", "high"}},
                                         json::Object{{"when", "input.n == 0"}, {"then", "none"}}}},
                   {"default", "low"}});
      case 7:
        return is("decision", {{"model", "m"},
                               {"prompt", value},
                               {"choices", json::Array{json::Object{{"label", "high"}},
                                                       json::Object{{"label", "none"}},
                                                       json::Object{{"label", "low"}}}}});
      case 8:
        return is("guardrail_check",
                  {{"content", value},
                   {"rules",
                    json::Array{json::Object{
                        {"id", "short"}, {"type", "max_length"}, {"max", one_in(2) ? 3 : 1000}}}},
                   {"on_violation", one_in(2) ? "fail" : "flag"}});
      case 9:
        return is("approval", approval("sure? " + value));
      case 10:  // fails where there is no such member
        return is("transform", {{"output", "${{ input.missing }}"}});
      case 11:
        return is("transform", {{"output", value}});
      default:
        return is("orchestration", {{"workflow", kChildWorkflows[chance_.below(5)]},
                                    {"input", json::Object{{"n", 4}, {"v", value}}}});
    }
  }

  json::Array approvers() {
    json::Array some;
    for (std::uint64_t n = 0; n < kPersons; ++n) {
      if (one_in(2) || (n + 1 == kPersons && some.empty())) some.emplace_back(person(n));
    }
    return some;
  }

  json::Object approval(const std::string& prompt) {
    json::Object config{{"prompt", prompt}, {"allow_self", one_in(3)}};
    if (one_in(2)) config.set("approvers", approvers());
    const json::Value* who = config.find("approvers");
    if (one_in(2)) config.set("quorum", who != nullptr && who->as_array().size() < 2 ? 1 : 2);
    if (one_in(3)) config.set("on_reject", "continue");
    if (one_in(4)) return config;
    config.set("timeout_seconds", static_cast<std::int64_t>(1 + chance_.below(60)));
    static constexpr const char* kEnds[] = {"fail", "reject", "approve", "escalate"};
    const std::uint64_t end = chance_.below(4);
    config.set("on_timeout", kEnds[end]);
    if (end < 3) return config;
    json::Object escalate{{"approvers", approvers()}};
    if (one_in(2)) {
      escalate.set("timeout_seconds", static_cast<std::int64_t>(1 + chance_.below(60)));
      escalate.set("on_timeout", kEnds[chance_.below(3)]);
    }
    config.set("escalate", std::move(escalate));
    return config;
  }

  void choose_options(json::Object& step, const json::Array& dependencies) {
    const std::string type = step.find("type")->as_string();
    const bool calls = type == "webhook" || type == "llm_inference" || type == "tool_call";
    if (calls && one_in(4)) step.set("on_crash", "fail");
    if (calls && one_in(3))
      step.set("timeout_seconds", static_cast<std::int64_t>(1 + chance_.below(20)));
    if ((calls || type == "agent") && one_in(3)) {
      step.set("retry",
               json::Object{{"max_attempts", static_cast<std::int64_t>(1 + chance_.below(4))},
                            {"initial_delay_ms", one_in(3) ? 0 : 2'000}});
    }
    if (type == "approval" && one_in(4)) {
      step.set("retry", json::Object{{"max_attempts", 2},
                                     {"retry_on", json::Array{one_in(2) ? "APPROVAL_TIMEOUT"
                                                                        : "APPROVAL_REJECTED"}}});
    }
    if (type == "webhook" && one_in(8)) step.set("output_schema", json::Object{{"type", "string"}});
    if (type == "orchestration" && one_in(3)) {
      step.set("retry",
               json::Object{{"max_attempts", 2}, {"retry_on", json::Array{"CHILD_FAILED"}}});
    }
    if (type == "orchestration" && one_in(4))
      step.set("timeout_seconds", static_cast<std::int64_t>(1 + chance_.below(20)));
    if (!dependencies.empty() && one_in(5)) {
      step.set("condition", "steps." + dependencies.front().as_string() + ".status == 'completed'");
    }
    if (one_in(4)) step.set("on_failure", one_in(2) ? "skip" : "continue");
    const bool may_have_items = type != "decision" && type != "wait" && type != "approval";
    if (may_have_items && one_in(5)) choose_items(step);
    if (one_in(5)) choose_undoing(step);
  }

  void choose_items(json::Object& step) {
    static const char* const kLists[] = {"[1, 2, 3].map(x, x * input.n)", "input.list", "[]",
                                         "input.list.filter(x, x > input.n)"};
    step.set("for_each", kLists[chance_.below(4)]);
    step.set("max_parallel", static_cast<std::int64_t>(1 + chance_.below(4)));
  }

  void choose_undoing(json::Object& step) {
    json::Object undo{{"type", "webhook"},
                      {"config", json::Object{{"url", "https://example.com/undo"}}}};
    if (one_in(3)) {
      undo.set("type", "transform");
      undo.set("config", json::Object{{"output", one_in(3) ? "${{ input.missing }}" : "undone"}});
    } else if (one_in(4)) {
      undo.set("type", "agent");
      undo.set("agent_id", agent_.uuid());
      undo.set("config", json::Object{{"action", "undo"}});
    } else if (one_in(4)) {
      undo.set("on_crash", "fail");
    }
    step.set("compensate", std::move(undo));
  }

  /// Puts the step on a branch of one or two of the decisions that it depends on.
  void choose_branch(const std::string& name, const json::Array& dependencies) {
    for (json::Object& decision : steps_) {
      const bool is_decision = decision.find("type")->as_string() == "decision";
      const bool depends = std::find(dependencies.begin(), dependencies.end(),
                                     *decision.find("name")) != dependencies.end();
      if (!is_decision || !depends || one_in(3)) continue;
      json::Value config = *decision.find("config");
      const json::Value* known = config.find("branches");
      json::Value branches = known == nullptr ? json::Value(json::Object()) : *known;
      const char* label = one_in(3) ? "high" : one_in(2) ? "none" : "low";
      json::Array on =
          branches.find(label) == nullptr ? json::Array() : branches.find(label)->as_array();
      on.emplace_back(name);
      branches.set(label, std::move(on));
      config.set("branches", std::move(branches));
      decision.set("config", std::move(config));
    }
  }

  SeededRng& chance_;
  const AgentId agent_;
  const bool is_child_;
  std::vector<json::Object> steps_;
};

/// An agent by itself: with a model and a tool, or without a model, for a worker.
inline json::Value random_agent_run(SeededRng& chance, AgentId agent) {
  const bool has_model = chance.below(3) > 0;
  return workflow::make_agent_plan(
      json::Object{{agent.uuid(), json::Object{{"model", has_model ? "m" : ""},
                                               {"instructions", "be brief"},
                                               {"tools", json::Array{"look"}},
                                               {"scopes", json::Array{}}}}},
      json::Object{{"look", json::Object{{"name", "look"}}}});
}

}  // namespace avow::engine
