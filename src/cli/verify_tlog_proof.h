// SPDX-License-Identifier: Apache-2.0
// cli/verify_tlog_proof.h: whether a C2SP tlog-proof (`.tlog-proof`) shows that an entry is in a
// log that the caller believes. Both are hostile. It proves that the log holds those bytes, and
// nothing of what they say: for that there are receipts. Pure; one thread.
#pragma once
#include <string_view>

#include "provenance/verify.h"

namespace avow::cli {

/// Whether `text` claims to be a tlog-proof.
bool is_tlog_proof(std::string_view text);

/// Checks of provenance::verify() that a proof can pass, by the same names: kMalformed,
/// kLogProofInvalid, kCheckpointSignatureInvalid, kKeyUntrusted, kWitnessesInsufficient. A
/// signature that no key of the caller's made is not looked at. `entry` is the leaf, to the byte.
provenance::Verification verify_tlog_proof(std::string_view text, std::string_view entry,
                                           const provenance::Trust& trust);

}  // namespace avow::cli
