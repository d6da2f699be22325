// SPDX-License-Identifier: Apache-2.0
// tlog/sequencer_for_tests.h: a sequencer with a memory store under it, statements to put in, and
// an oracle that reads everything back. For *_test.cc only.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "merkle/note.h"
#include "merkle/tile.h"
#include "provenance/log_for_tests.h"
#include "store/memory/memory_store.h"
#include "testing/faulty_store.h"
#include "testing/scheduler.h"
#include "tlog/sequencer.h"

namespace avow::tlog {

inline constexpr std::string_view kOrigin = "log.example.com";

inline LogKeys test_keys(std::uint8_t seed = 1, std::string origin = std::string(kOrigin)) {
  return {std::move(origin), crypto::Ed25519PrivateKey::from_seed(provenance::filled(seed)),
          std::nullopt, crypto::P256PrivateKey::generate()};
}

inline TenantId test_tenant(std::uint64_t n) { return TenantId{provenance::test_id(1000 + n)}; }

/// A change of something in tenant `tenant`; `n` makes it differ from others.
inline provenance::Statement change(std::uint64_t tenant, std::uint64_t n) {
  provenance::Statement s;
  s.type = provenance::StatementType::kAdminChanged;
  s.tenant = test_tenant(tenant);
  s.id = provenance::test_id(n);
  s.created_at = provenance::test_time(static_cast<int>(n));
  s.nonce = provenance::filled(static_cast<std::uint8_t>(n));
  s.subject = "tool";
  s.change = "created";
  return s;
}

/// A hook that forwards; after integrate() its transaction fails as often as it is told to.
class FailingTransactions : public store::CommitHook {
 public:
  explicit FailingTransactions(store::CommitHook& behind) : behind_(behind) {}
  int failures = 0;

  Result<void> begin() override { return behind_.begin(); }
  Result<void> add(store::LogWriter& log, std::vector<store::QueuedStatement> statements) override {
    return behind_.add(log, std::move(statements));
  }
  Result<void> integrate(store::LogWriter& log) override {
    RETURN_IF_ERROR(behind_.integrate(log));
    if (failures == 0) return {};
    --failures;
    return failure(Code::kResourceExhausted, "the disk is full");
  }
  void committed() override { behind_.committed(); }
  void rolled_back() override { behind_.rolled_back(); }

 private:
  store::CommitHook& behind_;
};

struct LogWorld {
  testing::Scheduler scheduler;
  std::unique_ptr<Executor> executor = scheduler.make_executor();
  store::MemoryStore store{*executor};
  SeededRng rng{5};
  LogKeys keys = test_keys();
  std::unique_ptr<Sequencer> sequencer;
  std::unique_ptr<FailingTransactions> hook;

  LogWorld() { open(); }

  /// As at a start of the process.
  void open(int signing_threads = 1) {
    auto opened =
        Sequencer::open(store, keys, scheduler, rng, {.signing_threads = signing_threads});
    ASSERT_TRUE(opened) << opened.error().message;
    auto next_hook = std::make_unique<FailingTransactions>(**opened);
    store.set_hook(*next_hook);
    hook = std::move(next_hook);
    sequencer = *std::move(opened);
  }

  Result<void> commit(store::Commit commit) {
    std::optional<Result<void>> answer;
    store.commit(std::move(commit), [&answer](Result<void> done) { answer = std::move(done); });
    scheduler.run_due();
    CHECK(answer);
    return *answer;
  }
  Result<void> commit(std::vector<store::QueuedStatement> statements) {
    store::Commit one;
    one.statements = std::move(statements);
    return commit(std::move(one));
  }
  /// `count` statements in one transaction, of some tenants.
  void grow(std::uint64_t count, std::uint64_t tenants = 3) {
    std::vector<store::QueuedStatement> statements;
    for (std::uint64_t i = 0; i < count; ++i) {
      ++statements_made;
      statements.push_back(queued(change(rng.below(tenants), statements_made)));
    }
    const auto done = commit(std::move(statements));
    ASSERT_TRUE(done) << done.error().message;
  }

  std::uint64_t statements_made = 0;
};

/// The roots of the complete subtrees that `d` consists of, by RFC 6962's split.
inline void oracle_nodes(merkle::oracle::Entries d, std::vector<merkle::Hash>& out) {
  if (d.empty()) return;
  const std::size_t k = std::bit_floor(d.size());
  out.push_back(merkle::oracle::root(d.first(k)));
  oracle_nodes(d.subspan(k), out);
}

inline std::string joined(std::span<const merkle::Hash> hashes) {
  std::string out;
  for (const merkle::Hash& hash : hashes) out += view_of(hash);
  return out;
}

inline std::vector<std::string> leaves_of(const std::vector<store::LogEntry>& entries) {
  std::vector<std::string> out;
  out.reserve(entries.size());
  for (const auto& entry : entries) out.push_back(entry.entry);
  return out;
}

/// Head, checkpoint and tiles are those of the tree over the stored entries, by the oracle.
inline void expect_right_tree(store::Store& store, const Head& head,
                              const std::vector<merkle::VerifierKey>& log_keys) {
  const auto row = store.get_log_head(head.log);
  ASSERT_TRUE(row);
  const auto entries = store.read_log(head.log, 0, row->size + 1);
  ASSERT_TRUE(entries);
  const auto leaves = leaves_of(*entries);
  const std::span<const std::string> all(leaves);
  ASSERT_EQ(row->size, leaves.size());
  EXPECT_EQ(head.checkpoint.size, leaves.size());
  EXPECT_EQ(head.checkpoint.root, merkle::oracle::root(all));
  EXPECT_EQ(row->checkpoint, head.note);
  EXPECT_EQ(row->keys_index, head.keys_index);
  std::vector<merkle::Hash> nodes;
  oracle_nodes(all, nodes);
  EXPECT_EQ(row->nodes, joined(nodes));

  const auto note = merkle::Note::parse(row->checkpoint);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, head.checkpoint.text());
  const auto signers = merkle::verify_note(*note, log_keys);
  ASSERT_TRUE(signers);
  EXPECT_EQ(signers->size(), log_keys.size());

  std::size_t width = 1;  // leaves under one hash of the level
  for (std::size_t level = 0; width <= leaves.size(); ++level, width *= merkle::kTileWidth) {
    std::vector<merkle::Hash> hashes;
    for (std::size_t i = 0; (i + 1) * width <= leaves.size(); ++i) {
      hashes.push_back(merkle::oracle::root(all.subspan(i * width, width)));
    }
    const std::size_t full = hashes.size() / merkle::kTileWidth;
    for (std::size_t i = 0; i < full; ++i) {
      const auto tile = store.get_log_tile(head.log, static_cast<int>(level), i);
      ASSERT_TRUE(tile) << "level " << level << " tile " << i << " of size " << leaves.size();
      EXPECT_EQ(tile->bytes,
                joined(std::span(hashes).subspan(i * merkle::kTileWidth, merkle::kTileWidth)));
    }
    EXPECT_FALSE(store.get_log_tile(head.log, static_cast<int>(level), full));
    ASSERT_LT(level, head.edge.size());
    EXPECT_EQ(joined(head.edge[level]),
              joined(std::span(hashes).subspan(full * merkle::kTileWidth)));
  }
}

/// Indexes have no gaps, each tenant's statements are numbered and chained, and each entry is its
/// statement's, signed with a key that the newest statement about keys names for it.
inline void expect_right_chains(const std::vector<store::LogEntry>& entries,
                                std::uint64_t keys_index,
                                std::map<TenantId, std::string> newest = {}) {
  const auto keys = provenance::decode_statement(entries.at(keys_index).statement);
  ASSERT_TRUE(keys);
  std::map<TenantId, std::uint64_t> seqs;
  for (const auto& [tenant, bytes] : newest) {
    seqs[tenant] = provenance::decode_statement(bytes)->tenant_seq;
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const store::LogEntry& entry = entries[i];
    const auto statement = provenance::decode_statement(entry.statement);
    ASSERT_TRUE(statement) << statement.error().message;
    EXPECT_EQ(entry.index, i);
    EXPECT_EQ(statement->tenant, entry.tenant);
    EXPECT_EQ(statement->id, entry.id);
    EXPECT_EQ(kind_of(statement->type), entry.kind);
    EXPECT_EQ(statement->tenant_seq, entry.tenant_seq);
    EXPECT_EQ(entry.tenant_seq, ++seqs[entry.tenant]);
    std::string& before = newest[entry.tenant];
    EXPECT_EQ(statement->prev.has_value(), !before.empty());
    if (statement->prev) {
      EXPECT_EQ(*statement->prev, crypto::sha256(before));
    }
    before = entry.statement;

    const auto leaf = provenance::decode_entry(entry.entry);
    ASSERT_TRUE(leaf);
    EXPECT_EQ(leaf->digest, crypto::sha256(entry.statement));
    const auto key = crypto::P256PublicKey::from_spki_der(leaf->public_key);
    ASSERT_TRUE(key);
    EXPECT_TRUE(key->verifies(entry.statement, leaf->signature));
    EXPECT_TRUE(provenance::names_key(*keys, leaf->public_key, i)) << "entry " << i;
  }
}

/// The receipt of the entry at `index`, its paths the oracle's.
inline provenance::Receipt receipt_of(const std::vector<store::LogEntry>& entries,
                                      std::uint64_t index, const Head& head) {
  const auto leaves = leaves_of(entries);
  const auto logged = [&](std::uint64_t at) {
    return provenance::LoggedStatement{entries[at].statement, entries[at].entry, at,
                                       merkle::oracle::path(at, leaves)};
  };
  provenance::Receipt out;
  out.id = provenance::receipt_id(entries[index].id, 0);
  out.statement = logged(index);
  out.keys = logged(head.keys_index);
  out.checkpoint = head.note;
  return out;
}

}  // namespace avow::tlog
