// SPDX-License-Identifier: Apache-2.0
// Runs from start to end over HTTP: waiting, lists, cancelling, journals, contents, agents' own
// runs, idempotency.
#include <algorithm>
#include <functional>

#include "server_fixture.h"

namespace avow {
namespace {

const json::Value kAnswer =
    R"([{"name": "answer", "type": "transform", "config": {"output": {"n": "${{ input.n }}"}}}])"_json;
const json::Value kLongWait =
    R"([{"name": "rest", "type": "wait", "config": {"seconds": 200}}])"_json;

json::Value with_input(std::int64_t n) { return json::Object{{"input", json::Object{{"n", n}}}}; }

class Orchestrations : public ServerTest {
 protected:
  /// Starts a run and waits for its end.
  json::Value run_to_end(const std::string& workflow, const json::Value& body) {
    return all_.expect(200, all_.send_json("POST", "/v1/workflows/" + workflow + "/execute", body,
                                           {{"Prefer", "wait=60"}}));
  }

  std::vector<std::string> types_of(const json::Value& events) {
    std::vector<std::string> out;
    for (const json::Value& event : value_at(events, "/items").as_array()) {
      out.push_back(event.string_or("type"));
    }
    return out;
  }

  Client all_ = owner();
};

TEST_F(Orchestrations, PreferWaitAnswersTheRunAsItEnded) {
  const json::Value run = run_to_end(make_published(all_, kAnswer), with_input(42));
  EXPECT_EQ(run.string_or("status"), "completed");
  EXPECT_EQ(value_at(run, "/output"), R"({"n": 42})"_json);
  EXPECT_EQ(value_at(run, "/steps/0/attempts"), json::Value(1));
  EXPECT_TRUE(value_at(run, "/waiting_for").is_null());
}

TEST_F(Orchestrations, PreferWaitAnswersTheRunAsItIsWhenTheTimeIsOver) {
  const std::string workflow = make_published(all_, kLongWait);
  const json::Value run =
      all_.expect(202, all_.send_json("POST", "/v1/workflows/" + workflow + "/execute",
                                      json::Object(), {{"Prefer", "wait=1"}}));
  EXPECT_EQ(run.string_or("status"), "running");
  EXPECT_EQ(run.string_or("waiting_for"), "timer");
  EXPECT_EQ(value_at(run, "/steps/0/status"), json::Value("waiting"));
  all_.expect(200, all_.post("/v1/orchestrations/" + run.string_or("id") + "/cancel"));
}

TEST_F(Orchestrations, AListIsNewestFirstInPagesAndKeepsToItsFilters) {
  const std::string workflow = make_published(all_, kAnswer);
  std::vector<std::string> made;
  for (int n = 0; n < 5; ++n) {
    json::Value body = with_input(n);
    body.set("labels", json::Object{{"parity", n % 2 == 0 ? "even" : "odd"}});
    made.push_back(run_to_end(workflow, body).string_or("id"));
  }
  // By id, which begins with the millisecond: runs of the same one have no other order.
  std::sort(made.begin(), made.end(), std::greater<>());

  std::vector<std::string> seen;
  std::string target = "/v1/orchestrations?limit=2&workflow_id=" + workflow;
  for (int page = 0; page < 3; ++page) {
    const json::Value list = all_.expect(200, all_.get(target));
    for (const json::Value& item : value_at(list, "/items").as_array()) {
      seen.push_back(item.string_or("id"));
      for (const char* const left_out : {"steps", "results", "input", "output"}) {
        EXPECT_EQ(item.find(left_out), nullptr) << left_out;
      }
    }
    EXPECT_EQ(list.find("next_cursor")->is_null(), page == 2);
    target = fmt::format("/v1/orchestrations?limit=2&workflow_id={}&cursor={}", workflow,
                         list.string_or("next_cursor"));
  }
  EXPECT_EQ(seen, made);

  const auto count = [&](const std::string& filter) {
    const json::Value list =
        all_.expect(200, all_.get("/v1/orchestrations?workflow_id=" + workflow + "&" + filter));
    return value_at(list, "/items").as_array().size();
  };
  EXPECT_EQ(count("label.parity=even"), 3U);
  EXPECT_EQ(count("status=completed"), 5U);
  EXPECT_EQ(count("status=failed"), 0U);
  EXPECT_EQ(count("status=pending"), 0U) << "only a dry run is, and none is stored";
  EXPECT_EQ(count("created_after=2020-01-01T00:00:00Z"), 5U);
  EXPECT_EQ(count("created_before=2020-01-01T00:00:00Z"), 0U);
}

TEST_F(Orchestrations, ARunThatWasCancelledIsCancelledAgainAndOneThatEndedIsNot) {
  const std::string waiting = make_published(all_, kLongWait);
  const json::Value run = all_.expect(202, all_.post("/v1/workflows/" + waiting + "/execute"));
  const std::string target = "/v1/orchestrations/" + run.string_or("id") + "/cancel";
  const json::Value first = all_.expect(200, all_.post(target, R"({"reason": "enough"})"_json));
  EXPECT_EQ(first.string_or("status"), "cancelled");
  EXPECT_EQ(value_at(first, "/steps/0/status"), json::Value("cancelled"));
  EXPECT_EQ(all_.expect(200, all_.post(target)), first);

  const json::Value done = run_to_end(make_published(all_, kAnswer), with_input(1));
  all_.expect(409, all_.post("/v1/orchestrations/" + done.string_or("id") + "/cancel"));
}

TEST_F(Orchestrations, TheJournalTellsTheRunInOrderAndInPages) {
  const json::Value run = run_to_end(make_published(all_, kAnswer), with_input(1));
  const std::string target = "/v1/orchestrations/" + run.string_or("id") + "/events";
  const json::Value whole = all_.expect(200, all_.get(target));
  EXPECT_EQ(types_of(whole), (std::vector<std::string>{"run.started", "step.started",
                                                       "step.completed", "run.completed"}));
  std::int64_t seq = 0;
  for (const json::Value& event : value_at(whole, "/items").as_array()) {
    EXPECT_EQ(event.int_or("seq", 0), ++seq);
  }
  const json::Value first = all_.expect(200, all_.get(target + "?limit=3"));
  const json::Value rest =
      all_.expect(200, all_.get(target + "?limit=3&cursor=" + first.string_or("next_cursor")));
  EXPECT_EQ(types_of(rest), std::vector<std::string>{"run.completed"});
  EXPECT_TRUE(rest.find("next_cursor")->is_null());
}

TEST_F(Orchestrations, TheJournalHoldsNoContents) {
  const std::string word = "xyzzy-plugh-0451";
  const std::string workflow = make_published(
      all_,
      R"([{"name": "a", "type": "transform", "config": {"output": "${{ input.word }}"}}])"_json);
  const json::Value run =
      run_to_end(workflow, json::Object{{"input", json::Object{{"word", word}}},
                                        {"labels", json::Object{{"who", word}}}});
  EXPECT_EQ(value_at(run, "/results/a"), json::Value(word));
  const auto events = all_.get("/v1/orchestrations/" + run.string_or("id") + "/events");
  EXPECT_EQ(events.body.find(word), std::string::npos) << events.body;
}

TEST_F(Orchestrations, AValueAbove64KiBIsAnsweredByReferenceAndReadThere) {
  const std::string workflow = make_published(
      all_,
      R"([{"name": "a", "type": "transform", "config": {"output": {"big": "${{ input.big }}"}}}])"_json);
  const std::string big(100'000, 'x');
  const json::Value run = run_to_end(workflow, json::Object{{"input", json::Object{{"big", big}}}});
  ASSERT_EQ(run.string_or("status"), "completed");
  const json::Value shown = value_at(run, "/results/a");
  ASSERT_NE(shown.find("$content"), nullptr) << json::write(shown).substr(0, 200);
  const auto read = all_.get(shown.string_or("$content"));
  EXPECT_EQ(all_.expect(200, read), json::Value(json::Object{{"big", big}}));
  EXPECT_EQ(static_cast<std::int64_t>(read.body.size()), shown.int_or("bytes", 0));
}

TEST_F(Orchestrations, TheAnswerOfAStartHasLargeValuesByReferenceToo) {
  const std::string workflow = make_published(all_, kAnswer);
  const json::Value input = json::Object{{"n", std::string(100'000, 'x')}};
  const json::Value parameters = json::Object{
      {"answer", json::Object{{"output", json::Object{{"n", std::string(70'000, 'y')}}}}},
      {"big", std::string(80'000, 'z')}};
  const auto reply = all_.post("/v1/workflows/" + workflow + "/execute",
                               json::Object{{"input", input}, {"parameters", parameters}});
  const json::Value run = all_.expect(202, reply);
  EXPECT_LT(reply.body.size(), 4096U);
  const auto read = [&](std::string_view pointer) {
    return all_.expect(200, all_.get(value_at(run, pointer).string_or("$content")));
  };
  EXPECT_EQ(read("/input"), input);
  EXPECT_EQ(read("/parameters"), json::Value(json::Object{{"big", *parameters.find("big")}}));
  EXPECT_EQ(value_at(run, "/steps/0").find("config"), nullptr) << "it has no value yet";
}

TEST_F(Orchestrations, APlanThatIsTooLargeToShowIsRefused) {
  const std::string workflow = make_published(all_, kAnswer);
  // JSON's numbers may grow when they are written: 1e20 has 4 characters here and 21 there.
  std::string body = R"({"dry_run": true, "input": {"n": [1e20)";
  for (int n = 0; n < 500'000; ++n) body += ",1e20";
  testing::HttpCall call{"POST", "/v1/workflows/" + workflow + "/execute", {}, body + "]}}"};
  call.headers.set("Content-Type", "application/json");
  all_.expect(413, all_.send(call));
}

TEST_F(Orchestrations, TheInputOfAStepWithALargeConfigIsItsConfig) {
  const std::string workflow = make_published(
      all_,
      json::Array{json::Object{{"name", "check"},
                               {"type", "guardrail_check"},
                               {"config", R"({"content": "${{ input.n }}", "on_violation": "flag",
                               "rules": [{"id": "len", "type": "max_length", "max": 9}]})"_json}}});
  const json::Value run =
      run_to_end(workflow, json::Object{{"input", json::Object{{"n", std::string(70'000, 'x')}}}});
  const json::Value step = value_at(run, "/steps/0");
  ASSERT_NE(value_at(step, "/config").find("$content"), nullptr);
  EXPECT_EQ(value_at(step, "/input"), value_at(step, "/config"));
}

TEST_F(Orchestrations, AnAgentWithAModelCallsItsToolAndAnswersWithWhatItGave) {
  all_.expect(
      201,
      all_.post("/v1/tools",
                json::Object{
                    {"name", "find_order"},
                    {"http", json::Object{{"method", "GET"},
                                          {"url", stub().url("/orders/${{ arguments.id }}")}}}}));
  const std::string agent =
      make_agent(all_, R"({"model": "avow/echo", "tools": ["find_order"]})"_json);
  const json::Value created =
      all_.expect(202, all_.post("/v1/orchestrations/execute",
                                 json::Object{{"agent_id", agent}, {"input", R"({"call_tools":
                                 [{"name": "find_order", "arguments": {"id": 17}}]})"_json}}));
  const json::Value run = ended(all_, created.string_or("id"));
  EXPECT_EQ(run.string_or("status"), "completed") << json::write(run);
  std::vector<std::string> steps;
  for (const json::Value& step : value_at(run, "/steps").as_array()) {
    steps.push_back(step.string_or("name") + " " + step.string_or("type"));
  }
  EXPECT_EQ(steps, (std::vector<std::string>{"llm_1 llm_inference", "tool_1 tool_call",
                                             "llm_2 llm_inference"}));
  EXPECT_EQ(value_at(run, "/results/tool_1/seen"), json::Value("/orders/17"));
  EXPECT_GT(value_at(run, "/usage/input_tokens").as_int(), 0);
}

TEST_F(Orchestrations, InlineStepsRunAsTheyWereSent) {
  const std::string agent = make_agent(all_);
  const json::Value run =
      all_.expect(200, all_.send_json("POST", "/v1/orchestrations/execute",
                                      json::Object{{"agents", json::Array{agent}},
                                                   {"name", "by hand"},
                                                   {"steps", R"([{"action": "transform",
                                      "parameters": {"output": "${{ 6 * 7 }}"}}])"_json}},
                                      {{"Prefer", "wait=30"}}));
  EXPECT_EQ(value_at(run, "/results/step_1"), json::Value(42));
  EXPECT_EQ(value_at(run, "/output"), R"({"value": 42})"_json);
  EXPECT_EQ(run.string_or("name"), "by hand");
  EXPECT_EQ(run.find("workflow_id"), nullptr);
}

TEST_F(Orchestrations, AWebhookThatIsRefusedFailsTheRunWithTheStepsError) {
  // 192.0.2.0/24 is for documentation, and in no outbound.allow.
  const std::string workflow = make_published(all_, R"([{"name": "tell", "type": "webhook",
                 "config": {"url": "http://10.255.255.1/x"}}])"_json);
  const json::Value run = run_to_end(workflow, json::Object());
  EXPECT_EQ(run.string_or("status"), "failed");
  EXPECT_EQ(value_at(run, "/error/code"), json::Value("ADDRESS_REFUSED"));
  EXPECT_EQ(value_at(run, "/error/step"), json::Value("tell"));
  EXPECT_EQ(value_at(run, "/steps/0/error/code"), json::Value("ADDRESS_REFUSED"));
}

class Idempotency : public Orchestrations {
 protected:
  testing::HttpReply send(const std::string& key, const json::Value& body) {
    return all_.send_json("POST", "/v1/workflows/" + workflow_ + "/execute", body,
                          {{"Idempotency-Key", key}});
  }
  std::size_t runs() {
    const json::Value list =
        all_.expect(200, all_.get("/v1/orchestrations?workflow_id=" + workflow_));
    return value_at(list, "/items").as_array().size();
  }
  const std::string workflow_ = make_published(all_, kAnswer);
};

TEST_F(Idempotency, TheSameKeyAndBodyGiveTheFirstAnswerAgain) {
  const auto first = send("a", with_input(1));
  const auto again = send("a", with_input(1));
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(first.headers.find("Idempotent-Replayed"), nullptr);
  EXPECT_EQ(again.status, 202);
  EXPECT_EQ(again.body, first.body);
  ASSERT_NE(again.headers.find("Idempotent-Replayed"), nullptr);
  EXPECT_EQ(*again.headers.find("Idempotent-Replayed"), "true");
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Idempotency, WhoWaitedIsAnsweredWithTheEndedRunAgain) {
  const net::Headers headers = {{"Idempotency-Key", "waited"}, {"Prefer", "wait=60"}};
  const std::string target = "/v1/workflows/" + workflow_ + "/execute";
  const auto first = all_.send_json("POST", target, with_input(1), headers);
  const auto again = all_.send_json("POST", target, with_input(1), headers);
  EXPECT_EQ(all_.expect(200, first).string_or("status"), "completed");
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  EXPECT_NE(again.headers.find("Idempotent-Replayed"), nullptr);
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Idempotency, TheSameKeyWithAnotherBodyIsAConflict) {
  all_.expect(202, send("b", with_input(1)));
  all_.expect(409, send("b", with_input(2)));
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Idempotency, ARefusalIsNotKept) {
  all_.expect(400, send("c", json::Object{{"inptu", json::Object()}}));
  all_.expect(202, send("c", with_input(1)));
  EXPECT_EQ(runs(), 1U);
}

TEST_F(Idempotency, ASecretIsShownOnlyOnce) {
  const json::Value body = R"({"scopes": ["workflows:read"]})"_json;
  const net::Headers key = {{"Idempotency-Key", "d"}};
  const json::Value first = all_.expect(201, all_.send_json("POST", "/v1/api-keys", body, key));
  const json::Value again = all_.expect(201, all_.send_json("POST", "/v1/api-keys", body, key));
  EXPECT_NE(first.find("api_key"), nullptr);
  EXPECT_EQ(again.find("api_key"), nullptr);
  EXPECT_EQ(value_at(again, "/secret_withheld"), json::Value(true));
  EXPECT_EQ(first.string_or("id"), again.string_or("id"));
}

TEST_F(Idempotency, TheKeyOfAnotherCallerIsAnotherKey) {
  all_.expect(202, send("e", with_input(1)));
  Client other = client_with(R"(["workflows:execute"])"_json);
  const auto reply = other.send_json("POST", "/v1/workflows/" + workflow_ + "/execute",
                                     with_input(2), {{"Idempotency-Key", "e"}});
  other.expect(202, reply);
  EXPECT_EQ(runs(), 2U);
}

}  // namespace
}  // namespace avow
