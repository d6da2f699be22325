// SPDX-License-Identifier: Apache-2.0
// Who gets a slot when there are too few, and which runs are refused. Of the pool by itself tells
// slots_test.cc.
#include <gtest/gtest.h>

#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::EngineWorld;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

constexpr const char* kWebhook =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])";
constexpr const char* kWait = R"([{"name":"w","type":"wait","config":{"seconds":100}}])";

ScriptedRunner::Answer one_second(const Call&) {
  return succeed(json::Object{{"status", 200}}, Duration(1'000));
}

Code code_of(const EngineWorld::Started& started) {
  return started.answer->has_value() && !(*started.answer)->has_value()
             ? (*started.answer)->error().code
             : Code::kInternal;
}

TEST(Fairness, ATenantThatFloodsDoesNotTakeAnothersShare) {
  EngineWorld world(one_second, 1,
                    {.steps_in_flight_per_tenant_max = 100, .steps_in_flight_max = 10});
  const TenantId flood{Id{7, 7}};
  for (int i = 0; i < 500; ++i) world.start(plan_of(kWebhook), {}, flood);
  world.scheduler.run_for(Duration(10));
  std::vector<EngineWorld::Started> modest;
  for (int i = 0; i < 10; ++i) modest.push_back(world.start(plan_of(kWebhook)));
  // Of ten slots a second five are its own, so ten runs are through in three seconds and a bit.
  world.scheduler.run_for(Duration(3'500));
  for (const auto& run : modest)
    EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCompleted);
}

TEST(Fairness, TheUrgentRunGoesFirstAndThePriorityStandsInTheJournal) {
  EngineWorld world(one_second, 1, {.steps_in_flight_max = 1});
  for (int i = 0; i < 20; ++i) world.start(plan_of(kWebhook));
  world.scheduler.run_for(Duration(10));
  const auto urgent = world.start(plan_of(kWebhook), [](Start& start) { start.priority = 9; });
  world.scheduler.run_for(Duration(2'500));
  EXPECT_EQ(world.store.get_run(urgent.id)->status, RunStatus::kCompleted);
  EXPECT_EQ(world.history(urgent.id).machine.state().priority, 9);
  EXPECT_EQ(world.events(urgent.id).front().data.int_or("priority", -1), 9);
  world.scheduler.run_for(std::chrono::seconds(30));
  EXPECT_EQ(world.runner.made.size(), 21U);
}

TEST(Fairness, APriorityIsKeptOverACrash) {
  EngineWorld world(one_second, 1, {.steps_in_flight_max = 1});
  std::vector<EngineWorld::Started> patient;
  for (int i = 0; i < 5; ++i) patient.push_back(world.start(plan_of(kWebhook)));
  const auto urgent = world.start(plan_of(kWebhook), [](Start& start) { start.priority = 9; });
  world.scheduler.run_for(Duration(10));
  world.crash_and_restart();
  world.scheduler.run_for(Duration(3'500));  // what had left goes first
  EXPECT_EQ(world.store.get_run(urgent.id)->status, RunStatus::kCompleted);
  EXPECT_EQ(world.store.get_run(patient.back().id)->status, RunStatus::kRunning);
}

// A run that is parked holds no slot and little else, but it is counted, also by the next process.
TEST(Fairness, ATenantMayHaveOnlySoManyRunsThatHaveNotEnded) {
  EngineWorld world(one_second, 1, {.runs_unfinished_per_tenant_max = 3});
  std::vector<EngineWorld::Started> runs;
  for (int i = 0; i < 3; ++i) runs.push_back(world.start(plan_of(kWait)));
  world.scheduler.run_for(Duration(10));
  EXPECT_EQ(code_of(world.start(plan_of(kWait))), Code::kResourceExhausted);
  EXPECT_NE(code_of(world.start(plan_of(kWait), {}, TenantId{Id{7, 7}})), Code::kResourceExhausted);
  world.crash_and_restart();
  EXPECT_EQ(code_of(world.start(plan_of(kWait))), Code::kResourceExhausted);
  world.tell(runs.front().id, CancelRequested{"key:test", {}});
  world.scheduler.run_for(Duration(10));
  const auto next = world.start(plan_of(kWait));
  world.scheduler.run_for(Duration(10));
  EXPECT_TRUE(next.is_acknowledged());
  EXPECT_EQ(code_of(world.start(plan_of(kWait))), Code::kResourceExhausted);
}

TEST(Fairness, ARunThatWasNotWrittenIsNotCounted) {
  EngineWorld world(one_second, 1, {.runs_unfinished_per_tenant_max = 1});
  world.faults.script = [](const store::Commit&) { return testing::CommitFault::kFull; };
  const auto refused = world.start(plan_of(kWait));
  world.scheduler.run_for(Duration(10));
  EXPECT_EQ(code_of(refused), Code::kUnavailable);
  world.faults.script = {};
  const auto run = world.start(plan_of(kWait));
  world.scheduler.run_for(Duration(10));
  EXPECT_TRUE(run.is_acknowledged());
}

}  // namespace
}  // namespace avow::engine
