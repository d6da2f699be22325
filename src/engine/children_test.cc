// SPDX-License-Identifier: Apache-2.0
// Runs that come of runs: children of orchestration steps, and reruns.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/write.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using ::testing::ElementsAre;
using testing::EngineWorld;
using testing::fail;
using testing::parsed;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

ScriptedRunner::Answer no_call(const Call& call) {
  ADD_FAILURE() << "a call left: " << call.id.key();
  return succeed({});
}

const char* kAskDouble =
    R"([{"name":"ask","type":"orchestration",
         "config":{"workflow":"double","input":{"n":"${{ input.n }}"}}}])";
const char* kDouble =
    R"([{"name":"d","type":"transform","config":{"output":{"twice":"${{ input.n * 2 }}"}}}])";
const char* kSlowChild =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])";

const StepState& step_of(const History& history, std::string_view step) {
  return *history.machine.state().find_step(step);
}

json::Value content_of(const History& history, const Committed& committed) {
  const json::Value* value = history.contents.find(committed.ref);
  return value == nullptr ? json::Value() : *value;
}

RunId child_of(EngineWorld& world, RunId run, std::string_view step) {
  return step_of(world.history(run), step).calls.back().child;
}

const Event& event_of(const std::vector<Event>& events, std::string_view type) {
  const auto at = std::find_if(events.begin(), events.end(),
                               [type](const Event& event) { return event.type == type; });
  CHECK(at != events.end());
  return *at;
}

TEST(Children, GiveTheirOutputToTheStepThatStartedThem) {
  EngineWorld world(no_call);
  world.children.plans["double"] = plan_of(kDouble);
  const auto run =
      world.start(plan_of(kAskDouble), [](Start& start) { start.input = json::Object{{"n", 21}}; });
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kCompleted);
  EXPECT_EQ(json::write(content_of(history, history.machine.state().output)), R"({"twice":42})");
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started ask", "effect.started ask",
                          "child.finished ask", "step.completed ask", "run.completed"));

  const RunId child = child_of(world, run.id, "ask");
  const History other = world.history(child);
  EXPECT_EQ(other.machine.state().parent, run.id);
  EXPECT_EQ(other.machine.state().parent_step, "ask");
  EXPECT_EQ(other.machine.state().depth, 1);
  EXPECT_EQ(other.machine.state().actor, "key:test") << "who asked for the parent asked for this";
  EXPECT_EQ(other.machine.state().agent, world.agent);
}

TEST(Children, AreNamedInTheJournalSoThatReceiptsCanBeCompared) {
  EngineWorld world(no_call);
  world.children.plans["double"] = plan_of(kDouble);
  const auto run =
      world.start(plan_of(kAskDouble), [](Start& start) { start.input = json::Object{{"n", 1}}; });
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto events = world.events(run.id);
  const RunId child = child_of(world, run.id, "ask");
  const auto theirs = world.events(child);
  const Event& started = event_of(events, "effect.started");
  EXPECT_EQ(started.data.string_or("child"), child.uuid());
  EXPECT_EQ(started.data.string_or("kind"), "run");
  EXPECT_EQ(json::write(*theirs.front().data.find("from")),
            R"([{"commitment":")" + started.data.string_or("request") + R"(","run":")" +
                run.id.uuid() + R"(","step":"ask"}])");

  const Event& finished = event_of(events, "child.finished");
  const auto statements = world.statements(child);
  ASSERT_FALSE(statements.empty());
  EXPECT_EQ(finished.data.string_or("child"), child.uuid());
  EXPECT_EQ(finished.data.string_or("status"), "completed");
  EXPECT_EQ(finished.data.int_or("events", 0), statements.back().events);
  EXPECT_EQ(finished.data.string_or("root_digest"), to_hex(view_of(*statements.back().root)));
  EXPECT_EQ(json::write(*finished.data.find("from")), R"([{"commitment":")" +
                                                          theirs.back().data.string_or("output") +
                                                          R"(","run":")" + child.uuid() + R"("}])");
}

TEST(Children, HoldNoSlotOfTheirParentAndLetItLeaveMemory) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, std::chrono::seconds(20)); },
      1, {.steps_in_flight_per_tenant_max = 1, .steps_in_flight_max = 1});
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"}}])"));
  world.scheduler.run_for(std::chrono::seconds(5));
  EXPECT_EQ(world.engine->figures().runs_loaded, 1U) << "only the child is at work";
  EXPECT_EQ(world.engine->figures().calls_in_flight, 1U);
  const auto row = world.store.get_run(run.id);
  ASSERT_TRUE(row);
  EXPECT_EQ(json::parse(row->summary)->string_or("waiting_for"), "child");
  world.scheduler.run_for(std::chrono::seconds(30));
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kCompleted);
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
}

TEST(Children, AddTheirCostToTheirParents) {
  EngineWorld world([](const Call&) {
    CallResult result{
        json::Object{{"text", "yes"}, {"finish_reason", "stop"}}, {7, 3}, 250'000, "m"};
    return ScriptedRunner::Answer{std::move(result), Duration(1)};
  });
  world.children.plans["ask"] =
      plan_of(R"([{"name":"m","type":"llm_inference","config":{"model":"m","prompt":"?"}}])");
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"ask"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().usage.input_tokens, 7);
  EXPECT_EQ(history.machine.state().usage.output_tokens, 3);
  EXPECT_EQ(history.machine.state().cost, 250'000);
  EXPECT_EQ(step_of(history, "a").cost, 250'000);
}

TEST(Children, ThatFailFailTheStepWithoutTheirMessage) {
  EngineWorld world([](const Call&) { return fail("HTTP_400", ""); });
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(history.machine.state().error_code, "CHILD_FAILED");
  EXPECT_EQ(content_of(history, step_of(history, "a").error_message),
            json::Value("run " + child_of(world, run.id, "a").uuid() + " failed: HTTP_400"));
}

TEST(Children, AreStartedAnewByEachAttempt) {
  int calls = 0;
  EngineWorld world([&calls](const Call&) {
    return ++calls < 3 ? fail("HTTP_400", "") : succeed(json::Object{{"status", 200}});
  });
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"},
           "retry":{"max_attempts":3,"retry_on":["CHILD_FAILED"]}}])"));
  world.scheduler.run_for(std::chrono::seconds(60));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kCompleted);
  ASSERT_EQ(step_of(history, "a").calls.size(), 3U);
  std::set<RunId> children;
  for (const CallState& call : step_of(history, "a").calls) children.insert(call.child);
  EXPECT_EQ(children.size(), 3U);
}

TEST(Children, AreTriedNoMoreOftenThanTheStepSays) {
  EngineWorld world([](const Call&) { return fail("HTTP_400", ""); });
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"},
           "retry":{"max_attempts":2,"retry_on":["CHILD_FAILED"]}}])"));
  world.scheduler.run_for(std::chrono::seconds(60));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(step_of(history, "a").calls.size(), 2U);
}

TEST(Children, OfWorkflowsThatAreNotThereFailTheStep) {
  EngineWorld world(no_call);
  const auto run = world.start(plan_of(kAskDouble));
  world.scheduler.run_for(std::chrono::seconds(1));
  const History failed = world.history(run.id);
  EXPECT_EQ(failed.machine.state().error_code, "EXPRESSION_ERROR") << "input.n is not there";
  const auto other = world.start(
      plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"nobody"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(other.id).machine.state().error_code, "WORKFLOW_UNKNOWN");
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
}

TEST(Children, AreCancelledWithTheirParent) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(100)); });
  world.children.plans["slow"] = plan_of(kSlowChild);
  world.children.plans["middle"] =
      plan_of(R"([{"name":"m","type":"orchestration","config":{"workflow":"slow"}}])");
  const auto run = world.start(
      plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"middle"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const RunId middle = child_of(world, run.id, "a");
  const RunId last = child_of(world, middle, "m");
  world.tell(run.id, CancelRequested{"key:test", "enough"});
  world.scheduler.run_for(std::chrono::seconds(1));
  for (const RunId id : {run.id, middle, last}) {
    EXPECT_EQ(world.store.get_run(id)->status, RunStatus::kCancelled) << id.ulid();
  }
  EXPECT_EQ(event_of(world.events(last), "run.cancel_requested").actor, "run:" + middle.uuid());
  EXPECT_EQ(world.engine->figures().calls_in_flight, 0U);
}

TEST(Children, AreCancelledWhenTheirStepsTimeIsOver) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(50)); });
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"},"timeout_seconds":3,
           "on_failure":"continue"},
          {"name":"w","type":"wait","config":{"seconds":20}}])"));
  world.scheduler.run_for(std::chrono::seconds(10));
  EXPECT_EQ(step_of(world.history(run.id), "a").error_code, "TIMEOUT");
  EXPECT_EQ(world.store.get_run(child_of(world, run.id, "a"))->status, RunStatus::kCancelled);
  EXPECT_EQ(world.store.get_run(run.id)->status, RunStatus::kRunning);
}

TEST(Children, ThatAreCancelledByThemselvesFailTheStep) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(50)); });
  world.children.plans["slow"] = plan_of(kSlowChild);
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  world.tell(child_of(world, run.id, "a"), CancelRequested{"key:test", ""});
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "CHILD_CANCELLED");
}

TEST(Children, GoNoDeeperThanEight) {
  EngineWorld world(no_call);
  world.children.plans["again"] =
      plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"again"}}])");
  const auto run = world.start(world.children.plans["again"]);
  world.scheduler.run_for(std::chrono::seconds(5));
  RunId deepest = run.id;
  for (int depth = 0; depth < kDepthMax; ++depth) {
    EXPECT_EQ(world.history(deepest).machine.state().depth, depth);
    deepest = child_of(world, deepest, "a");
  }
  const History last = world.history(deepest);
  EXPECT_EQ(last.machine.state().depth, kDepthMax);
  EXPECT_EQ(last.machine.state().error_code, "DEPTH_EXCEEDED");
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "CHILD_FAILED");
}

TEST(Children, AreFoundAgainAfterACrashAndStartedOnce) {
  for (int moment = 1; moment < 40; ++moment) {
    EngineWorld world(
        [](const Call&) { return succeed(json::Object{{"status", 200}}, Duration(5)); },
        static_cast<std::uint64_t>(moment));
    world.children.plans["slow"] = plan_of(kSlowChild);
    const auto run = world.start(
        plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"}}])"));
    for (int step = 0;
         step < moment && world.scheduler.step(world.scheduler.now() + std::chrono::seconds(1));
         ++step) {
    }
    world.crash_and_restart();
    world.scheduler.run_for(std::chrono::seconds(90));
    const auto row = world.store.get_run(run.id);
    if (!row) continue;  // nobody had heard of it
    ASSERT_EQ(row->status, RunStatus::kCompleted) << "killed after " << moment;
    store::RunQuery all;
    all.tenant = world.tenant;
    EXPECT_EQ(world.store.list_runs(all)->size(), 2U);
    EXPECT_EQ(step_of(world.history(run.id), "a").calls.size(), 1U);
    for (const Event& event : world.events(run.id)) EXPECT_NE(event.type, "effect.in_doubt");
    EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
  }
}

TEST(Children, HearOfTheirParentsEndAlsoAfterACrash) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(200)); });
  world.children.plans["slow"] =
      plan_of(R"([{"name":"w","type":"wait","config":{"seconds":250}}])");
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"orchestration","config":{"workflow":"slow"}}])"));
  world.scheduler.run_for(std::chrono::seconds(2));
  const RunId child = child_of(world, run.id, "a");
  // The parent's end is durable, and the process is gone before it told anybody.
  const auto answer = world.tell(run.id, CancelRequested{"key:test", ""});
  while (world.store.get_run(run.id)->status == RunStatus::kRunning) {
    ASSERT_TRUE(world.scheduler.step(world.scheduler.now() + std::chrono::seconds(1)));
  }
  ASSERT_EQ(world.store.get_run(child)->status, RunStatus::kRunning);
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(2));
  EXPECT_EQ(world.store.get_run(child)->status, RunStatus::kCancelled);
}

TEST(Reruns, TakeEndsOverWithoutStartingTheirSteps) {
  EngineWorld world(no_call);
  const RunId earlier{Id{3, 3 << 20}};
  const auto run = world.start(
      plan_of(R"([{"name":"a","type":"transform","config":{"output":"${{ input.missing }}"}},
                  {"name":"b","type":"transform","depends_on":["a"],"config":{"output":1}},
                  {"name":"f","type":"transform","depends_on":["a"],"on_failure":"continue",
                   "config":{"output":1}},
                  {"name":"c","type":"transform","depends_on":["a","b","f"],
                   "config":{"output":{"a":"${{ steps.a.result }}","b":"${{ steps.b.status }}",
                                       "f":"${{ steps.f.error.message }}"}}}])"),
      [&earlier](Start& start) {
        start.max_steps = 1;
        start.rerun = RerunLink{.run = earlier,
                                .from_step = "c",
                                .input = "11",
                                .parameters = "22",
                                .reused = {{.step = "a", .value = 5, .commitment = "33"},
                                           {.step = "b", .status = StepStatus::kSkipped},
                                           {.step = "f",
                                            .status = StepStatus::kFailed,
                                            .value = "broke",
                                            .commitment = "44",
                                            .code = "HTTP_400"}}};
      });
  world.scheduler.run_due();
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.completed a", "step.skipped b", "step.failed f",
                          "step.started c", "step.completed c", "run.completed"));
  const History history = world.history(run.id);
  EXPECT_EQ(json::write(content_of(history, history.machine.state().output)),
            R"({"a":5,"b":"skipped","f":"broke"})");
  EXPECT_EQ(step_of(history, "a").reused_from, earlier);
  EXPECT_EQ(step_of(history, "c").reused_from, std::nullopt);
  EXPECT_EQ(step_of(history, "a").attempt, 0U);
  const auto events = world.events(run.id);
  EXPECT_EQ(json::write(*events[0].data.find("from")),
            R"([{"commitment":"11","run":")" + earlier.uuid() + R"("},{"commitment":"22","run":")" +
                earlier.uuid() + R"("}])");
  EXPECT_EQ(json::write(*events[1].data.find("from")),
            R"([{"commitment":"33","run":")" + earlier.uuid() + R"(","step":"a"}])");
}

}  // namespace
}  // namespace avow::engine
