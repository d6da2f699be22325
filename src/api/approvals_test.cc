// SPDX-License-Identifier: Apache-2.0
// Approvals, pause and resume over the API: who gets which answer.
#include <gtest/gtest.h>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

class Approving : public ::testing::Test {
 protected:
  Approving() {
    agent_ = ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
    approver_ = world_.make_key(world_.tenant, {"approvals:write", "orchestrations:read"});
  }

  /// A run that waits for an approval, as its path.
  std::string asking(const std::string& config = R"({"prompt":"pay ${{ input.sum }}?"})") {
    const auto started =
        world_.send("POST", "/v1/orchestrations/execute",
                    R"({"agent_id":")" + agent_ +
                        R"(","input":{"sum":7},"timeout_seconds":600,"steps":[
             {"name":"pay","type":"approval","config":)" +
                        config + R"(},{"name":"done","type":"transform","depends_on":["pay"],
              "config":{"output":"${{ steps.pay.result.approved }}"}}]})");
    EXPECT_EQ(started.status, 202) << started.body;
    return "/v1/orchestrations/" + ApiWorld::body(started).string_or("orchestration_id");
  }
  net::Response decide(const std::string& run, const std::string& body, const std::string& key,
                       const std::string& idempotency_key = "") {
    auto request = world_.request("POST", run + "/approvals/pay", body);
    request.headers.set("X-API-Key", key);
    if (!idempotency_key.empty()) request.headers.set("Idempotency-Key", idempotency_key);
    return world_.send(request);
  }
  json::Value shown(const std::string& run) { return ApiWorld::body(world_.send("GET", run)); }
  static json::Value approval(const json::Value& run) {
    const json::Value* found = run.find("steps")->as_array().at(0).find("approval");
    return found == nullptr ? json::Value() : *found;
  }

  ApiWorld world_;
  std::string agent_;
  std::string approver_;
};

TEST_F(Approving, ShowsWhatIsAskedAndTakesTheDecision) {
  const std::string run = asking();
  const json::Value before = shown(run);
  EXPECT_EQ(before.string_or("waiting_for"), "approval");
  EXPECT_EQ(approval(before).string_or("prompt"), "pay 7?");
  EXPECT_NE(approval(before).find("deadline"), nullptr);
  EXPECT_EQ(approval(before).find("approvers"), nullptr);
  const std::string digest = approval(before).string_or("subject_digest");
  EXPECT_EQ(
      decide(run, R"({"decision":"approve","subject_digest":")" + std::string(64, '0') + "\"}",
             approver_)
          .status,
      409);
  const auto decided =
      decide(run, R"({"decision":"approve","comment":"fine","subject_digest":")" + digest + "\"}",
             approver_);
  ASSERT_EQ(decided.status, 200) << decided.body;
  const json::Value after = ApiWorld::body(decided);
  EXPECT_EQ(after.string_or("status"), "completed");
  EXPECT_EQ(*after.find("results")->find("done"), json::Value(true));
  EXPECT_EQ(approval(after).find("decisions")->as_array().at(0).string_or("comment"), "fine");
  EXPECT_EQ(approval(after).find("deadline"), nullptr);
}

TEST_F(Approving, RefusesWhoMayNotDecide) {
  const std::string run = asking();
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", world_.key).status, 403) << "the starter";
  const std::string reader = world_.make_key(world_.tenant, {"orchestrations:write"});
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", reader).status, 403) << "no scope";
  const std::string worker =
      world_.make_key(world_.tenant, {"approvals:write"}, {{AgentId{*parse_id(agent_)}}});
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", worker).status, 403) << "works in the run";
  const std::string stranger = world_.make_key(world_.make_tenant("second"), {"*:*"});
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", stranger).status, 404);
  EXPECT_EQ(shown(run).string_or("status"), "running");
}

TEST_F(Approving, RefusesWhatIsNoDecision) {
  const std::string run = asking();
  const std::pair<const char*, int> cases[] = {
      {"{}", 400},
      {R"({"decision":5})", 400},
      {R"({"decision":"maybe"})", 422},
      {R"({"decision":"approve","why":"x"})", 400},
      {R"({"decision":"approve","comment":7})", 400},
      {R"({"decision":"approve","subject_digest":"abc"})", 422}};
  for (const auto& [body, status] : cases)
    EXPECT_EQ(decide(run, body, approver_).status, status) << body;
  EXPECT_EQ(world_.send("POST", run + "/approvals/nothing", R"({"decision":"approve"})").status,
            404);
  EXPECT_EQ(world_.send("POST", run + "/approvals/done", R"({"decision":"approve"})").status, 409);
}

TEST_F(Approving, AnswersARepetitionAsTheFirstTime) {
  const std::string run = asking(R"({"prompt":"?","quorum":2})");
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", approver_, "once").status, 200);
  const auto again = decide(run, R"({"decision":"approve"})", approver_, "once");
  EXPECT_EQ(again.status, 200);
  EXPECT_NE(again.headers.find("Idempotent-Replayed"), nullptr);
  EXPECT_EQ(decide(run, R"({"decision":"approve"})", approver_).status, 200);
  EXPECT_EQ(approval(shown(run)).find("decisions")->as_array().size(), 1U);
  EXPECT_EQ(decide(run, R"({"decision":"reject"})", approver_).status, 409);
}

TEST_F(Approving, CannotBeOverriddenByARequest) {
  const auto created = world_.send("POST", "/v1/workflows", R"({"name":"w","timeout_seconds":600,
      "agent_id":")" + agent_ + R"(","steps":[{"name":"pay","type":"approval",
      "config":{"prompt":"?"}}]})");
  ASSERT_EQ(created.status, 201) << created.body;
  const std::string workflow = "/v1/workflows/" + ApiWorld::body(created).string_or("id");
  world_.send("POST", workflow + "/publish");
  const auto refused =
      world_.send("POST", workflow + "/execute", R"({"parameters":{"pay":{"allow_self":true}}})");
  EXPECT_EQ(refused.status, 403) << refused.body;
}

TEST_F(Approving, GoesOnWhileTheRunIsPaused) {
  const std::string run = asking();
  const auto paused = world_.send("POST", run + "/pause", R"({"reason":"look"})");
  ASSERT_EQ(paused.status, 200) << paused.body;
  EXPECT_EQ(ApiWorld::body(paused).string_or("waiting_for"), "paused");
  EXPECT_EQ(world_.send("POST", run + "/pause").status, 200);
  const auto decided = decide(run, R"({"decision":"approve"})", approver_);
  ASSERT_EQ(decided.status, 200) << decided.body;
  EXPECT_EQ(ApiWorld::body(decided).string_or("status"), "running");
  EXPECT_EQ(ApiWorld::body(world_.send("POST", run + "/resume")).string_or("status"), "completed");
  EXPECT_EQ(world_.send("POST", run + "/resume").status, 409);
  EXPECT_EQ(world_.send("POST", run + "/pause").status, 409);
  EXPECT_EQ(world_.send("POST", run + "/pause", R"({"why":"x"})").status, 400);
}

}  // namespace
}  // namespace avow::api
