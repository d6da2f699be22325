// SPDX-License-Identifier: Apache-2.0
#include "base/rng.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

namespace avow {
namespace {

TEST(SeededRng, IsSplitMix64) {
  // The values that the reference implementation prints for this seed.
  SeededRng rng(1234567);
  for (const std::uint64_t expected :
       {6457827717110365317ULL, 3203168211198807973ULL, 9817491932198370423ULL,
        4593380528125082431ULL, 16408922859458223821ULL}) {
    EXPECT_EQ(rng.next(), expected);
  }
}

TEST(SeededRng, GivesTheSameBytesForTheSameSeedAndOthersForAnother) {
  SeededRng a(1);
  SeededRng b(1);
  SeededRng c(2);
  const Bytes32 bytes = a.bytes32();
  EXPECT_EQ(bytes, b.bytes32());
  EXPECT_NE(bytes, c.bytes32());
  EXPECT_NE(bytes, a.bytes32());
}

TEST(SeededRng, FillsWithTheBytesOfItsNumbersTheLowestFirst) {
  SeededRng numbers(7);
  const std::uint64_t first = numbers.next();
  const std::uint64_t second = numbers.next();
  SeededRng rng(7);
  std::array<std::uint8_t, 9> bytes{};
  rng.fill(bytes);
  for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(bytes[i], first >> (8 * i) & 0xFF);
  EXPECT_EQ(bytes[8], second & 0xFF);
}

TEST(SystemRng, DoesNotRepeatItself) {
  SystemRng rng;
  std::set<Bytes32> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(rng.bytes32()).second);
}

TEST(SystemRng, FillsAnyLength) {
  SystemRng rng;
  rng.fill({});
  for (const std::size_t size : {1U, 1000U, 1024U, 1025U, 5000U}) {
    std::vector<std::uint8_t> bytes(size);
    rng.fill(bytes);
    // 64 zero bytes in a row would be chance once in 2^512.
    if (size >= 64) {
      EXPECT_NE(std::vector<std::uint8_t>(bytes.end() - 64, bytes.end()),
                std::vector<std::uint8_t>(64));
    }
  }
}

}  // namespace
}  // namespace avow
