// SPDX-License-Identifier: Apache-2.0
// Erasing: what goes, what stays, and what receipts then show.
#include <gtest/gtest.h>

#include "provenance/verify.h"
#include "testing/api_world.h"
#include "testing/faulty_store.h"

namespace avow::api {
namespace {

using provenance::Verdict;
using testing::ApiWorld;

/// What the caller wrote into every place of a run that holds content.
constexpr std::string_view kSecret = "XyzzySecret";

class Erasing : public ::testing::Test {
 protected:
  json::Value executed(const std::string& body, const std::string& idempotency_key = "") {
    auto request = world_.request("POST", "/v1/orchestrations/execute", body);
    request.headers.set("Prefer", "wait=30");
    if (!idempotency_key.empty()) request.headers.set("Idempotency-Key", idempotency_key);
    const auto response = world_.send(request);
    EXPECT_EQ(response.status, 200) << response.body;
    return ApiWorld::body(response);
  }
  /// Inline steps of several types; a, b and c form a chain, d stands alone.
  json::Value run(const std::string& idempotency_key = "") {
    return executed(R"({"agent_id":")" + agent_ + R"(","name":"XyzzySecret",
      "labels":{"who":"XyzzySecret"},"input":{"text":"XyzzySecret"},
      "parameters":{"p":"XyzzySecret"},
      "steps":[
       {"name":"a","type":"transform","config":{"output":"${{ input.text }}"}},
       {"name":"b","type":"decision","depends_on":["a"],"config":{
         "cases":[{"when":"steps.a.result == 'XyzzySecret'","then":"yes"}],"default":"no"}},
       {"name":"c","type":"transform","depends_on":["a","b"],
        "config":{"output":{"copy":"${{ steps.a.result }}"}}},
       {"name":"d","type":"transform","depends_on":[],"config":{"output":"plain"}},
       {"name":"e","type":"guardrail_check","config":{"content":"${{ parameters.p }}",
         "rules":[{"id":"r","type":"pii","kinds":["email"]}],"on_violation":"flag"}}]})",
                    idempotency_key);
  }
  net::Response erase(const json::Value& run, const std::string& body) {
    return world_.send("POST", "/v1/orchestrations/" + run.string_or("id") + "/erase", body);
  }
  json::Value erased(const json::Value& run, const std::string& body) {
    const auto response = erase(run, body);
    EXPECT_EQ(response.status, 200) << response.body;
    return ApiWorld::body(response);
  }
  std::string text(const std::string& target, int status = 200) {
    const auto response = world_.send("GET", target);
    EXPECT_EQ(response.status, status) << target << "\n" << response.body;
    return response.body;
  }
  std::string path(const json::Value& run) {
    return "/v1/orchestrations/" + run.string_or("orchestration_id");
  }
  std::string receipt(const json::Value& run) {
    return "/v1/receipts/" + run.string_or("receipt_id");
  }
  void expect_valid(const std::string& file) const {
    const auto out =
        provenance::verify(file, {.log_keys = world_.services.log.keys().log_keys(), .policy = {}},
                           std::size_t{64} << 20);
    EXPECT_EQ(out.verdict, Verdict::kValid) << provenance::verdict_name(out.verdict);
    for (const auto& check : out.checks) EXPECT_EQ(check.detail, "");
  }
  /// Everything that the store still has of a run, as bytes.
  std::string stored(const json::Value& run) {
    const auto record = world_.store.read_run(RunId{*parse_id(run.string_or("id"))});
    std::string out = record->row.summary + record->plan.value_or("");
    for (const auto& [key, value] : record->labels) out += key + value;
    for (const store::Segment& segment : record->contents) {
      const auto contents = provenance::decode_contents(segment.bytes);
      for (const auto& content : *contents) out += json::write(content.value);
    }
    return out;
  }

  ApiWorld world_;
  const std::string agent_ =
      ApiWorld::body(world_.send("POST", "/v1/agents", "{}")).string_or("id");
};

TEST_F(Erasing, TakesEveryContentAndLeavesEveryProof) {
  const json::Value ended = run();
  EXPECT_EQ(ended.string_or("status"), "completed") << json::write(ended);
  EXPECT_NE(stored(ended).find(kSecret), std::string::npos);
  const std::string receipt_before = text(receipt(ended));
  const std::string bundle_before = text(receipt(ended) + "/bundle");

  const json::Value answer = erased(ended, R"({"reason":"asked for by the person"})");
  EXPECT_GT(answer.int_or("erased", 0), 10);
  EXPECT_EQ(stored(ended).find(kSecret), std::string::npos) << stored(ended);

  expect_valid(receipt_before);
  expect_valid(bundle_before);
  expect_valid(text(receipt(ended)));
  const std::string bundle = text(receipt(ended) + "/bundle");
  expect_valid(bundle);
  EXPECT_NE(bundle.find(R"("withheld":"erased")"), std::string::npos);
  EXPECT_EQ(bundle.find("from_reader"), std::string::npos);
  EXPECT_EQ(bundle.find(kSecret), std::string::npos);
  expect_valid(text("/v1/receipts/" + answer.string_or("receipt_id")));
  for (const json::Value& step : ended.find("steps")->as_array()) {
    const std::string name = "/v1/receipts/" + step.string_or("receipt_id");
    expect_valid(text(name));
    EXPECT_EQ(world_.send("GET", name + "?reveal=output").status, 409) << "it is gone";
  }
}

TEST_F(Erasing, LeavesARunThatIsReadAsBeforeButForWhatIsGone) {
  const json::Value ended = run();
  const json::Value answer = erased(ended, R"({"reason":"why","scope":"all"})");
  const json::Value mark = json::Object{{"$erased", answer.string_or("receipt_id")}};
  const std::string whole = text(path(ended));
  EXPECT_EQ(whole.find(kSecret), std::string::npos);
  const json::Value shown = *json::parse(whole);
  for (const std::string_view member : {"name", "labels", "input", "parameters", "output"}) {
    EXPECT_EQ(*shown.find(member), mark) << member;
  }
  for (const std::string_view member : {"status", "receipts", "receipt_id", "completed_at"}) {
    EXPECT_EQ(*shown.find(member), *ended.find(member)) << member;
  }
  const json::Array steps = shown.find("steps")->as_array();
  ASSERT_EQ(steps.size(), 5U);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const json::Value& before = ended.find("steps")->as_array()[i];
    for (const std::string_view member : {"name", "type", "status", "receipt_id", "attempts"}) {
      EXPECT_EQ(*steps[i].find(member), *before.find(member)) << member;
    }
    EXPECT_EQ(*steps[i].find("result"), mark);
    EXPECT_EQ(*steps[i].find("config"), mark);
  }
  EXPECT_EQ(text("/v1/orchestrations?label.who=XyzzySecret").find(kSecret), std::string::npos);
  const std::string gone = text(path(ended) + "/contents/1/input", 404);
  EXPECT_NE(gone.find(answer.string_or("receipt_id")), std::string::npos) << gone;
}

TEST_F(Erasing, IsDoneOnceAndSaysSoAgain) {
  const json::Value ended = run();
  const json::Value first = erased(ended, R"({"reason":"why"})");
  const json::Value again = erased(ended, R"({"reason":"another reason"})");
  EXPECT_EQ(again.int_or("erased", -1), 0);
  EXPECT_EQ(again.string_or("erasure_id"), first.string_or("erasure_id"));
  const json::Value audit = *json::parse(text("/v1/audit?type=content.erased"));
  ASSERT_EQ(audit.find("items")->as_array().size(), 1U);
  const json::Value item = audit.find("items")->as_array()[0];
  EXPECT_EQ(item.find("reason")->string_or("value"), "why");
  EXPECT_EQ(item.string_or("receipt_id"), first.string_or("receipt_id"));
}

TEST_F(Erasing, OfOneContentTakesWhatWasMadeOfItAndLeavesTheRest) {
  const json::Value ended = run();
  const json::Value answer = erased(ended, R"({"reason":"why","scope":[{"member":"input"}]})");
  EXPECT_FALSE(answer.find("contents")->as_array().empty());
  const json::Value shown = *json::parse(text(path(ended)));
  const json::Value mark = json::Object{{"$erased", answer.string_or("receipt_id")}};
  EXPECT_EQ(*shown.find("input"), mark);
  EXPECT_EQ(*shown.find("output"), mark) << "made of c, which was made of a";
  for (const std::string_view step : {"a", "b", "c"}) {
    EXPECT_EQ(*shown.find("results")->find(step), mark) << step;
  }
  EXPECT_EQ(*shown.find("results")->find("d"), json::Value("plain"));
  EXPECT_EQ(shown.string_or("name"), kSecret) << "it was not made of the input";
  EXPECT_NE(stored(ended).find(kSecret), std::string::npos) << "name and parameters stay";
  expect_valid(text(receipt(ended) + "/bundle"));

  // The rest goes with a second erasure; each value names the one that took it.
  const json::Value second = erased(ended, R"({"reason":"why"})");
  EXPECT_NE(second.string_or("receipt_id"), answer.string_or("receipt_id"));
  const json::Value after = *json::parse(text(path(ended)));
  EXPECT_EQ(*after.find("input"), mark);
  EXPECT_EQ(after.find("name")->string_or("$erased"), second.string_or("receipt_id"));
  EXPECT_EQ(stored(ended).find(kSecret), std::string::npos);
  expect_valid(text(receipt(ended) + "/bundle"));
}

TEST_F(Erasing, OfAStepsOutputTakesTheAnswerThatItWasMadeOf) {
  const std::string echo =
      ApiWorld::body(world_.send("POST", "/v1/agents", R"({"model":"avow/echo"})")).string_or("id");
  const json::Value ended =
      executed(R"({"agent_id":")" + echo + R"(","input":{"prompt":"XyzzySecret"}})");
  erased(ended, R"({"reason":"why","scope":[{"step":"llm_1","member":"output"}]})");
  const json::Value shown = *json::parse(text(path(ended)));
  EXPECT_NE(shown.find("output")->find("$erased"), nullptr);
  EXPECT_EQ(shown.find("input")->string_or("prompt"), kSecret);
  // Event by event: no content of the step is left.
  const auto record = world_.store.read_run(RunId{*parse_id(ended.string_or("id"))});
  for (const store::Segment& segment : record->contents) {
    for (const auto& content : *provenance::decode_contents(segment.bytes)) {
      EXPECT_EQ(content.ref.seq, 1U) << content.ref.member;
    }
  }
  expect_valid(text(receipt(ended) + "/bundle"));
}

TEST_F(Erasing, OfAnAgentsParametersTakesItsConversationWhichHoldsThem) {
  const std::string echo =
      ApiWorld::body(world_.send("POST", "/v1/agents", R"({"model":"avow/echo"})")).string_or("id");
  for (const std::string& agent : {echo, agent_}) {
    auto request = world_.request(
        "POST", "/v1/orchestrations/execute",
        R"({"agent_id":")" + agent + R"(","input":{"n":1},"parameters":{"p":"XyzzySecret"}})");
    const std::string id = ApiWorld::body(world_.send(request)).string_or("orchestration_id");
    if (agent == agent_) world_.send("POST", "/v1/orchestrations/" + id + "/cancel");
    const json::Value ended = *json::parse(text("/v1/orchestrations/" + id + "?wait=30"));
    EXPECT_NE(stored(ended).find(kSecret), std::string::npos);
    erased(ended, R"({"reason":"why","scope":[{"member":"parameters"}]})");
    EXPECT_EQ(stored(ended).find(kSecret), std::string::npos) << stored(ended);
  }
}

TEST_F(Erasing, OfAnInputTakesTheErrorThatQuotesItAndWhoeverReadThat) {
  const json::Value ended = executed(R"({"agent_id":")" + agent_ +
                                     R"(","input":{"n":"XyzzySecret"},"steps":[
    {"name":"a","type":"transform","on_failure":"continue",
     "config":{"output":"${{ int(input.n) }}"}},
    {"name":"b","type":"transform","depends_on":["a"],
     "config":{"output":{"why":"${{ steps.a.error.message }}"}}}]})");
  EXPECT_EQ(ended.string_or("status"), "completed") << json::write(ended);
  erased(ended, R"({"reason":"why","scope":[{"step":"a","member":"message"}]})");
  const json::Value shown = *json::parse(text(path(ended)));
  EXPECT_NE(shown.find("results")->find("b")->find("$erased"), nullptr) << json::write(shown);
  EXPECT_EQ(shown.find("input")->string_or("n"), kSecret);
  expect_valid(text(receipt(ended) + "/bundle"));
}

TEST_F(Erasing, KeepsNoAnswerForAnIdempotencyKey) {
  const json::Value ended = run();
  auto request = world_.request("POST", path(ended) + "/erase", R"({"reason":"why"})");
  request.headers.set("Idempotency-Key", "e1");
  const json::Value first = ApiWorld::body(world_.send(request));
  const auto again = world_.send(request);
  EXPECT_EQ(again.headers.find("Idempotent-Replayed"), nullptr);
  const json::Value second = ApiWorld::body(again);
  EXPECT_EQ(second.string_or("erasure_id"), first.string_or("erasure_id"));
  EXPECT_EQ(second.int_or("erased", -1), 0);
}

TEST_F(Erasing, AfterALostOutcomeSays200OnlyWhenItWasWrittenAgain) {
  const json::Value ended = run();
  const auto executor = world_.pool.make_strand();
  testing::FaultyStore store(world_.store, *executor);
  const Services& usual = world_.services;
  Services services{.clock = usual.clock,
                    .rng = usual.rng,
                    .store = store,
                    .log = usual.log,
                    .engine = usual.engine,
                    .authenticator = usual.authenticator,
                    .runner = usual.runner,
                    .agents = usual.agents,
                    .workflows = usual.workflows,
                    .idempotency = usual.idempotency,
                    .metrics = usual.metrics,
                    .pool = usual.pool,
                    .options = {}};
  auto request = world_.request("POST", path(ended) + "/erase", R"({"reason":"why"})");
  request.headers.set("Idempotency-Key", "e1");
  const auto erase_with = [&](testing::CommitFault fault) {
    std::atomic<int> replacements = 0;
    store.script = [&](const store::Commit& commit) {
      if (commit.run && commit.run->replaced) ++replacements;
      return fault;
    };
    auto answer = serve(services, request);
    std::promise<net::Response> given;
    std::get<net::Later>(answer).start(
        net::Responder([&](std::optional<net::Response> response) { given.set_value(*response); }));
    const net::Response response = given.get_future().get();
    return std::pair(response.status, replacements.load());
  };
  using testing::CommitFault;
  EXPECT_EQ(erase_with(CommitFault::kLostButDone), std::pair(503, 1));
  EXPECT_EQ(erase_with(CommitFault::kLostButDone), std::pair(503, 1)) << "nothing is left, but";
  EXPECT_EQ(erase_with(CommitFault::kNone), std::pair(200, 1)) << "the files are emptied again";
  const json::Value audit = *json::parse(text("/v1/audit?type=content.erased"));
  EXPECT_EQ(audit.find("items")->as_array().size(), 1U) << "it was stated once";
}

TEST_F(Erasing, InPartIsDoneAsOftenAsABundleCanName) {
  std::string steps;
  for (int i = 0; i < 65; ++i) {
    steps += fmt::format(R"({}{{"name":"s{}","type":"transform","depends_on":[],)"
                         R"("config":{{"output":{}}}}})",
                         i == 0 ? "" : ",", i, i);
  }
  const json::Value ended =
      executed(R"({"agent_id":")" + agent_ + R"(","input":{"n":1},"steps":[)" + steps + "]}");
  const auto of_step = [](int i) {
    return fmt::format(R"({{"reason":"w","scope":[{{"step":"s{}","member":"output"}}]}})", i);
  };
  for (int i = 0; i < 63; ++i) erased(ended, of_step(i));
  EXPECT_EQ(erase(ended, of_step(63)).status, 409);
  EXPECT_EQ(erase(ended, of_step(7)).status, 200) << "that is gone";
  erased(ended, R"({"reason":"w"})");
  EXPECT_EQ(erase(ended, of_step(63)).status, 200);
  expect_valid(text(receipt(ended) + "/bundle"));
}

TEST_F(Erasing, AtTheSameTimeDoesNotConflict) {
  const json::Value ended = run();
  std::vector<std::future<net::Response>> answers;
  for (const std::string step : {"a", "b", "c", "d", "e"}) {
    answers.push_back(world_.begin(world_.request(
        "POST", path(ended) + "/erase",
        R"({"reason":"why","scope":[{"step":")" + step + R"(","member":"output"}]})")));
  }
  for (auto& answer : answers) {
    const net::Response response = answer.get();
    EXPECT_EQ(response.status, 200) << response.body;
  }
  const json::Value shown = *json::parse(text(path(ended)));
  for (const std::string_view step : {"a", "b", "c", "d", "e"}) {
    EXPECT_NE(shown.find("results")->find(step)->find("$erased"), nullptr) << step;
  }
  expect_valid(text(receipt(ended) + "/bundle"));
}

/// A run whose text stands in the caller's words in several places, each with a marker of its own.
TEST_F(Erasing, LeavesTheErasedTextNowhere) {
  const std::string body = R"({"agent_id":")" + agent_ + R"(","name":"MarkName",
    "input":{"text":"MarkInput"},"parameters":{"p":"MarkParameter"},"steps":[
     {"name":"a","type":"transform","config":{"output":"MarkStep ${{ 1 + 1 }}"}},
     {"name":"b","type":"transform","depends_on":["a"],"config":{"output":"${{ steps.a.result }}"}},
     {"name":"c","type":"transform","depends_on":["b"],"config":{"output":"${{ steps.b.result }}"}},
     {"name":"d","type":"transform","depends_on":[],"config":{"output":"MarkPlan"}},
     {"name":"f","type":"transform","depends_on":[],"config":{"output":"${{ parameters.p }}"}},
     {"name":"x","type":"transform","depends_on":[],"on_failure":"continue",
      "config":{"output":"${{ int(input.text) }}"}}]})";
  struct Case {
    std::string scope;
    std::vector<std::string> gone;
    std::vector<std::string> left;
  };
  const std::vector<Case> cases = {
      {R"({"step":"a","member":"output"})", {"MarkStep"}, {"MarkInput", "MarkParameter"}},
      {R"({"step":"a","member":"input"})", {"MarkStep"}, {"MarkInput", "MarkParameter"}},
      {R"({"step":"d","member":"input"})", {"MarkPlan"}, {"MarkInput", "MarkStep"}},
      {R"({"step":"f","member":"output"})", {}, {"MarkParameter", "MarkStep"}},
      {R"({"member":"name"})", {"MarkName"}, {"MarkInput", "MarkStep", "MarkPlan"}},
      {R"({"member":"input"})", {"MarkInput"}, {"MarkParameter"}},
      {R"({"member":"output"})", {"MarkPlan"}, {"MarkInput", "MarkParameter", "MarkStep"}},
      {R"({"member":"parameters"})", {"Mark"}, {}},
      {R"({"member":"plan"})", {"Mark"}, {}}};
  for (const Case& one : cases) {
    const json::Value ended = executed(body);
    ASSERT_EQ(ended.string_or("status"), "completed") << json::write(ended);
    erased(ended, R"({"reason":"why","scope":[)" + one.scope + "]}");
    const std::string bundle = text(receipt(ended) + "/bundle");
    expect_valid(bundle);
    const std::string left = stored(ended) + text(path(ended)) + bundle;
    for (const std::string& marker : one.gone) {
      EXPECT_EQ(left.find(marker), std::string::npos) << one.scope << " leaves " << marker;
    }
    for (const std::string& marker : one.left) {
      EXPECT_NE(left.find(marker), std::string::npos) << one.scope << " takes " << marker;
    }
  }
}

TEST_F(Erasing, OfAWorkflowsInputsLeavesNoParameterThatWentIntoAConfig) {
  const json::Value made = ApiWorld::body(world_.send("POST", "/v1/workflows",
                                                      R"({"name":"w","version":"1.0.0","steps":[
        {"name":"a","type":"transform","config":{"output":"plain"}},
        {"name":"b","type":"transform","depends_on":["a"],"config":{"output":1}}]})"));
  const std::string workflow = "/v1/workflows/" + made.string_or("id");
  ASSERT_EQ(world_.send("POST", workflow + "/publish").status, 200) << json::write(made);
  for (const std::string scope :
       {R"({"member":"parameters"})", R"({"step":"a","member":"output"})"}) {
    auto request =
        world_.request("POST", workflow + "/execute",
                       R"({"input":{"n":1},"parameters":{"a":{"output":"XyzzySecret"}}})");
    request.headers.set("Prefer", "wait=30");
    const json::Value ended = ApiWorld::body(world_.send(request));
    ASSERT_EQ(ended.string_or("status"), "completed") << json::write(ended);
    ASSERT_NE(stored(ended).find(kSecret), std::string::npos);
    erased(ended, R"({"reason":"why","scope":[)" + scope + "]}");
    const json::Value shown = *json::parse(text(path(ended)));
    EXPECT_EQ(json::write(*shown.find("steps")).find(kSecret), std::string::npos) << scope;
    if (scope.find("parameters") == std::string::npos) continue;
    EXPECT_EQ(stored(ended).find(kSecret), std::string::npos) << stored(ended);
    EXPECT_EQ(json::write(shown).find(kSecret), std::string::npos);
  }
}

TEST_F(Erasing, OfAFailedRunTakesItsMessageFromListsToo) {
  const json::Value ended = executed(R"({"agent_id":")" + agent_ +
                                     R"(","input":{"n":"XyzzySecret"},"steps":[
    {"name":"a","type":"transform","config":{"output":"${{ int(input.n) }}"}}]})");
  EXPECT_EQ(ended.string_or("status"), "failed");
  erased(ended, R"({"reason":"why"})");
  const json::Value item =
      json::parse(text("/v1/orchestrations?status=failed"))->find("items")->as_array().at(0);
  EXPECT_EQ(item.find("error")->string_or("message"), "(erased)");
  EXPECT_EQ(item.find("error")->string_or("code"), ended.find("error")->string_or("code"));
  expect_valid(text(receipt(ended) + "/bundle"));
}

TEST_F(Erasing, TakesTheAnswersThatWereKeptForTheRun) {
  auto request = world_.request("POST", "/v1/orchestrations/execute",
                                R"({"agent_id":")" + agent_ +
                                    R"(","input":{"t":"XyzzySecret"},"steps":[
      {"name":"a","type":"transform","config":{"output":1}}]})");
  request.headers.set("Idempotency-Key", "k1");
  const json::Value created = ApiWorld::body(world_.send(request));
  const std::string first = created.string_or("orchestration_id");
  text("/v1/orchestrations/" + first + "?wait=30");
  EXPECT_EQ(ApiWorld::body(world_.send(request)).string_or("orchestration_id"), first);
  erased(created, R"({"reason":"why"})");
  EXPECT_NE(ApiWorld::body(world_.send(request)).string_or("orchestration_id"), first)
      << "nothing is left that remembers the request";
}

TEST_F(Erasing, IsRefusedWhereItCannotBe) {
  const json::Value ended = run();
  const std::string running =
      ApiWorld::body(world_.send("POST", "/v1/orchestrations/execute",
                                 R"({"agent_id":")" + agent_ + R"(","input":{"x":1}})"))
          .string_or("orchestration_id");
  const std::string why = R"({"reason":"why"})";
  EXPECT_EQ(world_.send("POST", "/v1/orchestrations/" + running + "/erase", why).status, 409);
  for (const std::string body :
       {R"({})", R"({"reason":7})", R"({"reason":"w","scope":"some"})",
        R"({"reason":"w","scope":[{"step":"a"}]})", R"({"reason":"w","scope":["a"]})",
        R"({"reason":"w","scope":[{"step":"a","member":"input","more":1}]})",
        R"({"reason":"w","extra":1})"}) {
    EXPECT_EQ(erase(ended, body).status, 400) << body;
  }
  for (const std::string body :
       {R"({"reason":"w","scope":[]})", R"({"reason":"w","scope":[{"member":"nothing"}]})",
        R"({"reason":"w","scope":[{"step":"zzz","member":"output"}]})", R"({"reason":""})"}) {
    EXPECT_EQ(erase(ended, body).status, 422) << body;
  }
  const auto as = [&](const std::string& key) {
    auto request = world_.request("POST", path(ended) + "/erase", why);
    request.headers.set("X-API-Key", key);
    return world_.send(request).status;
  };
  EXPECT_EQ(as(world_.make_key(world_.tenant, {"orchestrations:*", "receipts:read"})), 403);
  EXPECT_EQ(as(world_.make_key(world_.make_tenant("other"), {"*:*"})), 404);
  EXPECT_NE(text(path(ended)).find(kSecret), std::string::npos) << "all of it is still there";
}

}  // namespace
}  // namespace avow::api
