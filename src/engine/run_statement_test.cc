// SPDX-License-Identifier: Apache-2.0
// When a run is stated. What a statement says is compared with the journal, and its root with the
// recursive oracle's.
#include "engine/run_statement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/write.h"
#include "merkle/recursive_tree.h"
#include "provenance/members.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using provenance::Statement;
using testing::CommitFault;
using ::testing::ElementsAre;
using testing::EngineWorld;
using ::testing::IsEmpty;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

const char* kWebhook =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])";
const char* kWait = R"([{"name":"wait","type":"wait","config":{"seconds":300}}])";

void for_an_hour(Start& start) { start.timeout_seconds = 3'600; }

/// Answers every call after `delay`.
ScriptedRunner::Script after(Duration delay) {
  return [delay](const Call&) { return succeed(json::Object{{"status", 200}}, delay); };
}

/// What the log was told of a run: "run.open 3" covers its first three events.
std::vector<std::string> told(EngineWorld& world, RunId run) {
  std::vector<std::string> out;
  for (const Statement& statement : world.statements(run))
    out.push_back(
        fmt::format("{} {}", provenance::statement_type_name(statement.type), statement.events));
  return out;
}

Bytes32 root_of(EngineWorld& world, RunId run, std::size_t events) {
  std::vector<std::string> leaves;
  for (const Event& event : world.events(run)) leaves.push_back(provenance::encode(event));
  CHECK(events <= leaves.size());
  return merkle::oracle::root(std::span(leaves).first(events));
}

TEST(RunStatement, SaysOfAFinishedRunWhatItsJournalSays) {
  EngineWorld world(after(Duration(700)));
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(5));
  const auto statements = world.statements(run.id);
  ASSERT_EQ(statements.size(), 1U);
  const Statement& statement = statements.front();
  const auto events = world.events(run.id);
  Bytes32 plan{};
  ASSERT_TRUE(provenance::read_digest(events.front().data.find("plan"), plan));
  EXPECT_EQ(statement.type, provenance::StatementType::kRunFinished);
  EXPECT_EQ(statement.tenant, world.tenant);
  EXPECT_EQ(statement.status, "completed");
  EXPECT_EQ(statement.plan, plan);
  EXPECT_EQ(statement.workflow_digest, std::nullopt);
  EXPECT_EQ(statement.agent, world.agent);
  EXPECT_EQ(statement.events, events.size());
  EXPECT_EQ(statement.root, root_of(world, run.id, events.size()));
  EXPECT_EQ(statement.created_at, world.store.get_run(run.id)->created_at);
  EXPECT_EQ(statement.started_at, events.front().time);
  EXPECT_EQ(statement.completed_at, events.back().time);
}

TEST(RunStatement, ComesWithTheCommitThatEndsTheRun) {
  EngineWorld world(after(Duration(1)));
  const auto run = world.start(
      plan_of(R"([{"name":"a","type":"transform","config":{"output":"${{ input }}"}}])"));
  world.scheduler.run_due();
  EXPECT_EQ(world.store.figures().commits, 1U);
  EXPECT_THAT(told(world, run.id), ElementsAre("run.finished 4"));
}

TEST(RunStatement, OpensARunThatIsOneSecondOldAndNotBefore) {
  EngineWorld world(after(std::chrono::seconds(30)));
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(Duration(999));
  EXPECT_THAT(told(world, run.id), IsEmpty());
  world.scheduler.run_for(Duration(1));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
  const Statement open = world.statements(run.id).front();
  EXPECT_EQ(open.status, "running");
  EXPECT_EQ(open.root, root_of(world, run.id, 3));
  EXPECT_EQ(open.completed_at, std::nullopt);
  world.scheduler.run_for(std::chrono::seconds(30));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3", "run.finished 5"));
}

TEST(RunStatement, OpensARunAtOnceThatIsOfATimeToCome) {
  EngineWorld world(after(std::chrono::seconds(30)));
  // As after a restart on a clock that was set back.
  const auto run = world.start(plan_of(kWebhook), [&world](Start& start) {
    start.at = world.scheduler.now() + std::chrono::hours(1);
  });
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
}

TEST(RunStatement, OpensARunThatIsOneSecondOldWithItsNextCommitIfThereIsOne) {
  EngineWorld world(after(Duration(1000)));
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"webhook","config":{"url":"https://example.com/"}},
          {"name":"b","type":"webhook","depends_on":["a"],"config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(Duration(1500));
  EXPECT_EQ(told(world, run.id).size(), 1U);
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(told(world, run.id).back(), "run.finished 8");
}

TEST(RunStatement, CoversARunThatParksInTheSameCommit) {
  EngineWorld world(after(Duration(100)));
  const auto run = world.start(plan_of(
                                   R"([{"name":"first","type":"wait","config":{"seconds":300}},
          {"name":"call","type":"webhook","depends_on":["first"],"config":{"url":"https://example.com/"}},
          {"name":"last","type":"wait","depends_on":["call"],"config":{"seconds":300}}])"),
                               for_an_hour);
  world.scheduler.run_due();
  EXPECT_EQ(world.store.figures().commits, 1U);
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
  world.scheduler.run_for(std::chrono::seconds(299));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3")) << "nothing was new";
  // The newest is old when the wait ends, so the call's commit brings one too.
  world.scheduler.run_for(std::chrono::seconds(2));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3", "run.progress 6", "run.progress 9"));
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
  EXPECT_EQ(world.store.figures().commits, 3U);
}

TEST(RunStatement, CoversARunThatLeavesMemoryWhileItWaitsForASlot) {
  EngineWorld world(
      after(std::chrono::seconds(30)), 1,
      {.steps_in_flight_per_tenant_max = 1, .steps_in_flight_max = 1, .runs_loaded_max = 1});
  world.start(plan_of(kWebhook));
  world.scheduler.run_due();
  const auto waiting = world.start(plan_of(kWebhook));
  world.scheduler.run_due();
  EXPECT_EQ(world.engine->figures().runs_loaded, 1U);
  EXPECT_THAT(told(world, waiting.id), ElementsAre("run.open 1"));
}

TEST(RunStatement, FollowsWhenTheNewestIsAMinuteOldAndThereIsMore) {
  EngineWorld world(after(std::chrono::seconds(40)));
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"webhook","config":{"url":"https://example.com/"}},
          {"name":"b","type":"webhook","depends_on":["a"],"timeout_seconds":300,"config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(Duration(60'999));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
  world.scheduler.run_for(Duration(1));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3", "run.progress 6"));
}

TEST(RunStatement, IsNotRepeatedWhereNothingIsNew) {
  EngineWorld world(after(std::chrono::minutes(9)));
  const auto run = world.start(
      plan_of(
          R"([{"name":"a","type":"webhook","timeout_seconds":600,"config":{"url":"https://example.com/"}}])"),
      for_an_hour);
  world.scheduler.run_for(std::chrono::minutes(8));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
  EXPECT_EQ(world.store.figures().commits, 2U);
}

TEST(RunStatement, IsKnownAfterARestart) {
  EngineWorld world(after(std::chrono::seconds(1)));
  const auto run = world.start(plan_of(kWait));
  world.scheduler.run_for(std::chrono::seconds(2));
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::minutes(4));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3"));
  world.scheduler.run_for(std::chrono::minutes(2));
  EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3", "run.finished 5"));
}

TEST(RunStatement, CoversARecoveryBeforeTheCallLeavesAgain) {
  EngineWorld* its = nullptr;
  std::vector<std::string> told_before;
  EngineWorld world([&](const Call& call) {
    told_before = told(*its, call.id.run);
    return succeed(json::Object{{"status", 200}}, std::chrono::seconds(20));
  });
  its = &world;
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(Duration(100));
  EXPECT_THAT(told_before, IsEmpty());
  world.crash_and_restart();
  world.scheduler.run_for(Duration(1));
  EXPECT_EQ(world.runner.made.size(), 2U);
  EXPECT_THAT(told_before, ElementsAre("run.open 4")) << "event 4 says that the call is in doubt";
  world.crash_and_restart();
  world.scheduler.run_for(Duration(1));
  EXPECT_THAT(told_before, ElementsAre("run.open 4", "run.progress 5"));
}

TEST(RunStatement, ComesOnceThoughItsCommitFailsOrItsAnswerIsLost) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world(after(std::chrono::seconds(30)));
    const auto run = world.start(plan_of(kWebhook));
    world.scheduler.run_for(Duration(500));
    world.faults.script = [fault, left = 3](const store::Commit&) mutable {
      return left-- > 0 ? fault : CommitFault::kNone;
    };
    world.scheduler.run_for(std::chrono::seconds(10));
    EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3")) << static_cast<int>(fault);
    EXPECT_EQ(world.runner.made.size(), 1U) << "the call under way was made again";
    world.scheduler.run_for(std::chrono::seconds(30));
    EXPECT_THAT(told(world, run.id), ElementsAre("run.open 3", "run.finished 5"));
  }
}

// The whole rule, on states that no run needs to be led to.
TEST(RunStatement, IsDueByAgeAndByEvents) {
  const auto plan = workflow::Plan::compile(plan_of(kWait));
  ASSERT_TRUE(plan);
  RunState state(RunId{Id{1, 1 << 20}}, TenantId{}, *plan);
  const Time created(Duration(5'000));
  Time now = created + Duration(1'500);
  const auto due = [&](std::uint32_t seq, const Stated& newest) {
    state.seq = seq;
    return statement_due(state, created, newest, now);
  };
  const Stated newest{3, created + Duration(1'500)};
  EXPECT_EQ(due(3, {}), created + Duration(1'000));
  EXPECT_EQ(due(3, newest), std::nullopt);
  EXPECT_EQ(due(4, newest), newest.at + Duration(60'000));
  EXPECT_EQ(due(3 + 255, newest), newest.at + Duration(60'000));
  EXPECT_EQ(due(3 + 256, newest), Time::min()) << "at once";
  now = newest.at - Duration(1);
  EXPECT_EQ(due(4, newest), Time::min()) << "the clock was set back over the newest";
  EXPECT_EQ(due(3, {}), created + Duration(1'000));
  now = created - Duration(1);
  EXPECT_EQ(due(3, {}), Time::min()) << "the clock was set back over the start";
  EXPECT_EQ(due(3, newest), std::nullopt);
  state.status = RunStatus::kFailed;
  EXPECT_EQ(due(4, newest), Time::min()) << "at once, wherever the clock stands";
}

TEST(RunStatement, FollowsAfter256Events) {
  EngineWorld world(after(Duration(1)));
  json::Array steps{
      json::Object{{"name", "s0"}, {"type", "wait"}, {"config", json::Object{{"seconds", 2}}}}};
  for (int i = 1; i < 100; ++i) {
    steps.emplace_back(json::Object{{"name", "s" + std::to_string(i)},
                                    {"type", "webhook"},
                                    {"depends_on", json::Array{"s" + std::to_string(i - 1)}},
                                    {"config", json::Object{{"url", "https://example.com/"}}}});
  }
  const auto run = world.start(plan_of(json::write(json::Value(std::move(steps)))), for_an_hour);
  world.scheduler.run_for(std::chrono::seconds(5));
  // The events of a commit stay together: a call's end, and the next one's start.
  EXPECT_THAT(told(world, run.id),
              ElementsAre("run.open 3", "run.progress 261", "run.finished 302"));
  for (const Statement& statement : world.statements(run.id))
    EXPECT_EQ(statement.root, root_of(world, run.id, statement.events));
}

TEST(RunStatement, LeavesNothingWaitingForARunThatIsOver) {
  EngineWorld world(after(Duration(10)));
  for (int i = 0; i < 20; ++i) world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::hours(30));
  EXPECT_EQ(world.scheduler.waiting(), 0U);
}

TEST(RunStatement, IsReadBackFromTheSummaryOfARow) {
  const Stated stated{7, Time(Duration(1'790'000'000'123))};
  const json::Value summary = json::Object{{"events", 9}, {"stated", stated.to_json()}};
  const Stated read = Stated::in(json::write(summary));
  EXPECT_EQ(read.seq, 7U);
  EXPECT_EQ(read.at, stated.at);
  for (const char* other : {"", "{}", "no json", R"({"stated":1})"})
    EXPECT_EQ(Stated::in(other).seq, 0U) << other;
}

}  // namespace
}  // namespace avow::engine
