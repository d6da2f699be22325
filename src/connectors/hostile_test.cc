// SPDX-License-Identifier: Apache-2.0
// Every reader of foreign JSON against values of the right shape with something wrong in it. The
// oracle: it returns (a CHECK would end the test program), and what it gives has the promised form.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "connectors/anthropic.h"
#include "connectors/echo.h"
#include "connectors/openai.h"
#include "connectors/tools.h"
#include "connectors/webhook.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

constexpr int kRounds = 3000;

/// `value` with one node, somewhere in it, replaced by something else.
json::Value mutated(const json::Value& value, SeededRng& rng) {
  const bool has_children = (value.is_array() && !value.as_array().empty()) ||
                            (value.is_object() && !value.as_object().empty());
  if (!has_children || rng.below(5) == 0) {
    const json::Value others[] = {nullptr,
                                  true,
                                  -1,
                                  json::Value::number(1e300),
                                  "",
                                  "x",
                                  "${{ secrets.KEY }}",
                                  "${{ 1 + }}",
                                  "\r\n",
                                  json::Array(),
                                  json::Object(),
                                  json::Array{nullptr},
                                  json::Object{{"role", 5}}};
    return others[rng.below(std::size(others))];
  }
  json::Value out = value;
  if (value.is_array()) {
    const std::size_t at = rng.below(value.as_array().size());
    out.mutable_array()[at] = mutated(value.as_array()[at], rng);
    return out;
  }
  std::size_t at = rng.below(value.as_object().size());
  for (const auto& [key, member] : value.as_object()) {
    if (at-- > 0) continue;
    out.set(rng.below(8) == 0 ? "surprise" : key, mutated(member, rng));
    break;
  }
  return out;
}

/// Calls `read` with up to three mutations of `text`.
void for_mutations(std::string_view text, const std::function<void(const json::Value&)>& read) {
  const auto value = json::parse(text);
  ASSERT_TRUE(value) << text;
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(fmt::format("seed {}", round));
    SeededRng rng(static_cast<std::uint64_t>(round));
    json::Value changed = *value;
    for (std::uint64_t n = 1 + rng.below(3); n > 0; --n) changed = mutated(changed, rng);
    read(changed);
  }
}

void expect_answer(const ModelAnswer& answer) {
  ASSERT_TRUE(answer.value.is_object());
  EXPECT_TRUE(answer.value.find("text")->is_string());
  const std::string reason = answer.value.string_or("finish_reason");
  EXPECT_TRUE(reason == "stop" || reason == "length" || reason == "tool_calls" ||
              reason == "content_filter");
  EXPECT_GE(answer.usage.input_tokens, 0);
  EXPECT_GE(answer.usage.output_tokens, 0);
  const json::Value* const calls = answer.value.find("tool_calls");
  EXPECT_EQ(calls != nullptr, reason == "tool_calls");
  if (calls == nullptr) return;
  for (const json::Value& call : calls->as_array()) {
    EXPECT_FALSE(call.string_or("id").empty());
    EXPECT_FALSE(call.string_or("name").empty());
    EXPECT_TRUE(call.find("arguments")->is_object());
  }
}

constexpr std::string_view kCall =
    R"({"model":"m","system":"s","messages":[{"role":"user","content":
  "{\"call_tools\":[{\"name\":\"a\",\"arguments\":{}}]}"},{"role":"assistant","content":"","tool_calls":[{"id":"1",
  "name":"a","arguments":{"x":1}}]},{"role":"tool","tool_call_id":"1","content":"r"}],"tools":[{"name":"a",
  "description":"d","input_schema":{"type":"object"}}],"response_schema":{"type":"object","required":["a","b"],
  "properties":{"a":{"type":"array","minItems":2,"items":{"enum":[1]}},"b":{"anyOf":[{"type":"string","minLength":3}]}}},
  "temperature":1,"max_tokens":5})";

TEST(HostileInput, OfProvidersIsAnAnswerOrAnError) {
  for_mutations(
      R"({"model":"m","choices":[{"finish_reason":"tool_calls","message":{"content":[{"text":"a"}],"refusal":null,
      "tool_calls":[{"id":"1","function":{"name":"f","arguments":"{\"a\":1}"}}]}}],
      "usage":{"prompt_tokens":1,"completion_tokens":2}})",
      [](const json::Value& response) {
        if (const auto answer = read_openai(response, AnswerForm::kJson)) expect_answer(*answer);
      });
  for_mutations(
      R"({"model":"m","stop_reason":"tool_use","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"1",
      "name":"avow_answer","input":{"value":1}},{"type":"tool_use","id":"2","name":"g","input":{}}],
      "usage":{"input_tokens":1,"output_tokens":2}})",
      [](const json::Value& response) {
        if (const auto answer = read_anthropic(response, AnswerForm::kWrapped))
          expect_answer(*answer);
      });
}

TEST(HostileInput, OfCallsIsRenderedOrRefused) {
  for_mutations(kCall, [](const json::Value& call) {
    expect_answer(echo_answer(call));
    EXPECT_TRUE(openai_body(call, ModelConfig()).is_object());
    EXPECT_TRUE(anthropic_body(call, ModelConfig()).is_object());
  });
}

TEST(HostileInput, OfToolsIsRefusedOrMakesGoodRequests) {
  const SecretStore secrets = *SecretStore::load({});
  for_mutations(
      R"({"name":"t","description":"d","input_schema":{"type":"object","properties":{"a":{"type":"string"}},
      "required":["a"]},"output_schema":{"type":"array"},"scope":"s:r","risk_level":"low","http":{"method":"POST",
      "url":"https://h.example/${{ arguments.a }}?x=${{ arguments.a }}","headers":{"X":"${{ arguments.a }}"},
      "body":{"k":["${{ arguments.a }}"]}}})",
      [&](const json::Value& body) {
        const auto tool = normalise_tool({}, body, secrets);
        // As registered, or as a corrupt store might hold it.
        const auto* const good = std::get_if<json::Value>(&tool);
        json::Object spec{{"tool", good == nullptr ? body : *good},
                          {"arguments", json::Object{{"a", "../x y"}}}};
        const auto request =
            render_tool({}, {engine::CallKind::kTool, std::move(spec), {}}, secrets);
        if (!request) return;
        const auto url = parse_url(request->string_or("url"));
        ASSERT_TRUE(url);
        EXPECT_FALSE(has_dot_segment(url->target));
        EXPECT_TRUE(fill(*request, {}, secrets));
      });
}

TEST(HostileInput, OfWebhooksAndRecordsIsRefusedOrFilled) {
  const SecretStore secrets = *SecretStore::load({});
  for_mutations(
      R"({"url":"https://h.example/","method":"PUT","headers":{"A":"b"},"body":{"c":[1]},"expect_status":[200]})",
      [&](const json::Value& config) {
        const auto request = render_webhook({}, {engine::CallKind::kWebhook, config, {}}, secrets);
        if (request) {
          EXPECT_TRUE(fill(*request, {}, secrets));
        }
      });
  for_mutations(
      R"({"kind":"webhook","url":"https://h.example/","method":"PUT","headers":{"A":"b"},"body":{"c":[1]},
      "secrets":[{"pointer":"/headers/A","name":"KEY","prefix":"x"}]})",
      [&](const json::Value& request) {
        const auto filled = fill(request, {}, secrets);
        if (filled) {
          EXPECT_FALSE(filled->http.has_secrets);
        }
      });
}

}  // namespace
}  // namespace avow::connectors
