// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/sqlite_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "store/form.h"
#include "store/sqlite/committer.h"
#include "store/sqlite/directory_lock.h"
#include "store/sqlite/reader.h"
#include "store/sqlite/schema.h"

namespace avow::store {
namespace {

std::string file_in(const std::string& directory) { return directory + "/avow.db"; }

Error system_failure(std::string_view what, const std::string& path) {
  const Code code = errno == ENOSPC ? Code::kResourceExhausted : Code::kUnavailable;
  return failure(code, "{} \"{}\": {}", what, path, std::generic_category().message(errno));
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<void> make_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST) return {};
  return system_failure("make", path);
}

/// Before SQLite opens it: it would create the file with the rights of the umask, and it gives the
/// write-ahead log those of the file.
Result<void> make_private_file(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) return system_failure("make", path);
  ::close(descriptor);
  return {};
}

/// Makes names of new files in the directory durable.
Result<void> sync_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return system_failure("open", path);
  const bool is_synced = ::fsync(descriptor) == 0;
  const Error error = is_synced ? Error{} : system_failure("sync", path);
  ::close(descriptor);
  if (!is_synced) return error;
  return {};
}

/// The writing connection, its write-ahead log emptied before anything is read: Debian's SQLite can
/// read stale pages from a log that another process left.
Result<std::unique_ptr<Connection>> open_for_writing(const std::string& file) {
  ASSIGN_OR_RETURN(auto connection, Connection::open(file, Connection::Mode::kWrite));
  RETURN_IF_ERROR(connection->checkpoint(Connection::Checkpoint::kTruncate));
  return connection;
}

/// Changes nothing in a store of the newest schema, nor in one that is newer.
Result<void> prepare(Connection& connection) {
  {
    ASSIGN_OR_RETURN(Query query, connection.query("PRAGMA journal_mode = WAL"));
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row || query.view(0) != "wal") {
      return failure(Code::kUnavailable, "store: this file system has no write-ahead log");
    }
  }
  return migrate(connection);
}

}  // namespace

SqliteStore::SqliteStore(std::unique_ptr<DirectoryLock> lock, std::unique_ptr<ReaderPool> readers,
                         std::unique_ptr<Committer> committer)
    : lock_(std::move(lock)), readers_(std::move(readers)), committer_(std::move(committer)) {}

SqliteStore::~SqliteStore() = default;

Result<std::unique_ptr<SqliteStore>> SqliteStore::create(const SqliteOptions& options) {
  RETURN_IF_ERROR(make_directory(options.directory));
  ASSIGN_OR_RETURN(auto lock, DirectoryLock::take(options.directory));
  const std::string file = file_in(options.directory);
  RETURN_IF_ERROR(make_private_file(file));
  ASSIGN_OR_RETURN(auto connection, open_for_writing(file));
  // The schema comes last: a file without one is what a crash in here left, and is completed.
  ASSIGN_OR_RETURN(const std::int64_t schema, schema_of(*connection));
  if (schema != 0) {
    return failure(Code::kConflict, "a store is in \"{}\" already", options.directory);
  }
  RETURN_IF_ERROR(prepare(*connection));
  RETURN_IF_ERROR(sync_directory(options.directory));
  return start(options, std::move(lock), std::move(connection));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const SqliteOptions& options) {
  const std::string file = file_in(options.directory);
  const auto nothing = failure(Code::kNotFound, "no store is in \"{}\"", options.directory);
  if (!exists(file)) return nothing;
  ASSIGN_OR_RETURN(auto lock, DirectoryLock::take(options.directory));
  ASSIGN_OR_RETURN(auto connection, open_for_writing(file));
  ASSIGN_OR_RETURN(const std::int64_t schema, schema_of(*connection));
  if (schema == 0) return nothing;
  RETURN_IF_ERROR(prepare(*connection));
  return start(options, std::move(lock), std::move(connection));
}

Result<std::unique_ptr<SqliteStore>> SqliteStore::start(const SqliteOptions& options,
                                                        std::unique_ptr<DirectoryLock> lock,
                                                        std::unique_ptr<Connection> connection) {
  CHECK(options.readers > 0);
  std::vector<std::unique_ptr<Reader>> readers;
  for (int i = 0; i < options.readers; ++i) {
    ASSIGN_OR_RETURN(auto reading,
                     Connection::open(file_in(options.directory), Connection::Mode::kRead));
    readers.push_back(std::make_unique<Reader>(std::move(reading)));
  }
  const CommitterOptions committer_options{options.queue_bytes_max,
                                           static_cast<std::int64_t>(options.wal_bytes_target),
                                           options.forget_time_max};
  return std::unique_ptr<SqliteStore>(
      new SqliteStore(std::move(lock), std::make_unique<ReaderPool>(std::move(readers)),
                      std::make_unique<Committer>(std::move(connection), committer_options)));
}

void SqliteStore::set_hook(CommitHook& hook) { committer_->set_hook(hook); }

void SqliteStore::commit(Commit commit, Done done) {
  if (auto form = check_form(commit); !form) {
    return committer_->refuse(form.error(), std::move(done));
  }
  compress_parts(commit);
  committer_->commit(std::move(commit), std::move(done));
}

Result<RunRow> SqliteStore::get_run(RunId id) {
  return readers_->use([&](Reader& reader) { return reader.get_run(id); });
}

Result<RunRecord> SqliteStore::read_run(RunId id) {
  return readers_->use([&](Reader& reader) { return reader.read_run(id); });
}

Result<std::vector<Segment>> SqliteStore::read_journal(RunId id, std::uint32_t after_seq,
                                                       std::size_t limit) {
  return readers_->use([&](Reader& reader) { return reader.read_journal(id, after_seq, limit); });
}

Result<std::vector<RunRow>> SqliteStore::list_runs(const RunQuery& query) {
  return readers_->use([&](Reader& reader) { return reader.list_runs(query); });
}

Result<std::vector<RunRow>> SqliteStore::active_runs(std::optional<RunId> after,
                                                     std::size_t limit) {
  return readers_->use([&](Reader& reader) { return reader.active_runs(after, limit); });
}

Result<std::vector<Store::TimerRow>> SqliteStore::timers(std::optional<TimerRow> after,
                                                         std::size_t limit) {
  return readers_->use([&](Reader& reader) { return reader.timers(after, limit); });
}

Result<Record> SqliteStore::get_record(RecordKind kind, Id id) {
  return readers_->use([&](Reader& reader) { return reader.get_record(kind, id); });
}

Result<Record> SqliteStore::find_record(RecordKind kind, std::string_view unique_key) {
  return readers_->use([&](Reader& reader) { return reader.find_record(kind, unique_key); });
}

Result<std::vector<Record>> SqliteStore::list_records(const RecordQuery& query) {
  return readers_->use([&](Reader& reader) { return reader.list_records(query); });
}

Result<std::vector<TaskRow>> SqliteStore::tasks(std::optional<TaskId> after, std::size_t limit) {
  return readers_->use([&](Reader& reader) { return reader.tasks(after, limit); });
}

Result<TaskRow> SqliteStore::get_task(TaskId id) {
  return readers_->use([&](Reader& reader) { return reader.get_task(id); });
}

Result<IdempotentAnswer> SqliteStore::find_answer(std::string_view key, Time now) {
  return readers_->use([&](Reader& reader) { return reader.find_answer(key, now); });
}

Result<LogHead> SqliteStore::newest_log_head() {
  return readers_->use([&](Reader& reader) { return reader.newest_log_head(); });
}

Result<LogHead> SqliteStore::get_log_head(std::uint32_t log) {
  return readers_->use([&](Reader& reader) { return reader.get_log_head(log); });
}

Result<std::vector<LogEntry>> SqliteStore::read_log(std::uint32_t log, std::uint64_t index,
                                                    std::size_t limit) {
  return readers_->use([&](Reader& reader) { return reader.read_log(log, index, limit); });
}

Result<LogTile> SqliteStore::get_log_tile(std::uint32_t log, int level, std::uint64_t index) {
  return readers_->use([&](Reader& reader) { return reader.get_log_tile(log, level, index); });
}

Result<LogEntry> SqliteStore::find_statement(Id id) {
  return readers_->use([&](Reader& reader) { return reader.find_statement(id); });
}

Result<std::vector<LogEntry>> SqliteStore::list_statements(const StatementQuery& query) {
  return readers_->use([&](Reader& reader) { return reader.list_statements(query); });
}

Result<std::size_t> SqliteStore::drop_expired_answers(Time now, std::size_t limit) {
  std::size_t dropped = 0;
  RETURN_IF_ERROR(committer_->run([&](Writer& writer) -> Result<void> {
    ASSIGN_OR_RETURN(dropped, writer.drop_expired_answers(now, limit));
    return {};
  }));
  return dropped;
}

Result<std::string> SqliteStore::get_meta(std::string_view name) {
  return readers_->use([&](Reader& reader) { return reader.get_meta(name); });
}

Result<void> SqliteStore::put_meta(std::string_view name, std::string_view value) {
  return committer_->run([&](Writer& writer) { return writer.put_meta(name, value); });
}

Result<void> SqliteStore::health() { return committer_->health(); }

Store::Figures SqliteStore::figures() { return committer_->figures(); }

void SqliteStore::stop() {
  // In this order: what `done` reads while the queue is emptied, it still gets.
  committer_->stop();
  readers_->stop();
}

}  // namespace avow::store
