// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/connection.h"

#include <sqlite3.h>

#include <array>
#include <cerrno>

#include "store/sqlite/page_scrubber.h"

namespace avow::store {
namespace {

// About every 0.1 ms of work; the check itself costs 30 ns.
constexpr int kStepsPerDeadlineCheck = 5'000;

// What is not the default of Debian's build, and what is but must not depend on it.
// secure_delete: erased content must be gone from the file. synchronous=FULL: each commit is
// synced. wal_autocheckpoint=0: only the committing thread checkpoints, and says when.
constexpr const char* kPragmas = R"(
  PRAGMA synchronous = FULL;
  PRAGMA secure_delete = ON;
  PRAGMA mmap_size = 0;
  PRAGMA wal_autocheckpoint = 0;
  PRAGMA temp_store = MEMORY;
  PRAGMA trusted_schema = OFF;
  PRAGMA cell_size_check = ON;
)";

bool is_full(int code, int system_error) {
  switch (code) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_IOERR_NOMEM:
    case SQLITE_IOERR_SHMSIZE:  // the index of the write-ahead log could not grow
      return true;
    case SQLITE_IOERR_WRITE:  // SQLite knows ENOSPC only; quotas and file size limits are the same
      return system_error == ENOSPC || system_error == EDQUOT || system_error == EFBIG;
    default:
      return (code & 0xff) == SQLITE_FULL;
  }
}

}  // namespace

Query::Query(Query&& other) noexcept
    : connection_(other.connection_),
      statement_(std::exchange(other.statement_, nullptr)),
      bound_(other.bound_),
      bind_code_(other.bind_code_) {}

Query::~Query() {
  // The code is that of the last step, which next() has reported.
  if (statement_ != nullptr) static_cast<void>(sqlite3_reset(statement_));
}

Query& Query::check(int code) {
  if (bind_code_ == SQLITE_OK) bind_code_ = code;
  return *this;
}

Query& Query::bind(std::int64_t value) {
  return check(sqlite3_bind_int64(statement_, ++bound_, value));
}

Query& Query::bind(const Id& id) {
  std::array<unsigned char, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<unsigned char>(id.high >> (56 - 8 * i));
    bytes[i + 8] = static_cast<unsigned char>(id.low >> (56 - 8 * i));
  }
  return check(sqlite3_bind_blob(statement_, ++bound_, bytes.data(), 16, SQLITE_TRANSIENT));
}

Query& Query::bind(Time time) { return bind(std::int64_t{time.time_since_epoch().count()}); }

Query& Query::bind_blob(std::string_view bytes) {
  // A null pointer would bind NULL where an empty blob is meant.
  const char* data = bytes.empty() ? "" : bytes.data();
  return check(sqlite3_bind_blob64(statement_, ++bound_, data, bytes.size(), SQLITE_STATIC));
}

Query& Query::bind_text(std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  return check(
      sqlite3_bind_text64(statement_, ++bound_, data, text.size(), SQLITE_STATIC, SQLITE_UTF8));
}

Query& Query::bind_null() { return check(sqlite3_bind_null(statement_, ++bound_)); }

Result<bool> Query::next() {
  if (bind_code_ != SQLITE_OK) return connection_->error(bind_code_);
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return connection_->error(code);
}

Result<void> Query::run() {
  ASSIGN_OR_RETURN(const bool has_row, next());
  CHECK(!has_row);
  return {};
}

std::int64_t Query::integer(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Query::view(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<std::size_t>(size)};
}

bool Query::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

void Connection::FreeStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& file, Mode mode) {
  std::unique_ptr<Connection> connection(new Connection);
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (mode == Mode::kRead ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  const int code = sqlite3_open_v2(file.c_str(), &connection->db_, flags, nullptr);
  if (code != SQLITE_OK) return connection->error(code);
  RETURN_IF_ERROR(connection->configure(mode));
  return connection;
}

Result<void> Connection::configure(Mode mode) {
  set_busy_wait(kBusyWait);
  sqlite3_db_config(db_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  RETURN_IF_ERROR(execute(kPragmas));
  ASSIGN_OR_RETURN(page_bytes_, integer("PRAGMA page_size"));
  if (mode == Mode::kRead) {
    sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    const auto is_late = [](void* self) {
      const auto& deadline = static_cast<Connection*>(self)->deadline_;
      return deadline && std::chrono::steady_clock::now() > *deadline ? 1 : 0;
    };
    sqlite3_progress_handler(db_, kStepsPerDeadlineCheck, is_late, this);
    return execute("PRAGMA cache_size = -4096");
  }
  const auto note_length = [](void* self, sqlite3*, const char*, int pages) {
    auto* connection = static_cast<Connection*>(self);
    connection->wal_bytes_ = pages * connection->page_bytes_;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_, note_length, this);
  scrub_written_pages(db_);
  return execute("PRAGMA cache_size = -32768");
}

Connection::~Connection() {
  statements_.clear();
  CHECK(sqlite3_close(db_) == SQLITE_OK);  // or a Query outlives its connection
}

Result<void> Connection::execute(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code);
  return {};
}

Result<void> Connection::commit() {
  const int code = sqlite3_exec(db_, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) return {};
  auto failed = error(code);
  // SQLite enters a transaction into the index of the write-ahead log only when its last frame is
  // synced. If there is no room for that, it says so, and rolls back: but the frames are on the
  // disk, and the next start would find the transaction that was refused.
  is_disk_failing_ = is_disk_failing_ || code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM ||
                     code == SQLITE_IOERR_SHMSIZE;
  return failed;
}

Result<Query> Connection::query(std::string_view sql) {
  auto found = statements_.find(sql);
  if (found == statements_.end()) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return error(code);
    found = statements_.emplace(sql, statement).first;
  }
  CHECK(sqlite3_stmt_busy(found->second.get()) == 0);  // one use at a time
  return Query(*this, found->second.get());
}

Result<std::int64_t> Connection::integer(std::string_view sql) {
  ASSIGN_OR_RETURN(Query query, this->query(sql));
  ASSIGN_OR_RETURN(const bool has_row, query.next());
  if (!has_row) return failure(Code::kCorruption, "\"{}\" gave nothing", sql);
  return query.integer(0);
}

void Connection::set_busy_wait(Duration wait) {
  sqlite3_busy_timeout(db_, static_cast<int>(wait.count()));
}

Result<void> Connection::checkpoint(Checkpoint kind, Duration wait) {
  const int mode =
      kind == Checkpoint::kPassive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
  set_busy_wait(wait);
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, mode, nullptr, nullptr);
  set_busy_wait(kBusyWait);
  if (code != SQLITE_OK) return error(code, File::kMain);
  if (kind == Checkpoint::kTruncate) wal_bytes_ = 0;
  return {};
}

Result<void> Connection::sync_log() {
  sqlite3_file* const log = log_file();
  if (log == nullptr) return {};
  const int code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) return error(code, File::kLog);
  return {};
}

void Connection::drop_cache() { static_cast<void>(sqlite3_db_release_memory(db_)); }

bool Connection::in_transaction() const { return sqlite3_get_autocommit(db_) == 0; }
std::int64_t Connection::last_rowid() const { return sqlite3_last_insert_rowid(db_); }
int Connection::changes() const { return sqlite3_changes(db_); }

/// Null: it is not open.
sqlite3_file* Connection::log_file() {
  sqlite3_file* log = nullptr;
  sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_JOURNAL_POINTER, static_cast<void*>(&log));
  return log != nullptr && log->pMethods != nullptr ? log : nullptr;
}

int Connection::last_errno(File file) {
  // sqlite3_system_errno() is not set by a COMMIT that fails: asked of the file itself.
  int last = 0;
  if (file == File::kMain) {
    sqlite3_file_control(db_, nullptr, SQLITE_FCNTL_LAST_ERRNO, &last);
    return last;
  }
  sqlite3_file* const log = log_file();
  if (log == nullptr) return 0;
  log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &last);
  return last;
}

Error Connection::error(int code, File written) {
  const int primary = code & 0xff;
  const int system_error =
      primary == SQLITE_IOERR ? last_errno(written) : sqlite3_system_errno(db_);
  const char* text = db_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(db_);
  is_disk_failing_ = false;
  if (is_full(code, system_error)) {
    return failure(Code::kResourceExhausted, "store: no room: {} (SQLite {}, errno {})", text, code,
                   system_error);
  }
  is_disk_failing_ = primary == SQLITE_IOERR;
  if (primary == SQLITE_INTERRUPT) {
    return failure(Code::kUnavailable, "store: a read took too long");
  }
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_CANTOPEN ||
      primary == SQLITE_IOERR) {
    return failure(Code::kUnavailable, "store: {} (SQLite {}, errno {})", text, code, system_error);
  }
  if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
    return failure(Code::kCorruption, "store: {} (SQLite {})", text, code);
  }
  return failure(Code::kInternal, "store: {} (SQLite {}, errno {})", text, code, system_error);
}

}  // namespace avow::store
