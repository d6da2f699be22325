// SPDX-License-Identifier: Apache-2.0
#include "provenance/event.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "json/parse.h"

namespace avow::provenance {
namespace {

constexpr std::string_view kShort =
    R"({"data":{},"run":"0192f0c1-7a3b-7c4d-8e5f-607182a00000","seq":1,)"
    R"("time":"2026-11-21T20:59:48.123Z","type":"run.started","v":1})";
constexpr std::string_view kFull =
    R"({"actor":"key_01","agent":"0192f0c1-7a3b-7c4d-8e5f-607182900000","attempt":2,)"
    R"("data":{"cost_cents":0.25,"input":{"commitment":"00"},"model":"avow/echo"},)"
    R"("run":"0192f0c1-7a3b-7c4d-8e5f-607182a00000","seq":7,"step":"extract",)"
    R"("time":"2026-11-21T20:59:48.123Z","type":"step.completed","v":1})";

Event short_event() {
  Event event;
  event.run = RunId{*parse_id("0192f0c1-7a3b-7c4d-8e5f-607182a00000")};
  event.seq = 1;
  event.time = *parse_time("2026-11-21T20:59:48.123Z");
  event.type = "run.started";
  return event;
}

Event full_event() {
  Event event = short_event();
  event.seq = 7;
  event.type = "step.completed";
  event.step = "extract";
  event.attempt = 2;
  event.agent = AgentId{*parse_id("0192f0c1-7a3b-7c4d-8e5f-607182900000")};
  event.actor = "key_01";
  event.data =
      *json::parse(R"({"model":"avow/echo","cost_cents":0.25,"input":{"commitment":"00"}})");
  return event;
}

std::string with(std::string text, std::string_view what, std::string_view instead) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

TEST(Event, IsWrittenInTheCanonicalOrderAndWithoutWhatItDoesNotHave) {
  EXPECT_EQ(encode(short_event()), kShort);
  EXPECT_EQ(encode(full_event()), kFull);
}

TEST(Event, ComesBackFromItsBytes) {
  const auto event = decode(kFull);
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->run, full_event().run);
  EXPECT_EQ(event->seq, 7U);
  EXPECT_EQ(event->time, full_event().time);
  EXPECT_EQ(event->type, "step.completed");
  EXPECT_EQ(event->step, "extract");
  EXPECT_EQ(event->attempt, 2U);
  EXPECT_EQ(event->agent, full_event().agent);
  EXPECT_EQ(event->actor, "key_01");
  EXPECT_EQ(event->data, full_event().data);
  const auto bare = decode(kShort);
  ASSERT_TRUE(bare) << bare.error().message;
  EXPECT_EQ(encode(*bare), kShort);
}

TEST(Event, KeepsStrangeTextInItsStrings) {
  Event event = short_event();
  event.actor = "a\"\\\n\x01 é 😀";
  event.step = "€";
  const auto back = decode(encode(event));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->actor, event.actor);
  EXPECT_EQ(back->step, event.step);
}

TEST(Event, OfANewerVersionIsNotGuessedAt) {
  const auto newer = decode(with(std::string(kShort), "\"v\":1", "\"v\":2"));
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::kUnavailable);
  // Also when it has members that this version does not know.
  EXPECT_EQ(decode(R"({"v":3,"zone":"eu"})").error().code, Code::kUnavailable);
}

TEST(Event, WithAnythingMissingWrongOrMoreIsCorrupt) {
  const std::string good(kFull);
  const std::vector<std::string> bad = {
      "",
      "[]",
      "1",
      "{}",
      good.substr(1),
      good + " ",
      with(good, "\"v\":1", "\"v\":0"),
      with(good, ",\"v\":1", ""),
      with(good, "\"v\":1", "\"v\":1,\"w\":1"),
      with(good, "\"v\":1", "\"v\":\"1\""),
      with(good, "\"v\":1", "\"v\":1e999"),
      with(good, "\"seq\":7", "\"seq\":0"),
      with(good, "\"seq\":7", "\"seq\":-7"),
      with(good, "\"seq\":7", "\"seq\":7.5"),
      with(good, "\"seq\":7", "\"seq\":1048576"),
      with(good, "\"seq\":7,", ""),
      with(good, "\"attempt\":2", "\"attempt\":0"),
      with(good, "\"attempt\":2", "\"attempt\":4294967296"),
      with(good, "\"extract\"", "\"\""),
      with(good, "\"extract\"", "null"),
      with(good, "\"key_01\"", "\"\""),
      with(good, "\"step.completed\"", "\"\""),
      with(good, "T20:59:48.123Z", "T25:59:48.123Z"),
      with(good, R"("data":{"cost_cents":0.25,"input":{"commitment":"00"},"model":"avow/echo"},)",
           ""),
      with(good, R"({"cost_cents":0.25,"input":{"commitment":"00"},"model":"avow/echo"})", "[]"),
      with(good, "607182a00000", "607182a0000"),
      with(good, "\"agent\":\"0192f0c1", "\"agent\":\"x192f0c1"),
  };
  for (const std::string& text : bad) {
    const auto event = decode(text);
    ASSERT_FALSE(event) << text;
    EXPECT_EQ(event.error().code, Code::kCorruption) << text;
  }
}

TEST(Event, InAnotherSpellingIsCorrupt) {
  const std::string good(kFull);
  for (const std::string& text : {
           with(good, "\"seq\":7", "\"seq\": 7"),
           with(good, "\"seq\":7", "\"seq\":7.0"),
           with(good, "0.25", "0.250"),
           with(good, "607182a00000", "607182A00000"),
           with(good, ".123Z", ".1230Z"),
           with(good, "20:59:48.123Z", "21:59:48.123+01:00"),
           with(good, "extract", "\\u0065xtract"),
           with(good, R"("seq":7,"step":"extract")", R"("step":"extract","seq":7)"),
       }) {
    ASSERT_FALSE(decode(text)) << text;
    EXPECT_EQ(decode(text).error().code, Code::kCorruption) << text;
  }
}

TEST(JournalSegment, HasTheDocumentedBytes) {
  const std::vector<std::string> events = {"ab", "", "c"};
  EXPECT_EQ(to_hex(encode_journal(events)),
            "01"
            "00000003"
            "00000002"
            "6162"
            "00000000"
            "00000001"
            "63");
  EXPECT_EQ(to_hex(encode_journal({})), "0100000000");
}

TEST(JournalSegment, GivesTheExactBytesBack) {
  SeededRng rng(1);
  std::vector<std::string> events;
  for (std::size_t size : {0U, 1U, 255U, 256U, 70'000U}) {
    std::string event;
    for (std::size_t i = 0; i < size; ++i) event += static_cast<char>(rng.below(256));
    events.push_back(std::move(event));
    const auto back = decode_journal(encode_journal(events));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, events);
  }
}

TEST(JournalSegment, CutAnywhereOrLengthenedIsCorrupt) {
  const std::string segment = encode_journal(std::vector<std::string>{"ab", "", "c"});
  for (std::size_t size = 0; size < segment.size(); ++size) {
    const auto cut = decode_journal(std::string_view(segment).substr(0, size));
    ASSERT_FALSE(cut) << "first " << size << " bytes";
    EXPECT_EQ(cut.error().code, Code::kCorruption);
  }
  EXPECT_FALSE(decode_journal(segment + '\0'));
  EXPECT_FALSE(decode_journal("\x02" + segment.substr(1)));
}

TEST(JournalSegment, WithLengthsThatLieIsCorruptAndTakesNoMemory) {
  const std::string many("\x01\xFF\xFF\xFF\xFF\0\0\0\0", 9);
  EXPECT_EQ(decode_journal(many).error().code, Code::kCorruption);
  const std::string lengthy("\x01\0\0\0\x01\xFF\xFF\xFF\xFF", 9);
  EXPECT_EQ(decode_journal(lengthy).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace avow::provenance
