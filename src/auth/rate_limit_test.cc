// SPDX-License-Identifier: Apache-2.0
#include "auth/rate_limit.h"

#include <gtest/gtest.h>

#include <string>

namespace avow::auth {
namespace {

using std::chrono::milliseconds;
constexpr Time kStart{Duration(1'000'000)};
constexpr RateLimit kTwentyAMinute{20, Duration(60'000)};

TEST(TokenBuckets, GivesAllTokensAtOnceAndThenOneByOne) {
  TokenBuckets buckets(kTwentyAMinute, 100);
  for (std::uint32_t i = 1; i <= 20; ++i) {
    const RateState state = buckets.take("a", kStart);
    EXPECT_TRUE(state.is_allowed);
    EXPECT_EQ(state.limit, 20U);
    EXPECT_EQ(state.remaining, 20 - i);
    EXPECT_EQ(state.reset, milliseconds(3000 * i));
  }
  EXPECT_FALSE(buckets.take("a", kStart).is_allowed);
  EXPECT_EQ(buckets.take("a", kStart + milliseconds(1000)).retry_after, milliseconds(2000));
  EXPECT_FALSE(buckets.take("a", kStart + milliseconds(2999)).is_allowed);
  EXPECT_TRUE(buckets.take("a", kStart + milliseconds(3000)).is_allowed);
  EXPECT_FALSE(buckets.take("a", kStart + milliseconds(3000)).is_allowed);
}

TEST(TokenBuckets, KeysDoNotShareAndLookingCostsNothing) {
  TokenBuckets buckets({1, Duration(1000)}, 100);
  EXPECT_TRUE(buckets.look("a", kStart).is_allowed);
  EXPECT_TRUE(buckets.take("a", kStart).is_allowed);
  EXPECT_FALSE(buckets.look("a", kStart).is_allowed);
  EXPECT_EQ(buckets.look("a", kStart).retry_after, milliseconds(1000));
  EXPECT_TRUE(buckets.take("b", kStart).is_allowed);
}

TEST(TokenBuckets, NeverGivesMoreThanTheLimitInAnyWindow) {
  // Oracle: count. In t milliseconds at most tokens + t * tokens / window can be given.
  TokenBuckets buckets({7, Duration(1000)}, 100);
  int given = 0;
  for (int t = 0; t <= 5000; t += 13) {
    for (int i = 0; i < 3; ++i) given += buckets.take("a", kStart + milliseconds(t)).is_allowed;
    EXPECT_LE(given, 7 + t * 7 / 1000);
  }
  EXPECT_GE(given, 7 + 5000 * 7 / 1000 - 1);
}

TEST(TokenBuckets, CountsLimitsOfManyTokensInAMillisecond) {
  TokenBuckets buckets({100'000, Duration(1000)}, 100);
  for (int i = 0; i < 100'000; ++i) ASSERT_TRUE(buckets.take("a", kStart).is_allowed);
  EXPECT_FALSE(buckets.take("a", kStart).is_allowed);
  EXPECT_EQ(buckets.look("a", kStart + milliseconds(1)).remaining, 100U);
}

TEST(TokenBuckets, AClockThatGoesBackGivesNoTokens) {
  TokenBuckets buckets({1, Duration(1000)}, 100);
  EXPECT_TRUE(buckets.take("a", kStart).is_allowed);
  EXPECT_FALSE(buckets.take("a", kStart - milliseconds(500'000)).is_allowed);
}

TEST(TokenBuckets, MemoryIsBoundedByForgettingTheLeastUsed) {
  TokenBuckets buckets({1, Duration(1000)}, 3);
  for (const std::string key : {"a", "b", "c", "a"}) (void)buckets.take(key, kStart);
  (void)buckets.take("d", kStart);  // "b" was used before all others
  EXPECT_EQ(buckets.size(), 3U);
  EXPECT_FALSE(buckets.look("a", kStart).is_allowed);
  EXPECT_TRUE(buckets.look("b", kStart).is_allowed);
  EXPECT_FALSE(buckets.look("c", kStart).is_allowed);
}

TEST(TokenBuckets, FullBucketsCostNothing) {
  TokenBuckets buckets({1, Duration(1000)}, 1000);
  for (int i = 0; i < 100; ++i) (void)buckets.take(std::to_string(i), kStart);
  EXPECT_EQ(buckets.size(), 100U);
  for (int i = 0; i < 100; ++i) (void)buckets.take("x", kStart + milliseconds(2000));
  EXPECT_EQ(buckets.size(), 1U);
}

TEST(SourceKey, CountsIpv6ByItsNetworkAndIpv4ByItsAddress) {
  EXPECT_EQ(source_key("2001:db8:1:2:3::4"), source_key("2001:db8:1:2::ffff"));
  EXPECT_NE(source_key("2001:db8:1:2::1"), source_key("2001:db8:1:3::1"));
  EXPECT_EQ(source_key("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(source_key("no address"), "no address");
}

}  // namespace
}  // namespace avow::auth
