// SPDX-License-Identifier: Apache-2.0
// provenance/verify.h: whether a receipt or bundle proves what it says, offline (DESIGN.md section
// 4, docs/formats/receipt.md). The file is hostile. What is believed comes from the caller alone:
// keys in the file are hints, which show that the file agrees with itself and never more. Pure;
// safe from any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "merkle/policy.h"
#include "merkle/verifier_key.h"
#include "provenance/receipt.h"
#include "provenance/statement.h"

namespace avow::provenance {

/// What is wrong first, in the order of the checks; each but kValid is also the name of a check.
enum class Verdict {
  kMalformed,                  ///< Not a receipt or bundle, or a part of it cannot be read.
  kEventMismatch,              ///< An event is of another run or step, or stands elsewhere.
  kRunProofInvalid,            ///< The events do not lead to the statement's root.
  kStatementMismatch,          ///< Statement, entry, id and events do not belong together.
  kStatementSignatureInvalid,  ///< A signature does not hold, or its key may not sign there.
  kLogProofInvalid,            ///< An entry does not lead to the checkpoint's root.
  kCheckpointSignatureInvalid,
  kKeyUntrusted,           ///< All agrees, but nobody whom the caller trusts has signed it.
  kWitnessesInsufficient,  ///< The caller's policy wants more cosignatures.
  kContentMismatch,        ///< A content is not what was committed to, or none is the payload.
  kIncomplete,             ///< All is true, and something is missing or not over.
  kValid,
};

/// "MALFORMED", ..., "VALID".
std::string_view verdict_name(Verdict verdict);

enum class Outcome {
  kPassed,
  kFailed,
  kSkipped,  ///< Nothing of that kind is in the file, or nobody asked; or the file is malformed.
};

struct Check {
  Verdict verdict;  ///< What a failure of it means.
  Outcome outcome;
  std::string detail;  ///< Why it failed; empty unless it did.
};

struct Verification {
  Verdict verdict = Verdict::kMalformed;  ///< Of the first check that failed, else kValid.
  std::vector<Check> checks;              ///< All of them, in order.
  std::optional<Statement> statement;     ///< As the file has it; absent if it is malformed.
};

/// What the caller wants the file to show: a content, opened as a whole or as a member that is
/// disclosed, equal to `value` by JSON value (members in any order, 1 and 1.0 the same).
struct Payload {
  json::Value value;
  /// Which: the member of an event's data, behind it that of the content if it is disclosed, before
  /// it the step if need be: "output", "output.score", "extract.output". Empty: any.
  std::string name = {};
};

/// Whom the caller believes, and what it looks for.
struct Trust {
  /// Log keys. A receipt is signed by one that is named like its checkpoint's origin.
  std::vector<merkle::VerifierKey> log_keys;
  /// Its logs are believed too, and its quorum must have cosigned. None: no witnesses are asked
  /// for.
  std::optional<merkle::Policy> policy;
  /// Without a content that shows it the verdict is kContentMismatch.
  std::optional<Payload> payload = {};
};

/// Reads and checks a file. It does at most a few signature checks for each statement in it.
Verification verify(std::string_view file, const Trust& trust,
                    std::size_t bytes_max = kReceiptBytesMax);
/// The same of what was read already.
Verification verify(const Receipt& receipt, const Trust& trust);

/// The members of an event's data that are commitments: 64 lower-case hex digits under a name that
/// does not end in "_digest". A bundle accounts for each.
std::vector<std::string> committed_members(const json::Value& data);

}  // namespace avow::provenance
