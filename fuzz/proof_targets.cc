// SPDX-License-Identifier: Apache-2.0
// The formats of proofs. Those with one spelling are written again and compared with what was read.
#include "fuzz/targets.h"
#include "merkle/checkpoint.h"
#include "merkle/entry_bundle.h"
#include "merkle/inclusion.h"
#include "merkle/policy.h"
#include "merkle/tile.h"
#include "merkle/tlog_proof.h"
#include "provenance/entry.h"
#include "provenance/exports.h"
#include "provenance/verify.h"

namespace avow::fuzz {
namespace {

/// A key that has signed nothing in the corpus.
merkle::VerifierKey stranger() {
  return merkle::VerifierKey::ed25519("log.example.com", merkle::SignatureType::kEd25519, {});
}

}  // namespace

void fuzz_receipt(std::string_view bytes) {
  const auto receipt = provenance::decode_receipt(bytes);
  const auto verification = provenance::verify(bytes, {{stranger()}, {}});
  // Whatever it holds, nobody whom this verifier trusts has signed it.
  CHECK(verification.verdict != provenance::Verdict::kValid);
  CHECK(!verification.checks.empty());
  if (!receipt) {
    CHECK(verification.verdict == provenance::Verdict::kMalformed);
    return;
  }
  const std::string text = provenance::encode(*receipt);
  const auto again = provenance::decode_receipt(text, text.size());
  CHECK(again);
  CHECK(provenance::encode(*again) == text);
  (void)provenance::tlog_proof_of(*receipt).has_value();
  const auto sign = [](std::string_view message) {
    CHECK(message.front() == '\x84');  // else it could be a note's text
    return std::string(64, '\0');
  };
  (void)provenance::cose_receipt(*receipt, "log.example.com", sign).has_value();
  (void)provenance::sigstore_bundle(*receipt).has_value();
}

void fuzz_statement(std::string_view bytes) {
  const auto statement = provenance::decode_statement(bytes);
  if (!statement) return;
  CHECK(provenance::encode(*statement) == bytes);
  if (!provenance::is_about_keys(statement->type)) return;
  (void)provenance::has_valid_signatures(*statement);
  const std::string part = provenance::signed_part(*statement);
  CHECK(part.find('\n') == std::string::npos);  // else it could be a checkpoint's text
  for (const auto& key : statement->keys) {
    CHECK(provenance::names_key(*statement, key.spki_der, key.from));
  }
}

void fuzz_entry(std::string_view bytes) {
  const auto entry = provenance::decode_entry(bytes);
  if (!entry) return;
  CHECK(provenance::encode(*entry) == bytes);
  const auto key = crypto::P256PublicKey::from_spki_der(entry->public_key);
  if (key) CHECK(!key->verifies("never signed", entry->signature));
}

void fuzz_note(std::string_view bytes) {
  if (const auto note = merkle::Note::parse(bytes)) {
    CHECK(note->format() == bytes);
    CHECK(merkle::is_note_text(note->text));
    const auto key = stranger();
    CHECK(!merkle::verify_note(*note, {&key, 1}));
  }
  if (const auto signatures = merkle::parse_signature_lines(bytes)) {
    std::string lines;
    for (const auto& signature : *signatures) lines += signature.line();
    CHECK(lines == bytes);
  }
}

void fuzz_checkpoint(std::string_view bytes) {
  if (const auto checkpoint = merkle::Checkpoint::parse(bytes)) CHECK(checkpoint->text() == bytes);
}

void fuzz_tlog_proof(std::string_view bytes) {
  const auto proof = merkle::TlogProof::parse(bytes);
  if (!proof) return;
  CHECK(proof->format() == bytes);
  const auto head = merkle::Checkpoint::parse(proof->checkpoint.text);
  // A leaf that nobody has ever hashed leads to no root.
  if (head) {
    CHECK(!merkle::verify_inclusion({}, {proof->index, head->size, proof->siblings}, head->root));
  }
}

void fuzz_policy(std::string_view bytes) {
  const auto policy = merkle::Policy::parse(bytes);
  if (!policy) return;
  CHECK(policy->keys().size() == policy->logs.size() + policy->witnesses.size());
  CHECK(policy->has_quorum({}) == (policy->quorum == "none"));
  CHECK(!policy->has_log("log.example.com", {}));
  // Everyone who may has cosigned: the quorum is there, whatever the thresholds.
  std::vector<merkle::VerifiedSignature> all;
  for (const merkle::VerifierKey& key : policy->keys()) all.push_back({key, {}});
  CHECK(policy->has_quorum(all));
}

void fuzz_tile(std::string_view bytes) {
  if (const auto tile = merkle::Tile::parse_path(bytes)) CHECK(tile->path() == bytes);
  const std::uint64_t hashes = bytes.size() / sizeof(merkle::Hash);
  if (hashes >= 1 && hashes <= merkle::kTileWidth) {
    if (const auto tile = merkle::parse_tile(bytes, hashes)) {
      CHECK(merkle::tile_bytes(*tile) == bytes);
    }
  }
  for (std::uint64_t width = 1; width <= 8; ++width) {
    const auto entries = merkle::parse_entry_bundle(bytes, width);
    if (!entries) continue;
    std::string again;
    for (const std::string_view entry : *entries) CHECK(merkle::append_entry(again, entry));
    CHECK(again == bytes);
  }
}

}  // namespace avow::fuzz
