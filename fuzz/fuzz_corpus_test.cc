// SPDX-License-Identifier: Apache-2.0
// Every file of the corpus, and seeded mutants of each, through its target. The oracle is in the
// targets: they abort where a promise is broken, and the last line printed then names file and
// seed. A mutant that once failed belongs into the corpus, as a file.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/mutate.h"
#include "fuzz/targets.h"

namespace avow::fuzz {
namespace {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
};

struct Seed {
  std::string file;
  std::string bytes;
};

std::vector<Seed> corpus(const char* name) {
  std::vector<Seed> seeds;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string("fuzz/corpus/") + name)) {
    std::ifstream in(entry.path(), std::ios::binary);
    seeds.push_back({entry.path().filename().string(), {std::istreambuf_iterator<char>(in), {}}});
  }
  std::sort(seeds.begin(), seeds.end(),
            [](const Seed& a, const Seed& b) { return a.file < b.file; });
  return seeds;
}

/// What is running, for the one who reads the abort's message.
std::string& current() {
  static std::string text;
  return text;
}

void say_current(int) {
  const std::string& text = current();
  // Whether it can be printed or not: the process ends now.
  (void)!::write(STDERR_FILENO, text.data(), text.size());
}

class FuzzCorpus : public ::testing::TestWithParam<Target> {
 protected:
  void SetUp() override { std::signal(SIGABRT, say_current); }
  void TearDown() override { std::signal(SIGABRT, SIG_DFL); }

  static void run(const Seed& seed, const std::string& bytes, const std::string& how) {
    current() = fmt::format("\nfuzz/corpus/{}/{}, {}\n", GetParam().name, seed.file, how);
    GetParam().run(bytes);
  }
};

TEST_P(FuzzCorpus, HoldsForEveryFile) {
  const auto seeds = corpus(GetParam().name);
  ASSERT_GE(seeds.size(), 20U);
  for (const Seed& seed : seeds) run(seed, seed.bytes, "as it is");
}

TEST_P(FuzzCorpus, HoldsForMutantsOfEveryFile) {
  constexpr std::uint64_t kRoundsMax = 2'000;
  // A bound for slow machines and sanitizers; every round takes in the whole corpus.
  constexpr auto kTimeMax = std::chrono::seconds(3);
  const auto seeds = corpus(GetParam().name);
  std::vector<std::string> others;
  for (const Seed& seed : seeds) others.push_back(seed.bytes);
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t round = 0;
  for (; round < kRoundsMax && std::chrono::steady_clock::now() - start < kTimeMax; ++round) {
    for (const Seed& seed : seeds) {
      SeededRng rng(round);
      run(seed, mutate(seed.bytes, others, rng), fmt::format("mutated with seed {}", round));
    }
  }
  RecordProperty("rounds", static_cast<int>(round));
  EXPECT_GT(round, 0U);
}

INSTANTIATE_TEST_SUITE_P(
    All, FuzzCorpus,
    ::testing::Values(Target{"json", fuzz_json}, Target{"cel", fuzz_cel},
                      Target{"definition", fuzz_definition}, Target{"receipt", fuzz_receipt},
                      Target{"statement", fuzz_statement}, Target{"entry", fuzz_entry},
                      Target{"note", fuzz_note}, Target{"checkpoint", fuzz_checkpoint},
                      Target{"tlog_proof", fuzz_tlog_proof}, Target{"policy", fuzz_policy},
                      Target{"tile", fuzz_tile}),
    [](const auto& target) { return std::string(target.param.name); });

}  // namespace
}  // namespace avow::fuzz
