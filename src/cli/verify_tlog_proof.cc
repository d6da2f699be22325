// SPDX-License-Identifier: Apache-2.0
#include "cli/verify_tlog_proof.h"

#include <algorithm>

#include "merkle/checkpoint.h"
#include "merkle/inclusion.h"
#include "merkle/tlog_proof.h"

namespace avow::cli {
namespace {

using merkle::VerifiedSignature;
using provenance::Outcome;
using provenance::Trust;
using provenance::Verdict;
using provenance::Verification;

/// After a failed check of its form the others say nothing.
Verification malformed(const Error& error) {
  Verification out;
  out.checks = {{Verdict::kMalformed, Outcome::kFailed, error.message},
                {Verdict::kLogProofInvalid, Outcome::kSkipped, {}},
                {Verdict::kCheckpointSignatureInvalid, Outcome::kSkipped, {}},
                {Verdict::kKeyUntrusted, Outcome::kSkipped, {}},
                {Verdict::kWitnessesInsufficient, Outcome::kSkipped, {}}};
  return out;
}

std::vector<merkle::VerifierKey> keys_of(const Trust& trust) {
  std::vector<merkle::VerifierKey> keys = trust.log_keys;
  if (!trust.policy) return keys;
  const auto more = trust.policy->keys();
  keys.insert(keys.end(), more.begin(), more.end());
  return keys;
}

/// A log is believed by a key that is named like its checkpoints, as C2SP tlog-checkpoint has it.
bool is_by_trusted_log(const std::vector<VerifiedSignature>& verified, std::string_view origin,
                       const Trust& trust) {
  const bool is_by_key = std::ranges::any_of(verified, [&](const VerifiedSignature& signature) {
    return signature.key.type == merkle::SignatureType::kEd25519 && signature.key.name == origin &&
           std::ranges::find(trust.log_keys, signature.key) != trust.log_keys.end();
  });
  return is_by_key || (trust.policy && trust.policy->has_log(origin, verified));
}

}  // namespace

bool is_tlog_proof(std::string_view text) { return text.starts_with("c2sp.org/tlog-proof@"); }

Verification verify_tlog_proof(std::string_view text, std::string_view entry, const Trust& trust) {
  const auto proof = merkle::TlogProof::parse(text);
  if (!proof) return malformed(proof.error());
  const auto checkpoint = merkle::Checkpoint::parse(proof->checkpoint.text);
  if (!checkpoint) return malformed(checkpoint.error());

  Verification out;
  const auto add = [&out](Verdict verdict, Outcome outcome, std::string detail = {}) {
    out.checks.push_back({verdict, outcome, std::move(detail)});
  };
  const auto check = [&add](Verdict verdict, bool holds, std::string detail) {
    add(verdict, holds ? Outcome::kPassed : Outcome::kFailed,
        holds ? std::string() : std::move(detail));
  };
  add(Verdict::kMalformed, Outcome::kPassed);
  const auto included =
      merkle::verify_inclusion(merkle::hash_leaf(entry),
                               {proof->index, checkpoint->size, proof->siblings}, checkpoint->root);
  check(Verdict::kLogProofInvalid, included.has_value(), included ? "" : included.error().message);

  const auto signatures = merkle::verify_note(proof->checkpoint, keys_of(trust));
  const bool is_forged = !signatures && signatures.error().code == Code::kCorruption;
  const auto verified = signatures ? *signatures : std::vector<VerifiedSignature>();
  if (signatures || is_forged) {
    check(Verdict::kCheckpointSignatureInvalid, !is_forged,
          is_forged ? signatures.error().message : "");
  } else {
    add(Verdict::kCheckpointSignatureInvalid, Outcome::kSkipped);
  }
  check(Verdict::kKeyUntrusted, is_by_trusted_log(verified, checkpoint->origin, trust),
        "no key that you trust has signed the checkpoint");
  if (trust.policy) {
    check(Verdict::kWitnessesInsufficient, trust.policy->has_quorum(verified),
          "the cosignatures are fewer than the policy's quorum");
  } else {
    add(Verdict::kWitnessesInsufficient, Outcome::kSkipped);
  }
  const auto failed = std::ranges::find(out.checks, Outcome::kFailed, &provenance::Check::outcome);
  out.verdict = failed == out.checks.end() ? Verdict::kValid : failed->verdict;
  return out;
}

}  // namespace avow::cli
