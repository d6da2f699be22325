// SPDX-License-Identifier: Apache-2.0
// Pausing and resuming: what stops, what goes on, and whose time stands still.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "engine/engine.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using std::chrono::seconds;
using ::testing::Contains;
using testing::EngineWorld;
using ::testing::Not;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

/// Every call takes ten seconds.
ScriptedRunner::Answer slow(const Call& call) {
  return succeed(json::Object{{"status", 200}, {"text", call.id.key()}}, seconds(10));
}

const char* kCallThenWait =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}},
        {"name":"nap","type":"wait","depends_on":["call"],"config":{"seconds":30}}])";

class Pausing : public ::testing::Test {
 protected:
  RunId start(const char* steps, std::int64_t timeout_seconds = 300) {
    const auto run = world_.start(plan_of(steps, R"({"timeout_seconds":3600})"),
                                  [&](Start& start) { start.timeout_seconds = timeout_seconds; });
    world_.scheduler.run_due();
    return run.id;
  }
  Result<Outcome> tell(RunId run, Input input) {
    const auto answer = world_.tell(run, std::move(input));
    world_.scheduler.run_due();
    CHECK(answer->has_value());
    return **answer;
  }
  void pause(RunId run) { ASSERT_TRUE(tell(run, PauseRequested{"key:test", "look"})); }
  void resume(RunId run) { ASSERT_TRUE(tell(run, ResumeRequested{"key:test", ""})); }
  RunStatus status(RunId run) { return world_.history(run).machine.state().status; }
  StepState step(RunId run, std::string_view name) {
    return *world_.history(run).machine.state().find_step(name);
  }

  EngineWorld world_{slow};
};

TEST_F(Pausing, LetsWhatIsUnderWayEndAndStartsNothing) {
  const RunId run = start(kCallThenWait);
  pause(run);
  EXPECT_EQ(world_.engine->figures().runs_loaded, 1U) << "its call is under way";
  world_.scheduler.run_for(seconds(100));
  EXPECT_EQ(step(run, "call").status, StepStatus::kCompleted);
  EXPECT_EQ(step(run, "nap").status, StepStatus::kPending);
  EXPECT_EQ(world_.history(run).machine.waiting_for(), "paused");
  EXPECT_EQ(world_.store.get_run(run)->wake_at, std::nullopt);
  EXPECT_EQ(world_.engine->figures().runs_loaded, 0U);
  resume(run);
  EXPECT_EQ(step(run, "nap").status, StepStatus::kWaiting);
  world_.scheduler.run_for(seconds(30));
  EXPECT_EQ(status(run), RunStatus::kCompleted);
}

TEST_F(Pausing, StopsTheTimeOfTheRunAndOfItsWaits) {
  const RunId run = start(R"([{"name":"nap","type":"wait","config":{"seconds":30}}])", 40);
  world_.scheduler.run_for(seconds(20));
  pause(run);
  world_.scheduler.run_for(seconds(1'000));
  world_.crash_and_restart();
  world_.scheduler.run_for(seconds(1'000));
  EXPECT_EQ(status(run), RunStatus::kRunning);
  resume(run);
  world_.scheduler.run_for(seconds(9));
  EXPECT_EQ(step(run, "nap").status, StepStatus::kWaiting);
  world_.scheduler.run_for(seconds(1));
  EXPECT_EQ(status(run), RunStatus::kCompleted);
}

TEST_F(Pausing, LeavesTheRunTheTimeItHad) {
  const RunId run = start(R"([{"name":"nap","type":"wait","config":{"seconds":200}}])", 60);
  world_.scheduler.run_for(seconds(20));
  pause(run);
  world_.scheduler.run_for(seconds(1'000));
  resume(run);
  world_.scheduler.run_for(seconds(39));
  EXPECT_EQ(status(run), RunStatus::kRunning);
  world_.scheduler.run_for(seconds(1));
  EXPECT_EQ(world_.history(run).machine.state().error_code, "TIMEOUT");
}

TEST_F(Pausing, IsSaidOnceAndNotOfARunThatIsOver) {
  const RunId run = start(kCallThenWait);
  resume(run);
  pause(run);
  const auto events = world_.event_types(run);
  pause(run);
  EXPECT_EQ(world_.event_types(run), events);
  resume(run);
  world_.scheduler.run_for(seconds(60));
  ASSERT_EQ(status(run), RunStatus::kCompleted);
  const auto paused = tell(run, PauseRequested{"key:test", ""});
  ASSERT_FALSE(paused.has_value());
  EXPECT_EQ(paused.error().code, Code::kConflict);
  EXPECT_FALSE(tell(run, ResumeRequested{"key:test", ""}).has_value());
}

TEST_F(Pausing, LeavesTheRunToACancel) {
  const RunId run = start(kCallThenWait);
  pause(run);
  ASSERT_TRUE(tell(run, CancelRequested{"key:test", ""}));
  EXPECT_EQ(status(run), RunStatus::kCancelled);
}

TEST_F(Pausing, TakesADecisionAndStartsNothingOfIt) {
  const RunId run =
      start(R"([{"name":"ask","type":"approval","config":{"prompt":"?","timeout_seconds":60}},
                {"name":"then","type":"transform","depends_on":["ask"],"config":{"output":1}}])");
  pause(run);
  world_.scheduler.run_for(seconds(100));
  ASSERT_TRUE(tell(run, ApprovalDecided{.step = "ask",
                                        .actor = "key:somebody",
                                        .agents = {},
                                        .approves = true,
                                        .comment = {},
                                        .subject_digest = {}}));
  EXPECT_EQ(step(run, "ask").status, StepStatus::kCompleted);
  EXPECT_EQ(step(run, "then").status, StepStatus::kPending);
  resume(run);
  EXPECT_EQ(status(run), RunStatus::kCompleted);
}

TEST_F(Pausing, RecordsDoubtAndCallsAgainOnlyWhenResumed) {
  const RunId run = start(kCallThenWait);
  world_.scheduler.run_for(seconds(1));
  pause(run);
  for (int i = 0; i < 3; ++i) world_.crash_and_restart();
  world_.scheduler.run_for(seconds(100));
  EXPECT_THAT(world_.event_types(run), Contains("effect.in_doubt call"));
  EXPECT_EQ(world_.runner.made.size(), 1U);
  resume(run);
  ASSERT_EQ(world_.runner.made.size(), 2U);
  EXPECT_EQ(world_.runner.made[0].id, world_.runner.made[1].id);
  world_.scheduler.run_for(seconds(60));
  EXPECT_EQ(status(run), RunStatus::kCompleted);
}

TEST_F(Pausing, KeepsTasksFromWorkersUntilItIsResumed) {
  const RunId run = start(
      R"([{"name":"work","type":"agent","config":{"action":"do"}},
          {"name":"more","type":"agent","config":{"action":"do"}}])");
  const auto poll = [&] {
    std::vector<TakenTask> taken;
    world_.engine->poll_tasks(world_.agent, 1, world_.scheduler.now(), "key:worker", {},
                              [&taken](std::vector<TakenTask> tasks) { taken = std::move(tasks); });
    world_.scheduler.run_for(seconds(1));
    return taken;
  };
  const auto held = poll();
  ASSERT_EQ(held.size(), 1U);
  pause(run);
  EXPECT_TRUE(poll().empty());
  world_.scheduler.run_for(seconds(5));
  const TaskName name{held[0].grant.step, 1, {}};
  const std::string hash = to_hex(view_of(crypto::sha256(held[0].lease_token)));
  ASSERT_TRUE(tell(run, TaskFinished{name, hash, json::Value("done")}));
  EXPECT_EQ(step(run, held[0].grant.step).status, StepStatus::kCompleted);
  world_.crash_and_restart();
  EXPECT_TRUE(poll().empty());
  resume(run);
  EXPECT_EQ(poll().size(), 1U);
}

TEST_F(Pausing, DoesNotOfferATaskWhoseLeaseEndedMeanwhile) {
  const RunId run = start(R"([{"name":"work","type":"agent","config":{"action":"do"}}])");
  const auto poll = [&] {
    std::size_t taken = 0;
    world_.engine->poll_tasks(
        world_.agent, 1, world_.scheduler.now(), "key:worker", {},
        [&taken](const std::vector<TakenTask>& tasks) { taken = tasks.size(); });
    world_.scheduler.run_for(seconds(1));
    return taken;
  };
  ASSERT_EQ(poll(), 1U);
  pause(run);
  world_.scheduler.run_for(seconds(100));
  EXPECT_EQ(poll(), 0U);
  EXPECT_EQ(world_.engine->figures().tasks, 0U);
  resume(run);
  EXPECT_EQ(poll(), 1U);
}

TEST(PausedInference, MakesItsNextCallWhenItIsResumed) {
  int model_calls = 0;
  EngineWorld world([&model_calls](const Call& call) {
    if (call.kind == CallKind::kTool) return succeed("found", seconds(10));
    json::Value said = json::Object{{"text", "done"}, {"finish_reason", "stop"}};
    if (model_calls++ == 0) {
      said.set("tool_calls", json::Array{json::Object{
                                 {"id", "1"}, {"name", "look"}, {"arguments", json::Object()}}});
    }
    return succeed(std::move(said), seconds(10));
  });
  const RunId run = world
                        .start(plan_of(
                                   R"([{"name":"think","type":"llm_inference",
                   "config":{"model":"m","prompt":"p","tools":["look"]}}])",
                                   "{}", "{}", R"({"look":{"name":"look"}})"),
                               [](Start& start) { start.timeout_seconds = 300; })
                        .id;
  world.scheduler.run_due();
  for (std::size_t calls = 1; calls <= 3; ++calls) {
    ASSERT_EQ(world.runner.made.size(), calls);
    world.tell(run, PauseRequested{"key:test", ""});
    world.scheduler.run_for(seconds(100));
    EXPECT_EQ(world.runner.made.size(), calls);
    EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
    world.crash_and_restart();
    world.tell(run, ResumeRequested{"key:test", ""});
    world.scheduler.run_due();
  }
  EXPECT_EQ(world.history(run).machine.state().status, RunStatus::kCompleted);
}

TEST(PausedInference, FallsBackWhenItIsResumed) {
  EngineWorld world([](const Call& call) {
    const json::Value* spec = call.request.find("spec");
    if (spec->string_or("model") == "m") return testing::fail("HTTP_400", "", seconds(10));
    return succeed(json::Object{{"text", "done"}, {"finish_reason", "stop"}});
  });
  const RunId run = world
                        .start(plan_of(R"([{"name":"think","type":"llm_inference",
                                            "config":{"model":"m","prompt":"p","fallback_models":["n"]}}])"),
                               [](Start& start) { start.timeout_seconds = 300; })
                        .id;
  world.scheduler.run_due();
  world.tell(run, PauseRequested{"key:test", ""});
  world.scheduler.run_for(seconds(100));
  EXPECT_EQ(world.runner.made.size(), 1U);
  EXPECT_THAT(world.event_types(run), Contains("effect.failed think"));
  EXPECT_THAT(world.event_types(run), Not(Contains("step.failed think")));
  world.tell(run, ResumeRequested{"key:test", ""});
  world.scheduler.run_for(seconds(1));
  EXPECT_EQ(world.runner.made.size(), 2U);
  EXPECT_EQ(world.history(run).machine.state().status, RunStatus::kCompleted);
}

}  // namespace
}  // namespace avow::engine
