// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "crypto/sha256.h"
#include "json/write.h"
#include "provenance/entry.h"
#include "provenance/exports.h"
#include "provenance/exports/parts.h"
#include "provenance/statement.h"

namespace avow::provenance {
namespace {

// Protobuf's JSON: bytes are base64, 64-bit numbers are strings, and members that hold their
// default may be left out.

std::string base64_of(const Bytes32& bytes) { return to_base64(view_of(bytes)); }

/// How Rekor v2 names a log: the whole hash of which a note's key id is the first four bytes. The
/// verifiers find the log's key by it, and compare those four bytes with the checkpoint's.
std::string log_id(const merkle::VerifierKey& key) {
  std::string named = key.name + '\n';
  named += static_cast<char>(key.type);
  return base64_of(crypto::sha256(named + key.key));
}

/// The SubjectPublicKeyInfo of any Ed25519 key begins so (RFC 8410, section 4).
constexpr std::string_view kEd25519SpkiPrefix{"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
                                              12};

/// The key that signed the checkpoint, of those that `keys` names for the log.
Result<merkle::VerifierKey> signer_of(const merkle::Note& note, const Statement& keys) {
  for (const merkle::VerifierKey& key : keys.log_keys) {
    const auto is_by_key = [&](const merkle::NoteSignature& signature) {
      return signature.name == key.name && signature.key_id == key.id;
    };
    if (std::ranges::any_of(note.signatures, is_by_key)) return key;
  }
  return failure(Code::kInvalidArgument, "no key of log \"{}\" has signed the checkpoint",
                 shown(keys.origin));
}

json::Value inclusion_proof(const LoggedStatement& logged, const CheckpointParts& parts) {
  json::Array hashes;
  for (const merkle::Hash& hash : logged.path) hashes.emplace_back(base64_of(hash));
  return json::Object{{"logIndex", std::to_string(logged.index)},
                      {"rootHash", base64_of(parts.checkpoint.root)},
                      {"treeSize", std::to_string(parts.checkpoint.size)},
                      {"hashes", std::move(hashes)},
                      {"checkpoint", json::Object{{"envelope", parts.note.format()}}}};
}

}  // namespace

Result<std::string> sigstore_bundle(const Receipt& receipt) {
  const LoggedStatement& logged = receipt.statement;
  const auto entry = decode_entry(logged.entry);
  if (!entry) return Error{Code::kInvalidArgument, entry.error().message};
  const auto keys = decode_statement(receipt.keys.statement);
  if (!keys) return Error{Code::kInvalidArgument, keys.error().message};
  ASSIGN_OR_RETURN(const auto parts, read_checkpoint(receipt));
  ASSIGN_OR_RETURN(const auto log_key, signer_of(parts.note, *keys));

  json::Value tlog_entry =
      json::Object{{"logIndex", std::to_string(logged.index)},
                   {"logId", json::Object{{"keyId", log_id(log_key)}}},
                   {"kindVersion", json::Object{{"kind", "hashedrekord"}, {"version", "0.0.2"}}},
                   {"inclusionProof", inclusion_proof(logged, parts)},
                   {"canonicalizedBody", to_base64(logged.entry)}};
  const json::Object key_hint{{"hint", base64_of(crypto::sha256(entry->public_key))}};
  const json::Object digest{{"algorithm", "SHA2_256"}, {"digest", base64_of(entry->digest)}};
  return json::write(json::Object{
      {"mediaType", "application/vnd.dev.sigstore.bundle.v0.3+json"},
      {"verificationMaterial",
       json::Object{{"publicKey", key_hint}, {"tlogEntries", json::Array{std::move(tlog_entry)}}}},
      {"messageSignature",
       json::Object{{"messageDigest", digest}, {"signature", to_base64(entry->signature)}}}});
}

std::string trusted_root(std::span<const merkle::VerifierKey> log_keys, Time since) {
  json::Array tlogs;
  for (const merkle::VerifierKey& key : log_keys) {
    const json::Object public_key{
        {"rawBytes", to_base64(std::string(kEd25519SpkiPrefix) + key.key)},
        {"keyDetails", "PKIX_ED25519"},
        {"validFor", json::Object{{"start", format_time(since)}}}};
    // The verifiers take the checkpoint's origin from the host of the URL. Nothing is fetched.
    tlogs.emplace_back(json::Object{{"baseUrl", "https://" + key.name},
                                    {"hashAlgorithm", "SHA2_256"},
                                    {"publicKey", public_key},
                                    {"logId", json::Object{{"keyId", log_id(key)}}}});
  }
  return json::write_pretty(
      json::Object{{"mediaType", "application/vnd.dev.sigstore.trustedroot+json;version=0.1"},
                   {"tlogs", std::move(tlogs)}});
}

}  // namespace avow::provenance
