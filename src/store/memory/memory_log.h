// SPDX-License-Identifier: Apache-2.0
// store/memory/memory_log.h: the log's part of the memory store: the verbs of store.h on maps.
// One thread at a time.
#pragma once
#include <map>
#include <set>
#include <tuple>

#include "store/store.h"

namespace avow::store {

class MemoryLog {
 public:
  class Transaction;

  [[nodiscard]] Result<LogHead> newest_head() const;
  [[nodiscard]] Result<LogHead> get_head(std::uint32_t log) const;
  [[nodiscard]] std::vector<LogEntry> read(std::uint32_t log, std::uint64_t index,
                                           std::size_t limit) const;
  [[nodiscard]] Result<LogTile> get_tile(std::uint32_t log, int level, std::uint64_t index) const;
  [[nodiscard]] Result<LogEntry> find_statement(Id id) const;
  [[nodiscard]] std::vector<LogEntry> list_statements(const StatementQuery& query) const;

 private:
  using Place = std::pair<std::uint32_t, std::uint64_t>;  ///< Log and index.
  using Seq = std::pair<TenantId, std::uint64_t>;         ///< Tenant and tenant_seq.
  using TileKey = std::tuple<std::uint32_t, int, std::uint64_t>;

  /// The newest of the tenant; null: it has none.
  [[nodiscard]] const LogEntry* newest_of(TenantId tenant) const;

  std::map<Place, LogEntry> entries_;
  std::map<Seq, Place> by_seq_;
  std::set<std::pair<Id, Place>> by_id_;
  std::map<TileKey, std::string> tiles_;
  std::map<std::uint32_t, LogHead> heads_;
};

/// What one transaction adds, beside the log until keep().
class MemoryLog::Transaction : public LogWriter {
 public:
  explicit Transaction(MemoryLog& log) : log_(log) {}
  Result<std::optional<TenantHead>> tenant_head(TenantId tenant) override;
  Result<void> add_entry(const LogEntry& entry) override;
  Result<void> add_tile(const LogTile& tile) override;
  Result<void> put_head(const LogHead& head) override;
  /// Adds all of it to the log.
  void keep();

 private:
  MemoryLog& log_;
  MemoryLog added_;
};

}  // namespace avow::store
