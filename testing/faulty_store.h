// SPDX-License-Identifier: Apache-2.0
// testing/faulty_store.h: a Store whose commits are refused or whose answers are lost, as a script
// says, and beside whose commits the process may die. Without a script it is the store behind it.
#pragma once
#include <functional>
#include <memory>
#include <utility>

#include "base/executor.h"
#include "store/store.h"
#include "testing/crash_points.h"

namespace avow::testing {

/// What happens to one commit.
enum class CommitFault {
  kNone,
  kRefused,      ///< kUnavailable: not written.
  kFull,         ///< kResourceExhausted: not written.
  kLost,         ///< kOutcomeUnknown, and not written.
  kLostButDone,  ///< kOutcomeUnknown, but written.
  kForgotten,    ///< Said to be written, and is not: what no store may do.
};

class FaultyStore : public store::Store {
 public:
  using Script = std::function<CommitFault(const store::Commit&)>;

  /// `executor` must be the one of `behind`, so that answers keep their order.
  FaultyStore(store::Store& behind, Executor& executor) : behind_(behind), executor_(executor) {}

  Script script;
  std::function<bool()> is_read_refused;     ///< Of a run; kUnavailable.
  std::function<void()> before_active_runs;  ///< What others do while an engine starts.
  bool hides_open_runs = false;              ///< From an engine that starts.
  CrashPoints* crash_points = nullptr;
  /// Told of each commit when its success is.
  std::function<void(const store::Commit&)> acknowledged;

  void set_hook(store::CommitHook& hook) override { behind_.set_hook(hook); }

  void commit(store::Commit commit, Done done) override {
    if (!passes(CrashPoint::kBeforeCommit)) return;
    if (crash_points != nullptr || acknowledged) done = observed(commit, std::move(done));
    switch (script ? script(commit) : CommitFault::kNone) {
      case CommitFault::kNone:
        return behind_.commit(std::move(commit), std::move(done));
      case CommitFault::kRefused:
        return refuse(Code::kUnavailable, std::move(done));
      case CommitFault::kFull:
        return refuse(Code::kResourceExhausted, std::move(done));
      case CommitFault::kLost:
        return refuse(Code::kOutcomeUnknown, std::move(done));
      case CommitFault::kForgotten:
        return executor_.post([done = std::move(done)] { done({}); });
      case CommitFault::kLostButDone:
        behind_.commit(std::move(commit), [done = std::move(done)](const Result<void>& written) {
          if (!written) return done(written);
          done(failure(Code::kOutcomeUnknown, "the answer is lost"));
        });
    }
  }

  Result<store::RunRecord> read_run(RunId id) override {
    if (is_read_refused && is_read_refused()) return failure(Code::kUnavailable, "not now");
    return behind_.read_run(id);
  }

  Result<store::RunRow> get_run(RunId id) override { return behind_.get_run(id); }
  Result<std::vector<store::Segment>> read_journal(RunId id, std::uint32_t after_seq,
                                                   std::size_t limit) override {
    return behind_.read_journal(id, after_seq, limit);
  }
  Result<std::vector<store::RunRow>> list_runs(const store::RunQuery& query) override {
    return behind_.list_runs(query);
  }
  Result<std::vector<store::RunRow>> active_runs(std::optional<RunId> after,
                                                 std::size_t limit) override {
    if (before_active_runs) before_active_runs();
    if (hides_open_runs) return std::vector<store::RunRow>();
    return behind_.active_runs(after, limit);
  }
  Result<std::vector<TimerRow>> timers(std::optional<TimerRow> after, std::size_t limit) override {
    if (hides_open_runs) return std::vector<TimerRow>();
    return behind_.timers(after, limit);
  }
  Result<store::Record> get_record(store::RecordKind kind, Id id) override {
    return behind_.get_record(kind, id);
  }
  Result<store::Record> find_record(store::RecordKind kind, std::string_view unique_key) override {
    return behind_.find_record(kind, unique_key);
  }
  Result<std::vector<store::Record>> list_records(const store::RecordQuery& query) override {
    return behind_.list_records(query);
  }
  Result<std::vector<store::TaskRow>> tasks(std::optional<TaskId> after,
                                            std::size_t limit) override {
    return behind_.tasks(after, limit);
  }
  Result<store::TaskRow> get_task(TaskId id) override { return behind_.get_task(id); }
  Result<store::IdempotentAnswer> find_answer(std::string_view key, Time now) override {
    return behind_.find_answer(key, now);
  }
  Result<std::size_t> drop_expired_answers(Time now, std::size_t limit) override {
    return behind_.drop_expired_answers(now, limit);
  }
  Result<store::LogHead> newest_log_head() override { return behind_.newest_log_head(); }
  Result<store::LogHead> get_log_head(std::uint32_t log) override {
    return behind_.get_log_head(log);
  }
  Result<std::vector<store::LogEntry>> read_log(std::uint32_t log, std::uint64_t index,
                                                std::size_t limit) override {
    return behind_.read_log(log, index, limit);
  }
  Result<store::LogTile> get_log_tile(std::uint32_t log, int level, std::uint64_t index) override {
    return behind_.get_log_tile(log, level, index);
  }
  Result<store::LogEntry> find_statement(Id id) override { return behind_.find_statement(id); }
  Result<std::vector<store::LogEntry>> list_statements(
      const store::StatementQuery& query) override {
    return behind_.list_statements(query);
  }
  Result<std::string> get_meta(std::string_view name) override { return behind_.get_meta(name); }
  Result<void> put_meta(std::string_view name, std::string_view value) override {
    return behind_.put_meta(name, value);
  }
  Result<void> health() override { return behind_.health(); }
  Figures figures() override { return behind_.figures(); }
  void stop() override { behind_.stop(); }

 private:
  bool passes(CrashPoint point) { return crash_points == nullptr || crash_points->passes(point); }

  Done observed(const store::Commit& commit, Done done) {
    auto copy = acknowledged ? std::make_shared<const store::Commit>(commit) : nullptr;
    return [this, copy = std::move(copy), done = std::move(done)](const Result<void>& written) {
      if (!passes(CrashPoint::kAfterCommit)) return;
      if (written && copy) acknowledged(*copy);
      done(written);
    };
  }

  void refuse(Code code, Done done) {
    executor_.post([code, done = std::move(done)] { done(failure(code, "scripted")); });
  }

  store::Store& behind_;
  Executor& executor_;
};

}  // namespace avow::testing
