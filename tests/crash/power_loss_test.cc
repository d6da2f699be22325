// SPDX-License-Identifier: Apache-2.0
// A loss of power at every sync of the store, and between: the store and its log are written on a
// recorded disk, and opened again on whatever each loss of power would have left. What was
// acknowledged is there, no commit is there by half, the log is whole, and what was erased is gone.
//
// AVOW_POWER_SEED    what is written, and what each loss leaves
// AVOW_POWER_LOSSES  how many losses at least; each further record has the next seed
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <future>
#include <set>
#include <unordered_set>

#include "crypto/sha256.h"
#include "provenance/content.h"
#include "recorded_disk.h"
#include "store/sqlite/sqlite_store.h"
#include "testing/engine_world.h"
#include "tests/simulation/log_promises.h"
#include "tlog/watermark.h"

namespace avow {
namespace {

namespace fs = std::filesystem;
using testing::test_log_keys;

constexpr std::uint64_t kCommits = 300;  // more than a tile of the log
constexpr int kSessions = 3;
/// Moves the write-ahead log into the file every few transactions.
constexpr std::size_t kWalBytesTarget = std::size_t{128} << 10;
constexpr std::uint32_t kEventsOfACommit = 2;
constexpr std::uint64_t kCommitsOfARun = 4;  // the last one ends it, or erases it
/// Of the marks: beside the number of a commit that is acknowledged.
constexpr std::uint64_t kCreated = 1'000'000;
constexpr std::uint64_t kRaising = 2'000'000;  ///< The watermark, to `bytes`.
constexpr std::uint64_t kRaised = 3'000'000;

std::uint64_t number_of(const char* name, std::uint64_t otherwise) {
  const char* const given = std::getenv(name);
  return given != nullptr ? std::strtoull(given, nullptr, 10) : otherwise;
}

std::string random_bytes(std::uint64_t seed, std::size_t count) {
  SeededRng chance(seed);
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>(chance.next());
  return bytes;
}

// ------------------------------------------------------------------------------- what is written

/// The n-th commit, from 1: everything that a commit can hold, all of it known by n.
struct Part {
  explicit Part(std::uint64_t number) : n(number) {}
  const std::uint64_t n;
  [[nodiscard]] RunId run() const { return RunId{Id{1 + (n - 1) / kCommitsOfARun, 1 << 20}}; }
  [[nodiscard]] std::uint64_t version() const { return 1 + (n - 1) % kCommitsOfARun; }
  [[nodiscard]] bool is_last() const { return version() == kCommitsOfARun; }
  /// Of every other run its last commit is the erasure of it.
  [[nodiscard]] bool is_erasure() const { return is_last() && run().value.high % 2 == 0; }
  [[nodiscard]] Id id() const { return Id{n, 3 << 20}; }
  [[nodiscard]] TenantId tenant() const { return TenantId{Id{1 + n % 3, 2 << 20}}; }
  [[nodiscard]] std::string key() const {
    return std::string(view_of(crypto::sha256(fmt::format("{}", n))));
  }
  [[nodiscard]] std::string contents() const { return random_bytes(n, 200 + n * 37 % 3000); }
  [[nodiscard]] std::string journal() const { return fmt::format("events of {}", n); }
};

store::Commit commit_of(const Part& part) {
  store::Commit commit;
  store::RunChange& change = commit.run.emplace();
  change.row.id = part.run();
  change.row.tenant = TenantId{Id{1, 2 << 20}};
  change.row.version = part.version();
  change.expected_version = part.version() - 1;
  change.row.status = part.version() + 1 < kCommitsOfARun ? store::RunStatus::kRunning
                                                          : store::RunStatus::kCompleted;
  change.row.created_at = Time(Duration(1'790'000'000'000));
  change.row.summary = fmt::format("after {}", part.n);
  if (part.version() == 1) {
    change.plan = "a plan";
    change.labels = {{"of", fmt::format("{}", part.n)}};
  }
  if (part.is_erasure()) {
    change.replaced.emplace();
  } else {
    const auto first = static_cast<std::uint32_t>((part.version() - 1) * kEventsOfACommit + 1);
    change.journal = store::Segment{first, kEventsOfACommit, part.journal()};
    change.contents = store::Segment{first, kEventsOfACommit, part.contents()};
  }
  store::Record record{.kind = store::RecordKind::kTool,
                       .tenant = part.tenant(),
                       .id = part.id(),
                       .unique_key = fmt::format("tool {}", part.n),
                       .name = "a tool",
                       .status = "active",
                       .version = 1,
                       .body = part.journal()};
  commit.records.push_back({std::move(record), 0, false});
  store::TaskRow task;
  task.id = TaskId{part.id()};
  task.run = part.run();
  task.step = "a step";
  commit.tasks.push_back({task, false});
  commit.answer = store::IdempotentAnswer{.key = part.key(),
                                          .body_digest = part.key(),
                                          .answer = part.journal(),
                                          .expires_at = Time::max()};
  provenance::Statement statement;
  statement.type = provenance::StatementType::kAdminChanged;
  statement.tenant = part.tenant();
  statement.id = part.id();
  statement.created_at = change.row.created_at;
  statement.subject = "tool";
  statement.change = "created";
  commit.statements.push_back(tlog::queued(statement));
  return commit;
}

/// A store, and the log that its server would have opened.
struct Opened {
  std::unique_ptr<store::SqliteStore> store;
  testing::Scheduler clock;
  SeededRng rng{1};
  std::unique_ptr<tlog::Sequencer> sequencer;

  explicit Opened(std::unique_ptr<store::SqliteStore> opened) : store(std::move(opened)) {
    auto log = tlog::Sequencer::open(*store, test_log_keys(), clock, rng, {.signing_threads = 0});
    CHECK(log.has_value());
    sequencer = std::move(*log);
    store->set_hook(*sequencer);
  }
  ~Opened() { store->stop(); }
};

store::SqliteOptions options_of(const fs::path& folder) {
  store::SqliteOptions options;
  options.directory = folder.string();
  options.readers = 1;
  options.wal_bytes_target = kWalBytesTarget;
  return options;
}

/// Writes all commits in bursts of a few that may share a transaction, and raises the watermark now
/// and then, in several sessions.
class Recording {
 public:
  Recording(const fs::path& folder, std::uint64_t seed) : folder_(folder), chance_(seed) {
    for (int session = 0; session < kSessions; ++session) {
      auto store = session == 0 ? store::SqliteStore::create(options_of(folder))
                                : store::SqliteStore::open(options_of(folder));
      CHECK(store.has_value());
      if (session == 0) {
        record_.note({DiskStep::Kind::kSyncFolder, {}, 0, {}});
        mark(kCreated);
      }
      Opened opened(std::move(*store));
      const std::uint64_t until = kCommits * static_cast<std::uint64_t>(session + 1) / kSessions;
      while (next_ <= until) write_burst(opened);
    }
  }
  [[nodiscard]] std::vector<DiskStep> steps() const { return record_.steps(); }

 private:
  void mark(std::uint64_t what, std::string bytes = {}) {
    record_.note({DiskStep::Kind::kMark, {}, what, std::move(bytes)});
  }

  void write_burst(Opened& opened) {
    std::vector<std::future<void>> answers;
    for (std::uint64_t count = 1 + chance_.below(4); count > 0 && next_ <= kCommits; --count) {
      auto answered = std::make_shared<std::promise<void>>();
      answers.push_back(answered->get_future());
      opened.store->commit(commit_of(Part(next_)), [this, n = next_, answered](Result<void> done) {
        CHECK(done.has_value());
        mark(n);
        answered->set_value();
      });
      ++next_;
    }
    for (auto& answer : answers) answer.wait();
    if (chance_.below(4) > 0) return;
    const merkle::Checkpoint seen = opened.sequencer->head()->checkpoint;
    mark(kRaising, seen.text());
    auto watermark = tlog::Watermark::open((folder_ / "log.watermark").string());
    CHECK(watermark.has_value() && (*watermark)->raise(seen).has_value());
    mark(kRaised);
  }

  const fs::path folder_;
  SeededRng chance_;
  std::uint64_t next_ = 1;
  DiskRecord record_;
};

// ------------------------------------------------------------------------------ what is left of it

/// What somebody was told before the power was lost.
struct Told {
  bool is_created = false;
  std::set<std::uint64_t> acknowledged;
  std::string watermark;               ///< Empty: none.
  std::optional<std::string> raising;  ///< To this, perhaps.

  void hear(const DiskStep& mark) {
    if (mark.offset == kCreated) {
      is_created = true;
    } else if (mark.offset == kRaising) {
      raising = mark.bytes;
    } else if (mark.offset == kRaised) {
      watermark = *std::exchange(raising, std::nullopt);
    } else {
      acknowledged.insert(mark.offset);
    }
  }
};

/// How many of the rows of a commit are there, of how many.
std::pair<int, int> rows_there(store::Store& store, const Part& part) {
  const auto run = store.read_run(part.run());
  bool is_in_journal = false;
  bool has_contents = false;
  if (run) {
    for (const store::Segment& segment : run->journal)
      is_in_journal = is_in_journal || segment.bytes == part.journal();
    for (const store::Segment& segment : run->contents)
      has_contents = has_contents || segment.bytes == part.contents();
  }
  const bool is_at_version = run && run->row.version >= part.version();
  const bool is_erased = run && run->row.version == kCommitsOfARun &&
                         Part(part.run().value.high * kCommitsOfARun).is_erasure();
  std::vector<bool> rows = {is_at_version,
                            store.get_record(store::RecordKind::kTool, part.id()).has_value(),
                            store.get_task(TaskId{part.id()}).has_value(),
                            store.find_answer(part.key(), Time()).has_value(),
                            store.find_statement(part.id()).has_value()};
  rows.push_back(part.is_erasure() ? is_at_version && run->contents.empty() : is_in_journal);
  rows.push_back(part.is_erasure() || is_erased ? is_at_version : has_contents);
  return {static_cast<int>(std::count(rows.begin(), rows.end(), true)),
          static_cast<int>(rows.size())};
}

/// Full tiles are the hashes of the entries below them.
void expect_tiles(store::Store& store, const std::vector<store::LogEntry>& log) {
  constexpr std::size_t kWidth = 256;
  for (std::size_t tile = 0; (tile + 1) * kWidth <= log.size(); ++tile) {
    const auto stored = store.get_log_tile(log.front().log, 0, tile);
    ASSERT_TRUE(stored.has_value());
    std::string hashes;
    for (std::size_t i = 0; i < kWidth; ++i)
      hashes += view_of(merkle::hash_leaf(log[tile * kWidth + i].entry));
    EXPECT_EQ(stored->bytes, hashes);
  }
}

void expect_log(Opened& opened, const Told& told) {
  EXPECT_EQ(opened.sequencer->sealed(), std::nullopt);
  engine::Story story;
  if (auto head = opened.store->newest_log_head()) {
    story.head = *head;
    story.log = *opened.store->read_log(head->log, 0, 2 * kCommits);
    expect_tiles(*opened.store, story.log);
  }
  EXPECT_EQ(engine::EveryTenantHasOneChain().judge(story), std::nullopt);
  EXPECT_EQ(engine::TheHeadIsTheTree().judge(story), std::nullopt);
  if (told.watermark.empty()) return;
  const auto seen = merkle::Checkpoint::parse(told.watermark);
  ASSERT_TRUE(seen.has_value());
  const auto mismatch =
      tlog::mismatch(*opened.store, test_log_keys().origin, opened.sequencer->head(), *seen);
  ASSERT_TRUE(mismatch.has_value());
  EXPECT_EQ(*mismatch, std::nullopt) << "what was seen of the log is not in it";
}

void expect_integrity(const fs::path& folder) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "avow.db").c_str(), &db), SQLITE_OK);
  std::string answer;
  const auto append = [](void* to, int, char** values, char**) {
    *static_cast<std::string*>(to) += values[0];
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(db, "PRAGMA integrity_check", append, &answer, nullptr), SQLITE_OK);
  EXPECT_EQ(answer, "ok");
  sqlite3_close(db);
}

void expect_all_that_was_told(const fs::path& folder, const Told& told) {
  auto store = store::SqliteStore::open(options_of(folder));
  if (!store && !told.is_created) {
    // It is completed by doing it again.
    EXPECT_EQ(store.error().code, Code::kNotFound) << store.error().message;
    store = store::SqliteStore::create(options_of(folder));
  }
  ASSERT_TRUE(store.has_value()) << store.error().message;
  {
    Opened opened(std::move(*store));
    for (std::uint64_t n = 1; n <= kCommits; ++n) {
      // Of the older ones some each time.
      if (n + 40 < told.acknowledged.size() && n % 16 != told.acknowledged.size() % 16) continue;
      const auto [there, all] = rows_there(*opened.store, Part(n));
      EXPECT_TRUE(there == 0 || there == all) << there << " of " << all << " rows of commit " << n;
      EXPECT_TRUE(there == all || !told.acknowledged.contains(n))
          << "commit " << n << " was acknowledged";
      // Bursts are of four at most: nothing was asked for behind them.
      if (there == 0 && n > told.acknowledged.size() + 4) break;
    }
    expect_log(opened, told);
  }
  expect_integrity(folder);
}

/// Of the runs whose erasure was answered last.
void expect_erased(const std::map<std::string, std::string>& files, const Told& told) {
  const std::uint64_t newest = told.acknowledged.size();
  for (std::uint64_t n = newest; n > 0 && n + 4 * kCommitsOfARun > newest; --n) {
    if (!Part(n).is_erasure() || !told.acknowledged.contains(n)) continue;
    for (std::uint64_t before = n - kCommitsOfARun + 1; before < n; ++before) {
      const std::string erased = Part(before).contents().substr(0, 64);
      for (const auto& [name, bytes] : files) {
        EXPECT_EQ(bytes.find(erased), std::string::npos)
            << name << " holds what commit " << n << " erased";
      }
    }
  }
}

// ----------------------------------------------------------------------------------------- losses

class PowerLoss : public ::testing::Test {
 protected:
  PowerLoss() {
    std::string pattern = ::testing::TempDir() + "avow-power-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
  }
  ~PowerLoss() override { fs::remove_all(folder_); }

  /// Loses the power at every sync and change of a file's size or name, and now and then between.
  void sweep(std::uint64_t seed) {
    SeededRng chance(seed);
    fs::create_directory(folder_ / "recorded");
    // The record ends before anything is looked at.
    const std::vector<DiskStep> steps = Recording(folder_ / "recorded", seed).steps();
    Disk disk;
    Told told;
    for (const DiskStep& step : steps) {
      const bool is_sync = step.kind == DiskStep::Kind::kSync;
      const bool is_passed = step.kind == DiskStep::Kind::kMark ||
                             (step.kind == DiskStep::Kind::kWrite && chance.below(40) > 0);
      if (!is_passed) {
        lose_power(disk, told, is_sync ? Kept::kNothing : Kept::kEverything, chance);
        lose_power(disk, told, chance.below(2) == 0 ? Kept::kBeginning : Kept::kSome, chance);
      }
      if (HasFailure()) return;
      syncs_ += is_sync ? 1 : 0;
      if (step.kind == DiskStep::Kind::kMark) told.hear(step);
      disk.apply(step);
    }
    EXPECT_EQ(told.acknowledged.size(), kCommits);
    fs::remove_all(folder_ / "recorded");
  }

  void lose_power(const Disk& disk, const Told& told, Kept kept, SeededRng& chance) {
    const auto files = disk.lose_power(kept, chance);
    Told known = told;
    if (known.raising && chance.below(2) == 0) known.watermark = *known.raising;
    std::string all = fmt::format("{} {}", known.acknowledged.size(), known.watermark);
    for (const auto& [name, bytes] : files) all += name + bytes;
    if (!seen_.insert(std::hash<std::string>()(all)).second) return;
    const fs::path after = folder_ / "after";
    fs::create_directory(after);
    for (const auto& [name, bytes] : files) std::ofstream(after / name) << bytes;
    SCOPED_TRACE(fmt::format("loss {}, keeping {}, after {} acknowledgements", losses_,
                             static_cast<int>(kept), known.acknowledged.size()));
    expect_erased(files, known);
    expect_all_that_was_told(after, known);
    fs::remove_all(after);
    ++losses_;
  }

  fs::path folder_;
  std::unordered_set<std::size_t> seen_;  ///< What was looked at already.
  std::size_t losses_ = 0;
  std::size_t syncs_ = 0;
};

TEST_F(PowerLoss, LosesNothingAcknowledgedAndLeavesNothingByHalf) {
  log::start(log::Level::kOff);
  const std::uint64_t first = number_of("AVOW_POWER_SEED", 1);
  const std::uint64_t losses = number_of("AVOW_POWER_LOSSES", 1);
  for (std::uint64_t seed = first; losses_ < losses; ++seed) {
    SCOPED_TRACE(fmt::format("AVOW_POWER_SEED={}", seed));
    sweep(seed);
    if (HasFailure()) return;
  }
  std::printf("%zu losses of power, at %zu syncs and between\n", losses_, syncs_);
  EXPECT_GT(syncs_, kCommits / 4);
}

}  // namespace
}  // namespace avow
