// SPDX-License-Identifier: Apache-2.0
// tests/proofs/world.h: an honest log with two tenants, three runs and an erasure, those who watch
// it, and what an attacker shows instead. Attackers hold keys as far as an attack says so. For
// tests/proofs alone.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>

#include "merkle/consistency.h"
#include "provenance/receipts_for_tests.h"

namespace avow::proofs {

using namespace provenance;  // what is attacked

/// Places in World's log.
enum At : std::uint64_t {
  kGenesis,
  kRunOpen,
  kWorkflow,
  kRun,
  kOtherRun,
  kOtherTenant,
  kOtherErasure,
  kErasure,
  kLast,
  kSize
};

/// Where the auditor's older checkpoint stands; the witnesses have cosigned this one and the
/// newest.
inline constexpr std::uint64_t kAuditedSize = kErasure;

struct World {
  World() {
    TestRun begun;
    begun.events.resize(3);
    add(begun.statement(StatementType::kRunOpen));
    add(workflow(run.tenant, 100));
    add(run.statement());
    add(other.statement());
    add(workflow(other_tenant, 101));
    // Another tenant may well claim to erase what is not its own.
    add(erasure(other_tenant, {{run.id, 0, {}}}, 102));
    add(erasure(run.tenant, {{run.id, 3, "output"}, {run.id, 5, "output"}}, 103));
    add(workflow(run.tenant, 104));
  }

  static Statement about(TenantId tenant, std::uint64_t id, StatementType type) {
    Statement s;
    s.type = type;
    s.tenant = tenant;
    s.id = test_id(id);
    s.created_at = test_time(static_cast<int>(id));
    s.nonce = filled(static_cast<std::uint8_t>(id));
    return s;
  }
  static Statement workflow(TenantId tenant, std::uint64_t id) {
    Statement s = about(tenant, id, StatementType::kWorkflowPublished);
    s.version = "1.0.0";
    s.workflow_digest = filled(9);
    return s;
  }
  static Statement erasure(TenantId tenant, std::vector<ErasedContent> erased, std::uint64_t id) {
    Statement s = about(tenant, id, StatementType::kContentErased);
    s.erased = std::move(erased);
    return s;
  }

  /// What the integrator does: number, chain, sign, append.
  void add(Statement s) {
    const auto before = std::find_if(
        log.statements.rbegin(), log.statements.rend(),
        [&](const std::string& bytes) { return decode_statement(bytes)->tenant == s.tenant; });
    s.tenant_seq = 1;
    s.prev.reset();
    if (before != log.statements.rend()) {
      s.tenant_seq = decode_statement(*before)->tenant_seq + 1;
      s.prev = statement_digest(*before);
    }
    log.add(encode(s));
  }

  TestLog log;
  TestRun run;
  TestRun other{71};  ///< Of the same tenant.
  TenantId other_tenant{test_id(5)};
};

/// The note that the log key signs over the first `size` entries, with no cosignature.
inline std::string checkpoint_of(const TestLog& log, std::uint64_t size) {
  const merkle::Checkpoint head{
      std::string(kTestOrigin), size,
      merkle::oracle::root(merkle::oracle::Entries(log.entries).first(size))};
  merkle::Note note{head.text(), {}};
  note.signatures = {merkle::sign_note(note.text, head.origin, log.log_key)};
  return note.format();
}

/// A receipt of the log as it stands, with the log's signature alone.
inline Receipt receipt_of(const TestLog& log, std::uint64_t index, std::uint32_t seq = 0) {
  Receipt receipt = log.receipt(index, seq);
  receipt.checkpoint = checkpoint_of(log, log.entries.size());
  return receipt;
}

/// What those who watch are given to see. By default the honest log and the run's bundle.
struct Shown {
  explicit Shown(const World& world) : log(world.log), trust(world.log.key_alone()) {
    for (const std::string& bytes : log.statements) {
      if (decode_statement(bytes)->tenant == world.run.tenant) handed_out.push_back(bytes);
    }
  }
  TestLog log;                          ///< As it answers auditors and witnesses.
  Receipt receipt;                      ///< What the verifier gets,
  std::optional<std::string> text;      ///< unless it gets this.
  Trust trust;                          ///< Of the verifier; the log's key and no witness.
  std::vector<std::string> handed_out;  ///< To the tenant, as its statements.
};

// ------------------------------------------------------------------------------ those who watch

struct Head {
  std::uint64_t size;
  merkle::Hash root;
};

inline Head head_of(const std::string& checkpoint) {
  const auto head = *merkle::Checkpoint::parse(merkle::Note::parse(checkpoint)->text);
  return {head.size, head.root};
}

/// Whether the log can show that one of two heads continues the other. It proves with the entries
/// that it has, as well as it can.
inline bool is_consistent(const Head& a, const Head& b, const TestLog& log) {
  const auto& [older, newer] = a.size <= b.size ? std::pair(a, b) : std::pair(b, a);
  if (older.size == newer.size) return older.root == newer.root;
  if (older.size == 0 || newer.size > log.entries.size()) return false;
  const merkle::oracle::Entries entries(log.entries);
  return merkle::verify_consistency(
             {older.size, newer.size, merkle::oracle::proof(older.size, entries.first(newer.size))},
             older.root, newer.root)
      .has_value();
}

/// C2SP tlog-witness: cosigns a checkpoint that the log has signed, and that the newest one it has
/// cosigned can be led to.
class Witness {
 public:
  Witness(std::string name, crypto::Ed25519PrivateKey key, std::vector<Head> cosigned)
      : name_(std::move(name)), key_(std::move(key)), cosigned_(std::move(cosigned)) {}

  [[nodiscard]] std::optional<merkle::NoteSignature> cosign(const merkle::Note& note,
                                                            const TestLog& log) const {
    const Head head = head_of(note.format());
    // Cosignatures that it gave before are there to be had.
    const bool is_known = std::ranges::any_of(cosigned_, [&](const Head& known) {
      return known.size == head.size && known.root == head.root;
    });
    const bool is_next =
        head.size >= cosigned_.back().size && is_consistent(cosigned_.back(), head, log);
    if (!is_known && !is_next) return {};
    return merkle::cosign_note(note.text, name_, key_, kTestWitnessed);
  }

 private:
  std::string name_;
  crypto::Ed25519PrivateKey key_;
  std::vector<Head> cosigned_;  ///< Oldest first.
};

/// The tenant's own audit: its statements are numbered without gaps and chained.
inline bool is_chained(const std::vector<std::string>& statements) {
  std::optional<Bytes32> prev;
  std::uint64_t seq = 0;
  for (const std::string& bytes : statements) {
    const auto statement = decode_statement(bytes);
    if (!statement || statement->tenant_seq != ++seq || statement->prev != prev) return false;
    prev = statement_digest(bytes);
  }
  return true;
}

/// The audit of the log: all entries make the checkpoint, and each is signed with the key that the
/// newest statement about keys names for its place.
inline bool is_sound(const TestLog& log, const Head& head) {
  if (head.size > log.entries.size()) return false;
  const auto entries = merkle::oracle::Entries(log.entries).first(head.size);
  if (merkle::oracle::root(entries) != head.root) return false;
  std::optional<Statement> keys;
  for (const std::string& bytes : log.statements) {
    if (auto statement = decode_statement(bytes); statement && is_about_keys(statement->type)) {
      keys = *std::move(statement);
    }
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!names_key(*keys, decode_entry(entries[i])->public_key, i)) return false;
  }
  return true;
}

// ---------------------------------------------------------------------------------- the judgement

struct Judgement {
  Verdict verdict = Verdict::kMalformed;
  std::vector<std::string> detectors;  ///< Who sees that something is wrong.
};

/// Lets everybody look. Who believes a verdict other than VALID is wrong already; the others are
/// asked about what the verifier would accept.
inline Judgement judge(const World& world, const Shown& shown) {
  Judgement out;
  out.verdict = verify(shown.text.value_or(encode(shown.receipt)), shown.trust).verdict;
  if (out.verdict != Verdict::kValid) {
    out.detectors = {"the verifier"};
    return out;
  }
  const Head head = head_of(shown.receipt.checkpoint);
  const Head audited = head_of(checkpoint_of(world.log, kAuditedSize));
  const Head newest = head_of(checkpoint_of(world.log, kSize));
  if (!is_consistent(audited, head, shown.log)) {
    out.detectors.emplace_back("an auditor with an older checkpoint");
  }
  Receipt witnessed = shown.receipt;
  merkle::Note note = *merkle::Note::parse(witnessed.checkpoint);
  for (std::size_t i = 0; i < world.log.witnesses.size(); ++i) {
    const Witness witness(TestLog::witness_name(i), world.log.witnesses[i], {audited, newest});
    const auto cosignature = witness.cosign(note, shown.log);
    if (cosignature) note.signatures.push_back(*cosignature);
  }
  witnessed.checkpoint = note.format();
  if (verify(encode(witnessed), world.log.policy(2)).verdict == Verdict::kWitnessesInsufficient) {
    out.detectors.emplace_back("witnesses");
  }
  if (!is_chained(shown.handed_out)) out.detectors.emplace_back("the tenant's audit");
  if (!is_sound(shown.log, head)) out.detectors.emplace_back("an audit of the log");
  if (out.detectors.empty()) out.detectors = {"nobody"};
  return out;
}

}  // namespace avow::proofs
