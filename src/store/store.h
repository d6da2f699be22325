// SPDX-License-Identifier: Apache-2.0
// store/store.h: what must survive the process, in verbs of the domain.
// The store sees bytes, ids, times and states; what the bytes mean is its callers' business. Memory
// (the model), SQLite (one process, one file) and later PostgreSQL (several nodes) keep one
// contract, held by one test suite.
//
// Atomicity   A Commit happens whole or not at all.
// Durability  When `done` says success, the commit is on disk (memory: in memory) and every later
// read
//             in this process sees it.
// Order       Commits of one run are written in the order in which they were given.
// Isolation   A read sees one moment; nothing of a commit before all of it.
// Failure     kConflict, kResourceExhausted and kUnavailable mean: not written. kOutcomeUnknown: it
// may
//             have been; read again. If the disk's sync fails the process stops (DESIGN.md, promise
//             1).
// Threads     Every verb may be called from any thread. Reads block briefly (never on a commit).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"
#include "store/commit_hook.h"

namespace avow::store {

enum class RunStatus : std::uint8_t { kRunning = 1, kCompleted = 2, kFailed = 3, kCancelled = 4 };

/// The narrow row of a run: what lists, recovery and timers need without reading its journal.
struct RunRow {
  RunId id;
  TenantId tenant;
  std::uint64_t version = 0;  ///< Commits so far, from 1.
  RunStatus status = RunStatus::kRunning;
  std::optional<WorkflowId> workflow;
  std::optional<AgentId> agent;
  Time created_at;
  std::optional<Time> wake_at;  ///< Its earliest timer; none when terminal.
  /// Waits for somebody else (a task, a timer): not resumed at start, only by its timer or an
  /// input.
  bool is_parked = false;
  std::string summary;  ///< Opaque: what a list shows of the run.
};

/// A piece of a run's journal or contents: opaque bytes that come back exactly, keyed by the first
/// seq they belong to.
struct Segment {
  std::uint32_t first_seq = 0;  ///< From 1.
  std::uint32_t count = 0;      ///< Events in it.
  std::string bytes;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

/// The largest seq of a journal, and so the most events of a run (DESIGN.md, section 6).
inline constexpr std::uint32_t kSeqMax = 1'048'575;

/// One transition of one run.
struct RunChange {
  /// The row after it; row.version = expected_version + 1. Tenant, workflow, agent and created_at
  /// are those of creation for ever: later ones are ignored.
  RunRow row;
  std::uint64_t expected_version = 0;  ///< 0: the run must not exist.
  std::optional<Segment> journal;      ///< Appended; first_seq follows the last (else kConflict).
  /// Appended, only together with a journal segment; first_seq is one of that segment's seqs.
  std::optional<Segment> contents;
  /// Stored at creation, where it is not a shared plan; later only together with `replaced`.
  std::optional<std::string> plan;
  Labels labels;  ///< Stored once, at creation.
  /// Takes the place of all contents segments, the labels and the kept answers of the run: what is
  /// not in it is gone for good when `done` says success, from every file of the store. Only of a
  /// run that is terminal before (else kConflict) and after, without `journal` and `contents`;
  /// first_seqs ascend and lie in the journal (else kConflict). kOutcomeUnknown may also mean that
  /// it is written, but a file still holds the old bytes: the store goes on erasing them, health()
  /// says so until they are gone, and the same once more is answered when they are.
  std::optional<std::vector<Segment>> replaced;
};

/// Kinds of record. The numbers are in stores; never reuse one.
enum class RecordKind : std::uint8_t {
  kTenant = 1,
  kApiKey = 2,
  kWorkflow = 3,
  kAgent = 4,
  kTool = 5,
  kSetting = 6
};

/// Something defined through the API and changed now and then: a tenant, key, workflow, agent or
/// tool.
struct Record {
  RecordKind kind = RecordKind::kTenant;
  TenantId tenant;  ///< All zero for the deployment's own.
  Id id;
  /// Unique within the kind, all tenants together; put the tenant in where it is meant per tenant.
  std::string unique_key;
  std::string name;    ///< Filter of lists.
  std::string status;  ///< Filter of lists.
  std::uint64_t version = 0;
  std::string body;  ///< Opaque.
};

struct RecordChange {
  Record record;                       ///< record.version = expected_version + 1.
  std::uint64_t expected_version = 0;  ///< 0: it must not exist.
  bool erase = false;                  ///< Removes it; only kind, id and expected_version count.
};

/// An agent's step that waits for a worker.
struct TaskRow {
  TaskId id;
  TenantId tenant;
  AgentId agent;
  RunId run;
  std::string step;
  std::uint32_t attempt = 1;
  Time created_at;
  std::optional<Time> lease_expires_at;  ///< Absent: free.
  std::string lease_token_hash;          ///< SHA-256; empty: free.
};

struct TaskChange {
  TaskRow row;         ///< Inserted or replaced.
  bool erase = false;  ///< Removed if it is there; only row.id counts.
};

/// The kept answer of a request with an Idempotency-Key.
struct IdempotentAnswer {
  std::string key;          ///< 32 bytes: SHA-256 over tenant, caller, method, path and key.
  std::string body_digest;  ///< 32 bytes: SHA-256 of the request's body.
  std::string answer;       ///< Opaque.
  Time expires_at;
  /// When it is stored. An answer of the same key that expired at or before this is replaced; any
  /// other is a kConflict. Left at zero, it replaces none.
  Time stored_at{};
  std::optional<RunId> run{};  ///< Whose it is; goes with the run's contents.
};

/// What is written together.
struct Commit {
  std::optional<RunChange> run;
  std::vector<RecordChange> records;
  std::vector<TaskChange> tasks;
  std::optional<IdempotentAnswer> answer;
  std::vector<QueuedStatement> statements;  ///< For the hook; without one they are dropped.

  /// An estimate of the bytes held while it waits; the commit queue is bounded by their sum.
  [[nodiscard]] std::size_t bytes() const;
};

/// A run with everything that was written of it.
struct RunRecord {
  RunRow row;
  std::optional<std::string> plan;
  Labels labels;
  std::vector<Segment> journal;   ///< By first_seq.
  std::vector<Segment> contents;  ///< By first_seq.
};

struct RunQuery {
  TenantId tenant;
  std::optional<RunStatus> status;
  std::optional<WorkflowId> workflow;
  std::optional<AgentId> agent;
  std::optional<Time> created_after;   ///< Exclusive.
  std::optional<Time> created_before;  ///< Exclusive.
  Labels labels;                       ///< All of them.
  std::optional<RunId> before;         ///< Page: older than this one.
  std::size_t limit = 50;
};

struct StatementQuery {
  TenantId tenant;
  std::optional<std::uint8_t> kind;
  std::uint64_t after = 0;              ///< Only larger tenant_seqs.
  std::optional<std::uint64_t> before;  ///< Only smaller ones.
  bool is_newest_first = false;
  std::size_t limit = 50;
};

struct RecordQuery {
  RecordKind kind = RecordKind::kTenant;
  TenantId tenant;
  std::optional<std::string> name;
  std::optional<std::string> status;
  std::optional<Id> before;  ///< Page: smaller ids than this one.
  std::size_t limit = 50;
};

class Store {
 public:
  using Done = std::function<void(Result<void>)>;
  virtual ~Store() = default;

  /// From now on `hook` takes part in every transaction. Once, before the first commit, or between
  /// commits with none under way; it must outlive stop().
  virtual void set_hook(CommitHook& hook) = 0;

  /// Writes `commit`; calls `done` once, on a thread of the store's, after it is durable or
  /// refused. `done` must not block, nor call a verb that waits (put_meta, drop_expired_answers,
  /// stop). Never waits for the disk itself; never calls `done` before it returns, save after
  /// stop(). Errors, through `done`: kInvalidArgument    it breaks a rule that stands beside the
  /// fields above:
  ///                                             the caller's mistake
  ///                         kConflict           another version, an id or unique_key that is
  ///                         taken, or an
  ///                                             answer that is kept already
  ///                         kResourceExhausted  the queue or the disk is full: not written
  ///                         kUnavailable        the store is stopping, or cannot be reached: not
  ///                         written kOutcomeUnknown     the answer of the database was lost
  virtual void commit(Commit commit, Done done) = 0;

  /// Errors of all reads: kNotFound where one thing is named, kCorruption, kUnavailable (stopped,
  /// or the read took longer than a second).
  virtual Result<RunRow> get_run(RunId id) = 0;
  virtual Result<RunRecord> read_run(RunId id) = 0;
  /// At most `limit` journal segments that hold events after `after_seq`, oldest first.
  virtual Result<std::vector<Segment>> read_journal(RunId id, std::uint32_t after_seq,
                                                    std::size_t limit) = 0;
  /// Newest first (by id).
  virtual Result<std::vector<RunRow>> list_runs(const RunQuery& query) = 0;
  /// Runs that are neither terminal nor parked, by id, after `after`.
  virtual Result<std::vector<RunRow>> active_runs(std::optional<RunId> after,
                                                  std::size_t limit) = 0;
  /// Runs that are not terminal and have a timer, by (wake_at, id), after that pair.
  struct TimerRow {
    Time wake_at;
    RunId run;
    TenantId tenant;
    auto operator<=>(const TimerRow&) const = default;
  };
  virtual Result<std::vector<TimerRow>> timers(std::optional<TimerRow> after,
                                               std::size_t limit) = 0;

  virtual Result<Record> get_record(RecordKind kind, Id id) = 0;
  virtual Result<Record> find_record(RecordKind kind, std::string_view unique_key) = 0;
  /// Newest first (by id).
  virtual Result<std::vector<Record>> list_records(const RecordQuery& query) = 0;

  /// Tasks by id, oldest first, after `after`.
  virtual Result<std::vector<TaskRow>> tasks(std::optional<TaskId> after, std::size_t limit) = 0;
  virtual Result<TaskRow> get_task(TaskId id) = 0;

  /// The kept answer of that key; kNotFound also where it has expired at `now`.
  virtual Result<IdempotentAnswer> find_answer(std::string_view key, Time now) = 0;
  /// Removes answers that expired at or before `now`, at most `limit`; says how many. Waits for the
  /// disk.
  virtual Result<std::size_t> drop_expired_answers(Time now, std::size_t limit) = 0;

  // The log. Logs are read by their number; entries and tiles never change.
  /// Of the newest log. Errors: kNotFound  there is none yet
  virtual Result<LogHead> newest_log_head() = 0;
  virtual Result<LogHead> get_log_head(std::uint32_t log) = 0;
  /// At most `limit` entries from `index` on, in order.
  virtual Result<std::vector<LogEntry>> read_log(std::uint32_t log, std::uint64_t index,
                                                 std::size_t limit) = 0;
  virtual Result<LogTile> get_log_tile(std::uint32_t log, int level, std::uint64_t index) = 0;
  /// The newest statement about `id`.
  virtual Result<LogEntry> find_statement(Id id) = 0;
  /// By tenant_seq.
  virtual Result<std::vector<LogEntry>> list_statements(const StatementQuery& query) = 0;

  /// Facts of the deployment ("origin", ...), written once at init; put waits for the disk.
  /// Errors of put: kConflict (other value), and those of commit.
  virtual Result<std::string> get_meta(std::string_view name) = 0;
  virtual Result<void> put_meta(std::string_view name, std::string_view value) = 0;

  /// Whether it can be written now, and no erasure is late; the error says why not. For
  /// /health/ready.
  virtual Result<void> health() = 0;
  struct Figures {
    std::uint64_t commits = 0;       ///< Transitions asked for and written.
    std::uint64_t transactions = 0;  ///< Groups of them; one sync each.
    std::size_t queue_bytes = 0;     ///< Waiting now.
  };
  virtual Figures figures() = 0;

  /// Writes what is waiting, answers it, and refuses more. Idempotent; call it before destruction.
  virtual void stop() = 0;
};

}  // namespace avow::store
