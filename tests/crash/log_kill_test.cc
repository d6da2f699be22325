// SPDX-License-Identifier: Apache-2.0
// kill -9, and a loss of power, at the writes that finish runs: the n-th call on the file system,
// for n = 1, 2, 3, ... one server after the other on the same data directory, while callers read
// checkpoints and receipts. Whatever was served must hold for every server after it.
//
// AVOW_CRASH_CYCLES  how many kills
// AVOW_CRASH_SEED    which moment each has; four seeds in a row have them all. Repeats the kills,
// as
//                    far as the machine's timing lets it
#ifdef AVOW_FAULT_INJECTION
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>

#include "faults.h"
#include "onlooker.h"

namespace avow {
namespace {

constexpr std::size_t kCallers = 4;
/// Without orders, so that the log grows also where each server dies early.
constexpr std::size_t kRunsBetween = 4;
/// A server that meets no order is killed from outside after so many runs.
constexpr std::size_t kRunsOfAServer = 40;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

/// One kill of the sweep.
struct Kill {
  Moment moment;
  std::uint64_t number;
  std::string part;
};

/// Half of them at any call, the n-th for every n; the others at the few calls that decide what may
/// be believed and what may leave, which would seldom be met.
Kill nth_kill(std::uint64_t cycle, std::uint64_t seed) {
  const std::uint64_t turn = cycle / 4;
  const std::uint64_t place = cycle % 4;
  const auto moment = static_cast<Moment>((turn + place + seed) % 4);
  if (place == 2) return {moment, 1 + turn % 16, "log.watermark"};
  if (place == 3) return {moment, 1 + turn % 16, "sync:/data"};
  return {moment, 1 + 2 * turn + place, ":/data"};
}

std::unique_ptr<testing::ServerProcess> start(const testing::Deployment& deployment) {
  auto server = testing::ServerProcess::start(deployment, "log_level: warning\n");
  if (!server) ADD_FAILURE() << server.error().message;
  return server ? std::move(*server) : nullptr;
}

TEST(KillMinusNineAtAWrite, LeavesALogThatHoldsAllThatWasServed) {
  const std::uint64_t seed = number_of("AVOW_CRASH_SEED", std::random_device()());
  const std::uint64_t cycles = number_of("AVOW_CRASH_CYCLES", 130);
  std::printf("AVOW_CRASH_SEED=%llu\n", static_cast<unsigned long long>(seed));
  const testing::Deployment deployment(AVOW_PROGRAM);
  Onlooker onlooker(deployment);
  {
    const auto server = start(deployment);
    ASSERT_NE(server, nullptr);
    onlooker.prepare(server->port());
  }
  Faults faults(deployment);
  std::map<std::string, int> met;
  for (std::uint64_t cycle = 0; cycle < cycles; ++cycle) {
    const Kill kill = nth_kill(cycle, seed);
    SCOPED_TRACE(fmt::format("cycle {}: {} call {} of {}", cycle, moment_name(kill.moment),
                             kill.number, kill.part));
    faults.kill_at(kill.moment, kill.number, kill.part);
    // It may be killed before it listens.
    if (auto server = testing::ServerProcess::start(deployment, "log_level: warning\n")) {
      onlooker.use((*server)->port(), kCallers, kRunsOfAServer);
      if (faults.met().empty()) {
        (*server)->kill();
      } else {
        EXPECT_EQ((*server)->terminate(), -SIGKILL) << (*server)->log_end();
      }
    }
    ++met[faults.met().empty() ? "none: killed from outside" : faults.met()];
    faults.lift();
    onlooker.check_watermark();
    const auto server = start(deployment);
    ASSERT_NE(server, nullptr);
    onlooker.check(server->port());
    onlooker.use(server->port(), kCallers, kRunsBetween);
    if (HasFailure()) FAIL() << server->log_end();
    server->kill();
  }
  for (const auto& [call, times] : met) std::printf("%4d at %s\n", times, call.c_str());
  const auto server = start(deployment);
  ASSERT_NE(server, nullptr);
  onlooker.audit(server->port());
  std::printf("%zu runs, %zu checkpoints, %llu entries\n", onlooker.run_count(),
              onlooker.checkpoint_count(), static_cast<unsigned long long>(onlooker.seen_size()));
  for (const char* call :
       {"pwrite:/data/avow.db-wal", "fdatasync:/data/avow.db-wal", "write:/data/log.watermark.next",
        "fsync:/data/log.watermark.next", "rename:/data/log.watermark"}) {
    EXPECT_GT(met[call], 0) << call << " was never met: the test shows little";
  }
}

}  // namespace
}  // namespace avow
#endif
