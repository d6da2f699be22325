// SPDX-License-Identifier: Apache-2.0
#include "cli/verify_tlog_proof.h"

#include <gtest/gtest.h>

#include "provenance/exports.h"
#include "provenance/receipts_for_tests.h"

namespace avow::cli {
namespace {

using provenance::Outcome;
using provenance::Trust;
using provenance::Verdict;

class TlogProofs : public ::testing::Test, protected provenance::SampleReceipts {
 protected:
  TlogProofs()
      : proof_(provenance::tlog_proof_of(of_run()).value()), entry_(log_.entries[run_at_]) {}

  Verdict verdict(const Trust& trust) const {
    return verify_tlog_proof(proof_, entry_, trust).verdict;
  }
  Trust key() const { return {.log_keys = {log_.log_vkey()}, .policy = {}}; }

  std::string proof_;
  std::string entry_;
};

TEST_F(TlogProofs, AreValidWithTheLogsKeyOrAPolicyAndWithNoOther) {
  EXPECT_TRUE(is_tlog_proof(proof_));
  EXPECT_EQ(verdict(key()), Verdict::kValid);
  EXPECT_EQ(verdict(log_.policy(3)), Verdict::kValid);
  EXPECT_EQ(verdict({}), Verdict::kKeyUntrusted);
  // A witness is no log, though its cosignature holds.
  Trust witness = log_.policy(3);
  witness.policy->logs.clear();
  EXPECT_EQ(verdict(witness), Verdict::kKeyUntrusted);
  // The log's key under another name is another log's.
  const auto other = merkle::VerifierKey::ed25519("other.example", merkle::SignatureType::kEd25519,
                                                  log_.log_key.public_key());
  EXPECT_EQ(verdict({.log_keys = {other}, .policy = {}}), Verdict::kKeyUntrusted);
}

TEST_F(TlogProofs, AreNotValidForAnyOtherEntry) {
  for (std::size_t at = 0; at < log_.entries.size(); ++at) {
    entry_ = log_.entries[at];
    EXPECT_EQ(verdict(key()), at == run_at_ ? Verdict::kValid : Verdict::kLogProofInvalid) << at;
  }
  entry_ = log_.entries[run_at_] + "\n";
  EXPECT_EQ(verdict(key()), Verdict::kLogProofInvalid);
}

TEST_F(TlogProofs, WantThePolicysQuorum) {
  const std::size_t last_witness = proof_.rfind("\xe2\x80\x94 ");
  proof_.resize(last_witness);
  EXPECT_EQ(verdict(log_.policy(2)), Verdict::kValid);
  EXPECT_EQ(verdict(log_.policy(3)), Verdict::kWitnessesInsufficient);
}

/// Base64 has bits that change nothing, and those are refused as another form.
TEST_F(TlogProofs, AreNotValidWithAnyByteOfThemChanged) {
  const std::string whole = proof_;
  for (std::size_t at = 0; at < whole.size(); ++at) {
    proof_ = whole;
    proof_[at] ^= 1;
    EXPECT_NE(verdict(log_.policy(3)), Verdict::kValid) << at;
    proof_ = whole.substr(0, at);
    EXPECT_NE(verdict(log_.policy(3)), Verdict::kValid) << "cut at " << at;
  }
}

TEST_F(TlogProofs, SkipEveryOtherCheckOfWhatCannotBeRead) {
  const auto found = verify_tlog_proof("c2sp.org/tlog-proof@v1\n", entry_, key());
  EXPECT_EQ(found.verdict, Verdict::kMalformed);
  ASSERT_EQ(found.checks.size(), 5U);
  EXPECT_EQ(found.checks.front().outcome, Outcome::kFailed);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_EQ(found.checks[i].outcome, Outcome::kSkipped);
}

}  // namespace
}  // namespace avow::cli
