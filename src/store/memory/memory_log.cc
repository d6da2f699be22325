// SPDX-License-Identifier: Apache-2.0
#include "store/memory/memory_log.h"

#include <algorithm>

namespace avow::store {

Result<LogHead> MemoryLog::newest_head() const {
  if (heads_.empty()) return failure(Code::kNotFound, "there is no log yet");
  return heads_.rbegin()->second;
}

Result<LogHead> MemoryLog::get_head(std::uint32_t log) const {
  const auto found = heads_.find(log);
  if (found == heads_.end()) return failure(Code::kNotFound, "no log {}", log);
  return found->second;
}

std::vector<LogEntry> MemoryLog::read(std::uint32_t log, std::uint64_t index,
                                      std::size_t limit) const {
  std::vector<LogEntry> out;
  auto at = entries_.lower_bound({log, index});
  for (; at != entries_.end() && at->first.first == log && out.size() < limit; ++at) {
    out.push_back(at->second);
  }
  return out;
}

Result<LogTile> MemoryLog::get_tile(std::uint32_t log, int level, std::uint64_t index) const {
  const auto found = tiles_.find({log, level, index});
  if (found != tiles_.end()) return LogTile{log, level, index, found->second};
  return failure(Code::kNotFound, "no full tile {} on level {} of log {}", index, level, log);
}

Result<LogEntry> MemoryLog::find_statement(Id id) const {
  const auto behind = by_id_.upper_bound({id, {UINT32_MAX, UINT64_MAX}});
  if (behind != by_id_.begin() && std::prev(behind)->first == id) {
    return entries_.at(std::prev(behind)->second);
  }
  return failure(Code::kNotFound, "no statement about {}", id.ulid());
}

std::vector<LogEntry> MemoryLog::list_statements(const StatementQuery& query) const {
  std::vector<LogEntry> out;
  const auto first = by_seq_.upper_bound({query.tenant, query.after});
  const auto end = query.before ? by_seq_.lower_bound({query.tenant, *query.before})
                                : by_seq_.upper_bound({query.tenant, UINT64_MAX});
  if (query.before && *query.before <= query.after) return out;  // `end` stands before `first`
  for (auto at = first; at != end; ++at) {
    const LogEntry& entry = entries_.at(at->second);
    if (!query.kind || entry.kind == *query.kind) out.push_back(entry);
  }
  if (query.is_newest_first) std::reverse(out.begin(), out.end());
  if (out.size() > query.limit) out.resize(query.limit);
  return out;
}

const LogEntry* MemoryLog::newest_of(TenantId tenant) const {
  const auto behind = by_seq_.upper_bound({tenant, UINT64_MAX});
  if (behind == by_seq_.begin() || std::prev(behind)->first.first != tenant) return nullptr;
  return &entries_.at(std::prev(behind)->second);
}

Result<std::optional<TenantHead>> MemoryLog::Transaction::tenant_head(TenantId tenant) {
  const LogEntry* kept = log_.newest_of(tenant);
  const LogEntry* added = added_.newest_of(tenant);
  const LogEntry* newest = kept;
  if (kept == nullptr || (added != nullptr && added->tenant_seq > kept->tenant_seq)) newest = added;
  if (newest == nullptr) return std::optional<TenantHead>();
  return std::optional(TenantHead{newest->tenant_seq, newest->statement});
}

Result<void> MemoryLog::Transaction::add_entry(const LogEntry& entry) {
  const Place place{entry.log, entry.index};
  const Seq seq{entry.tenant, entry.tenant_seq};
  for (const MemoryLog* log : {&log_, &added_}) {
    if (!log->entries_.contains(place) && !log->by_seq_.contains(seq)) continue;
    return failure(Code::kConflict, "entry {} of log {} or statement {} of tenant {} is there",
                   entry.index, entry.log, entry.tenant_seq, entry.tenant.ulid());
  }
  added_.entries_.emplace(place, entry);
  added_.by_seq_.emplace(seq, place);
  added_.by_id_.emplace(entry.id, place);
  return {};
}

Result<void> MemoryLog::Transaction::add_tile(const LogTile& tile) {
  const TileKey key{tile.log, tile.level, tile.index};
  if (log_.tiles_.contains(key) || !added_.tiles_.emplace(key, tile.bytes).second) {
    return failure(Code::kConflict, "tile {} of level {} of log {} is there", tile.index,
                   tile.level, tile.log);
  }
  return {};
}

Result<void> MemoryLog::Transaction::put_head(const LogHead& head) {
  added_.heads_[head.log] = head;
  return {};
}

void MemoryLog::Transaction::keep() {
  log_.entries_.merge(added_.entries_);
  log_.by_seq_.merge(added_.by_seq_);
  log_.by_id_.merge(added_.by_id_);
  log_.tiles_.merge(added_.tiles_);
  for (auto& [log, head] : added_.heads_) log_.heads_[log] = std::move(head);
}

}  // namespace avow::store
