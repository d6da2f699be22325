// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/writer.h"

#include "store/form.h"
#include "store/sqlite/compression.h"
#include "store/sqlite/schema.h"

namespace avow::store {
namespace {

std::int64_t stored(std::uint64_t number) { return static_cast<std::int64_t>(number); }
std::int64_t stored(RunStatus status) { return static_cast<std::int64_t>(status); }
std::int64_t stored(RecordKind kind) { return static_cast<std::int64_t>(kind); }

void append_sized(std::string& out, std::string_view text) {
  const auto size = static_cast<std::uint32_t>(text.size());
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(size >> shift));
  out.append(text);
}

Result<std::string> take_sized(std::string_view& bytes) {
  const auto broken = [] { return failure(Code::kCorruption, "store: labels are cut off"); };
  if (bytes.size() < 4) return broken();
  std::uint32_t size = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    size |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  }
  bytes.remove_prefix(4);
  if (bytes.size() < size) return broken();
  std::string text(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return text;
}

}  // namespace

std::string encode_labels(const Labels& labels) {
  std::string out;
  for (const auto& [name, value] : labels) {
    append_sized(out, name);
    append_sized(out, value);
  }
  return out;
}

Result<Labels> decode_labels(std::string_view bytes) {
  Labels labels;
  while (!bytes.empty()) {
    ASSIGN_OR_RETURN(std::string name, take_sized(bytes));
    ASSIGN_OR_RETURN(std::string value, take_sized(bytes));
    labels.emplace_back(std::move(name), std::move(value));
  }
  return labels;
}

void compress_parts(Commit& commit) {
  if (!commit.run) return;
  if (commit.run->journal) commit.run->journal->bytes = compress(commit.run->journal->bytes);
  if (commit.run->contents) commit.run->contents->bytes = compress(commit.run->contents->bytes);
  if (commit.run->plan) commit.run->plan = compress(*commit.run->plan);
  if (!commit.run->replaced) return;
  for (auto& segment : *commit.run->replaced) segment.bytes = compress(segment.bytes);
}

Result<Writer::Place> Writer::admit(const Commit& commit) {
  // Everything that can be refused comes before the first write that is not under a savepoint: so
  // the common commit, which has no records, needs none.
  Place place;
  if (commit.run) {
    ASSIGN_OR_RETURN(place, find_place(*commit.run));
  }
  if (commit.answer) RETURN_IF_ERROR(check_answer(*commit.answer));
  if (!commit.records.empty()) RETURN_IF_ERROR(write_records(commit.records));
  return place;
}

Result<void> Writer::write(const Commit& commit, const Place& place) {
  if (commit.run) RETURN_IF_ERROR(write_run(*commit.run, place));
  for (const auto& change : commit.tasks) RETURN_IF_ERROR(write_task(change));
  if (commit.answer) RETURN_IF_ERROR(write_answer(*commit.answer));
  return {};
}

Result<Writer::Place> Writer::find_place(const RunChange& change) {
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query(
          "SELECT number, version, status, is_parked, next_seq FROM runs WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind(change.row.id).next());
  Place place;
  std::uint64_t version = 0;
  if (exists) {
    version = static_cast<std::uint64_t>(query.integer(1));
    place = {query.integer(0), static_cast<RunStatus>(query.integer(2)), query.integer(3) != 0,
             static_cast<std::uint32_t>(query.integer(4))};
  }
  if (version != change.expected_version) {
    return failure(Code::kConflict, "run {} has version {}, not {}", change.row.id.ulid(), version,
                   change.expected_version);
  }
  if (change.journal && change.journal->first_seq != place.next_seq) {
    return failure(Code::kConflict, "run {} goes on with seq {}, not {}", change.row.id.ulid(),
                   place.next_seq, change.journal->first_seq);
  }
  if (change.replaced && place.status == RunStatus::kRunning) {
    return failure(Code::kConflict, "run {} has not ended", change.row.id.ulid());
  }
  if (last_replaced_seq(change) >= place.next_seq) {
    return failure(Code::kConflict, "run {} has no events from seq {} on", change.row.id.ulid(),
                   place.next_seq);
  }
  return place;
}

Result<void> Writer::write_run(const RunChange& change, Place place) {
  const std::uint32_t next_seq =
      change.journal ? change.journal->first_seq + change.journal->count : place.next_seq;
  if (change.expected_version == 0) {
    ASSIGN_OR_RETURN(place.number, insert_run(change, next_seq));
  } else {
    RETURN_IF_ERROR(update_run(change.row, place, next_seq));
  }
  if (change.replaced) RETURN_IF_ERROR(replace_contents(change, place.number));
  if (change.journal) {
    RETURN_IF_ERROR(
        insert_segment(segment_key(place.number, change.journal->first_seq, SegmentKind::kJournal),
                       *change.journal));
  }
  if (change.contents) {
    RETURN_IF_ERROR(insert_segment(
        segment_key(place.number, change.contents->first_seq, SegmentKind::kContents),
        *change.contents));
  }
  return {};
}

Result<std::int64_t> Writer::insert_run(const RunChange& change, std::uint32_t next_seq) {
  const RunRow& row = change.row;
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query("INSERT INTO runs (id, tenant, version, status, is_parked, next_seq, "
                        "workflow, agent, created_at, wake_at, summary) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  query.bind(row.id).bind(row.tenant).bind(stored(row.version)).bind(stored(row.status));
  query.bind(std::int64_t{row.is_parked}).bind(std::int64_t{next_seq});
  query.bind(row.workflow).bind(row.agent).bind(row.created_at).bind(row.wake_at);
  RETURN_IF_ERROR(query.bind_blob(row.summary).run());
  const std::int64_t number = connection_.last_rowid();
  if (change.plan || !change.labels.empty()) RETURN_IF_ERROR(insert_origin(change, number));
  return number;
}

Result<void> Writer::insert_origin(const RunChange& change, std::int64_t number) {
  const std::string labels = encode_labels(change.labels);
  ASSIGN_OR_RETURN(
      Query origin,
      connection_.query("INSERT INTO run_origins (number, plan, labels) VALUES (?, ?, ?)"));
  origin.bind(number);
  change.plan ? origin.bind_blob(*change.plan) : origin.bind_null();
  RETURN_IF_ERROR(origin.bind_blob(labels).run());
  for (const auto& [name, value] : change.labels) {
    ASSIGN_OR_RETURN(Query label,
                     connection_.query("INSERT OR IGNORE INTO run_labels "
                                       "(tenant, name, value, run) VALUES (?, ?, ?, ?)"));
    label.bind(change.row.tenant).bind_text(name).bind_text(value).bind(change.row.id);
    RETURN_IF_ERROR(label.run());
  }
  return {};
}

Result<void> Writer::update_run(const RunRow& row, const Place& place, std::uint32_t next_seq) {
  // SQLite rewrites the entries of every index that a SET list touches, changed or not: columns
  // that most commits leave alone have a statement of their own.
  ASSIGN_OR_RETURN(Query query,
                   connection_.query("UPDATE runs SET version = ?, next_seq = ?, wake_at = ?, "
                                     "summary = ? WHERE number = ?"));
  query.bind(stored(row.version)).bind(std::int64_t{next_seq}).bind(row.wake_at);
  RETURN_IF_ERROR(query.bind_blob(row.summary).bind(place.number).run());
  if (row.status == place.status && row.is_parked == place.is_parked) return {};
  ASSIGN_OR_RETURN(Query state,
                   connection_.query("UPDATE runs SET status = ?, is_parked = ? WHERE number = ?"));
  state.bind(stored(row.status)).bind(std::int64_t{row.is_parked}).bind(place.number);
  return state.run();
}

Result<void> Writer::replace_contents(const RunChange& change, std::int64_t number) {
  {
    ASSIGN_OR_RETURN(
        Query query,
        connection_.query("DELETE FROM segments WHERE key >= ? AND key < ? AND key & 1 = 1"));
    query.bind(segment_key(number, 0, SegmentKind::kJournal));
    RETURN_IF_ERROR(query.bind(segment_key(number + 1, 0, SegmentKind::kJournal)).run());
  }
  for (const auto& segment : *change.replaced) {
    RETURN_IF_ERROR(
        insert_segment(segment_key(number, segment.first_seq, SegmentKind::kContents), segment));
  }
  RETURN_IF_ERROR(drop_labels(number));
  if (change.plan) {
    ASSIGN_OR_RETURN(Query query,
                     connection_.query("INSERT INTO run_origins (number, plan, labels) "
                                       "VALUES (?, ?, X'') ON CONFLICT (number) DO UPDATE SET "
                                       "plan = excluded.plan"));
    RETURN_IF_ERROR(query.bind(number).bind_blob(*change.plan).run());
  }
  ASSIGN_OR_RETURN(Query query, connection_.query("DELETE FROM answers WHERE run = ?"));
  return query.bind(change.row.id).run();
}

Result<void> Writer::drop_labels(std::int64_t number) {
  Labels labels;
  {
    ASSIGN_OR_RETURN(Query query,
                     connection_.query("SELECT labels FROM run_origins WHERE number = ?"));
    ASSIGN_OR_RETURN(const bool exists, query.bind(number).next());
    if (!exists) return {};
    ASSIGN_OR_RETURN(labels, decode_labels(query.view(0)));
  }
  for (const auto& [name, value] : labels) {
    ASSIGN_OR_RETURN(
        Query query,
        connection_.query("DELETE FROM run_labels WHERE (tenant, run) = (SELECT tenant, id FROM "
                          "runs WHERE number = ?) AND name = ? AND value = ?"));
    RETURN_IF_ERROR(query.bind(number).bind_text(name).bind_text(value).run());
  }
  ASSIGN_OR_RETURN(Query query,
                   connection_.query("UPDATE run_origins SET labels = X'' WHERE number = ?"));
  return query.bind(number).run();
}

Result<void> Writer::insert_segment(std::int64_t key, const Segment& segment) {
  ASSIGN_OR_RETURN(Query query,
                   connection_.query("INSERT INTO segments (key, count, bytes) VALUES (?, ?, ?)"));
  return query.bind(key).bind(std::int64_t{segment.count}).bind_blob(segment.bytes).run();
}

Result<void> Writer::write_records(const std::vector<RecordChange>& changes) {
  RETURN_IF_ERROR(connection_.execute("SAVEPOINT records"));
  for (const auto& change : changes) {
    auto written = write_record(change);
    if (written) continue;
    if (written.error().code == Code::kConflict) {
      RETURN_IF_ERROR(connection_.execute("ROLLBACK TO records; RELEASE records"));
    }
    return written;
  }
  return connection_.execute("RELEASE records");
}

Result<void> Writer::write_record(const RecordChange& change) {
  const Record& record = change.record;
  std::uint64_t version = 0;
  {
    ASSIGN_OR_RETURN(Query query,
                     connection_.query("SELECT version FROM records WHERE kind = ? AND id = ?"));
    ASSIGN_OR_RETURN(const bool exists, query.bind(stored(record.kind)).bind(record.id).next());
    if (exists) version = static_cast<std::uint64_t>(query.integer(0));
  }
  if (version != change.expected_version) {
    return failure(Code::kConflict, "record {} has version {}, not {}", record.id.ulid(), version,
                   change.expected_version);
  }
  if (change.erase) {
    ASSIGN_OR_RETURN(Query query,
                     connection_.query("DELETE FROM records WHERE kind = ? AND id = ?"));
    return query.bind(stored(record.kind)).bind(record.id).run();
  }
  {
    ASSIGN_OR_RETURN(
        Query query,
        connection_.query("SELECT 1 FROM records WHERE kind = ? AND unique_key = ? AND id <> ?"));
    query.bind(stored(record.kind)).bind_blob(record.unique_key).bind(record.id);
    ASSIGN_OR_RETURN(const bool is_taken, query.next());
    if (is_taken) {
      return failure(Code::kConflict, "record {} has a key that is taken", record.id.ulid());
    }
  }
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query(
          "INSERT INTO records (kind, id, tenant, unique_key, name, status, version, body) "
          "VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
          "ON CONFLICT (kind, id) DO UPDATE SET tenant = excluded.tenant, "
          "unique_key = excluded.unique_key, name = excluded.name, status = excluded.status, "
          "version = excluded.version, body = excluded.body"));
  query.bind(stored(record.kind)).bind(record.id).bind(record.tenant);
  query.bind_blob(record.unique_key).bind_text(record.name).bind_text(record.status);
  return query.bind(stored(record.version)).bind_blob(record.body).run();
}

Result<void> Writer::write_task(const TaskChange& change) {
  const TaskRow& row = change.row;
  if (change.erase) {
    ASSIGN_OR_RETURN(Query query, connection_.query("DELETE FROM tasks WHERE id = ?"));
    return query.bind(row.id).run();
  }
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query("INSERT OR REPLACE INTO tasks (id, tenant, agent, run, step, attempt, "
                        "created_at, lease_expires_at, lease_token_hash) "
                        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  query.bind(row.id).bind(row.tenant).bind(row.agent).bind(row.run).bind_text(row.step);
  query.bind(std::int64_t{row.attempt}).bind(row.created_at).bind(row.lease_expires_at);
  return query.bind_blob(row.lease_token_hash).run();
}

Result<void> Writer::check_answer(const IdempotentAnswer& answer) {
  ASSIGN_OR_RETURN(Query query, connection_.query("SELECT expires_at FROM answers WHERE key = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind_blob(answer.key).next());
  if (!exists || query.time(0) <= answer.stored_at) return {};
  return failure(Code::kConflict, "an answer is kept for this key already");
}

Result<void> Writer::write_answer(const IdempotentAnswer& answer) {
  ASSIGN_OR_RETURN(Query query, connection_.query("INSERT OR REPLACE INTO answers "
                                                  "(key, body_digest, answer, expires_at, run) "
                                                  "VALUES (?, ?, ?, ?, ?)"));
  query.bind_blob(answer.key).bind_blob(answer.body_digest).bind_blob(answer.answer);
  return query.bind(answer.expires_at).bind(answer.run).run();
}

Result<void> Writer::put_meta(std::string_view name, std::string_view value) {
  {
    ASSIGN_OR_RETURN(Query query, connection_.query("SELECT value FROM meta WHERE name = ?"));
    ASSIGN_OR_RETURN(const bool exists, query.bind_text(name).next());
    if (exists && query.view(0) == value) return {};
    if (exists) return failure(Code::kConflict, "the fact {} has another value already", name);
  }
  ASSIGN_OR_RETURN(Query query, connection_.query("INSERT INTO meta (name, value) VALUES (?, ?)"));
  return query.bind_text(name).bind_blob(value).run();
}

Result<std::size_t> Writer::drop_expired_answers(Time now, std::size_t limit) {
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query("DELETE FROM answers WHERE number IN (SELECT number FROM answers "
                        "WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)"));
  RETURN_IF_ERROR(query.bind(now).bind(stored(std::uint64_t{limit})).run());
  return static_cast<std::size_t>(connection_.changes());
}

Result<void> Writer::probe() {
  ASSIGN_OR_RETURN(Query query,
                   connection_.query("UPDATE meta SET value = value WHERE name = 'store'"));
  return query.run();
}

}  // namespace avow::store
