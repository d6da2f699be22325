// SPDX-License-Identifier: Apache-2.0
// /openapi.json and the server say the same, both ways. That every answer is as documented is
// checked by the Client, in every test; that everything documented is answered, here.
#include <gmock/gmock.h>

#include "server_fixture.h"

namespace avow {
namespace {

using ::testing::MatchesRegex;

class OpenApi : public ServerTest {
 protected:
  Client all_ = owner();
};

TEST_F(OpenApi, IsAWholeDocumentInWhichEveryReferenceLeadsSomewhere) {
  const json::Value& document = contract().document();
  EXPECT_THAT(document.string_or("openapi"), MatchesRegex("3[.]1[.][0-9]"));
  EXPECT_NE(value_at(document, "/info/title"), json::Value());
  EXPECT_NE(value_at(document, "/info/version"), json::Value());
  std::vector<json::Value> open = {document};
  for (std::size_t i = 0; i < open.size(); ++i) {
    const json::Value value = open[i];
    if (value.is_array()) open.insert(open.end(), value.as_array().begin(), value.as_array().end());
    if (!value.is_object()) continue;
    for (const json::Member& member : value.as_object()) {
      open.push_back(member.value);
      if (member.key != "$ref" || !member.value.is_string()) continue;
      const std::string& target = member.value.as_string();
      ASSERT_TRUE(target.starts_with("#/")) << target;
      EXPECT_FALSE(value_at(document, target.substr(1)).is_null()) << target;
    }
  }
}

TEST_F(OpenApi, EveryOperationHasOneIdAndOneAccessAndItsPathParameters) {
  std::set<std::string> ids;
  for (const json::Member& path : value_at(contract().document(), "/paths").as_object()) {
    for (const json::Member& method : path.value.as_object()) {
      SCOPED_TRACE(method.key + " " + path.key);
      const json::Value& operation = method.value;
      EXPECT_TRUE(ids.insert(operation.string_or("operationId")).second);
      EXPECT_THAT(operation.string_or("x-scope"), MatchesRegex("public|platform|[a-z-]+:[a-z]+"));
      const json::Value parameters = value_at(operation, "/parameters");
      for (std::size_t i = path.key.find('{'); i != std::string::npos;
           i = path.key.find('{', i + 1)) {
        const std::string name = path.key.substr(i + 1, path.key.find('}', i) - i - 1);
        bool is_there = false;
        for (const json::Value& parameter : parameters.as_array()) {
          is_there = is_there ||
                     (parameter.string_or("name") == name && parameter.string_or("in") == "path");
        }
        EXPECT_TRUE(is_there) << name;
      }
    }
  }
}

TEST_F(OpenApi, TheCheckItselfFindsWhatIsNotDocumented) {
  testing::HttpReply reply = all_.get("/v1/workflows");
  EXPECT_EQ(contract().fault_of("GET", "/v1/workflows", reply), "");
  testing::HttpReply more = reply;
  more.body = R"({"items": [], "next_cursor": null, "more": 1})";
  EXPECT_NE(contract().fault_of("GET", "/v1/workflows", more), "");
  testing::HttpReply deep = reply;
  deep.body = R"({"items": [{"id": 7}], "next_cursor": null})";
  EXPECT_NE(contract().fault_of("GET", "/v1/workflows", deep), "");
  testing::HttpReply teapot = reply;
  teapot.status = 418;
  EXPECT_NE(contract().fault_of("GET", "/v1/workflows", teapot), "");
}

TEST_F(OpenApi, TheBodiesThatAreAcceptedFitTheirSchemas) {
  const json::Value workflow = R"({"name": "both dialects", "steps": [
      {"name": "a", "type": "transform", "config": {"output": 1}, "depends_on": []},
      {"action": "transform", "parameters": {"output": 2}}]})"_json;
  EXPECT_EQ(contract().fault_of("CreateWorkflow", workflow), "");
  all_.expect(201, all_.post("/v1/workflows", workflow));
  EXPECT_NE(contract().fault_of("CreateWorkflow", R"({"name": "x"})"_json), "");
  const json::Value page = R"({"workflow_id": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
      "agents": ["3c90c3cc-0d44-4b50-8888-8dd25736052a"], "parameters": {}})"_json;
  EXPECT_EQ(contract().fault_of("ExecuteOrchestration", page), "");
  EXPECT_EQ(contract().fault_of("ExecuteWorkflow", R"({"parameters": {}, "dry_run": false})"_json),
            "");
}

TEST_F(OpenApi, EveryAnswerThatIsDocumentedIsGiven) {
  const json::Value step = R"([{"name": "do", "type": "agent", "config": {"action": "x"}}])"_json;
  // Workflows.
  const std::string draft = make_draft(all_, step);
  const json::Value definition = json::Object{{"name", "replaced"}, {"steps", step}};
  all_.expect(200, all_.send_json("PUT", "/v1/workflows/" + draft, definition));
  const std::string workflow = make_published(all_, step);
  all_.expect(200, all_.get("/v1/workflows"));
  all_.expect(200, all_.get("/v1/workflows/" + workflow));
  all_.expect(200, all_.post("/v1/workflows/validate", definition));
  all_.expect(201, all_.post("/v1/workflows/" + workflow + "/versions"));
  // Agents and their tasks.
  const std::string agent = make_agent(all_);
  const std::string target = "/v1/agents/" + agent;
  all_.expect(200, all_.get("/v1/agents"));
  all_.expect(200, all_.get(target));
  all_.expect(200, all_.send_json("PATCH", target, R"({"display_name": "A"})"_json));
  all_.expect(200, all_.post(target + "/suspend"));
  all_.expect(200, all_.post(target + "/resume"));
  const std::string revoked = make_agent(all_);
  all_.expect(200, all_.post("/v1/agents/" + revoked + "/revoke"));
  all_.expect(200, all_.post("/v1/agents/" + revoked + "/kill"));
  // Runs, one for each way that its task can end.
  const json::Value by_agent = json::Object{{"agent_id", agent}, {"input", json::Object()}};
  const std::string execute = "/v1/workflows/" + workflow + "/execute";
  json::Value run;
  for (const char* const end : {"complete", "fail"}) {
    run = all_.expect(202, all_.post(execute, by_agent));
    const json::Value task = value_at(
        all_.expect(200, all_.post(target + "/tasks/poll", R"({"wait": 30})"_json)), "/tasks/0");
    ASSERT_TRUE(task.is_object());
    const json::Value lease = json::Object{{"lease_token", *task.find("lease_token")}};
    const std::string task_target = "/v1/tasks/" + task.string_or("task_id") + "/";
    all_.expect(200, all_.post(task_target + "heartbeat", lease));
    all_.expect(200, all_.post(task_target + end, lease));
  }
  json::Value dry_by_agent = by_agent;
  dry_by_agent.set("dry_run", true);
  all_.expect(200, all_.post(execute, dry_by_agent));
  all_.expect(200, all_.post("/v1/orchestrations/execute", dry_by_agent));
  const json::Value second = all_.expect(202, all_.post("/v1/orchestrations/execute", by_agent));
  const std::string second_target = "/v1/orchestrations/" + second.string_or("id");
  all_.expect(200, all_.get("/v1/orchestrations"));
  all_.expect(200, all_.get(second_target));
  all_.expect(200, all_.get(second_target + "/events"));
  all_.expect(200, all_.get(second_target + "/contents/1/input"));
  all_.expect(200, all_.post(second_target + "/pause"));
  all_.expect(200, all_.post(second_target + "/resume"));
  all_.expect(200, all_.post(second_target + "/cancel"));
  const testing::HttpCall live{
      .target = second_target + "/events",
      .headers = {{"Accept", "text/event-stream"}, {"Last-Event-ID", "1000"}}};
  EXPECT_EQ(all_.send(live).status, 204);
  const json::Value asking =
      all_.expect(202, all_.post("/v1/orchestrations/execute",
                                 json::Object{{"agent_id", agent},
                                              {"timeout_seconds", 600},
                                              {"steps", R"([{"name": "ask", "type": "approval",
                                      "config": {"prompt": "?", "allow_self": true}}])"_json}}));
  all_.expect(200, all_.post("/v1/orchestrations/" + asking.string_or("id") + "/approvals/ask",
                             R"({"decision": "approve"})"_json));
  all_.expect(200, all_.post("/v1/workflows/" + workflow + "/archive"));
  const json::Value pure = all_.expect(
      200,
      all_.post("/v1/orchestrations/execute?wait=30",
                json::Object{{"agent_id", agent}, {"steps", R"([{"name": "a", "type": "transform",
                                                 "config": {"output": 1}}])"_json}}));
  const std::string rerun = "/v1/orchestrations/" + pure.string_or("id") + "/rerun";
  all_.expect(202, all_.post(rerun));
  all_.expect(200, all_.post(rerun + "?wait=30", R"({"from_step": "a"})"_json));
  // Proofs.
  const std::string receipt = "/v1/receipts/" + second.string_or("id");
  const auto file = all_.get(receipt);
  all_.expect(200, file);
  all_.expect(200, all_.get(receipt + "/bundle"));
  all_.expect(200, all_.post("/v1/receipts/verify", file.json()));
  all_.expect(200, all_.get(second_target + "/receipts"));
  all_.expect(200, all_.post(second_target + "/erase", R"({"reason": "why"})"_json));
  all_.expect(200, all_.get("/v1/audit?type=all"));
  for (const char* const open : {"/log/checkpoint", "/log/keys", "/log/tile/0/000.p/1"}) {
    EXPECT_EQ(all_.get(open).status, 200) << open;
  }
  // The rest.
  all_.expect(
      201, all_.post("/v1/tools", json::Object{{"name", "ping"},
                                               {"http", json::Object{{"url", stub().url("/")}}}}));
  all_.expect(200, all_.get("/v1/tools"));
  all_.expect(200, all_.get("/v1/tools/ping"));
  all_.expect(200, all_.post("/v1/guardrails/check", R"({"content": "a@example.com",
      "rules": [{"id": "r", "type": "pii"}]})"_json));
  (void)other_tenant();
  Client platform_key = platform();
  platform_key.expect(200, platform_key.send_json("PATCH", "/v1/tenants/" + deployment().tenant_id,
                                                  R"({"name": "renamed", "weight": 2})"_json));
  const json::Value key =
      all_.expect(201, all_.post("/v1/api-keys", R"({"scopes": ["workflows:read"]})"_json));
  all_.expect(200, all_.get("/v1/api-keys"));
  all_.expect(204, all_.send({"DELETE", "/v1/api-keys/" + key.string_or("id"), {}, {}}));
  Client anybody = client("");
  for (const char* const open : {"/health/live", "/health/ready", "/openapi.json", "/"}) {
    EXPECT_EQ(anybody.get(open).status, 200) << open;
  }
  EXPECT_EQ(all_.get("/metrics").status, 200);

  for (const auto& [operation, status] : contract().documented()) {
    EXPECT_TRUE(contract().seen().contains({operation, status}))
        << operation << " " << status << " is documented and was never seen";
  }
}

}  // namespace
}  // namespace avow
