// SPDX-License-Identifier: Apache-2.0
// Workflows, agents, tools, guardrails, tenants and keys through the whole way of a request.
#include <gtest/gtest.h>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

std::string header(const net::Response& response, std::string_view name) {
  const std::string* value = response.headers.find(name);
  return value == nullptr ? "" : *value;
}

std::string pointer_of(const net::Response& response) {
  return ApiWorld::body(response).find("details")->string_or("pointer");
}

std::string definition(const std::string& name, const std::string& more = "") {
  return fmt::format(
      R"({{"name":"{}","steps":[{{"name":"a","type":"transform","config":{{"output":1}}}}]{}}})",
      name, more);
}

json::Value create(ApiWorld& world, const std::string& path, const std::string& body) {
  const auto response = world.send("POST", path, body);
  EXPECT_EQ(response.status, 201) << response.body;
  return ApiWorld::body(response);
}

class Workflows : public ::testing::Test {
 protected:
  std::string make(const std::string& name, const std::string& more = "") {
    return create(world_, "/v1/workflows", definition(name, more)).string_or("id");
  }
  int post(const std::string& id, const std::string& verb, const std::string& body = "") {
    return world_.send("POST", "/v1/workflows/" + id + "/" + verb, body).status;
  }
  ApiWorld world_;
};

TEST_F(Workflows, AreCreatedAsDrafts) {
  const auto response = world_.send("POST", "/v1/workflows", definition("w"));
  EXPECT_EQ(response.status, 201);
  const json::Value workflow = ApiWorld::body(response);
  EXPECT_EQ(workflow.string_or("status"), "draft");
  EXPECT_EQ(workflow.string_or("version"), "1.0.0");
  EXPECT_EQ(workflow.string_or("id"), workflow.string_or("workflow_id"));
  EXPECT_TRUE(workflow.find("steps")->as_array().at(0).find("depends_on")->as_array().empty());
  EXPECT_EQ(workflow.find("published_at"), nullptr);
  EXPECT_EQ(header(response, "Location"), "/v1/workflows/" + workflow.string_or("id"));
  EXPECT_EQ(header(response, "ETag"), "\"" + workflow.string_or("digest") + "\"");
}

TEST_F(Workflows, AreFoundByEitherFormOfTheirId) {
  const std::string id = make("w");
  const Id parsed = *parse_id(id);
  for (const std::string& form :
       {id, parsed.ulid(), "maip-wf:" + parsed.ulid(), "maip-wf%3A" + parsed.ulid()}) {
    const auto response = world_.send("GET", "/v1/workflows/" + form);
    EXPECT_EQ(response.status, 200) << form;
    EXPECT_EQ(ApiWorld::body(response).string_or("id"), id);
  }
  EXPECT_EQ(world_.send("GET", "/v1/workflows/nonsense").status, 400);
}

TEST_F(Workflows, TellEveryFaultAtOnce) {
  const auto response = world_.send("POST", "/v1/workflows", R"({"name":"w","steps":[
    {"name":"a","type":"transform","depends_on":["b"],"config":{"output":"${{ 1 + }}"}},
    {"name":"b","type":"transform","depends_on":["a"],"config":{"output":1}}]})");
  EXPECT_EQ(response.status, 422);
  const json::Value errors = *ApiWorld::body(response).find("details")->find("errors");
  EXPECT_GE(errors.as_array().size(), 2U) << response.body;
  bool has_place = false;
  for (const json::Value& error : errors.as_array()) {
    has_place = has_place || error.int_or("column", 0) > 0;
  }
  EXPECT_TRUE(has_place) << response.body;
}

TEST_F(Workflows, RefuseUnknownMembersAndWrongTypesAsMalformed) {
  const auto unknown = world_.send("POST", "/v1/workflows", definition("w", R"(,"nmae":1)"));
  EXPECT_EQ(unknown.status, 400);
  EXPECT_EQ(pointer_of(unknown), "/nmae");
  EXPECT_EQ(world_.send("PUT", "/v1/workflows/" + make("v"), definition("w", R"(,"max_steps":"5")"))
                .status,
            400);
}

TEST_F(Workflows, NameAnAgentOfTheirOwnTenantOrNone) {
  const TenantId other = world_.make_tenant("other");
  auto request = world_.request("POST", "/v1/agents", "{}");
  request.headers.set("X-API-Key", world_.make_key(other, {"*:*"}));
  const std::string foreign = ApiWorld::body(world_.send(request)).string_or("id");
  const auto with = [](const std::string& id) {
    return definition("w", fmt::format(R"(,"agent_id":"{}")", id));
  };
  const auto refused = world_.send("POST", "/v1/workflows", with(foreign));
  EXPECT_EQ(refused.status, 404);
  const std::string nobody = RunId{{7, 0}}.uuid();
  EXPECT_EQ(world_.send("POST", "/v1/workflows", with(nobody)).status, 404);
  EXPECT_EQ(pointer_of(refused), "/agent_id");
}

TEST_F(Workflows, HaveOneNameAndVersionEach) {
  make("w");
  EXPECT_EQ(world_.send("POST", "/v1/workflows", definition("w")).status, 409);
  make("w", R"(,"version":"1.0.1")");
}

TEST_F(Workflows, AreInvisibleToOtherTenants) {
  const std::string id = make("w");
  const std::string stranger = world_.make_key(world_.make_tenant("other"), {"*:*"});
  const auto ask = [&](const std::string& target) {
    auto request = world_.request("GET", target);
    request.headers.set("X-API-Key", stranger);
    request.headers.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    return world_.send(request);
  };
  const auto foreign = ask("/v1/workflows/" + id);
  EXPECT_EQ(foreign.status, 404);
  world_.tenant = TenantId{{9, 0}};
  auto missing = ask("/v1/workflows/" + WorkflowId{{5, 0}}.uuid());
  const std::size_t at = missing.body.find(WorkflowId{{5, 0}}.uuid());
  ASSERT_NE(at, std::string::npos);
  EXPECT_EQ(missing.body.replace(at, 36, id), foreign.body);
  EXPECT_TRUE(ApiWorld::body(ask("/v1/workflows")).find("items")->as_array().empty());
}

TEST_F(Workflows, AreValidatedWithoutATrace) {
  const auto good = ApiWorld::body(world_.send("POST", "/v1/workflows/validate", definition("w")));
  EXPECT_TRUE(good.bool_or("valid", false));
  EXPECT_EQ(good.find("definition")->string_or("version"), "1.0.0");
  const auto bad = ApiWorld::body(world_.send("POST", "/v1/workflows/validate", R"({"name":"w"})"));
  EXPECT_FALSE(bad.bool_or("valid", true));
  EXPECT_FALSE(bad.find("errors")->as_array().empty());
  EXPECT_TRUE(
      ApiWorld::body(world_.send("GET", "/v1/workflows")).find("items")->as_array().empty());
}

TEST_F(Workflows, ChangeOnlyAsDraftsAndOnlyFromTheDigestThatIsMeant) {
  const std::string id = make("w");
  auto request = world_.request("PUT", "/v1/workflows/" + id, definition("w", R"(,"max_steps":5)"));
  request.headers.set("If-Match", "\"0000\"");
  EXPECT_EQ(world_.send(request).status, 409);
  request.headers.set("If-Match", header(world_.send("GET", "/v1/workflows/" + id), "ETag"));
  EXPECT_EQ(world_.send(request).status, 200);
  EXPECT_EQ(ApiWorld::body(world_.send("GET", "/v1/workflows/" + id)).int_or("max_steps", 0), 5);
  EXPECT_EQ(post(id, "publish"), 200);
  request.headers.erase("If-Match");
  EXPECT_EQ(world_.send(request).status, 409);
}

TEST_F(Workflows, CannotTakeTheNameOfAnother) {
  make("first");
  const std::string id = make("second");
  EXPECT_EQ(world_.send("PUT", "/v1/workflows/" + id, definition("first")).status, 409);
  EXPECT_EQ(world_.send("PUT", "/v1/workflows/" + id, definition("third")).status, 200);
  make("second");
}

TEST_F(Workflows, GoFromDraftToPublishedToArchived) {
  const std::string id = make("w");
  EXPECT_EQ(post(id, "archive"), 409);
  const auto published = world_.send("POST", "/v1/workflows/" + id + "/publish");
  EXPECT_EQ(published.status, 200);
  EXPECT_NE(ApiWorld::body(published).find("published_at"), nullptr);
  EXPECT_EQ(post(id, "publish"), 409);
  EXPECT_EQ(post(id, "archive", R"({"why":1})"), 400);
  EXPECT_EQ(post(id, "archive"), 200);
  EXPECT_EQ(post(id, "archive"), 409);
  EXPECT_EQ(ApiWorld::body(world_.send("GET", "/v1/workflows/" + id)).string_or("status"),
            "archived");
}

TEST_F(Workflows, GetVersionsHigherThanAllOthers) {
  const std::string id = make("w", R"(,"version":"1.9.3")");
  const auto version = [&](const std::string& body) {
    return world_.send("POST", "/v1/workflows/" + id + "/versions", body);
  };
  const json::Value next = ApiWorld::body(version(""));
  EXPECT_EQ(next.string_or("version"), "1.10.0");
  EXPECT_EQ(next.string_or("status"), "draft");
  EXPECT_EQ(next.string_or("name"), "w");
  const auto lower = version(R"({"version":"1.10.0"})");
  EXPECT_EQ(lower.status, 422);
  EXPECT_EQ(pointer_of(lower), "/version");
  EXPECT_EQ(ApiWorld::body(version(R"({"version":"2.0.0","max_steps":7})")).int_or("max_steps", 0),
            7);
  EXPECT_EQ(version(R"({"name":"other"})").status, 422);
}

TEST_F(Workflows, AreListedNewestFirstInPages) {
  std::vector<std::string> made;
  for (int i = 0; i < 5; ++i) made.push_back(make(fmt::format("w{}", i)));
  std::vector<std::string> listed;
  std::string cursor;
  for (int pages = 0; pages < 3; ++pages) {
    const json::Value page = ApiWorld::body(world_.send("GET", "/v1/workflows?limit=2" + cursor));
    for (const json::Value& item : page.find("items")->as_array()) {
      listed.push_back(item.string_or("id"));
    }
    EXPECT_EQ(page.find("next_cursor")->is_null(), pages == 2);
    cursor = "&cursor=" + page.string_or("next_cursor");
  }
  std::sort(made.rbegin(), made.rend());
  EXPECT_EQ(listed, made);
}

TEST_F(Workflows, AreListedByNameAndStatus) {
  const std::string id = make("one");
  make("two");
  post(id, "publish");
  const auto count = [&](const std::string& query) {
    return ApiWorld::body(world_.send("GET", "/v1/workflows?" + query))
        .find("items")
        ->as_array()
        .size();
  };
  EXPECT_EQ(count("name=two"), 1U);
  EXPECT_EQ(count("status=published"), 1U);
  EXPECT_EQ(count("status=published&name=two"), 0U);
  for (const std::string bad :
       {"status=done", "limit=0", "limit=201", "limit=x", "cursor=x", "x=1"}) {
    EXPECT_EQ(world_.send("GET", "/v1/workflows?" + bad).status, 400) << bad;
  }
}

TEST_F(Workflows, RunFromTheCacheAsPublished) {
  const std::string id = make("w");
  EXPECT_FALSE(world_.workflows.workflow_plan(WorkflowId{*parse_id(id)}));
  post(id, "publish");
  EXPECT_TRUE(world_.workflows.workflow_plan(WorkflowId{*parse_id(id)}));
  post(id, "archive");
  EXPECT_TRUE(world_.workflows.workflow_plan(WorkflowId{*parse_id(id)}))
      << "running runs of an archived workflow go on";
}

class Agents : public ::testing::Test {
 protected:
  std::string make(const std::string& body = "{}") {
    return create(world_, "/v1/agents", body).string_or("id");
  }
  net::Response post(const std::string& id, const std::string& verb, const std::string& body = "") {
    return world_.send("POST", "/v1/agents/" + id + "/" + verb, body);
  }
  std::string status_of(const std::string& id) {
    return ApiWorld::body(world_.send("GET", "/v1/agents/" + id)).string_or("status");
  }
  ApiWorld world_;
};

TEST_F(Agents, ShowTheirPrivateKeyOnceAndOnlyIfItWasMadeHere) {
  const json::Value made = create(world_, "/v1/agents", R"({"display_name":"n"})");
  EXPECT_NE(made.find("private_key"), nullptr);
  const json::Value read =
      ApiWorld::body(world_.send("GET", "/v1/agents/" + made.string_or("agent_id")));
  EXPECT_EQ(read.find("private_key"), nullptr);
  EXPECT_EQ(read.string_or("public_key"), made.string_or("public_key"));
  const json::Value brought = create(
      world_, "/v1/agents", fmt::format(R"({{"public_key":"{}"}})", made.string_or("public_key")));
  EXPECT_EQ(brought.find("private_key"), nullptr);
}

TEST_F(Agents, NameModelsAndToolsThatExist) {
  EXPECT_EQ(world_.send("POST", "/v1/agents", R"({"model":"nope"})").status, 422);
  const auto response =
      world_.send("POST", "/v1/agents", R"({"model":"avow/echo","tools":["nope"]})");
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(pointer_of(response), "/tools/0");
  make(R"({"model":"avow/echo","instructions":"Be brief."})");
}

TEST_F(Agents, AreChangedMemberByMember) {
  const std::string id = make(R"({"display_name":"old","description":"d"})");
  const auto response =
      world_.send("PATCH", "/v1/agents/" + id, R"({"display_name":"new","description":null})");
  EXPECT_EQ(response.status, 200);
  const json::Value read = ApiWorld::body(world_.send("GET", "/v1/agents/" + id));
  EXPECT_EQ(read.string_or("display_name"), "new");
  EXPECT_EQ(read.find("description"), nullptr);
  EXPECT_EQ(world_.send("PATCH", "/v1/agents/" + id, R"({"colour":"red"})").status, 400);
}

TEST_F(Agents, AreSuspendedResumedAndRevokedForEver) {
  const std::string id = make();
  const AgentId agent{*parse_id(id)};
  EXPECT_TRUE(world_.agents.is_agent_active(world_.tenant, agent));
  EXPECT_EQ(post(id, "suspend", R"({"reason":"why"})").status, 200);
  EXPECT_FALSE(world_.agents.is_agent_active(world_.tenant, agent));
  EXPECT_EQ(post(id, "suspend").status, 200);
  EXPECT_EQ(post(id, "resume").status, 200);
  EXPECT_TRUE(world_.agents.is_agent_active(world_.tenant, agent));
  EXPECT_EQ(post(id, "revoke").status, 200);
  EXPECT_EQ(post(id, "revoke").status, 200);
  EXPECT_EQ(post(id, "resume").status, 409);
  EXPECT_EQ(world_.send("PATCH", "/v1/agents/" + id, R"({"display_name":"x"})").status, 409);
  EXPECT_EQ(status_of(id), "revoked");
}

TEST_F(Agents, CanBeKilledOnlyByThoseWhoMay) {
  const std::string id = make();
  auto request = world_.request("POST", "/v1/agents/" + id + "/kill");
  request.headers.set("X-API-Key", world_.make_key(world_.tenant, {"agents:write"}));
  EXPECT_EQ(world_.send(request).status, 403);
  EXPECT_EQ(post(id, "kill", R"({"reason":"why","cascade":false})").status, 200);
  EXPECT_EQ(status_of(id), "revoked");
  EXPECT_EQ(post(id, "kill", R"({"cascade":1})").status, 400);
}

TEST_F(Agents, TakeTheirRunsWithThemWhenKilled) {
  const std::string id = make();
  const auto started = world_.send("POST", "/v1/orchestrations/execute",
                                   fmt::format(R"({{"agent_id":"{}","input":{{"x":1}}}})", id));
  ASSERT_EQ(started.status, 202) << started.body;
  const std::string run = ApiWorld::body(started).string_or("orchestration_id");
  EXPECT_EQ(post(id, "kill").status, 200);
  const auto ended = world_.send("GET", "/v1/orchestrations/" + run + "?wait=30");
  EXPECT_EQ(ApiWorld::body(ended).string_or("status"), "cancelled") << ended.body;
}

TEST_F(Agents, AreListedByStatus) {
  const std::string id = make();
  make();
  post(id, "suspend");
  const json::Value page = ApiWorld::body(world_.send("GET", "/v1/agents?status=suspended"));
  ASSERT_EQ(page.find("items")->as_array().size(), 1U);
  EXPECT_EQ(page.find("items")->as_array()[0].string_or("id"), id);
}

TEST_F(Agents, AreInvisibleToOtherTenants) {
  const std::string id = make();
  auto request = world_.request("POST", "/v1/agents/" + id + "/revoke");
  request.headers.set("X-API-Key", world_.make_key(world_.make_tenant("other"), {"*:*"}));
  EXPECT_EQ(world_.send(request).status, 404);
  EXPECT_EQ(status_of(id), "active");
}

constexpr std::string_view kTool =
    R"({"name":"look_up","http":{"method":"GET","url":"https://example.com/${{ arguments.x }}"}})";

TEST(Tools, AreRegisteredOnceAndRead) {
  ApiWorld world;
  const json::Value made = create(world, "/v1/tools", std::string(kTool));
  EXPECT_EQ(made.string_or("risk_level"), "medium");
  EXPECT_EQ(ApiWorld::body(world.send("GET", "/v1/tools/look_up")), made);
  EXPECT_EQ(world.send("POST", "/v1/tools", std::string(kTool)).status, 409);
  EXPECT_EQ(world.send("GET", "/v1/tools/other").status, 404);
  EXPECT_EQ(ApiWorld::body(world.send("GET", "/v1/tools")).find("items")->as_array().size(), 1U);
}

TEST(Tools, BelongToTheirTenant) {
  ApiWorld world;
  create(world, "/v1/tools", std::string(kTool));
  world.key = world.make_key(world.make_tenant("other"), {"*:*"});
  EXPECT_EQ(world.send("GET", "/v1/tools/look_up").status, 404);
  create(world, "/v1/tools", std::string(kTool));
}

TEST(Tools, AreRefusedWithEveryFault) {
  ApiWorld world;
  const auto response =
      world.send("POST", "/v1/tools", R"({"name":"a b","http":{"url":"ftp://x"},"colour":1})");
  EXPECT_EQ(response.status, 422);
  EXPECT_GE(ApiWorld::body(response).find("details")->find("errors")->as_array().size(), 2U);
}

TEST(Guardrails, JudgeContentByRules) {
  ApiWorld world;
  const auto check = [&](const std::string& body) {
    return world.send("POST", "/v1/guardrails/check", body);
  };
  const std::string rules = R"("rules":[{"id":"r","type":"keywords","keywords":["secret"]}])";
  const auto bad = check(R"({"content":"a secret",)" + rules + "}");
  EXPECT_EQ(bad.status, 200) << bad.body;
  EXPECT_FALSE(ApiWorld::body(bad).bool_or("allowed", true));
  EXPECT_EQ(ApiWorld::body(bad).find("violations")->as_array().at(0).string_or("rule_id"), "r");
  EXPECT_TRUE(
      ApiWorld::body(check(R"({"action_type":"read",)" + rules + "}")).bool_or("allowed", false));
  EXPECT_EQ(check("{" + rules + "}").status, 400);
  EXPECT_EQ(check(R"({"content":"x"})").status, 400);
  EXPECT_EQ(check(R"({"content":"x","ruleset":"default"})").status, 422);
  const auto wrong = check(R"({"content":"x","rules":[{"id":"r","type":"magic"}]})");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_TRUE(pointer_of(wrong).starts_with("/rules/0")) << wrong.body;
  EXPECT_EQ(
      check(R"({"content":"x","agent_id":")" + RunId{{1, 1}}.uuid() + "\"," + rules + "}").status,
      404);
}

TEST(Tenants, AreMadeByAPlatformKeyOnly) {
  ApiWorld world;
  EXPECT_EQ(world.send("POST", "/v1/tenants", R"({"name":"t"})").status, 403);
  world.key = world.make_platform_key();
  const json::Value tenant = create(world, "/v1/tenants", R"({"name":"t"})");
  EXPECT_EQ(world.send("POST", "/v1/tenants", "{}").status, 400);

  auto request = world.request("POST", "/v1/api-keys", R"({"scopes":["*:*"]})");
  EXPECT_EQ(world.send(request).status, 400) << "which tenant?";
  request.headers.set("X-Tenant-ID", TenantId{{3, 0}}.uuid());
  EXPECT_EQ(world.send(request).status, 404);
  request.headers.set("X-Tenant-ID", tenant.string_or("tenant_id"));
  const auto made = world.send(request);
  ASSERT_EQ(made.status, 201);
  world.key = ApiWorld::body(made).string_or("api_key");
  EXPECT_EQ(world.send("GET", "/v1/workflows").status, 200);
}

TEST(Tenants, HaveAShareAndLimitsThatAPlatformKeyCanChange) {
  ApiWorld world;
  const std::string key = world.key;
  EXPECT_EQ(world.send("PATCH", "/v1/tenants/" + world.tenant.uuid(), "{}").status, 403);
  world.key = world.make_platform_key();
  const json::Value made = create(world, "/v1/tenants", R"({"name":"t","weight":3})");
  EXPECT_EQ(made.int_or("weight", 0), 3);
  EXPECT_EQ(json::write(*made.find("limits")), "{}");
  const std::string path = "/v1/tenants/" + made.string_or("tenant_id");
  const auto changed = [&](const std::string& patch) {
    const auto response = world.send("PATCH", path, patch);
    EXPECT_EQ(response.status, 200) << response.body;
    return ApiWorld::body(response);
  };
  EXPECT_EQ(
      json::write(
          *changed(R"({"limits":{"steps_in_flight":2,"requests_per_minute":9}})").find("limits")),
      R"({"steps_in_flight":2,"requests_per_minute":9})");
  const json::Value after = changed(R"({"limits":{"steps_in_flight":null},"name":"u"})");
  EXPECT_EQ(json::write(*after.find("limits")), R"({"requests_per_minute":9})");
  EXPECT_EQ(after.string_or("name"), "u");
  EXPECT_EQ(after.int_or("weight", 0), 3);
  EXPECT_EQ(world.send("PATCH", path, R"({"weight":101})").status, 422);
  EXPECT_EQ(world.send("PATCH", path, R"({"weight":"3"})").status, 400);
  EXPECT_EQ(world.send("PATCH", path, R"({"limits":{"runs":1}})").status, 400);
  EXPECT_EQ(world.send("PATCH", path, R"({"name":null})").status, 400);
  EXPECT_EQ(world.send("PATCH", "/v1/tenants/" + RunId{{1, 1}}.uuid(), "{}").status, 404);

  // The limit holds for all of the tenant's keys together, and for nobody else.
  EXPECT_EQ(world
                .send("PATCH", "/v1/tenants/" + world.tenant.uuid(),
                      R"({"limits":{"requests_per_minute":2}})")
                .status,
            200);
  world.key = key;
  EXPECT_EQ(world.send("GET", "/v1/workflows").status, 200);
  world.key = world.make_key(world.tenant, {"*:*"});
  EXPECT_EQ(world.send("GET", "/v1/workflows").status, 200);
  const auto refused = world.send("GET", "/v1/workflows");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(*refused.headers.find("X-RateLimit-Limit"), "2");
  EXPECT_NE(refused.headers.find("Retry-After"), nullptr);
  world.key = world.make_key(world.make_tenant("other"), {"*:*"});
  EXPECT_EQ(world.send("GET", "/v1/workflows").status, 200);
  // What is stored is what the next process applies.
  engine::Engine& engine = world.engine;
  api::TenantTerms next;
  ASSERT_TRUE(next.load(world.store, engine));
  EXPECT_EQ(next.take(world.tenant, world.clock.now())->limit, 2U);
  EXPECT_FALSE(next.take(TenantId{{3, 0}}, world.clock.now()));
}

TEST(ApiKeys, GrantNoMoreThanTheirMakerHas) {
  ApiWorld world;
  world.key = world.make_key(world.tenant, {"api-keys:write", "workflows:read"});
  EXPECT_EQ(world.send("POST", "/v1/api-keys", R"({"scopes":["workflows:write"]})").status, 403);
  EXPECT_EQ(world.send("POST", "/v1/api-keys", R"({"scopes":["workflows:read"]})").status, 201);
  EXPECT_EQ(world.send("POST", "/v1/api-keys", R"({"scopes":["nonsense:read"]})").status, 422);
}

TEST(ApiKeys, NameAgentsOfTheirTenant) {
  ApiWorld world;
  const std::string agent = create(world, "/v1/agents", "{}").string_or("id");
  const auto with = [](const std::string& id) {
    return R"({"scopes":["tasks:work"],"agent_ids":[")" + id + "\"]}";
  };
  create(world, "/v1/api-keys", with(agent));
  const auto response = world.send("POST", "/v1/api-keys", with(RunId{{1, 0}}.uuid()));
  EXPECT_EQ(response.status, 404);
  EXPECT_EQ(pointer_of(response), "/agent_ids/0");
}

TEST(ApiKeys, AreListedWithoutSecretsAndStopWorkingWhenRevoked) {
  ApiWorld world;
  const json::Value made = create(world, "/v1/api-keys", R"({"name":"n","scopes":["*:*"]})");
  const auto listed = world.send("GET", "/v1/api-keys?name=n");
  EXPECT_EQ(listed.body.find(made.string_or("api_key")), std::string::npos);
  const std::string id = made.string_or("id");
  auto request = world.request("GET", "/v1/workflows");
  request.headers.set("X-API-Key", made.string_or("api_key"));
  EXPECT_EQ(world.send(request).status, 200);
  EXPECT_EQ(world.send("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(world.send(request).status, 401);
  EXPECT_EQ(world.send("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(world.send("DELETE", "/v1/api-keys/" + RunId{{1, 0}}.uuid()).status, 404);
  world.key = world.make_key(world.make_tenant("other"), {"*:*"});
  EXPECT_EQ(world.send("DELETE", "/v1/api-keys/" + id).status, 404);
}

}  // namespace
}  // namespace avow::api
