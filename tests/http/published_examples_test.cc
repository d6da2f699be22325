// SPDX-License-Identifier: Apache-2.0
// The two published pages, Execute Workflow and Execute Orchestration: the requests of their curl
// lines, byte for byte but for ids and key, and every field that either dialect promises.
#include <gmock/gmock.h>

#include "server_fixture.h"

namespace avow {
namespace {

using ::testing::MatchesRegex;

constexpr const char* kUuid = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
constexpr const char* kTime = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}[.][0-9]{3}Z";
constexpr const char* kRunName = "maip-orch:[0-9A-HJKMNP-TV-Z]{26}";
constexpr const char* kAgentName = "maip-agent:[0-9A-HJKMNP-TV-Z]{26}";

/// A member that a page promises: its pointer, its type, and for strings their whole form.
struct Promise {
  const char* pointer;
  json::Type type;
  const char* pattern = ".*";
};

void expect_kept(const json::Value& answer, const std::vector<Promise>& promises) {
  for (const Promise& promise : promises) {
    const json::Value value = value_at(answer, promise.pointer);
    EXPECT_EQ(value.type(), promise.type) << promise.pointer << " in " << json::write(answer);
    if (!value.is_string()) continue;
    EXPECT_THAT(value.as_string(), MatchesRegex(promise.pattern)) << promise.pointer;
  }
}

/// "POST <path> HTTP/1.1" with the headers of the curl line and `body` as it stands there.
testing::HttpReply send_as_curl_does(const Client& client, const std::string& path,
                                     const std::string& body) {
  return client.send_bytes(
      fmt::format("POST {} HTTP/1.1\r\nHost: api.truthlocks.com\r\nUser-Agent: curl/7.88.1\r\n"
                  "Accept: */*\r\nContent-Type: application/json\r\nX-API-Key: {}\r\n"
                  "Content-Length: {}\r\n\r\n{}",
                  path, client.key(), body.size(), body));
}

std::string with_id(std::string text, const std::string& id) {
  const std::string example = "3c90c3cc-0d44-4b50-8888-8dd25736052a";
  for (std::size_t i = text.find(example); i != std::string::npos; i = text.find(example, i)) {
    text.replace(i, example.size(), id);
  }
  return text;
}

class PublishedExamples : public ServerTest {
 protected:
  /// Two steps in the OpenAPI dialect, the first an agent's, the second the engine's.
  std::string make_workflow() {
    return make_published(
        all_, json::Array{
                  json::Object{
                      {"action", "profile"}, {"agent_id", agent_}, {"parameters", json::Object()}},
                  json::Object{{"action", "transform"}, {"parameters", R"({"output":
        {"seen": "${{ steps.step_1.result.rows }}"}})"_json}}});
  }

  /// Does the one task that the agent has, as a worker would.
  void work(const json::Value& result) {
    const json::Value polled =
        all_.expect(200, all_.post("/v1/agents/" + agent_ + "/tasks/poll", R"({"wait": 30})"_json));
    const json::Value task = value_at(polled, "/tasks/0");
    ASSERT_TRUE(task.is_object());
    const json::Value body =
        json::Object{{"lease_token", *task.find("lease_token")}, {"result", result}};
    all_.expect(200, all_.post("/v1/tasks/" + task.string_or("task_id") + "/complete", body));
  }

  Client all_ = owner();
  const std::string agent_ = make_agent(all_);
};

const std::vector<Promise> kNarrativeOrchestration = {
    {"/id", json::Type::kString, kRunName},
    {"/agent_id", json::Type::kString, kAgentName},
    {"/workflow_id", json::Type::kString, kUuid},
    {"/status", json::Type::kString, "running"},
    {"/started_at", json::Type::kString, kTime}};
const std::vector<Promise> kOpenApiOrchestration = {
    {"/orchestration_id", json::Type::kString, kUuid},
    {"/workflow_id", json::Type::kString, kUuid},
    {"/agents", json::Type::kArray},
    {"/agents/0", json::Type::kString, kUuid},
    {"/parameters", json::Type::kObject},
    {"/status", json::Type::kString, "pending|running|completed|failed|cancelled"},
    {"/steps", json::Type::kArray},
    {"/steps/0/step_id", json::Type::kString, "[0-9A-Z]{26}/step_1"},
    {"/steps/0/agent_id", json::Type::kString, kUuid},
    {"/steps/0/action", json::Type::kString, "profile"},
    {"/steps/0/status", json::Type::kString},
    {"/steps/0/result", json::Type::kObject},
    {"/results", json::Type::kObject},
    {"/receipts", json::Type::kArray},
    {"/created_at", json::Type::kString, kTime}};
const std::vector<Promise> kNarrativeWorkflow = {
    {"/run_id", json::Type::kString, kRunName},
    {"/workflow_id", json::Type::kString, kUuid},
    {"/workflow_version", json::Type::kString, "1[.]0[.]0"},
    {"/agent_id", json::Type::kString, kAgentName},
    {"/status", json::Type::kString, "running"},
    {"/started_at", json::Type::kString, kTime}};
const std::vector<Promise> kOpenApiWorkflow = {
    {"/execution_id", json::Type::kString, kUuid},
    {"/workflow_id", json::Type::kString, kUuid},
    {"/status", json::Type::kString, "pending|running|completed|failed"},
    {"/steps", json::Type::kArray},
    {"/steps/0/action", json::Type::kString, "profile"},
    {"/steps/0/agent_id", json::Type::kString, kUuid},
    {"/steps/0/status", json::Type::kString},
    {"/steps/0/result", json::Type::kObject},
    {"/created_at", json::Type::kString, kTime}};

TEST_F(PublishedExamples, ExecuteOrchestrationWorksVerbatimAndAnswersBothDialects) {
  const std::string workflow = make_workflow();
  // The page's one id stands for two things; here each has its own.
  const std::string body = with_id(R"(
{
  "workflow_id": ")" + workflow + R"(",
  "agents": [
    "3c90c3cc-0d44-4b50-8888-8dd25736052a"
  ],
  "parameters": {}
}
)",
                                   agent_);
  const auto reply = send_as_curl_does(all_, "/v1/orchestrations/execute", body);
  const json::Value created = all_.expect(202, reply);
  expect_kept(created, kNarrativeOrchestration);
  expect_kept(created, kOpenApiOrchestration);
  EXPECT_EQ(value_at(created, "/workflow_id"), json::Value(workflow));
  EXPECT_EQ(value_at(created, "/agents"), json::Value(json::Array{agent_}));
  EXPECT_EQ(value_at(created, "/steps/0/status"), json::Value("pending"));

  work(R"({"rows": 7})"_json);
  const json::Value run = ended(all_, created.string_or("orchestration_id"));
  expect_kept(run, kOpenApiOrchestration);
  EXPECT_EQ(run.string_or("status"), "completed") << json::write(run);
  EXPECT_EQ(value_at(run, "/results"), R"({"step_1": {"rows": 7}, "step_2": {"seen": 7}})"_json);
  expect_kept(run, {{"/steps/0/started_at", json::Type::kString, kTime},
                    {"/steps/0/completed_at", json::Type::kString, kTime},
                    {"/steps/0/result/rows", json::Type::kInt}});
}

TEST_F(PublishedExamples, ExecuteWorkflowWorksVerbatimAndAnswersBothDialects) {
  // The curl line names no agent for the run: each step that needs one does.
  const std::string workflow = make_workflow();
  const auto reply = send_as_curl_does(all_, "/v1/workflows/" + workflow + "/execute", R"(
{
  "parameters": {},
  "dry_run": false
}
)");
  const json::Value created = all_.expect(202, reply);
  expect_kept(created, kOpenApiWorkflow);
  work(R"({"rows": 7})"_json);
  const json::Value run = ended(all_, created.string_or("execution_id"));
  EXPECT_EQ(run.string_or("status"), "completed") << json::write(run);
}

TEST_F(PublishedExamples, TheNarrativeRequestOfAWorkflowAnswersBothDialects) {
  const std::string workflow = make_workflow();
  const json::Value body = json::Object{{"agent_id", agent_},
                                        {"input", R"({"table": "orders"})"_json},
                                        {"parameters", json::Object()}};
  const json::Value created =
      all_.expect(202, all_.post("/v1/workflows/" + workflow + "/execute", body));
  expect_kept(created, kNarrativeWorkflow);
  expect_kept(created, kOpenApiWorkflow);
  work(R"({"rows": 1})"_json);
  const json::Value run = ended(all_, created.string_or("run_id"));
  EXPECT_EQ(run.string_or("status"), "completed") << json::write(run);
}

TEST_F(PublishedExamples, TheNarrativeRequestOfAnAgentAnswersBothDialects) {
  const std::string echo = make_agent(all_, R"({"model": "avow/echo"})"_json);
  const json::Value body = json::Object{{"agent_id", echo},
                                        {"input", R"({"prompt": "good morning"})"_json},
                                        {"model", "avow/echo"},
                                        {"max_steps", 10},
                                        {"timeout_seconds", 300}};
  const json::Value created = all_.expect(202, all_.post("/v1/orchestrations/execute", body));
  expect_kept(created, {{"/id", json::Type::kString, kRunName},
                        {"/agent_id", json::Type::kString, kAgentName},
                        {"/status", json::Type::kString, "running"},
                        {"/started_at", json::Type::kString, kTime},
                        {"/orchestration_id", json::Type::kString, kUuid},
                        {"/agents/0", json::Type::kString, kUuid},
                        {"/steps", json::Type::kArray},
                        {"/results", json::Type::kObject},
                        {"/receipts", json::Type::kArray},
                        {"/parameters", json::Type::kObject},
                        {"/created_at", json::Type::kString, kTime}});
  const json::Value run = ended(all_, created.string_or("id"));
  EXPECT_EQ(run.string_or("status"), "completed") << json::write(run);
  EXPECT_EQ(value_at(run, "/output/text"), json::Value("good morning"));
  EXPECT_EQ(value_at(run, "/steps/0/type"), json::Value("llm_inference"));
}

TEST_F(PublishedExamples, ADryRunShowsThePlanAndStoresNothing) {
  const std::string workflow = make_workflow();
  const json::Value by_workflow = all_.expect(
      200, all_.post("/v1/workflows/" + workflow + "/execute", R"({"dry_run": true})"_json));
  const json::Value body =
      json::Object{{"workflow_id", workflow}, {"agents", json::Array{agent_}}, {"dry_run", true}};
  const json::Value by_orchestration =
      all_.expect(200, all_.post("/v1/orchestrations/execute", body));
  for (const json::Value& plan : {by_workflow, by_orchestration}) {
    expect_kept(plan, {{"/execution_id", json::Type::kString, kUuid},
                       {"/workflow_id", json::Type::kString, kUuid},
                       {"/workflow_version", json::Type::kString, "1[.]0[.]0"},
                       {"/status", json::Type::kString, "pending"},
                       {"/dry_run", json::Type::kBool},
                       {"/created_at", json::Type::kString, kTime},
                       {"/steps/0/status", json::Type::kString, "planned"},
                       {"/steps/0/config", json::Type::kObject},
                       {"/steps/0/agent_id", json::Type::kString, kUuid}});
    EXPECT_EQ(value_at(plan, "/steps/1/level").as_int(),
              value_at(plan, "/steps/0/level").as_int() + 1);
    all_.expect(404, all_.get("/v1/orchestrations/" + plan.string_or("execution_id")));
  }
}

TEST_F(PublishedExamples, BothFormsOfAnIdNameTheSameRunInPathsQueriesAndBodies) {
  const std::string workflow = make_published(
      all_, R"([{"name": "only", "type": "transform", "config": {"output": 1}}])"_json);
  const json::Value agent = all_.expect(200, all_.get("/v1/agents/" + agent_));
  const json::Value body = json::Object{{"agent_id", *agent.find("agent_id")}};
  const json::Value run =
      all_.expect(200, all_.send_json("POST", "/v1/workflows/" + workflow + "/execute", body,
                                      {{"Prefer", "wait=30"}}));
  EXPECT_EQ(run.string_or("agent_id"), agent.string_or("agent_id"));
  const std::string name = run.string_or("id");
  const std::string ulid = name.substr(name.find(':') + 1);
  for (const std::string& form :
       {name, "maip-orch%3A" + ulid, ulid, run.string_or("orchestration_id")}) {
    EXPECT_EQ(all_.expect(200, all_.get("/v1/orchestrations/" + form)), run) << form;
  }
  for (const char* const member : {"id", "agent_id"}) {
    const auto found =
        all_.expect(200, all_.get("/v1/orchestrations?agent_id=" + agent.string_or(member)));
    EXPECT_EQ(value_at(found, "/items/0/id"), json::Value(name)) << member;
  }
}

}  // namespace
}  // namespace avow
