// SPDX-License-Identifier: Apache-2.0
// provenance/entry.h: what of a statement is in the log: its digest, a signature and the key, in
// the canonical form of Rekor's hashedrekord 0.0.2 (docs/formats/entry.md), so that tools of others
// check it unmodified. It tells outsiders nothing of what was stated. Pure; safe from any thread.
#pragma once
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/p256.h"

namespace avow::provenance {

struct Entry {
  Bytes32 digest{};        ///< SHA-256 of the statement's bytes.
  std::string signature;   ///< ECDSA over those bytes, DER.
  std::string public_key;  ///< P-256, SubjectPublicKeyInfo in DER.
  bool operator==(const Entry&) const = default;
};

/// The entry of the statement with these bytes, signed with `key`.
Entry make_entry(std::string_view statement, const crypto::P256PrivateKey& key);

/// The canonical bytes, which are the log's leaf.
std::string encode(const Entry& entry);

/// Takes only bytes that encode() would give; whether signature and key are any good is the
/// verifier's to say. `bytes` are untrusted. Errors: kCorruption
Result<Entry> decode_entry(std::string_view bytes);

}  // namespace avow::provenance
