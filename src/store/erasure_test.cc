// SPDX-License-Identifier: Apache-2.0
// RunChange::replaced: what is gone, what stays, and that no file keeps what is gone.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "base/rng.h"
#include "store/sqlite/connection.h"
#include "store/sqlite/page_scrubber.h"
#include "store/store_test_support.h"

namespace avow::store {
namespace {

/// An ended run with two pieces of contents, a plan of its own, labels and a kept answer.
Commit ended_run(RunId id, const std::string& secret) {
  Commit commit = creation(id);
  RunChange& change = *commit.run;
  change.row.status = RunStatus::kCompleted;
  change.journal = Segment{1, 9, "journal"};
  change.contents = Segment{2, 1, "contents " + secret};
  change.plan = "plan " + secret;
  change.labels = {{"label", secret}, {"other", secret}};
  commit.answer = answer_of("key of " + id.ulid(), "answer " + secret, at(9'000), Time{});
  commit.answer->run = id;
  return commit;
}

Commit erasure_of(RunRow& row, std::vector<Segment> kept) {
  Commit commit = change_of(row, [](RunRow&) {});
  commit.run->replaced = std::move(kept);
  return commit;
}

class Erasure : public ::testing::TestWithParam<const char*> {
 protected:
  Bench bench_{GetParam(), std::size_t{1} << 20};
  Store& store_ = bench_.store();

  std::size_t labelled(const std::string& secret) {
    RunQuery query;
    query.tenant = kTenant;
    query.labels = {{"label", secret}};
    return store_.list_runs(query)->size();
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, Erasure, ::testing::Values("memory", "sqlite"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(Erasure, DropsContentsLabelsAndAnswersOfThatRunAndNothingElse) {
  for (std::uint64_t n = 1; n <= 3; ++n) {
    ASSERT_TRUE(write(store_, ended_run(run_id(n), "same")));
  }
  const auto first = text_of(store_.read_run(run_id(1)));
  RunRow row = *store_.get_run(run_id(2));
  ASSERT_TRUE(write(store_, erasure_of(row, {{1, 1, "kept"}, {7, 2, "too"}})));

  RunRecord wanted = *store_.read_run(run_id(1));
  wanted.row = row;
  wanted.contents = {{1, 1, "kept"}, {7, 2, "too"}};
  wanted.labels.clear();
  EXPECT_EQ(text_of(store_.read_run(run_id(2))), text_of(wanted));
  EXPECT_EQ(labelled("same"), 2U);
  EXPECT_EQ(code_of(store_.find_answer("key of " + run_id(2).ulid(), at(1))), Code::kNotFound);
  EXPECT_EQ(store_.find_answer("key of " + run_id(3).ulid(), at(1))->run, run_id(3));
  EXPECT_EQ(text_of(store_.read_run(run_id(1))), first);
}

TEST_P(Erasure, ReplacesThePlanWhereOneIsGiven) {
  ASSERT_TRUE(write(store_, ended_run(run_id(1), "x")));
  RunRow row = *store_.get_run(run_id(1));
  Commit commit = erasure_of(row, {});
  commit.run->plan = "another";
  ASSERT_TRUE(write(store_, std::move(commit)));
  EXPECT_EQ(store_.read_run(run_id(1))->plan, "another");
  EXPECT_TRUE(store_.read_run(run_id(1))->contents.empty());

  Commit shared = creation(run_id(2));  // without a row of its origin
  shared.run->row.status = RunStatus::kFailed;
  ASSERT_TRUE(write(store_, std::move(shared)));
  row = *store_.get_run(run_id(2));
  ASSERT_TRUE(write(store_, erasure_of(row, {})));
  EXPECT_EQ(store_.read_run(run_id(2))->plan, std::nullopt);
  Commit own = erasure_of(row, {});
  own.run->plan = "its own";
  ASSERT_TRUE(write(store_, std::move(own)));
  EXPECT_EQ(store_.read_run(run_id(2))->plan, "its own");
}

TEST_P(Erasure, IsOfRunsThatHaveEndedOnly) {
  ASSERT_TRUE(write(store_, creation(run_id(1))));
  RunRow row = *store_.get_run(run_id(1));
  Commit ends = change_of(row, [](RunRow& to) { to.status = RunStatus::kCompleted; });
  Commit erases = ends;
  erases.run->replaced.emplace();
  EXPECT_EQ(code_of(write(store_, erases)), Code::kConflict);
  erases.run->row.status = RunStatus::kRunning;
  EXPECT_EQ(code_of(write(store_, erases)), Code::kInvalidArgument);
  EXPECT_TRUE(write(store_, ends));
}

TEST_P(Erasure, BringsNothingNewWithIt) {
  ASSERT_TRUE(write(store_, ended_run(run_id(1), "x")));
  RunRow row = *store_.get_run(run_id(1));
  const Commit good = erasure_of(row, {{1, 1, "a"}, {2, 1, "b"}});
  std::vector<Commit> bad(5, good);
  bad[0].run->journal = Segment{10, 1, "j"};
  bad[1].run->contents = Segment{10, 1, "c"};
  bad[2].run->labels = {{"a", "b"}};
  bad[3].run->replaced->at(1).first_seq = 1;
  bad[4].run->replaced->at(0).first_seq = 0;
  for (const auto& commit : bad) {
    EXPECT_EQ(code_of(write(store_, commit)), Code::kInvalidArgument);
  }
  EXPECT_TRUE(write(store_, good));
}

std::string bytes_of(const std::string& path) {
  std::ostringstream bytes;
  bytes << std::ifstream(path, std::ios::binary).rdbuf();
  return bytes.str();
}

/// Upper-case letters that no compression shortens below themselves.
std::string secret_of(std::uint64_t n) {
  SeededRng rng(n);
  std::string secret = fmt::format("SECRET{:06}", n);
  while (secret.size() < 48) secret.push_back(static_cast<char>('!' + rng.below(90)));
  return secret;
}

std::string noise(SeededRng& rng, std::size_t size) {
  std::string bytes(size, '\0');
  for (char& byte : bytes) byte = static_cast<char>(rng.next());
  return bytes;
}

/// Gives all to the store at once, and waits for the last.
void write_all(Store& store, std::vector<Commit> commits) {
  const std::size_t last = commits.size() - 1;
  for (std::size_t i = 0; i < last; ++i) {
    store.commit(std::move(commits[i]), [](const Result<void>& done) { EXPECT_TRUE(done); });
  }
  EXPECT_TRUE(write(store, std::move(commits[last])));
}

// Runs of many sizes, several commits each, in one another's way: pages of every tree are split,
// merged and rebuilt before the erasure, and so leave copies of what they held.
TEST(SqliteErasure, LeavesNoByteOfItInAnyFile) {
  constexpr std::uint64_t kRuns = 400;
  const std::uint64_t seed = 20'261'122;
  SCOPED_TRACE(fmt::format("seed {}", seed));
  SeededRng rng(seed);
  const Directory directory;
  auto created = SqliteStore::create(directory.options());
  ASSERT_TRUE(created);
  Store& store = **created;
  std::vector<RunRow> rows(kRuns);
  for (std::uint64_t n = 0; n < kRuns; ++n) {
    Commit commit = ended_run(run_id(n + 1), secret_of(n));
    commit.run->row.status = RunStatus::kRunning;
    commit.run->row.summary = secret_of(n);
    rows[n] = commit.run->row;
    ASSERT_TRUE(write(store, std::move(commit)));
  }
  for (std::uint32_t i = 0; i < 5 * kRuns; ++i) {
    const std::uint64_t n = rng.below(kRuns);
    Commit commit = change_of(
        rows[n], [&](RunRow& row) { row.summary = secret_of(n) + noise(rng, rng.below(300)); });
    const auto next = static_cast<std::uint32_t>(10 + rows[n].version);
    commit.run->journal = Segment{next - 2, 1, noise(rng, rng.below(600))};
    commit.run->contents = Segment{next - 2, 1, secret_of(n) + noise(rng, rng.below(3'000))};
    ASSERT_TRUE(write(store, std::move(commit)));
  }
  const auto files = [&] {
    return bytes_of(directory.file("avow.db")) + bytes_of(directory.file("avow.db-wal"));
  };
  const auto before = files();
  int shown = 0;
  for (std::uint64_t n = 0; n < kRuns; ++n) shown += before.find(secret_of(n)) != std::string::npos;
  ASSERT_EQ(shown, kRuns);

  std::vector<Commit> commits;
  for (std::uint64_t n = 0; n < kRuns; n += 2) {
    commits.push_back(change_of(rows[n], [](RunRow& row) { row.status = RunStatus::kCompleted; }));
    Commit erases = erasure_of(rows[n], {});
    erases.run->row.summary = rows[n].summary = "";
    erases.run->plan = "erased";
    commits.push_back(std::move(erases));
  }
  write_all(store, std::move(commits));
  const auto found_wrongly = [&files] {
    const auto bytes = files();
    std::string wrong;
    for (std::uint64_t n = 0; n < kRuns; ++n) {
      const bool is_there = bytes.find(secret_of(n)) != std::string::npos;
      if (is_there != (n % 2 == 1)) wrong += fmt::format(" {}", n);
    }
    return wrong;
  };
  EXPECT_EQ(found_wrongly(), "");
  // Nor does it come back with pages that are written again.
  commits.clear();
  for (std::uint64_t n = 1; n < kRuns; n += 2) {
    commits.push_back(change_of(rows[n], [](RunRow& row) { row.summary += 's'; }));
  }
  write_all(store, std::move(commits));
  EXPECT_EQ(found_wrongly(), "");
  for (std::uint64_t n = 0; n < kRuns; ++n) {
    const auto run = store.read_run(run_id(n + 1));
    ASSERT_TRUE(run);
    EXPECT_EQ(text_of(run->row), text_of(rows[n]));
    EXPECT_EQ(run->contents.empty(), n % 2 == 0);
  }
  store.stop();
  auto file = Connection::open(directory.file("avow.db"), Connection::Mode::kRead);
  ASSERT_TRUE(file);
  auto check = (*file)->query("PRAGMA integrity_check");
  ASSERT_TRUE(check && check->next());
  EXPECT_EQ(check->view(0), "ok");
}

/// A store with one ended run, and a reader from before its erasure, which keeps the old contents
/// in the write-ahead log.
class SqliteErasureBehindAReader : public ::testing::Test {
 protected:
  explicit SqliteErasureBehindAReader(Duration forget_time_max = std::chrono::hours(1)) {
    SqliteOptions options = directory_.options();
    options.forget_time_max = forget_time_max;
    auto created = SqliteStore::create(options);
    CHECK(created.has_value());
    store_ = std::move(*created);
    CHECK(write(*store_, ended_run(run_id(1), secret_of(1))).has_value());
    row_ = *store_->get_run(run_id(1));
    auto reading = Connection::open(directory_.file("avow.db"), Connection::Mode::kRead);
    CHECK(reading.has_value());
    reader_ = std::move(*reading);
    CHECK(reader_->execute("BEGIN").has_value());
    CHECK(reader_->integer("SELECT count(*) FROM runs").has_value());  // its moment begins here
  }
  ~SqliteErasureBehindAReader() override { store_->stop(); }

  std::future<Result<void>> erase() {
    auto answered = std::make_shared<std::promise<Result<void>>>();
    Commit commit = erasure_of(row_, {});
    commit.run->plan = "erased";
    store_->commit(std::move(commit),
                   [answered](Result<void> done) { answered->set_value(std::move(done)); });
    return answered->get_future();
  }
  /// Other commits are answered, and when the second one is, the erasure was tried once.
  void write_others() {
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(write(*store_, creation(run_id(++others_))));
  }
  bool is_in_a_file() {
    return (bytes_of(directory_.file("avow.db")) + bytes_of(directory_.file("avow.db-wal")))
               .find(secret_of(1)) != std::string::npos;
  }
  static bool is_answered(const std::future<Result<void>>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }

  const Directory directory_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<Connection> reader_;
  RunRow row_;
  std::uint64_t others_ = 1;
};

TEST_F(SqliteErasureBehindAReader, IsAnsweredWhenItIsGoneAndOthersDoNotWaitForIt) {
  auto erased = erase();
  write_others();
  EXPECT_FALSE(is_answered(erased));
  EXPECT_TRUE(store_->read_run(run_id(1))->contents.empty());
  EXPECT_TRUE(is_in_a_file());
  EXPECT_TRUE(store_->health());  // nothing is late yet
  reader_.reset();
  // No commit comes any more: it is tried again by itself.
  ASSERT_EQ(erased.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(erased.get());
  EXPECT_FALSE(is_in_a_file());
}

TEST_F(SqliteErasureBehindAReader, IsAnsweredWhenTheStoreStops) {
  auto erased = erase();
  write_others();
  reader_.reset();
  store_->stop();
  ASSERT_TRUE(is_answered(erased));
  EXPECT_TRUE(erased.get());
  EXPECT_FALSE(is_in_a_file());
}

TEST_F(SqliteErasureBehindAReader, IsUnknownWhenTheStoreStopsBeforeItIsGone) {
  auto erased = erase();
  store_->stop();
  ASSERT_TRUE(is_answered(erased));
  EXPECT_EQ(code_of(erased.get()), Code::kOutcomeUnknown);
}

class SqliteErasureInAHurry : public SqliteErasureBehindAReader {
 protected:
  SqliteErasureInAHurry() : SqliteErasureBehindAReader(Duration(0)) {}
};

TEST_F(SqliteErasureInAHurry, IsTriedUntilItIsGoneAlsoWhereNobodyWaitsAnyMore) {
  EXPECT_EQ(code_of(erase().get()), Code::kOutcomeUnknown);
  EXPECT_TRUE(store_->read_run(run_id(1))->contents.empty());
  write_others();
  const auto health = store_->health();
  EXPECT_EQ(code_of(health), Code::kUnavailable);
  EXPECT_NE(health.error().message.find("erased"), std::string::npos) << health.error().message;
  EXPECT_TRUE(is_in_a_file());
  reader_.reset();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!store_->health() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(store_->health());
  EXPECT_FALSE(is_in_a_file());
}

TEST_F(SqliteErasureInAHurry, IsNoSuccessWhereNothingIsLeftToEraseButAFileStillHoldsIt) {
  EXPECT_EQ(code_of(erase().get()), Code::kOutcomeUnknown);
  EXPECT_EQ(code_of(erase().get()), Code::kOutcomeUnknown);
  reader_.reset();
  EXPECT_TRUE(erase().get());
  EXPECT_FALSE(is_in_a_file());
}

TEST(PageScrubber, ZeroesOnlyWhatNoCellHoldsAndOnlyInPagesOfATree) {
  // A leaf with two cells, which begin at 500.
  std::string leaf(512, 'x');
  leaf.replace(0, 8, std::string("\x0d\0\0\0\x02\x01\xf4\0", 8));
  std::string wanted = leaf;
  wanted.replace(12, 488, std::string(488, '\0'));
  std::string page = leaf;
  scrub_page(page, false);
  EXPECT_TRUE(page == wanted);

  std::string first = std::string(100, 'h') + leaf.substr(0, 412);
  wanted = first;
  wanted.replace(112, 388, std::string(388, '\0'));
  scrub_page(first, true);
  EXPECT_TRUE(first == wanted);

  std::string overflow = leaf;
  overflow[0] = '\0';
  std::string broken = leaf;
  broken[5] = '\x7f';  // its cells would begin behind its end
  for (const std::string& other : {overflow, broken}) {
    page = other;
    scrub_page(page, false);
    EXPECT_TRUE(page == other);
  }
}

}  // namespace
}  // namespace avow::store
