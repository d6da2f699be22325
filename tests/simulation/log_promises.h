// SPDX-License-Identifier: Apache-2.0
// What must hold of what the log was told, judged from what the store holds and from nothing else:
// roots are the recursive oracle's. Each rule gives what is wrong, or nothing.
#pragma once
#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "merkle/checkpoint.h"
#include "merkle/note.h"
#include "merkle/recursive_tree.h"
#include "testing/engine_world.h"

namespace avow::engine {

using provenance::Statement;
using provenance::StatementType;
/// What is wrong; nothing if the rule holds.
using Fault = std::optional<std::string>;

/// A run as the store has it, and what the log was told of it.
struct ToldRun {
  store::RunRow row;
  std::vector<std::string> events;    ///< Exact bytes, from the first.
  std::vector<Statement> statements;  ///< In the order of the log.
};

inline bool covers(const Statement& statement, const ToldRun& run) {
  return statement.events >= 1 && statement.events <= run.events.size() &&
         statement.root == merkle::oracle::root(std::span(run.events).first(statement.events));
}

/// A run that ended has one run.finished, its last statement, over its whole journal; one that did
/// not has none.
inline Fault a_finished_run_has_one_proof(const ToldRun& run) {
  const auto finished =
      std::ranges::count(run.statements, StatementType::kRunFinished, &Statement::type);
  if (!is_terminal(run.row.status)) {
    if (finished > 0) return "a run that goes on was told to be finished";
    return std::nullopt;
  }
  if (finished != 1) return fmt::format("{} run.finished of one run", finished);
  const Statement& last = run.statements.back();
  if (last.type != StatementType::kRunFinished) return "a statement after run.finished";
  if (last.events != run.events.size()) return "run.finished does not cover every event";
  if (last.status != run_status_name(run.row.status)) return "run.finished has another status";
  if (!covers(last, run)) return "run.finished has another root than the journal";
  return std::nullopt;
}

/// Each statement covers more than the one before, of the same journal; all before the last are of
/// a run that goes on, the first of them run.open.
inline Fault statements_only_grow(const ToldRun& run) {
  std::uint32_t covered = 0;
  for (const Statement& statement : run.statements) {
    if (statement.events <= covered) return "a statement that covers nothing new";
    const bool is_first = covered == 0;
    if (statement.type == StatementType::kRunOpen && !is_first) return "a second run.open";
    if (statement.type == StatementType::kRunProgress && is_first) return "no run.open before";
    if (!covers(statement, run)) return "a root that is not the journal's";
    covered = statement.events;
  }
  return std::nullopt;
}

/// While nothing is under way at `now`.
inline Fault a_run_of_a_second_is_stated(const store::RunRow& row, bool is_stated, Time now) {
  if (is_stated || now < row.created_at + std::chrono::seconds(1)) return std::nullopt;
  return fmt::format("a run of {} ms without a statement", (now - row.created_at).count());
}

/// What a crash left in doubt is on record when a call leaves. Decodes no other event: there are
/// many calls.
inline Fault doubt_is_stated(const std::vector<std::string>& events, std::uint32_t events_stated) {
  for (std::size_t i = events_stated; i < events.size(); ++i) {
    if (!events[i].ends_with(R"("type":"effect.in_doubt","v":1})")) continue;
    return fmt::format("a call left, and no statement covers the doubt at {}", i + 1);
  }
  return std::nullopt;
}

/// The statements of each tenant, in the order of the log, are numbered from 1 without gaps, and
/// each names the digest of the one before.
inline Fault every_tenant_has_one_chain(const std::vector<store::LogEntry>& log) {
  std::map<TenantId, const store::LogEntry*> last;
  for (const store::LogEntry& entry : log) {
    const auto statement = provenance::decode_statement(entry.statement);
    if (!statement) return statement.error().message;
    if (statement->tenant != entry.tenant || statement->id != entry.id)
      return "an entry that is filed under another name than its statement's";
    const store::LogEntry* before = std::exchange(last[entry.tenant], &entry);
    const std::uint64_t seq = before == nullptr ? 1 : before->tenant_seq + 1;
    if (statement->tenant_seq != seq || entry.tenant_seq != seq)
      return fmt::format("number {} where {} is next", statement->tenant_seq, seq);
    std::optional<Bytes32> prev;
    if (before != nullptr) prev = crypto::sha256(before->statement);
    if (statement->prev != prev) return fmt::format("number {} breaks the chain", seq);
  }
  return std::nullopt;
}

/// The head is that of the tree over the entries, and so is its checkpoint; it begins with the
/// log's own statement.
inline Fault the_head_is_the_tree(const store::LogHead& head,
                                  const std::vector<store::LogEntry>& log) {
  std::vector<std::string> leaves;
  for (const store::LogEntry& entry : log) {
    if (entry.index != leaves.size()) return "an entry is missing";
    leaves.push_back(entry.entry);
  }
  if (head.size != leaves.size()) return "the head has another size";
  if (log.front().kind != tlog::kind_of(StatementType::kLogGenesis)) return "no genesis";
  const auto note = merkle::Note::parse(head.checkpoint);
  if (!note) return note.error().message;
  const auto checkpoint = merkle::Checkpoint::parse(note->text);
  if (!checkpoint) return checkpoint.error().message;
  if (checkpoint->size != leaves.size()) return "the checkpoint has another size";
  if (checkpoint->root != merkle::oracle::root(leaves)) return "the checkpoint has another root";
  return std::nullopt;
}

/// The exact bytes of a journal, from the first event.
inline std::vector<std::string> events_in(const std::vector<store::Segment>& journal) {
  std::vector<std::string> out;
  for (const store::Segment& segment : journal) {
    auto events = provenance::decode_journal(segment.bytes);
    CHECK(events.has_value());
    std::ranges::move(*events, std::back_inserter(out));
  }
  return out;
}

/// Every run of `world` with what the log was told of it.
inline std::vector<ToldRun> told_runs(testing::EngineWorld& world,
                                      const std::vector<testing::EngineWorld::Started>& runs) {
  std::map<Id, std::vector<Statement>> statements;
  for (const store::LogEntry& entry : world.log())
    statements[entry.id].push_back(*provenance::decode_statement(entry.statement));
  std::vector<ToldRun> told;
  for (const auto& started : runs) {
    const auto record = world.store.read_run(started.id);
    if (!record) continue;  // it never began
    told.push_back({record->row, events_in(record->journal), statements[started.id.value]});
  }
  return told;
}

}  // namespace avow::engine
