// SPDX-License-Identifier: Apache-2.0
// The engine in a hostile world: random workflows and agents of several tenants, calls that fail,
// answer late, twice or not at all, a store that refuses commits or loses their answers, and a
// process that is killed at any moment. Afterwards the faults stop, and every promise is judged.
//
// AVOW_SIMULATION_SEED     only this one
// AVOW_SIMULATION_FROM     the first of them
// AVOW_SIMULATION_SECONDS  as many as fit, instead of 2 000
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

#include "base/log.h"
#include "failed_seeds.h"
#include "simulation.h"

namespace avow::engine {
namespace {

using testing::CrashPoint;

constexpr std::uint64_t kSeeds = 2'000;

std::optional<std::uint64_t> number_of(const char* name) {
  const char* const given = std::getenv(name);
  if (given == nullptr) return std::nullopt;
  return std::strtoull(given, nullptr, 10);
}

/// What all seeds together brought about: the world must be hostile enough for each of it.
struct Seen {
  std::uint64_t seeds = 0;
  std::set<std::string> event_types;
  std::map<CrashPoint, int> deaths;
};

/// A failure is one line to paste.
bool holds(std::uint64_t seed, Seen& seen) {
  Simulation simulation(seed);
  const auto broken = simulation.live();
  ++seen.seeds;
  seen.event_types.insert(simulation.event_types().begin(), simulation.event_types().end());
  for (const auto& [point, count] : simulation.crash_points().deaths()) seen.deaths[point] += count;
  if (broken.empty()) return true;
  ADD_FAILURE() << "AVOW_SIMULATION_SEED=" << seed
                << " tests_simulation --gtest_filter=Simulation.*  # \"" << broken.front().promise
                << "\" is broken: " << broken.front().fault;
  return false;
}

TEST(Simulation, EveryPromiseHoldsForEverySeed) {
  log::start(log::Level::kOff);
  Seen seen;
  if (const auto only = number_of("AVOW_SIMULATION_SEED")) {
    holds(*only, seen);
    return;
  }
  for (const std::uint64_t seed : kFailedSeeds) ASSERT_TRUE(holds(seed, seen));
  const auto seconds = number_of("AVOW_SIMULATION_SECONDS");
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds.value_or(0));
  const std::uint64_t from = number_of("AVOW_SIMULATION_FROM").value_or(1);
  for (std::uint64_t seed = from;
       seconds ? std::chrono::steady_clock::now() < until : seed < from + kSeeds; ++seed) {
    ASSERT_TRUE(holds(seed, seen));
  }
  std::printf("%llu seeds from %llu on, every promise held\n",
              static_cast<unsigned long long>(seen.seeds), static_cast<unsigned long long>(from));
  EXPECT_EQ(seen.deaths.size(), testing::kCrashPoints) << "no process died at one of the points";
  for (const char* type :
       {"run.started",          "step.started",     "effect.started",    "llm.called",
        "tool.called",          "decision.made",    "guardrail.checked", "effect.in_doubt",
        "timer.armed",          "task.offered",     "task.claimed",      "step.retrying",
        "step.completed",       "step.failed",      "step.skipped",      "step.cancelled",
        "run.cancel_requested", "run.completed",    "run.failed",        "run.cancelled",
        "items.completed",      "run.compensating", "child.finished",    "approval.requested",
        "approval.decided",     "approval.expired", "run.paused",        "run.resumed",
        "effect.failed"}) {
    EXPECT_TRUE(seen.event_types.contains(type)) << type << " never happened";
  }
}

}  // namespace
}  // namespace avow::engine
