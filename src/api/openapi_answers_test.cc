// SPDX-License-Identifier: Apache-2.0
// The document against the real answers, both ways: ApiWorld holds every answer against the
// document; here every success that the document promises is asked for.
#include <gtest/gtest.h>

#include <set>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

class EveryOperation : public ::testing::Test {
 protected:
  /// Sends and notes which answer of which operation it was.
  json::Value ask(const std::string& method, const std::string& target,
                  const std::string& body = "", const std::string& prefer = "") {
    auto request = world_.request(method, target, body);
    if (!prefer.empty()) request.headers.set("Prefer", prefer);
    return ask(request);
  }

  json::Value ask(const net::Request& request) {
    const auto response = world_.send(request);
    const auto match = router().match(request.method, request.segments);
    if (match.route != nullptr) {
      seen_.insert(fmt::format("{} {}", match.route->operation_id, response.status));
    }
    if (response.body.empty() || response.body.front() != '{') return {};
    return ApiWorld::body(response);
  }

  static std::set<std::string> promised() {
    std::set<std::string> out;
    const json::Value document = openapi_of(all_routes());
    for (const json::Member& path : document.find("paths")->as_object()) {
      for (const json::Member& operation : path.value.as_object()) {
        for (const json::Member& answer : operation.value.find("responses")->as_object()) {
          if (!answer.key.starts_with('2')) continue;
          out.insert(operation.value.string_or("operationId") + " " + answer.key);
        }
      }
    }
    return out;
  }

  void ask_service() {
    for (const std::string path :
         {"/", "/health/live", "/health/ready", "/metrics", "/openapi.json"}) {
      ask("GET", path);
    }
  }

  void ask_workflows() {
    const std::string steps = R"("steps":[
      {"name":"a","type":"transform","config":{"output":{"n":"${{ input.n }}"}}},
      {"name":"b","type":"decision","depends_on":["a"],"condition":"input.n > 0",
       "config":{"cases":[{"when":"steps.a.result.n > 1","then":"big"}],"default":"small"}}])";
    const std::string body = R"({"name":"w","description":"d","labels":{"team":"a"},)" + steps +
                             R"(,"triggers":{"cron":"0 6 * * *"}})";
    workflow_ = ask("POST", "/v1/workflows", body).string_or("id");
    ask("POST", "/v1/workflows/validate", body);
    ask("POST", "/v1/workflows/validate", "{}");
    ask("GET", "/v1/workflows");
    ask("GET", "/v1/workflows/" + workflow_);
    ask("PUT", "/v1/workflows/" + workflow_, body);
    ask("POST", "/v1/workflows/" + workflow_ + "/publish");
    const std::string next =
        ask("POST", "/v1/workflows/" + workflow_ + "/versions").string_or("id");
    ask("POST", "/v1/workflows/" + next + "/publish");
    ask("POST", "/v1/workflows/" + next + "/archive");
  }

  void ask_runs() {
    const std::string execute = "/v1/workflows/" + workflow_ + "/execute";
    ask("POST", execute, R"({"input":{"n":2},"labels":{"k":"v"}})");
    ask("POST", execute, R"({"input":{"n":2},"dry_run":true})");
    const json::Value ended = ask("POST", execute, R"({"input":{"n":2}})", "wait=30");
    EXPECT_EQ(ended.string_or("status"), "completed") << json::write(ended);
    const json::Value failed = ask("POST", execute, R"({"input":{}})", "wait=30");
    EXPECT_EQ(failed.string_or("status"), "failed") << json::write(failed);
    const std::string run = "/v1/orchestrations/" + ended.string_or("orchestration_id");
    ask("GET", run);
    ask("GET", run + "/events");
    auto live = world_.request("GET", run + "/events");
    live.headers.set("Accept", "text/event-stream");
    live.headers.set("Last-Event-ID", "1000");
    ask(live);
    ask("GET", run + "/contents/1/input");
    ask("POST", run + "/rerun", "{}", "wait=30");
    ask("POST", run + "/rerun", R"({"from_step":"a"})");
    ask("GET", "/v1/orchestrations?label.k=v");
    ask("GET", "/v1/orchestrations");
  }

  void ask_proofs() {
    const json::Value ended =
        ask("POST", "/v1/workflows/" + workflow_ + "/execute", R"({"input":{"n":2}})", "wait=30");
    const std::string run = "/v1/orchestrations/" + ended.string_or("orchestration_id");
    const std::string receipt = "/v1/receipts/" + ended.string_or("receipt_id");
    for (const std::string format : {"avow", "tlog-proof", "sigstore", "cose"}) {
      ask("GET", fmt::format("{}?format={}", receipt, format));
    }
    ask("GET", receipt + "?witnessed=true&reveal=output");
    const json::Value bundle = ask("GET", receipt + "/bundle");
    ask("POST", "/v1/receipts/verify", json::write(bundle));
    ask("GET", run + "/receipts");
    ask("GET", "/v1/audit?type=all&order=asc&after=1&limit=200");
    ask("GET", "/log/checkpoint");
    ask("GET", "/log/keys");
    ask("GET", "/log/tile/entries/000.p/1");
    ask("POST", run + "/erase",
        R"({"reason":"asked for","scope":[{"step":"a","member":"input"}]})");
    ask("POST", run + "/erase", R"({"reason":"asked for"})");
    ask("GET", run);
    ask("GET", "/v1/orchestrations");
    ask("GET", "/v1/audit?type=content.erased");
  }

  void ask_agents() {
    const std::string echo =
        ask("POST", "/v1/agents", R"({"model":"avow/echo","scopes":["a:b"]})").string_or("id");
    agent_ = ask("POST", "/v1/agents", "{}").string_or("id");
    ask("GET", "/v1/agents");
    ask("GET", "/v1/agents/" + agent_);
    ask("PATCH", "/v1/agents/" + agent_, R"({"metadata":{"a":1}})");
    ask("POST", "/v1/agents/" + agent_ + "/suspend", R"({"reason":"why"})");
    ask("POST", "/v1/agents/" + agent_ + "/resume");
    const std::string adhoc =
        R"({"agent_id":")" + echo + R"(","input":{"prompt":"hello"},"name":"n"})";
    const json::Value ended = ask("POST", "/v1/orchestrations/execute", adhoc, "wait=30");
    EXPECT_EQ(ended.string_or("status"), "completed") << json::write(ended);
    ask("POST", "/v1/orchestrations/execute",
        R"({"agent_id":")" + echo + R"(","input":{"prompt":"hello"},"dry_run":true})");
  }

  std::string start_task() {
    return ask("POST", "/v1/orchestrations/execute",
               R"({"agent_id":")" + agent_ + R"(","input":{"x":1}})")
        .string_or("orchestration_id");
  }

  void ask_tasks() {
    for (const std::string how : {"complete", "fail"}) {
      const std::string run = start_task();
      const json::Value polled =
          ask("POST", "/v1/agents/" + agent_ + "/tasks/poll", R"({"wait":30})");
      const json::Value& task = polled.find("tasks")->as_array().at(0);
      const std::string path = "/v1/tasks/" + task.string_or("task_id") + "/";
      const std::string token = R"("lease_token":")" + task.string_or("lease_token") + "\"";
      ask("POST", path + "heartbeat", "{" + token + "}");
      ask("POST", path + how,
          how == "fail" ? "{" + token + R"(,"error":{"code":"NO_LUCK","message":"m"}})"
                        : "{" + token + R"(,"result":{"y":2}})");
      ask("GET", "/v1/orchestrations/" + run + "?wait=30");
    }
    ask("GET", "/v1/orchestrations?status=failed");
    ask("POST", "/v1/orchestrations/" + start_task() + "/cancel", R"({"reason":"why"})");
    const std::string task = "/v1/orchestrations/" + start_task();
    ask("POST", task + "/pause", R"({"reason":"why"})");
    ask("POST", task + "/resume");
    const std::string asking =
        ask("POST", "/v1/orchestrations/execute",
            R"({"agent_id":")" + agent_ + R"(","timeout_seconds":600,"steps":[
                {"name":"ask","type":"approval","config":{"prompt":"?","allow_self":true,"quorum":2}}]})")
            .string_or("orchestration_id");
    ask("POST", "/v1/orchestrations/" + asking + "/approvals/ask",
        R"({"decision":"approve","comment":"fine"})");
    ask("POST", "/v1/orchestrations/" + asking + "/cancel");
    ask("POST", "/v1/agents/" + agent_ + "/revoke");
    ask("POST", "/v1/agents/" + agent_ + "/kill");
  }

  void ask_the_rest() {
    ask("POST", "/v1/tools", R"({"name":"t","http":{"url":"https://example.com/x"}})");
    ask("GET", "/v1/tools");
    ask("GET", "/v1/tools/t");
    ask("POST", "/v1/guardrails/check",
        R"({"content":"a@example.com","rules":[{"id":"r","type":"pii","kinds":["email"]}]})");
    const std::string key = ask("POST", "/v1/api-keys", R"({"scopes":["*:*"]})").string_or("id");
    ask("GET", "/v1/api-keys");
    ask("DELETE", "/v1/api-keys/" + key);
    world_.key = world_.make_platform_key();
    const std::string tenant = ask("POST", "/v1/tenants", R"({"name":"t"})").string_or("tenant_id");
    ask("PATCH", "/v1/tenants/" + tenant, R"({"weight":2})");
  }

  ApiWorld world_;
  std::set<std::string> seen_;
  std::string workflow_;
  std::string agent_;
};

TEST_F(EveryOperation, GivesEverySuccessThatTheDocumentPromises) {
  ask_service();
  ask_workflows();
  ask_runs();
  ask_proofs();
  ask_agents();
  ask_tasks();
  ask_the_rest();
  for (const std::string& answer : promised()) EXPECT_TRUE(seen_.contains(answer)) << answer;
}

TEST(AnswerChecker, FindsWhatTheDocumentDoesNotSay) {
  testing::AnswerChecker checker;
  const auto match = router().match("GET", {"health", "live"});
  const auto verdict = [&](int status, const std::string& body) {
    return checker.check(
        *match.route,
        {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = body});
  };
  EXPECT_EQ(verdict(200, R"({"status":"ok"})"), "");
  EXPECT_NE(verdict(200, R"({"status":"ok","more":1})"), "");
  EXPECT_NE(verdict(200, "{}"), "");
  EXPECT_NE(verdict(201, R"({"status":"ok"})"), "");
}

}  // namespace
}  // namespace avow::api
