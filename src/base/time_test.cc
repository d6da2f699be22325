// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace avow {
namespace {

std::string reformatted(std::string_view text) {
  const auto time = parse_time(text);
  return time ? format_time(*time) : time.error().message;
}

TEST(Time, IsWrittenInUtcWithMilliseconds) {
  EXPECT_EQ(format_time(Time()), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(Time(Duration(-1))), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(format_time(Time(Duration(1'000'000'000'007))), "2001-09-09T01:46:40.007Z");
}

TEST(Time, ComesBackFromItsTextAcrossAllYears) {
  constexpr std::uint64_t kSeed = 3339;
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  const Time first = *parse_time("0000-01-01T00:00:00Z");
  const Time last = *parse_time("9999-12-31T23:59:59.999Z");
  const auto span = static_cast<std::uint64_t>((last - first).count());
  for (int i = 0; i < 5000; ++i) {
    const Time time = first + Duration(rng.below(span + 1));
    const std::string text = format_time(time);
    EXPECT_EQ(*parse_time(text), time) << text;
    EXPECT_EQ(text.size(), 24U) << text;
  }
}

TEST(Time, IsReadWithAnyOffset) {
  // The examples of RFC 3339, section 5.8.
  EXPECT_EQ(reformatted("1985-04-12T23:20:50.52Z"), "1985-04-12T23:20:50.520Z");
  EXPECT_EQ(reformatted("1996-12-19T16:39:57-08:00"), "1996-12-20T00:39:57.000Z");
  EXPECT_EQ(reformatted("1990-12-31T23:59:60Z"), "1991-01-01T00:00:00.000Z");
  EXPECT_EQ(reformatted("1937-01-01T12:00:27.87+00:20"), "1937-01-01T11:40:27.870Z");
  EXPECT_EQ(reformatted("2026-01-01t00:00:00z"), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(reformatted("2026-01-01T00:00:00-00:00"), "2026-01-01T00:00:00.000Z");
  EXPECT_EQ(reformatted("2026-01-01T00:00:00+23:59"), "2025-12-31T00:01:00.000Z");
}

TEST(Time, HasItsDecimalsCutToMilliseconds) {
  EXPECT_EQ(reformatted("2026-01-01T00:00:00.1Z"), "2026-01-01T00:00:00.100Z");
  EXPECT_EQ(reformatted("2026-01-01T00:00:00.9999999999999999999Z"), "2026-01-01T00:00:00.999Z");
}

TEST(Time, KnowsLeapYears) {
  EXPECT_TRUE(parse_time("2024-02-29T00:00:00Z"));
  EXPECT_TRUE(parse_time("2000-02-29T00:00:00Z"));
  EXPECT_FALSE(parse_time("2023-02-29T00:00:00Z"));
  EXPECT_FALSE(parse_time("1900-02-29T00:00:00Z"));
}

TEST(Time, IsNotReadFromAnythingElse) {
  for (const auto* text : {"",
                           "2026",
                           "2026-01-01",
                           "2026-01-01T00:00:00",
                           "2026-01-01 00:00:00Z",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00,5Z",
                           "2026-01-01T00:00:00.5",
                           "2026-01-01T00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-04-31T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:61Z",
                           "2026-01-01T00:00:00ZZ",
                           "2026-01-01T00:00:00Z ",
                           "2026-01-01T00:00:00+1:00",
                           "2026-01-01T00:00:00+0100",
                           "2026-01-01T00:00:00+01",
                           "2026-01-01T00:00:00+24:00",
                           "2026-01-01T00:00:00+01:60",
                           "2026-01-01T00:00:00+01:000",
                           "26-01-01T00:00:00Z",
                           "+2026-01-01T00:00:00Z",
                           "2026-1-01T00:00:00Z",
                           "-026-01-01T00:00:00Z"}) {
    const auto time = parse_time(text);
    ASSERT_FALSE(time) << text;
    EXPECT_EQ(time.error().code, Code::kInvalidArgument);
  }
}

TEST(Time, OutsideTheFourDigitYearsIsNotRead) {
  EXPECT_FALSE(parse_time("0000-01-01T00:00:00+00:01"));
  EXPECT_FALSE(parse_time("9999-12-31T23:59:00-00:01"));
  EXPECT_FALSE(parse_time("9999-12-31T23:59:60Z"));
}

TEST(SystemClock, NeverGoesBack) {
  SystemClock clock;
  Time before = clock.now();
  for (int i = 0; i < 100'000; ++i) {
    const Time now = clock.now();
    ASSERT_LE(before, now);
    before = now;
  }
}

TEST(SystemClock, ShowsTheTimeOfTheSystem) {
  SystemClock clock;
  const auto wall = std::chrono::floor<Duration>(std::chrono::system_clock::now());
  EXPECT_LT(std::chrono::abs(clock.now() - wall), std::chrono::seconds(10));
}

}  // namespace
}  // namespace avow
