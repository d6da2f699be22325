// SPDX-License-Identifier: Apache-2.0
// store/sqlite/log_writer.h: the log's rows, written in the committing thread's transaction.
#pragma once
#include "store/commit_hook.h"
#include "store/sqlite/connection.h"

namespace avow::store {

/// See LogWriter. Places beyond what schema.h can number are kResourceExhausted. The committing
/// thread's.
class SqliteLogWriter : public LogWriter {
 public:
  explicit SqliteLogWriter(Connection& connection) : connection_(connection) {}

  Result<std::optional<TenantHead>> tenant_head(TenantId tenant) override;
  Result<void> add_entry(const LogEntry& entry) override;
  Result<void> add_tile(const LogTile& tile) override;
  Result<void> put_head(const LogHead& head) override;

 private:
  /// False where the place or the tenant_seq is taken.
  Result<bool> insert_entry(const LogEntry& entry, std::int64_t place);

  Connection& connection_;
};

}  // namespace avow::store
