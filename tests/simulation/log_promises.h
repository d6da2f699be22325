// SPDX-License-Identifier: Apache-2.0
// What must hold of what the log was told. Roots are the recursive oracle's.
#pragma once
#include <algorithm>
#include <map>

#include "merkle/checkpoint.h"
#include "merkle/note.h"
#include "merkle/recursive_tree.h"
#include "promise.h"

namespace avow::engine {

inline bool covers(const Statement& statement, const RunStory& run) {
  return statement.events >= 1 && statement.events <= run.bytes.size() &&
         statement.root == merkle::oracle::root(std::span(run.bytes).first(statement.events));
}

class AFinishedRunHasOneProof : public RunPromise {
 public:
  AFinishedRunHasOneProof()
      : RunPromise(
            "a run that ended has one run.finished, its last statement, over its whole journal; "
            "one that did not has none") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    const auto finished =
        std::ranges::count(run.statements, StatementType::kRunFinished, &Statement::type);
    if (!is_terminal(run.row.status)) {
      if (finished > 0) return "a run that goes on was told to be finished";
      return std::nullopt;
    }
    if (finished != 1) return fmt::format("{} run.finished of one run", finished);
    const Statement& last = run.statements.back();
    if (last.type != StatementType::kRunFinished) return "a statement after run.finished";
    if (last.events != run.bytes.size()) return "run.finished does not cover every event";
    if (last.status != run_status_name(run.row.status)) return "run.finished has another status";
    if (!covers(last, run)) return "run.finished has another root than the journal";
    return std::nullopt;
  }
};

class StatementsOnlyGrow : public RunPromise {
 public:
  StatementsOnlyGrow()
      : RunPromise(
            "each statement covers more than the one before, of the same journal; the first of a "
            "run that goes on is run.open") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
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
};

class ARunOfASecondIsStated : public Promise {
 public:
  ARunOfASecondIsStated() : Promise("a run that is a second old stands in the log") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    for (const Rest& rest : story.rests) {
      if (rest.is_stated || rest.at < rest.created_at + std::chrono::seconds(1)) continue;
      return fmt::format("{} is {} ms old and has no statement", rest.run.ulid(),
                         (rest.at - rest.created_at).count());
    }
    return std::nullopt;
  }
};

class DoubtIsStatedBeforeACallLeaves : public RunPromise {
 public:
  DoubtIsStatedBeforeACallLeaves()
      : RunPromise("what a crash left in doubt stands in the log when a call leaves") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    for (const Departure& departure : run.departures) {
      if (departure.doubt_at <= departure.stated) continue;
      return fmt::format("{} left, and no statement covers the doubt at {}",
                         departure.call.id.key(), departure.doubt_at);
    }
    return std::nullopt;
  }
};

class EveryTenantHasOneChain : public Promise {
 public:
  EveryTenantHasOneChain()
      : Promise(
            "the statements of a tenant, in the order of the log, are numbered from 1 without "
            "gaps, and each names the digest of the one before") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    std::map<TenantId, const store::LogEntry*> last;
    for (const store::LogEntry& entry : story.log) {
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
};

class TheHeadIsTheTree : public Promise {
 public:
  TheHeadIsTheTree()
      : Promise(
            "the head is that of the tree over the entries, and so is its checkpoint; it begins "
            "with the log's own statement") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    std::vector<std::string> leaves;
    for (const store::LogEntry& entry : story.log) {
      if (entry.index != leaves.size()) return "an entry is missing";
      leaves.push_back(entry.entry);
    }
    if (!story.head) {
      if (!leaves.empty()) return "entries without a head";
      return std::nullopt;
    }
    if (story.head->size != leaves.size()) return "the head has another size";
    if (story.log.front().kind != tlog::kind_of(StatementType::kLogGenesis)) return "no genesis";
    const auto note = merkle::Note::parse(story.head->checkpoint);
    if (!note) return note.error().message;
    const auto checkpoint = merkle::Checkpoint::parse(note->text);
    if (!checkpoint) return checkpoint.error().message;
    if (checkpoint->size != leaves.size()) return "the checkpoint has another size";
    if (checkpoint->root != merkle::oracle::root(leaves)) return "the checkpoint has another root";
    return std::nullopt;
  }
};

}  // namespace avow::engine
