// SPDX-License-Identifier: Apache-2.0
// store/sqlite/reader.h: the reads of store.h on one connection, and the pool of such connections.
#pragma once
#include <condition_variable>
#include <vector>

#include "base/mutex.h"
#include "store/sqlite/connection.h"
#include "store/store.h"

namespace avow::store {

/// What Reader::list_statements() runs, one of few texts; for a rare kind it reads only such
/// entries.
std::string list_statements_sql(const StatementQuery& query);

/// Every verb reads one snapshot and is described in store.h. One thread at a time.
class Reader {
 public:
  explicit Reader(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
  Connection& connection() { return *connection_; }

  Result<RunRow> get_run(RunId id);
  Result<RunRecord> read_run(RunId id);
  Result<std::vector<Segment>> read_journal(RunId id, std::uint32_t after_seq, std::size_t limit);
  Result<std::vector<RunRow>> list_runs(const RunQuery& query);
  Result<std::vector<RunRow>> active_runs(std::optional<RunId> after, std::size_t limit);
  Result<std::vector<Store::TimerRow>> timers(std::optional<Store::TimerRow> after,
                                              std::size_t limit);
  Result<Record> get_record(RecordKind kind, Id id);
  Result<Record> find_record(RecordKind kind, std::string_view unique_key);
  Result<std::vector<Record>> list_records(const RecordQuery& query);
  Result<std::vector<TaskRow>> tasks(std::optional<TaskId> after, std::size_t limit);
  Result<TaskRow> get_task(TaskId id);
  Result<IdempotentAnswer> find_answer(std::string_view key, Time now);
  Result<std::string> get_meta(std::string_view name);

  // In log_reader.cc.
  Result<LogHead> newest_log_head();
  Result<LogHead> get_log_head(std::uint32_t log);
  Result<std::vector<LogEntry>> read_log(std::uint32_t log, std::uint64_t index, std::size_t limit);
  Result<LogTile> get_log_tile(std::uint32_t log, int level, std::uint64_t index);
  Result<LogEntry> find_statement(Id id);
  Result<std::vector<LogEntry>> list_statements(const StatementQuery& query);

 private:
  struct NumberedRow {
    std::int64_t number = 0;
    RunRow row;
  };

  /// Runs `read` inside one transaction, so that its statements see one moment.
  template <class Read>
  auto in_snapshot(const Read& read) -> decltype(read());
  Result<NumberedRow> find_run(RunId id);
  Result<void> read_origin(std::int64_t number, RunRecord& run);
  Result<void> read_segments(std::int64_t number, RunRecord& run);
  Result<void> list_runs_of(const RunQuery& query, RunStatus status, std::vector<RunRow>& out);
  Result<void> list_labelled_runs(const RunQuery& query, std::vector<RunRow>& out);

  std::unique_ptr<Connection> connection_;
};

/// Lends readers to threads. A caller waits for a free one, which takes as long as others read: at
/// most a second each. Any thread.
class ReaderPool {
 public:
  explicit ReaderPool(std::vector<std::unique_ptr<Reader>> readers);
  ~ReaderPool();  ///< CHECKs that stop() was called.

  /// Calls `read(Reader&)`, which must not keep the reader. Errors: its own; kUnavailable after
  /// stop().
  template <class Read>
  auto use(const Read& read) -> decltype(read(std::declval<Reader&>())) {
    std::unique_ptr<Reader> reader = borrow();
    if (!reader) return failure(Code::kUnavailable, "the store is stopped");
    auto result = read(*reader);
    give_back(std::move(reader));
    return result;
  }

  /// Waits until all readers are back, and closes them.
  void stop();

 private:
  std::unique_ptr<Reader> borrow();
  void give_back(std::unique_ptr<Reader> reader);

  Mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::unique_ptr<Reader>> free_ GUARDED_BY(mutex_);
  std::size_t lent_ GUARDED_BY(mutex_) = 0;
  bool is_stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace avow::store
