// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/schema.h"

#include <array>

#include "store/store.h"

namespace avow::store {
namespace {

static_assert(kSeqMax < 1U << (kSegmentRunShift - 1), "a seq and a kind fit below the run number");

constexpr std::int64_t kApplicationId = 0x41766f77;  // "Avow"

// Ids are blobs of 16 bytes in the order of their time; times are milliseconds since 1970; status
// and kind are the numbers of store.h. runs and segments are rowid tables, because their rows are
// longer than the 1 KB that a WITHOUT ROWID table keeps on its pages. runs_listed carries every
// column that a list filters by, so that a rare filter walks an index of 100 bytes a run and not
// the rows; it stands for lists by tenant as well, as a merge over the four states. The partial
// indexes hold only runs that are under way.
constexpr const char* kSchema1 = R"(
  CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO meta VALUES ('store', X'');

  CREATE TABLE runs (
    number     INTEGER PRIMARY KEY,
    id         BLOB NOT NULL UNIQUE,
    tenant     BLOB NOT NULL,
    version    INTEGER NOT NULL,
    status     INTEGER NOT NULL,
    is_parked  INTEGER NOT NULL,
    next_seq   INTEGER NOT NULL,
    workflow   BLOB,
    agent      BLOB,
    created_at INTEGER NOT NULL,
    wake_at    INTEGER,
    summary    BLOB NOT NULL
  ) STRICT;
  CREATE INDEX runs_listed ON runs (tenant, status, id, workflow, agent, created_at);
  CREATE INDEX runs_active ON runs (id) WHERE status = 1 AND is_parked = 0;
  CREATE INDEX runs_timers ON runs (wake_at, id) WHERE status = 1 AND wake_at IS NOT NULL;

  CREATE TABLE run_origins (
    number INTEGER PRIMARY KEY,
    plan   BLOB,
    labels BLOB NOT NULL
  ) STRICT;
  CREATE TABLE run_labels (
    tenant BLOB NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    run    BLOB NOT NULL,
    PRIMARY KEY (tenant, name, value, run)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE segments (
    key   INTEGER PRIMARY KEY,
    count INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE records (
    number     INTEGER PRIMARY KEY,
    kind       INTEGER NOT NULL,
    id         BLOB NOT NULL,
    tenant     BLOB NOT NULL,
    unique_key BLOB NOT NULL,
    name       TEXT NOT NULL,
    status     TEXT NOT NULL,
    version    INTEGER NOT NULL,
    body       BLOB NOT NULL,
    UNIQUE (kind, id),
    UNIQUE (kind, unique_key)
  ) STRICT;
  CREATE INDEX records_listed ON records (kind, tenant, id, name, status);

  CREATE TABLE tasks (
    id               BLOB PRIMARY KEY,
    tenant           BLOB NOT NULL,
    agent            BLOB NOT NULL,
    run              BLOB NOT NULL,
    step             TEXT NOT NULL,
    attempt          INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    lease_expires_at INTEGER,
    lease_token_hash BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE answers (
    number      INTEGER PRIMARY KEY,
    key         BLOB NOT NULL UNIQUE,
    body_digest BLOB NOT NULL,
    answer      BLOB NOT NULL,
    expires_at  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX answers_expiring ON answers (expires_at);
)";

// The log. A place in it is one number (log_place() in schema.h), so that entries are appended to
// the table. An index holds the rowid behind its columns: log_entries_about is in the order of
// places within an id. log_entries_listed carries the kind, so that a filter by a frequent one
// walks 30 bytes an entry; it keeps tenant_seqs apart by SqliteLogWriter::add_entry(), not by
// UNIQUE, which the kind would weaken. log_entries_rare has the other kinds, and so costs a run's
// entries nothing. Statements have contents rarely, answers seldom a run: those cost the others
// nothing.
constexpr const char* kSchema2 = R"(
  CREATE TABLE log_entries (
    place      INTEGER PRIMARY KEY,
    tenant     BLOB NOT NULL,
    tenant_seq INTEGER NOT NULL,
    id         BLOB NOT NULL,
    kind       INTEGER NOT NULL,
    statement  BLOB NOT NULL,
    entry      BLOB NOT NULL
  ) STRICT;
  CREATE INDEX log_entries_listed ON log_entries (tenant, tenant_seq, kind);
  CREATE INDEX log_entries_rare ON log_entries (tenant, kind, tenant_seq)
    WHERE )" AVOW_IS_RARE_KIND R"(;
  CREATE INDEX log_entries_about ON log_entries (id);

  CREATE TABLE log_contents (
    place INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE log_tiles (
    place INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE log_heads (
    log        INTEGER PRIMARY KEY,
    size       INTEGER NOT NULL,
    nodes      BLOB NOT NULL,
    checkpoint BLOB NOT NULL,
    keys_index INTEGER NOT NULL
  ) STRICT;

  ALTER TABLE answers ADD COLUMN run BLOB;
  CREATE INDEX answers_of_runs ON answers (run) WHERE run IS NOT NULL;
)";

// The migration at index i leads from schema i to schema i + 1.
constexpr std::array kMigrations = {kSchema1, kSchema2};

Result<void> run_migration(Connection& connection, std::size_t index) {
  RETURN_IF_ERROR(connection.execute("BEGIN IMMEDIATE"));
  RETURN_IF_ERROR(connection.execute(kMigrations[index]));
  // In the same transaction: the tables and the number that says so come together.
  const std::string marks = fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                        kApplicationId, index + 1);
  RETURN_IF_ERROR(connection.execute(marks.c_str()));
  return connection.execute("COMMIT");
}

}  // namespace

std::int64_t newest_schema() { return std::int64_t{kMigrations.size()}; }

Result<std::int64_t> schema_of(Connection& connection) {
  return connection.integer("PRAGMA user_version");
}

Result<void> migrate(Connection& connection) {
  ASSIGN_OR_RETURN(const std::int64_t schema, schema_of(connection));
  ASSIGN_OR_RETURN(const std::int64_t application, connection.integer("PRAGMA application_id"));
  if (schema < 0 || (schema > 0 && application != kApplicationId)) {
    return failure(Code::kCorruption, "store: the file belongs to another program ({:#x})",
                   application);
  }
  if (schema > newest_schema()) {
    return failure(Code::kInvalidArgument,
                   "store: its schema is {}, this program knows {} at most: start a newer one",
                   schema, newest_schema());
  }
  for (std::int64_t at = schema; at < newest_schema(); ++at) {
    if (auto done = run_migration(connection, static_cast<std::size_t>(at)); !done) {
      return done.error().in(fmt::format("store: migration to schema {}", at + 1));
    }
  }
  return {};
}

}  // namespace avow::store
