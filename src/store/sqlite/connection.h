// SPDX-License-Identifier: Apache-2.0
// store/sqlite/connection.h: one connection to SQLite and its prepared statements; where SQLite's
// return codes become Results. One thread at a time.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/id.h"
#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_file;
struct sqlite3_stmt;

namespace avow::store {

class Connection;

/// A prepared statement in use: bind the parameters in order, then step. Views and strings that
/// were bound must live until the last step. Going out of scope makes the statement free for its
/// next use.
class Query {
 public:
  Query(Connection& connection, sqlite3_stmt* statement)
      : connection_(&connection), statement_(statement) {}
  Query(Query&& other) noexcept;
  Query(const Query&) = delete;
  Query& operator=(const Query&) = delete;
  Query& operator=(Query&&) = delete;
  ~Query();

  Query& bind(std::int64_t value);
  Query& bind(const Id& id);  ///< Its 16 bytes.
  Query& bind(Time time);     ///< Milliseconds since 1970.
  Query& bind_blob(std::string_view bytes);
  Query& bind_text(std::string_view text);
  Query& bind_null();
  template <class Tag>
  Query& bind(const TypedId<Tag>& id) {
    return bind(id.value);
  }
  template <class T>
  Query& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  /// Goes to the next row; false behind the last.
  Result<bool> next();
  /// For a statement without rows.
  Result<void> run();

  // Columns of the row, from 0.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view view(int column) const;  ///< Until the next step.
  [[nodiscard]] std::string bytes(int column) const { return std::string(view(column)); }
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] Time time(int column) const { return Time(Duration(integer(column))); }
  /// Errors: kCorruption  not 16 bytes
  [[nodiscard]] Result<Id> id(int column) const { return Id::from_bytes(view(column)); }

 private:
  Query& check(int code);

  Connection* connection_;
  sqlite3_stmt* statement_;
  int bound_ = 0;
  int bind_code_ = 0;
};

/// Errors of every verb: kResourceExhausted  the disk (or quota, or memory) is full
///                       kUnavailable        busy, the deadline passed, or the disk fails
///                       kCorruption         the file is not what it should be
///                       kInternal           a fault of ours
class Connection {
 public:
  enum class Mode { kWrite, kRead };
  static Result<std::unique_ptr<Connection>> open(const std::string& file, Mode mode);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  /// Runs one or several statements and forgets their rows.
  Result<void> execute(const char* sql);
  /// Ends the transaction and syncs it. An error means that nothing of it is written, save where
  /// is_disk_failing().
  Result<void> commit();
  /// The prepared statement for `sql`, made on first use and kept: pass texts from a closed set.
  Result<Query> query(std::string_view sql);
  /// The single integer that `sql` (a pragma, a count) gives.
  Result<std::int64_t> integer(std::string_view sql);

  /// Statements that run beyond it fail with kUnavailable. Only for Mode::kRead.
  void set_deadline(std::chrono::steady_clock::time_point deadline) { deadline_ = deadline; }

  enum class Checkpoint { kPassive, kTruncate };
  /// Longer than a snapshot of ours lives.
  static constexpr Duration kBusyWait = std::chrono::seconds(2);
  /// Moves what the write-ahead log holds into the file. kPassive takes what no reader is in the
  /// way of; kTruncate waits for readers (for `wait`, then kUnavailable) and empties the log.
  /// SQLite does not sync that it is empty: a loss of power may bring back what it held.
  Result<void> checkpoint(Checkpoint kind, Duration wait = kBusyWait);
  /// Makes it durable how long the write-ahead log is.
  Result<void> sync_log();
  /// Forgets the pages it has read: those of the file take their place.
  void drop_cache();
  /// Length of the write-ahead log after the last commit of this connection.
  [[nodiscard]] std::int64_t wal_bytes() const { return wal_bytes_; }

  [[nodiscard]] bool in_transaction() const;
  [[nodiscard]] std::int64_t last_rowid() const;
  [[nodiscard]] int changes() const;

  /// Whether the last error was the disk's and not that it is full, or of a commit that may be on
  /// the disk: nothing the page cache holds can be believed after it.
  [[nodiscard]] bool is_disk_failing() const { return is_disk_failing_; }

 private:
  friend class Query;
  struct FreeStatement {
    void operator()(sqlite3_stmt* statement) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>()(text);
    }
  };

  Connection() = default;
  Result<void> configure(Mode mode);
  void set_busy_wait(Duration wait);
  /// Of a statement, which writes to the log, or of a checkpoint, which writes to the main file.
  enum class File { kLog, kMain };
  Error error(int code, File written = File::kLog);
  sqlite3_file* log_file();
  int last_errno(File file);

  sqlite3* db_ = nullptr;
  std::unordered_map<std::string, std::unique_ptr<sqlite3_stmt, FreeStatement>, TextHash,
                     std::equal_to<>>
      statements_;
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  std::int64_t page_bytes_ = 0;
  std::int64_t wal_bytes_ = 0;
  bool is_disk_failing_ = false;
};

}  // namespace avow::store
