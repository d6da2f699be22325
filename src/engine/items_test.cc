// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/sha256.h"
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

json::Value list_of(std::int64_t count) {
  json::Array out;
  for (std::int64_t i = 0; i < count; ++i) out.emplace_back(i);
  return out;
}

/// Starts it with `input.list` of that many numbers.
EngineWorld::Started start(EngineWorld& world, std::string_view steps, std::int64_t count) {
  return world.start(plan_of(steps), [count](Start& start) {
    start.input = json::Object{{"list", list_of(count)}};
  });
}

std::string output(EngineWorld& world, RunId run) {
  const History history = world.history(run);
  const json::Value* value = history.contents.find(history.machine.state().output.ref);
  return value == nullptr ? "nothing" : json::write(*value);
}

std::size_t count_of(EngineWorld& world, RunId run, std::string_view type) {
  const auto events = world.events(run);
  return static_cast<std::size_t>(std::count_if(
      events.begin(), events.end(), [type](const Event& event) { return event.type == type; }));
}

ScriptedRunner::Answer echo(const Call& call) {
  return succeed(json::Object{{"body", *call.request.find("spec")->find("body")}}, Duration(10));
}

constexpr std::string_view kSquares =
    R"([{"name":"square","type":"transform","for_each":"input.list","config":{"output":"${{ item * item + index }}"}}])";
constexpr std::string_view kCalls =
    R"([{"name":"call","type":"webhook","for_each":"input.list","max_parallel":3,
         "config":{"url":"https://example.com/","body":"${{ item }}"}}])";

TEST(Items, GiveAListInTheirOrder) {
  EngineWorld world(echo);
  const auto run = start(world, kSquares, 4);
  world.scheduler.run_due();
  EXPECT_EQ(output(world, run.id), "[0,2,6,12]");
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started square", "items.completed square",
                          "step.completed square", "run.completed"));
}

TEST(Items, OfAnEmptyListGiveAnEmptyList) {
  EngineWorld world(echo);
  const auto run = start(world, kCalls, 0);
  world.scheduler.run_due();
  EXPECT_EQ(output(world, run.id), "[]");
}

TEST(Items, AreTenThousandInEventsOfAtMost256) {
  EngineWorld world(echo);
  const auto run = start(world, kSquares, 10'000);
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCompleted);
  std::size_t told = 0;
  for (const Event& event : world.events(run.id)) {
    if (event.type != "items.completed") continue;
    EXPECT_LE(event.data.find("items")->as_array().size(), 256U);
    told += event.data.find("items")->as_array().size();
  }
  EXPECT_EQ(told, 10'000U);
  EXPECT_LT(world.events(run.id).size(), 60U);
}

TEST(Items, AreAtMostTenThousand) {
  EngineWorld world(echo);
  const auto run = start(world, kSquares, 10'001);
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "ITEMS_LIMIT");
}

TEST(Items, AreOnlyOfAList) {
  EngineWorld world(echo);
  const auto run = world.start(
      plan_of(R"([{"name":"a","type":"transform","for_each":"input","config":{"output":1}}])"));
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "EXPRESSION_ERROR");
}

TEST(Items, CallAtMostMaxParallelAtOnceUnderAKeyEach) {
  std::size_t at_once = 0;
  std::size_t most = 0;
  EngineWorld* its = nullptr;
  EngineWorld world([&](const Call& call) {
    at_once = its->runner.made.size();
    for (const Event& event : its->events(call.id.run)) at_once -= event.type == "items.completed";
    most = std::max(most, at_once);
    return echo(call);
  });
  its = &world;
  const auto run = start(world, kCalls, 7);
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(output(world, run.id),
            R"([{"body":0},{"body":1},{"body":2},{"body":3},{"body":4},{"body":5},{"body":6}])");
  EXPECT_EQ(most, 3U);
  std::set<std::string> keys;
  for (const Call& call : world.runner.made) keys.insert(call.id.key());
  EXPECT_EQ(keys.size(), 7U);
  EXPECT_TRUE(keys.contains(run.id.ulid() + "/call/i6"));
}

TEST(Items, KeepTheirPlaceWhenAnswersComeOutOfOrder) {
  EngineWorld world([](const Call& call) {
    const std::int64_t item = call.request.find("spec")->find("body")->as_int();
    return succeed(json::Object{{"body", item}}, Duration(100 - item * 20));
  });
  const auto run = start(world, kCalls, 4);
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(output(world, run.id), R"([{"body":0},{"body":1},{"body":2},{"body":3}])");
}

ScriptedRunner::Answer odd_ones_fail(const Call& call) {
  const std::int64_t item = call.request.find("spec")->find("body")->as_int();
  return item % 2 == 1 ? fail("HTTP_400", "", Duration(10)) : echo(call);
}

TEST(Items, StopAtTheFirstThatFails) {
  EngineWorld world(odd_ones_fail);
  const auto run = start(world, kCalls, 9);
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().error_code, "HTTP_400");
  EXPECT_EQ(history.machine.state().error_step, "call");
  const json::Value* message = history.contents.find(history.machine.state().error_message.ref);
  EXPECT_EQ(json::write(*message), R"("item 1: scripted")");
  EXPECT_LE(world.runner.made.size(), 4U) << "items began after one had failed";
}

TEST(Items, ThatFailLeaveAHoleWhereOnFailureSaysSo) {
  for (const auto& [on_failure, hole] :
       {std::pair{"skip", "null"},
        {"continue", R"({"error":{"code":"HTTP_400","message":"scripted"}})"}}) {
    EngineWorld world(odd_ones_fail);
    const auto run =
        start(world,
              fmt::format(
                  R"([{{"name":"call","type":"webhook","for_each":"input.list","on_failure":"{}",
                 "config":{{"url":"https://example.com/","body":"${{{{ item }}}}"}}}}])",
                  on_failure),
              3);
    world.scheduler.run_for(std::chrono::seconds(1));
    EXPECT_EQ(output(world, run.id), fmt::format(R"([{{"body":0}},{},{{"body":2}}])", hole));
  }
}

TEST(Items, AreRetriedEachByItself) {
  std::map<std::string, int> tries;
  EngineWorld world([&tries](const Call& call) {
    const bool is_first = ++tries[call.id.key()] == 1;
    const std::int64_t item = call.request.find("spec")->find("body")->as_int();
    return item == 1 && is_first ? fail("HTTP_503", "5xx") : echo(call);
  });
  const auto run = start(world, kCalls, 3);
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(output(world, run.id), R"([{"body":0},{"body":1},{"body":2}])");
  EXPECT_EQ(tries[run.id.ulid() + "/call/i1"], 2);
  EXPECT_EQ(tries[run.id.ulid() + "/call/i0"], 1);
}

TEST(Items, ThatWereUnderWayAtACrashAreInDoubtAndMadeAgain) {
  EngineWorld world([](const Call& call) {
    auto answer = echo(call);
    answer.delay = std::chrono::seconds(5);
    return answer;
  });
  const auto run = start(world, kCalls, 5);
  world.scheduler.run_for(std::chrono::seconds(7));  // three are done, two are under way
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(30));
  EXPECT_EQ(output(world, run.id), R"([{"body":0},{"body":1},{"body":2},{"body":3},{"body":4}])");
  EXPECT_EQ(count_of(world, run.id, "effect.in_doubt"), 2U);
  EXPECT_EQ(world.runner.made.size(), 7U) << "an item that was over was done again";
}

TEST(Items, CountAsOneStep) {
  EngineWorld world(echo);
  const auto run = world.start(plan_of(kCalls), [](Start& start) {
    start.max_steps = 1;
    start.input = json::Object{{"list", list_of(5)}};
  });
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCompleted);
}

TEST(Items, StopWithTheirRun) {
  EngineWorld world([](const Call& call) {
    auto answer = echo(call);
    answer.delay = std::chrono::seconds(5);
    return answer;
  });
  const auto run = start(world, kCalls, 5);
  world.scheduler.run_for(std::chrono::seconds(1));
  world.tell(run.id, CancelRequested{"key:test", "enough"});
  world.scheduler.run_for(std::chrono::seconds(30));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCancelled);
  EXPECT_EQ(world.runner.cancelled.size(), 3U);
  EXPECT_EQ(world.engine->figures().calls_in_flight, 0U);
}

TEST(Items, ThatAreStoppedAreCancelledBeforeTheirSlotIsUsedAgain) {
  EngineWorld* its = nullptr;
  std::size_t beside = 0;
  EngineWorld world(
      [&](const Call& call) {
        if (call.id.step == "next") beside = its->runner.under_way();
        if (call.id.step == "call/i1") return fail("HTTP_400", "", Duration(10));
        auto answer = succeed(json::Object{{"status", 200}});
        answer.delay = std::chrono::seconds(5);
        return answer;
      },
      1, {.steps_in_flight_per_tenant_max = 2, .steps_in_flight_max = 2});
  its = &world;
  start(world,
        R"([{"name":"call","type":"webhook","for_each":"input.list","on_failure":"abort",
             "config":{"url":"https://example.com/"}},
            {"name":"done","type":"transform","config":{"output":1},
             "compensate":{"name":"next","type":"webhook","config":{"url":"https://example.com/"}}}])",
        2);
  world.scheduler.run_for(std::chrono::seconds(1));
  ASSERT_EQ(world.runner.made.back().id.step, "next");
  EXPECT_EQ(beside, 0U);
}

TEST(Items, OfAnAgentAreTasksOfWorkers) {
  EngineWorld world(echo);
  const auto run = start(world,
                         R"([{"name":"work","type":"agent","for_each":"input.list","max_parallel":2,
           "config":{"action":"look","parameters":{"n":"${{ item }}"}}}])",
                         3);
  std::vector<std::string> seen;
  for (int round = 0; round < 4; ++round) {
    world.engine->poll_tasks(
        world.agent, 5, world.scheduler.now() + std::chrono::seconds(1), "key:worker", {},
        [&](const std::vector<TakenTask>& taken) {
          for (const TakenTask& task : taken) {
            seen.push_back(task.grant.step);
            world.tell(run.id, TaskFinished{{task.grant.step, task.grant.attempt, {}},
                                            to_hex(view_of(crypto::sha256(task.lease_token))),
                                            *task.grant.parameters.find("n")});
          }
        });
    world.scheduler.run_for(std::chrono::seconds(2));
  }
  EXPECT_THAT(seen, ElementsAre("work/i0", "work/i1", "work/i2"));
  EXPECT_EQ(output(world, run.id), "[0,1,2]");
  EXPECT_EQ(world.engine->figures().tasks, 0U);
}

TEST(Items, AreEachHeldAgainstTheOutputSchema) {
  EngineWorld world(echo);
  const auto run =
      start(world,
            R"([{"name":"a","type":"transform","for_each":"input.list","on_failure":"skip",
           "output_schema":{"type":"integer","maximum":1},"config":{"output":"${{ item }}"}}])",
            3);
  world.scheduler.run_due();
  EXPECT_EQ(output(world, run.id), "[0,1,null]");
}

}  // namespace
}  // namespace avow::engine
