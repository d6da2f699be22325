// SPDX-License-Identifier: Apache-2.0
#include "workflow/definition.h"

#include <span>

#include "json/merge_patch.h"
#include "json/pointer.h"
#include "workflow/catalog_for_tests.h"

namespace avow::workflow {
namespace {

/// A definition with these steps and nothing else.
json::Value with_steps(std::string_view steps) {
  return json::Object{{"name", "w"}, {"steps", read(steps)}};
}

TEST(Normalise, WritesEveryDefaultOut) {
  const Definition definition = normalised(read(R"({"name": "tiny", "steps": [
      {"name": "shape", "type": "transform", "config": {"output": {"n": "${{ input.n }}"}}},
      {"name": "send", "type": "webhook", "depends_on": ["shape"],
       "config": {"url": "https://example.com/in", "headers": {}, "expect_status": 202}}]})"));
  EXPECT_EQ(definition.body,
            read(R"({"name": "tiny", "version": "1.0.0", "parameters": {}, "steps": [
      {"name": "shape", "type": "transform", "config": {"output": {"n": "${{ input.n }}"}},
       "depends_on": [],
       "retry": {"max_attempts": 1, "initial_delay_ms": 500, "multiplier": 2, "max_delay_ms": 30000,
                 "retry_on": ["408", "429", "5xx", "timeout", "transport"]},
       "on_failure": "abort", "on_crash": "retry"},
      {"name": "send", "type": "webhook",
       "config": {"url": "https://example.com/in", "method": "POST", "expect_status": [202]},
       "depends_on": ["shape"],
       "retry": {"max_attempts": 3, "initial_delay_ms": 500, "multiplier": 2, "max_delay_ms": 30000,
                 "retry_on": ["408", "429", "5xx", "timeout", "transport"]},
       "on_failure": "abort", "on_crash": "retry"}]})"))
      << json::write_pretty(definition.body);
  EXPECT_EQ(definition.name, "tiny");
  EXPECT_EQ(definition.version, "1.0.0");
  EXPECT_EQ(definition.digest.size(), 64U);
  EXPECT_FALSE(definition.uses_secrets);
}

TEST(Normalise, WritesOutWhatUndoesAStepAndHowManyItemsAreAtWork) {
  const Definition definition = normalised(read(R"({"name": "tiny", "steps": [
      {"name": "a", "type": "transform", "for_each": "input.x", "config": {"output": 1},
       "compensate": {"type": "webhook", "config": {"url": "https://example.com/"}}}]})"));
  EXPECT_EQ(*json::at(definition.body, "/steps/0/max_parallel"), read("10"));
  const json::Value& undo = *json::at(definition.body, "/steps/0/compensate");
  EXPECT_EQ(undo.string_or("name"), "compensate_a");
  EXPECT_EQ(undo.int_or("timeout_seconds", 0), 60);
  EXPECT_EQ(json::at(undo, "/retry/max_attempts")->as_int(), 3);
  EXPECT_EQ(undo.find("depends_on"), nullptr);
  EXPECT_EQ(normalised(definition.body).digest, definition.digest);
}

TEST(Normalise, TakesAWholeDefinition) {
  const Definition definition = normalised(review_definition());
  EXPECT_TRUE(definition.uses_secrets);
  EXPECT_EQ(definition.body.string_or("agent_id"), kAgentUuid);
  ASSERT_TRUE(definition.body.is_object());
  EXPECT_EQ(*json::at(definition.body, "/triggers"),
            read(R"({"cron": "0 6 * * MON-FRI", "time_zone": "Europe/Zurich", "active": false})"));
  EXPECT_EQ(*json::at(definition.body, "/steps/4/config/expect_status"), read("[200, 202]"));
}

TEST(Normalise, OfANormalisedBodyGivesItself) {
  const Definition once = normalised(review_definition());
  const Definition twice = normalised(once.body);
  EXPECT_EQ(json::write(twice.body), json::write(once.body));
  EXPECT_EQ(twice.digest, once.digest);
}

TEST(Normalise, GivesTheSameDigestForTheSameMeaning) {
  const std::string narrative = normalised(read(R"({"name": "quality", "steps": [
      {"name": "step_1", "type": "agent", "agent_id": "maip-agent:01JBRC2YHVFH6RWQV0E6190000",
       "config": {"action": "profile", "parameters": {"table": "orders"}}},
      {"name": "step_2", "type": "webhook", "depends_on": ["step_1"],
       "config": {"method": "POST", "url": "https://example.com/", "expect_status": 200}},
      {"name": "step_3", "type": "agent", "depends_on": ["step_2"],
       "config": {"action": "repair"}}],
      "labels": {}, "description": null})"))
                                    .digest;
  EXPECT_EQ(
      normalised(read(R"({"version": "1.0.0", "name": "quality", "parameters": null, "steps": [
      {"action": "profile", "agent_id": "0192F0C1-7A3B-7C4D-8E5F-607182900000",
       "parameters": {"table": "orders"}},
      {"action": "webhook", "parameters": {"url": "https://example.com/", "expect_status": [200, 200]}},
      {"action": "repair", "parameters": {}, "name": null, "type": null, "depends_on": null,
       "config": null}]})"))
          .digest,
      narrative);
  EXPECT_NE(normalised(read(R"({"name": "quality", "steps": [
      {"action": "profile", "parameters": {"table": "orders"}}]})"))
                .digest,
            narrative);
}

TEST(Normalise, FollowsTheListOnlyIfNoStepSaysWhatItDependsOn) {
  const auto depends_on = [](const Definition& d, std::size_t i) {
    return *d.body.find("steps")->as_array()[i].find("depends_on");
  };
  const Definition with = normalised(with_steps(
      R"([{"action": "a"}, {"action": "b", "depends_on": []}, {"action": "c", "depends_on": ["step_1"]}])"));
  EXPECT_EQ(depends_on(with, 1), read("[]"));
  EXPECT_EQ(depends_on(with, 2), read(R"(["step_1"])"));
  const Definition mixed = normalised(with_steps(
      R"([{"name": "first", "type": "agent", "config": {"action": "a"}}, {"action": "b"}])"));
  EXPECT_EQ(depends_on(mixed, 1), read(R"(["first"])"));
  const Definition narrative = normalised(with_steps(
      R"([{"name": "a", "type": "wait", "config": {"seconds": 1}},
          {"name": "b", "type": "wait", "config": {"seconds": 1}}])"));
  EXPECT_EQ(depends_on(narrative, 1), read("[]"));
}

TEST(Normalise, KeepsDependenciesInTheOrderOfTheDefinition) {
  const char* steps = R"([{"name": "a", "type": "transform", "config": {"output": 1}},
                          {"name": "b", "type": "transform", "config": {"output": 1}},
                          {"name": "c", "type": "transform", "config": {"output": 1}, "depends_on": DEPS}])";
  const auto digest_with = [&](const char* deps) {
    std::string text = steps;
    text.replace(text.find("DEPS"), 4, deps);
    return normalised(with_steps(text)).digest;
  };
  EXPECT_EQ(digest_with(R"(["b", "a"])"), digest_with(R"(["a", "b"])"));
}

struct FaultRow {
  const char* patch;   ///< RFC 7396, over a small valid definition
  const char* wanted;  ///< "POINTER CODE", several with a comma
};

json::Value base_definition() {
  return read(R"({"name": "w", "steps": [
      {"name": "a", "type": "transform", "config": {"output": "${{ input }}"}}]})");
}

std::multiset<std::string> wanted_codes(std::string_view list) {
  std::multiset<std::string> out;
  while (!list.empty()) {
    const auto comma = list.find(", ");
    out.insert(std::string(list.substr(0, comma)));
    list = comma == list.npos ? "" : list.substr(comma + 2);
  }
  return out;
}

void expect_rows(std::span<const FaultRow> rows) {
  for (const auto& [patch, wanted] : rows) {
    const json::Value body = json::merge_patch(base_definition(), read(patch));
    const Faults faults = faults_of(body);
    EXPECT_EQ(codes(faults), wanted_codes(wanted)) << patch << "\n" << shown_faults(faults);
    for (const Fault& fault : faults) {
      EXPECT_NE(json::at(body, fault.pointer), nullptr)
          << fault.pointer << " was not sent: " << patch;
      EXPECT_FALSE(fault.message.empty());
    }
  }
}

TEST(Normalise, NamesWhatIsWrongAtTheTop) {
  const FaultRow rows[] = {
      {R"({"name": null})", " MISSING_FIELD"},
      {R"({"name": 5})", "/name WRONG_TYPE"},
      {R"({"name": ""})", "/name OUT_OF_RANGE"},
      {R"({"nam": "x"})", "/nam UNKNOWN_FIELD"},
      {R"({"version": "1.0"})", "/version BAD_VERSION"},
      {R"({"version": "01.0.0"})", "/version BAD_VERSION"},
      {R"({"description": []})", "/description WRONG_TYPE"},
      {R"({"agent_id": "nobody"})", "/agent_id ILL_FORMED_ID"},
      {R"({"agent_id": "0192f0c1-7a3b-7c4d-8e5f-607182a00000"})", "/agent_id NOT_FOUND"},
      {R"({"input_schema": 5})", "/input_schema WRONG_TYPE"},
      {R"({"input_schema": {"properties": {"a": {"type": "text"}}}})",
       "/input_schema/properties/a/type BAD_SCHEMA"},
      {R"({"model": "nobody/knows"})", "/model UNKNOWN_MODEL"},
      {R"({"timeout_seconds": 0})", "/timeout_seconds OUT_OF_RANGE"},
      {R"({"timeout_seconds": 2592001})", "/timeout_seconds OUT_OF_RANGE"},
      {R"({"timeout_seconds": 1.5})", "/timeout_seconds OUT_OF_RANGE"},
      {R"({"timeout_seconds": "60"})", "/timeout_seconds WRONG_TYPE"},
      {R"({"max_steps": 1001})", "/max_steps OUT_OF_RANGE"},
      {R"({"budget": {"max_tokens": 5}})", ""},
      {R"({"budget": {}})", "/budget MISSING_FIELD"},
      {R"({"budget": {"max_tokens": 0, "max_cost_cents": -1, "max": 1}})",
       "/budget/max UNKNOWN_FIELD, /budget/max_cost_cents OUT_OF_RANGE, "
       "/budget/max_tokens OUT_OF_RANGE"},
      {R"({"labels": {"a": 1}})", "/labels/a WRONG_TYPE"},
      {R"({"labels": {"a~/b": 1}})", "/labels/a~0~1b WRONG_TYPE"},
      {R"({"parameters": {"in": 1}})", "/parameters/in RESERVED_NAME"},
      {R"({"parameters": {"9": 1}})", "/parameters/9 ILL_FORMED_NAME"},
      {R"({"parameters": {"a": 1}})", "/parameters/a NAME_CLASH"},
      {R"({"parameters": [1]})", "/parameters WRONG_TYPE"},
      {R"({"triggers": {"cron": "61 * * * *"}})", "/triggers/cron BAD_CRON"},
      {R"({"triggers": {"time_zone": "Mars/Olympus", "cron": "* * * * *"}})",
       "/triggers/time_zone BAD_TIME_ZONE"},
      {R"({"triggers": {}})", "/triggers MISSING_FIELD"},
      {R"({"triggers": {"cron": "* * * * *", "active": true}})", "/triggers/active NOT_SUPPORTED"},
      {R"({"steps": null})", " MISSING_FIELD"},
      {R"({"steps": {}})", "/steps WRONG_TYPE"},
      {R"({"steps": []})", "/steps OUT_OF_RANGE"},
      {R"({"steps": [5]})", "/steps/0 WRONG_TYPE"},
      {R"({"output": "${{ steps.a.result }} ${{ steps.b.result }}"})", "/output UNKNOWN_STEP"},
      {R"({"output": {"x": "${{ steps.a.error }}"}})", "/output/x ERROR_NOT_READABLE"},
      {R"({"output": "${{ secrets.NOTIFY_KEY }}"})", "/output SECRET_NOT_ALLOWED"},
  };
  expect_rows(rows);
  EXPECT_EQ(codes(faults_of(read("5"))), wanted_codes(" WRONG_TYPE"));
}

TEST(Normalise, NamesWhatIsWrongInAStep) {
  const FaultRow rows[] = {
      {R"({"steps": [{}]})", "/steps/0 MISSING_FIELD, /steps/0 MISSING_FIELD"},
      {R"({"steps": [{"name": "a b", "type": "transform", "config": {"output": 1}}]})",
       "/steps/0/name ILL_FORMED_NAME"},
      {R"({"steps": [{"name": "true", "type": "transform", "config": {"output": 1}}]})",
       "/steps/0/name RESERVED_NAME"},
      {R"({"steps": [{"name": "a", "type": "transfrom"}]})", "/steps/0/type UNKNOWN_TYPE"},
      {R"({"steps": [{"name": "a", "type": "orchestration", "config": {"workflow": "x"}}]})", ""},
      {R"({"steps": [{"name": "a", "type": "orchestration",
           "config": {"workflow": "x", "version": "1.2.0", "input": "${{ input }}", "parameters": {"p": 1}}}]})",
       ""},
      {R"({"steps": [{"name": "a", "type": "orchestration", "config": {"input": {}}}]})",
       "/steps/0/config MISSING_FIELD"},
      {R"({"steps": [{"name": "a", "type": "orchestration",
           "config": {"workflow": "${{ input.w }}", "version": "1", "input": 5, "depth": 1}}]})",
       "/steps/0/config/depth UNKNOWN_FIELD, /steps/0/config/workflow TEMPLATE_NOT_ALLOWED, "
       "/steps/0/config/version BAD_VERSION, /steps/0/config/input WRONG_TYPE"},
      {R"({"steps": [{"name": "a", "type": "orchestration",
           "config": {"workflow": "0192f0c1-7a3b-7c4d-8e5f-607182900000", "version": "1.0.0"}}]})",
       "/steps/0/config/version INVALID_VALUE"},
      {R"({"steps": [{"name": "a", "type": "transform"}]})", "/steps/0 MISSING_FIELD"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {}}]})",
       "/steps/0/config MISSING_FIELD"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": 7}]})",
       "/steps/0/config WRONG_TYPE"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1}, "for_each": "input.x"}]})",
       "/steps/0/for_each INVALID_VALUE"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": "${{ item + index }}"},
                      "for_each": "input.x", "max_parallel": 256}]})",
       ""},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": "${{ item }}"},
                      "for_each": "item", "max_parallel": 257, "condition": "index == 1"}]})",
       "/steps/0/condition UNKNOWN_NAME, /steps/0/for_each UNKNOWN_NAME, "
       "/steps/0/max_parallel OUT_OF_RANGE"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": "${{ item }}"},
                      "max_parallel": 2}]})",
       "/steps/0/config/output UNKNOWN_NAME, /steps/0/max_parallel INVALID_VALUE"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": 1}, "compensate": {}}]})",
       "/steps/0/compensate MISSING_FIELD"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": 1},
                      "compensate": {"type": "wait", "config": {"seconds": 1}, "depends_on": []}}]})",
       "/steps/0/compensate/depends_on UNKNOWN_FIELD, /steps/0/compensate/type INVALID_VALUE"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": 1},
                      "compensate": {"name": "a", "type": "transform",
                                     "config": {"output": "${{ steps.a.result }}"}}}]})",
       "/steps/0/compensate/name DUPLICATE_NAME"},
      {R"({"steps": [{"name": "a", "type": "transform", "config": {"output": 1},
                      "compensate": {"type": "transform",
                                     "config": {"output": "${{ steps.b.result }}"}}},
                     {"name": "b", "type": "transform", "config": {"output": 1}}]})",
       "/steps/0/compensate/config/output NOT_A_DEPENDENCY"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"until": "x"}}]})",
       "/steps/0/config/until INVALID_VALUE, /steps/0/config/until TIMEOUT_REQUIRED"},
      {R"({"timeout_seconds": 999, "steps": [{"name": "a", "type": "wait",
           "config": {"until": "2030-01-01T00:00:00Z"}}]})",
       ""},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"until": "x", "seconds": 1}}]})",
       "/steps/0/config/until INVALID_VALUE, /steps/0/config/until INVALID_VALUE, "
       "/steps/0/config/until TIMEOUT_REQUIRED"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 301}}]})",
       "/steps/0/config/seconds TIMEOUT_REQUIRED"},
      {R"({"timeout_seconds": 999,
           "steps": [{"name": "a", "type": "wait", "config": {"seconds": 301}}]})",
       ""},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 0}}]})",
       "/steps/0/config/seconds OUT_OF_RANGE"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": "5"}}]})",
       "/steps/0/config/seconds WRONG_TYPE"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": "${{ input.s }}"}}]})",
       ""},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1}, "depends_on": ["b", 5, "b"]}]})",
       "/steps/0/depends_on/0 UNKNOWN_STEP, /steps/0/depends_on/1 WRONG_TYPE, "
       "/steps/0/depends_on/2 DUPLICATE"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1}, "on_failure": "stop",
                      "on_crash": 1, "timeout_seconds": 0, "condition": "1 +", "overridable": ["x"],
                      "output_schema": {"type": 5}, "agent_id": "z"}]})",
       "/steps/0/on_failure INVALID_VALUE, /steps/0/on_crash WRONG_TYPE, "
       "/steps/0/timeout_seconds OUT_OF_RANGE, /steps/0/condition BAD_EXPRESSION, "
       "/steps/0/overridable/0 INVALID_VALUE, /steps/0/output_schema/type BAD_SCHEMA, "
       "/steps/0/agent_id ILL_FORMED_ID"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1},
           "retry": {"max_attempts": 0, "initial_delay_ms": -1, "multiplier": 0.5, "jitter": true,
                     "retry_on": ["500", "TIMEOUT", 5]}}]})",
       "/steps/0/retry/max_attempts OUT_OF_RANGE, /steps/0/retry/initial_delay_ms OUT_OF_RANGE, "
       "/steps/0/retry/multiplier OUT_OF_RANGE, /steps/0/retry/jitter UNKNOWN_FIELD, "
       "/steps/0/retry/retry_on/0 INVALID_VALUE, /steps/0/retry/retry_on/2 WRONG_TYPE"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1}},
                     {"name": "a", "type": "wait", "config": {"seconds": 1}}]})",
       "/steps/1/name DUPLICATE_NAME"},
      {R"({"steps": [{"name": "a", "type": "wait", "config": {"seconds": 1}, "depends_on": ["a"]}]})",
       "/steps/0/depends_on CYCLE"},
  };
  expect_rows(rows);
}

TEST(Normalise, NamesWhatIsWrongInAConfig) {
  const auto one = [](const char* type, const std::string& config) {
    return json::Object{{"steps", json::Array{json::Object{
                                      {"name", "a"}, {"type", type}, {"config", read(config)}}}}};
  };
  struct Row {
    const char* type;
    const char* config;
    const char* wanted;  ///< Pointers from the config.
  };
  const Row rows[] = {
      {"decision", "{}", " MISSING_FIELD"},
      {"decision", R"({"cases": []})", "/cases OUT_OF_RANGE"},
      {"decision", R"({"cases": [{"when": "true"}]})", "/cases/0 MISSING_FIELD"},
      {"decision", R"({"cases": [{"when": true, "then": "x"}]})", "/cases/0/when WRONG_TYPE"},
      {"decision", R"({"cases": [{"when": "${{ true }}", "then": "x"}]})",
       "/cases/0/when BAD_EXPRESSION"},
      {"decision", R"({"cases": [{"when": "input.x", "then": ""}]})", "/cases/0/then OUT_OF_RANGE"},
      {"decision", R"({"cases": [{"when": "nope", "then": "x"}]})", "/cases/0/when UNKNOWN_NAME"},
      {"decision", R"({"cases": [{"when": "true", "then": "x"}], "branches": {"y": []}})",
       "/branches/y INVALID_VALUE"},
      {"decision", R"({"cases": [{"when": "true", "then": "x"}], "branches": {"x": ["b", 1]}})",
       "/branches/x/0 UNKNOWN_STEP, /branches/x/1 WRONG_TYPE"},
      {"decision", R"({"cases": [{"when": "true", "then": "x"}], "branches": {"x": ["a"]}})",
       "/branches/x/0 NOT_A_DEPENDENCY"},
      {"decision", R"({"prompt": "p"})", " MISSING_FIELD"},
      {"decision",
       R"({"prompt": "p", "choices": [{"label": "x"}, {"label": "x"}], "default": "x"})",
       "/choices/1/label DUPLICATE, /default INVALID_VALUE"},
      {"decision", R"({"model": "none", "prompt": "p", "choices": [{"label": "x"}]})",
       "/model UNKNOWN_MODEL"},
      {"llm_inference", "{}", " MISSING_FIELD"},
      {"llm_inference", R"({"prompt": "p", "messages": [{"role": "user", "content": "x"}]})",
       "/messages INVALID_VALUE"},
      {"llm_inference", R"({"prompt": 5})", "/prompt WRONG_TYPE"},
      {"llm_inference", R"({"messages": [{"role": "boss", "content": 5, "x": 1}]})",
       "/messages/0/role INVALID_VALUE, /messages/0/content WRONG_TYPE, /messages/0/x "
       "UNKNOWN_FIELD"},
      {"llm_inference", R"({"messages": "${{ input.messages }}", "temperature": "${{ input.t }}"})",
       ""},
      {"llm_inference",
       R"({"prompt": "p", "temperature": 2.1, "max_tokens": 0, "max_tool_rounds": 51})",
       "/temperature OUT_OF_RANGE, /max_tokens OUT_OF_RANGE, /max_tool_rounds OUT_OF_RANGE"},
      {"llm_inference", R"({"prompt": "p", "model": "x/y", "fallback_models": ["avow/echo", "z"],
                            "tools": ["search_cases", "search_cases", "rm"]})",
       "/model UNKNOWN_MODEL, /fallback_models/1 UNKNOWN_MODEL, /tools/1 DUPLICATE, /tools/2 "
       "UNKNOWN_TOOL"},
      {"llm_inference", R"({"prompt": "p", "model": "${{ parameters.model }}"})", ""},
      {"llm_inference", R"({"prompt": "p", "response_schema": {"type": "text"}})",
       "/response_schema/type BAD_SCHEMA"},
      {"llm_inference", R"({"prompt": "p", "response_schema": {"const": "${{ input }}"}})",
       "/response_schema TEMPLATE_NOT_ALLOWED"},
      {"llm_inference", R"({"prompt": "p", "system": "${{ secrets.NOTIFY_KEY }}"})", ""},
      {"tool_call", "{}", " MISSING_FIELD"},
      {"tool_call", R"({"tool": "search_casess"})", "/tool UNKNOWN_TOOL"},
      {"tool_call", R"({"tool": "${{ input.tool }}"})", "/tool TEMPLATE_NOT_ALLOWED"},
      {"tool_call", R"({"tool": "search_cases", "arguments": []})", "/arguments WRONG_TYPE"},
      {"tool_call", R"({"tool": "search_cases", "arguments": "${{ input }}"})", ""},
      {"tool_call", R"({"tool": "search_cases", "arguments": {"k": "${{ secrets.NOPE }}"}})",
       "/arguments/k UNKNOWN_SECRET"},
      {"guardrail_check", "{}", " MISSING_FIELD,  MISSING_FIELD"},
      {"guardrail_check",
       R"({"content": "x", "rules": [{"id": "r", "type": "regex", "pattern": "("}]})",
       "/rules/0/pattern BAD_RULE"},
      {"guardrail_check", R"({"content": "x", "rules": [], "on_violation": "warn"})",
       "/rules BAD_RULE, /on_violation INVALID_VALUE"},
      {"webhook", "{}", " MISSING_FIELD"},
      {"webhook", R"({"url": "ftp://example.com"})", "/url BAD_URL"},
      {"webhook", R"({"url": "https://"})", "/url BAD_URL"},
      {"webhook", R"({"url": "https://user:pw@example.com/"})", "/url BAD_URL"},
      {"webhook", R"({"url": "https://example.com/a b"})", "/url BAD_URL"},
      {"webhook", R"({"url": "file://${{ input.path }}"})", "/url BAD_URL"},
      {"webhook", R"({"url": "${{ input.url }}"})", ""},
      {"webhook", R"({"url": "HTTPS://${{ input.host }}/x"})", ""},
      {"webhook", R"({"url": "https://e.com", "method": "TRACE", "secret": "s3cret",
                      "expect_status": [200, 99]})",
       "/method INVALID_VALUE, /secret SECRET_REQUIRED, /expect_status WRONG_TYPE"},
      {"webhook", R"({"url": "https://e.com", "headers": {"Authorization": "Bearer abc",
                      "x-api-key": "Bearer ${{ secrets.NOTIFY_KEY }}", "X-Auth-Token": "t",
                      "Host": "x", "A b": "x", "X-A": "a\r\nX-B: c", "x-a": "1", "X-C": 5,
                      "Cookie": "${{ secrets.NOTIFY_KEY }}"}})",
       "/headers/Authorization SECRET_REQUIRED, /headers/x-api-key SECRET_REQUIRED, "
       "/headers/x-api-key SECRET_NOT_ALLOWED, /headers/X-Auth-Token SECRET_REQUIRED, "
       "/headers/Host BAD_HEADER, /headers/A b BAD_HEADER, /headers/X-A BAD_HEADER, "
       "/headers/x-a DUPLICATE, /headers/X-C WRONG_TYPE"},
      {"webhook", R"({"url": "https://e.com", "body": {"k": "${{ secrets.NOTIFY_KEY }}"}})", ""},
      {"agent", "{}", " MISSING_FIELD"},
      {"agent", R"({"action": "", "parameters": 5})",
       "/action OUT_OF_RANGE, /parameters WRONG_TYPE"},
      {"agent", R"({"action": "x", "parameters": {"k": "${{ secrets.NOTIFY_KEY }}"}})",
       "/parameters/k SECRET_NOT_ALLOWED"},
      {"agent", R"({"action": "x", "paramters": {}})", "/paramters UNKNOWN_FIELD"},
      {"transform", R"({"output": {"a": ["${{ nosuch(1) }}", "${{ run.time }}", "${{ item }}"]}})",
       "/output/a/0 BAD_EXPRESSION, /output/a/1 UNKNOWN_NAME, /output/a/2 UNKNOWN_NAME"},
  };
  for (const auto& [type, config, wanted] : rows) {
    const json::Value body = json::merge_patch(base_definition(), json::Value(one(type, config)));
    const Faults faults = faults_of(body);
    std::multiset<std::string> expected;
    for (const std::string& code : wanted_codes(wanted)) expected.insert("/steps/0/config" + code);
    EXPECT_EQ(codes(faults), expected) << config << "\n" << shown_faults(faults);
    for (const Fault& f : faults) EXPECT_NE(json::at(body, f.pointer), nullptr) << f.pointer;
  }
}

TEST(Normalise, NamesWhatIsWrongInAnApproval) {
  const std::string key = "key:0192f0c1-7a3b-7c4d-8e5f-607182900000";
  const auto with = [](const std::string& config) {
    return R"({"timeout_seconds": 999, "steps": [{"name": "a", "type": "approval", "config": )" +
           config + "}]}";
  };
  const std::pair<std::string, const char*> cases[] = {
      {with(R"({"prompt": "${{ input }} ?"})"), ""},
      {with("{}"), "/steps/0/config MISSING_FIELD"},
      {with(R"({"prompt": 5})"), "/steps/0/config/prompt WRONG_TYPE"},
      {with(R"({"prompt": "?", "approvers": "me"})"), "/steps/0/config/approvers WRONG_TYPE"},
      {with(R"({"prompt": "?", "approvers": ["me", 5, "jwt:12", "${{ input.who }}"]})"),
       "/steps/0/config/approvers/0 INVALID_VALUE, /steps/0/config/approvers/1 WRONG_TYPE, "
       "/steps/0/config/approvers/2 INVALID_VALUE, /steps/0/config/approvers/3 INVALID_VALUE"},
      {with(R"({"prompt": "?", "approvers": [")" + key +
            R"(", "key:01JBRC2YHVFH6RWQV0E6190000"]})"),
       "/steps/0/config/approvers/1 DUPLICATE"},
      {with(R"({"prompt": "?", "approvers": [")" + key + R"("], "quorum": 2})"),
       "/steps/0/config/quorum OUT_OF_RANGE"},
      {with(R"({"prompt": "?", "quorum": 65})"), "/steps/0/config/quorum OUT_OF_RANGE"},
      {with(R"({"prompt": "?", "quorum": "${{ input.n }}"})"), "/steps/0/config/quorum WRONG_TYPE"},
      {with(R"({"prompt": "?", "on_timeout": "reject"})"),
       "/steps/0/config/on_timeout MISSING_FIELD"},
      {with(R"({"prompt": "?", "on_timeout": "wait"})"),
       "/steps/0/config/on_timeout INVALID_VALUE"},
      {with(R"({"prompt": "?", "on_reject": "skip"})"), "/steps/0/config/on_reject INVALID_VALUE"},
      {with(R"({"prompt": "?", "timeout_seconds": 9, "on_timeout": "escalate"})"),
       "/steps/0/config MISSING_FIELD"},
      {with(R"({"prompt": "?", "escalate": {"approvers": [")" + key + R"("]}})"),
       "/steps/0/config/escalate INVALID_VALUE"},
      {with(R"({"prompt": "?", "timeout_seconds": 9, "on_timeout": "escalate",
                "escalate": {"approvers": [], "on_timeout": "escalate"}})"),
       "/steps/0/config/escalate/approvers OUT_OF_RANGE, "
       "/steps/0/config/escalate/on_timeout INVALID_VALUE"},
      {R"({"steps": [{"name": "a", "type": "approval", "config": {"prompt": "?"}}]})",
       "/steps/0/type TIMEOUT_REQUIRED"},
  };
  for (const auto& [patch, wanted] : cases) {
    const FaultRow row[] = {{patch.c_str(), wanted}};
    expect_rows(row);
  }
}

TEST(Normalise, WritesApproversAsJournalsDo) {
  const Definition found = normalised(read(R"({"name": "w", "timeout_seconds": 999, "steps": [
      {"name": "a", "type": "approval", "config": {"prompt": "?", "timeout_seconds": 60,
       "on_timeout": "escalate", "approvers": [
         "key:01JBRC2YHVFH6RWQV0E6190000", "jwt:0123456789ABCDEF0123456789abcdef"],
       "escalate": {"approvers": ["key:0192F0C1-7A3B-7C4D-8E5F-607182900000"]}}}]})"));
  EXPECT_EQ(json::at(found.body, "/steps/0/config") == nullptr
                ? json::Value()
                : *json::at(found.body, "/steps/0/config"),
            read(R"({"prompt": "?",
       "approvers": ["jwt:0123456789abcdef0123456789abcdef",
                     "key:0192f0c1-7a3b-7c4d-8e5f-607182900000"],
       "quorum": 1, "allow_self": false, "timeout_seconds": 60, "on_timeout": "escalate",
       "escalate": {"approvers": ["key:0192f0c1-7a3b-7c4d-8e5f-607182900000"], "quorum": 1,
                    "on_timeout": "fail"},
       "on_reject": "fail"})"));
}

TEST(Normalise, PointsIntoTheDialectThatWasSent) {
  const FaultRow rows[] = {
      {R"({"steps": [{"action": "webhook", "parameters": {"url": 5}}]})",
       "/steps/0/parameters/url WRONG_TYPE"},
      {R"({"steps": [{"action": "webhook", "parameters": {"uri": "x"}}]})",
       "/steps/0/parameters MISSING_FIELD, /steps/0/parameters/uri UNKNOWN_FIELD"},
      {R"({"steps": [{"action": "webhook"}]})", "/steps/0 MISSING_FIELD"},
      {R"({"steps": [{"action": "scan", "parameters": {"x": "${{ steps.nope.result }}"}}]})",
       "/steps/0/parameters/x UNKNOWN_STEP"},
      {R"({"steps": [{"action": 5}]})", "/steps/0/action WRONG_TYPE"},
      {R"({"steps": [{"action": ""}]})", "/steps/0/action OUT_OF_RANGE"},
      {R"({"steps": [{"action": "approval", "parameters": {"prompt": "ok?"}}]})",
       "/steps/0/action TIMEOUT_REQUIRED"},
      {R"({"steps": [{"action": "scan", "config": {}}]})", "/steps/0/config UNKNOWN_FIELD"},
      {R"({"steps": [{"action": "scan", "input": {}}]})", "/steps/0/input UNKNOWN_FIELD"},
      {R"({"steps": [{"action": "scan", "type": "agent"}]})",
       "/steps/0 MISSING_FIELD, /steps/0 MISSING_FIELD, /steps/0/action UNKNOWN_FIELD"},
      {R"({"steps": [{"action": "a", "name": "step_2"}, {"action": "b"}]})",
       "/steps/1 DUPLICATE_NAME"},
  };
  expect_rows(rows);
}

TEST(Normalise, FindsEveryFaultAtOnce) {
  const Faults faults = faults_of(read(R"json({"name": "w", "steps": [
      {"name": "a", "type": "transform", "config": {"output": "${{ steps.b.result }}"},
       "depends_on": ["c"]},
      {"name": "b", "type": "transform", "config": {"output": "text ${{ 1 + }}"}, "depends_on": ["a"]},
      {"name": "c", "type": "transform", "config": {"output": "${{ steps.d.error.code }}"},
       "depends_on": ["b", "d"]},
      {"name": "d", "type": "transform", "config": {"output": "${{ steps.a.result }}"}}],
      "triggers": {"cron": "whenever"}})json"));
  EXPECT_EQ(codes(faults),
            wanted_codes("/steps/0/depends_on CYCLE, /steps/1/config/output BAD_EXPRESSION, "
                         "/steps/2/config/output ERROR_NOT_READABLE, "
                         "/steps/3/config/output NOT_A_DEPENDENCY, /triggers/cron BAD_CRON"))
      << shown_faults(faults);
  for (const Fault& fault : faults) {
    if (fault.code == "CYCLE") {
      EXPECT_NE(fault.message.find("a -> c -> b -> a"), std::string::npos) << fault.message;
    }
    if (fault.code == "ERROR_NOT_READABLE") {
      EXPECT_EQ(fault.line, 1U);
      EXPECT_EQ(fault.column, 5U);
    }
  }
}

TEST(Normalise, SuggestsTheNearestName) {
  const auto message = [](const char* patch) {
    const Faults faults = faults_of(json::merge_patch(base_definition(), read(patch)));
    return faults.empty() ? std::string() : faults.front().message;
  };
  EXPECT_NE(message(R"({"timeout_secs": 5})").find("did you mean \"timeout_seconds\"?"),
            std::string::npos)
      << message(R"({"timeout_secs": 5})");
  EXPECT_NE(message(R"({"zzzzzz": 5})").find("allowed: name, version"), std::string::npos);
  EXPECT_NE(message(R"({"output": "${{ parameter.x }}"})").find("did you mean \"parameters\"?"),
            std::string::npos);
}

TEST(Normalise, ReadsStepsOnlyOfDependenciesDirectOrNot) {
  EXPECT_TRUE(faults_of(with_steps(R"([
      {"name": "a-b", "type": "transform", "config": {"output": 1}},
      {"name": "b", "type": "transform", "config": {"output": 1}, "depends_on": ["a-b"]},
      {"name": "c", "type": "transform", "depends_on": ["b"], "condition": "steps['a-b'].status == 'completed'",
       "config": {"output": "${{ steps[\"a-b\"].result }} ${{ has(steps.b.result) }}"}}])"))
                  .empty());
  EXPECT_EQ(codes(faults_of(with_steps(R"([
      {"name": "a", "type": "transform", "config": {"output": 1}},
      {"name": "b", "type": "transform", "config": {"output":
        ["${{ steps.a.result }}", "${{ steps[input.x].result }}", "${{ steps }}", "${{ steps.b.result }}"]}},
      {"name": "c", "type": "transform", "depends_on": ["a"], "condition": "steps.a == 1",
       "config": {"output": "${{ steps.a.output }}"}}])"))),
            wanted_codes(
                "/steps/1/config/output/0 NOT_A_DEPENDENCY, /steps/1/config/output/1 UNKNOWN_STEP, "
                "/steps/1/config/output/2 UNKNOWN_STEP, /steps/1/config/output/3 NOT_A_DEPENDENCY, "
                "/steps/2/condition UNKNOWN_NAME, /steps/2/config/output UNKNOWN_NAME"));
}

TEST(Normalise, KnowsOnlyDeclaredParametersIfAnyAreDeclared) {
  const char* steps =
      R"([{"name": "a", "type": "transform", "config": {"output": "${{ parameters.lmit }}"}}])";
  EXPECT_TRUE(faults_of(with_steps(steps)).empty());
  json::Value declared = with_steps(steps);
  declared.set("parameters", read(R"({"limit": 5})"));
  EXPECT_EQ(codes(faults_of(declared)), wanted_codes("/steps/0/config/output UNKNOWN_PARAMETER"));
}

TEST(Normalise, KeepsToItsLimits) {
  json::Value many = base_definition();
  json::Array steps;
  for (int i = 0; i <= 100; ++i) {
    steps.push_back(json::Object{{"name", "s" + std::to_string(i)},
                                 {"type", "wait"},
                                 {"config", json::Object{{"seconds", 1}}}});
  }
  many.set("steps", steps);
  EXPECT_EQ(codes(faults_of(many)), wanted_codes("/steps OUT_OF_RANGE"));
  steps.pop_back();
  many.set("steps", steps);
  EXPECT_TRUE(faults_of(many).empty());

  json::Value large = base_definition();
  large.set("output", std::string(kDefinitionBytesMax, 'x'));
  EXPECT_EQ(codes(faults_of(large)), wanted_codes(" TOO_LARGE"));

  json::Value labelled = base_definition();
  json::Object labels;
  for (int i = 0; i < 17; ++i) labels.set("l" + std::to_string(i), "x");
  labelled.set("labels", labels);
  EXPECT_EQ(codes(faults_of(labelled)), wanted_codes("/labels OUT_OF_RANGE"));
}

TEST(NormaliseSteps, TakesInputForParametersAndNeedsNoName) {
  auto outcome = normalise_steps(read(R"([{"action": "collect", "input": {"q": "x"}},
      {"action": "wait", "parameters": {"seconds": 400}}])"),
                                 CatalogForTests());
  ASSERT_TRUE(std::holds_alternative<Definition>(outcome))
      << shown_faults(std::get<Faults>(outcome));
  const auto& definition = std::get<Definition>(outcome);
  EXPECT_EQ(*json::at(definition.body, "/steps/0/config"),
            read(R"({"action": "collect", "parameters": {"q": "x"}})"));
  EXPECT_TRUE(definition.needs_timeout);
  EXPECT_EQ(definition.name, "");

  outcome = normalise_steps(read(R"([{"action": "collect", "input": 5}, {"action": "b", "input": {},
      "parameters": {}}])"),
                            CatalogForTests());
  ASSERT_TRUE(std::holds_alternative<Faults>(outcome));
  EXPECT_EQ(codes(std::get<Faults>(outcome)),
            wanted_codes("/steps/0/input WRONG_TYPE, /steps/1/input INVALID_VALUE"));
  EXPECT_TRUE(std::holds_alternative<Faults>(normalise_steps(5, CatalogForTests())));
}

TEST(CheckInput, FollowsTheSchema) {
  const json::Value body = normalised(review_definition()).body;
  EXPECT_TRUE(check_input(body, read(R"({"document": "x"})")).empty());
  EXPECT_EQ(codes(check_input(body, read(R"({"risk": "high"})"))),
            wanted_codes("/input SCHEMA_MISMATCH, /input/risk SCHEMA_MISMATCH"));
  EXPECT_TRUE(check_input(base_definition(), read("{}")).empty());
}

}  // namespace
}  // namespace avow::workflow
