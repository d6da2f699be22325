// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::EngineWorld;
using testing::plan_of;
using testing::ScriptedRunner;

/// A call reads 10 tokens and writes `max_tokens` at the worst; a token costs a cent.
class PricedWorld : public EngineWorld {
 public:
  explicit PricedWorld(std::int64_t written)
      : EngineWorld([written](const Call&) {
          const Usage usage{10, written};
          return ScriptedRunner::Answer{
              CallResult{json::Object{{"text", "x"}, {"finish_reason", "stop"}},
                         usage,
                         (10 + written) * 1'000'000,
                         {}},
              Duration(100)};
        }) {
    runner.worst = [](const json::Value& request) {
      const std::int64_t tokens = 10 + request.find("spec")->int_or("max_tokens", 0);
      return WorstCase{tokens, tokens * 1'000'000};
    };
  }
};

std::string three_calls(std::string_view depends) {
  return fmt::format(
      R"([{{"name":"a","type":"llm_inference","config":{{"model":"m","prompt":"p","max_tokens":90}}}},
          {{"name":"b","type":"llm_inference","depends_on":[{0}],"config":{{"model":"m","prompt":"p","max_tokens":90}}}},
          {{"name":"c","type":"llm_inference","depends_on":[{0}],"config":{{"model":"m","prompt":"p","max_tokens":90}}}}])",
      depends);
}

std::string error_of(EngineWorld& world, RunId run) {
  return world.history(run).machine.state().error_code;
}

TEST(Budget, IsReservedByTheWorstCaseOfCallsSideBySide) {
  PricedWorld world(5);
  const auto enough = world.start(plan_of(three_calls(""), R"({"budget":{"max_tokens":300}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.store.get_run(enough.id)->status, RunStatus::kCompleted);
  const auto too_little = world.start(plan_of(three_calls(""), R"({"budget":{"max_tokens":299}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(error_of(world, too_little.id), "BUDGET_EXCEEDED");
}

TEST(Budget, IsSettledByWhatACallCameTo) {
  PricedWorld world(5);
  // 15 used by the first, then two of at most 100 side by side.
  const auto run = world.start(plan_of(three_calls(R"("a")"), R"({"budget":{"max_tokens":215}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCompleted);
  const auto less = world.start(plan_of(three_calls(R"("a")"), R"({"budget":{"max_tokens":214}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(error_of(world, less.id), "BUDGET_EXCEEDED");
}

TEST(Budget, LimitsWhatARunCosts) {
  PricedWorld world(5);
  const auto run =
      world.start(plan_of(three_calls(R"("a")"), R"({"budget":{"max_cost_cents":214.5}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(error_of(world, run.id), "BUDGET_EXCEEDED");
  EXPECT_EQ(world.history(run.id).machine.state().error_step, "c");
}

TEST(Budget, StaysReservedOverACrash) {
  PricedWorld world(5);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"llm_inference","config":{"model":"m","prompt":"p","max_tokens":90}},
          {"name":"w","type":"wait","config":{"seconds":0.05}},
          {"name":"b","type":"llm_inference","depends_on":["w"],"config":{"model":"m","prompt":"p","max_tokens":90}}])",
      R"({"budget":{"max_tokens":199}})"));
  world.scheduler.run_for(Duration(20));
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(2));
  EXPECT_EQ(error_of(world, run.id), "BUDGET_EXCEEDED");
}

TEST(Budget, BoundsACallThatNamesNoBoundItself) {
  PricedWorld world(5);
  world.start(
      plan_of(R"([{"name":"a","type":"llm_inference","config":{"model":"m","prompt":"p"}}])",
              R"({"budget":{"max_tokens":100000}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  ASSERT_EQ(world.runner.made.size(), 1U);
  EXPECT_EQ(world.runner.made[0].request.find("spec")->int_or("max_tokens", 0), kBudgetedTokens);
}

}  // namespace
}  // namespace avow::engine
