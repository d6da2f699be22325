// SPDX-License-Identifier: Apache-2.0
// Runs that come of runs, over HTTP: children of orchestration steps, reruns, and erasures that
// follow both.
#include <gtest/gtest.h>

#include "provenance/verify.h"
#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

class RelatedRuns : public ::testing::Test {
 protected:
  json::Value answered(int status, const std::string& method, const std::string& target,
                       const std::string& body = "") {
    auto request = world_.request(method, target, body);
    if (method == "POST") request.headers.set("Prefer", "wait=30");
    const auto response = world_.send(request);
    EXPECT_EQ(response.status, status) << target << "\n" << response.body;
    return ApiWorld::body(response);
  }
  json::Value post(const std::string& target, const std::string& body) {
    return answered(200, "POST", target, body);
  }
  json::Value refused(int status, const std::string& target, const std::string& body) {
    return answered(status, "POST", target, body);
  }
  json::Value get(const json::Value& run) {
    return answered(200, "GET", "/v1/orchestrations/" + run.string_or("orchestration_id"));
  }
  json::Value get(const std::string& run) {
    return answered(200, "GET", "/v1/orchestrations/" + run);
  }
  std::string path(const json::Value& run, const std::string& verb) {
    return "/v1/orchestrations/" + run.string_or("orchestration_id") + "/" + verb;
  }

  /// The id of a workflow, published unless `is_draft`.
  std::string workflow(const std::string& name, const std::string& steps,
                       const std::string& rest = "", bool is_draft = false) {
    const auto made = world_.send("POST", "/v1/workflows",
                                  R"({"name":")" + name + R"(","steps":)" + steps + rest + "}");
    EXPECT_EQ(made.status, 201) << made.body;
    const std::string id = ApiWorld::body(made).string_or("id");
    if (!is_draft) {
      EXPECT_EQ(world_.send("POST", "/v1/workflows/" + id + "/publish").status, 200);
    }
    return id;
  }
  json::Value run(const std::string& workflow, const std::string& body = "{}") {
    return post("/v1/workflows/" + workflow + "/execute", body);
  }
  static const json::Value& step(const json::Value& run, std::string_view name) {
    for (const json::Value& one : run.find("steps")->as_array()) {
      if (one.string_or("name") == name) return one;
    }
    ADD_FAILURE() << "no step " << name;
    return run;
  }
  static std::string code(const json::Value& run) { return run.find("error")->string_or("code"); }

  /// Everything that the store still has of a run, as text.
  std::string stored(const std::string& run) {
    const auto record = world_.store.read_run(RunId{*parse_id(run)});
    std::string out = record->row.summary + record->plan.value_or("");
    for (const store::Segment& segment : record->contents) {
      const auto contents = provenance::decode_contents(segment.bytes);
      for (const auto& content : *contents) out += json::write(content.value);
    }
    return out;
  }
  void expect_valid(const json::Value& run) {
    const auto file =
        world_.send("GET", "/v1/receipts/" + run.string_or("receipt_id") + "/bundle").body;
    const auto out =
        provenance::verify(file, {.log_keys = world_.services.log.keys().log_keys(), .policy = {}},
                           std::size_t{64} << 20);
    EXPECT_EQ(out.verdict, provenance::Verdict::kValid);
    for (const auto& check : out.checks) EXPECT_EQ(check.detail, "");
  }

  /// A workflow that asks another, and the two of them run once.
  json::Value asked(const std::string& input = R"({"text":"XyzzySecret"})") {
    workflow("shout", R"([{"name":"s","type":"transform",
        "config":{"output":{"said":"${{ input.text + '!' }}"}}}])");
    parent_ = workflow("ask", R"([
        {"name":"before","type":"transform","config":{"output":"plain"}},
        {"name":"ask","type":"orchestration","depends_on":["before"],
         "config":{"workflow":"shout","input":{"text":"${{ input.text }}"}}},
        {"name":"after","type":"transform","depends_on":["ask"],
         "config":{"output":"${{ steps.ask.result.said }}"}}])");
    return run(parent_, R"({"input":)" + input + "}");
  }

  ApiWorld world_;
  std::string parent_;
};

// ------------------------------------------------------------------------------------- children

TEST_F(RelatedRuns, AChildIsShownWithItsParentAndItsParentWithIt) {
  const json::Value ended = asked();
  EXPECT_EQ(ended.string_or("status"), "completed") << json::write(ended);
  EXPECT_EQ(json::write(*ended.find("output")), R"({"value":"XyzzySecret!"})");
  const json::Value& ask = step(ended, "ask");
  EXPECT_EQ(json::write(*ask.find("input")), R"({"text":"XyzzySecret"})");
  EXPECT_EQ(json::write(*ask.find("result")), R"({"said":"XyzzySecret!"})");
  const json::Value child = get(ask.string_or("child_orchestration_id"));
  EXPECT_EQ(child.string_or("status"), "completed");
  EXPECT_EQ(child.find("parent")->string_or("orchestration_id"),
            ended.string_or("orchestration_id"));
  EXPECT_EQ(child.find("parent")->string_or("step"), "ask");
  expect_valid(ended);
  expect_valid(child);
}

TEST_F(RelatedRuns, AChildIsOfTheHighestPublishedVersionOrTheOneThatIsNamed) {
  const std::string first = workflow(
      "w", R"([{"name":"a","type":"transform","config":{"output":1}}])", R"(,"version":"9.0.0")");
  workflow("w", R"([{"name":"a","type":"transform","config":{"output":10}}])",
           R"(,"version":"10.0.0")");
  workflow("w", R"([{"name":"a","type":"transform","config":{"output":11}}])",
           R"(,"version":"11.0.0")", true);
  const std::string by_name =
      workflow("n", R"([{"name":"a","type":"orchestration","config":{"workflow":"w"}}])");
  EXPECT_EQ(run(by_name).find("results")->int_or("a", 0), 10);
  const std::string by_version = workflow(
      "v", R"([{"name":"a","type":"orchestration","config":{"workflow":"w","version":"9.0.0"}}])");
  EXPECT_EQ(run(by_version).find("results")->int_or("a", 0), 1);
  const std::string by_id =
      workflow("i", R"([{"name":"a","type":"orchestration","config":{"workflow":"maip-wf:)" +
                        parse_id(first)->ulid() + R"("}}])");
  EXPECT_EQ(run(by_id).find("results")->int_or("a", 0), 1);
  // A version that is published later counts from then on; an archived one no more.
  const std::string newest = workflow(
      "w", R"([{"name":"a","type":"transform","config":{"output":12}}])", R"(,"version":"12.0.0")");
  EXPECT_EQ(run(by_name).find("results")->int_or("a", 0), 12);
  EXPECT_EQ(world_.send("POST", "/v1/workflows/" + newest + "/archive").status, 200);
  EXPECT_EQ(run(by_name).find("results")->int_or("a", 0), 10);
}

TEST_F(RelatedRuns, AChildThatCannotBeStartedFailsItsStep) {
  workflow("draft", R"([{"name":"a","type":"transform","config":{"output":1}}])", "", true);
  workflow("strict", R"([{"name":"a","type":"transform","config":{"output":1}}])",
           R"(,"input_schema":{"type":"object","required":["n"]})");
  const auto code_of = [this](const std::string& name, const std::string& config) {
    const json::Value ended =
        run(workflow(name, R"([{"name":"a","type":"orchestration","config":)" + config + "}]"));
    EXPECT_EQ(ended.string_or("status"), "failed");
    return code(ended);
  };
  EXPECT_EQ(code_of("p1", R"({"workflow":"nobody"})"), "WORKFLOW_UNKNOWN");
  EXPECT_EQ(code_of("p2", R"({"workflow":"draft"})"), "WORKFLOW_UNKNOWN");
  EXPECT_EQ(code_of("p3", R"({"workflow":"draft","version":"1.0.0"})"), "WORKFLOW_NOT_PUBLISHED");
  EXPECT_EQ(code_of("p4", R"({"workflow":"strict","input":{"m":1}})"), "CHILD_REFUSED");
}

TEST_F(RelatedRuns, AChildRunsAsItsStepsAgentElseItsWorkflowsElseItsParents) {
  const auto agent = [this] {
    return ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
  };
  const std::string of_step = agent();
  const std::string of_workflow = agent();
  const std::string of_run = agent();
  const char* kSteps = R"([{"name":"a","type":"transform","config":{"output":1}}])";
  workflow("own", kSteps, R"(,"agent_id":")" + of_workflow + "\"");
  workflow("none", kSteps);
  const std::string all = workflow("all", R"([
      {"name":"a","type":"orchestration","agent_id":")" +
                                              of_step + R"(","config":{"workflow":"own"}},
      {"name":"b","type":"orchestration","config":{"workflow":"own"}},
      {"name":"c","type":"orchestration","config":{"workflow":"none"}}])");
  const json::Value ended = run(all, R"({"agent_id":")" + of_run + "\"}");
  const auto agent_of = [&](std::string_view name) {
    const json::Value child = get(step(ended, name).string_or("child_orchestration_id"));
    return parse_id(child.string_or("agent_id"))->uuid();
  };
  EXPECT_EQ(agent_of("a"), of_step);
  EXPECT_EQ(agent_of("b"), of_workflow);
  EXPECT_EQ(agent_of("c"), of_run);
}

TEST_F(RelatedRuns, AKeyForSomeAgentsLetsNoWorkflowChooseAnother) {
  const std::string mine = ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
  workflow("w", R"([{"name":"a","type":"transform","config":{"output":1}}])");
  world_.key = world_.make_key(world_.tenant, {"*:*"}, std::vector{AgentId{*parse_id(mine)}});
  const std::string open = R"([{"name":"a","type":"orchestration","config":{"workflow":"w"}}])";
  const std::string named = R"([{"name":"a","type":"orchestration","agent_id":")" + mine +
                            R"(","config":{"workflow":"w"}}])";
  const std::string start = R"({"agent_id":")" + mine + R"(","steps":)";
  refused(403, "/v1/orchestrations/execute", start + open + "}");
  EXPECT_EQ(post("/v1/orchestrations/execute", start + named + "}").string_or("status"),
            "completed");
  refused(403, "/v1/workflows", R"({"name":"x","steps":)" + open + "}");
}

// --------------------------------------------------------------------------------------- reruns

TEST_F(RelatedRuns, ARerunTakesOverWhatDoesNotDependOnItsFirstStep) {
  const std::string w = workflow("w", R"([
      {"name":"a","type":"transform","config":{"output":"${{ input.n }}"}},
      {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"${{ run.id }}"}},
      {"name":"c","type":"transform","depends_on":["b"],"config":{"output":"${{ run.id }}"}},
      {"name":"d","type":"transform","depends_on":["a"],"condition":"false","config":{"output":1}},
      {"name":"e","type":"transform","depends_on":["a"],"config":{"output":"${{ run.id }}"}}])");
  const json::Value first = run(w, R"({"input":{"n":7}})");
  const json::Value again = post(path(first, "rerun"), R"({"from_step":"b"})");
  EXPECT_EQ(again.string_or("status"), "completed") << json::write(again);
  EXPECT_NE(again.string_or("id"), first.string_or("id"));
  EXPECT_EQ(again.string_or("rerun_of"), first.string_or("orchestration_id"));
  EXPECT_EQ(*again.find("input"), *first.find("input"));
  const json::Value& results = *again.find("results");
  EXPECT_EQ(*results.find("a"), json::Value(7));
  EXPECT_EQ(results.string_or("b"), again.string_or("id"));
  EXPECT_EQ(results.string_or("c"), again.string_or("id"));
  EXPECT_EQ(results.string_or("e"), first.string_or("id")) << "it does not depend on b";
  EXPECT_EQ(step(again, "d").string_or("status"), "skipped");
  for (const std::string_view name : {"a", "d", "e"}) {
    EXPECT_EQ(step(again, name).string_or("reused_from"), first.string_or("orchestration_id"));
    EXPECT_EQ(step(again, name).int_or("attempts", -1), 0);
  }
  EXPECT_EQ(step(again, "b").find("reused_from"), nullptr);
  expect_valid(again);
  // Its journal says where each value came from.
  const json::Value events = answered(200, "GET", path(again, "events"));
  const json::Value theirs = answered(200, "GET", path(first, "events"));
  const auto find = [](const json::Value& list, std::string_view type, std::string_view name) {
    for (const json::Value& event : list.find("items")->as_array()) {
      if (event.string_or("type") == type && event.string_or("step") == name) return event;
    }
    return json::Value();
  };
  const json::Value reused = find(events, "step.completed", "e");
  const json::Value& from = reused.find("data")->find("from")->as_array().front();
  EXPECT_EQ(from.string_or("run"), first.string_or("orchestration_id"));
  EXPECT_EQ(from.string_or("commitment"),
            find(theirs, "step.completed", "e").find("data")->string_or("output"));
}

TEST_F(RelatedRuns, ARerunWithoutAStepDoesEverythingAgain) {
  const json::Value first = asked();
  const json::Value again = post(path(first, "rerun"), "{}");
  EXPECT_EQ(*again.find("output"), *first.find("output"));
  EXPECT_NE(step(again, "ask").string_or("child_orchestration_id"),
            step(first, "ask").string_or("child_orchestration_id"));
  const json::Value third = post(path(again, "rerun"), R"({"from_step":"after"})");
  EXPECT_EQ(third.string_or("status"), "completed");
  EXPECT_EQ(step(third, "ask").string_or("reused_from"), again.string_or("orchestration_id"));
}

TEST_F(RelatedRuns, ARerunGoesOnAfterAFailure) {
  const std::string agent = ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
  const json::Value first = post("/v1/orchestrations/execute", R"({"agent_id":")" + agent +
                                                                   R"(","input":{},"steps":[
        {"name":"bad","type":"transform","config":{"output":"${{ input.x }}"},"on_failure":"continue"},
        {"name":"choice","type":"decision","depends_on":["bad"],"config":{"cases":[
          {"when":"steps.bad.error.code == 'EXPRESSION_ERROR'","then":"no"}],"default":"yes",
          "branches":{"no":["end"]}}},
        {"name":"end","type":"transform","depends_on":["choice"],"config":{"output":"${{ input.y }}"}}]})");
  EXPECT_EQ(first.string_or("status"), "failed");
  const json::Value again = post(path(first, "rerun"), R"({"from_step":"end"})");
  EXPECT_EQ(again.string_or("status"), "failed");
  EXPECT_EQ(step(again, "bad").find("error")->string_or("code"), "EXPRESSION_ERROR");
  EXPECT_EQ(*step(again, "bad").find("error"), *step(first, "bad").find("error"));
  EXPECT_EQ(step(again, "choice").find("result")->string_or("decision"), "no");
  EXPECT_EQ(step(again, "end").string_or("status"), "failed") << "its branch was taken";
  EXPECT_EQ(step(again, "end").find("reused_from"), nullptr);
}

TEST_F(RelatedRuns, ARerunAnswersAtOnceWithWhatItTookOver) {
  const json::Value first = asked();
  auto request = world_.request("POST", path(first, "rerun"), R"({"from_step":"after"})");
  request.headers.set("Idempotency-Key", "again");
  const auto created = world_.send(request);
  EXPECT_EQ(created.status, 202) << created.body;
  const json::Value shown = ApiWorld::body(created);
  EXPECT_EQ(shown.string_or("status"), "running");
  EXPECT_EQ(step(shown, "ask").string_or("status"), "completed");
  EXPECT_EQ(*step(shown, "ask").find("result"), *step(first, "ask").find("result"));
  EXPECT_EQ(step(shown, "after").string_or("status"), "pending");
  EXPECT_EQ(world_.send(request).body, created.body) << "one key, one run";
}

TEST_F(RelatedRuns, ARerunIsRefusedWhereItCannotBe) {
  const std::string w = workflow("w", R"([{"name":"a","type":"transform","config":{"output":1}},
               {"name":"b","type":"transform","depends_on":["a"],"config":{"output":2}}])");
  const json::Value ended = run(w);
  EXPECT_NE(refused(422, path(ended, "rerun"), R"({"from_step":"c"})")
                .string_or("message")
                .find("allowed: a, b"),
            std::string::npos);
  refused(400, path(ended, "rerun"), R"({"from":"a"})");
  refused(400, path(ended, "rerun"), R"({"from_step":5})");
  refused(404, "/v1/orchestrations/0192f0c1-7a3b-7c4d-8e5f-607182900000/rerun", "{}");
  const std::string mine = world_.key;
  world_.key = world_.make_key(world_.make_tenant("other"), {"*:*"});
  refused(404, path(ended, "rerun"), "{}");
  world_.key = world_.make_key(world_.tenant, {"orchestrations:read"});
  refused(403, path(ended, "rerun"), "{}");
  world_.key = mine;

  const std::string echo =
      ApiWorld::body(world_.send("POST", "/v1/agents", R"({"model":"avow/echo"})")).string_or("id");
  const json::Value by_itself = post("/v1/orchestrations/execute",
                                     R"({"agent_id":")" + echo + R"(","input":{"prompt":"hi"}})");
  refused(422, path(by_itself, "rerun"), R"({"from_step":"llm_1"})");
  EXPECT_EQ(post(path(by_itself, "rerun"), "{}").string_or("status"), "completed");
  EXPECT_EQ(world_.send("POST", "/v1/agents/" + echo + "/suspend").status, 200);
  refused(403, path(by_itself, "rerun"), "{}");

  EXPECT_EQ(world_.send("POST", "/v1/workflows/" + w + "/archive").status, 200);
  refused(409, path(ended, "rerun"), "{}");
  const auto waiting = world_.send(
      "POST", "/v1/orchestrations/execute",
      R"({"agent_id":")" + ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id") +
          R"(","input":{}})");
  EXPECT_EQ(waiting.status, 202);
  refused(409, path(ApiWorld::body(waiting), "rerun"), "{}");
}

TEST_F(RelatedRuns, ARerunUsesNothingThatWasErased) {
  const std::string w = workflow("w", R"([
      {"name":"a","type":"transform","config":{"output":"one"}},
      {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"two"}}])");
  const json::Value ended = run(w);
  post(path(ended, "erase"), R"({"reason":"why","scope":[{"step":"a","member":"output"}]})");
  EXPECT_NE(
      refused(409, path(ended, "rerun"), R"({"from_step":"b"})").string_or("message").find("\"a\""),
      std::string::npos);
  EXPECT_EQ(post(path(ended, "rerun"), "{}").string_or("status"), "completed");
  post(path(ended, "erase"), R"({"reason":"why"})");
  refused(409, path(ended, "rerun"), "{}");
}

// ------------------------------------------------------------------------------------- erasures

TEST_F(RelatedRuns, AnErasureFollowsWhatAChildWasAsked) {
  const json::Value ended = asked();
  const std::string child = step(ended, "ask").string_or("child_orchestration_id");
  const json::Value answer =
      post(path(ended, "erase"), R"({"reason":"why","scope":[{"member":"input"}]})");
  EXPECT_EQ(stored(ended.string_or("id")).find("Xyzzy"), std::string::npos);
  EXPECT_EQ(stored(child).find("Xyzzy"), std::string::npos);
  const json::Array& copies = answer.find("copies")->as_array();
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].string_or("orchestration_id"), child);
  EXPECT_EQ(get(ended).find("results")->string_or("before"), "plain") << "it was not made of it";
  EXPECT_EQ(get(child).find("output")->string_or("$erased"), copies[0].string_or("receipt_id"));
  expect_valid(get(ended));
  expect_valid(get(child));
}

TEST_F(RelatedRuns, AnErasureFollowsWhatAChildSaid) {
  const json::Value ended = asked();
  const std::string child = step(ended, "ask").string_or("child_orchestration_id");
  post("/v1/orchestrations/" + child + "/erase",
       R"({"reason":"why","scope":[{"step":"s","member":"output"}]})");
  const json::Value parent = get(ended);
  EXPECT_NE(parent.find("results")->find("ask")->find("$erased"), nullptr);
  EXPECT_NE(parent.find("results")->find("after")->find("$erased"), nullptr);
  EXPECT_EQ(parent.find("input")->string_or("text"), "XyzzySecret");
  EXPECT_EQ(get(child).find("input")->string_or("text"), "XyzzySecret")
      << "what it was asked was not made of what it said";
}

TEST_F(RelatedRuns, AnErasureFollowsReruns) {
  const json::Value first = asked();
  const json::Value second = post(path(first, "rerun"), R"({"from_step":"after"})");
  const json::Value third = post(path(second, "rerun"), R"({"from_step":"after"})");
  const json::Value answer = post(path(first, "erase"), R"({"reason":"why"})");
  EXPECT_EQ(answer.find("copies")->as_array().size(), 3U) << "a child and two reruns";
  for (const json::Value* run : {&first, &second, &third}) {
    EXPECT_EQ(stored(run->string_or("id")).find("Xyzzy"), std::string::npos);
    expect_valid(get(*run));
  }
}

TEST_F(RelatedRuns, AnErasureOfOneResultTakesItWhereItWasUsedAgain) {
  const std::string w = workflow("w", R"([
      {"name":"a","type":"transform","config":{"output":"XyzzySecret"}},
      {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"${{ steps.a.result }}"}},
      {"name":"c","type":"transform","config":{"output":"plain"}}])");
  const json::Value first = run(w);
  const json::Value second = post(path(first, "rerun"), R"({"from_step":"b"})");
  post(path(first, "erase"), R"({"reason":"why","scope":[{"step":"a","member":"output"}]})");
  const json::Value shown = get(second);
  for (const std::string_view name : {"a", "b"}) {
    EXPECT_NE(shown.find("results")->find(name)->find("$erased"), nullptr) << name;
  }
  EXPECT_EQ(shown.find("results")->string_or("c"), "plain");
}

TEST_F(RelatedRuns, AnErasureTakesTheCopiesOfARunsOwnPlan) {
  const std::string agent = ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
  const json::Value first = post("/v1/orchestrations/execute", R"({"agent_id":")" + agent +
                                                                   R"(","input":{},"steps":[
        {"name":"a","type":"transform","depends_on":[],"config":{"output":"XyzzySecret"}},
        {"name":"b","type":"transform","depends_on":[],"config":{"output":"plain"}}]})");
  const json::Value second = post(path(first, "rerun"), R"({"from_step":"a"})");
  post(path(first, "erase"), R"({"reason":"why","scope":[{"step":"b","member":"output"}]})");
  const auto record = world_.store.read_run(RunId{*parse_id(second.string_or("id"))});
  EXPECT_EQ(record->plan->find("Xyzzy"), std::string::npos);
  EXPECT_EQ(get(second).find("results")->string_or("a"), "XyzzySecret") << "its own work";
  expect_valid(get(second));
}

TEST_F(RelatedRuns, AnErasureWaitsForWhoeverStillUsesTheContents) {
  workflow("quick", R"([{"name":"q","type":"transform","config":{"output":"${{ input }}"}}])");
  const std::string parent = workflow("slow", R"([
      {"name":"a","type":"orchestration","config":{"workflow":"quick","input":{"t":1}}},
      {"name":"w","type":"wait","depends_on":["a"],"config":{"seconds":200}}])");
  const auto started = world_.send("POST", "/v1/workflows/" + parent + "/execute", "{}");
  const json::Value running = ApiWorld::body(started);
  std::string child;
  for (std::string status; status != "completed";) {
    child = step(get(running), "a").string_or("child_orchestration_id");
    if (child.empty()) continue;
    // It is named before it is there.
    status = ApiWorld::body(world_.send("GET", "/v1/orchestrations/" + child)).string_or("status");
  }
  EXPECT_NE(refused(409, "/v1/orchestrations/" + child + "/erase", R"({"reason":"why"})")
                .string_or("message")
                .find(running.string_or("orchestration_id")),
            std::string::npos);
  EXPECT_EQ(world_.send("POST", path(running, "cancel")).status, 200);
  post("/v1/orchestrations/" + child + "/erase", R"({"reason":"why"})");
}

}  // namespace
}  // namespace avow::api
