// SPDX-License-Identifier: Apache-2.0
// Each provider against requests and answers in the form that its public reference shows.
#include <gtest/gtest.h>

#include <cstdlib>

#include "connectors/anthropic.h"
#include "connectors/echo.h"
#include "connectors/model_call.h"
#include "connectors/openai.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

const TenantId kTenant{{1, 2}};

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

std::string canonical(std::string_view text) { return json::write_canonical(parsed(text)); }

ModelConfig model_of(Provider provider, std::string model) {
  ModelConfig config;
  config.provider = provider;
  config.model = std::move(model);
  return config;
}

/// A second round: the model called a tool and has its result.
constexpr std::string_view kToolRound = R"({
  "model": "m", "system": "Be brief.", "temperature": 0.5, "max_tokens": 100,
  "messages": [
    {"role": "user", "content": "Weather in Paris and Rome?"},
    {"role": "assistant", "content": "", "tool_calls": [
      {"id": "c1", "name": "weather", "arguments": {"city": "Paris"}},
      {"id": "c2", "name": "weather", "arguments": {"city": "Rome"}}]},
    {"role": "tool", "tool_call_id": "c1", "content": "{\"celsius\":9}"},
    {"role": "tool", "tool_call_id": "c2", "content": "{\"celsius\":16}"}],
  "tools": [{"name": "weather", "description": "Looks up the weather.",
             "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]})";

TEST(OpenAi, WritesAConversationWithTools) {
  EXPECT_EQ(
      json::write_canonical(openai_body(parsed(kToolRound), model_of(Provider::kOpenAi, "gpt-4o"))),
      canonical(R"({
    "model": "gpt-4o", "temperature": 0.5, "max_tokens": 100,
    "messages": [
      {"role": "system", "content": "Be brief."},
      {"role": "user", "content": "Weather in Paris and Rome?"},
      {"role": "assistant", "content": null, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Paris\"}"}},
        {"id": "c2", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\"}"}}]},
      {"role": "tool", "tool_call_id": "c1", "content": "{\"celsius\":9}"},
      {"role": "tool", "tool_call_id": "c2", "content": "{\"celsius\":16}"}],
    "tools": [{"type": "function", "function": {
      "name": "weather", "description": "Looks up the weather.",
      "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]})"));
}

TEST(OpenAi, AsksForJsonBySchema) {
  ModelConfig model = model_of(Provider::kOpenAi, "o4");
  model.max_tokens_member = "max_completion_tokens";
  EXPECT_EQ(json::write_canonical(
                openai_body(parsed(R"({"messages":[{"role":"user","content":"hi"}],"max_tokens":5,
                           "response_schema":{"type":"object"}})"),
                            model)),
            canonical(R"({"model":"o4","messages":[{"role":"user","content":"hi"}],
              "max_completion_tokens":5,"response_format":{"type":"json_schema",
              "json_schema":{"name":"response","schema":{"type":"object"}}}})"));
}

TEST(OpenAi, ReadsAnAnswerInText) {
  const auto answer = read_openai(parsed(R"({
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1741569952, "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
      "message": {"role": "assistant", "content": "Hello!", "refusal": null, "annotations": []}}],
    "usage": {"prompt_tokens": 19, "completion_tokens": 10, "total_tokens": 29}})"),
                                  AnswerForm::kText);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(json::write(answer->value), R"({"text":"Hello!","finish_reason":"stop"})");
  EXPECT_EQ(answer->usage.input_tokens, 19);
  EXPECT_EQ(answer->usage.output_tokens, 10);
  EXPECT_EQ(answer->model, "gpt-4o-2024-08-06");
}

TEST(OpenAi, ReadsToolCallsWithTheirArgumentsAsObjects) {
  const auto answer =
      read_openai(parsed(R"({"model": "x", "choices": [{"index": 0, "finish_reason": "tool_calls",
    "message": {"role": "assistant", "content": null, "tool_calls": [
      {"id": "call_abc", "type": "function", "function": {"name": "weather", "arguments": "{\n\"city\": \"Paris\"\n}"}},
      {"type": "function", "function": {"name": "now", "arguments": ""}}]}}]})"),
                  AnswerForm::kJson);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(
      json::write(answer->value),
      R"({"text":"","tool_calls":[{"id":"call_abc","name":"weather","arguments":{"city":"Paris"}},)"
      R"({"id":"call_2","name":"now","arguments":{}}],"finish_reason":"tool_calls"})");
  EXPECT_EQ(answer->usage.input_tokens, 0);
}

TEST(OpenAi, ParsesJsonWhereItWasAskedForAndLeavesItOutWhereItIsNone) {
  const auto with_text = [](std::string text) {
    json::Value response =
        parsed(R"({"choices":[{"message":{"role":"assistant"},"finish_reason":"length"}]})");
    json::Value choice = response.find("choices")->as_array()[0];
    choice.set("message", json::Object{{"content", std::move(text)}});
    response.set("choices", json::Array{choice});
    return json::write(read_openai(response, AnswerForm::kJson)->value);
  };
  EXPECT_EQ(with_text(R"({"a":1})"),
            R"({"text":"{\"a\":1}","json":{"a":1},"finish_reason":"length"})");
  EXPECT_EQ(with_text("{\"a\":"), R"({"text":"{\"a\":","finish_reason":"length"})");
}

TEST(OpenAi, ReportsARefusalAsFiltered) {
  const auto answer = read_openai(parsed(R"({"choices":[{"finish_reason":"stop",
    "message":{"role":"assistant","content":null,"refusal":"I cannot."}}]})"),
                                  AnswerForm::kJson);
  EXPECT_EQ(json::write(answer->value), R"({"text":"I cannot.","finish_reason":"content_filter"})");
}

TEST(OpenAi, RefusesWhatIsNoChatCompletion) {
  for (const char* const text :
       {"null", "[]", "{}", "\"x\"", R"({"choices":[]})", R"({"choices":{}})", R"({"choices":[1]})",
        R"({"choices":[{"message":null}]})", R"({"choices":[{"message":{"tool_calls":{}}}]})",
        R"({"choices":[{"message":{"tool_calls":[{}]}}]})",
        R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"{"}}]}}]})",
        R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":"[]"}}]}}]})",
        R"({"choices":[{"message":{"tool_calls":[{"function":{"name":"f","arguments":5}}]}}]})",
        R"({"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{}"}}]}}]})"}) {
    const auto answer = read_openai(parsed(text), AnswerForm::kText);
    ASSERT_FALSE(answer) << text;
    EXPECT_EQ(answer.error().code, Code::kInvalidArgument) << text;
  }
  json::Value many = parsed(R"({"choices":[{"message":{"tool_calls":[]}}]})");
  json::Value call = parsed(R"({"function":{"name":"f","arguments":"{}"}})");
  many.set("choices",
           json::Array{json::Object{
               {"message", json::Object{{"tool_calls", json::Array(kToolCallsMax + 1, call)}}}}});
  EXPECT_FALSE(read_openai(many, AnswerForm::kText));
}

TEST(OpenAi, CountsNoTokensThatCannotBe) {
  const auto usage_of = [](std::string_view usage) {
    json::Value response = parsed(R"({"choices":[{"message":{"content":"x"}}]})");
    response.set("usage", parsed(usage));
    return read_openai(response, AnswerForm::kText)->usage;
  };
  EXPECT_EQ(usage_of(R"({"prompt_tokens":-5,"completion_tokens":1e15})").input_tokens, 0);
  EXPECT_EQ(usage_of(R"({"prompt_tokens":-5,"completion_tokens":1e15})").output_tokens, 0);
  EXPECT_EQ(usage_of(R"({"prompt_tokens":"7"})").input_tokens, 0);
  EXPECT_EQ(usage_of("null").input_tokens, 0);
}

TEST(Anthropic, WritesAConversationWithTools) {
  EXPECT_EQ(json::write_canonical(anthropic_body(
                parsed(kToolRound), model_of(Provider::kAnthropic, "claude-sonnet-4-5"))),
            canonical(R"({
    "model": "claude-sonnet-4-5", "max_tokens": 100, "temperature": 0.5, "system": "Be brief.",
    "messages": [
      {"role": "user", "content": [{"type": "text", "text": "Weather in Paris and Rome?"}]},
      {"role": "assistant", "content": [
        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "c2", "name": "weather", "input": {"city": "Rome"}}]},
      {"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "c1", "content": "{\"celsius\":9}"},
        {"type": "tool_result", "tool_use_id": "c2", "content": "{\"celsius\":16}"}]}],
    "tools": [{"name": "weather", "description": "Looks up the weather.",
               "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}]})"));
}

TEST(Anthropic, GathersSystemMessagesBeforeTheConversation) {
  EXPECT_EQ(json::write_canonical(
                anthropic_body(parsed(R"({"system":"A","messages":[{"role":"system","content":"B"},
              {"role":"user","content":"hi"}]})"),
                               model_of(Provider::kAnthropic, "claude"))),
            canonical(R"({"model":"claude","max_tokens":4096,"system":"A\n\nB",
              "messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})"));
}

TEST(Anthropic, AsksForJsonByAToolThatTheModelMustCall) {
  const json::Value alone = anthropic_body(
      parsed(R"({"messages":[],"response_schema":{"type":"object","required":["a"]}})"),
      model_of(Provider::kAnthropic, "claude"));
  EXPECT_EQ(json::write_canonical(*alone.find("tool_choice")),
            R"({"name":"avow_answer","type":"tool"})");
  EXPECT_EQ(json::write_canonical(*alone.find("tools")->as_array()[0].find("input_schema")),
            R"({"required":["a"],"type":"object"})");
  EXPECT_EQ(alone.int_or("max_tokens", 0), kAnthropicMaxTokens);

  const json::Value beside = anthropic_body(
      parsed(R"({"messages":[],"tools":[{"name":"t","input_schema":{"type":"object"}}],
                 "response_schema":{"type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{}}}})"),
      model_of(Provider::kAnthropic, "claude"));
  EXPECT_EQ(json::write_canonical(*beside.find("tool_choice")), R"({"type":"any"})");
  EXPECT_EQ(beside.find("tools")->as_array().size(), 2U);
  EXPECT_EQ(
      json::write_canonical(*beside.find("tools")->as_array()[1].find("input_schema")),
      canonical(R"({"type":"object","required":["value"],"$defs":{"x":{}},"properties":{"value":
              {"type":"array","items":{"$ref":"#/$defs/x"},"$defs":{"x":{}}}}})"));
}

TEST(Anthropic, ReadsAnAnswerInText) {
  const auto answer = read_anthropic(parsed(R"({
    "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
    "content": [{"type": "thinking", "thinking": "hm", "signature": "x"},
                {"type": "text", "text": "Hi! "}, {"type": "text", "text": "Bye."}],
    "stop_reason": "max_tokens", "stop_sequence": null,
    "usage": {"input_tokens": 10, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 4,
              "output_tokens": 25}})"),
                                     AnswerForm::kText);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(json::write(answer->value), R"({"text":"Hi! Bye.","finish_reason":"length"})");
  EXPECT_EQ(answer->usage.input_tokens, 17);
  EXPECT_EQ(answer->usage.output_tokens, 25);
  EXPECT_EQ(answer->model, "claude-sonnet-4-5");
}

TEST(Anthropic, ReadsToolCallsAndTheStructuredAnswer) {
  const auto read = [](std::string_view content, AnswerForm form) {
    json::Value response = parsed(R"({"stop_reason":"tool_use"})");
    response.set("content", parsed(content));
    return json::write(read_anthropic(response, form)->value);
  };
  EXPECT_EQ(
      read(R"([{"type":"text","text":"Let me see."},
                     {"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Paris"}}])",
           AnswerForm::kText),
      R"({"text":"Let me see.","tool_calls":[{"id":"toolu_1","name":"weather","arguments":{"city":"Paris"}}],)"
      R"("finish_reason":"tool_calls"})");
  constexpr std::string_view kAnswer =
      R"([{"type":"tool_use","id":"t","name":"avow_answer","input":{"value":[1]}}])";
  EXPECT_EQ(read(kAnswer, AnswerForm::kJson),
            R"({"text":"{\"value\":[1]}","json":{"value":[1]},"finish_reason":"stop"})");
  EXPECT_EQ(read(kAnswer, AnswerForm::kWrapped),
            R"({"text":"[1]","json":[1],"finish_reason":"stop"})");
  EXPECT_EQ(
      read(R"([{"type":"tool_use","id":"t","name":"avow_answer","input":{}},
                     {"type":"tool_use","id":"u","name":"weather","input":{}}])",
           AnswerForm::kJson),
      R"({"text":"","tool_calls":[{"id":"u","name":"weather","arguments":{}}],"finish_reason":"tool_calls"})");
}

TEST(Anthropic, RefusesWhatIsNoMessage) {
  for (const char* const text :
       {"null", "[]", "{}", R"({"content":"x"})",
        R"({"content":[{"type":"tool_use","id":"a","name":"b"}]})",
        R"({"content":[{"type":"tool_use","id":"a","name":"b","input":"{}"}]})",
        R"({"content":[{"type":"tool_use","id":"a","input":{}}]})"}) {
    EXPECT_FALSE(read_anthropic(parsed(text), AnswerForm::kText)) << text;
  }
}

std::string echoed(std::string_view call) { return json::write(echo_answer(parsed(call)).value); }

TEST(Echo, AnswersWithTheLastUserMessageAndCountsWords) {
  const ModelAnswer answer = echo_answer(parsed(
      R"({"system":"be kind","messages":[{"role":"user","content":"one"},{"role":"assistant","content":"two"},
          {"role":"user","content":" three  four\n"}]})"));
  EXPECT_EQ(answer.value.string_or("text"), " three  four\n");
  EXPECT_EQ(answer.value.string_or("finish_reason"), "stop");
  EXPECT_EQ(answer.usage.input_tokens, 6);
  EXPECT_EQ(answer.usage.output_tokens, 2);
  EXPECT_EQ(answer.model, "avow/echo");
}

TEST(Echo, GivesJsonFromTheMessageOrElseFromTheSchema) {
  EXPECT_EQ(
      echoed(
          R"({"messages":[{"role":"user","content":"{\"a\": [1]}"}],"response_schema":{"type":"string"}})"),
      R"({"text":"{\"a\": [1]}","json":{"a":[1]},"finish_reason":"stop"})");
  EXPECT_EQ(echoed(R"({"messages":[{"role":"user","content":"read this"}],"response_schema":
              {"type":"object","required":["b"],"properties":{"b":{"enum":["yes","no"]}}}})"),
            R"({"text":"{\"b\":\"yes\"}","json":{"b":"yes"},"finish_reason":"stop"})");
}

TEST(Echo, MakesSamplesOfSchemas) {
  const auto sample = [](std::string_view schema) {
    return json::write(sample_of(parsed(schema)));
  };
  EXPECT_EQ(
      sample(
          R"({"type":"object","properties":{"s":{"type":"string","minLength":2},"n":{"type":"integer","minimum":3},
              "o":{"type":"boolean"},"l":{"type":"array","items":{"const":5},"minItems":2}},"required":["s","n","l","?"]})"),
      R"({"s":"xx","n":3,"l":[5,5],"?":null})");
  EXPECT_EQ(sample(R"({"anyOf":[{"type":["null","string"]},{}]})"), "null");
  EXPECT_EQ(sample(R"({"type":"number","default":2.5})"), "2.5");
  EXPECT_EQ(sample(R"({"examples":["e"]})"), R"("e")");
  EXPECT_EQ(sample("true"), "null");
  std::string deep = "{}";
  for (int i = 0; i < 30; ++i) deep = R"({"allOf":[)" + deep + "]}";
  EXPECT_EQ(sample(deep), "null");
}

TEST(Echo, CallsTheToolsThatTheMessageScriptsOnceAndThenAnswersWithTheirResults) {
  constexpr std::string_view kScript =
      R"({"role":"user","content":"{\"call_tools\":[{\"name\":\"a\",\"arguments\":{\"x\":1}},{\"name\":\"b\"}]}"})";
  EXPECT_EQ(echoed(fmt::format(R"({{"messages":[{}]}})", kScript)),
            R"({"text":"","tool_calls":[{"id":"call_1","name":"a","arguments":{"x":1}},)"
            R"({"id":"call_2","name":"b","arguments":{}}],"finish_reason":"tool_calls"})");
  EXPECT_EQ(echoed(fmt::format(R"({{"messages":[{},{{"role":"assistant","content":""}},
              {{"role":"tool","tool_call_id":"call_1","content":"first"}},
              {{"role":"tool","tool_call_id":"call_2","content":"second"}}]}})",
                               kScript)),
            R"({"text":"first\nsecond","finish_reason":"stop"})");
  EXPECT_EQ(
      echoed(
          R"({"messages":[{"role":"user","content":"{\"call_tools\":[{\"name\":\"a\"},{}]}"}]})"),
      R"({"text":"{\"call_tools\":[{\"name\":\"a\"},{}]}","finish_reason":"stop"})");
}

Config azure_config() {
  setenv("AVOW_TEST_MODEL_KEY", "azure-key-1", 1);
  Config config;
  ModelConfig model;
  model.base_url = "https://corp.openai.azure.com/openai/deployments/gpt-4o/";
  model.api_key = SecretSource{.env = "AVOW_TEST_MODEL_KEY"};
  model.api_key_header = "api-key";
  model.query = {{"api-version", "2024-10-21"}};
  model.input_price_cents = 250;
  model.output_price_cents = 1000;
  config.models["azure/gpt-4o"] = model;
  return *complete_config(std::move(config));
}

engine::CallSpec chat_spec() {
  return {engine::CallKind::kModel,
          parsed(R"({"model":"azure/gpt-4o","messages":[{"role":"user","content":"hi"}]})"),
          {}};
}

TEST(ModelCall, SpeaksToAzureWithItsHeaderAndQuery) {
  const Config config = azure_config();
  const auto store = SecretStore::load(config);
  ASSERT_TRUE(store) << store.error().message;
  const auto request =
      render_model(kTenant, chat_spec(), "azure/gpt-4o", config.models.at("azure/gpt-4o"), *store);
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->string_or("url"),
            "https://corp.openai.azure.com/openai/deployments/gpt-4o/chat/"
            "completions?api-version=2024-10-21");
  EXPECT_EQ(json::write(*request).find("azure-key-1"), std::string::npos);
  const auto filled = fill(*request, kTenant, *store);
  ASSERT_TRUE(filled) << filled.error().message;
  EXPECT_EQ(*filled->http.headers.find("api-key"), "azure-key-1");
  EXPECT_EQ(filled->http.headers.find("authorization"), nullptr);
}

TEST(ModelCall, PutsTheKeyWhereEachProviderWantsIt) {
  Config config = azure_config();
  ModelConfig& model = config.models.at("azure/gpt-4o");
  model.api_key_header.clear();
  model.headers = {{"X-Team", "blue"}};
  const auto store = *SecretStore::load(config);
  const auto openai =
      fill(*render_model(kTenant, chat_spec(), "azure/gpt-4o", model, store), kTenant, store);
  EXPECT_EQ(*openai->http.headers.find("authorization"), "Bearer azure-key-1");
  EXPECT_EQ(*openai->http.headers.find("x-team"), "blue");
  model.provider = Provider::kAnthropic;
  const auto anthropic =
      fill(*render_model(kTenant, chat_spec(), "azure/gpt-4o", model, store), kTenant, store);
  EXPECT_EQ(*anthropic->http.headers.find("x-api-key"), "azure-key-1");
  EXPECT_EQ(*anthropic->http.headers.find("anthropic-version"), "2023-06-01");
  EXPECT_EQ(anthropic->redactor.text("azure-key-1"), "[REDACTED:model:azure/gpt-4o]");
}

TEST(ModelCall, TakesNoSecretIntoAPrompt) {
  const Config config = azure_config();
  engine::CallSpec spec = chat_spec();
  spec.secrets = {{"/messages/0/content", "KEY"}};
  EXPECT_EQ(render_model(kTenant, spec, "azure/gpt-4o", config.models.at("azure/gpt-4o"),
                         *SecretStore::load(config))
                .error()
                .code,
            Code::kPermissionDenied);
}

TEST(ModelCall, CostsWhatThePriceTableSays) {
  const ModelConfig model = azure_config().models.at("azure/gpt-4o");
  // 1000 tokens at 250 cents a million and 100 at 1000: 0.25 + 0.1 cents.
  EXPECT_EQ(cost_of({1000, 100}, model), 350'000);
  EXPECT_EQ(cost_of({3'000'000'000, 1'000'000'000}, model), 1'750'000'000'000);
  EXPECT_EQ(cost_of({5, 5}, ModelConfig()), 0);
}

TEST(ModelCall, SaysWhatIsWrongWithAnAnswerThatIsNone) {
  const Config config = azure_config();
  const auto outcome =
      read_model(parsed(R"({"provider":"openai"})"), config.models.at("azure/gpt-4o"),
                 {.status = 200, .headers = {}, .body = "<html>"}, Redactor());
  const auto& error = std::get<engine::CallError>(outcome);
  EXPECT_EQ(error.code, "MODEL_RESPONSE_INVALID");
  EXPECT_EQ(json::write(error.detail), R"({"status":200,"body":"<html>"})");
}

TEST(ModelConfig, IsCompletedAndChecked) {
  const auto config = complete_config({});
  ASSERT_TRUE(config);
  EXPECT_EQ(config->models.at("avow/echo").provider, Provider::kEcho);
  const auto refused = [](auto&& change) {
    Config wrong;
    change(wrong.models["m"]);
    return !complete_config(std::move(wrong));
  };
  EXPECT_FALSE(refused([](ModelConfig&) {}));
  EXPECT_TRUE(refused([](ModelConfig& m) { m.base_url = "nonsense"; }));
  EXPECT_TRUE(refused([](ModelConfig& m) { m.base_url = "https://h/v1?x=y"; }));
  EXPECT_TRUE(refused([](ModelConfig& m) { m.input_price_cents = -1; }));
  EXPECT_TRUE(refused([](ModelConfig& m) { m.output_price_cents = 1e300; }));
  EXPECT_TRUE(refused(
      [](ModelConfig& m) { m.api_key_secret = "A", m.api_key = SecretSource{.env = "B"}; }));
  Config taken;
  taken.models["avow/echo"].provider = Provider::kOpenAi;
  EXPECT_FALSE(complete_config(taken));
}

}  // namespace
}  // namespace avow::connectors
