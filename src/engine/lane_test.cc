// SPDX-License-Identifier: Apache-2.0
// Lanes where the store fails, slots are short and timers are many.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::CommitFault;
using ::testing::Contains;
using ::testing::ElementsAre;
using testing::EngineWorld;
using testing::fail;
using testing::plan_of;
using testing::succeed;

const char* kWebhook =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])";

testing::ScriptedRunner::Answer answer_at_once(const Call&) {
  return succeed(json::Object{{"status", 200}});
}

/// `fault` for the first `count` commits from now on.
void fail_commits(EngineWorld& world, CommitFault fault, int count = 1) {
  world.faults.script = [fault, left = count](const store::Commit&) mutable {
    return left-- > 0 ? fault : CommitFault::kNone;
  };
}

RunStatus status_of(EngineWorld& world, RunId run) {
  return world.history(run).machine.state().status;
}

TEST(Lane, DoesNotMakeACallAgainWhoseAnswerItHolds) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world([](const Call&) {
      return succeed(json::Object{{"status", 200}}, std::chrono::seconds(1));
    });
    const auto run = world.start(plan_of(kWebhook));
    world.scheduler.run_for(Duration(500));
    fail_commits(world, fault, 3);
    world.scheduler.run_for(std::chrono::seconds(10));
    EXPECT_EQ(status_of(world, run.id), RunStatus::kCompleted);
    EXPECT_EQ(world.runner.made.size(), 1U) << "fault " << static_cast<int>(fault);
    EXPECT_THAT(world.event_types(run.id),
                ElementsAre("run.started", "step.started call", "effect.started call",
                            "step.completed call", "run.completed"));
  }
}

TEST(Lane, DoesNotRepeatACallInDoubtThatMustNotBeWhenTheFirstCommitAfterTheCrashFails) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(10)); });
    const auto run = world.start(plan_of(
        R"([{"name":"call","type":"webhook","on_crash":"fail","config":{"url":"https://example.com/"}}])"));
    world.scheduler.run_for(std::chrono::seconds(1));
    world.crash_and_restart();
    fail_commits(world, fault);
    world.scheduler.run_for(std::chrono::seconds(20));
    EXPECT_EQ(world.history(run.id).machine.state().error_code, "EFFECT_IN_DOUBT");
    EXPECT_EQ(world.runner.made.size(), 1U) << "fault " << static_cast<int>(fault);
  }
}

TEST(Lane, RecordsOneDoubtForOneCrashWhenTheFirstCommitAfterItFails) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(10)); });
    const auto run = world.start(plan_of(kWebhook));
    world.scheduler.run_for(std::chrono::seconds(1));
    world.crash_and_restart();
    fail_commits(world, fault);
    world.scheduler.run_for(std::chrono::seconds(20));
    EXPECT_EQ(status_of(world, run.id), RunStatus::kCompleted);
    EXPECT_EQ(world.history(run.id).machine.state().find_step("call")->crashes, 1);
    EXPECT_EQ(world.runner.made.size(), 2U) << "fault " << static_cast<int>(fault);
  }
}

// The deadline of the call passes while the process is away, so its timer is due before the run is
// resumed.
TEST(Lane, ATimerThatComesBeforeTheRecoveryHidesNoDoubt) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::hours(1)); });
  const auto run = world.start(plan_of(
      R"([{"name":"call","type":"webhook","on_crash":"fail","timeout_seconds":5,"config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  world.engine->crash();
  world.scheduler.drop_all();
  world.scheduler.run_for(std::chrono::minutes(1));
  world.faults.before_active_runs = [&world] { world.scheduler.run_due(); };
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_THAT(world.event_types(run.id), Contains("effect.in_doubt call"));
  EXPECT_EQ(world.runner.made.size(), 1U);
}

TEST(Lane, TellsWhoWaitsForTheEndAlsoWhenTheAnswerOfTheLastCommitIsLost) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, std::chrono::seconds(1)); });
  const auto run = world.start(plan_of(kWebhook));
  int told = 0;
  world.engine->watch(run.id, [&told](const auto&) { ++told; });
  world.scheduler.run_for(Duration(500));
  fail_commits(world, CommitFault::kLostButDone);
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(world.engine->figures().runs_completed, 1U);
}

TEST(Lane, OffersATaskAlsoWhenTheAnswerOfItsCommitIsLost) {
  EngineWorld world(answer_at_once);
  fail_commits(world, CommitFault::kLostButDone);
  const auto run = world.start(plan_of(R"([{"name":"work","type":"agent","agent_id":")" +
                                       world.agent.uuid() + R"(","config":{"action":"work"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.engine->figures().tasks, 1U);
  world.tell(run.id, CancelRequested{"key:test", {}});
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.engine->figures().tasks, 0U);
}

TEST(Lane, AnswersEachCallerOnceWhenTheStoreFails) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world(answer_at_once);
    fail_commits(world, fault);
    const auto run = world.start(plan_of(R"([{"name":"w","type":"wait","config":{"seconds":9}}])"));
    int answers = 0;
    world.engine->tell(run.id, CancelRequested{"key:test", {}}, {},
                       [&answers](const Result<Outcome>&) { ++answers; });
    world.scheduler.run_for(std::chrono::seconds(30));
    ASSERT_TRUE(run.answer->has_value());
    EXPECT_FALSE((*run.answer)->has_value());
    EXPECT_EQ(answers, 1);
    EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
    EXPECT_EQ(world.engine->figures().calls_in_flight, 0U);
    EXPECT_EQ(world.store.get_run(run.id).has_value(), fault == CommitFault::kLostButDone);
  }
}

TEST(Lane, TellsACallerThatAFullStoreIsUnavailable) {
  EngineWorld world(answer_at_once);
  fail_commits(world, CommitFault::kFull);
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  ASSERT_TRUE(run.answer->has_value());
  EXPECT_EQ((*run.answer)->error().code, Code::kUnavailable);
}

/// What an engine asked of its store while nothing could be written.
struct Asked {
  int commits = 0;
  int reads = 0;
};

/// Lets `world` run for `duration` with a store that refuses every commit.
Asked refuse_commits(EngineWorld& world, CommitFault fault, Duration duration) {
  Asked asked;
  world.faults.script = [&asked, fault](const store::Commit&) {
    ++asked.commits;
    return fault;
  };
  world.faults.is_read_refused = [&asked] {
    ++asked.reads;
    return false;
  };
  world.scheduler.run_for(duration);
  world.faults.script = {};
  world.faults.is_read_refused = {};
  return asked;
}

TEST(Lane, KeepsARunInMemoryAndTriesLessOftenWhileItsStatementCannotBeWritten) {
  for (const CommitFault fault : {CommitFault::kRefused, CommitFault::kFull}) {
    EngineWorld world([](const Call&) { return succeed({}, std::chrono::minutes(9)); });
    const auto run = world.start(
        plan_of(
            R"([{"name":"call","type":"webhook","timeout_seconds":900,"config":{"url":"https://example.com/"}}])"),
        [](Start& start) { start.timeout_seconds = 3'600; });
    world.scheduler.run_for(Duration(500));
    const Asked asked = refuse_commits(world, fault, std::chrono::minutes(8));
    EXPECT_EQ(asked.reads, 0);
    // After 1, 2, 4 ... 32 s, and then every minute.
    EXPECT_EQ(asked.commits, 13);
    world.scheduler.run_for(std::chrono::seconds(50));
    ASSERT_EQ(world.statements(run.id).size(), 1U) << "within a minute of the end of the fault";
    EXPECT_EQ(world.statements(run.id).front().type, provenance::StatementType::kRunOpen);
    world.scheduler.run_for(std::chrono::minutes(1));
    EXPECT_EQ(status_of(world, run.id), RunStatus::kCompleted);
    EXPECT_EQ(world.runner.made.size(), 1U);
  }
}

TEST(Lane, TakesWhatComesForARunWhoseStatementCouldNotBeWritten) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(20)); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(Duration(500));
  refuse_commits(world, CommitFault::kFull, std::chrono::seconds(1));
  const auto answer = world.tell(run.id, CancelRequested{"key:test", {}});
  world.scheduler.run_due();
  ASSERT_TRUE(answer->has_value() && (*answer)->has_value());
  EXPECT_EQ(status_of(world, run.id), RunStatus::kCancelled);
  EXPECT_EQ(world.statements(run.id).size(), 1U);
}

TEST(Lane, ReadsARunBackLessAndLessOftenWhileWhatCameCannotBeWritten) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(1)); });
  const auto run =
      world.start(plan_of(kWebhook), [](Start& start) { start.timeout_seconds = 3'600; });
  world.scheduler.run_for(Duration(500));
  const Asked asked = refuse_commits(world, CommitFault::kFull, std::chrono::minutes(8));
  EXPECT_LE(asked.reads, 60);
  EXPECT_LE(asked.commits, 61);
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(status_of(world, run.id), RunStatus::kCompleted);
  EXPECT_EQ(world.runner.made.size(), 1U);
}

TEST(Lane, SaysInTheRowHowManyBytesOfContentsThereAre) {
  EngineWorld world(answer_at_once);
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto record = world.store.read_run(run.id);
  ASSERT_TRUE(record);
  ASSERT_GE(record->contents.size(), 2U);
  std::int64_t bytes = 0;
  for (const store::Segment& segment : record->contents)
    bytes += static_cast<std::int64_t>(segment.bytes.size());
  EXPECT_EQ(testing::parsed(record->row.summary).int_or("contents_bytes", -1), bytes);
}

TEST(Lane, PassesASlotOnThatARunWaitedForAndNoLongerWants) {
  EngineWorld world(
      [](const Call& call) {
        return call.attempt == 1 && call.request.find("spec")->string_or("url").ends_with("retry")
                   ? fail("HTTP_503", "5xx")
                   : succeed(json::Object{{"status", 200}}, std::chrono::seconds(30));
      },
      1, {.steps_in_flight_per_tenant_max = 1, .steps_in_flight_max = 1});
  // The first fails and waits for its second attempt; meanwhile the slot goes to the next.
  const auto cancelled = world.start(plan_of(
      R"([{"name":"call","type":"webhook","retry":{"max_attempts":3,"initial_delay_ms":5000},"config":{"url":"https://example.com/retry"}}])"));
  world.scheduler.run_for(Duration(5));
  const auto busy = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(6));
  ASSERT_EQ(world.engine->figures().runs_waiting_for_slots, 1U);
  world.tell(cancelled.id, CancelRequested{"key:test", {}});
  const auto last = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  ASSERT_EQ(world.runner.made.size(), 2U);
  world.scheduler.run_for(std::chrono::minutes(2));
  EXPECT_EQ(status_of(world, busy.id), RunStatus::kCompleted);
  EXPECT_EQ(status_of(world, cancelled.id), RunStatus::kCancelled);
  EXPECT_EQ(status_of(world, last.id), RunStatus::kCompleted);
}

TEST(Lane, KeepsOneTimerForAllItsRuns) {
  EngineWorld world(answer_at_once);
  std::size_t waiting = 0;
  // Each round arms an earlier moment than the one that waits.
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 8; ++i)
      world.start(plan_of(R"([{"name":"w","type":"wait","config":{"seconds":3}}])"));
    world.scheduler.run_for(std::chrono::seconds(4));
    world.start(plan_of(R"([{"name":"w","type":"wait","config":{"seconds":200}}])"));
    world.scheduler.run_for(std::chrono::seconds(1));
    if (round == 9) waiting = world.scheduler.waiting();
  }
  EXPECT_LE(world.scheduler.waiting(), waiting + 8);
}

TEST(Lane, KeepsNothingInMemoryForAnswersThatComeTooLate) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, std::chrono::seconds(9)); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  world.tell(run.id, CancelRequested{"key:test", {}});
  world.scheduler.run_for(std::chrono::seconds(20));
  EXPECT_EQ(status_of(world, run.id), RunStatus::kCancelled);
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
}

}  // namespace
}  // namespace avow::engine
