// SPDX-License-Identifier: Apache-2.0
// What undoes the steps of a run that fails or is cancelled later.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "json/write.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using ::testing::ElementsAre;
using testing::EngineWorld;
using testing::fail;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

/// Two bookings, each with what undoes it, and a payment that fails.
constexpr std::string_view kTravel = R"([
  {"name":"hotel","type":"webhook","config":{"url":"https://example.com/hotel"},
   "compensate":{"type":"webhook","config":{"url":"https://example.com/undo","body":"${{ steps.hotel.result.body }}"}}},
  {"name":"flight","type":"webhook","depends_on":["hotel"],"config":{"url":"https://example.com/flight"},
   "compensate":{"name":"unbook","type":"webhook","config":{"url":"https://example.com/undo"}}},
  {"name":"pay","type":"webhook","depends_on":["flight"],"config":{"url":"https://example.com/pay"}}])";

std::string url_of(const Call& call) { return call.request.find("spec")->string_or("url"); }

ScriptedRunner::Answer payment_fails(const Call& call) {
  if (url_of(call).ends_with("/pay")) return fail("HTTP_402", "");
  return succeed(json::Object{{"body", call.id.step}}, Duration(100));
}

std::vector<std::string> made(const EngineWorld& world) {
  std::vector<std::string> out;
  for (const Call& call : world.runner.made) out.push_back(call.id.step);
  return out;
}

TEST(Undoing, GoesInTheReverseOrderOfCompletionAndThenTheRunFails) {
  EngineWorld world(payment_fails);
  const auto run = world.start(plan_of(kTravel));
  world.scheduler.run_for(std::chrono::seconds(10));
  const History history = world.history(run.id);
  const RunState& state = history.machine.state();
  EXPECT_EQ(state.status, RunStatus::kFailed);
  EXPECT_EQ(state.error_code, "HTTP_402");
  EXPECT_EQ(state.error_step, "pay");
  EXPECT_THAT(made(world), ElementsAre("hotel", "flight", "pay", "unbook", "compensate_hotel"));
  const json::Value* undone =
      history.contents.find({state.find_step("compensate_hotel")->input.ref});
  EXPECT_EQ(undone->string_or("body"), "hotel");
}

TEST(Undoing, IsDoneBeforeARunIsCancelled) {
  EngineWorld world([](const Call& call) {
    return succeed(json::Object{{"body", 1}},
                   url_of(call).ends_with("/pay") ? Duration(60'000) : Duration(100));
  });
  const auto run = world.start(plan_of(kTravel));
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto answer = world.tell(run.id, CancelRequested{"key:test", ""});
  world.scheduler.run_for(Duration(50));
  EXPECT_EQ((**answer)->status, RunStatus::kRunning);
  EXPECT_EQ(world.runner.cancelled.size(), 1U);
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCancelled);
  EXPECT_THAT(made(world), ElementsAre("hotel", "flight", "pay", "unbook", "compensate_hotel"));
}

TEST(Undoing, HasTimeOfItsOwnWhenTheRunsIsOver) {
  EngineWorld world([](const Call& call) {
    return succeed(json::Object{{"body", 1}},
                   url_of(call).ends_with("/pay") ? Duration(60'000) : Duration(2'000));
  });
  const auto run = world.start(plan_of(kTravel), [](Start& start) { start.timeout_seconds = 5; });
  world.scheduler.run_for(std::chrono::seconds(20));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().error_code, "TIMEOUT");
  EXPECT_EQ(history.machine.state().find_step("compensate_hotel")->status, StepStatus::kCompleted);
}

TEST(Undoing, GoesOnOverWhatCannotBeUndone) {
  EngineWorld world([](const Call& call) {
    if (call.id.step == "unbook" || call.id.step == "pay") return fail("HTTP_400", "");
    return succeed(json::Object{{"body", 1}});
  });
  const auto run = world.start(plan_of(kTravel));
  world.scheduler.run_for(std::chrono::seconds(10));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(history.machine.state().error_step, "pay");
  EXPECT_EQ(history.machine.state().find_step("unbook")->status, StepStatus::kFailed);
  EXPECT_EQ(history.machine.state().find_step("compensate_hotel")->status, StepStatus::kCompleted);
}

TEST(Undoing, GoesOnAfterACrashAtAnyMoment) {
  for (int crash_at = 0; crash_at < 1'000; crash_at += 20) {
    EngineWorld world(payment_fails);
    const auto run = world.start(plan_of(kTravel));
    world.scheduler.run_for(Duration(crash_at));
    world.crash_and_restart();
    if (!world.store.get_run(run.id)) continue;
    world.scheduler.run_for(std::chrono::seconds(30));
    const History history = world.history(run.id);
    EXPECT_EQ(history.machine.state().error_code, "HTTP_402") << crash_at;
    for (const char* undo : {"unbook", "compensate_hotel"}) {
      EXPECT_EQ(history.machine.state().find_step(undo)->status, StepStatus::kCompleted)
          << crash_at;
    }
  }
}

TEST(Undoing, IsOfCompletedStepsOnlyAndOfNoneInARunThatCompletes) {
  EngineWorld world([](const Call& call) {
    if (url_of(call).ends_with("/flight")) return fail("HTTP_400", "");
    return succeed(json::Object{{"body", 1}});
  });
  const auto failed = world.start(plan_of(kTravel));
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_THAT(made(world), ElementsAre("hotel", "flight", "compensate_hotel"));
  EngineWorld calm([](const Call&) { return succeed(json::Object{{"body", 1}}); });
  const auto run = calm.start(plan_of(kTravel));
  calm.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(calm.store.get_run(run.id)->status, RunStatus::kCompleted);
  EXPECT_THAT(made(calm), ElementsAre("hotel", "flight", "pay"));
}

TEST(Undoing, CountsInNoLimit) {
  EngineWorld world([](const Call&) { return succeed(json::Object{{"body", 1}}); });
  const auto run = world.start(plan_of(kTravel), [](Start& start) { start.max_steps = 2; });
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "MAX_STEPS_EXCEEDED");
  EXPECT_THAT(made(world), ElementsAre("hotel", "flight", "unbook", "compensate_hotel"));
}

}  // namespace
}  // namespace avow::engine
