// SPDX-License-Identifier: Apache-2.0
// Models that ask for more than they should, and what the journal shows of what they say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::EngineWorld;
using testing::plan_of;
using testing::succeed;

const char* kAsk =
    R"([{"name":"ask","type":"llm_inference","config":{"model":"m","prompt":"go","tools":["look"]}}])";
const char* kTools = R"({"look":{"name":"look"}})";

/// A model that asks for `count` calls of `tool` at once, and is content with what it hears.
testing::ScriptedRunner::Script greedy_model(std::size_t count, std::string tool) {
  return [count, tool](const Call& call) {
    if (call.kind == CallKind::kTool) return succeed(json::Object{{"n", 1}});
    if (call.request.find("spec")->find("messages")->as_array().size() > 1)
      return succeed(json::Object{{"text", "done"}, {"finish_reason", "stop"}});
    json::Array asked;
    for (std::size_t i = 0; i < count; ++i) {
      asked.emplace_back(
          json::Object{{"id", std::to_string(i)}, {"name", tool}, {"arguments", json::Object()}});
    }
    return succeed(json::Object{
        {"text", ""}, {"finish_reason", "tool_calls"}, {"tool_calls", std::move(asked)}});
  };
}

std::string error_code_of(EngineWorld& world, RunId run) {
  return world.history(run).machine.state().error_code;
}

TEST(Chat, HearsOfEveryToolThatThereIsNot) {
  EngineWorld world(greedy_model(kToolCallsPerAnswerMax, "nothing"));
  const auto run = world.start(plan_of(kAsk, "{}", "{}", kTools));
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kCompleted);
  EXPECT_EQ(history.machine.state().find_step("ask")->calls.size(), kToolCallsPerAnswerMax + 2);
  EXPECT_EQ(world.runner.made.size(), 2U);
}

TEST(Chat, RefusesAnAnswerThatAsksForTooManyTools) {
  for (const char* tool : {"nothing", "look"}) {
    EngineWorld world(greedy_model(20'000, tool));
    const auto run = world.start(plan_of(kAsk, "{}", "{}", kTools));
    world.scheduler.run_for(std::chrono::seconds(1));
    EXPECT_EQ(error_code_of(world, run.id), "TOOL_CALLS_LIMIT");
    EXPECT_LT(world.events(run.id).size(), 10U);
  }
}

TEST(Chat, RefusesAnAnswerThatAsksForTooManyToolsInAnAgentsOwnRun) {
  EngineWorld world(greedy_model(kToolCallsPerAnswerMax + 1, "look"));
  json::Object agents;
  agents.set(world.agent.uuid(),
             testing::parsed(R"({"model":"m","instructions":"","tools":["look"],"scopes":[]})"));
  const auto run = world.start(workflow::make_agent_plan(agents, testing::parsed(kTools)));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(error_code_of(world, run.id), "TOOL_CALLS_LIMIT");
}

// DESIGN.md, section 4: what a model (or who stands in for it) says is content.
TEST(Chat, ShowsInTheJournalTheModelThatWasAskedAndNotWhatThePeerCallsIt) {
  EngineWorld world([](const Call&) -> testing::ScriptedRunner::Answer {
    return {CallResult{
        json::Object{{"text", "hi"}, {"finish_reason", "stop"}}, {}, 0, "John Doe, 1 Main Street"}};
  });
  const auto run = world.start(plan_of(kAsk, "{}", "{}", kTools));
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto record = world.store.read_run(run.id);
  for (const store::Segment& segment : record->journal) {
    const auto events = provenance::decode_journal(segment.bytes);
    ASSERT_TRUE(events);
    for (const std::string& bytes : *events)
      EXPECT_EQ(bytes.find("John"), std::string::npos) << bytes;
  }
  const History history = world.history(run.id);
  const ContentRef said = history.machine.state().find_step("ask")->calls.front().result;
  EXPECT_EQ(history.contents.find(said)->string_or("model"), "John Doe, 1 Main Street");
}

TEST(Chat, EndsARunWhoseCallsBringTooMuchBeforeItsStepEnds) {
  EngineWorld world(greedy_model(1, "look"));
  const auto plan = workflow::Plan::compile(plan_of(kAsk, "{}", "{}", kTools));
  ASSERT_TRUE(plan);
  Machine machine(RunId{Id{1, 1}}, world.tenant, std::make_shared<PlanIndex>(*plan));
  Contents contents;
  const auto react = [&](const Input& input, std::size_t bytes) {
    return machine.react(input, Turn{.now = world.scheduler.now(),
                                     .random = {},
                                     .contents = contents,
                                     .contents_bytes = bytes,
                                     .slots = 1,
                                     .directory = world.directory,
                                     .runner = world.runner});
  };
  Start start;
  start.at = world.scheduler.now();
  const Reaction first = react(start, 0);
  ASSERT_EQ(first.calls.size(), 1U);
  const auto answer = greedy_model(1, "look")(first.calls.front());
  react(CallFinished{first.calls.front().id, 1, answer.outcome}, kContentsBytesMax);
  EXPECT_EQ(machine.state().error_code, "CONTENTS_LIMIT");
}

}  // namespace
}  // namespace avow::engine
