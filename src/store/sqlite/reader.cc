// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/reader.h"

#include <algorithm>
#include <array>

#include "store/sqlite/compression.h"
#include "store/sqlite/rows.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/writer.h"

// Lists of columns, in the order in which row_of() and its like read them.
#define RUN_COLUMNS                                                                \
  "runs.number, runs.id, runs.tenant, runs.version, runs.status, runs.is_parked, " \
  "runs.workflow, runs.agent, runs.created_at, runs.wake_at, runs.summary"
#define RECORD_COLUMNS "kind, id, tenant, unique_key, name, status, version, body"
#define TASK_COLUMNS \
  "id, tenant, agent, run, step, attempt, created_at, lease_expires_at, lease_token_hash"

namespace avow::store {
namespace {

constexpr auto kReadTimeMax = std::chrono::seconds(1);
constexpr std::array kStatuses = {RunStatus::kRunning, RunStatus::kCompleted, RunStatus::kFailed,
                                  RunStatus::kCancelled};

std::int64_t stored(RunStatus status) { return static_cast<std::int64_t>(status); }
std::int64_t stored(RecordKind kind) { return static_cast<std::int64_t>(kind); }

template <class T>
Result<std::optional<T>> optional_id(const Query& query, int column) {
  if (query.is_null(column)) return std::optional<T>();
  ASSIGN_OR_RETURN(const Id id, query.id(column));
  return std::optional<T>(T{id});
}

std::optional<Time> optional_time(const Query& query, int column) {
  if (query.is_null(column)) return std::nullopt;
  return query.time(column);
}

Result<RunRow> run_of(const Query& query) {
  RunRow row;
  ASSIGN_OR_RETURN(row.id.value, query.id(1));
  ASSIGN_OR_RETURN(row.tenant.value, query.id(2));
  row.version = static_cast<std::uint64_t>(query.integer(3));
  const std::int64_t status = query.integer(4);
  if (status < stored(RunStatus::kRunning) || status > stored(RunStatus::kCancelled)) {
    return failure(Code::kCorruption, "store: run {} has status {}", row.id.ulid(), status);
  }
  row.status = static_cast<RunStatus>(status);
  row.is_parked = query.integer(5) != 0;
  ASSIGN_OR_RETURN(row.workflow, optional_id<WorkflowId>(query, 6));
  ASSIGN_OR_RETURN(row.agent, optional_id<AgentId>(query, 7));
  row.created_at = query.time(8);
  row.wake_at = optional_time(query, 9);
  row.summary = query.bytes(10);
  return row;
}

Result<Record> record_of(const Query& query) {
  Record record;
  record.kind = static_cast<RecordKind>(query.integer(0));
  ASSIGN_OR_RETURN(record.id, query.id(1));
  ASSIGN_OR_RETURN(record.tenant.value, query.id(2));
  record.unique_key = query.bytes(3);
  record.name = query.bytes(4);
  record.status = query.bytes(5);
  record.version = static_cast<std::uint64_t>(query.integer(6));
  record.body = query.bytes(7);
  return record;
}

Result<TaskRow> task_of(const Query& query) {
  TaskRow row;
  ASSIGN_OR_RETURN(row.id.value, query.id(0));
  ASSIGN_OR_RETURN(row.tenant.value, query.id(1));
  ASSIGN_OR_RETURN(row.agent.value, query.id(2));
  ASSIGN_OR_RETURN(row.run.value, query.id(3));
  row.step = query.bytes(4);
  row.attempt = static_cast<std::uint32_t>(query.integer(5));
  row.created_at = query.time(6);
  row.lease_expires_at = optional_time(query, 7);
  row.lease_token_hash = query.bytes(8);
  return row;
}

/// Columns key, count, bytes.
Result<Segment> segment_of(const Query& query) {
  Segment segment;
  segment.first_seq = static_cast<std::uint32_t>(query.integer(0) >> 1) & kSeqMax;
  segment.count = static_cast<std::uint32_t>(query.integer(1));
  ASSIGN_OR_RETURN(segment.bytes, decompress(query.view(2)));
  return segment;
}

bool is_journal(std::int64_t key) {
  return (key & 1) == static_cast<std::int64_t>(SegmentKind::kJournal);
}

/// The filters that a list of runs adds to tenant (and status), as SQL. A closed set of texts.
std::string filters_of(const RunQuery& query) {
  std::string sql;
  if (query.workflow) sql += " AND workflow = ?";
  if (query.agent) sql += " AND agent = ?";
  if (query.created_after) sql += " AND created_at > ?";
  if (query.created_before) sql += " AND created_at < ?";
  return sql;
}

void bind_filters(const RunQuery& query, Query& statement) {
  if (query.workflow) statement.bind(*query.workflow);
  if (query.agent) statement.bind(*query.agent);
  if (query.created_after) statement.bind(*query.created_after);
  if (query.created_before) statement.bind(*query.created_before);
}

}  // namespace

template <class Read>
auto Reader::in_snapshot(const Read& read) -> decltype(read()) {
  RETURN_IF_ERROR(connection_->execute("BEGIN"));
  auto result = read();
  // It wrote nothing: there is nothing to keep, and no way for this to lose something.
  RETURN_IF_ERROR(connection_->execute("ROLLBACK"));
  return result;
}

Result<Reader::NumberedRow> Reader::find_run(RunId id) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query("SELECT " RUN_COLUMNS " FROM runs WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind(id).next());
  if (!exists) return failure(Code::kNotFound, "no run {}", id.ulid());
  ASSIGN_OR_RETURN(RunRow row, run_of(query));
  return NumberedRow{query.integer(0), std::move(row)};
}

Result<RunRow> Reader::get_run(RunId id) {
  ASSIGN_OR_RETURN(NumberedRow found, find_run(id));
  return std::move(found.row);
}

Result<RunRecord> Reader::read_run(RunId id) {
  return in_snapshot([&]() -> Result<RunRecord> {
    ASSIGN_OR_RETURN(NumberedRow found, find_run(id));
    RunRecord run;
    run.row = std::move(found.row);
    RETURN_IF_ERROR(read_origin(found.number, run));
    RETURN_IF_ERROR(read_segments(found.number, run));
    return run;
  });
}

Result<void> Reader::read_origin(std::int64_t number, RunRecord& run) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query("SELECT plan, labels FROM run_origins WHERE number = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind(number).next());
  if (!exists) return {};
  if (!query.is_null(0)) {
    ASSIGN_OR_RETURN(run.plan, decompress(query.view(0)));
  }
  ASSIGN_OR_RETURN(run.labels, decode_labels(query.view(1)));
  return {};
}

Result<void> Reader::read_segments(std::int64_t number, RunRecord& run) {
  ASSIGN_OR_RETURN(
      Query query,
      connection_->query(
          "SELECT key, count, bytes FROM segments WHERE key >= ? AND key < ? ORDER BY key"));
  query.bind(segment_key(number, 0, SegmentKind::kJournal));
  query.bind(segment_key(number + 1, 0, SegmentKind::kJournal));
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return {};
    ASSIGN_OR_RETURN(Segment segment, segment_of(query));
    (is_journal(query.integer(0)) ? run.journal : run.contents).push_back(std::move(segment));
  }
}

Result<std::vector<Segment>> Reader::read_journal(RunId id, std::uint32_t after_seq,
                                                  std::size_t limit) {
  if (after_seq >= kSeqMax) after_seq = kSeqMax;
  return in_snapshot([&]() -> Result<std::vector<Segment>> {
    ASSIGN_OR_RETURN(const NumberedRow found, find_run(id));
    // The last journal segment that begins at or before after_seq may reach beyond it; those before
    // it cannot, because segments follow each other without gap.
    ASSIGN_OR_RETURN(
        Query query,
        connection_->query(
            "SELECT key, count, bytes FROM segments WHERE key >= "
            "coalesce((SELECT max(key) FROM segments WHERE key BETWEEN ?1 AND ?2 AND key & 1 = 0), "
            "?1) AND key < ?3 AND key & 1 = 0 AND ((key >> 1) & ?4) + count - 1 > ?5 "
            "ORDER BY key LIMIT ?6"));
    query.bind(segment_key(found.number, 0, SegmentKind::kJournal));
    query.bind(segment_key(found.number, after_seq, SegmentKind::kJournal));
    query.bind(segment_key(found.number + 1, 0, SegmentKind::kJournal));
    query.bind(std::int64_t{kSeqMax}).bind(std::int64_t{after_seq}).bind(stored_limit(limit));
    return all(std::move(query), segment_of);
  });
}

Result<std::vector<RunRow>> Reader::list_runs(const RunQuery& query) {
  return in_snapshot([&]() -> Result<std::vector<RunRow>> {
    std::vector<RunRow> out;
    if (!query.labels.empty()) {
      RETURN_IF_ERROR(list_labelled_runs(query, out));
      return out;
    }
    for (const RunStatus status : kStatuses) {
      if (query.status && *query.status != status) continue;
      RETURN_IF_ERROR(list_runs_of(query, status, out));
    }
    // Each state gave its newest, so the newest of all are among them.
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id > b.id; });
    if (out.size() > query.limit) out.resize(query.limit);
    return out;
  });
}

Result<void> Reader::list_runs_of(const RunQuery& query, RunStatus status,
                                  std::vector<RunRow>& out) {
  std::string sql = "SELECT " RUN_COLUMNS
                    " FROM runs INDEXED BY runs_listed WHERE tenant = ? AND status = ?" +
                    filters_of(query);
  if (query.before) sql += " AND id < ?";
  sql += " ORDER BY id DESC LIMIT ?";
  ASSIGN_OR_RETURN(Query statement, connection_->query(sql));
  statement.bind(query.tenant).bind(stored(status));
  bind_filters(query, statement);
  if (query.before) statement.bind(*query.before);
  statement.bind(stored_limit(query.limit));
  return collect(statement, run_of, out);
}

Result<void> Reader::list_labelled_runs(const RunQuery& query, std::vector<RunRow>& out) {
  // The first label drives; the others are looked up for each run it finds.
  std::string sql = "SELECT " RUN_COLUMNS
                    " FROM run_labels l CROSS JOIN runs ON runs.id = l.run "
                    "WHERE l.tenant = ? AND l.name = ? AND l.value = ?";
  for (std::size_t i = 1; i < query.labels.size(); ++i) {
    sql +=
        " AND EXISTS (SELECT 1 FROM run_labels o WHERE o.tenant = l.tenant AND o.name = ? "
        "AND o.value = ? AND o.run = l.run)";
  }
  if (query.status) sql += " AND status = ?";
  sql += filters_of(query);
  if (query.before) sql += " AND l.run < ?";
  sql += " ORDER BY l.run DESC LIMIT ?";
  ASSIGN_OR_RETURN(Query statement, connection_->query(sql));
  statement.bind(query.tenant);
  for (const auto& [name, value] : query.labels) statement.bind_text(name).bind_text(value);
  if (query.status) statement.bind(stored(*query.status));
  bind_filters(query, statement);
  if (query.before) statement.bind(*query.before);
  statement.bind(stored_limit(query.limit));
  return collect(statement, run_of, out);
}

Result<std::vector<RunRow>> Reader::active_runs(std::optional<RunId> after, std::size_t limit) {
  // Every id is greater than the zero id, which no run has.
  ASSIGN_OR_RETURN(
      Query query,
      connection_->query("SELECT " RUN_COLUMNS " FROM runs INDEXED BY runs_active WHERE status = 1 "
                         "AND is_parked = 0 AND id > ? ORDER BY id LIMIT ?"));
  query.bind(after.value_or(RunId{})).bind(stored_limit(limit));
  return all(std::move(query), run_of);
}

Result<std::vector<Store::TimerRow>> Reader::timers(std::optional<Store::TimerRow> after,
                                                    std::size_t limit) {
  ASSIGN_OR_RETURN(
      Query query,
      connection_->query("SELECT wake_at, id, tenant FROM runs INDEXED BY runs_timers "
                         "WHERE status = 1 AND wake_at IS NOT NULL AND (wake_at, id) > (?, ?) "
                         "ORDER BY wake_at, id LIMIT ?"));
  query.bind(after ? after->wake_at : Time::min()).bind(after ? after->run : RunId{});
  query.bind(stored_limit(limit));
  const auto timer_of = [](const Query& row) -> Result<Store::TimerRow> {
    ASSIGN_OR_RETURN(const Id run, row.id(1));
    ASSIGN_OR_RETURN(const Id tenant, row.id(2));
    return Store::TimerRow{row.time(0), RunId{run}, TenantId{tenant}};
  };
  return all<Store::TimerRow>(std::move(query), timer_of);
}

Result<Record> Reader::get_record(RecordKind kind, Id id) {
  ASSIGN_OR_RETURN(Query query, connection_->query("SELECT " RECORD_COLUMNS
                                                   " FROM records WHERE kind = ? AND id = ?"));
  query.bind(stored(kind)).bind(id);
  return one(std::move(query), record_of, failure(Code::kNotFound, "no record {}", id.ulid()));
}

Result<Record> Reader::find_record(RecordKind kind, std::string_view unique_key) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query("SELECT " RECORD_COLUMNS
                                      " FROM records WHERE kind = ? AND unique_key = ?"));
  query.bind(stored(kind)).bind_blob(unique_key);
  return one(std::move(query), record_of, failure(Code::kNotFound, "no record with this key"));
}

Result<std::vector<Record>> Reader::list_records(const RecordQuery& query) {
  std::string sql = "SELECT " RECORD_COLUMNS
                    " FROM records INDEXED BY records_listed WHERE kind = ? AND tenant = ?";
  if (query.name) sql += " AND name = ?";
  if (query.status) sql += " AND status = ?";
  if (query.before) sql += " AND id < ?";
  sql += " ORDER BY id DESC LIMIT ?";
  ASSIGN_OR_RETURN(Query statement, connection_->query(sql));
  statement.bind(stored(query.kind)).bind(query.tenant);
  if (query.name) statement.bind_text(*query.name);
  if (query.status) statement.bind_text(*query.status);
  if (query.before) statement.bind(*query.before);
  statement.bind(stored_limit(query.limit));
  return all(std::move(statement), record_of);
}

Result<std::vector<TaskRow>> Reader::tasks(std::optional<TaskId> after, std::size_t limit) {
  ASSIGN_OR_RETURN(Query query, connection_->query("SELECT " TASK_COLUMNS
                                                   " FROM tasks WHERE id > ? ORDER BY id LIMIT ?"));
  query.bind(after.value_or(TaskId{})).bind(stored_limit(limit));
  return all(std::move(query), task_of);
}

Result<TaskRow> Reader::get_task(TaskId id) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query("SELECT " TASK_COLUMNS " FROM tasks WHERE id = ?"));
  query.bind(id);
  return one(std::move(query), task_of, failure(Code::kNotFound, "no task {}", id.ulid()));
}

Result<IdempotentAnswer> Reader::find_answer(std::string_view key, Time now) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query("SELECT body_digest, answer, expires_at, run FROM answers "
                                      "WHERE key = ? AND expires_at > ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind_blob(key).bind(now).next());
  if (!exists) return failure(Code::kNotFound, "no answer is kept for this key");
  IdempotentAnswer answer;
  answer.key = key;
  answer.body_digest = query.bytes(0);
  answer.answer = query.bytes(1);
  answer.expires_at = query.time(2);
  ASSIGN_OR_RETURN(answer.run, optional_id<RunId>(query, 3));
  return answer;
}

Result<std::string> Reader::get_meta(std::string_view name) {
  ASSIGN_OR_RETURN(Query query, connection_->query("SELECT value FROM meta WHERE name = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind_text(name).next());
  if (!exists) return failure(Code::kNotFound, "no fact named {}", name);
  return query.bytes(0);
}

ReaderPool::ReaderPool(std::vector<std::unique_ptr<Reader>> readers) : free_(std::move(readers)) {}

ReaderPool::~ReaderPool() {
  const MutexLock lock(mutex_);
  CHECK(is_stopping_ && free_.empty());
}

std::unique_ptr<Reader> ReaderPool::borrow() {
  const MutexLock lock(mutex_);
  while (free_.empty() && !is_stopping_) changed_.wait(mutex_);
  if (is_stopping_) return nullptr;
  auto reader = std::move(free_.back());
  free_.pop_back();
  ++lent_;
  reader->connection().set_deadline(std::chrono::steady_clock::now() + kReadTimeMax);
  return reader;
}

void ReaderPool::give_back(std::unique_ptr<Reader> reader) {
  const MutexLock lock(mutex_);
  free_.push_back(std::move(reader));
  --lent_;
  changed_.notify_all();
}

void ReaderPool::stop() {
  const MutexLock lock(mutex_);
  is_stopping_ = true;
  changed_.notify_all();
  while (lent_ > 0) changed_.wait(mutex_);
  free_.clear();
}

}  // namespace avow::store
