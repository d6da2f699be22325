// SPDX-License-Identifier: Apache-2.0
// store/sqlite/sqlite_store.h: the store of one process in one directory (DESIGN.md, section 5).
//
// The directory holds `avow.db`, its write-ahead log and index beside it, and `lock`. Commits are
// synced in groups by one thread; reads go to a few connections that see one moment each. What runs
// before `done`: the write-ahead log on disk. What a crash leaves: all commits of a group or none.
#pragma once
#include <memory>

#include "store/store.h"

namespace avow::store {

class Committer;
class Connection;
class DirectoryLock;
class ReaderPool;

struct SqliteOptions {
  std::string directory;  ///< Made by create() if it is missing; its parent must exist.
  std::size_t queue_bytes_max = std::size_t{64} << 20;  ///< Beyond: kResourceExhausted.
  int readers = 4;                                      ///< Reads at the same time, at least 1.
  /// The write-ahead log is moved into the file when it has grown by this.
  std::size_t wal_bytes_target = std::size_t{16} << 20;
  /// How long an erasure waits for readers of what it erased, each of which reads for a second at
  /// most, and for room on the disk. After it the answer is kOutcomeUnknown; erasing goes on.
  Duration forget_time_max = std::chrono::seconds(5);
};

class SqliteStore : public Store {
 public:
  /// Makes the store of a new deployment and opens it. After a crash inside, call it again.
  /// Errors: kConflict     a store is there already, or another process has the directory
  ///         kUnavailable, kResourceExhausted  the directory cannot be written
  static Result<std::unique_ptr<SqliteStore>> create(const SqliteOptions& options);

  /// Opens what create() made, after as violent an end as may be; an older schema is migrated.
  /// Errors: kNotFound         no store is there
  ///         kConflict         another process has it open; the message names the directory
  ///         kInvalidArgument  it was written by a newer program; the message says both schemas
  ///         kCorruption       it is no store of ours, or damaged
  ///         kUnavailable, kResourceExhausted  the directory cannot be written
  static Result<std::unique_ptr<SqliteStore>> open(const SqliteOptions& options);

  ~SqliteStore() override;  ///< CHECKs that stop() was called.

  void set_hook(CommitHook& hook) override;
  void commit(Commit commit, Done done) override;
  Result<RunRow> get_run(RunId id) override;
  Result<RunRecord> read_run(RunId id) override;
  Result<std::vector<Segment>> read_journal(RunId id, std::uint32_t after_seq,
                                            std::size_t limit) override;
  Result<std::vector<RunRow>> list_runs(const RunQuery& query) override;
  Result<std::vector<RunRow>> active_runs(std::optional<RunId> after, std::size_t limit) override;
  Result<std::vector<TimerRow>> timers(std::optional<TimerRow> after, std::size_t limit) override;
  Result<Record> get_record(RecordKind kind, Id id) override;
  Result<Record> find_record(RecordKind kind, std::string_view unique_key) override;
  Result<std::vector<Record>> list_records(const RecordQuery& query) override;
  Result<std::vector<TaskRow>> tasks(std::optional<TaskId> after, std::size_t limit) override;
  Result<TaskRow> get_task(TaskId id) override;
  Result<IdempotentAnswer> find_answer(std::string_view key, Time now) override;
  Result<std::size_t> drop_expired_answers(Time now, std::size_t limit) override;
  Result<LogHead> newest_log_head() override;
  Result<LogHead> get_log_head(std::uint32_t log) override;
  Result<std::vector<LogEntry>> read_log(std::uint32_t log, std::uint64_t index,
                                         std::size_t limit) override;
  Result<LogTile> get_log_tile(std::uint32_t log, int level, std::uint64_t index) override;
  Result<LogEntry> find_statement(Id id) override;
  Result<std::vector<LogEntry>> list_statements(const StatementQuery& query) override;
  Result<std::string> get_meta(std::string_view name) override;
  Result<void> put_meta(std::string_view name, std::string_view value) override;
  Result<void> health() override;
  Figures figures() override;
  void stop() override;

 private:
  SqliteStore(std::unique_ptr<DirectoryLock> lock, std::unique_ptr<ReaderPool> readers,
              std::unique_ptr<Committer> committer);
  static Result<std::unique_ptr<SqliteStore>> start(const SqliteOptions& options,
                                                    std::unique_ptr<DirectoryLock> lock,
                                                    std::unique_ptr<Connection> connection);

  std::unique_ptr<DirectoryLock> lock_;  ///< Given back last.
  std::unique_ptr<ReaderPool> readers_;
  std::unique_ptr<Committer> committer_;
};

}  // namespace avow::store
