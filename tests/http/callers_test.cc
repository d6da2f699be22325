// SPDX-License-Identifier: Apache-2.0
// Who calls: credentials, scopes, tenants, agents.
#include "base/time.h"
#include "server_fixture.h"

namespace avow {
namespace {

class Callers : public ServerTest {
 protected:
  /// From a loopback address of its own, so that failures count against no other test.
  testing::HttpReply call(const net::Headers& headers, const std::string& source,
                          const std::string& target = "/v1/workflows") {
    return testing::exchange({.port = port(), .source = source}, {"GET", target, headers, {}});
  }
  void expect_status(const testing::HttpReply& reply, int status, const std::string& code) {
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(reply.json().string_or("code"), code);
    EXPECT_EQ(contract().fault_of("GET", "/v1/workflows", reply), "");
  }

  Client all_ = owner();
};

TEST_F(Callers, NeedOneCredentialThatIsKnown) {
  const std::string from = "127.0.0.2";
  const auto none = call({}, from);
  expect_status(none, 401, "UNAUTHORIZED");
  EXPECT_NE(none.headers.find("WWW-Authenticate"), nullptr);
  expect_status(call({{"X-API-Key", "avow_" + std::string(43, 'A')}}, from), 401, "UNAUTHORIZED");
  expect_status(call({{"X-API-Key", "hunter2"}}, from), 401, "UNAUTHORIZED");
  expect_status(call({{"Authorization", "Bearer x.y.z"}}, from), 401, "UNAUTHORIZED");
  expect_status(call({{"Authorization", "Basic dTpw"}}, from), 401, "UNAUTHORIZED");
  const std::string key = all_.key();
  expect_status(call({{"X-API-Key", key}, {"Authorization", "Bearer x.y.z"}}, from), 400,
                "INVALID_INPUT");
  expect_status(call({{"X-API-Key", key}, {"X-API-Key", key}}, from), 400, "INVALID_INPUT");
  EXPECT_EQ(call({{"X-API-Key", key}}, from).status, 200);
}

TEST_F(Callers, AreHeldOffAfterTwentyFailuresInAMinute) {
  for (int i = 0; i < 20; ++i) EXPECT_EQ(call({{"X-API-Key", "wrong"}}, "127.0.0.3").status, 401);
  const auto reply = call({{"X-API-Key", "wrong"}}, "127.0.0.3");
  expect_status(reply, 429, "RATE_LIMITED");
  EXPECT_NE(reply.headers.find("Retry-After"), nullptr);
  EXPECT_EQ(call({{"X-API-Key", all_.key()}}, "127.0.0.4").status, 200);
}

TEST_F(Callers, NameTheirOwnTenantOrNone) {
  const std::string own = deployment().tenant_id;
  const auto with_tenant = [&](const std::string& tenant) {
    return call({{"X-API-Key", all_.key()}, {"X-Tenant-ID", tenant}}, "127.0.0.5");
  };
  EXPECT_EQ(with_tenant(own).status, 200);
  expect_status(with_tenant("0192f0c1-7a3b-7c4d-8e5f-60718293a400"), 403, "FORBIDDEN");
  expect_status(with_tenant("acme"), 403, "FORBIDDEN");
}

TEST_F(Callers, AreHeldToTheScopesOfTheirKey) {
  Client reader =
      client_with(R"(["workflows:read", "orchestrations:*", "!orchestrations:write"])"_json);
  reader.expect(200, reader.get("/v1/workflows"));
  reader.expect(200, reader.get("/v1/orchestrations"));
  reader.expect(403, reader.post("/v1/workflows", json::Object{{"name", "x"}}));
  reader.expect(403, reader.post("/v1/orchestrations/execute"));
  reader.expect(403, reader.post("/v1/api-keys"));
  reader.expect(403, reader.post("/v1/tenants", json::Object{{"name", "x"}}));
  reader.expect(403, reader.get("/metrics"));
  // Scope before body, body before object.
  reader.expect(403, reader.send({"POST", "/v1/workflows", {}, "{"}));
  const std::string nobody = "/v1/workflows/0192f0c1-7a3b-7c4d-8e5f-60718293a400/execute";
  reader.expect(403, reader.post(nobody));
  all_.expect(400, all_.post(nobody, json::Object{{"inptu", 1}}));
  all_.expect(404, all_.post(nobody));
}

TEST_F(Callers, GiveNoRightThatTheyLack) {
  Client maker = client_with(R"(["api-keys:write", "workflows:read"])"_json);
  maker.expect(201, maker.post("/v1/api-keys", R"({"scopes": ["workflows:read"]})"_json));
  maker.expect(403, maker.post("/v1/api-keys", R"({"scopes": ["workflows:write"]})"_json));
  maker.expect(403, maker.post("/v1/api-keys", R"({"scopes": ["*:*"]})"_json));
}

TEST_F(Callers, WithAPlatformKeyReachTenantsAndKeysOnly) {
  Client root = platform();
  root.expect(403, root.get("/v1/workflows"));
  root.expect(403, root.post("/v1/orchestrations/execute"));
  root.expect(400, root.post("/v1/api-keys", R"({"scopes": ["*:*"]})"_json));
  EXPECT_EQ(root.get("/metrics").status, 200);
}

TEST_F(Callers, WithAKeyForOneAgentStartAndWorkAsNoOther) {
  const std::string mine = make_agent(all_, R"({"model": "avow/echo"})"_json);
  const std::string other = make_agent(all_, R"({"model": "avow/echo"})"_json);
  const json::Value key = all_.expect(
      201, all_.post("/v1/api-keys",
                     json::Object{{"scopes", json::Array{"orchestrations:write", "tasks:work"}},
                                  {"agent_ids", json::Array{mine}}}));
  Client bound = client(key.string_or("api_key"));
  const auto start = [&](const std::string& agent) {
    return bound.post("/v1/orchestrations/execute",
                      json::Object{{"agent_id", agent}, {"input", R"({"prompt": "x"})"_json}});
  };
  bound.expect(202, start(mine));
  bound.expect(403, start(other));
  bound.expect(200, bound.post("/v1/agents/" + mine + "/tasks/poll"));
  bound.expect(403, bound.post("/v1/agents/" + other + "/tasks/poll"));
}

TEST_F(Callers, WithARevokedKeyAreRefusedAtOnce) {
  const json::Value key =
      all_.expect(201, all_.post("/v1/api-keys", R"({"scopes": ["workflows:read"]})"_json));
  const net::Headers headers = {{"X-API-Key", key.string_or("api_key")}};
  EXPECT_EQ(call(headers, "127.0.0.6").status, 200);
  all_.expect(204, all_.send({"DELETE", "/v1/api-keys/" + key.string_or("id"), {}, {}}));
  expect_status(call(headers, "127.0.0.6"), 401, "UNAUTHORIZED");
}

TEST_F(Callers, WithAnExpiredKeyAreRefused) {
  const Time end =
      std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now()) + Duration(1500);
  const json::Value key = all_.expect(
      201, all_.post("/v1/api-keys", json::Object{{"scopes", json::Array{"workflows:read"}},
                                                  {"expires_at", format_time(end)}}));
  const net::Headers headers = {{"X-API-Key", key.string_or("api_key")}};
  EXPECT_EQ(call(headers, "127.0.0.7").status, 200);
  // The server's own clock says when the time is over: a run that waits that long.
  const std::string workflow =
      make_published(all_, R"([{"name": "rest", "type": "wait", "config": {"seconds": 2}}])"_json);
  const json::Value run = all_.expect(202, all_.post("/v1/workflows/" + workflow + "/execute"));
  EXPECT_EQ(ended(all_, run.string_or("id")).string_or("status"), "completed");
  expect_status(call(headers, "127.0.0.7"), 401, "UNAUTHORIZED");
}

/// An answer without what must differ from one request to the next.
json::Value comparable(const testing::HttpReply& reply, const std::string& id) {
  std::string text = reply.body;
  for (std::size_t i = text.find(id); i != std::string::npos; i = text.find(id, i)) {
    text.replace(i, id.size(), "ID");
  }
  json::Value body = *json::parse(text);
  body.set("trace_id", nullptr);
  return json::Object{{"status", reply.status}, {"body", body}};
}

TEST_F(Callers, OfAnotherTenantSeeWhatDoesNotExist) {
  const json::Value one_step =
      R"([{"name": "do", "type": "agent", "config": {"action": "x"}}])"_json;
  const std::string agent = make_agent(all_);
  const std::string workflow = make_published(all_, one_step);
  const std::string draft = make_draft(all_, one_step);
  const json::Value run = all_.expect(
      202, all_.post("/v1/workflows/" + workflow + "/execute", json::Object{{"agent_id", agent}}));
  const json::Value task = value_at(
      all_.expect(200, all_.post("/v1/agents/" + agent + "/tasks/poll", R"({"wait": 30})"_json)),
      "/tasks/0");
  ASSERT_TRUE(task.is_object());
  const json::Value key =
      all_.expect(201, all_.post("/v1/api-keys", R"({"scopes": ["workflows:read"]})"_json));
  all_.expect(
      201, all_.post("/v1/tools", json::Object{{"name", "theirs"},
                                               {"http", json::Object{{"url", stub().url("/")}}}}));

  const std::string run_id = run.string_or("orchestration_id");
  const std::string run_ulid = task.string_or("task_id").substr(0, 26);
  const std::string nobody = "0192f0c1-7a3b-7c4d-8e5f-60718293a400";
  const std::string nobody_ulid = "01JBRC2YHVFH6RWQTZC1RR54X0";
  const std::string lease = R"({"lease_token": ")" + task.string_or("lease_token") + R"("})";
  const std::string definition = json::write(json::Object{{"name", "x"}, {"steps", one_step}});
  Client stranger = other_tenant();
  const std::string own_agent = make_agent(stranger);
  const std::string own_workflow = make_published(
      stranger, R"([{"name": "a", "type": "transform", "config": {"output": 1}}])"_json);
  const struct {
    const char* method;
    std::string target;
    std::string body;
    std::string id;
    std::string missing;
  } cases[] = {
      {"GET", "/v1/workflows/ID", "", workflow, nobody},
      {"PUT", "/v1/workflows/ID", definition, draft, nobody},
      {"POST", "/v1/workflows/ID/publish", "{}", draft, nobody},
      {"POST", "/v1/workflows/ID/archive", "{}", workflow, nobody},
      {"POST", "/v1/workflows/ID/versions", "{}", workflow, nobody},
      {"POST", "/v1/workflows/ID/execute", "{}", workflow, nobody},
      {"POST", "/v1/workflows/ID/execute", R"({"dry_run": true})", workflow, nobody},
      {"GET", "/v1/orchestrations/ID", "", run_id, nobody},
      {"GET", "/v1/orchestrations/ID?wait=1", "", run_id, nobody},
      {"POST", "/v1/orchestrations/ID/cancel", "{}", run_id, nobody},
      {"POST", "/v1/orchestrations/ID/rerun", "{}", run_id, nobody},
      {"POST", "/v1/orchestrations/ID/pause", "{}", run_id, nobody},
      {"POST", "/v1/orchestrations/ID/resume", "{}", run_id, nobody},
      {"POST", "/v1/orchestrations/ID/approvals/do", R"({"decision": "approve"})", run_id, nobody},
      {"GET", "/v1/orchestrations/ID/events", "", run_id, nobody},
      {"GET", "/v1/orchestrations/ID/contents/1/input", "", run_id, nobody},
      {"GET", "/v1/agents/ID", "", agent, nobody},
      {"PATCH", "/v1/agents/ID", R"({"description": "mine"})", agent, nobody},
      {"POST", "/v1/agents/ID/suspend", "{}", agent, nobody},
      {"POST", "/v1/agents/ID/resume", "{}", agent, nobody},
      {"POST", "/v1/agents/ID/revoke", "{}", agent, nobody},
      {"POST", "/v1/agents/ID/kill", "{}", agent, nobody},
      {"POST", "/v1/agents/ID/tasks/poll", "{}", agent, nobody},
      {"POST", "/v1/tasks/ID.do.1/complete", lease, run_ulid, nobody_ulid},
      {"POST", "/v1/tasks/ID.do.1/fail", lease, run_ulid, nobody_ulid},
      {"POST", "/v1/tasks/ID.do.1/heartbeat", lease, run_ulid, nobody_ulid},
      {"DELETE", "/v1/api-keys/ID", "", key.string_or("id"), nobody},
      {"GET", "/v1/tools/ID", "", "theirs", "nobodys"},
      {"POST", "/v1/orchestrations/execute", R"({"agent_id": "ID", "input": {}})", agent, nobody},
      {"POST", "/v1/orchestrations/execute",
       R"({"workflow_id": "ID", "agents": [")" + own_agent + R"("]})", workflow, nobody},
      {"POST", "/v1/orchestrations/execute",
       R"({"workflow_id": ")" + own_workflow + R"(", "agents": ["ID"]})", agent, nobody},
      {"POST", "/v1/workflows/" + own_workflow + "/execute", R"({"agent_id": "ID"})", agent,
       nobody},
      {"POST", "/v1/guardrails/check",
       R"({"agent_id": "ID", "content": "x", "rules": [{"id": "r", "type": "pii"}]})", agent,
       nobody},
      {"POST", "/v1/workflows",
       R"({"name": "y", "agent_id": "ID", "steps": [{"action": "transform",
           "parameters": {"output": 1}}]})",
       agent, nobody},
      {"POST", "/v1/api-keys", R"({"scopes": [], "agent_ids": ["ID"]})", agent, nobody},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(fmt::format("{} {} {}", one.method, one.target, one.body));
    const auto send = [&](const std::string& id) {
      const auto filled = [&](std::string text) {
        const std::size_t place = text.find("ID");
        return place == std::string::npos ? text : text.replace(place, 2, id);
      };
      return stranger.send({one.method,
                            filled(one.target),
                            {{"Content-Type", "application/json"}},
                            filled(one.body)});
    };
    const auto theirs = send(one.id);
    EXPECT_EQ(theirs.status, 404) << theirs.body;
    EXPECT_EQ(comparable(theirs, one.id), comparable(send(one.missing), one.missing))
        << theirs.body;
  }
  for (const char* const list : {"/v1/orchestrations", "/v1/tools"}) {
    const json::Value items = value_at(stranger.expect(200, stranger.get(list)), "/items");
    EXPECT_TRUE(items.as_array().empty()) << list << json::write(items);
  }
  EXPECT_EQ(
      value_at(stranger.expect(200, stranger.get("/v1/orchestrations?workflow_id=" + workflow)),
               "/items"),
      json::Value(json::Array()));
  // Nothing of it had an effect.
  EXPECT_EQ(all_.expect(200, all_.get("/v1/agents/" + agent)).string_or("status"), "active");
  EXPECT_EQ(all_.expect(200, all_.get("/v1/orchestrations/" + run_id)).string_or("status"),
            "running");
  EXPECT_EQ(all_.expect(200, all_.get("/v1/workflows/" + draft)).string_or("status"), "draft");
}

}  // namespace
}  // namespace avow
