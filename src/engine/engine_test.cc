// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "json/parse.h"
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

ScriptedRunner::Answer unreachable(const Call& call) {
  ADD_FAILURE() << "a call left: " << call.id.key();
  return succeed({});
}

json::Value output_of(EngineWorld& world, RunId run) {
  const History history = world.history(run);
  const json::Value* output = history.contents.find(history.machine.state().output.ref);
  return output == nullptr ? json::Value() : *output;
}

json::Value result_of(EngineWorld& world, RunId run, std::string_view step) {
  const History history = world.history(run);
  const json::Value* output =
      history.contents.find(history.machine.state().find_step(step)->output.ref);
  return output == nullptr ? json::Value() : *output;
}

const char* kWebhook =
    R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/","body":"${{ input }}"}}])";

TEST(Engine, RunsPureStepsInOneCommit) {
  EngineWorld world(unreachable);
  const auto run = world.start(
      plan_of(R"([{"name":"a","type":"transform","config":{"output":"${{ input.n + 1 }}"}},
                  {"name":"b","type":"transform","depends_on":["a"],"config":{"output":{"twice":"${{ steps.a.result * 2 }}"}}}])"),
      [](Start& start) { start.input = json::Object{{"n", 20}}; });
  world.scheduler.run_due();
  EXPECT_TRUE(run.is_acknowledged());
  EXPECT_EQ(world.store.figures().commits, 1U);
  EXPECT_EQ(json::write(output_of(world, run.id)), R"({"twice":42})");
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started a", "step.completed a", "step.started b",
                          "step.completed b", "run.completed"));
}

/// Everything that an answer about a run shows, as text.
std::string shown(const History& history) {
  const RunState& state = history.machine.state();
  std::string out =
      fmt::format("{} {} {} {}\n", run_status_name(state.status), state.seq,
                  format_time(*state.completed_at), to_hex(view_of(history.machine.tree().root())));
  for (const StepState& step : state.steps) {
    out += fmt::format("{} {} {} {} {} {} {}\n", step.name, step_status_name(step.status),
                       step.attempt, step.output.ref.seq, step.output.commitment,
                       format_time(*step.started_at), format_time(*step.completed_at));
  }
  for (const Content& content : history.contents.all()) {
    out += fmt::format("{}/{} {} {}\n", content.ref.seq, content.ref.member,
                       to_hex(view_of(content.salt)), json::write(content.value));
  }
  return out + std::to_string(history.contents_bytes);
}

TEST(Engine, TellsWhoWatchesTheEndWhatTheJournalTells) {
  EngineWorld world([](const Call&) { return succeed(json::Object{{"body", "hello"}}); });
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"webhook","config":{"url":"https://example.com/","body":"${{ input }}"}},
          {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"${{ steps.a.result }}"}}])"));
  std::shared_ptr<const EndedRun> ended;
  world.engine->watch(run.id, [&ended](const auto& end) { ended = end; });
  world.scheduler.run_for(std::chrono::seconds(1));
  ASSERT_NE(ended, nullptr);
  EXPECT_EQ(shown(ended->history), shown(world.history(run.id)));
  const auto stored = world.store.get_run(run.id);
  ASSERT_TRUE(stored);
  EXPECT_EQ(ended->row.version, stored->version);
  EXPECT_EQ(ended->row.status, stored->status);
  EXPECT_EQ(ended->row.summary, stored->summary);
}

TEST(Engine, KnowsTheEventThatEndedEachStep) {
  EngineWorld world([](const Call&) { return fail("HTTP_400", "", Duration(5)); });
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"transform","config":{"output":1}},
          {"name":"b","type":"transform","depends_on":["a"],"condition":"steps.a.result == 2","config":{"output":1}},
          {"name":"c","type":"wait","depends_on":["a"],"config":{"seconds":9}},
          {"name":"d","type":"webhook","depends_on":["a"],"config":{"url":"https://example.com/"}},
          {"name":"e","type":"transform","depends_on":["c"],"config":{"output":1}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto events = world.events(run.id);
  const History history = world.history(run.id);
  for (const auto& [step, type] : {std::pair{"a", "step.completed"},
                                   {"b", "step.skipped"},
                                   {"c", "step.cancelled"},
                                   {"d", "step.failed"}}) {
    const std::uint32_t seq = history.machine.state().find_step(step)->ended_seq;
    ASSERT_GT(seq, 0U) << step;
    EXPECT_EQ(events[seq - 1].type, type);
    EXPECT_EQ(events[seq - 1].step, step);
  }
  EXPECT_EQ(history.machine.state().find_step("e")->ended_seq, 0U);
}

TEST(Engine, TellsWhereAnInputCameFrom) {
  EngineWorld world(unreachable);
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"transform","config":{"output":"${{ input }}"}},
                  {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"${{ steps.a.result }}"}}])"));
  world.scheduler.run_due();
  const auto events = world.events(run.id);
  const std::string input = events[0].data.string_or("input");
  const std::string a = events[2].data.string_or("output");
  EXPECT_EQ(json::write(*events[1].data.find("from")),
            R"([{"commitment":")" + input + R"(","run":"input"}])");
  EXPECT_EQ(json::write(*events[3].data.find("from")),
            R"([{"commitment":")" + a + R"(","step":"a"}])");
}

TEST(Engine, MakesACallOnlyAfterItIsDurable) {
  EngineWorld* its = nullptr;
  EngineWorld world([&its](const Call& call) {
    // The journal that the store has by now must name the call.
    EXPECT_THAT(its->event_types(call.id.run),
                ElementsAre("run.started", "step.started call", "effect.started call"));
    return succeed(json::Object{{"status", 200}, {"body", "done"}});
  });
  its = &world;
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(Duration(100));
  EXPECT_EQ(world.runner.made.size(), 1U);
  EXPECT_EQ(world.runner.made[0].id.key(), run.id.ulid() + "/call");
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
}

TEST(Engine, RunsIndependentStepsAtTheSameTime) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, Duration(1000)); });
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"webhook","depends_on":[],"config":{"url":"https://a.example/"}},
                                           {"name":"b","type":"webhook","depends_on":[],"config":{"url":"https://b.example/"}}])"));
  world.scheduler.run_for(Duration(1500));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
}

TEST(Engine, RetriesWhatMayPassAndKeepsTheKey) {
  int calls = 0;
  EngineWorld world([&calls](const Call&) {
    return ++calls < 3 ? fail("HTTP_503", "5xx") : succeed(json::Object{{"status", 200}});
  });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::minutes(1));
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started call", "effect.started call",
                          "step.retrying call", "step.started call", "step.retrying call",
                          "step.started call", "step.completed call", "run.completed"));
  ASSERT_EQ(world.runner.made.size(), 3U);
  EXPECT_EQ(world.runner.made[0].id.key(), world.runner.made[2].id.key());
  EXPECT_EQ(world.runner.made[2].attempt, 3U);
  EXPECT_TRUE(world.runner.made[0].request == world.runner.made[2].request);
}

// The delay may be over before the failure is durable; the retry must not wait for the run's limit.
TEST(Engine, RetriesAtOnceWithoutADelay) {
  int calls = 0;
  EngineWorld world([&calls](const Call&) {
    return ++calls < 3 ? fail("HTTP_503", "5xx") : succeed(json::Object{{"status", 200}});
  });
  const auto run = world.start(plan_of(R"([{"name":"call","type":"webhook",
      "retry":{"max_attempts":3,"initial_delay_ms":0},
      "config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
  EXPECT_EQ(calls, 3);
}

TEST(Engine, GivesUpWhenTheAttemptsAreUsedUp) {
  EngineWorld world([](const Call&) { return fail("HTTP_503", "5xx"); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::minutes(2));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(history.machine.state().error_code, "HTTP_503");
  EXPECT_EQ(history.machine.state().error_step, "call");
  EXPECT_EQ(world.runner.made.size(), 3U);
}

TEST(Engine, DoesNotRetryWhatWillNotPass) {
  EngineWorld world([](const Call&) { return fail("HTTP_404", ""); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::minutes(2));
  EXPECT_EQ(world.runner.made.size(), 1U);
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kFailed);
}

TEST(Engine, WaitsAsLongAsThePeerAsks) {
  int calls = 0;
  EngineWorld world([&calls](const Call&) -> ScriptedRunner::Answer {
    if (++calls > 1) return succeed(json::Object{{"status", 200}});
    return {CallError{.code = "HTTP_429",
                      .message = {},
                      .retry_class = "429",
                      .retry_after = std::chrono::seconds(90),
                      .detail = {}}};
  });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(89));
  EXPECT_EQ(calls, 1);
  world.scheduler.run_for(std::chrono::seconds(2));
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
}

TEST(Engine, EndsAnAttemptAtItsTimeout) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, std::chrono::hours(1)); });
  const auto run = world.start(
      plan_of(R"([{"name":"call","type":"webhook","timeout_seconds":5,"retry":{"max_attempts":1},
                                            "config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(std::chrono::seconds(6));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().error_code, "TIMEOUT");
  EXPECT_EQ(world.runner.cancelled.size(), 1U);
}

TEST(Engine, EndsARunAtItsTimeoutAlsoAcrossARestart) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::hours(1)); });
  const auto run = world.start(plan_of(R"([{"name":"w","type":"wait","config":{"seconds":250}}])"),
                               [](Start& start) { start.timeout_seconds = 60; });
  world.scheduler.run_for(std::chrono::seconds(30));
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(29));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kRunning);
  world.scheduler.run_for(std::chrono::seconds(2));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(history.machine.state().error_code, "TIMEOUT");
}

TEST(Engine, WaitsOutATimerAcrossARestart) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(R"([{"name":"w","type":"wait","config":{"seconds":100}},
                                           {"name":"t","type":"transform","depends_on":["w"],"config":{"output":1}}])"));
  world.scheduler.run_for(std::chrono::seconds(50));
  EXPECT_EQ(world.history(run.id).machine.waiting_for(), "timer");
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U) << "a parked run must leave memory";
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(49));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kRunning);
  world.scheduler.run_for(std::chrono::seconds(2));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
}

TEST(Engine, SaysThatACallIsInDoubtAfterACrashAndMakesItAgainUnderTheSameKey) {
  EngineWorld world(
      [](const Call&) { return succeed(json::Object{{"status", 200}}, std::chrono::seconds(10)); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(20));
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started call", "effect.started call",
                          "effect.in_doubt call", "step.completed call", "run.completed"));
  ASSERT_EQ(world.runner.made.size(), 2U);
  EXPECT_EQ(world.runner.made[0].id.key(), world.runner.made[1].id.key());
  EXPECT_EQ(world.runner.made[1].attempt, 1U)
      << "an attempt lost to a crash does not count as a retry";
}

TEST(Engine, FailsACallInDoubtWhereTheStepSaysSo) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(10)); });
  const auto run = world.start(plan_of(
      R"([{"name":"call","type":"webhook","on_crash":"fail","config":{"url":"https://example.com/"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  world.crash_and_restart();
  world.scheduler.run_for(std::chrono::seconds(20));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "EFFECT_IN_DOUBT");
  EXPECT_EQ(world.runner.made.size(), 1U);
}

TEST(Engine, StopsAfterTenCrashesOfOneStep) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(10)); });
  const auto run = world.start(plan_of(kWebhook));
  for (int i = 0; i < 12; ++i) {
    world.scheduler.run_for(std::chrono::seconds(1));
    world.crash_and_restart();
  }
  world.scheduler.run_for(std::chrono::seconds(20));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "CRASH_LOOP");
  EXPECT_EQ(world.runner.made.size(), 10U);
}

TEST(Engine, SkipsWhatItsConditionRefusesAndWhatDependsOnItAlone) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(R"([
    {"name":"a","type":"transform","depends_on":[],"condition":"input.go","config":{"output":1}},
    {"name":"b","type":"transform","depends_on":["a"],"config":{"output":2}},
    {"name":"c","type":"transform","depends_on":[],"config":{"output":3}},
    {"name":"d","type":"transform","depends_on":["a","c"],"config":{"output":"${{ steps.a.result == null && steps.a.status == 'skipped' }}"}}])"),
                               [](Start& start) { start.input = json::Object{{"go", false}}; });
  world.scheduler.run_due();
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().find_step("a")->status, StepStatus::kSkipped);
  EXPECT_EQ(history.machine.state().find_step("b")->status, StepStatus::kSkipped);
  EXPECT_EQ(json::write(output_of(world, run.id)), "true")
      << "d is the only leaf that was not skipped";
}

TEST(Engine, TakesOneBranchAndSkipsTheOthers) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(R"([
    {"name":"judge","type":"decision","depends_on":[],"config":{"cases":[{"when":"input.score >= 80","then":"good"}],"default":"bad",
      "branches":{"good":["praise"],"bad":["blame"]}}},
    {"name":"praise","type":"transform","depends_on":["judge"],"config":{"output":"well done"}},
    {"name":"blame","type":"transform","depends_on":["judge"],"config":{"output":"try again"}}])"),
                               [](Start& start) { start.input = json::Object{{"score", 90}}; });
  world.scheduler.run_due();
  EXPECT_EQ(json::write(output_of(world, run.id)), R"("well done")");
  EXPECT_EQ(world.history(run.id).machine.state().find_step("blame")->status, StepStatus::kSkipped);
  const json::Value decision = result_of(world, run.id, "judge");
  EXPECT_EQ(decision.string_or("decision"), "good");
  EXPECT_EQ(json::write(*decision.find("values")), R"({"input.score":90})");
}

TEST(Engine, FailsADecisionThatMatchesNothing) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(
      R"([{"name":"judge","type":"decision","config":{"cases":[{"when":"false","then":"x"}]}}])"));
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "DECISION_UNMATCHED");
}

TEST(Engine, GoesOnAfterAFailureWhereTheStepSaysSo) {
  EngineWorld world([](const Call&) { return fail("HTTP_400", ""); });
  const auto run = world.start(plan_of(R"([
    {"name":"call","type":"webhook","on_failure":"continue","config":{"url":"https://example.com/"}},
    {"name":"after","type":"transform","depends_on":["call"],"config":{"output":"${{ steps.call.error.code }}"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
  EXPECT_EQ(json::write(output_of(world, run.id)), R"("HTTP_400")");
}

TEST(Engine, CancelsSiblingsWhenAStepFails) {
  EngineWorld world([](const Call& call) {
    return call.id.step == "bad" ? fail("HTTP_400", "") : succeed({}, std::chrono::seconds(100));
  });
  const auto run = world.start(plan_of(
      R"([{"name":"bad","type":"webhook","depends_on":[],"config":{"url":"https://a.example/"}},
                                           {"name":"slow","type":"webhook","depends_on":[],"config":{"url":"https://b.example/"}},
                                           {"name":"later","type":"transform","depends_on":["slow"],"config":{"output":1}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().status, RunStatus::kFailed);
  EXPECT_EQ(history.machine.state().find_step("slow")->status, StepStatus::kCancelled);
  EXPECT_EQ(history.machine.state().find_step("later")->status, StepStatus::kPending);
  EXPECT_EQ(world.runner.cancelled.size(), 1U);
}

TEST(Engine, StopsBeforeTheStepThatWouldExceedMaxSteps) {
  EngineWorld world(unreachable);
  const auto run =
      world.start(plan_of(R"([{"name":"a","type":"transform","depends_on":[],"config":{"output":1}},
                                           {"name":"b","type":"transform","depends_on":["a"],"config":{"output":2}},
                                           {"name":"c","type":"transform","depends_on":["b"],"config":{"output":3}}])"),
                  [](Start& start) { start.max_steps = 2; });
  world.scheduler.run_due();
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().error_code, "MAX_STEPS_EXCEEDED");
  EXPECT_EQ(history.machine.state().error_step, "c");
  EXPECT_EQ(history.machine.state().find_step("b")->status, StepStatus::kCompleted);
}

TEST(Engine, CancelsARunAndItsCalls) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::seconds(100)); });
  const auto run = world.start(plan_of(kWebhook));
  world.scheduler.run_for(std::chrono::seconds(1));
  const auto answer = world.tell(run.id, CancelRequested{"key:someone", "changed my mind"});
  world.scheduler.run_due();
  ASSERT_TRUE(answer->has_value() && (*answer)->has_value());
  EXPECT_EQ((**answer)->status, RunStatus::kCancelled);
  EXPECT_THAT(world.event_types(run.id),
              ElementsAre("run.started", "step.started call", "effect.started call",
                          "run.cancel_requested", "step.cancelled call", "run.cancelled"));
  EXPECT_EQ(world.runner.cancelled.size(), 1U);
}

TEST(Engine, ChecksWhatAStepGaveAgainstItsSchema) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"transform","output_schema":{"type":"object","required":["x"]},"config":{"output":{"y":1}}}])"));
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "OUTPUT_INVALID");
}

TEST(Engine, FailsAnExpressionWithoutRetry) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(
      R"([{"name":"a","type":"transform","config":{"output":"${{ input.missing.deep }}"}}])"));
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "EXPRESSION_ERROR");
}

TEST(Engine, NeverExpandsWhatAModelSaid) {
  EngineWorld world([](const Call&) {
    return succeed(
        json::Object{{"text", "${{ secrets.KEY }} ${{ input }}"}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(
      plan_of(R"([{"name":"ask","type":"llm_inference","config":{"model":"m","prompt":"hi"}},
    {"name":"use","type":"transform","depends_on":["ask"],"config":{"output":"said: ${{ steps.ask.result.text }}"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(json::write(output_of(world, run.id)), R"("said: ${{ secrets.KEY }} ${{ input }}")");
}

TEST(Engine, RunsTheToolsThatAModelAsksForAndAsksAgain) {
  EngineWorld world([](const Call& call) {
    if (call.kind == CallKind::kTool) return succeed(json::Object{{"found", 3}});
    const json::Value& messages = *call.request.find("spec")->find("messages");
    if (messages.as_array().size() == 1) {
      return succeed(parsed(
          R"({"text":"","finish_reason":"tool_calls","tool_calls":[{"id":"1","name":"search","arguments":{"q":"x"}},
                                {"id":"2","name":"nonsense","arguments":{}}]})"));
    }
    EXPECT_EQ(messages.as_array().size(), 4U)
        << "user, assistant, and an answer for each tool call";
    return succeed(json::Object{{"text", "three"}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(plan_of(
      R"([{"name":"ask","type":"llm_inference","config":{"model":"m","prompt":"how many?","tools":["search"]}}])",
      "{}", "{}", R"({"search":{"name":"search","description":"finds"}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(output_of(world, run.id).string_or("text"), "three");
  std::vector<std::string> keys;
  for (const Call& call : world.runner.made) keys.push_back(call.id.key().substr(27));
  EXPECT_THAT(keys, ElementsAre("ask", "ask/c2", "ask/c4"))
      << "the third call was refused before it left";
  EXPECT_THAT(
      world.event_types(run.id),
      ElementsAre("run.started", "step.started ask", "effect.started ask", "llm.called ask",
                  "effect.started ask", "tool.called ask", "tool.called ask", "effect.started ask",
                  "llm.called ask", "step.completed ask", "run.completed"));
}

TEST(Engine, AsksTheNextModelWhenOneFails) {
  EngineWorld world([](const Call& call) {
    const std::string model = call.request.find("spec")->string_or("model");
    return model == "second" ? succeed(json::Object{{"text", "here"}, {"finish_reason", "stop"}})
                             : fail("HTTP_400", "");
  });
  const auto run = world.start(plan_of(
      R"([{"name":"ask","type":"llm_inference","config":{"model":"first","fallback_models":["second"],"prompt":"?"}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const json::Value output = output_of(world, run.id);
  EXPECT_EQ(output.string_or("text"), "here");
  EXPECT_EQ(output.string_or("model"), "second");
  EXPECT_EQ(world.runner.made.back().id.number, 2U);
}

const char* kAskForNumber =
    R"([{"name":"ask","type":"llm_inference","config":{"model":"m","prompt":"n?",
    "response_schema":{"type":"object","required":["n"],"properties":{"n":{"type":"integer"}}}}}])";

TEST(Engine, TellsTheModelWhatWasWrongWithItsAnswerAndAsksAgain) {
  EngineWorld world([](const Call& call) {
    const json::Array& messages = call.request.find("spec")->find("messages")->as_array();
    if (messages.size() == 1) {
      return succeed(
          json::Object{{"text", "{}"}, {"json", json::Object()}, {"finish_reason", "stop"}});
    }
    EXPECT_NE(messages.back().string_or("content").find("required"), std::string::npos)
        << json::write(messages.back());
    return succeed(json::Object{
        {"text", "{\"n\":7}"}, {"json", json::Object{{"n", 7}}}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(plan_of(kAskForNumber));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(json::write(*output_of(world, run.id).find("json")), R"({"n":7})");
  EXPECT_EQ(world.runner.made.back().id.number, 2U) << "a changed request takes the next number";
}

TEST(Engine, FailsAnInferenceThatNeverFitsItsSchema) {
  EngineWorld world([](const Call&) {
    return succeed(json::Object{{"text", "seven"}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(plan_of(kAskForNumber));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(world.history(run.id).machine.state().error_code, "RESPONSE_SCHEMA_MISMATCH");
  EXPECT_EQ(world.runner.made.size(), 2U);
}

TEST(Engine, LetsAModelDecide) {
  EngineWorld world([](const Call& call) {
    EXPECT_NE(call.request.find("spec")->find("response_schema"), nullptr);
    return succeed(json::Object{{"text", "{}"},
                                {"json", json::Object{{"decision", "yes"}, {"reason", "because"}}},
                                {"finish_reason", "stop"}});
  });
  const auto run =
      world.start(plan_of(R"([{"name":"d","type":"decision","config":{"model":"m","prompt":"ok?",
      "choices":[{"label":"yes","description":"it is"},{"label":"no","description":"it is not"}]}}])"));
  world.scheduler.run_for(std::chrono::seconds(1));
  const json::Value result = result_of(world, run.id, "d");
  EXPECT_EQ(result.string_or("decision"), "yes");
  EXPECT_EQ(result.string_or("reason"), "because");
}

json::Value agent_plan(const EngineWorld& world, std::string_view agent,
                       std::string_view tools = "{}") {
  return workflow::make_agent_plan(json::Object{{world.agent.uuid(), parsed(agent)}},
                                   parsed(tools));
}

TEST(AgentRun, MakesEveryCallAStepUntilTheModelAnswers) {
  EngineWorld world([](const Call& call) {
    if (call.kind == CallKind::kTool) return succeed(json::Object{{"n", call.id.step}});
    const std::size_t said = call.request.find("spec")->find("messages")->as_array().size();
    if (said == 1) {
      return succeed(parsed(
          R"({"text":"","finish_reason":"tool_calls","tool_calls":[{"id":"1","name":"look","arguments":{}},{"id":"2","name":"look","arguments":{}}]})"));
    }
    return succeed(json::Object{{"text", "done"}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(
      agent_plan(world, R"({"model":"m","instructions":"be brief","tools":["look"],"scopes":[]})",
                 R"({"look":{"name":"look"}})"),
      [](Start& start) { start.input = json::Object{{"prompt", "go"}}; });
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(json::write(output_of(world, run.id)), R"({"text":"done"})");
  std::vector<std::string> names;
  const History history = world.history(run.id);
  for (const StepState& step : history.machine.state().steps) names.push_back(step.name);
  EXPECT_THAT(names, ElementsAre("llm_1", "tool_1", "tool_2", "llm_2"));
}

TEST(AgentRun, CountsEveryCallAgainstMaxSteps) {
  EngineWorld world([](const Call& call) {
    if (call.kind == CallKind::kTool) return succeed(1);
    return succeed(parsed(
        R"({"text":"","finish_reason":"tool_calls","tool_calls":[{"id":"1","name":"look","arguments":{}}]})"));
  });
  const auto run = world.start(
      agent_plan(world, R"({"model":"m","instructions":"","tools":["look"],"scopes":[]})",
                 R"({"look":{"name":"look"}})"),
      [](Start& start) { start.max_steps = 5; });
  world.scheduler.run_for(std::chrono::seconds(1));
  const History history = world.history(run.id);
  EXPECT_EQ(history.machine.state().error_code, "MAX_STEPS_EXCEEDED");
  EXPECT_EQ(history.machine.state().steps.size(), 5U);
}

TEST(AgentRun, TellsTheModelWhatBecameOfAToolThatItMayNotUse) {
  EngineWorld world([](const Call& call) {
    const json::Array& messages = call.request.find("spec")->find("messages")->as_array();
    if (messages.size() == 1) {
      return succeed(parsed(
          R"({"text":"","finish_reason":"tool_calls","tool_calls":[{"id":"1","name":"pay","arguments":{}}]})"));
    }
    EXPECT_NE(messages.back().string_or("content").find("AGENT_SCOPE_DENIED"), std::string::npos);
    return succeed(json::Object{{"text", "I may not"}, {"finish_reason", "stop"}});
  });
  const auto run = world.start(
      agent_plan(world, R"({"model":"m","instructions":"","tools":["pay"],"scopes":[]})",
                 R"({"pay":{"name":"pay","scope":"money:send"}})"));
  world.scheduler.run_for(std::chrono::seconds(1));
  EXPECT_EQ(output_of(world, run.id).string_or("text"), "I may not");
}

TEST(AgentRun, IsOneTaskForAnAgentWithoutAModel) {
  EngineWorld world(unreachable);
  const auto run =
      world.start(agent_plan(world, R"({"model":"","instructions":"","tools":[],"scopes":[]})"),
                  [](Start& start) { start.input = json::Object{{"q", 1}}; });
  world.scheduler.run_due();
  std::vector<TakenTask> taken;
  world.engine->poll_tasks(world.agent, 10, world.scheduler.now(), "key:worker", {},
                           [&](std::vector<TakenTask> tasks) { taken = std::move(tasks); });
  world.scheduler.run_due();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].grant.step, "task");
  EXPECT_EQ(taken[0].grant.action, "run");
  EXPECT_EQ(json::write(taken[0].grant.input), R"({"q":1})");
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
  const std::string hash = to_hex(view_of(crypto::sha256(taken[0].lease_token)));
  world.tell(run.id,
             TaskFinished{{"task", 1, {}}, hash, json::Value(json::Object{{"answer", 42}})});
  world.scheduler.run_due();
  EXPECT_EQ(json::write(output_of(world, run.id)), R"({"answer":42})");
}

const char* kAgentStep =
    R"([{"name":"work","type":"agent","config":{"action":"clean","parameters":{"depth":"${{ input.depth }}"}}}])";

std::vector<TakenTask> poll(EngineWorld& world, Duration wait = Duration(0)) {
  std::vector<TakenTask> taken;
  world.engine->poll_tasks(world.agent, 10, world.scheduler.now() + wait, "key:worker", {},
                           [&](std::vector<TakenTask> tasks) { taken = std::move(tasks); });
  world.scheduler.run_for(wait);
  world.scheduler.run_due();
  return taken;
}

TEST(Task, WakesAWorkerThatWaitsForIt) {
  EngineWorld world(unreachable);
  std::vector<TakenTask> taken;
  world.engine->poll_tasks(world.agent, 1, world.scheduler.now() + std::chrono::seconds(20),
                           "key:worker", {},
                           [&](std::vector<TakenTask> tasks) { taken = std::move(tasks); });
  world.scheduler.run_for(std::chrono::seconds(5));
  EXPECT_TRUE(taken.empty());
  world.start(plan_of(kAgentStep), [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(json::write(taken[0].grant.parameters), R"({"depth":2})");
}

TEST(Task, IsNotGivenToAWorkerThatHasGone) {
  EngineWorld world(unreachable);
  std::stop_source gone;
  bool is_answered = false;
  world.engine->poll_tasks(world.agent, 1, world.scheduler.now() + std::chrono::seconds(20),
                           "key:worker", gone.get_token(),
                           [&](const std::vector<TakenTask>& tasks) {
                             is_answered = true;
                             EXPECT_TRUE(tasks.empty());
                           });
  gone.request_stop();
  world.start(plan_of(kAgentStep), [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  EXPECT_TRUE(is_answered);
  EXPECT_EQ(poll(world).size(), 1U) << "the task is still there for another";
}

TEST(Task, GoesToAnotherWorkerWhenTheLeaseEnds) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(kAgentStep),
                               [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  const auto first = poll(world);
  ASSERT_EQ(first.size(), 1U);
  EXPECT_TRUE(poll(world).empty()) << "it is leased";
  world.scheduler.run_for(std::chrono::seconds(61));
  const auto second = poll(world);
  ASSERT_EQ(second.size(), 1U);
  const auto late =
      world.tell(run.id, TaskFinished{{"work", 1, {}},
                                      to_hex(view_of(crypto::sha256(first[0].lease_token))),
                                      json::Value(1)});
  world.scheduler.run_due();
  EXPECT_EQ((*late)->error().code, Code::kConflict) << "the first worker has lost it";
  world.tell(run.id, TaskFinished{{"work", 1, {}},
                                  to_hex(view_of(crypto::sha256(second[0].lease_token))),
                                  json::Value(2)});
  world.scheduler.run_due();
  EXPECT_EQ(json::write(output_of(world, run.id)), "2");
}

TEST(Task, StaysWithAWorkerThatRenewsItsLease) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(kAgentStep),
                               [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  const auto taken = poll(world);
  ASSERT_EQ(taken.size(), 1U);
  const std::string hash = to_hex(view_of(crypto::sha256(taken[0].lease_token)));
  for (int i = 0; i < 4; ++i) {
    world.scheduler.run_for(std::chrono::seconds(40));
    const auto renewed = world.tell(run.id, TaskRenewed{{"work", 1, {}}, hash});
    world.scheduler.run_due();
    ASSERT_TRUE((*renewed)->has_value());
  }
  EXPECT_TRUE(poll(world).empty());
  world.tell(run.id, TaskFinished{{"work", 1, {}}, hash, json::Value("ok")});
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
}

TEST(Task, IsStillThereAfterARestart) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(kAgentStep),
                               [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  const auto taken = poll(world);
  ASSERT_EQ(taken.size(), 1U);
  world.crash_and_restart();
  world.scheduler.run_due();
  world.tell(run.id, TaskFinished{{"work", 1, {}},
                                  to_hex(view_of(crypto::sha256(taken[0].lease_token))),
                                  json::Value(1)});
  world.scheduler.run_due();
  EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted)
      << "the lease outlives the process";
  EXPECT_EQ(world.engine->figures().tasks, 0U);
}

TEST(Task, IsNotForAKeyOfOtherAgents) {
  EngineWorld world(unreachable);
  const auto run = world.start(plan_of(kAgentStep),
                               [](Start& start) { start.input = json::Object{{"depth", 2}}; });
  world.scheduler.run_due();
  const auto taken = poll(world);
  const auto refused =
      world.tell(run.id, TaskFinished{{"work", 1, std::vector<AgentId>{}},
                                      to_hex(view_of(crypto::sha256(taken[0].lease_token))),
                                      json::Value(1)});
  world.scheduler.run_due();
  EXPECT_EQ((*refused)->error().code, Code::kPermissionDenied);
}

TEST(Slots, ServeTenantsInTurn) {
  SlotPool pool(2, 3);
  const TenantId a{Id{1, 0}};
  const TenantId b{Id{2, 0}};
  EXPECT_EQ(pool.acquire(a, 5), 2U) << "the tenant's own limit";
  EXPECT_EQ(pool.acquire(b, 5), 1U) << "what is left of all";
  std::string woken;
  pool.wait(a, 5, [&] { woken += 'a'; });
  pool.wait(a, 5, [&] { woken += 'A'; });
  pool.wait(b, 5, [&] { woken += 'b'; });
  pool.release(a, 1);
  pool.release(b, 1);
  EXPECT_EQ(woken.size(), 2U);
  EXPECT_NE(woken.find('b'), std::string::npos)
      << "one tenant's queue does not hold up another's: " << woken;
}

TEST(Slots, AreGivenToNobodyWhileThePoolIsHeld) {
  SlotPool pool(2, 3);
  const TenantId a{Id{1, 0}};
  pool.hold();
  int woken = 0;
  for (int i = 0; i < 3; ++i) pool.wait(a, 5, [&woken] { ++woken; });
  pool.adopt(a, 1);
  EXPECT_EQ(pool.acquire(a, 1), 0U);
  EXPECT_EQ(woken, 0);
  pool.open();
  EXPECT_EQ(woken, 1) << "one of the tenant's two is in use";
}

TEST(Engine, StartsNoMoreCallsThanThereAreSlots) {
  std::size_t under_way = 0;
  std::size_t most = 0;
  EngineWorld* its = nullptr;
  EngineWorld world(
      [&](const Call&) {
        most = std::max(most, its->engine->figures().calls_in_flight);
        ++under_way;
        return succeed(json::Object{{"status", 200}}, Duration(100));
      },
      1, {.steps_in_flight_per_tenant_max = 3, .steps_in_flight_max = 3});
  its = &world;
  std::string steps = "[";
  for (int i = 0; i < 10; ++i) {
    steps += fmt::format(
        R"({}{{"name":"s{}","type":"webhook","depends_on":[],"config":{{"url":"https://example.com/"}}}})",
        i == 0 ? "" : ",", i);
  }
  const json::Value plan = plan_of(steps + "]");
  std::vector<EngineWorld::Started> runs;
  for (int i = 0; i < 4; ++i) runs.push_back(world.start(plan));
  world.scheduler.run_for(std::chrono::seconds(30));
  for (const auto& run : runs)
    EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
  EXPECT_EQ(under_way, 40U);
  EXPECT_LE(most, 3U);
}

// A call that was under way at the crash is called again: nobody may get its slot before.
TEST(Engine, KeepsToItsSlotsAfterACrash) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    EngineWorld* its = nullptr;
    std::size_t most = 0;
    EngineWorld world(
        [&](const Call&) {
          most = std::max(most, its->runner.under_way() + 1);
          return succeed(json::Object{{"status", 200}}, Duration(100));
        },
        seed, {.steps_in_flight_per_tenant_max = 1, .steps_in_flight_max = 1});
    its = &world;
    const json::Value plan = plan_of(
        R"([{"name":"a","type":"webhook","config":{"url":"https://e.com/"}},
            {"name":"b","type":"webhook","depends_on":["a"],"config":{"url":"https://e.com/"}}])");
    std::vector<EngineWorld::Started> runs;
    for (int i = 0; i < 4; ++i) runs.push_back(world.start(plan));
    for (int i = 0; i < 5; ++i) {
      world.scheduler.run_for(Duration(130));
      world.crash_and_restart();
    }
    world.scheduler.run_for(std::chrono::seconds(30));
    for (const auto& run : runs)
      EXPECT_EQ(world.history(run.id).machine.state().status, RunStatus::kCompleted);
    EXPECT_EQ(most, 1U) << "seed " << seed;
  }
}

// On a server whose log cannot be believed the engine is not started: its runs are only read.
TEST(Engine, RefusesWhatItIsAskedAndReadsNothingUnlessItWasStarted) {
  EngineWorld world([](const Call&) { return succeed({}, std::chrono::minutes(1)); });
  const auto active =
      world.start(plan_of(R"([{"name":"w","type":"webhook","config":{"url":"https://e.com/"}}])"));
  world.scheduler.run_for(std::chrono::seconds(2));
  world.kill();
  int reads = 0;
  world.faults.is_read_refused = [&reads] { return ++reads > 0; };
  world.make_engine();
  const auto told = world.tell(active.id, CancelRequested{"key:test", {}});
  const auto started =
      world.start(plan_of(R"([{"name":"t","type":"wait","config":{"seconds":1}}])"));
  world.scheduler.run_for(std::chrono::minutes(5));
  for (const auto& answer : {told, started.answer}) {
    ASSERT_TRUE(answer->has_value());
    ASSERT_FALSE((*answer)->has_value());
    EXPECT_EQ((*answer)->error().code, Code::kUnavailable);
  }
  EXPECT_EQ(reads, 0);
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U);
  EXPECT_EQ(world.engine->figures().runs_started, 0U);
}

}  // namespace
}  // namespace avow::engine
