// SPDX-License-Identifier: Apache-2.0
// Approvals: who may decide, when it is decided, and what time does.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.h"
#include "json/write.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using ::testing::ElementsAre;
using testing::EngineWorld;

using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

constexpr const char* kAlice = "key:00000000-0000-7000-8000-00000000000a";
constexpr const char* kBob = "key:00000000-0000-7000-8000-00000000000b";
constexpr const char* kCarol = "jwt:0123456789abcdef0123456789abcdef";

ScriptedRunner::Answer unreachable(const Call& call) {
  ADD_FAILURE() << "a call left: " << call.id.key();
  return succeed({});
}

/// A world in which a run waits at the step "ask" for an approval with `config`.
class Asking {
 public:
  explicit Asking(const std::string& config, const std::string& options = "")
      : run_(world
                 .start(plan_of(R"([{"name":"ask","type":"approval")" + options + R"(,"config":)" +
                                    config + R"(},
                                  {"name":"then","type":"transform","depends_on":["ask"],
                                   "config":{"output":"${{ steps.ask.result }}"}}])",
                                R"({"timeout_seconds":3600})"),
                        [](Start& start) {
                          start.timeout_seconds = 3600;
                          start.input = json::Object{{"sum", 7}};
                          start.actor = "key:starter";
                        })
                 .id) {
    world.scheduler.run_due();
  }

  /// What the engine answers to a decision.
  Result<Outcome> decide(ApprovalDecided decided) {
    decided.step = "ask";
    const auto answer = world.tell(run_, std::move(decided));
    world.scheduler.run_due();
    CHECK(answer->has_value());
    return **answer;
  }
  Result<Outcome> decide(std::string_view who, bool approves, std::string comment = "") {
    return decide({.step = {},
                   .actor = std::string(who),
                   .agents = {},
                   .approves = approves,
                   .comment = std::move(comment),
                   .subject_digest = {}});
  }

  StepState step() { return *world.history(run_).machine.state().find_step("ask"); }
  RunStatus status() { return world.history(run_).machine.state().status; }
  std::string error() { return world.history(run_).machine.state().error_code; }
  std::vector<std::string> events() { return world.event_types(run_); }
  std::string result() {
    const History history = world.history(run_);
    const json::Value* found =
        history.contents.find(history.machine.state().find_step("ask")->output.ref);
    return found == nullptr ? "" : json::write(*found);
  }
  [[nodiscard]] RunId run() const { return run_; }

  EngineWorld world{unreachable};

 private:
  RunId run_;
};

Code refusal(const Result<Outcome>& done) {
  EXPECT_FALSE(done.has_value());
  return done ? Code::kInternal : done.error().code;
}

std::string two_of(const std::string& more = "") {
  return R"({"prompt":"pay ${{ input.sum }}?","quorum":2,"approvers":[")" + std::string(kAlice) +
         R"(",")" + kBob + R"(",")" + kCarol + R"("])" + more + "}";
}

TEST(Approval, ParksTheRunUntilSomebodyApproves) {
  Asking asking(R"({"prompt":"pay ${{ input.sum }}?"})");
  EXPECT_EQ(asking.step().status, StepStatus::kWaiting);
  EXPECT_EQ(asking.world.history(asking.run()).machine.waiting_for(), "approval");
  EXPECT_EQ(asking.world.engine->figures().runs_loaded, 0U);
  EXPECT_TRUE(asking.world.store.get_run(asking.run())->is_parked);
  EXPECT_TRUE(asking.decide(kAlice, true, "fine"));
  EXPECT_EQ(asking.status(), RunStatus::kCompleted);
  EXPECT_THAT(asking.events(),
              ElementsAre("run.started", "step.started ask", "approval.requested ask",
                          "approval.decided ask", "step.completed ask", "step.started then",
                          "step.completed then", "run.completed"));
  EXPECT_THAT(
      asking.result(),
      ::testing::StartsWith(R"({"approved":true,"decisions":[{"by":")" + std::string(kAlice) +
                            R"(","decision":"approve","comment":"fine","at":)"));
}

TEST(Approval, SaysInClearWhoIsAskedAndNotWhat) {
  Asking asking(two_of(R"(,"timeout_seconds":60)"));
  ASSERT_TRUE(asking.decide(kBob, true, "secret words"));
  for (const Event& event : asking.world.events(asking.run())) {
    const std::string bytes = json::write(event.data);
    EXPECT_EQ(bytes.find("pay 7"), std::string::npos) << bytes;
    EXPECT_EQ(bytes.find("secret words"), std::string::npos) << bytes;
    if (event.type == "approval.requested") {
      EXPECT_EQ(event.data.find("approvers")->as_array().size(), 3U);
      EXPECT_EQ(event.data.int_or("quorum", 0), 2);
      EXPECT_EQ(event.data.string_or("deadline"),
                format_time(asking.world.scheduler.now() + std::chrono::seconds(60)));
      EXPECT_EQ(event.data.string_or("subject"), asking.step().approval->subject.commitment);
    }
    if (event.type == "approval.decided") {
      EXPECT_EQ(event.actor, kBob);
      EXPECT_EQ(event.data.string_or("subject"), asking.step().approval->subject.commitment);
    }
  }
}

TEST(Approval, NeedsItsQuorumOfDifferentPrincipals) {
  Asking asking(two_of());
  ASSERT_TRUE(asking.decide(kAlice, true));
  const auto events = asking.events();
  EXPECT_TRUE(asking.decide(kAlice, true)) << "the same again changes nothing";
  EXPECT_EQ(asking.events(), events);
  EXPECT_EQ(refusal(asking.decide(kAlice, false)), Code::kConflict);
  EXPECT_EQ(asking.status(), RunStatus::kRunning);
  ASSERT_TRUE(asking.decide(kCarol, true));
  EXPECT_EQ(asking.status(), RunStatus::kCompleted);
  EXPECT_TRUE(asking.decide(kAlice, true)) << "also when it is over";
  EXPECT_EQ(refusal(asking.decide(kAlice, false)), Code::kConflict);
  EXPECT_EQ(refusal(asking.decide(kBob, true)), Code::kConflict);
}

TEST(Approval, IsOverWithOneRejection) {
  Asking asking(two_of());
  ASSERT_TRUE(asking.decide(kAlice, true));
  ASSERT_TRUE(asking.decide(kBob, false, "too much"));
  EXPECT_EQ(asking.status(), RunStatus::kFailed);
  EXPECT_EQ(asking.error(), "APPROVAL_REJECTED");
  Asking going_on(two_of(R"(,"on_reject":"continue")"));
  ASSERT_TRUE(going_on.decide(kBob, false));
  EXPECT_EQ(going_on.status(), RunStatus::kCompleted);
  EXPECT_THAT(going_on.result(), ::testing::StartsWith(R"({"approved":false,"decisions":[{)"));
}

TEST(Approval, IsNotForWhoStartedTheRunOrWorksInIt) {
  const auto as_worker = [](EngineWorld& world) {
    return ApprovalDecided{.step = {},
                           .actor = kBob,
                           .agents = std::vector<AgentId>{world.agent},
                           .approves = true,
                           .comment = {},
                           .subject_digest = {}};
  };
  Asking asking(R"({"prompt":"ok?"})");
  EXPECT_EQ(refusal(asking.decide("key:starter", true)), Code::kPermissionDenied);
  EXPECT_EQ(refusal(asking.decide(as_worker(asking.world))), Code::kPermissionDenied);
  ApprovalDecided other_agent = as_worker(asking.world);
  other_agent.agents = {AgentId{Id{9, 9}}};
  EXPECT_TRUE(asking.decide(other_agent));
  Asking open(R"({"prompt":"ok?","allow_self":true,"quorum":2})");
  EXPECT_TRUE(open.decide("key:starter", true));
  EXPECT_TRUE(open.decide(as_worker(open.world)));
  EXPECT_EQ(open.status(), RunStatus::kCompleted);
}

TEST(Approval, IsForItsApproversOnly) {
  Asking asking(two_of());
  EXPECT_EQ(refusal(asking.decide("key:somebody", true)), Code::kPermissionDenied);
  EXPECT_EQ(asking.step().approval->decisions.size(), 0U);
}

TEST(Approval, IsAboutWhatWasShown) {
  Asking asking(R"({"prompt":"ok?"})");
  ApprovalDecided decided{.step = {},
                          .actor = kAlice,
                          .agents = {},
                          .approves = true,
                          .comment = {},
                          .subject_digest = std::string(64, '0')};
  EXPECT_EQ(refusal(asking.decide(decided)), Code::kConflict);
  decided.subject_digest = asking.step().approval->subject.commitment;
  EXPECT_TRUE(asking.decide(decided));
  EXPECT_EQ(asking.status(), RunStatus::kCompleted);
}

TEST(Approval, TakesNoDecisionAboutAnotherStep) {
  Asking asking(R"({"prompt":"ok?"})");
  const auto told = [&](const char* step) {
    const auto answer = asking.world.tell(asking.run(), ApprovalDecided{.step = step,
                                                                        .actor = kAlice,
                                                                        .agents = {},
                                                                        .approves = true,
                                                                        .comment = {},
                                                                        .subject_digest = {}});
    asking.world.scheduler.run_due();
    return refusal(**answer);
  };
  EXPECT_EQ(told("nothing"), Code::kNotFound);
  EXPECT_EQ(told("then"), Code::kConflict);
}

TEST(Approval, OutOfTimeDoesWhatItSays) {
  const struct {
    const char* on_timeout;
    RunStatus status;
    const char* error;
  } cases[] = {{"fail", RunStatus::kFailed, "APPROVAL_TIMEOUT"},
               {"reject", RunStatus::kFailed, "APPROVAL_REJECTED"},
               {"approve", RunStatus::kCompleted, ""}};
  for (const auto& one : cases) {
    Asking asking(
        two_of(R"(,"timeout_seconds":60,"on_timeout":")" + std::string(one.on_timeout) + "\""));
    ASSERT_TRUE(asking.decide(kAlice, true));
    asking.world.scheduler.run_for(std::chrono::seconds(59));
    EXPECT_EQ(asking.status(), RunStatus::kRunning) << one.on_timeout;
    asking.world.crash_and_restart();
    asking.world.scheduler.run_for(std::chrono::seconds(1));
    EXPECT_EQ(asking.status(), one.status) << one.on_timeout;
    EXPECT_EQ(asking.error(), one.error);
    EXPECT_EQ(refusal(asking.decide(kBob, true)), Code::kConflict);
  }
}

TEST(Approval, WithoutATimeLimitEndsWithTheRun) {
  Asking asking(R"({"prompt":"ok?"})");
  asking.world.scheduler.run_for(std::chrono::seconds(3600));
  EXPECT_EQ(asking.status(), RunStatus::kFailed);
  EXPECT_EQ(asking.error(), "TIMEOUT");
}

TEST(Approval, EscalatesToOthersWhoDecideAnew) {
  Asking asking(
      two_of(R"(,"timeout_seconds":60,"on_timeout":"escalate","escalate":{"approvers":[")" +
             std::string(kCarol) + R"("],"timeout_seconds":60,"on_timeout":"approve"})"));
  const std::string first = asking.step().approval->subject.commitment;
  ASSERT_TRUE(asking.decide(kAlice, true));
  asking.world.scheduler.run_for(std::chrono::seconds(60));
  EXPECT_EQ(asking.step().status, StepStatus::kWaiting);
  EXPECT_EQ(asking.step().approval->round, 2U);
  EXPECT_NE(asking.step().approval->subject.commitment, first);
  EXPECT_EQ(refusal(asking.decide(kBob, true)), Code::kPermissionDenied);
  ASSERT_TRUE(asking.decide(kCarol, true));
  EXPECT_EQ(asking.status(), RunStatus::kCompleted);
  EXPECT_THAT(asking.events(),
              ElementsAre("run.started", "step.started ask", "approval.requested ask",
                          "approval.decided ask", "approval.expired ask", "approval.requested ask",
                          "approval.decided ask", "step.completed ask", "step.started then",
                          "step.completed then", "run.completed"));
}

TEST(Approval, IsAskedForAgainWhereRetryOnListsItsEnd) {
  Asking asking(
      R"({"prompt":"ok?","timeout_seconds":60})",
      R"(,"retry":{"max_attempts":2,"initial_delay_ms":0,"retry_on":["APPROVAL_TIMEOUT"]})");
  asking.world.scheduler.run_for(std::chrono::seconds(61));
  EXPECT_EQ(asking.step().status, StepStatus::kWaiting);
  EXPECT_EQ(asking.step().attempt, 2U);
  EXPECT_TRUE(asking.decide(kAlice, true));
  EXPECT_EQ(asking.status(), RunStatus::kCompleted);
}

TEST(Approval, OfACancelledRunIsOver) {
  Asking asking(R"({"prompt":"ok?"})");
  asking.world.tell(asking.run(), CancelRequested{"key:starter", ""});
  asking.world.scheduler.run_due();
  EXPECT_EQ(asking.step().status, StepStatus::kCancelled);
  EXPECT_EQ(refusal(asking.decide(kAlice, true)), Code::kConflict);
}

}  // namespace
}  // namespace avow::engine
