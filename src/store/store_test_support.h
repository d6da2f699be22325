// SPDX-License-Identifier: Apache-2.0
// store/store_test_support.h: what the tests of all stores share. Only for *_test.cc.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

#include "store/memory/memory_store.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace avow::store {

/// An Executor with one thread.
class ThreadExecutor : public Executor {
 public:
  ~ThreadExecutor() override {
    {
      const std::lock_guard lock(mutex_);
      is_stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  void post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    changed_.notify_one();
  }
  void post_at(Time, Task task) override { post(std::move(task)); }

 private:
  void run() {
    for (;;) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return is_stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool is_stopping_ = false;
  std::thread thread_{[this] { run(); }};
};

/// A fresh directory for a store, removed at the end.
class Directory {
 public:
  Directory() {
    std::string pattern = ::testing::TempDir() + "avow-store-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path_); }
  [[nodiscard]] SqliteOptions options() const {
    SqliteOptions options;
    options.directory = path_;
    return options;
  }
  [[nodiscard]] std::string file(std::string_view name) const {
    return fmt::format("{}/{}", path_, name);
  }

 private:
  std::string path_;
};

/// A store of one kind, and what it stands on.
class Bench {
 public:
  Bench(std::string_view kind, std::size_t queue_bytes_max) {
    if (kind == "memory") {
      executor_ = std::make_unique<ThreadExecutor>();
      store_ = std::make_unique<MemoryStore>(*executor_, MemoryOptions{queue_bytes_max});
      return;
    }
    directory_.emplace();
    SqliteOptions options = directory_->options();
    options.queue_bytes_max = queue_bytes_max;
    auto created = SqliteStore::create(options);
    CHECK(created.has_value());
    store_ = std::move(*created);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    store_->stop();
    store_.reset();
    executor_.reset();
  }
  Store& store() { return *store_; }

 private:
  std::optional<Directory> directory_;
  std::unique_ptr<ThreadExecutor> executor_;
  std::unique_ptr<Store> store_;
};

inline TenantId tenant_id(std::uint64_t n) { return TenantId{{n, 1}}; }
inline const TenantId kTenant = tenant_id(1);

inline Result<void> write(Store& store, Commit commit) {
  std::promise<Result<void>> promise;
  store.commit(std::move(commit), [&](Result<void> done) { promise.set_value(std::move(done)); });
  return promise.get_future().get();
}

/// A hook that writes a small log and remembers what was called. It behaves: numbers are without
/// gaps, and what is rolled back never was. One thread commits at a time.
class FakeLog : public CommitHook {
 public:
  explicit FakeLog(std::uint32_t log = 1) : log_(log) {}

  std::string calls;  ///< The verbs, "add" with the drafts.
  std::optional<Error> begin_fails;
  std::optional<Error> add_fails;
  std::optional<Error> integrate_fails;
  /// Instead of the next free ones.
  std::optional<std::uint64_t> index;
  std::optional<std::uint64_t> tenant_seq;

  Result<void> begin() override {
    calls += "begin ";
    if (begin_fails) return *begin_fails;
    next_ = size_;
    return {};
  }

  Result<void> add(LogWriter& log, std::vector<QueuedStatement> statements) override {
    calls += "add";
    for (auto& queued : statements) {
      calls += ":" + queued.draft;
      ASSIGN_OR_RETURN(const auto head, log.tenant_head(queued.tenant));
      LogEntry entry;
      entry.log = log_;
      entry.index = index.value_or(next_);
      entry.tenant = queued.tenant;
      const std::uint64_t seq = head ? head->tenant_seq + 1 : 1;
      entry.tenant_seq = tenant_seq.value_or(seq);
      entry.id = queued.id;
      entry.kind = queued.kind;
      entry.statement = fmt::format("{} after {}", queued.draft, head ? head->statement : "none");
      entry.entry = "entry of " + queued.draft;
      entry.contents = queued.contents;
      RETURN_IF_ERROR(log.add_entry(entry));
      ++next_;
      if (next_ % 4 != 0) continue;
      RETURN_IF_ERROR(log.add_tile({log_, 0, next_ / 4 - 1, "tile " + queued.draft}));
    }
    calls += " ";
    if (add_fails) return *add_fails;
    return {};
  }

  Result<void> integrate(LogWriter& log) override {
    calls += "integrate ";
    RETURN_IF_ERROR(log.put_head({log_, next_, "nodes", fmt::format("head {}", next_), 3}));
    if (integrate_fails) return *integrate_fails;
    return {};
  }

  void committed() override {
    calls += "committed ";
    size_ = next_;
  }
  void rolled_back() override { calls += "rolled_back "; }

 private:
  const std::uint32_t log_;
  std::uint64_t size_ = 0;
  std::uint64_t next_ = 0;
};

inline QueuedStatement statement_of(std::string draft, TenantId tenant = kTenant, Id id = {8, 8},
                                    std::uint8_t kind = 1) {
  return {tenant, id, kind, std::move(draft), ""};
}

/// Nothing where it succeeded.
template <class T>
std::optional<Code> code_of(const Result<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

inline Time at(std::int64_t ms) { return Time(Duration(ms)); }
inline RunId run_id(std::uint64_t n) { return RunId{{n, 7}}; }

inline Commit creation(RunId id, TenantId tenant = kTenant) {
  Commit commit;
  RunChange& change = commit.run.emplace();
  change.row.id = id;
  change.row.tenant = tenant;
  change.row.version = 1;
  change.row.created_at = at(1'000);
  return commit;
}

/// The next change of `row`, which it updates.
inline Commit change_of(RunRow& row, const std::function<void(RunRow&)>& edit) {
  Commit commit;
  RunChange& change = commit.run.emplace();
  change.expected_version = row.version++;
  edit(row);
  change.row = row;
  return commit;
}

inline Commit record_commit(const Record& record, std::uint64_t expected_version) {
  Commit commit;
  RecordChange& change = commit.records.emplace_back();
  change.record = record;
  change.record.version = expected_version + 1;
  change.expected_version = expected_version;
  return commit;
}

inline Record record_of(std::uint64_t n, std::string key, TenantId tenant = kTenant) {
  Record record;
  record.kind = RecordKind::kWorkflow;
  record.tenant = tenant;
  record.id = {n, 3};
  record.unique_key = std::move(key);
  record.name = fmt::format("name {}", n);
  record.status = "draft";
  record.body = fmt::format("body {}", n);
  return record;
}

inline Commit erasure(RecordKind kind, Id id, std::uint64_t expected_version) {
  Commit commit;
  RecordChange& change = commit.records.emplace_back();
  change.record.kind = kind;
  change.record.id = id;
  change.expected_version = expected_version;
  change.erase = true;
  return commit;
}

inline IdempotentAnswer answer_of(std::string key, std::string text, Time expires_at,
                                  Time stored_at) {
  return {std::move(key), std::string(32, 'd'), std::move(text), expires_at, stored_at};
}

// One line that says everything of a value, so that two can be compared and a difference be read.
template <class T>
std::string text_of(const std::optional<T>& id) {
  return id ? id->ulid() : "-";
}
inline std::string text_of(const std::optional<Time>& time) {
  return time ? std::to_string(time->time_since_epoch().count()) : "-";
}
inline std::string text_of(const RunRow& row) {
  return fmt::format("{} {} v{} s{} {} {} {} {} p{} [{}]", row.id.ulid(), row.tenant.ulid(),
                     row.version, static_cast<int>(row.status), text_of(row.workflow),
                     text_of(row.agent), row.created_at.time_since_epoch().count(),
                     text_of(row.wake_at), row.is_parked, row.summary);
}
inline std::string text_of(const Segment& segment) {
  return fmt::format("{}+{}:{}", segment.first_seq, segment.count, segment.bytes);
}
inline std::string text_of(const Store::TimerRow& timer) {
  return fmt::format("{} {} {}", timer.wake_at.time_since_epoch().count(), timer.run.ulid(),
                     timer.tenant.ulid());
}
inline std::string text_of(const Record& record) {
  return fmt::format("{} {} {} [{}] [{}] [{}] v{} [{}]", static_cast<int>(record.kind),
                     record.tenant.ulid(), record.id.ulid(), record.unique_key, record.name,
                     record.status, record.version, record.body);
}
inline std::string text_of(const TaskRow& row) {
  return fmt::format("{} {} {} {} [{}] {} {} {} [{}]", row.id.ulid(), row.tenant.ulid(),
                     row.agent.ulid(), row.run.ulid(), row.step, row.attempt,
                     row.created_at.time_since_epoch().count(), text_of(row.lease_expires_at),
                     row.lease_token_hash);
}
inline std::string text_of(const IdempotentAnswer& answer) {
  return fmt::format("[{}] [{}] [{}] {} {}", answer.key, answer.body_digest, answer.answer,
                     answer.expires_at.time_since_epoch().count(), text_of(answer.run));
}
inline std::string text_of(const LogEntry& entry) {
  return fmt::format("{}/{} {}/{} {} k{} [{}] [{}] [{}]", entry.log, entry.index,
                     entry.tenant.ulid(), entry.tenant_seq, entry.id.ulid(), entry.kind,
                     entry.statement, entry.entry, entry.contents);
}
inline std::string text_of(const LogTile& tile) {
  return fmt::format("{}/{}/{} [{}]", tile.log, tile.level, tile.index, tile.bytes);
}
inline std::string text_of(const LogHead& head) {
  return fmt::format("{}/{} [{}] [{}] {}", head.log, head.size, head.nodes, head.checkpoint,
                     head.keys_index);
}
template <class T>
std::string text_of(const std::vector<T>& values) {
  std::string out;
  for (const auto& value : values) out += text_of(value) + "\n";
  return out;
}
inline std::string text_of(const RunRecord& run) {
  std::string labels;
  for (const auto& [name, value] : run.labels) labels += fmt::format("{}={};", name, value);
  return fmt::format("{}\nplan {}\nlabels {}\njournal {}\ncontents {}", text_of(run.row),
                     run.plan.value_or("-"), labels, text_of(run.journal), text_of(run.contents));
}
template <class T>
std::string text_of(const Result<T>& result) {
  return result ? text_of(*result) : code_name(result.error().code);
}

}  // namespace avow::store
