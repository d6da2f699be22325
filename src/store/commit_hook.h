// SPDX-License-Identifier: Apache-2.0
// store/commit_hook.h: the log's part of a transaction. A commit queues statements; the hook, which
// `tlog` implements, completes them and writes what the log keeps, in the same transaction: so
// nothing is durable whose proof is not. The store knows neither statements nor trees: only bytes,
// places and numbers.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/id.h"
#include "base/result.h"

namespace avow::store {

/// The hook's numbers for what a tenant has one or several of for each run: the statements about
/// runs (docs/formats/log-tables.md). Lists of any other kind do not walk through these. They are
/// in the schema of stores: a change costs a migration.
inline constexpr std::array<std::uint8_t, 3> kFrequentKinds = {2, 3, 4};

/// What a commit asks the log to witness.
struct QueuedStatement {
  TenantId tenant;        ///< Zero: the deployment's own.
  Id id;                  ///< What it is about.
  std::uint8_t kind = 0;  ///< The hook's number for its type; a filter of lists.
  std::string draft;      ///< Opaque: the hook makes the statement of it.
  std::string contents;   ///< Opaque: kept beside the statement; may be empty.
};

/// A statement as it was integrated: one entry of a log.
struct LogEntry {
  /// Which log: 1, and one more after each recovery. Older ones are only read.
  std::uint32_t log = 1;
  std::uint64_t index = 0;  ///< From 0 without gaps within its log.
  TenantId tenant;
  std::uint64_t tenant_seq = 1;  ///< From 1 without gaps, through all logs.
  Id id;
  std::uint8_t kind = 0;
  std::string statement;  ///< Exact bytes.
  std::string entry;      ///< Exact bytes: the leaf.
  std::string contents;
};

/// A full tile of hashes.
struct LogTile {
  std::uint32_t log = 1;
  int level = 0;
  std::uint64_t index = 0;
  std::string bytes;
};

/// Where a log stands.
struct LogHead {
  std::uint32_t log = 1;
  std::uint64_t size = 0;
  std::string nodes;             ///< Opaque: the tree's compact range.
  std::string checkpoint;        ///< Signed, of this size.
  std::uint64_t keys_index = 0;  ///< Of the newest statement about the log's keys.
};

/// A tenant's newest statement.
struct TenantHead {
  std::uint64_t tenant_seq = 0;
  std::string statement;
};

/// Writes into the open transaction. After any error it must be rolled back.
class LogWriter {
 public:
  virtual ~LogWriter() = default;
  /// As the transaction has it so far; nothing if the tenant has none.
  virtual Result<std::optional<TenantHead>> tenant_head(TenantId tenant) = 0;
  /// Errors: kConflict  that place in the log, or that tenant_seq, is taken
  virtual Result<void> add_entry(const LogEntry& entry) = 0;
  virtual Result<void> add_tile(const LogTile& tile) = 0;  ///< Errors: as add_entry.
  virtual Result<void> put_head(const LogHead& head) = 0;  ///< Replaces that of its log.
};

/// Called on the committing thread: for each transaction begin(), then add() for every commit with
/// statements that is accepted, integrate() if there was one, and at last committed() or
/// rolled_back(), neither if begin() refused. An error of the first three fails the whole batch.
class CommitHook {
 public:
  virtual ~CommitHook() = default;
  /// Before anything is written. Errors: kUnavailable  nothing may be written now
  virtual Result<void> begin() = 0;
  virtual Result<void> add(LogWriter& log, std::vector<QueuedStatement> statements) = 0;
  virtual Result<void> integrate(LogWriter& log) = 0;
  /// It is durable. Nobody has been told yet.
  virtual void committed() = 0;
  /// It never was.
  virtual void rolled_back() = 0;
};

}  // namespace avow::store
