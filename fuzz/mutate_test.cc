// SPDX-License-Identifier: Apache-2.0
#include "fuzz/mutate.h"

#include <gtest/gtest.h>

#include <set>

namespace avow::fuzz {
namespace {

TEST(Mutate, GivesTheSameForTheSameSeedAndMuchElseForOthers) {
  const std::vector<std::string> others = {R"({"a": [1, 2, 3]})", "input.x + 1"};
  std::set<std::string> mutants;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SeededRng one(seed);
    SeededRng two(seed);
    const std::string mutant = mutate(others.front(), others, one);
    EXPECT_EQ(mutant, mutate(others.front(), others, two)) << "seed " << seed;
    mutants.insert(mutant);
  }
  EXPECT_GT(mutants.size(), 150U);
}

TEST(Mutate, WorksOnNothingAndStaysBounded) {
  const std::vector<std::string> others = {""};
  SeededRng rng(1);
  std::string text;
  for (int i = 0; i < 1'000; ++i) text = mutate(text, others, rng);
  EXPECT_LE(text.size(), kMutantBytesMax);
  EXPECT_LE(mutate(std::string(2 * kMutantBytesMax, 'x'), others, rng).size(), kMutantBytesMax);
}

}  // namespace
}  // namespace avow::fuzz
