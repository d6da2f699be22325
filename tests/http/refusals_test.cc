// SPDX-License-Identifier: Apache-2.0
// Bad input of every kind: the status, the code and the place that the contract names; and the
// server is still there after all of it.
#include "server_fixture.h"

namespace avow {
namespace {

std::string code_of(int status) {
  switch (status) {
    case 400:
      return "INVALID_INPUT";
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 405:
      return "METHOD_NOT_ALLOWED";
    case 408:
      return "REQUEST_TIMEOUT";
    case 409:
      return "CONFLICT";
    case 413:
      return "PAYLOAD_TOO_LARGE";
    case 415:
      return "UNSUPPORTED_MEDIA_TYPE";
    case 422:
      return "UNPROCESSABLE";
    case 431:
      return "HEADERS_TOO_LARGE";
    default:
      return "?";
  }
}

/// A request that must be refused, and how.
struct Bad {
  const char* what;
  int status;
  const char* pointer;  ///< details.pointer; null: there is none to name.
  const char* target;   ///< {draft}, {published} ... stand for the ids of such workflows.
  std::string body;
};

/// `open` n times.
std::string nested(int n) {
  std::string out = R"({"input": )";
  for (int i = 0; i < n; ++i) out += R"({"a":)";
  out += "1";
  return out + std::string(static_cast<std::size_t>(n), '}') + "}";
}

/// A definition whose only fault is in `steps`.
std::string steps(const std::string& text) { return R"({"name": "bad", "steps": )" + text + "}"; }

class Refusals : public ServerTest {
 protected:
  void SetUp() override {
    const json::Value step =
        R"([{"name": "tell", "type": "webhook", "config": {"url": "https://example.com/"}}])"_json;
    ids_["{draft}"] = make_draft(all_, step);
    ids_["{published}"] = make_published(all_, step);
    ids_["{archived}"] = make_published(all_, step);
    all_.expect(200, all_.post("/v1/workflows/" + ids_["{archived}"] + "/archive"));
    ids_["{agent}"] = make_agent(all_);
    ids_["{other_agent}"] = make_agent(all_);
    ids_["{nobody}"] = "0192f0c1-7a3b-7c4d-8e5f-60718293a400";
    ids_["{agentless}"] = make_published(
        all_, R"([{"name": "do", "type": "agent", "config": {"action": "x"}}])"_json);
    json::Value strict = R"({"version": "1.0.0", "parameters": {"limit": 1},
        "input_schema": {"type": "object", "required": ["n"],
                         "properties": {"n": {"type": "integer"}}},
        "steps": [{"name": "a", "type": "transform", "config": {"output": 1}}]})"_json;
    strict.set("name", unique_name());
    ids_["{strict}"] = all_.expect(201, all_.post("/v1/workflows", strict)).string_or("id");
    all_.expect(200, all_.post("/v1/workflows/" + ids_["{strict}"] + "/publish"));
  }
  void TearDown() override { all_.expect(200, all_.get("/health/ready")); }

  std::string filled(std::string text) const {
    for (const auto& [name, id] : ids_) {
      for (std::size_t i = text.find(name); i != std::string::npos; i = text.find(name, i)) {
        text.replace(i, name.size(), id);
      }
    }
    return text;
  }

  /// `reply` is a problem of `status` at `pointer`, fit to be shown.
  void expect_refused(const std::string& what, const testing::HttpReply& reply, int status,
                      const char* pointer) {
    SCOPED_TRACE(what);
    const json::Value problem = reply.json();
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_EQ(problem.string_or("code"), code_of(status));
    EXPECT_EQ(contract().fault_of("Problem", problem), "");
    EXPECT_LT(problem.string_or("message").size(), 1000U);
    EXPECT_EQ(problem.string_or("message").find(all_.key()), std::string::npos);
    if (pointer == nullptr) return;
    EXPECT_EQ(value_at(problem, "/details/pointer"), json::Value(pointer)) << reply.body;
  }

  void expect_refused(const Bad& bad) {
    const auto reply = all_.send(
        {"POST", filled(bad.target), {{"Content-Type", "application/json"}}, filled(bad.body)});
    expect_refused(bad.what, reply, bad.status, bad.pointer);
  }

  Client all_ = owner();
  std::map<std::string, std::string> ids_;
};

constexpr const char* kCreate = "/v1/workflows";
constexpr const char* kExecute = "/v1/workflows/{published}/execute";
constexpr const char* kOrchestrate = "/v1/orchestrations/execute";

TEST_F(Refusals, OfBodiesThatAreNoJsonOfOurs) {
  for (const Bad& bad : std::vector<Bad>{
           {"broken", 400, "/name", kCreate, R"({"name": )"},
           {"trailing comma", 400, "", kExecute, R"({"dry_run": true,})"},
           {"something behind", 400, "", kExecute, "{} {}"},
           {"no object", 400, "", kExecute, "[]"},
           {"a string", 400, "", kExecute, R"("x")"},
           {"null", 400, "", kExecute, "null"},
           {"the same member twice", 400, "/dry_run", kExecute,
            R"({"dry_run": true, "dry_run": false})"},
           {"the same member twice, spelt differently", 400, "/dry_run", kExecute,
            R"({"dry_run": true, "dr\u0079_run": false})"},
           {"no UTF-8", 400, "/input/a", kExecute, "{\"input\": {\"a\": \"\xFF\"}}"},
           {"a lone surrogate", 400, "/input/a", kExecute, R"({"input": {"a": "\ud800"}})"},
           {"a number beyond all doubles", 400, "/input/a", kExecute, R"({"input": {"a": 1e400}})"},
           {"a byte order mark", 400, "", kExecute, "\xEF\xBB\xBF{}"},
           {"depth 1000", 400, nullptr, kExecute, nested(1000)},
           {"depth 65", 400, nullptr, kExecute, nested(64)},
       }) {
    expect_refused(bad);
  }
  const auto reply = all_.send({"POST",
                                filled(kExecute),
                                {{"Content-Type", "application/json"}},
                                "{\n  \"dry_run\": tru\n}"});
  EXPECT_EQ(value_at(reply.json(), "/details/errors/0/line"), json::Value(2)) << reply.body;
}

TEST_F(Refusals, OfMembersThatAreUnknownOrOfAWrongType) {
  for (const Bad& bad : std::vector<Bad>{
           {"unknown", 400, "/inptu", kExecute, R"({"inptu": {}})"},
           {"unknown in a definition", 400, "/stepz", kCreate,
            R"({"name": "x", "stepz": 1, "steps": [{"name": "a", "type": "transform",
                "config": {"output": 1}}]})"},
           {"unknown in a step", 400, "/steps/0/confg", kCreate,
            steps(R"([{"name": "a", "type": "transform", "config": {"output": 1}, "confg": 1}])")},
           {"model in Execute Workflow", 400, "/model", kExecute, R"({"model": "avow/echo"})"},
           {"boolean as text", 400, "/dry_run", kExecute, R"({"dry_run": "yes"})"},
           {"object as list", 400, "/input", kExecute, R"({"input": []})"},
           {"number as text", 400, "/max_steps", kExecute, R"({"max_steps": "5"})"},
           {"whole number with a fraction", 400, "/max_steps", kExecute, R"({"max_steps": 1.5})"},
           {"list as object", 400, "/agents", kOrchestrate,
            R"({"workflow_id": "{published}", "agents": {}})"},
           {"id as number", 400, "/agents/0", kOrchestrate,
            R"({"workflow_id": "{published}", "agents": [7]})"},
           {"ill-formed id", 400, "/agent_id", kExecute, R"({"agent_id": "me"})"},
           {"ill-formed id in a path", 400, nullptr, "/v1/workflows/seven/execute", "{}"},
           {"label that is no text", 400, "/labels/a", kExecute, R"({"labels": {"a": 1}})"},
           {"steps that are no list", 400, "/steps", kCreate, steps("{}")},
           {"max_steps too small", 422, "/max_steps", kExecute, R"({"max_steps": 0})"},
           {"timeout too long", 422, "/timeout_seconds", kExecute,
            R"({"timeout_seconds": 2592001})"},
           {"an agent of no known type", 422, "/agent_type", "/v1/agents",
            R"({"agent_type": "spy"})"},
           {"tools without a model", 422, "/tools", "/v1/agents", R"({"tools": ["x"]})"},
           {"a scope that does not exist", 422, "/scopes/0", "/v1/api-keys",
            R"({"scopes": ["coffee:make"]})"},
           {"a tool without a way to call it", 422, "", "/v1/tools", R"({"name": "x"})"},
           {"rules missing", 400, "/rules", "/v1/guardrails/check", R"({"content": "x"})"},
           {"more tasks than allowed", 422, "/max", "/v1/agents/{agent}/tasks/poll",
            R"({"max": 101})"},
           {"lease missing", 400, "/lease_token",
            "/v1/tasks/01HZX3J9Q8W7E6R5T4Y3V2B1N0.work.1/complete", R"({"result": 1})"},
           {"no task id", 400, nullptr, "/v1/tasks/seven/complete", R"({"lease_token": "x"})"},
       }) {
    expect_refused(bad);
  }
}

TEST_F(Refusals, OfDefinitionsThatCannotWork) {
  const std::string ok = R"("type": "transform", "config": {"output": 1})";
  for (const Bad& bad : std::vector<Bad>{
           {"cycle", 422, "/steps/0/depends_on", kCreate,
            steps(R"([{"name": "a", "depends_on": ["b"], )" + ok +
                  R"(}, {"name": "b", "depends_on": ["a"], )" + ok + "}]")},
           {"unknown step", 422, "/steps/0/depends_on/0", kCreate,
            steps(R"([{"name": "a", "depends_on": ["zz"], )" + ok + "}]")},
           {"two steps of one name", 422, "/steps/1/name", kCreate,
            steps(R"([{"name": "a", )" + ok + R"(}, {"name": "a", )" + ok + "}]")},
           {"unknown type", 422, "/steps/0/type", kCreate,
            steps(R"([{"name": "a", "type": "magic", "config": {}}])")},
           {"items of a wait", 422, "/steps/0/for_each", kCreate,
            steps(
                R"([{"name": "a", "for_each": "[1]", "type": "wait", "config": {"seconds": 1}}])")},
           {"bad expression", 422, "/steps/0/config/output", kCreate,
            steps(R"([{"name": "a", "type": "transform", "config": {"output": "${{ 1 + }}"}}])")},
           {"a step that is not before", 422, "/steps/0/config/output", kCreate,
            steps(R"([{"name": "a", "type": "transform",
                       "config": {"output": "${{ steps.b.result }}"}}, {"name": "b", )" +
                  ok + "}]")},
           {"bad cron", 422, "/triggers/cron", kCreate,
            R"({"name": "x", "triggers": {"cron": "61 * * * *"}, "steps": [{"name": "a", )" + ok +
                "}]}"},
           {"a parameter named like a step", 422, "/parameters/a", kCreate,
            R"({"name": "x", "parameters": {"a": 1}, "steps": [{"name": "a", )" + ok + "}]}"},
           {"no steps", 422, "/steps", kCreate, steps("[]")},
           {"inline steps that cannot work", 422, "/steps/0/type", kOrchestrate,
            R"({"agent_id": "{agent}", "steps": [{"name": "a", "type": "magic", "config": {}}]})"},
       }) {
    expect_refused(bad);
  }
  const auto all = all_.send_json("POST", kCreate, R"({"name": "x", "steps": [
      {"name": "a", "type": "magic", "config": {}},
      {"name": "b", "type": "transform", "config": {"output": "${{ 1 + }}"}, "depends_on": ["c"]}]})"_json);
  expect_refused("every fault at once", all, 422, nullptr);
  EXPECT_EQ(value_at(all.json(), "/details/errors").as_array().size(), 3U) << all.body;
  EXPECT_EQ(value_at(all_.expect(200, all_.post("/v1/workflows/validate",
                                                R"({"name": "x", "steps": [{"name": "a",
      "type": "magic", "config": {}}]})"_json)),
                     "/valid"),
            json::Value(false));
}

TEST_F(Refusals, OfExecutionsThatMayNotStart) {
  for (
      const Bad& bad : std::vector<Bad>{
          {"draft", 409, nullptr, "/v1/workflows/{draft}/execute", "{}"},
          {"archived", 409, nullptr, "/v1/workflows/{archived}/execute", "{}"},
          {"draft, by the other endpoint", 409, nullptr, kOrchestrate,
           R"({"workflow_id": "{draft}", "agents": ["{agent}"]})"},
          {"dry run of a draft", 409, nullptr, "/v1/workflows/{draft}/execute",
           R"({"dry_run": true})"},
          {"unknown workflow", 404, nullptr, "/v1/workflows/{nobody}/execute", "{}"},
          {"unknown workflow in the body", 404, "/workflow_id", kOrchestrate,
           R"({"workflow_id": "{nobody}", "agents": ["{agent}"]})"},
          {"unknown agent", 404, "/agent_id", kExecute, R"({"agent_id": "{nobody}"})"},
          {"unknown agent in agents", 404, "/agents/1", kOrchestrate,
           R"({"workflow_id": "{published}", "agents": ["{agent}", "{nobody}"]})"},
          {"no agent for a step", 422, "/steps/0/agent_id", "/v1/workflows/{agentless}/execute",
           "{}"},
          {"input that does not fit", 422, "/input/n", "/v1/workflows/{strict}/execute",
           R"({"input": {"n": "one"}})"},
          {"input that is missing", 422, "/input", "/v1/workflows/{strict}/execute", "{}"},
          {"undeclared parameter", 422, "/parameters/lim", "/v1/workflows/{strict}/execute",
           R"({"input": {"n": 1}, "parameters": {"lim": 2}})"},
          {"override of what is not overridable", 403, "/parameters/tell/url", kExecute,
           R"({"parameters": {"tell": {"url": "https://evil.example/"}}})"},
          {"neither dialect", 400, nullptr, kOrchestrate, R"({"input": {}})"},
          {"agents without a workflow or input", 400, nullptr, kOrchestrate,
           R"({"agents": ["{agent}"]})"},
          {"workflow and steps", 400, "/steps", kOrchestrate,
           R"({"workflow_id": "{published}", "agents": ["{agent}"], "steps": [{"action": "x"}]})"},
          {"an agent that is not of the agents", 422, "/agent_id", kOrchestrate,
           R"({"workflow_id": "{published}", "agents": ["{other_agent}"], "agent_id": "{agent}"})"},
          {"a model that is not configured", 422, "/model", kOrchestrate,
           R"({"workflow_id": "{published}", "agents": ["{agent}"], "model": "gpt-99"})"},
          {"a model for inline steps that is not configured", 422, "/model", kOrchestrate,
           R"({"agent_id": "{agent}", "steps": [{"action": "x"}], "model": "gpt-99"})"},
          {"published twice", 409, nullptr, "/v1/workflows/{published}/publish", "{}"},
          {"archived twice", 409, nullptr, "/v1/workflows/{archived}/archive", "{}"},
          {"a version that is not higher", 422, "/version", "/v1/workflows/{strict}/versions",
           R"({"version": "0.9.0"})"},
      }) {
    expect_refused(bad);
  }
  const json::Value definition =
      R"({"name": "new", "steps": [{"name": "a", "type": "transform", "config": {"output": 1}}]})"_json;
  const auto put = all_.send_json("PUT", filled("/v1/workflows/{published}"), definition);
  expect_refused("a published workflow replaced", put, 409, nullptr);
  const auto stale = all_.send_json("PUT", filled("/v1/workflows/{draft}"), definition,
                                    {{"If-Match", "\"0000\""}});
  expect_refused("a draft replaced that has changed", stale, 409, nullptr);
}

TEST_F(Refusals, OfQueriesAndHeaders) {
  for (const char* const target :
       {"/v1/orchestrations?limit=0", "/v1/orchestrations?limit=201",
        "/v1/orchestrations?limit=many", "/v1/orchestrations?cursor=%21%21",
        "/v1/orchestrations?status=asleep", "/v1/orchestrations?colour=red",
        "/v1/orchestrations?workflow_id=7", "/v1/orchestrations?created_after=yesterday",
        "/v1/workflows?status=lost", "/v1/agents?limit=-1", "/v1/orchestrations/seven",
        "/v1/orchestrations?api_key=secret", "/v1/orchestrations?access_token=secret"}) {
    expect_refused(target, all_.get(target), 400, nullptr);
  }
  const auto headers = [&](net::Headers fields) {
    return all_.send_json("POST", filled(kExecute), R"({"dry_run": true})"_json, std::move(fields));
  };
  expect_refused("a wait too long", headers({{"Prefer", "wait=61"}}), 400, nullptr);
  expect_refused("a wait that is no number", headers({{"Prefer", "wait=soon"}}), 400, nullptr);
  expect_refused("an idempotency key too long",
                 headers({{"Idempotency-Key", std::string(256, 'k')}}), 400, nullptr);
  expect_refused("an idempotency key with a space", headers({{"Idempotency-Key", "a b"}}), 400,
                 nullptr);
  expect_refused("two idempotency keys",
                 headers({{"Idempotency-Key", "a"}, {"Idempotency-Key", "b"}}), 400, nullptr);
}

TEST_F(Refusals, OfMediaTypesThatAreNoJson) {
  const auto with_type = [&](const net::Headers& fields) {
    return all_.send({"POST", filled(kExecute), fields, R"({"dry_run": true})"});
  };
  expect_refused("no type", with_type({}), 415, nullptr);
  expect_refused("text", with_type({{"Content-Type", "text/plain"}}), 415, nullptr);
  expect_refused("a form", with_type({{"Content-Type", "application/x-www-form-urlencoded"}}), 415,
                 nullptr);
  expect_refused("another charset",
                 with_type({{"Content-Type", "application/json; charset=utf-16"}}), 415, nullptr);
  expect_refused("encoded",
                 with_type({{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}}),
                 415, nullptr);
  all_.expect(200, with_type({{"Content-Type", "Application/JSON; Charset=\"UTF-8\""}}));
}

TEST_F(Refusals, OfRoutesAndMethodsThatAreNotThere) {
  for (const char* const target : {"/v1/nothing", "/v2/workflows", "/v1/workflows/a/b/c",
                                   "/v1/orchestrations/", "//", "/v1/workflows/x/execute/"}) {
    expect_refused(target, all_.get(target), 404, nullptr);
  }
  const auto reply = all_.send({"DELETE", "/v1/workflows", {}, {}});
  expect_refused("wrong method", reply, 405, nullptr);
  ASSERT_NE(reply.headers.find("Allow"), nullptr);
  EXPECT_EQ(*reply.headers.find("Allow"), "POST, GET, HEAD");
  expect_refused("an unknown method", all_.send({"BREW", "/health/live", {}, {}}), 405, nullptr);
}

TEST_F(Refusals, OfABodyAboveTheLimitBeforeAndAfterItIsRead) {
  const std::string big = R"({"input": {"a": ")" + std::string(std::size_t{5} << 20, 'x') + "\"}}";
  const auto reply =
      all_.send({"POST", filled(kExecute), {{"Content-Type", "application/json"}}, big});
  expect_refused("5 MiB", reply, 413, nullptr);
  std::string chunked = fmt::format(
      "POST {} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n"
      "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
      filled(kExecute), all_.key(), big.size());
  chunked += big + "\r\n0\r\n\r\n";
  expect_refused("5 MiB in chunks", all_.send_bytes(chunked), 413, nullptr);
}

TEST_F(Refusals, OfRequestsThatAreNoHttp) {
  const std::string line = "POST " + filled(kExecute) + " HTTP/1.1\r\n";
  const std::string key = "X-API-Key: " + all_.key() + "\r\n";
  const struct {
    const char* what;
    int status;
    std::string bytes;
  } cases[] = {
      {"Content-Length with Transfer-Encoding", 400,
       line + "Host: x\r\n" + key +
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"two Content-Length", 400,
       line + "Host: x\r\n" + key + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
      {"two Host", 400, line + "Host: x\r\nHost: y\r\n" + key + "Content-Length: 0\r\n\r\n"},
      {"no Host", 400, line + key + "Content-Length: 0\r\n\r\n"},
      {"a folded line", 400, line + "Host: x\r\nX-A: 1\r\n 2\r\nContent-Length: 0\r\n\r\n"},
      {"no request line", 400, "hello\r\n\r\n"},
      {"a control character", 400, "GET /v1/\x01 HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"bad percent-encoding", 400, "GET /v1/%zz HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"percent-encoded bytes that are no UTF-8", 400, "GET /v1/%ff HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a negative length", 400, line + "Host: x\r\nContent-Length: -1\r\n\r\n"},
      {"a header of 20 KB", 431,
       line + "Host: x\r\nX-Big: " + std::string(20'000, 'x') + "\r\n\r\n"},
      {"a target of 20 KB", 431,
       "GET /v1/" + std::string(20'000, 'x') + " HTTP/1.1\r\nHost: x\r\n\r\n"},
      {"a header that does not end", 408, line + "Host: x\r\nX-Slow: "},
  };
  for (const auto& one : cases) {
    expect_refused(one.what, all_.send_bytes(one.bytes), one.status, nullptr);
  }
}

}  // namespace
}  // namespace avow
