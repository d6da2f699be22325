// SPDX-License-Identifier: Apache-2.0
// store/memory/memory_store.h: the contract of store.h in maps: the model that tests and
// simulations compare with, and whose code is meant to be read in one go. Nothing survives the
// process.
#pragma once
#include <memory>

#include "base/executor.h"
#include "store/store.h"

namespace avow::store {

struct MemoryOptions {
  std::size_t queue_bytes_max = std::size_t{64} << 20;  ///< Beyond: kResourceExhausted.
};

/// A Store in memory. Commits are written, and their `done` called, one after another in tasks on
/// `executor`: on a simulated one every run of the same seed is the same, and a commit may be cut
/// off by not running its task. Those not yet written when the store is destroyed are lost without
/// a word.
class MemoryStore : public Store {
 public:
  /// `executor` must outlive the store.
  explicit MemoryStore(Executor& executor, MemoryOptions options = {});
  ~MemoryStore() override;

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
  /// As if the process were killed: what waits is lost without a word. For simulations, which drop
  /// the executor's tasks as well.
  void crash();

 private:
  struct State;
  /// Shared with the tasks on the executor, which may run after the store is gone.
  std::shared_ptr<State> state_;
  Executor& executor_;
};

}  // namespace avow::store
