// SPDX-License-Identifier: Apache-2.0
// Streams in the form that each provider's public reference shows. However the network cuts them,
// they come to the same.
#include "connectors/model_stream.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "connectors/anthropic.h"
#include "connectors/openai.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

using Texts = std::vector<std::string>;

std::string stream_of(const Texts& messages) {
  std::string out;
  for (const std::string& message : messages) out += "data: " + message + "\n\n";
  return out;
}

const std::string& openai_stream() {
  static const std::string bytes = stream_of(
      {R"({"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null})",
       R"({"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"Let me "},"finish_reason":null}]})",
       R"({"id":"c","model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"lo\u00f6k."},"finish_reason":null}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"city\":"}}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":1,"id":"call_2","function":{"name":"time","arguments":"{}"}}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Paris\"}"}}]}}]})",
       R"({"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]})",
       R"({"id":"c","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7}})", "[DONE]"});
  return bytes;
}

constexpr std::string_view kAnthropicStream =
    "event: message_start\r\n"
    "data: "
    "{\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":\"claude-x\",\"content\":[],"
    "\"stop_reason\":null,\"usage\":{\"input_tokens\":25,\"output_tokens\":1}}}\r\n\r\n"
    "event: content_block_start\r\n"
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\","
    "\"text\":\"\"}}\r\n\r\n"
    "event: ping\r\ndata: {\"type\": \"ping\"}\r\n\r\n"
    ": a comment\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"Hel\"}}\r\n\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
    "\"text\":\"lo\"}}\r\n\r\n"
    "data: {\"type\":\"content_block_stop\",\"index\":0}\r\n\r\n"
    "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\","
    "\"id\":\"toolu_1\",\"name\":\"weather\",\"input\":{}}}\r\n\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\"{\\\"city\\\":\"}}\r\n\r\n"
    "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"input_json_delta\","
    "\"partial_json\":\" \\\"Rome\\\"}\"}}\r\n\r\n"
    "data: {\"type\":\"content_block_stop\",\"index\":1}\r\n\r\n"
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},"
    "\"usage\":{\"output_tokens\":15}}\r\n\r\n"
    "data: {\"type\":\"message_stop\"}\r\n\r\n";

struct Read {
  std::string said;
  std::string value;  ///< Of the answer, or why there is none.
  engine::Usage usage;
  std::string model;
};

/// `bytes` in pieces of `size`.
Read read(Provider provider, std::string_view bytes, std::size_t size) {
  ModelStream stream(provider);
  Read out;
  for (std::size_t at = 0; at < bytes.size(); at += size)
    out.said += stream.take(bytes.substr(at, size));
  const auto body = std::move(stream).finish();
  if (!body) {
    out.value = body.error().message;
    return out;
  }
  const auto answer = provider == Provider::kAnthropic ? read_anthropic(*body, AnswerForm::kText)
                                                       : read_openai(*body, AnswerForm::kText);
  EXPECT_TRUE(answer) << answer.error().message;
  if (!answer) return out;
  out.value = json::write(answer->value);
  out.usage = answer->usage;
  out.model = answer->model;
  return out;
}

TEST(ModelStream, PutsOpenAisPiecesTogetherHoweverTheyAreCut) {
  for (std::size_t size = 1; size <= openai_stream().size(); size += size < 300 ? 1 : 97) {
    const Read got = read(Provider::kOpenAi, openai_stream(), size);
    EXPECT_EQ(got.said, "Let me lo\xC3\xB6k.");
    EXPECT_EQ(got.value,
              "{\"text\":\"Let me lo\xC3\xB6k.\",\"tool_calls\":["
              R"({"id":"call_1","name":"weather","arguments":{"city":"Paris"}},)"
              R"({"id":"call_2","name":"time","arguments":{}}],"finish_reason":"tool_calls"})");
    EXPECT_EQ(got.usage.input_tokens, 11);
    EXPECT_EQ(got.usage.output_tokens, 7);
    EXPECT_EQ(got.model, "gpt-4o-2024-08-06");
  }
}

TEST(ModelStream, PutsAnthropicsPiecesTogetherHoweverTheyAreCut) {
  for (std::size_t size = 1; size <= kAnthropicStream.size(); size += size < 300 ? 1 : 97) {
    const Read got = read(Provider::kAnthropic, kAnthropicStream, size);
    EXPECT_EQ(got.said, "Hello");
    EXPECT_EQ(got.value, R"({"text":"Hello","tool_calls":[{"id":"toolu_1","name":"weather",)"
                         R"("arguments":{"city":"Rome"}}],"finish_reason":"tool_calls"})");
    EXPECT_EQ(got.usage.input_tokens, 25);
    EXPECT_EQ(got.usage.output_tokens, 15);
    EXPECT_EQ(got.model, "claude-x");
  }
}

TEST(ModelStream, RefusesWhatBreaksOff) {
  const std::size_t end = openai_stream().find(R"({"id":"c","choices":[{"index":0,"delta":{},)");
  EXPECT_EQ(read(Provider::kOpenAi, std::string_view(openai_stream()).substr(0, end), 9).value,
            "the stream ended before the answer did");
  const std::size_t stop = kAnthropicStream.rfind("data: {\"type\":\"message_stop\"}");
  EXPECT_EQ(read(Provider::kAnthropic, kAnthropicStream.substr(0, stop), 9).value,
            "the stream ended before the answer did");
  EXPECT_EQ(read(Provider::kOpenAi, "", 1).value, "the stream ended before the answer did");
}

TEST(ModelStream, TellsWhatTheProviderSaysWentWrong) {
  EXPECT_EQ(read(Provider::kOpenAi, stream_of({R"({"error":{"message":"overloaded"}})"}), 5).value,
            "the stream ended with an error: overloaded");
  EXPECT_EQ(read(Provider::kAnthropic,
                 stream_of({R"({"type":"error","error":{"type":"x","message":"overloaded"}})"}), 5)
                .value,
            "the stream ended with an error: overloaded");
}

TEST(ModelStream, TakesAnyBytesForWhatTheyAre) {
  SeededRng rng(11);
  for (int round = 0; round < 300; ++round) {
    std::string bytes = openai_stream();
    for (int n = 0; n < 3; ++n) bytes[rng.below(bytes.size())] = static_cast<char>(rng.below(256));
    for (const Provider provider : {Provider::kOpenAi, Provider::kAnthropic}) {
      ModelStream stream(provider);
      (void)stream.take(bytes);
      (void)std::move(stream).finish();
    }
  }
  for (const char* const message : {"1", "[]", "{", R"({"choices":[1]})", R"({"choices":[{}]})"})
    EXPECT_NE(read(Provider::kOpenAi, stream_of({message}), 3).value, "");
}

// The oracle is redaction of the whole: at no moment has more been shown than its beginning.
TEST(SpokenText, ShowsNoPartOfASecretHoweverItIsCut) {
  Redactor redactor;
  redactor.add("KEY", "abab-secret-%1");
  const std::string text =
      "ab abab abab-secret-%1 abab-secret abab-secret-%251 YWJhYi1zZWNyZXQtJTE= "
      "%61bab-secret-%1 abababab-secret-%1! \\u0061bab-secret-%1 aba";
  const std::string expected = redactor.text(text);
  SeededRng rng(5);
  for (int round = 0; round < 500; ++round) {
    SpokenTextFilter filter(redactor);
    std::string shown;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = 1 + rng.below(round % 20 + 1);
      shown += filter.take(std::string_view(text).substr(at, size));
      EXPECT_TRUE(expected.starts_with(shown)) << "round " << round << ": " << shown;
      at += size;
    }
    shown += filter.finish();
    EXPECT_EQ(shown, expected) << "round " << round;
  }
}

TEST(SpokenText, HoldsNothingBackWhereNoSecretBegins) {
  Redactor redactor;
  redactor.add("KEY", "loopback-secret-1");
  SpokenTextFilter filter(redactor);
  EXPECT_EQ(filter.take("Hello, "), "Hello, ");
  EXPECT_EQ(filter.take("all l"), "all ");
  EXPECT_EQ(filter.take("ong"), "long");
  const Redactor none;
  EXPECT_EQ(SpokenTextFilter(none).take("plain"), "plain");
}

}  // namespace
}  // namespace avow::connectors
