// SPDX-License-Identifier: Apache-2.0
// Agents that pull their work: poll, heartbeat, complete, fail.
#include "server_fixture.h"

namespace avow {
namespace {

class Tasks : public ServerTest {
 protected:
  json::Value start(const json::Value& step_options = json::Object()) {
    json::Value step =
        R"({"name": "work", "type": "agent", "config": {"action": "count",
            "parameters": {"of": "${{ input.of }}"}}})"_json;
    for (const json::Member& option : step_options.as_object()) step.set(option.key, option.value);
    const std::string workflow = make_published(all_, json::Array{step});
    return all_.expect(
        202, all_.post("/v1/workflows/" + workflow + "/execute",
                       json::Object{{"agent_id", agent_}, {"input", R"({"of": "cats"})"_json}}));
  }

  json::Value poll(std::int64_t wait) {
    const json::Value polled =
        all_.expect(200, all_.post("/v1/agents/" + agent_ + "/tasks/poll",
                                   json::Object{{"wait", wait}, {"max", 10}}));
    return value_at(polled, "/tasks");
  }
  json::Value take() { return value_at(poll(30), "/0"); }

  testing::HttpReply tell(const json::Value& task, const std::string& what, json::Value body) {
    body.set("lease_token", *task.find("lease_token"));
    return all_.post("/v1/tasks/" + task.string_or("task_id") + "/" + what, body);
  }

  Client all_ = owner();
  const std::string agent_ = make_agent(all_);
};

TEST_F(Tasks, AWorkerGetsWhatTheStepSaysAndItsResultIsTheSteps) {
  const json::Value run = start();
  const json::Value task = take();
  ASSERT_TRUE(task.is_object());
  EXPECT_EQ(task.string_or("run_id"), run.string_or("run_id"));
  EXPECT_EQ(task.string_or("step"), "work");
  EXPECT_EQ(task.string_or("action"), "count");
  EXPECT_EQ(value_at(task, "/parameters"), R"({"of": "cats"})"_json);
  EXPECT_EQ(value_at(task, "/input"), R"({"of": "cats"})"_json);
  const std::string name = run.string_or("run_id");
  EXPECT_EQ(task.string_or("idempotency_key"), name.substr(name.find(':') + 1) + "/work");

  EXPECT_EQ(all_.expect(200, tell(task, "heartbeat", json::Object())).string_or("status"),
            "running");
  all_.expect(200, tell(task, "complete", R"({"result": {"cats": 3}})"_json));
  const json::Value done = ended(all_, name);
  EXPECT_EQ(done.string_or("status"), "completed");
  EXPECT_EQ(value_at(done, "/steps/0/result"), R"({"cats": 3})"_json);
  EXPECT_EQ(poll(0), json::Value(json::Array()));
}

TEST_F(Tasks, APollWaitsForTheTaskThatComesLater) {
  EXPECT_EQ(poll(0), json::Value(json::Array()));
  start();
  const json::Value task = take();
  ASSERT_TRUE(task.is_object());
  all_.expect(200, tell(task, "complete", json::Object()));
}

TEST_F(Tasks, ARetryableFailureIsTriedAgainUnderTheSameKey) {
  const json::Value run = start(R"({"retry": {"max_attempts": 2, "initial_delay_ms": 1,
                                              "retry_on": ["BUSY"]}})"_json);
  const json::Value first = take();
  all_.expect(200, tell(first, "fail", R"({"error": {"code": "BUSY", "message": "not now"},
                                           "retryable": true})"_json));
  const json::Value second = take();
  ASSERT_TRUE(second.is_object());
  EXPECT_EQ(second.int_or("attempt", 0), 2);
  EXPECT_EQ(second.string_or("idempotency_key"), first.string_or("idempotency_key"));
  all_.expect(200, tell(second, "complete", R"({"result": {}})"_json));
  EXPECT_EQ(ended(all_, run.string_or("id")).string_or("status"), "completed");
}

TEST_F(Tasks, AFailureFailsTheRunWithTheWorkersWords) {
  const json::Value run = start();
  all_.expect(200, tell(take(), "fail", R"({"error": {"code": "NO_CATS", "message": "all gone"},
                                            "retryable": false})"_json));
  const json::Value done = ended(all_, run.string_or("id"));
  EXPECT_EQ(done.string_or("status"), "failed");
  EXPECT_EQ(value_at(done, "/error"),
            R"({"code": "NO_CATS", "message": "all gone", "step": "work"})"_json);
}

TEST_F(Tasks, ALeaseThatIsNotHeldIsAConflict) {
  start();
  const json::Value task = take();
  json::Value other = task;
  other.set("lease_token", "0123456789");
  for (const char* const what : {"heartbeat", "complete", "fail"}) {
    all_.expect(409, tell(other, what, json::Object()));
  }
  all_.expect(200, tell(task, "complete", json::Object()));
  all_.expect(409, tell(task, "complete", R"({"result": 2})"_json));
}

TEST_F(Tasks, AnAgentWithoutAModelGetsItsOwnRunAsOneTask) {
  const json::Value run = all_.expect(
      202, all_.post("/v1/orchestrations/execute",
                     json::Object{{"agent_id", agent_}, {"input", R"({"of": "dogs"})"_json}}));
  const json::Value task = take();
  ASSERT_TRUE(task.is_object());
  EXPECT_EQ(task.string_or("step"), "task");
  EXPECT_EQ(task.string_or("action"), "run");
  EXPECT_EQ(value_at(task, "/input"), R"({"of": "dogs"})"_json);
  all_.expect(200, tell(task, "complete", R"({"result": {"dogs": 1}})"_json));
  const json::Value done = ended(all_, run.string_or("id"));
  EXPECT_EQ(value_at(done, "/steps/0/type"), json::Value("agent"));
  EXPECT_EQ(value_at(done, "/results/task"), R"({"dogs": 1})"_json);
}

TEST_F(Tasks, ASuspendedAgentGetsNoWorkAndStartsNone) {
  const std::string target = "/v1/agents/" + agent_;
  all_.expect(200, all_.post(target + "/suspend", R"({"reason": "audit"})"_json));
  all_.expect(403, all_.post(target + "/tasks/poll"));
  const json::Value body = json::Object{{"agent_id", agent_}, {"input", json::Object()}};
  all_.expect(403, all_.post("/v1/orchestrations/execute", body));
  all_.expect(200, all_.post(target + "/resume"));
  EXPECT_EQ(poll(0), json::Value(json::Array()));
}

TEST_F(Tasks, AKilledAgentsRunsAreCancelled) {
  const json::Value run = start();
  const json::Value killed =
      all_.expect(200, all_.post("/v1/agents/" + agent_ + "/kill", R"({"reason": "leak"})"_json));
  EXPECT_EQ(killed.string_or("status"), "revoked");
  EXPECT_EQ(ended(all_, run.string_or("id")).string_or("status"), "cancelled");
}

TEST_F(Tasks, AKilledAgentsTaskInAnothersRunFailsAndIsNotTakenBack) {
  const std::string worker = make_agent(all_);
  const std::string workflow =
      make_published(all_, json::Array{json::Object{{"action", "count"}, {"agent_id", worker}}});
  const json::Value run = all_.expect(
      202, all_.post("/v1/workflows/" + workflow + "/execute", json::Object{{"agent_id", agent_}}));
  const json::Value polled =
      all_.expect(200, all_.post("/v1/agents/" + worker + "/tasks/poll", R"({"wait": 30})"_json));
  const json::Value task = value_at(polled, "/tasks/0");
  ASSERT_TRUE(task.is_object());
  all_.expect(200, all_.post("/v1/agents/" + worker + "/kill"));
  const json::Value done = ended(all_, run.string_or("id"));
  EXPECT_EQ(done.string_or("status"), "failed");
  EXPECT_EQ(value_at(done, "/error/code"), json::Value("AGENT_INACTIVE"));
  all_.expect(409, tell(task, "complete", R"({"result": {}})"_json));
}

}  // namespace
}  // namespace avow
