// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/log_writer.h"

#include "store/sqlite/schema.h"

namespace avow::store {
namespace {

std::int64_t stored(std::uint64_t number) { return static_cast<std::int64_t>(number); }

Error too_large() { return failure(Code::kResourceExhausted, "store: the log is full"); }

}  // namespace

Result<std::optional<TenantHead>> SqliteLogWriter::tenant_head(TenantId tenant) {
  ASSIGN_OR_RETURN(Query query, connection_.query("SELECT tenant_seq, statement FROM log_entries "
                                                  "INDEXED BY log_entries_listed WHERE tenant = ? "
                                                  "ORDER BY tenant_seq DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool exists, query.bind(tenant).next());
  if (!exists) return std::optional<TenantHead>();
  return std::optional(TenantHead{static_cast<std::uint64_t>(query.integer(0)), query.bytes(1)});
}

Result<bool> SqliteLogWriter::insert_entry(const LogEntry& entry, std::int64_t place) {
  {
    // Not a condition of the INSERT: SQLite would pass the row through a temporary table, because
    // it would read the table that it writes. This is one probe, of the page that is written next.
    ASSIGN_OR_RETURN(Query query,
                     connection_.query("SELECT 1 FROM log_entries INDEXED BY log_entries_listed "
                                       "WHERE tenant = ? AND tenant_seq = ?"));
    query.bind(entry.tenant).bind(stored(entry.tenant_seq));
    ASSIGN_OR_RETURN(const bool is_taken, query.next());
    if (is_taken) return false;
  }
  // OR IGNORE for the place.
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query("INSERT OR IGNORE INTO log_entries (place, tenant, tenant_seq, id, kind, "
                        "statement, entry) VALUES (?, ?, ?, ?, ?, ?, ?)"));
  query.bind(place).bind(entry.tenant).bind(stored(entry.tenant_seq)).bind(entry.id);
  query.bind(std::int64_t{entry.kind}).bind_blob(entry.statement).bind_blob(entry.entry);
  RETURN_IF_ERROR(query.run());
  return connection_.changes() > 0;
}

Result<void> SqliteLogWriter::add_entry(const LogEntry& entry) {
  if (!is_log_place(entry.log, entry.index)) return too_large();
  const std::int64_t place = log_place(entry.log, entry.index);
  ASSIGN_OR_RETURN(const bool is_new, insert_entry(entry, place));
  if (!is_new) {
    return failure(Code::kConflict, "entry {} of log {} or statement {} of tenant {} is there",
                   entry.index, entry.log, entry.tenant_seq, entry.tenant.ulid());
  }
  if (entry.contents.empty()) return {};
  ASSIGN_OR_RETURN(Query query,
                   connection_.query("INSERT INTO log_contents (place, bytes) VALUES (?, ?)"));
  return query.bind(place).bind_blob(entry.contents).run();
}

Result<void> SqliteLogWriter::add_tile(const LogTile& tile) {
  if (!is_tile_place(tile.log, tile.level, tile.index)) return too_large();
  {
    ASSIGN_OR_RETURN(
        Query query,
        connection_.query("INSERT OR IGNORE INTO log_tiles (place, bytes) VALUES (?, ?)"));
    query.bind(tile_place(tile.log, tile.level, tile.index));
    RETURN_IF_ERROR(query.bind_blob(tile.bytes).run());
  }
  if (connection_.changes() > 0) return {};
  return failure(Code::kConflict, "tile {} of level {} of log {} is there", tile.index, tile.level,
                 tile.log);
}

Result<void> SqliteLogWriter::put_head(const LogHead& head) {
  if (!is_log_place(head.log, head.size)) return too_large();
  ASSIGN_OR_RETURN(
      Query query,
      connection_.query("INSERT OR REPLACE INTO log_heads (log, size, nodes, checkpoint, "
                        "keys_index) VALUES (?, ?, ?, ?, ?)"));
  query.bind(std::int64_t{head.log}).bind(stored(head.size)).bind_blob(head.nodes);
  return query.bind_blob(head.checkpoint).bind(stored(head.keys_index)).run();
}

}  // namespace avow::store
