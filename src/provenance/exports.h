// SPDX-License-Identifier: Apache-2.0
// provenance/exports.h: the proof that a receipt holds, in the forms of others, so that tools that
// we did not write check it: C2SP's tlog-proof, Sigstore's bundle, a COSE receipt
// (docs/formats/exports.md). Each is about the receipt's statement and its entry alone: events and
// contents have no place in them. Pure; safe from any thread.
#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "merkle/verifier_key.h"
#include "provenance/receipt.h"

namespace avow::provenance {

// What is exported is believed to be what verify() would accept; the functions read the parts that
// they need and check no proof. Errors of each: kInvalidArgument  such a part cannot be read

/// The text of a `.tlog-proof` (merkle/tlog_proof.h) of the statement's entry, which is the leaf.
Result<std::string> tlog_proof_of(const Receipt& receipt);

/// The JSON of a Sigstore bundle v0.3, whose artifact is the statement's bytes and whose key is the
/// statement key. It holds no time, as Rekor v2 gives none: a verifier must be told the key and not
/// to ask for a timestamp. Error also: no log key that the receipt's `keys` names has signed the
/// checkpoint.
Result<std::string> sigstore_bundle(const Receipt& receipt);

/// The JSON of a Sigstore trusted root that names the log by its keys, valid from `since`: what a
/// verifier of sigstore_bundle() must be given from a source that it trusts. `log_keys` are of type
/// kEd25519, each named by the log's origin, which must be a host name.
std::string trusted_root(std::span<const merkle::VerifierKey> log_keys, Time since);

/// Makes the log's Ed25519 signature over some bytes.
using LogSigner = std::function<std::string(std::string_view bytes)>;

/// A COSE receipt (RFC 9942; before: draft-ietf-cose-merkle-tree-proofs) in deterministic CBOR: a
/// COSE_Sign1 over the checkpoint's root, detached, with the entry's path; `issuer`, the log's
/// origin, and the receipt's id are its CWT claims. `sign` vouches for the checkpoint's root: to be
/// called only for a receipt that this log made itself. What it is given begins with 0x84, as
/// no UTF-8 text does, so that no such signature can pass for one over a checkpoint or a statement.
Result<std::string> cose_receipt(const Receipt& receipt, std::string_view issuer,
                                 const LogSigner& sign);

}  // namespace avow::provenance
