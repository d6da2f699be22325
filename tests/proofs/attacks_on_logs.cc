// SPDX-License-Identifier: Apache-2.0
// Attacks on the log: statements, entries, tiles and checkpoints; and those that work.
#include "merkle/proof.h"
#include "merkle/tile.h"
#include "tests/proofs/attacks.h"

namespace avow::proofs {
namespace {

template <class Change>
auto in_receipt(Change change) {
  return [change](const World& world, Shown& shown) {
    shown.receipt = receipt_of(world.log, kRun);
    change(world, shown.receipt);
  };
}

/// An attack of somebody who has the store and all keys: the log made again after `change`.
template <class Change>
auto in_log(Change change) {
  return [change](const World& world, Shown& shown) {
    change(world, shown.log);
    rechain(shown.log);
    hand_out(shown, world.run.tenant);
    const auto at = std::ranges::find_if(shown.log.statements, [&](const std::string& bytes) {
      const auto statement = *decode_statement(bytes);
      return statement.id == world.run.id.value && statement.type == StatementType::kRunFinished;
    });
    ASSERT_NE(at, shown.log.statements.end());
    shown.receipt =
        receipt_of(shown.log, static_cast<std::uint64_t>(at - shown.log.statements.begin()));
  };
}

std::string failed_instead(const TestLog& log) {
  return edited_statement(log, kRun, [](Statement& s) { s.status = "failed"; });
}

std::vector<Attack> on_statements() {
  return {
      {"Statements",
       "edit",
       "-",
       "\"failed\" for \"completed\"",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.statement = failed_instead(world.log);
       }),
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Statements",
       "edit, re-sign",
       "a key of their own",
       "the same, with an entry signed by it",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.statement = failed_instead(world.log);
         r.statement.entry =
             encode(make_entry(r.statement.statement, crypto::P256PrivateKey::generate()));
       }),
       Verdict::kStatementSignatureInvalid,
       {kVerifier}},
      {"Statements",
       "edit, re-sign",
       "the statement key",
       "the same, signed by the real key",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.statement = failed_instead(world.log);
         r.statement.entry = encode(make_entry(r.statement.statement, world.log.statement_key));
       }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Statements",
       "edit, re-sign with the real log key",
       "all keys, the store",
       "the same, in a log made again from there on",
       in_log([](const World&, TestLog& log) { put(log, kRun, failed_instead(log)); }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Statements",
       "delete",
       "the service",
       "the tenant's list without one; the log as it is",
       [](const World& world, Shown& shown) {
         shown.receipt = receipt_of(world.log, kRun);
         shown.handed_out.erase(shown.handed_out.begin() + 3);
       },
       Verdict::kValid,
       {kTenantAudit}},
      {"Statements",
       "delete, re-chain",
       "all keys, the store",
       "a log without one statement, the later ones numbered anew",
       in_log([](const World&, TestLog& log) {
         log.statements.erase(log.statements.begin() + kOtherRun);
         log.entries.erase(log.entries.begin() + kOtherRun);
       }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Statements",
       "insert, re-chain",
       "all keys, the store",
       "a log with a statement more among the old ones",
       in_log([](const World& world, TestLog& log) {
         const auto extra = encode(world.workflow(world.run.tenant, 110));
         log.statements.insert(log.statements.begin() + kWorkflow, extra);
         log.entries.insert(log.entries.begin() + kWorkflow,
                            encode(make_entry(extra, log.statement_key)));
       }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Statements",
       "swap",
       "-",
       "the statement of another run beside the entry of this one",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.statement = world.log.statements[kOtherRun];
       }),
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Statements",
       "roll back",
       "-",
       "that the run began, where it had ended",
       [](const World& world, Shown& shown) { shown.receipt = receipt_of(world.log, kRunOpen); },
       Verdict::kIncomplete,
       {kVerifier}},
      {"Statements",
       "re-sign with a key that was rotated out",
       "the old statement key, the store",
       "an entry signed by it after the rotation, with the genesis statement that named it",
       [](const World& world, Shown& shown) {
         TestLog& log = shown.log;
         const auto old_key = log.statement_key;
         log.statement_key = crypto::P256PrivateKey::generate();
         Statement rotated = log.about_keys(StatementType::kKeyRotated);
         rotated.tenant_seq = 2;
         rotated.prev = statement_digest(log.statements[kGenesis]);
         rotated.keys = {{0, log.entries.size(), old_key.public_key().spki_der()},
                         {log.entries.size(), {}, log.statement_key.public_key().spki_der()}};
         sign_keys(rotated, {&log.log_key, 1});
         log.add(encode(rotated));
         log.statement_key = old_key;
         Statement late = world.workflow(world.run.tenant, 110);
         late.tenant_seq = shown.handed_out.size() + 1;
         late.prev = statement_digest(shown.handed_out.back());
         const auto at = log.add(encode(late));
         shown.handed_out.push_back(log.statements[at]);
         shown.receipt = receipt_of(log, at);
       },
       Verdict::kValid,
       {kLogAudit}},
  };
}

std::vector<Attack> on_entries() {
  return {
      {"Entries",
       "edit",
       "-",
       "the digest of another statement in the entry",
       in_receipt([](const World& world, Receipt& r) {
         Entry entry = *decode_entry(r.statement.entry);
         entry.digest = statement_digest(failed_instead(world.log));
         r.statement.entry = encode(entry);
       }),
       Verdict::kStatementMismatch,
       {kVerifier}},
      {"Entries",
       "re-sign",
       "the statement key",
       "the same statement, signed once more",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.entry = encode(make_entry(r.statement.statement, world.log.statement_key));
       }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Entries",
       "swap",
       "-",
       "the entry under the index and path of another",
       in_receipt([](const World& world, Receipt& r) {
         r.statement.index = kOtherRun;
         r.statement.path = world.log.logged(kOtherRun).path;
       }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Entries",
       "swap, re-sign with the real log key",
       "the log key, the store",
       "a log with two entries in each other's place",
       in_log([](const World&, TestLog& log) {
         std::swap(log.statements[kWorkflow], log.statements[kOtherTenant]);
         std::swap(log.entries[kWorkflow], log.entries[kOtherTenant]);
       }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Entries",
       "insert",
       "the log key, the store",
       "an entry more in the store, which the signed checkpoint does not have",
       [](const World& world, Shown& shown) {
         shown.log.entries.insert(shown.log.entries.begin() + kOtherRun, "{}");
         shown.log.statements.insert(shown.log.statements.begin() + kOtherRun,
                                     world.log.statements[kLast]);
         shown.receipt = receipt_of(shown.log, kRun);
         shown.receipt.checkpoint = checkpoint_of(world.log, kSize);
       },
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Entries",
       "truncate",
       "the log key, the store",
       "a log that ends before it did",
       in_log([](const World&, TestLog& log) { truncate(log, kOtherTenant); }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Entries",
       "delete",
       "the store",
       "a log that no longer has an entry that it signed",
       [](const World& world, Shown& shown) {
         shown.receipt = receipt_of(world.log, kRun);
         shown.log.entries[kOtherTenant] = shown.log.entries[kWorkflow];
       },
       Verdict::kValid,
       {kAuditor, kLogAudit}},
  };
}

/// The receipt's path, read from a tile of level 0 that the attacker has changed.
template <class Change>
auto from_tile(Change change) {
  return in_receipt([change](const World& world, Receipt& r) {
    std::vector<merkle::Hash> tile;
    tile.reserve(world.log.entries.size());
    for (const std::string& entry : world.log.entries) tile.push_back(merkle::hash_leaf(entry));
    change(tile);
    const auto source = [&](const merkle::Node& node) -> Result<merkle::Hash> {
      const std::size_t width = std::size_t{1} << node.height;
      const std::size_t from = node.index * width;
      if (from + width > tile.size()) return failure(Code::kCorruption, "the tile is too short");
      return merkle::subtree_root(std::span(tile).subspan(from, width));
    };
    const auto proof = merkle::prove_inclusion(kRun, tile.size(), source);
    ASSERT_TRUE(proof);
    r.statement.path = proof->siblings;
  });
}

std::vector<Attack> on_tiles() {
  return {
      {"Tiles",
       "edit",
       "the store",
       "a path that leads over a hash that was changed",
       from_tile([](auto& tile) { tile[kWorkflow][0] ^= 1; }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Tiles",
       "swap",
       "the store",
       "a path out of a tile with two hashes swapped",
       from_tile([](auto& tile) { std::swap(tile[kWorkflow], tile[kGenesis]); }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Tiles",
       "insert",
       "the store",
       "a path out of a tile with one hash more",
       from_tile([](auto& tile) { tile.insert(tile.begin() + kOtherRun, tile.front()); }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Tiles",
       "delete",
       "the store",
       "a path out of a tile with one hash less",
       from_tile([](auto& tile) { tile.erase(tile.begin() + kOtherRun); }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Tiles",
       "truncate, roll back",
       "the store",
       "a path out of an older partial tile",
       from_tile([](auto& tile) { tile.resize(kOtherTenant); }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
  };
}

/// Changes the text of a receipt's checkpoint and leaves its signatures.
template <class Change>
auto in_checkpoint(Change change) {
  return in_receipt([change](const World&, Receipt& r) {
    merkle::Note note = *merkle::Note::parse(r.checkpoint);
    merkle::Checkpoint head = *merkle::Checkpoint::parse(note.text);
    change(head);
    note.text = head.text();
    r.checkpoint = note.format();
  });
}

std::vector<Attack> on_checkpoints() {
  return {
      {"Checkpoints",
       "edit",
       "-",
       "another root",
       in_checkpoint([](auto& head) { head.root[0] ^= 1; }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Checkpoints",
       "edit",
       "-",
       "the root of a log that was changed, under the old signature",
       [](const World& world, Shown& shown) {
         put(shown.log, kRun, failed_instead(shown.log));
         shown.receipt = receipt_of(shown.log, kRun);
         merkle::Note note = *merkle::Note::parse(shown.receipt.checkpoint);
         note.signatures = merkle::Note::parse(checkpoint_of(world.log, kSize))->signatures;
         shown.receipt.checkpoint = note.format();
       },
       Verdict::kCheckpointSignatureInvalid,
       {kVerifier}},
      {"Checkpoints",
       "edit",
       "-",
       "another origin",
       in_checkpoint([](auto& head) { head.origin = "log.example.org"; }),
       Verdict::kCheckpointSignatureInvalid,
       {kVerifier}},
      {"Checkpoints",
       "swap, truncate",
       "-",
       "the checkpoint of an older tree",
       in_receipt([](const World& world, Receipt& r) {
         r.checkpoint = checkpoint_of(world.log, kAuditedSize);
       }),
       Verdict::kLogProofInvalid,
       {kVerifier}},
      {"Checkpoints",
       "delete",
       "-",
       "a checkpoint that witnesses alone have signed",
       in_receipt([](const World& world, Receipt& r) {
         merkle::Note note = *merkle::Note::parse(world.log.checkpoint());
         note.signatures.erase(note.signatures.begin());
         r.checkpoint = note.format();
       }),
       Verdict::kCheckpointSignatureInvalid,
       {kVerifier}},
      {"Checkpoints",
       "re-sign",
       "a key of their own",
       "a signature by it under the log's name",
       in_receipt([](const World&, Receipt& r) {
         merkle::Note note = *merkle::Note::parse(r.checkpoint);
         note.signatures = {merkle::sign_note(note.text, std::string(kTestOrigin),
                                              crypto::Ed25519PrivateKey::from_seed(filled(66)))};
         r.checkpoint = note.format();
       }),
       Verdict::kCheckpointSignatureInvalid,
       {kVerifier}},
      {"Checkpoints",
       "insert",
       "-",
       "cosignatures of witnesses whom the policy does not name",
       [](const World& world, Shown& shown) {
         shown.receipt = receipt_of(world.log, kRun);
         merkle::Note note = *merkle::Note::parse(shown.receipt.checkpoint);
         for (std::uint8_t i = 0; i < 3; ++i) {
           note.signatures.push_back(merkle::cosign_note(
               note.text, TestLog::witness_name(i),
               crypto::Ed25519PrivateKey::from_seed(filled(70 + i)), kTestWitnessed));
         }
         shown.receipt.checkpoint = note.format();
         shown.trust = world.log.policy(2);
       },
       Verdict::kWitnessesInsufficient,
       {kVerifier}},
      {"Checkpoints",
       "delete",
       "-",
       "fewer cosignatures than the policy wants",
       [](const World& world, Shown& shown) {
         shown.receipt = receipt_of(world.log, kRun);
         merkle::Note note = *merkle::Note::parse(world.log.checkpoint());
         note.signatures.resize(2);  // the log's and one witness's
         shown.receipt.checkpoint = note.format();
         shown.trust = world.log.policy(2);
       },
       Verdict::kWitnessesInsufficient,
       {kVerifier}},
      {"Checkpoints",
       "fork",
       "all keys, the store",
       "a second log that parts from the first before the auditor's checkpoint",
       in_log([](const World&, TestLog& log) { put(log, kRun, failed_instead(log)); }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Checkpoints",
       "fork",
       "all keys, the store",
       "a second log that parts from the first behind the auditor's checkpoint",
       in_log([](const World& world, TestLog& log) {
         put(log, kLast, encode(world.workflow(world.run.tenant, 110)));
       }),
       Verdict::kValid,
       {kWitnesses}},
      {"Checkpoints",
       "roll the database back to an old copy",
       "the store, before the auditor's checkpoint",
       "the log as it was, and a checkpoint of that",
       in_log([](const World&, TestLog& log) { truncate(log, kOtherTenant); }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
      {"Checkpoints",
       "roll the database back to an old copy",
       "the store, before the auditor's checkpoint",
       "the log as it was, grown to more than its size by other statements",
       in_log([](const World& world, TestLog& log) {
         truncate(log, kOtherTenant);
         for (std::uint64_t i = 0; i < 6; ++i) {
           Statement s = world.workflow(world.run.tenant, 120 + i);
           s.prev = filled(1);
           s.tenant_seq = 2;
           log.add(encode(s));  // numbered by rechain()
         }
       }),
       Verdict::kValid,
       {kAuditor, kWitnesses}},
  };
}

}  // namespace

std::vector<Attack> attacks_on_logs() {
  std::vector<Attack> all;
  for (const auto& some : {on_statements(), on_entries(), on_tiles(), on_checkpoints()}) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<Attack> attacks_that_work() {
  return {
      {"Works",
       "lie from the first",
       "the engine",
       "a model's answer that was changed before its event was committed",
       [](const World& world, Shown& shown) {
         TestRun told(90);
         told.events.pop_back();
         told.contents.pop_back();
         told.add("run.completed", "", 0, {{"output", "what the model never said"}}, {});
         World more = world;
         more.add(told.statement());
         shown.log = more.log;
         hand_out(shown, world.run.tenant);
         shown.receipt = bundle_of(more.log, told, kSize);
       },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "invent a run",
       "the engine",
       "the receipt of a run that nothing outside ever saw",
       [](const World& world, Shown& shown) {
         World more = world;
         more.add(TestRun(91).statement());
         shown.log = more.log;
         hand_out(shown, world.run.tenant);
         shown.receipt = receipt_of(more.log, kSize);
       },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "delete a run within its first second",
       "the store",
       "nothing: no statement had named it yet",
       [](const World& world, Shown& shown) { shown.receipt = receipt_of(world.log, kLast); },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "fork or roll back behind every checkpoint that others hold",
       "all keys, the store",
       "a log that took back what it had shown to nobody",
       [](const World& world, Shown& shown) {
         // Where this one stands stood another, which nobody was shown.
         World more = world;
         more.add(TestRun(92).statement());
         shown.log = more.log;
         hand_out(shown, world.run.tenant);
         shown.receipt = receipt_of(more.log, kSize);
       },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "replay a receipt, unchanged, for another run",
       "-",
       "a true receipt, to a reader who does not look which run and tenant it names",
       [](const World& world, Shown& shown) { shown.receipt = step_of(world); },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "withhold",
       "the service",
       "\"you may not see it\", of a content that the reader may see, "
       "or that was lost",
       [](const World& world, Shown& shown) {
         shown.receipt = bundle_of(world);
         for (ContentAccount& account : shown.receipt.contents) {
           account.shown = Withheld::kFromReader;
         }
       },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "show what was erased",
       "a copy with its salt",
       "a content kept from before its erasure: still provably genuine",
       [](const World& world, Shown& shown) {
         shown.receipt = erased_bundle_of(world);
         shown.receipt.contents = bundle_of(world).contents;
       },
       Verdict::kValid,
       {kNobody}},
      {"Works",
       "present an old receipt",
       "-",
       "a receipt under an older checkpoint: true, and silent about what came later",
       [](const World& world, Shown& shown) {
         TestLog then = world.log;
         truncate(then, kAuditedSize);
         shown.receipt = receipt_of(then, kRun);
       },
       Verdict::kValid,
       {kNobody}},
  };
}

}  // namespace avow::proofs
