// SPDX-License-Identifier: Apache-2.0
#include "store/memory/memory_store.h"

#include <algorithm>
#include <deque>
#include <map>

#include "base/mutex.h"
#include "store/form.h"
#include "store/memory/memory_log.h"

namespace avow::store {
namespace {

using RecordKey = std::pair<RecordKind, Id>;
using UniqueKey = std::pair<RecordKind, std::string>;

struct Records {
  std::map<RecordKey, Record> by_id;
  std::map<UniqueKey, Id> unique_keys;
};

/// What the store holds. One thread at a time.
struct Contents {
  std::map<RunId, RunRecord> runs;
  Records records;
  std::map<TaskId, TaskRow> tasks;
  std::map<std::string, IdempotentAnswer, std::less<>> answers;
  std::map<std::string, std::string, std::less<>> meta;
  MemoryLog log;
};

std::uint32_t next_seq(const RunRecord& run) {
  if (run.journal.empty()) return 1;
  return run.journal.back().first_seq + run.journal.back().count;
}

Result<void> check_run(const Contents& contents, const RunChange& change) {
  const auto found = contents.runs.find(change.row.id);
  const bool exists = found != contents.runs.end();
  const std::uint64_t version = exists ? found->second.row.version : 0;
  if (version != change.expected_version) {
    return failure(Code::kConflict, "run {} has version {}, not {}", change.row.id.ulid(), version,
                   change.expected_version);
  }
  const std::uint32_t next = exists ? next_seq(found->second) : 1;
  if (change.journal && change.journal->first_seq != next) {
    return failure(Code::kConflict, "run {} goes on with seq {}, not {}", change.row.id.ulid(),
                   next, change.journal->first_seq);
  }
  if (change.replaced && found->second.row.status == RunStatus::kRunning) {
    return failure(Code::kConflict, "run {} has not ended", change.row.id.ulid());
  }
  if (last_replaced_seq(change) >= next) {
    return failure(Code::kConflict, "run {} has no events from seq {} on", change.row.id.ulid(),
                   next);
  }
  return {};
}

void replace_contents(Contents& contents, RunRecord& run, RunChange& change) {
  run.contents = std::move(*change.replaced);
  run.labels.clear();
  if (change.plan) run.plan = std::move(change.plan);
  std::erase_if(contents.answers,
                [&change](const auto& kept) { return kept.second.run == change.row.id; });
}

void write_run(Contents& contents, RunChange change) {
  RunRecord& run = contents.runs[change.row.id];
  if (change.expected_version > 0) {
    change.row.tenant = run.row.tenant;
    change.row.workflow = run.row.workflow;
    change.row.agent = run.row.agent;
    change.row.created_at = run.row.created_at;
  } else {
    run.plan = std::move(change.plan);
    run.labels = std::move(change.labels);
  }
  if (change.replaced) replace_contents(contents, run, change);
  run.row = std::move(change.row);
  if (change.journal) run.journal.push_back(std::move(*change.journal));
  if (change.contents) run.contents.push_back(std::move(*change.contents));
}

/// Leaves `records` half written where it fails: for use on a copy.
Result<void> write_record(Records& records, const RecordChange& change) {
  const RecordKey key{change.record.kind, change.record.id};
  const auto found = records.by_id.find(key);
  const bool exists = found != records.by_id.end();
  const std::uint64_t version = exists ? found->second.version : 0;
  if (version != change.expected_version) {
    return failure(Code::kConflict, "record {} has version {}, not {}", key.second.ulid(), version,
                   change.expected_version);
  }
  if (exists) records.unique_keys.erase({key.first, found->second.unique_key});
  if (change.erase) {
    records.by_id.erase(key);
    return {};
  }
  const UniqueKey unique{key.first, change.record.unique_key};
  if (!records.unique_keys.emplace(unique, key.second).second) {
    return failure(Code::kConflict, "record {} has a key that is taken", key.second.ulid());
  }
  records.by_id[key] = change.record;
  return {};
}

/// The records as `changes` leave them; nothing where there are none.
Result<std::optional<Records>> changed_records(const Contents& contents,
                                               const std::vector<RecordChange>& changes) {
  if (changes.empty()) return std::optional<Records>();
  Records copy = contents.records;
  for (const auto& change : changes) RETURN_IF_ERROR(write_record(copy, change));
  return std::optional(std::move(copy));
}

Result<void> check_answer(const Contents& contents, const IdempotentAnswer& answer) {
  const auto found = contents.answers.find(answer.key);
  if (found == contents.answers.end() || found->second.expires_at <= answer.stored_at) return {};
  return failure(Code::kConflict, "an answer is kept for this key already");
}

Result<void> check(const Contents& contents, const Commit& commit) {
  RETURN_IF_ERROR(check_form(commit));
  if (commit.run) RETURN_IF_ERROR(check_run(contents, *commit.run));
  if (commit.answer) RETURN_IF_ERROR(check_answer(contents, *commit.answer));
  return {};
}

/// What may be refused stands before it: it cannot fail half way.
void write_checked(Contents& contents, Commit commit) {
  if (commit.run) write_run(contents, std::move(*commit.run));
  for (auto& change : commit.tasks) {
    const TaskId id = change.row.id;
    if (change.erase) {
      contents.tasks.erase(id);
    } else {
      contents.tasks[id] = std::move(change.row);
    }
  }
  if (commit.answer) {
    std::string key = commit.answer->key;
    contents.answers[std::move(key)] = std::move(*commit.answer);
  }
}

bool has_labels(const RunRecord& run, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&run](const auto& label) {
    return std::find(run.labels.begin(), run.labels.end(), label) != run.labels.end();
  });
}

bool matches(const RunRecord& run, const RunQuery& query) {
  const RunRow& row = run.row;
  return row.tenant == query.tenant && (!query.status || row.status == *query.status) &&
         (!query.workflow || row.workflow == query.workflow) &&
         (!query.agent || row.agent == query.agent) &&
         (!query.created_after || row.created_at > *query.created_after) &&
         (!query.created_before || row.created_at < *query.created_before) &&
         (!query.before || row.id < *query.before) && has_labels(run, query.labels);
}

bool matches(const Record& record, const RecordQuery& query) {
  return record.kind == query.kind && record.tenant == query.tenant &&
         (!query.name || record.name == *query.name) &&
         (!query.status || record.status == *query.status) &&
         (!query.before || record.id < *query.before);
}

Error stopped() { return failure(Code::kUnavailable, "the store is stopped"); }

Error no_run(RunId id) { return failure(Code::kNotFound, "no run {}", id.ulid()); }

}  // namespace

struct MemoryStore::State {
  struct Waiting {
    Commit commit;
    std::size_t bytes = 0;
    Done done;
    Result<void> outcome;  ///< An error: refused before it was queued.
  };

  Mutex writing;  ///< One transaction at a time; taken before `mutex`.
  Mutex mutex;
  CommitHook* hook GUARDED_BY(mutex) = &no_hook();
  Contents contents GUARDED_BY(mutex);
  std::deque<Waiting> queue GUARDED_BY(mutex);
  std::size_t queue_bytes GUARDED_BY(mutex) = 0;
  std::uint64_t commits GUARDED_BY(mutex) = 0;
  bool is_stopped GUARDED_BY(mutex) = false;
  std::size_t queue_bytes_max = 0;

  /// Writes the oldest commit that waits, if there is one, and answers it outside the lock.
  bool write_next() {
    Waiting next;
    {
      const MutexLock transaction(writing);
      {
        const MutexLock lock(mutex);
        if (queue.empty()) return false;
        next = std::move(queue.front());
        queue.pop_front();
        queue_bytes -= next.bytes;
      }
      if (next.outcome) next.outcome = write(std::move(next.commit));
    }
    next.done(std::move(next.outcome));
    return true;
  }

  /// A transaction with one commit. begin(), committed() and rolled_back() are called without
  /// `mutex`: the hook may read.
  Result<void> write(Commit commit) REQUIRES(writing) {
    CommitHook& with = current_hook();
    RETURN_IF_ERROR(from_hook(with.begin()));
    Written written = write_rows(std::move(commit), with);
    written.is_undone ? with.rolled_back() : with.committed();
    return std::move(written.outcome);
  }

  /// A transaction without a commit; `job` changes what the store holds.
  template <class Job>
  auto run(const Job& job) -> decltype(job(std::declval<Contents&>())) {
    const MutexLock transaction(writing);
    if (is_over()) return stopped();
    CommitHook& with = current_hook();
    RETURN_IF_ERROR(from_hook(with.begin()));
    auto outcome = run_locked(job);
    with.committed();
    return outcome;
  }

 private:
  struct Written {
    Result<void> outcome;
    bool is_undone = false;  ///< By the hook; else it was refused before anything was written.
  };

  Written write_rows(Commit commit, CommitHook& with) {
    const MutexLock lock(mutex);
    if (auto checked = check(contents, commit); !checked) return {checked, false};
    auto records = changed_records(contents, commit.records);
    if (!records) return {records.error(), false};
    // Nobody sees what happens under the lock, so the hook may go first: what it refuses needs no
    // undoing then.
    if (!commit.statements.empty()) {
      MemoryLog::Transaction log(contents.log);
      auto logged = from_hook(with.add(log, std::move(commit.statements)));
      if (logged) logged = from_hook(with.integrate(log));
      if (!logged) return {std::move(logged), true};
      log.keep();
    }
    if (*records) contents.records = std::move(**records);
    write_checked(contents, std::move(commit));
    ++commits;
    return {};
  }

  template <class Job>
  auto run_locked(const Job& job) {
    const MutexLock lock(mutex);
    return job(contents);
  }

  CommitHook& current_hook() {
    const MutexLock lock(mutex);
    return *hook;
  }

  bool is_over() {
    const MutexLock lock(mutex);
    return is_stopped;
  }
};

MemoryStore::MemoryStore(Executor& executor, MemoryOptions options)
    : state_(std::make_shared<State>()), executor_(executor) {
  state_->queue_bytes_max = options.queue_bytes_max;
}

MemoryStore::~MemoryStore() = default;

void MemoryStore::set_hook(CommitHook& hook) {
  const MutexLock lock(state_->mutex);
  state_->hook = &hook;
}

void MemoryStore::commit(Commit commit, Done done) {
  State::Waiting waiting{std::move(commit), 0, std::move(done), {}};
  waiting.bytes = waiting.commit.bytes();
  {
    const MutexLock lock(state_->mutex);
    if (state_->is_stopped) {
      waiting.outcome = stopped();
    } else if (waiting.bytes > state_->queue_bytes_max - state_->queue_bytes) {
      waiting.outcome = failure(Code::kResourceExhausted, "the commit queue is full ({} bytes)",
                                state_->queue_bytes_max);
    }
    if (!waiting.outcome) {
      waiting.commit = {};
      waiting.bytes = 0;
    }
    if (!state_->is_stopped) {
      state_->queue_bytes += waiting.bytes;
      state_->queue.push_back(std::move(waiting));
      waiting.done = nullptr;
    }
  }
  if (waiting.done) return waiting.done(std::move(waiting.outcome));
  executor_.post([state = std::weak_ptr(state_)] {
    if (const auto alive = state.lock()) alive->write_next();
  });
}

void MemoryStore::stop() {
  {
    const MutexLock lock(state_->mutex);
    state_->is_stopped = true;
  }
  while (state_->write_next()) {
  }
}

void MemoryStore::crash() {
  const MutexLock lock(state_->mutex);
  state_->queue.clear();
  state_->queue_bytes = 0;
}

Result<RunRow> MemoryStore::get_run(RunId id) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.runs.find(id);
  if (found == state_->contents.runs.end()) return no_run(id);
  return found->second.row;
}

Result<RunRecord> MemoryStore::read_run(RunId id) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.runs.find(id);
  if (found == state_->contents.runs.end()) return no_run(id);
  return found->second;
}

Result<std::vector<Segment>> MemoryStore::read_journal(RunId id, std::uint32_t after_seq,
                                                       std::size_t limit) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.runs.find(id);
  if (found == state_->contents.runs.end()) return no_run(id);
  std::vector<Segment> out;
  for (const auto& segment : found->second.journal) {
    if (out.size() == limit) break;
    if (segment.first_seq + segment.count - 1 > after_seq) out.push_back(segment);
  }
  return out;
}

Result<std::vector<RunRow>> MemoryStore::list_runs(const RunQuery& query) {
  const MutexLock lock(state_->mutex);
  std::vector<RunRow> out;
  const auto& runs = state_->contents.runs;
  for (auto run = runs.rbegin(); run != runs.rend() && out.size() < query.limit; ++run) {
    if (matches(run->second, query)) out.push_back(run->second.row);
  }
  return out;
}

Result<std::vector<RunRow>> MemoryStore::active_runs(std::optional<RunId> after,
                                                     std::size_t limit) {
  const MutexLock lock(state_->mutex);
  std::vector<RunRow> out;
  const auto& runs = state_->contents.runs;
  auto run = after ? runs.upper_bound(*after) : runs.begin();
  for (; run != runs.end() && out.size() < limit; ++run) {
    const RunRow& row = run->second.row;
    if (row.status == RunStatus::kRunning && !row.is_parked) out.push_back(row);
  }
  return out;
}

Result<std::vector<Store::TimerRow>> MemoryStore::timers(std::optional<TimerRow> after,
                                                         std::size_t limit) {
  const MutexLock lock(state_->mutex);
  std::vector<TimerRow> out;
  for (const auto& [id, run] : state_->contents.runs) {
    if (run.row.status != RunStatus::kRunning || !run.row.wake_at) continue;
    const TimerRow timer{*run.row.wake_at, id, run.row.tenant};
    const bool is_after =
        !after || std::pair(timer.wake_at, timer.run) > std::pair(after->wake_at, after->run);
    if (is_after) out.push_back(timer);
  }
  std::sort(out.begin(), out.end());
  if (out.size() > limit) out.resize(limit);
  return out;
}

Result<Record> MemoryStore::get_record(RecordKind kind, Id id) {
  const MutexLock lock(state_->mutex);
  const auto& records = state_->contents.records.by_id;
  const auto found = records.find({kind, id});
  if (found != records.end()) return found->second;
  return failure(Code::kNotFound, "no record {}", id.ulid());
}

Result<Record> MemoryStore::find_record(RecordKind kind, std::string_view unique_key) {
  const MutexLock lock(state_->mutex);
  const Records& records = state_->contents.records;
  const auto found = records.unique_keys.find({kind, std::string(unique_key)});
  if (found != records.unique_keys.end()) return records.by_id.at({kind, found->second});
  return failure(Code::kNotFound, "no record with this key");
}

Result<std::vector<Record>> MemoryStore::list_records(const RecordQuery& query) {
  const MutexLock lock(state_->mutex);
  std::vector<Record> out;
  const auto& records = state_->contents.records.by_id;
  for (auto at = records.rbegin(); at != records.rend() && out.size() < query.limit; ++at) {
    if (matches(at->second, query)) out.push_back(at->second);
  }
  return out;
}

Result<std::vector<TaskRow>> MemoryStore::tasks(std::optional<TaskId> after, std::size_t limit) {
  const MutexLock lock(state_->mutex);
  std::vector<TaskRow> out;
  const auto& tasks = state_->contents.tasks;
  auto task = after ? tasks.upper_bound(*after) : tasks.begin();
  for (; task != tasks.end() && out.size() < limit; ++task) out.push_back(task->second);
  return out;
}

Result<TaskRow> MemoryStore::get_task(TaskId id) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.tasks.find(id);
  if (found != state_->contents.tasks.end()) return found->second;
  return failure(Code::kNotFound, "no task {}", id.ulid());
}

Result<IdempotentAnswer> MemoryStore::find_answer(std::string_view key, Time now) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.answers.find(key);
  if (found != state_->contents.answers.end() && found->second.expires_at > now) {
    return found->second;
  }
  return failure(Code::kNotFound, "no answer is kept for this key");
}

Result<std::size_t> MemoryStore::drop_expired_answers(Time now, std::size_t limit) {
  return state_->run([&](Contents& contents) -> Result<std::size_t> {
    auto& answers = contents.answers;
    std::size_t dropped = 0;
    for (auto at = answers.begin(); at != answers.end() && dropped < limit;) {
      if (at->second.expires_at > now) {
        ++at;
      } else {
        at = answers.erase(at);
        ++dropped;
      }
    }
    return dropped;
  });
}

Result<std::string> MemoryStore::get_meta(std::string_view name) {
  const MutexLock lock(state_->mutex);
  const auto found = state_->contents.meta.find(name);
  if (found != state_->contents.meta.end()) return found->second;
  return failure(Code::kNotFound, "no fact named {}", name);
}

Result<void> MemoryStore::put_meta(std::string_view name, std::string_view value) {
  return state_->run([&](Contents& contents) -> Result<void> {
    const auto [at, is_new] = contents.meta.emplace(name, value);
    if (is_new || at->second == value) return {};
    return failure(Code::kConflict, "the fact {} has another value already", name);
  });
}

Result<LogHead> MemoryStore::newest_log_head() {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.newest_head();
}

Result<LogHead> MemoryStore::get_log_head(std::uint32_t log) {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.get_head(log);
}

Result<std::vector<LogEntry>> MemoryStore::read_log(std::uint32_t log, std::uint64_t index,
                                                    std::size_t limit) {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.read(log, index, limit);
}

Result<LogTile> MemoryStore::get_log_tile(std::uint32_t log, int level, std::uint64_t index) {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.get_tile(log, level, index);
}

Result<LogEntry> MemoryStore::find_statement(Id id) {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.find_statement(id);
}

Result<std::vector<LogEntry>> MemoryStore::list_statements(const StatementQuery& query) {
  const MutexLock lock(state_->mutex);
  return state_->contents.log.list_statements(query);
}

Result<void> MemoryStore::health() {
  const MutexLock lock(state_->mutex);
  if (state_->is_stopped) return stopped();
  return {};
}

Store::Figures MemoryStore::figures() {
  const MutexLock lock(state_->mutex);
  return {state_->commits, state_->commits, state_->queue_bytes};
}

}  // namespace avow::store
