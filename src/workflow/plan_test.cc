// SPDX-License-Identifier: Apache-2.0
#include "workflow/plan.h"

#include "base/rng.h"
#include "json/pointer.h"
#include "workflow/catalog_for_tests.h"
#include "workflow/check/graph.h"

namespace avow::workflow {
namespace {

std::shared_ptr<const Plan> compiled(const json::Value& plan) {
  auto outcome = Plan::compile(plan);
  EXPECT_TRUE(outcome.has_value()) << (outcome ? "" : outcome.error().message);
  return outcome ? *outcome : nullptr;
}

json::Value plan_of(const json::Value& body) {
  return make_plan(normalised(body).body, json::Object(), json::Object());
}

TEST(Plan, CompilesAWholeDefinition) {
  const json::Value agents = json::Object{
      {kAgentUuid, read(R"({"model": "avow/echo", "instructions": "Be brief.", "tools": ["t"],
                            "scopes": ["tools:invoke"]})")}};
  const json::Value tools = json::Object{{"search_cases", read(R"({"name": "search_cases"})")}};
  const auto plan = compiled(make_plan(normalised(review_definition()).body, agents, tools));
  ASSERT_NE(plan, nullptr);
  std::vector<std::string> order;
  for (const Step& step : plan->steps)
    order.push_back(step.name + ":" + std::to_string(step.level));
  EXPECT_EQ(order, (std::vector<std::string>{"extract:0", "screen:1", "known:1", "decide:2",
                                             "tell:3", "cool_down:3", "ask:4", "report:5"}));
  EXPECT_EQ(plan->model, "avow/echo");
  EXPECT_EQ(plan->agent->uuid(), kAgentUuid);
  EXPECT_EQ(plan->timeout_seconds, 900);
  EXPECT_EQ(plan->max_steps, 20);
  ASSERT_TRUE(plan->output.has_value());
  EXPECT_EQ(plan->find_agent(*plan->agent)->instructions, "Be brief.");
  EXPECT_EQ(plan->find_agent(AgentId{}), nullptr);
  EXPECT_NE(plan->tools.find("search_cases"), nullptr);

  const Step& extract = plan->steps[0];
  EXPECT_EQ(extract.timeout, std::chrono::seconds(60));
  EXPECT_TRUE(extract.output_schema.has_value());
  EXPECT_EQ(extract.retry.max_attempts, 3);
  EXPECT_EQ(extract.dependents, (std::vector<std::size_t>{1, 2}));
  EXPECT_TRUE(plan->steps[1].rules.has_value());
  EXPECT_EQ(plan->steps[1].config.source(),
            read(R"({"content": "${{ steps.extract.result.text }}", "on_violation": "redact"})"));
  EXPECT_EQ(plan->steps[2].on_failure, OnFailure::kContinue);

  const Step& decide = plan->steps[3];
  ASSERT_EQ(decide.cases.size(), 1U);
  EXPECT_EQ(decide.cases[0].then, "accept");
  EXPECT_EQ(decide.default_decision, "escalate");
  EXPECT_EQ(decide.config.source(), read("{}"));
  EXPECT_EQ(decide.dependencies, (std::vector<std::size_t>{1, 2}));

  const Step& tell = plan->steps[4];
  ASSERT_EQ(tell.gates.size(), 1U);
  EXPECT_EQ(tell.gates[0].decision, 3U);
  EXPECT_EQ(tell.gates[0].label, "accept");
  EXPECT_EQ(tell.config.secrets().size(), 2U);
  EXPECT_TRUE(plan->steps[7].gates.empty());

  const Step& ask = plan->steps[6];
  EXPECT_EQ(ask.action, "review");
  EXPECT_EQ(ask.agent->uuid(), kAgentUuid);
  EXPECT_EQ(ask.on_crash, OnCrash::kFail);
  EXPECT_EQ(ask.retry.max_attempts, 5);
  EXPECT_EQ(ask.retry.retry_on, (std::vector<std::string>{"TOOL_FAILED", "timeout"}));
  EXPECT_TRUE(ask.condition.has_value());
  EXPECT_EQ(plan->find("ask"), 6U);
  EXPECT_EQ(plan->find("nobody"), plan->steps.size());
}

TEST(Plan, OfAnAgentRunHasNoSteps) {
  const auto plan = compiled(make_agent_plan(json::Object(), json::Object()));
  ASSERT_NE(plan, nullptr);
  EXPECT_TRUE(plan->is_agent_run);
  EXPECT_TRUE(plan->steps.empty());
}

TEST(Plan, OfANewerVersionIsNotGuessed) {
  json::Value plan = plan_of(review_definition());
  plan.set("plan_version", kPlanVersion + 1);
  const auto outcome = Plan::compile(plan);
  ASSERT_FALSE(outcome.has_value());
  EXPECT_EQ(outcome.error().code, Code::kUnavailable);
}

// Oracle: the level by its recursive definition; every edge of the plan points backwards.
TEST(Plan, OrdersRandomGraphsByLevelThenAsDefined) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SeededRng rng(seed);
    const std::size_t count = 1 + rng.below(40);
    std::vector<std::size_t> shuffled(count);  // an edge goes from a later to an earlier of these
    for (std::size_t i = 0; i < count; ++i) shuffled[i] = i;
    for (std::size_t i = count; i-- > 1;) std::swap(shuffled[i], shuffled[rng.below(i + 1)]);
    std::vector<std::vector<std::size_t>> dependencies(count);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (rng.below(4) == 0) dependencies[shuffled[i]].push_back(shuffled[j]);
      }
    }
    json::Array steps;
    for (std::size_t i = 0; i < count; ++i) {
      json::Array names;
      for (const std::size_t d : dependencies[i]) names.emplace_back("s" + std::to_string(d));
      steps.push_back(json::Object{{"name", "s" + std::to_string(i)},
                                   {"type", "transform"},
                                   {"config", json::Object{{"output", 1}}},
                                   {"depends_on", names}});
    }
    const auto plan = compiled(plan_of(json::Object{{"name", "w"}, {"steps", steps}}));
    ASSERT_NE(plan, nullptr) << "seed " << seed;
    ASSERT_EQ(plan->steps.size(), count);
    const std::function<std::size_t(std::size_t)> level = [&](std::size_t i) {
      std::size_t out = 0;
      for (const std::size_t d : dependencies[i]) out = std::max(out, level(d) + 1);
      return out;
    };
    const auto defined = [&](std::size_t place) {
      return static_cast<std::size_t>(std::stoul(plan->steps[place].name.substr(1)));
    };
    for (std::size_t place = 0; place < count; ++place) {
      const Step& step = plan->steps[place];
      if (count <= 14) {
        EXPECT_EQ(step.level, level(defined(place))) << "seed " << seed;
      }
      std::set<std::size_t> wanted(dependencies[defined(place)].begin(),
                                   dependencies[defined(place)].end());
      for (const std::size_t d : step.dependencies) {
        EXPECT_LT(d, place) << "seed " << seed;
        EXPECT_LT(plan->steps[d].level, step.level) << "seed " << seed;
        EXPECT_EQ(wanted.erase(defined(d)), 1U) << "seed " << seed;
        const auto& back = plan->steps[d].dependents;
        EXPECT_EQ(std::count(back.begin(), back.end(), place), 1) << "seed " << seed;
      }
      EXPECT_TRUE(wanted.empty()) << "seed " << seed;
      if (place == 0) continue;
      const auto key = [&](std::size_t p) { return std::pair(plan->steps[p].level, defined(p)); };
      EXPECT_LT(key(place - 1), key(place)) << "seed " << seed;
    }
  }
}

// Every graph of four nodes, self-references included: a level exists exactly if no walk of four
// edges does (the adjacency matrix is nilpotent).
TEST(Graph, KnowsCyclesOfEveryGraphOfFourNodes) {
  for (unsigned bits = 0; bits < (1U << 16); ++bits) {
    Graph graph(4);
    std::array<std::array<bool, 4>, 4> power{};
    for (std::size_t i = 0; i < 4; ++i) {
      for (std::size_t j = 0; j < 4; ++j) {
        if ((bits >> (i * 4 + j) & 1U) == 0) continue;
        graph[i].push_back(j);
        power[i][j] = true;
      }
    }
    const auto edge = power;
    for (int n = 1; n < 4; ++n) {
      std::array<std::array<bool, 4>, 4> next{};
      for (std::size_t i = 0; i < 4; ++i) {
        for (std::size_t j = 0; j < 4; ++j) {
          for (std::size_t k = 0; k < 4; ++k)
            next[i][k] = next[i][k] || (power[i][j] && edge[j][k]);
        }
      }
      power = next;
    }
    bool has_walk = false;
    for (const auto& row : power)
      has_walk = has_walk || std::count(row.begin(), row.end(), true) > 0;
    ASSERT_EQ(levels(graph).has_value(), !has_walk) << bits;
    const auto found = cycles(graph);
    ASSERT_EQ(found.empty(), !has_walk) << bits;
    for (const auto& cycle : found) {
      for (std::size_t i = 0; i < cycle.size(); ++i) {
        ASSERT_TRUE(edge[cycle[i]][cycle[(i + 1) % cycle.size()]]) << bits;
      }
    }
  }
}

TEST(CheckRendered, HoldsARenderedConfigToItsType) {
  const auto first = [](StepType type, const char* config) {
    const Faults faults = check_rendered(type, read(config));
    return faults.empty() ? std::string() : faults.front().pointer + " " + faults.front().code;
  };
  EXPECT_EQ(first(StepType::kWait, R"({"seconds": "soon"})"), "/seconds WRONG_TYPE");
  EXPECT_EQ(first(StepType::kWait, R"({"seconds": 2.5})"), "");
  EXPECT_EQ(first(StepType::kWebhook, R"({"url": "ftp://x", "method": "POST"})"), "/url BAD_URL");
  EXPECT_EQ(first(StepType::kWebhook,
                  R"({"url": "https://x/", "method": "POST", "headers": {"X-A": "a\nb"}})"),
            "/headers/X-A BAD_HEADER");
  // Text that a caller wrote is no template here.
  EXPECT_EQ(first(StepType::kWebhook, R"({"url": "${{ input }}", "method": "POST"})"),
            "/url BAD_URL");
  EXPECT_EQ(first(StepType::kLlmInference, R"({"prompt": "write ${{ x", "max_tool_rounds": 8})"),
            "");
  EXPECT_EQ(first(StepType::kLlmInference, R"({"prompt": "p", "temperature": 3})"),
            "/temperature OUT_OF_RANGE");
  EXPECT_EQ(first(StepType::kToolCall, R"({"tool": "t", "arguments": [1]})"),
            "/arguments WRONG_TYPE");
  EXPECT_EQ(first(StepType::kDecision, "{}"), "");
  EXPECT_EQ(first(StepType::kDecision, R"({"prompt": "p"})"), "");
  EXPECT_EQ(first(StepType::kGuardrailCheck, R"({"content": {"a": 1}, "on_violation": "fail"})"),
            "");
}

}  // namespace
}  // namespace avow::workflow
