// SPDX-License-Identifier: Apache-2.0
// The reads of the log: one statement each, so one moment.
#include "store/sqlite/reader.h"
#include "store/sqlite/rows.h"
#include "store/sqlite/schema.h"

// In the order in which entry_of() and head_of() read them.
#define ENTRIES_BY(INDEXED)                                                                 \
  "SELECT e.place, tenant, tenant_seq, id, kind, statement, entry, bytes FROM log_entries " \
  "e " INDEXED " LEFT JOIN log_contents c ON c.place = e.place "
#define ENTRIES ENTRIES_BY("")
#define HEADS "SELECT log, size, nodes, checkpoint, keys_index FROM log_heads "

namespace avow::store {
namespace {

constexpr std::int64_t kIndexMask = (std::int64_t{1} << kLogShift) - 1;

std::uint64_t number(const Query& query, int column) {
  return static_cast<std::uint64_t>(query.integer(column));
}

Result<LogEntry> entry_of(const Query& query) {
  LogEntry entry;
  entry.log = static_cast<std::uint32_t>(query.integer(0) >> kLogShift);
  entry.index = static_cast<std::uint64_t>(query.integer(0) & kIndexMask);
  ASSIGN_OR_RETURN(entry.tenant.value, query.id(1));
  entry.tenant_seq = number(query, 2);
  ASSIGN_OR_RETURN(entry.id, query.id(3));
  entry.kind = static_cast<std::uint8_t>(query.integer(4));
  entry.statement = query.bytes(5);
  entry.entry = query.bytes(6);
  entry.contents = query.bytes(7);
  return entry;
}

Result<LogHead> head_of(const Query& query) {
  LogHead head;
  head.log = static_cast<std::uint32_t>(query.integer(0));
  head.size = number(query, 1);
  head.nodes = query.bytes(2);
  head.checkpoint = query.bytes(3);
  head.keys_index = number(query, 4);
  return head;
}

/// A bound as SQLite compares it: seqs are stored as they are and stay below 2^63.
std::int64_t stored_bound(std::uint64_t seq) {
  return static_cast<std::int64_t>(std::min<std::uint64_t>(seq, INT64_MAX));
}

}  // namespace

Result<LogHead> Reader::newest_log_head() {
  ASSIGN_OR_RETURN(Query query, connection_->query(HEADS "ORDER BY log DESC LIMIT 1"));
  return one(std::move(query), head_of, failure(Code::kNotFound, "there is no log yet"));
}

Result<LogHead> Reader::get_log_head(std::uint32_t log) {
  ASSIGN_OR_RETURN(Query query, connection_->query(HEADS "WHERE log = ?"));
  query.bind(std::int64_t{log});
  return one(std::move(query), head_of, failure(Code::kNotFound, "no log {}", log));
}

Result<std::vector<LogEntry>> Reader::read_log(std::uint32_t log, std::uint64_t index,
                                               std::size_t limit) {
  if (!is_log_place(log, index)) return std::vector<LogEntry>();
  ASSIGN_OR_RETURN(
      Query query,
      connection_->query(ENTRIES "WHERE e.place >= ? AND e.place < ? ORDER BY e.place LIMIT ?"));
  query.bind(log_place(log, index)).bind(log_place(log, 0) + kIndexMask + 1);
  return all(std::move(query.bind(stored_limit(limit))), entry_of);
}

Result<LogTile> Reader::get_log_tile(std::uint32_t log, int level, std::uint64_t index) {
  const auto missing =
      failure(Code::kNotFound, "no full tile {} on level {} of log {}", index, level, log);
  if (!is_tile_place(log, level, index)) return missing;
  ASSIGN_OR_RETURN(Query query, connection_->query("SELECT bytes FROM log_tiles WHERE place = ?"));
  ASSIGN_OR_RETURN(const bool exists, query.bind(tile_place(log, level, index)).next());
  if (!exists) return missing;
  return LogTile{log, level, index, query.bytes(0)};
}

Result<LogEntry> Reader::find_statement(Id id) {
  ASSIGN_OR_RETURN(Query query,
                   connection_->query(ENTRIES "WHERE id = ? ORDER BY e.place DESC LIMIT 1"));
  query.bind(id);
  return one(std::move(query), entry_of,
             failure(Code::kNotFound, "no statement about {}", id.ulid()));
}

std::string list_statements_sql(const StatementQuery& query) {
  const bool is_rare =
      query.kind && std::ranges::find(kFrequentKinds, *query.kind) == kFrequentKinds.end();
  std::string sql = is_rare ? ENTRIES_BY("INDEXED BY log_entries_rare") "WHERE " AVOW_IS_RARE_KIND
                                                                        " AND "
                            : ENTRIES_BY("INDEXED BY log_entries_listed") "WHERE ";
  sql += "tenant = ? AND tenant_seq > ?";
  if (query.before) sql += " AND tenant_seq < ?";
  if (query.kind) sql += " AND kind = ?";
  sql +=
      query.is_newest_first ? " ORDER BY tenant_seq DESC LIMIT ?" : " ORDER BY tenant_seq LIMIT ?";
  return sql;
}

Result<std::vector<LogEntry>> Reader::list_statements(const StatementQuery& query) {
  ASSIGN_OR_RETURN(Query statement, connection_->query(list_statements_sql(query)));
  statement.bind(query.tenant).bind(stored_bound(query.after));
  if (query.before) statement.bind(stored_bound(*query.before));
  if (query.kind) statement.bind(std::int64_t{*query.kind});
  return all(std::move(statement.bind(stored_limit(query.limit))), entry_of);
}

}  // namespace avow::store
