// SPDX-License-Identifier: Apache-2.0
#include "provenance/verify.h"

#include <gtest/gtest.h>

#include <functional>

#include "json/write.h"
#include "provenance/receipts_for_tests.h"

namespace avow::provenance {
namespace {

class Verifying : public ::testing::Test, protected SampleReceipts {
 protected:
  Verification verified(const Receipt& receipt) { return verify(encode(receipt), log_.policy(3)); }
  Verdict verdict(const Receipt& receipt) { return verified(receipt).verdict; }
  /// The verdict of `receipt` changed by `tamper`.
  template <class Tamper>
  Verdict after(Receipt receipt, const Tamper& tamper) {
    tamper(receipt);
    return verdict(receipt);
  }
  /// A receipt for another statement than the one in the log, honestly made otherwise.
  Receipt of_statement(const Statement& statement) {
    return log_.receipt(log_.add(encode(statement)));
  }
};

std::string failed_checks(const Verification& verification) {
  std::string out;
  for (const Check& check : verification.checks) {
    if (check.outcome != Outcome::kFailed) continue;
    out += std::string(verdict_name(check.verdict)) + " (" + check.detail + ") ";
  }
  return out;
}

TEST_F(Verifying, FindsEveryKindOfReceiptValid) {
  const std::vector<std::pair<std::string, Receipt>> all = {
      {"run", of_run()},
      {"step", of_step()},
      {"revealing", revealing()},
      {"bundle", bundle()},
      {"erased", erased_bundle()},
      {"workflow", log_.receipt(4)},
      {"genesis", log_.receipt(0)},
  };
  for (const auto& [what, receipt] : all) {
    const auto verification = verified(receipt);
    EXPECT_EQ(verification.verdict, Verdict::kValid) << what << ": " << failed_checks(verification);
    ASSERT_TRUE(verification.statement) << what;
    EXPECT_EQ(encode(*verification.statement), receipt.statement.statement) << what;
  }
}

TEST_F(Verifying, OfASkippedStepNeedsNoStart) {
  Receipt receipt = log_.receipt(run_at_, 4);
  receipt.events = {run_.proven(4)};
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
}

TEST_F(Verifying, ListsEachCheckWithItsOutcome) {
  const auto outcomes = [](const Verification& verification) {
    std::string out;
    for (const Check& check : verification.checks) {
      EXPECT_EQ(check.detail.empty(), check.outcome != Outcome::kFailed);
      out += check.outcome == Outcome::kPassed   ? '+'
             : check.outcome == Outcome::kFailed ? '-'
                                                 : ' ';
    }
    return out;
  };
  EXPECT_EQ(outcomes(verify(bundle(), log_.policy(3))), "+++++++++++");
  EXPECT_EQ(outcomes(verify(of_run(), log_.policy(3))), "+  ++++++ +");
  EXPECT_EQ(outcomes(verify(of_run(), {})), "+  ++++-  +");
  EXPECT_EQ(outcomes(verify("{}", {})), "-          ");
  Receipt receipt = bundle();
  receipt.statement.path.clear();
  receipt.contents[0].shown = OpenedContent{};
  EXPECT_EQ(outcomes(verify(receipt, log_.policy(3))), "+++++-+++-+");
}

TEST_F(Verifying, OfWhatCannotBeReadSaysMalformed) {
  const std::vector<std::function<void(Receipt&)>> tamperings = {
      [](Receipt& r) { r.statement.statement += ' '; },
      [](Receipt& r) { r.statement.entry += ' '; },
      [](Receipt& r) { r.keys.statement = "{}"; },
      [](Receipt& r) { r.keys.entry = "{}"; },
      [](Receipt& r) { r.checkpoint.pop_back(); },
      [](Receipt& r) { r.checkpoint = "a\nb\n\n" + r.checkpoint; },
      [](Receipt& r) { r.journal->at(2) = "{}"; },
      [](Receipt& r) { std::swap(r.contents[0], r.contents[1]); },
      [](Receipt& r) { r.contents.push_back(r.contents.back()); },
  };
  for (std::size_t i = 0; i < tamperings.size(); ++i) {
    EXPECT_EQ(after(bundle(), tamperings[i]), Verdict::kMalformed) << i;
  }
  EXPECT_EQ(verify("", log_.policy(3)).verdict, Verdict::kMalformed);
  EXPECT_EQ(verify(encode(bundle()), log_.policy(3), 1000).verdict, Verdict::kMalformed);
  EXPECT_FALSE(verify("[]", log_.policy(3)).statement);
}

TEST_F(Verifying, OfEventsThatDoNotBelongThereSaysEventMismatch) {
  TestRun other;
  other.id = RunId{test_id(77)};
  other.events.clear();
  other.add("run.started", "", 0, {}, {});
  const std::vector<std::function<void(Receipt&)>> of_bundle = {
      [&](Receipt& r) { r.journal->at(0) = other.events[0]; },
      [](Receipt& r) { std::swap(r.journal->at(1), r.journal->at(2)); },
      [](Receipt& r) { r.journal->erase(r.journal->begin() + 1); },
      [](Receipt& r) { r.journal->insert(r.journal->begin(), r.journal->at(0)); },
      [](Receipt& r) { r.id = receipt_id(r.id, 3); },
  };
  for (std::size_t i = 0; i < of_bundle.size(); ++i) {
    EXPECT_EQ(after(bundle(), of_bundle[i]), Verdict::kEventMismatch) << i;
  }
  const std::vector<std::function<void(Receipt&)>> of_step_receipt = {
      [](Receipt& r) { r.id = receipt_id(statement_of(r.id), 4); },
      [](Receipt& r) { r.events.clear(); },
      [](Receipt& r) { r.events.pop_back(); },
      [](Receipt& r) { std::swap(r.events[0], r.events[1]); },
      // The honest end of another step, and what is no end or no start at all.
      [&](Receipt& r) { r.events[1] = run_.proven(4); },
      [&](Receipt& r) { r.events[0] = run_.proven(1); },
      [&](Receipt& r) {
        r.events[1] = run_.proven(5);
        r.id = receipt_id(statement_of(r.id), 5);
      },
      [&](Receipt& r) {
        r.events[1] = run_.proven(4);
        r.id = receipt_id(statement_of(r.id), 4);
      },
      [&](Receipt& r) { r.events.insert(r.events.begin(), run_.proven(1)); },
  };
  for (std::size_t i = 0; i < of_step_receipt.size(); ++i) {
    EXPECT_EQ(after(of_step(), of_step_receipt[i]), Verdict::kEventMismatch) << i;
  }
  Receipt of_workflow = log_.receipt(4);
  of_workflow.events = {run_.proven(1)};
  EXPECT_EQ(verdict(of_workflow), Verdict::kEventMismatch);
}

TEST_F(Verifying, OfEventsThatAreNotInTheRunsTreeSaysRunProofInvalid) {
  const auto edit = [](std::string& event) {
    const std::size_t at = event.find("extract");
    ASSERT_NE(at, std::string::npos);
    event.replace(at, 7, "Extract");
  };
  EXPECT_EQ(after(bundle(), [&](Receipt& r) { edit(r.journal->at(1)); }),
            Verdict::kRunProofInvalid);
  EXPECT_EQ(after(bundle(), [](Receipt& r) { r.journal->pop_back(); }), Verdict::kRunProofInvalid);
  EXPECT_EQ(after(bundle(), [](Receipt& r) { r.journal->clear(); }), Verdict::kRunProofInvalid);
  EXPECT_EQ(after(of_step(),
                  [&](Receipt& r) {
                    edit(r.events[0].event);
                    edit(r.events[1].event);
                  }),
            Verdict::kRunProofInvalid);
  EXPECT_EQ(after(of_step(), [](Receipt& r) { r.events[1].path[0][0] ^= 1; }),
            Verdict::kRunProofInvalid);
  EXPECT_EQ(after(of_step(), [](Receipt& r) { r.events[1].path.pop_back(); }),
            Verdict::kRunProofInvalid);
}

TEST_F(Verifying, OfPartsOfDifferentStatementsSaysStatementMismatch) {
  EXPECT_EQ(after(of_run(), [&](Receipt& r) { r.statement.statement = log_.statements[0]; }),
            Verdict::kStatementMismatch);
  EXPECT_EQ(after(of_run(), [&](Receipt& r) { r.statement = log_.logged(4); }),
            Verdict::kStatementMismatch);
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.id = test_id(1234); }), Verdict::kStatementMismatch);
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.keys = r.statement; }), Verdict::kStatementMismatch);
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.keys.index = 1; }), Verdict::kStatementMismatch);
  EXPECT_EQ(after(erased_bundle(), [](Receipt& r) { r.erasures[0] = r.statement; }),
            Verdict::kStatementMismatch);
  Statement of_others = erasure({{run_.id, 0, {}}});
  of_others.tenant = TenantId{test_id(66)};
  const auto at = log_.add(encode(of_others));
  EXPECT_EQ(after(bundle(), [&](Receipt& r) { r.erasures = {log_.logged(at)}; }),
            Verdict::kStatementMismatch);
}

// Signed and logged honestly, and yet not what the events say.
TEST_F(Verifying, OfAStatementThatItsEventsContradictSaysStatementMismatch) {
  const std::vector<std::function<void(Statement&)>> lies = {
      [](Statement& s) { s.status = "failed"; },
      [](Statement& s) { s.plan = filled(1); },
      [](Statement& s) { s.workflow_digest.reset(); },
      [](Statement& s) { s.agent.reset(); },
      [](Statement& s) { s.started_at = test_time(0); },
      [](Statement& s) { s.completed_at = test_time(999); },
  };
  for (std::size_t i = 0; i < lies.size(); ++i) {
    Statement statement = run_.statement();
    lies[i](statement);
    Receipt receipt = of_statement(statement);
    receipt.journal = run_.events;
    receipt.contents = run_.opened();
    EXPECT_EQ(verdict(receipt), Verdict::kStatementMismatch) << i;
  }
  Receipt still_open = of_statement(run_.statement(StatementType::kRunProgress));
  still_open.journal = run_.events;
  EXPECT_EQ(verdict(still_open), Verdict::kStatementMismatch);
}

TEST_F(Verifying, OfAKeyThatTheLogDidNotNameSaysStatementSignatureInvalid) {
  // In the log, and signed, by a key that genesis does not name.
  log_.statement_key = crypto::P256PrivateKey::generate();
  EXPECT_EQ(verdict(of_statement(run_.statement())), Verdict::kStatementSignatureInvalid);
}

TEST_F(Verifying, OfASignatureThatDoesNotHoldSaysStatementSignatureInvalid) {
  const auto relogged = [&](std::uint64_t at, const std::function<void(Entry&)>& change) {
    Entry entry = *decode_entry(log_.entries[at]);
    change(entry);
    log_.entries[at] = encode(entry);
  };
  relogged(run_at_, [](Entry& entry) {
    entry.signature.back() = static_cast<char>(entry.signature.back() ^ 1);
  });
  EXPECT_EQ(verdict(of_run()), Verdict::kStatementSignatureInvalid);
}

TEST_F(Verifying, OfKeysThatTheLogKeyDidNotSignSaysStatementSignatureInvalid) {
  Statement genesis = *decode_statement(log_.statements[0]);
  genesis.signatures[0][3] = static_cast<char>(genesis.signatures[0][3] ^ 1);
  log_.statements[0] = encode(genesis);
  log_.entries[0] = encode(make_entry(log_.statements[0], log_.statement_key));
  EXPECT_EQ(verdict(of_run()), Verdict::kStatementSignatureInvalid);
}

TEST_F(Verifying, OfAnEntryThatIsNotInTheLogSaysLogProofInvalid) {
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.statement.path[0][0] ^= 1; }),
            Verdict::kLogProofInvalid);
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.statement.index += 1; }), Verdict::kLogProofInvalid);
  EXPECT_EQ(after(of_run(), [](Receipt& r) { r.keys.path.clear(); }), Verdict::kLogProofInvalid);
  // Signed again: another signature over the same statement makes another entry.
  EXPECT_EQ(after(of_run(),
                  [&](Receipt& r) {
                    r.statement.entry =
                        encode(make_entry(r.statement.statement, log_.statement_key));
                  }),
            Verdict::kLogProofInvalid);
  // The honest checkpoint of the log when it was smaller.
  TestLog before = log_;
  before.entries.resize(run_at_);
  EXPECT_EQ(after(of_run(), [&](Receipt& r) { r.checkpoint = before.checkpoint(); }),
            Verdict::kLogProofInvalid);
}

TEST_F(Verifying, OfACheckpointThatNobodySignedSaysCheckpointSignatureInvalid) {
  const auto resigned = [this](const std::function<void(merkle::Note&)>& change) {
    return after(of_run(), [&](Receipt& r) {
      merkle::Note note = *merkle::Note::parse(r.checkpoint);
      change(note);
      r.checkpoint = note.format();
    });
  };
  const auto flip = [](merkle::Note& note, std::size_t i) {
    note.signatures[i].bytes.back() = static_cast<char>(note.signatures[i].bytes.back() ^ 1);
  };
  EXPECT_EQ(resigned([&](merkle::Note& note) { flip(note, 0); }),
            Verdict::kCheckpointSignatureInvalid);
  EXPECT_EQ(resigned([&](merkle::Note& note) { flip(note, 2); }),
            Verdict::kCheckpointSignatureInvalid);
  EXPECT_EQ(resigned([](merkle::Note& note) { note.signatures.erase(note.signatures.begin()); }),
            Verdict::kCheckpointSignatureInvalid);
  EXPECT_EQ(resigned([](merkle::Note& note) { note.text += "extension\n"; }),
            Verdict::kCheckpointSignatureInvalid);
  EXPECT_EQ(resigned([](merkle::Note& note) {
              note.text.replace(0, kTestOrigin.size(), "other.example");
            }),
            Verdict::kCheckpointSignatureInvalid);
}

// A whole log of somebody's own, in which everything agrees, is worth nothing.
TEST_F(Verifying, OfAnotherLogOfTheSameNameSaysKeyUntrusted) {
  TestLog forged;
  forged.log_key = crypto::Ed25519PrivateKey::from_seed(filled(66));
  Statement genesis = forged.about_keys(StatementType::kLogGenesis);
  genesis.id = test_id(9000);
  genesis.keys = {{0, {}, forged.statement_key.public_key().spki_der()}};
  sign_keys(genesis, {&forged.log_key, 1});
  forged.statements.clear();
  forged.entries.clear();
  forged.add(encode(genesis));
  const auto at = forged.add(encode(run_.statement()));
  EXPECT_EQ(verify(forged.receipt(at), forged.key_alone()).verdict, Verdict::kValid);
  EXPECT_EQ(verdict(forged.receipt(at)), Verdict::kKeyUntrusted);
}

TEST_F(Verifying, WithoutAKeyFromOutsideSaysKeyUntrusted) {
  EXPECT_EQ(verify(bundle(), {}).verdict, Verdict::kKeyUntrusted);
  // The key of a log of another name signs for that one only.
  const auto renamed = merkle::VerifierKey::ed25519(
      "other.example.com", merkle::SignatureType::kEd25519, log_.log_key.public_key());
  EXPECT_EQ(verify(bundle(), {{renamed}, {}}).verdict, Verdict::kKeyUntrusted);
  EXPECT_EQ(verify(bundle(), log_.key_alone()).verdict, Verdict::kValid);
}

TEST_F(Verifying, WithFewerCosignaturesThanThePolicyWantsSaysWitnessesInsufficient) {
  Receipt receipt = of_run();
  merkle::Note note = *merkle::Note::parse(receipt.checkpoint);
  note.signatures.pop_back();
  receipt.checkpoint = note.format();
  EXPECT_EQ(verify(receipt, log_.policy(3)).verdict, Verdict::kWitnessesInsufficient);
  EXPECT_EQ(verify(receipt, log_.policy(2)).verdict, Verdict::kValid);
  note.signatures.resize(1);
  receipt.checkpoint = note.format();
  EXPECT_EQ(verify(receipt, log_.policy(1)).verdict, Verdict::kWitnessesInsufficient);
  EXPECT_EQ(verify(receipt, log_.key_alone()).verdict, Verdict::kValid);
}

TEST_F(Verifying, OfAContentThatWasNotCommittedToSaysContentMismatch) {
  const std::vector<std::function<void(Receipt&)>> tamperings = {
      [](Receipt& r) { std::get<OpenedContent>(r.contents[0].shown).salt[0] ^= 1; },
      [](Receipt& r) { std::get<OpenedContent>(r.contents[0].shown).value.set("user", "e"); },
      [](Receipt& r) { std::swap(r.contents[0].shown, r.contents[1].shown); },
      [](Receipt& r) { r.contents[0].ref.member = "inputs"; },
      [](Receipt& r) { r.contents.back().ref.seq = 6; },
      // Nothing in the file says that it was erased.
      [](Receipt& r) { r.contents[0].shown = Withheld::kErased; },
      [&](Receipt& r) { r.contents.back().shown = disclosed(); },
  };
  for (std::size_t i = 0; i < tamperings.size(); ++i) {
    EXPECT_EQ(after(bundle(), tamperings[i]), Verdict::kContentMismatch) << i;
  }
  EXPECT_EQ(after(erased_bundle(), [](Receipt& r) { r.contents[0].shown = Withheld::kErased; }),
            Verdict::kContentMismatch);
  EXPECT_EQ(after(revealing(),
                  [](Receipt& r) {
                    std::get<Disclosure>(r.contents[0].shown).members[0].value =
                        json::Value::number(0.76);
                  }),
            Verdict::kContentMismatch);
  EXPECT_EQ(after(revealing(), [](Receipt& r) { r.contents[0].ref.seq = 5; }),
            Verdict::kContentMismatch);
}

TEST_F(Verifying, TakesAnErasureOfAllContentsOfARun) {
  Receipt receipt = bundle();
  for (ContentAccount& account : receipt.contents) account.shown = Withheld::kErased;
  const auto others = log_.add(encode(erasure({{RunId{test_id(55)}, 0, {}}})));
  const auto at = log_.add(encode(erasure({{run_.id, 0, {}}})));
  receipt.statement = log_.logged(run_at_);
  receipt.keys = log_.logged(0);
  receipt.checkpoint = log_.checkpoint();
  receipt.erasures = {log_.logged(others)};
  EXPECT_EQ(verdict(receipt), Verdict::kContentMismatch);
  receipt.erasures = {log_.logged(at)};
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
}

TEST_F(Verifying, OfWhatIsNotOverOrNotThereSaysIncomplete) {
  Receipt without_start = of_step();
  without_start.events.erase(without_start.events.begin());
  EXPECT_EQ(verdict(without_start), Verdict::kIncomplete);
  for (std::size_t i = 0; i < run_.contents.size(); ++i) {
    EXPECT_EQ(
        after(bundle(),
              [&](Receipt& r) { r.contents.erase(r.contents.begin() + static_cast<int>(i)); }),
        Verdict::kIncomplete)
        << i;
  }
  TestRun running;
  running.events.resize(3);
  EXPECT_EQ(verdict(of_statement(running.statement(StatementType::kRunOpen))),
            Verdict::kIncomplete);
  EXPECT_EQ(verdict(of_statement(running.statement(StatementType::kRunProgress))),
            Verdict::kIncomplete);
}

// What the step did is over, though its run is not.
TEST_F(Verifying, TakesAStepsReceiptOfARunUnderWay) {
  TestRun running;
  running.events.resize(3);
  const auto at = log_.add(encode(running.statement(StatementType::kRunProgress)));
  Receipt receipt = log_.receipt(at, 3);
  receipt.events = {running.proven(2), running.proven(3)};
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
}

TEST_F(Verifying, AccountsForEachOfTwoEqualCommitments) {
  // The run hands a commitment on unchanged.
  const Content output = run_.content(3, "output");
  run_.events.pop_back();
  run_.contents.pop_back();
  run_.add("run.completed", "", 0, {},
           {{"output", to_hex(view_of(commitment(output.value, output.salt)))}});
  Receipt receipt = of_statement(run_.statement());
  receipt.journal = run_.events;
  receipt.contents = run_.opened();
  EXPECT_EQ(verdict(receipt), Verdict::kIncomplete);
  receipt.contents.push_back({{5, "output"}, OpenedContent{output.salt, output.value}});
  EXPECT_EQ(verdict(receipt), Verdict::kValid);
}

// Rotation: a new statement key and a new log key; the statement is signed by both log keys.
TEST_F(Verifying, HoldsBeforeAndAfterTheKeysWereRotated) {
  const Receipt old = bundle();
  const Trust old_trust = log_.policy(3);
  const auto old_log_key = log_.log_key;
  const auto old_vkey = log_.log_vkey();
  const auto old_statement_key = log_.statement_key.public_key().spki_der();
  const std::uint64_t index = log_.entries.size();

  log_.log_key = crypto::Ed25519PrivateKey::from_seed(filled(2));
  log_.statement_key = crypto::P256PrivateKey::generate();
  Statement rotated = log_.about_keys(StatementType::kKeyRotated);
  rotated.tenant_seq = 2;
  rotated.prev = filled(3);
  rotated.log_keys.push_back(old_vkey);
  rotated.keys = {{0, index, old_statement_key},
                  {index, {}, log_.statement_key.public_key().spki_der()}};
  sign_keys(rotated, std::vector{log_.log_key, old_log_key});
  log_.keys_at = log_.add(encode(rotated));
  const auto later = log_.add(encode(published(70)));

  EXPECT_EQ(verify(old, old_trust).verdict, Verdict::kValid);
  EXPECT_EQ(verdict(bundle()), Verdict::kValid);  // made again, with the new keys
  EXPECT_EQ(verdict(log_.receipt(later)), Verdict::kValid);
  // The new checkpoint bears no signature of the old key in this log.
  EXPECT_EQ(verify(log_.receipt(later), {{old_vkey}, {}}).verdict, Verdict::kKeyUntrusted);
  Receipt with_old_keys = log_.receipt(later);
  with_old_keys.keys = log_.logged(0);
  EXPECT_EQ(verdict(with_old_keys), Verdict::kStatementSignatureInvalid);
  // The old key's time is over.
  log_.statements.push_back(encode(published(71)));
  EXPECT_FALSE(names_key(rotated, old_statement_key, index));
  EXPECT_TRUE(names_key(rotated, old_statement_key, index - 1));
}

TEST(CommittedMembers, AreDigestsThatDoNotSayThatTheyAreOfSomethingPublic) {
  const std::string hex(64, 'a');
  const json::Object data{{"input", hex},
                          {"workflow_digest", hex},
                          {"short", "aa"},
                          {"upper", std::string(64, 'A')},
                          {"list", json::Array{hex}},
                          {"count", 1}};
  EXPECT_EQ(committed_members(data), std::vector<std::string>{"input"});
}

TEST_F(Verifying, FindsThePayloadAmongTheContentsThatAreShown) {
  const auto seeks = [this](const Receipt& receipt, std::string_view value, std::string name) {
    Trust trust = log_.policy(3);
    trust.payload = {*json::parse(value), std::move(name)};
    return verify(encode(receipt), trust).verdict;
  };
  const std::string_view output = R"({"text":"because","score":7.5e-1})";  // in another order
  EXPECT_EQ(seeks(bundle(), output, ""), Verdict::kValid);
  EXPECT_EQ(seeks(bundle(), output, "output"), Verdict::kValid);
  EXPECT_EQ(seeks(bundle(), output, "extract.output"), Verdict::kValid);
  EXPECT_EQ(seeks(revealing(), "0.75", ""), Verdict::kValid);
  EXPECT_EQ(seeks(revealing(), "0.75", "output.score"), Verdict::kValid);
  EXPECT_EQ(seeks(revealing(), "0.75", "extract.output.score"), Verdict::kValid);

  EXPECT_EQ(seeks(bundle(), output, "input"), Verdict::kContentMismatch);
  EXPECT_EQ(seeks(bundle(), output, "publish.output"), Verdict::kContentMismatch);
  EXPECT_EQ(seeks(bundle(), R"({"score":0.75})", ""), Verdict::kContentMismatch);
  EXPECT_EQ(seeks(revealing(), "0.75", "output.text"), Verdict::kContentMismatch);
  EXPECT_EQ(seeks(revealing(), output, ""), Verdict::kContentMismatch);
  EXPECT_EQ(seeks(of_run(), "0.75", ""), Verdict::kContentMismatch) << "nothing is shown";
  EXPECT_EQ(seeks(erased_bundle(), output, ""), Verdict::kContentMismatch) << "it is withheld";
}

}  // namespace
}  // namespace avow::provenance
