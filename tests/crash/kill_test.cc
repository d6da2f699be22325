// SPDX-License-Identifier: Apache-2.0
// kill -9 at random instants. The instants are counted, not timed: the n-th thing that the outside
// sees of the server (an acknowledged start, a call of a webhook, a task given out or done).
// AVOW_CRASH_SEED repeats one choice of them, as far as the machine's timing lets it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>
#include <thread>

#include "base/rng.h"
#include "fleet.h"

namespace avow {
namespace {

constexpr std::size_t kRuns = 200;
constexpr int kKills = 8;
constexpr int kKillsWhileStarting = 3;

std::uint64_t choose_seed() {
  const char* const given = std::getenv("AVOW_CRASH_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
}

/// Answers after 50 to 800 ms, the same for every call under one key.
testing::StubAnswer answer_slowly(const testing::StubCall& call) {
  const std::size_t hash = std::hash<std::string>()(call.key);
  return {.body = call.body, .delay = Duration(50 + hash % 750)};
}

std::unique_ptr<testing::ServerProcess> start(const Fleet& fleet) {
  auto server = testing::ServerProcess::start(fleet.deployment(), Fleet::config());
  if (!server) ADD_FAILURE() << server.error().message;
  return server ? std::move(*server) : nullptr;
}

TEST(KillMinusNine, LosesNothingAcknowledgedAndRepeatsNoRecordedStep) {
  const std::uint64_t seed = choose_seed();
  RecordProperty("seed", std::to_string(seed));
  std::printf("AVOW_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
  SeededRng rng(seed);
  Fleet fleet(kRuns, answer_slowly);
  for (int round = 0; round <= kKills; ++round) {
    const auto server = start(fleet);
    ASSERT_NE(server, nullptr);
    const std::uint16_t port = server->port();
    if (round == 0) fleet.prepare(port);
    {
      std::jthread first([&] { fleet.start_runs(port); });
      std::jthread second([&] { fleet.start_runs(port); });
      const std::jthread worker([&] { fleet.work(port); });
      if (round >= kKillsWhileStarting) {
        first.join();
        second.join();
        ASSERT_EQ(fleet.started(), kRuns);
      }
      if (round < kKills) {
        const std::size_t running = fleet.running(port);
        EXPECT_TRUE(fleet.instants().wait(1 + rng.below(40))) << "the server does nothing";
        server->kill();
        std::printf("kill %d: %zu of %zu were started, and %zu ran a moment before\n", round + 1,
                    fleet.started(), kRuns, running);
        continue;
      }
      fleet.await_ends(port);
      fleet.stop_work();
    }
    fleet.check(port);
    EXPECT_EQ(server->terminate(), 0) << server->log_end();
  }
  std::printf("%zu effects were in doubt\n", fleet.in_doubt());
  EXPECT_GT(fleet.in_doubt(), 0U) << "no kill hit a call under way: the test shows little";
}

TEST(Sigterm, LetsCallsUnderWayEndAndLosesNothing) {
  // Long enough that some are under way when the signal comes.
  Fleet fleet(60, [](const testing::StubCall& call) {
    return testing::StubAnswer{.body = call.body, .delay = Duration(300)};
  });
  auto server = start(fleet);
  ASSERT_NE(server, nullptr);
  fleet.prepare(server->port());
  {
    const std::jthread starter([&] { fleet.start_runs(server->port()); });
    ASSERT_TRUE(fleet.instants().wait(60));
    EXPECT_EQ(server->terminate(), 0) << server->log_end();
  }
  ASSERT_FALSE(fleet.calls().empty());
  const auto before = fleet.calls();

  server = start(fleet);
  ASSERT_NE(server, nullptr);
  {
    const std::jthread worker([&] { fleet.work(server->port()); });
    fleet.start_runs(server->port());
    fleet.await_ends(server->port());
    fleet.stop_work();
  }
  fleet.check(server->port());
  // Every call that had left was waited for: no key was used twice.
  std::set<std::string> keys;
  for (const testing::StubCall& call : fleet.calls()) {
    EXPECT_TRUE(keys.insert(call.key).second) << call.key << " was called again";
  }
  EXPECT_GT(keys.size(), before.size());
  EXPECT_EQ(server->terminate(), 0) << server->log_end();
}

}  // namespace
}  // namespace avow
