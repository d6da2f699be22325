// SPDX-License-Identifier: Apache-2.0
// What only the store on disk promises: that it is there again, whatever ended the process.
#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>

#include "base/log.h"
#include "base/rng.h"
#include "store/sqlite/compression.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/schema.h"
#include "store/store_test_support.h"

namespace {
std::atomic<bool> syncs_fail = false;

int sync_or_fail(long number, int descriptor) {
  if (!syncs_fail) return static_cast<int>(::syscall(number, descriptor));
  errno = EIO;
  return -1;
}
}  // namespace

// These stand before libc's, for SQLite as well: a disk whose sync fails on demand.
extern "C" int fsync(int descriptor) { return sync_or_fail(SYS_fsync, descriptor); }
extern "C" int fdatasync(int descriptor) { return sync_or_fail(SYS_fdatasync, descriptor); }

namespace avow::store {
namespace {

/// Stops the store at the end of its scope.
class Opened {
 public:
  explicit Opened(Result<std::unique_ptr<SqliteStore>> store) {
    if (!store) ADD_FAILURE() << store.error().message;
    CHECK(store.has_value());
    store_ = std::move(*store);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() { store_->stop(); }
  SqliteStore* operator->() { return store_.get(); }
  SqliteStore& operator*() { return *store_; }

 private:
  std::unique_ptr<SqliteStore> store_;
};

/// Bytes that only (run, seq) explains, of a length that differs.
std::string segment_bytes(char kind, std::uint64_t run, std::uint32_t seq) {
  const std::string piece = fmt::format("{}{}.{};", kind, run, seq);
  std::string out;
  for (std::uint64_t i = 0; i < 1 + (run * 31 + seq * 17) % 400; ++i) out += piece;
  return out;
}

/// Commit number `version` of run `n`: one event, one content.
Commit nth_commit(std::uint64_t n, std::uint32_t version) {
  Commit commit;
  RunChange& change = commit.run.emplace();
  change.row.id = run_id(n);
  change.row.tenant = TenantId{{1, 1}};
  change.row.version = version;
  change.row.wake_at = Time(Duration(version));
  change.row.summary = fmt::format("summary {}", version);
  change.expected_version = version - 1;
  change.journal = Segment{version, 1, segment_bytes('j', n, version)};
  change.contents = Segment{version, 1, segment_bytes('c', n, version)};
  return commit;
}

/// That `run` is what nth_commit() 1 to its version wrote, and nothing else.
void expect_whole(const RunRecord& run, std::uint64_t n) {
  const auto version = static_cast<std::uint32_t>(run.row.version);
  EXPECT_EQ(run.row.summary, fmt::format("summary {}", version));
  ASSERT_EQ(run.journal.size(), version);
  ASSERT_EQ(run.contents.size(), version);
  for (std::uint32_t seq = 1; seq <= version; ++seq) {
    EXPECT_EQ(run.journal[seq - 1].first_seq, seq);
    EXPECT_EQ(run.journal[seq - 1].bytes, segment_bytes('j', n, seq));
    EXPECT_EQ(run.contents[seq - 1].bytes, segment_bytes('c', n, seq));
  }
}

/// SQL on the file of a store that nobody has open.
void execute(const std::string& file, const std::string& sql) {
  sqlite3* db = nullptr;
  CHECK(sqlite3_open(file.c_str(), &db) == SQLITE_OK);
  CHECK(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(db);
}

TEST(SqliteStore, HoldsEverythingWhenItIsOpenedAgain) {
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
    ASSERT_TRUE(store->put_meta("origin", "avow.local"));
    for (std::uint32_t version = 1; version <= 5; ++version) {
      Commit commit = nth_commit(1, version);
      if (version == 1) {
        commit.run->plan = "plan";
        commit.run->labels = {{"a", "b"}};
        commit.records.push_back(
            {{RecordKind::kAgent, {}, {1, 1}, "key", "name", "active", 1, "body"}, 0, false});
        commit.tasks.push_back({{TaskId{{1, 1}}, {}, {}, run_id(1), "step", 1, {}, {}, ""}, false});
        commit.answer = IdempotentAnswer{"key", "digest", "answer", Time(Duration(9)), Time{}};
      }
      ASSERT_TRUE(write(*store, std::move(commit)));
    }
  }
  Opened store(SqliteStore::open(directory.options()));
  EXPECT_EQ(*store->get_meta("origin"), "avow.local");
  const auto run = store->read_run(run_id(1));
  ASSERT_TRUE(run);
  expect_whole(*run, 1);
  EXPECT_EQ(run->plan, "plan");
  EXPECT_EQ(run->labels, (Labels{{"a", "b"}}));
  EXPECT_EQ(store->find_record(RecordKind::kAgent, "key")->body, "body");
  EXPECT_EQ(store->get_task(TaskId{{1, 1}})->step, "step");
  EXPECT_EQ(store->find_answer("key", Time{})->answer, "answer");
  EXPECT_EQ(store->active_runs({}, 9)->size(), 1U);
  EXPECT_EQ(store->timers({}, 9)->size(), 1U);
  EXPECT_TRUE(write(*store, nth_commit(1, 6)));
}

TEST(SqliteStore, IsCreatedOnceAndOpenedOnlyWhereItIs) {
  const Directory directory;
  const auto missing = SqliteStore::open(directory.options());
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  {
    Opened store(SqliteStore::create(directory.options()));
  }
  const auto again = SqliteStore::create(directory.options());
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::kConflict);
  EXPECT_NE(again.error().message.find(directory.options().directory), std::string::npos);
  SqliteOptions nowhere = directory.options();
  nowhere.directory += "/no/such";
  EXPECT_EQ(SqliteStore::create(nowhere).error().code, Code::kUnavailable);
}

TEST(SqliteStore, CompletesACreationThatACrashCutOff) {
  const Directory directory;
  {
    const std::ofstream empty(directory.file("avow.db"));
  }
  EXPECT_EQ(SqliteStore::open(directory.options()).error().code, Code::kNotFound);
  Opened store(SqliteStore::create(directory.options()));
  EXPECT_TRUE(write(*store, nth_commit(1, 1)));
}

TEST(SqliteStore, IsReadableByItsOwnerOnly) {
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  for (const char* name : {"avow.db", "avow.db-wal", "avow.db-shm", "lock"}) {
    struct stat status{};
    ASSERT_EQ(::stat(directory.file(name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777, 0600U) << name;
  }
}

TEST(SqliteStore, RefusesASecondOpenerAndNamesTheDirectory) {
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
    for (const bool creates : {false, true}) {
      const auto second = creates ? SqliteStore::create(directory.options())
                                  : SqliteStore::open(directory.options());
      ASSERT_FALSE(second);
      EXPECT_EQ(second.error().code, Code::kConflict);
      EXPECT_NE(second.error().message.find(directory.options().directory), std::string::npos);
    }
  }
  Opened store(SqliteStore::open(directory.options()));
}

TEST(SqliteStore, RefusesAStoreOfANewerProgramAndLeavesItAlone) {
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
  }
  const std::int64_t newer = newest_schema() + 1;
  execute(directory.file("avow.db"), fmt::format("PRAGMA user_version = {}", newer));
  const auto opened = SqliteStore::open(directory.options());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kInvalidArgument);
  const std::string wanted = fmt::format("schema is {}, this program knows {}", newer, newer - 1);
  EXPECT_NE(opened.error().message.find(wanted), std::string::npos) << opened.error().message;
  execute(directory.file("avow.db"), fmt::format("PRAGMA user_version = {}", newer - 1));
  Opened store(SqliteStore::open(directory.options()));
}

std::string schema_text(const std::string& file) {
  auto connection = Connection::open(file, Connection::Mode::kRead);
  CHECK(connection.has_value());
  auto query = (*connection)->query("SELECT name, sql FROM sqlite_schema ORDER BY name");
  CHECK(query.has_value());
  std::string text;
  while (*query->next()) text += query->bytes(0) + ": " + query->bytes(1) + "\n";
  return text;
}

std::string plan_of(Connection& connection, const std::string& sql) {
  auto query = connection.query("EXPLAIN QUERY PLAN " + sql);
  CHECK(query.has_value());
  std::string text;
  while (*query->next()) text += query->bytes(3) + "\n";
  return text;
}

TEST(SqliteStore, ListsARareKindWithoutWalkingThroughTheStatementsAboutRuns) {
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  auto connection = Connection::open(directory.file("avow.db"), Connection::Mode::kRead);
  ASSERT_TRUE(connection);
  StatementQuery query;
  const auto first_line = [&] {
    const std::string plan = plan_of(**connection, list_statements_sql(query));
    EXPECT_EQ(plan.find("TEMP B-TREE"), std::string::npos) << plan;
    return plan.substr(0, plan.find('\n'));
  };
  const std::string rare =
      "SEARCH e USING INDEX log_entries_rare (tenant=? AND kind=? AND tenant_seq>?";
  const std::string listed = "SEARCH e USING INDEX log_entries_listed (tenant=? AND tenant_seq>?";
  for (const bool is_newest_first : {false, true}) {
    query.is_newest_first = is_newest_first;
    for (const auto kind : std::to_array<std::uint8_t>({1, 5, 10, 200})) {
      query.kind = kind;
      query.before.reset();
      EXPECT_EQ(first_line(), rare + ")") << int{kind};
      query.before = 9;
      EXPECT_EQ(first_line(), rare + " AND tenant_seq<?)") << int{kind};
    }
    for (const std::uint8_t kind : kFrequentKinds) {
      query.kind = kind;
      EXPECT_EQ(first_line(), listed + " AND tenant_seq<?)") << int{kind};
    }
    query.kind.reset();
    EXPECT_EQ(first_line(), listed + " AND tenant_seq<?)");
  }
}

TEST(SqliteStore, MigratesAStoreThatHasNoLogYet) {
  const Directory directory;
  const std::string file = directory.file("avow.db");
  {
    Opened store(SqliteStore::create(directory.options()));
    Commit commit = nth_commit(1, 1);
    commit.answer = answer_of("key", "answer", at(9), at(0));
    ASSERT_TRUE(write(*store, std::move(commit)));
  }
  const std::string newest = schema_text(file);
  execute(file,
          "DROP TABLE log_entries; DROP TABLE log_contents; DROP TABLE log_tiles; "
          "DROP TABLE log_heads; DROP INDEX answers_of_runs; ALTER TABLE answers DROP COLUMN run; "
          "PRAGMA user_version = 1");
  FakeLog log;
  {
    Opened store(SqliteStore::open(directory.options()));
    store->set_hook(log);
    expect_whole(*store->read_run(run_id(1)), 1);
    EXPECT_EQ(text_of(store->find_answer("key", at(1))),
              text_of(answer_of("key", "answer", at(9), at(0))));
    EXPECT_EQ(code_of(store->newest_log_head()), Code::kNotFound);
    Commit commit = nth_commit(1, 2);
    commit.statements = {statement_of("a")};
    ASSERT_TRUE(write(*store, std::move(commit)));
    EXPECT_EQ(store->read_log(1, 0, 9)->size(), 1U);
  }
  EXPECT_EQ(schema_text(file), newest);
}

TEST(SqliteStore, RefusesFilesThatAreNoStore) {
  const Directory directory;
  execute(directory.file("avow.db"), "CREATE TABLE t (x); PRAGMA user_version = 1");
  EXPECT_EQ(SqliteStore::open(directory.options()).error().code, Code::kCorruption);
  std::ofstream(directory.file("avow.db"), std::ios::trunc) << std::string(8192, 'x');
  EXPECT_EQ(SqliteStore::open(directory.options()).error().code, Code::kCorruption);
}

TEST(SqliteStore, TellsWhenASegmentIsDamaged) {
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
    ASSERT_TRUE(write(*store, nth_commit(1, 1)));
  }
  // The last bytes are the frame's checksum.
  execute(directory.file("avow.db"),
          "UPDATE segments SET bytes = CAST(substr(bytes, 1, length(bytes) - 1) || X'00' AS BLOB) "
          "WHERE key & 1 = 0");
  Opened store(SqliteStore::open(directory.options()));
  EXPECT_EQ(store->read_run(run_id(1)).error().code, Code::kCorruption);
  EXPECT_EQ(store->read_journal(run_id(1), 0, 9).error().code, Code::kCorruption);
}

TEST(SqliteStore, WritesWhatWaitsInOneTransaction) {
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  // The first commit's `done` holds up the committing thread while the others gather.
  std::promise<void> entered;
  std::promise<void> release;
  store->commit(nth_commit(1, 1), [&](const Result<void>&) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  constexpr std::uint64_t kWaiting = 200;
  std::promise<void> all;
  std::uint64_t answered = 0;  // the committing thread's
  std::uint64_t refused = 0;   // the committing thread's
  const auto done = [&](const Result<void>& result) {
    refused += result ? 0 : 1;
    if (++answered == kWaiting + 1) all.set_value();
  };
  for (std::uint64_t n = 2; n < kWaiting + 2; ++n) store->commit(nth_commit(n, 1), done);
  store->commit(nth_commit(5, 1), done);  // its run is made in the same group: refused alone
  release.set_value();
  all.get_future().wait();
  EXPECT_EQ(refused, 1U);
  EXPECT_EQ(store->figures().commits, kWaiting + 1);
  EXPECT_EQ(store->figures().transactions, 2U);
}

TEST(SqliteStore, GivesTheHookATransactionWithAllThatWaits) {
  FakeLog log;
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  store->set_hook(log);
  std::promise<void> entered;
  std::promise<void> release;
  store->commit(nth_commit(1, 1), [&](const Result<void>&) {
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  const auto stating = [](std::uint64_t run, std::string draft) {
    Commit commit = nth_commit(run, 1);
    commit.statements = {statement_of(std::move(draft))};
    return commit;
  };
  const auto ignore = [](const Result<void>&) {};
  store->commit(stating(2, "a"), ignore);
  store->commit(stating(1, "refused"), ignore);
  store->commit(nth_commit(3, 1), ignore);
  store->commit(stating(4, "b"), ignore);
  release.set_value();
  ASSERT_TRUE(write(*store, stating(5, "c")));
  // The last one may have come too late for the group.
  const std::string one = "begin committed begin add:a add:b ";
  EXPECT_TRUE(log.calls == one + "add:c integrate committed " ||
              log.calls == one + "integrate committed begin add:c integrate committed ")
      << log.calls;
}

TEST(SqliteStore, KeepsItsWriteAheadLogShort) {
  const Directory directory;
  SqliteOptions options = directory.options();
  options.wal_bytes_target = std::size_t{256} << 10;
  std::uintmax_t longest = 0;
  {
    Opened store(SqliteStore::create(options));
    for (std::uint32_t version = 1; version <= 300; ++version) {
      ASSERT_TRUE(write(*store, nth_commit(1, version)));
      ASSERT_TRUE(store->get_run(run_id(1)));
      longest = std::max(longest, std::filesystem::file_size(directory.file("avow.db-wal")));
    }
    expect_whole(*store->read_run(run_id(1)), 1);
  }
  EXPECT_GT(longest, std::uintmax_t{200} << 10);
  EXPECT_LT(longest, std::uintmax_t{600} << 10);
}

/// Limits the size of files this process writes, as a full disk would; lifted at the end.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &before_);
    rlimit limit = before_;
    limit.rlim_cur = bytes;
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST(SqliteStore, TellsTheHookThatAFullDiskTookItsTransaction) {
  FakeLog log;
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  store->set_hook(log);
  const FileSizeLimit limit(rlim_t{512} << 10);
  std::uint32_t written = 0;
  for (; written < 500; ++written) {
    Commit commit = nth_commit(1, written + 1);
    commit.statements = {statement_of("a")};
    log.calls.clear();
    if (!write(*store, std::move(commit))) break;
  }
  ASSERT_LT(written, 500U);
  EXPECT_TRUE(log.calls.ends_with(" rolled_back ")) << log.calls;
  EXPECT_EQ(store->newest_log_head()->size, written);
  EXPECT_EQ(store->read_log(1, 0, 1'000)->size(), written);
}

TEST(SqliteStore, ReadsGoOnWhileTheDiskIsFullAndWritesResume) {
  const Directory directory;
  Opened store(SqliteStore::create(directory.options()));
  std::uint32_t written = 0;
  {
    const FileSizeLimit limit(rlim_t{512} << 10);
    Result<void> done;
    while (written < 500) {
      done = write(*store, nth_commit(1, written + 1));
      if (!done) break;
      ++written;
    }
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kResourceExhausted) << done.error().message;
    ASSERT_GT(written, 5U);
    ASSERT_EQ(store->health().error().code, Code::kResourceExhausted);
    expect_whole(*store->read_run(run_id(1)), 1);
    EXPECT_EQ(store->get_run(run_id(1))->version, written);
    EXPECT_EQ(write(*store, nth_commit(1, written + 1)).error().code, Code::kResourceExhausted);
  }
  // Nothing but questions after its health: it finds out by itself that there is room again.
  bool is_healthy = false;
  for (int i = 0; i < 1'000 && !is_healthy; ++i) {
    is_healthy = store->health().has_value();
    // Waits for what the question before has set off, which went through the same queue.
    static_cast<void>(store->drop_expired_answers(Time{}, 1));
  }
  EXPECT_TRUE(is_healthy);
  EXPECT_TRUE(write(*store, nth_commit(1, written + 1)));
  expect_whole(*store->read_run(run_id(1)), 1);
}

TEST(SqliteStore, ErasesInTheFileWhenTheDiskHasRoomAgain) {
  const Directory directory;
  RunRow row;
  {
    Opened store(SqliteStore::create(directory.options()));
    for (std::uint64_t n = 1; n <= 40; ++n) {
      Commit commit = nth_commit(n, 1);
      SeededRng rng(n);
      for (int i = 0; i < 8'000; ++i) {
        commit.run->contents->bytes.push_back(static_cast<char>(rng.next()));
      }
      commit.run->row.status = RunStatus::kCompleted;
      commit.run->row.wake_at.reset();
      row = commit.run->row;
      ASSERT_TRUE(write(*store, std::move(commit)));
    }
  }
  ASSERT_GT(std::filesystem::file_size(directory.file("avow.db")), std::uintmax_t{256} << 10);
  SqliteOptions options = directory.options();
  options.forget_time_max = std::chrono::hours(1);
  Opened store(SqliteStore::open(options));
  std::promise<Result<void>> erased;
  auto answered = erased.get_future();
  {
    // The write-ahead log is short and has room; the end of the file has none.
    const FileSizeLimit limit(rlim_t{128} << 10);
    Commit commit = change_of(row, [](RunRow&) {});
    commit.run->replaced.emplace();
    store->commit(std::move(commit), [&](Result<void> done) { erased.set_value(std::move(done)); });
    // When the second is answered, the erasure was tried once.
    ASSERT_TRUE(write(*store, nth_commit(41, 1)));
    ASSERT_TRUE(write(*store, nth_commit(42, 1)));
    EXPECT_EQ(answered.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  }
  ASSERT_EQ(answered.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_TRUE(answered.get());
  EXPECT_EQ(std::filesystem::file_size(directory.file("avow.db-wal")), 0U);
}

// The page cache cannot be believed after a failed sync: neither an answer nor another try may
// follow.
TEST(SqliteStoreDeathTest, StopsTheProcessWhenASyncFailsAndGivesNoAnswer) {
  const Directory directory;  // outside: the process that dies does not remove it
  EXPECT_DEATH(
      {
        log::start(log::Level::kError);
        Opened store(SqliteStore::create(directory.options()));
        CHECK(write(*store, nth_commit(1, 1)).has_value());
        syncs_fail = true;
        static_cast<void>(write(*store, nth_commit(1, 2)));
        std::fputs("answered", stderr);
      },
      "the disk fails, stopping: [^\n]*\n$");
  Opened store(SqliteStore::open(directory.options()));
  EXPECT_GE(store->get_run(run_id(1))->version, 1U);
}

/// Refuses to make the write-ahead log's index longer, which SQLite does by writing single bytes,
/// as a full disk would; anything else is written.
ssize_t write_but_no_index(int descriptor, const void* bytes, size_t size, off64_t offset) {
  if (size != 1) return ::pwrite64(descriptor, bytes, size, offset);
  errno = ENOSPC;
  return -1;
}

// The index holds 4062 frames before it must grow, and is written behind the sync.
TEST(SqliteStoreDeathTest, StopsTheProcessWhereACommitFailsThatIsOnTheDisk) {
  const Directory directory;
  const auto large = [] {
    SeededRng rng(1);
    std::string bytes(std::size_t{18} << 20, '\0');
    for (char& byte : bytes) byte = static_cast<char>(rng.next());
    Commit commit = nth_commit(2, 1);
    commit.run->contents->bytes = std::move(bytes);
    return commit;
  };
  EXPECT_DEATH(
      {
        log::start(log::Level::kError);
        Opened store(SqliteStore::create(directory.options()));
        CHECK(write(*store, nth_commit(1, 1)).has_value());
        sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
        vfs->xSetSystemCall(vfs, "pwrite64",
                            reinterpret_cast<sqlite3_syscall_ptr>(write_but_no_index));
        static_cast<void>(write(*store, large()));
        std::fputs("answered", stderr);
      },
      "the disk fails, stopping: [^\n]*\n$");
  Opened store(SqliteStore::open(directory.options()));
  const auto found = store->read_run(run_id(2));
  ASSERT_TRUE(found);  // "not written" would have been wrong
  EXPECT_TRUE(found->contents.at(0).bytes == large().run->contents->bytes);
}

TEST(Connection, EndsAReadThatRunsBeyondItsDeadline) {
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
  }
  auto opened = Connection::open(directory.file("avow.db"), Connection::Mode::kRead);
  ASSERT_TRUE(opened);
  Connection& connection = **opened;
  const char* endless =
      "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) "
      "SELECT max(x) FROM n";
  connection.set_deadline(std::chrono::steady_clock::now());
  EXPECT_EQ(connection.integer(endless).error().code, Code::kUnavailable);
  connection.set_deadline(std::chrono::steady_clock::now() + std::chrono::hours(1));
  EXPECT_EQ(*connection.integer("SELECT 42"), 42);
}

struct Acknowledged {
  std::uint64_t run;
  std::uint32_t version;
  std::uint32_t unused;
};

/// The child: commits for ever on several runs at once and says through `pipe` what was
/// acknowledged.
[[noreturn]] void write_until_killed(const SqliteOptions& options, int pipe, std::uint64_t first) {
  SqliteOptions small = options;
  small.wal_bytes_target = std::size_t{128} << 10;  // so that checkpoints are cut off, too
  auto opened = SqliteStore::open(small);
  if (!opened) ::_exit(3);
  Store& store = **opened;
  std::function<void(std::uint64_t, std::uint32_t)> go_on;
  go_on = [&](std::uint64_t run, std::uint32_t version) {
    store.commit(nth_commit(run, version), [&, run, version](const Result<void>& done) {
      if (!done) ::_exit(4);
      const Acknowledged line{run, version, 0};
      if (::write(pipe, &line, sizeof line) != ssize_t{sizeof line}) ::_exit(5);
      // Runs end after some commits and others begin: both ends of the tables are written.
      const bool is_long = version == 30;
      go_on(is_long ? run + 8 : run, is_long ? 1 : version + 1);
    });
  };
  for (std::uint64_t run = first; run < first + 8; ++run) go_on(run, 1);
  for (;;) ::pause();
}

// kill -9 leaves what the kernel was given, so this is not the test of a power cut; it is the test
// that nothing is acknowledged before it is given, and that every group comes back whole.
TEST(SqliteStore, HoldsEveryAcknowledgedCommitAfterKillAtAnyInstant) {
  const std::uint64_t seed = 20'261'121;
  SeededRng rng(seed);
  const Directory directory;
  {
    Opened store(SqliteStore::create(directory.options()));
  }
  std::map<std::uint64_t, std::uint32_t> acknowledged;
  for (std::uint64_t round = 1; round <= 20; ++round) {
    SCOPED_TRACE(fmt::format("seed {}, round {}", seed, round));
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe2(pipe.data(), O_CLOEXEC), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(directory.options(), pipe[1], round * 1'000'000);
    ::close(pipe[1]);
    // The instant: after so many acknowledgements, which fall anywhere in the work of the child.
    std::uint64_t left = 1 + rng.below(600);
    Acknowledged line{};
    bool is_killed = false;
    while (::read(pipe[0], &line, sizeof line) == ssize_t{sizeof line}) {
      acknowledged[line.run] = std::max(acknowledged[line.run], line.version);
      if (--left == 0) is_killed = ::kill(child, SIGKILL) == 0;
      if (left == 0) left = UINT64_MAX;  // what it said before it died counts as well
    }
    ::close(pipe[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(is_killed && WIFSIGNALED(status)) << "exit " << WEXITSTATUS(status);

    Opened store(SqliteStore::open(directory.options()));
    for (const auto& [run, version] : acknowledged) {
      const auto found = store->read_run(run_id(run));
      ASSERT_TRUE(found) << "run " << run << " was acknowledged at version " << version;
      EXPECT_GE(found->row.version, version) << "run " << run;
      expect_whole(*found, run);
    }
    // Runs of which nothing was acknowledged may be there; then they are whole.
    const auto rows = store->active_runs({}, 100'000);
    ASSERT_TRUE(rows);
    for (const auto& row : *rows) expect_whole(*store->read_run(row.id), row.id.value.high);
  }
  EXPECT_GT(acknowledged.size(), 20U);
}

TEST(Compression, GivesTheExactBytesBack) {
  SeededRng rng(1);
  for (const std::size_t size : {0, 1, 2, 100, 4'096, 1'000'000}) {
    std::string random(size, '\0');
    for (char& byte : random) byte = static_cast<char>(rng.next());
    for (const std::string& bytes : {random, std::string(size, 'a')}) {
      const auto back = decompress(compress(bytes));
      ASSERT_TRUE(back) << size;
      EXPECT_TRUE(*back == bytes) << size;
    }
  }
}

TEST(Compression, RefusesEveryFrameWithAByteChangedOrMissing) {
  const std::string bytes = segment_bytes('j', 3, 4);
  const std::string frame = compress(bytes);
  for (std::size_t i = 0; i < frame.size(); ++i) {
    EXPECT_FALSE(decompress(std::string_view(frame).substr(0, i))) << "cut at " << i;
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = frame;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      const auto read = decompress(changed);
      EXPECT_TRUE(!read || *read == bytes) << "bit " << bit << " of byte " << i;
    }
  }
}

}  // namespace
}  // namespace avow::store
