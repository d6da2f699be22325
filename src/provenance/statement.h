// SPDX-License-Identifier: Apache-2.0
// provenance/statement.h: what the log is asked to witness: one signed sentence about a run, a
// change or a key (DESIGN.md section 4, docs/formats/statement.md). A statement is one RFC 8785
// object whose bytes are kept exactly; those of a tenant are numbered without gaps and chained by
// digest, so that a missing one shows. Pure; safe from any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "crypto/ed25519.h"
#include "merkle/verifier_key.h"

namespace avow::provenance {

inline constexpr std::int64_t kStatementVersion = 1;
/// An erasure that lists its contents one by one is the longest there is.
inline constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;

enum class StatementType {
  kLogGenesis,         ///< Index 0 of the log: its origin and its keys.
  kRunFinished,        ///< A run ended; all its events are in `root`.
  kRunOpen,            ///< A run has begun and not ended.
  kRunProgress,        ///< What a run that has not ended did so far.
  kWorkflowPublished,  ///< A version of a workflow can be run.
  kAgentChanged,
  kAdminChanged,    ///< A tenant, key, secret, tool or setting was made, changed or removed.
  kKeyRotated,      ///< The log's keys from here on, and all earlier ones.
  kContentErased,   ///< Contents and salts are gone; events and proofs stay.
  kJournalRetired,  ///< A run's events are no longer kept.
};

/// "run.finished".
std::string_view statement_type_name(StatementType type);

/// Whether it is a kLogGenesis or kKeyRotated.
bool is_about_keys(StatementType type);

/// A key that signs entries, and the indexes in the log where it may.
struct StatementKey {
  std::uint64_t from = 0;           ///< The first index.
  std::optional<std::uint64_t> to;  ///< The first index that is no longer its; absent: none yet.
  std::string spki_der;             ///< P-256.
  bool operator==(const StatementKey&) const = default;
};

/// The log that this one takes the place of, where it had got to.
struct OldHead {
  std::string origin;
  std::uint64_t size = 0;
  Bytes32 root{};
  bool operator==(const OldHead&) const = default;
};

/// Contents of one run.
struct ErasedContent {
  RunId run;
  std::uint32_t seq = 0;  ///< Of the event that commits to it; 0: every content of the run.
  std::string member;     ///< Of that event's data; empty with seq 0.
  auto operator<=>(const ErasedContent&) const = default;
};

/// Which members a type has, and which of them may be absent, stands in docs/formats/statement.md;
/// the others keep their first values.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): the order is that of reading
struct Statement {
  StatementType type = StatementType::kRunFinished;
  TenantId tenant;               ///< Zero: the deployment's own.
  Id id;                         ///< Of what it is about; its low 20 bits are zero.
  std::uint64_t tenant_seq = 1;  ///< From 1 without gaps.
  std::optional<Bytes32> prev;   ///< Digest of the tenant's statement before; absent in its first.
  Time created_at;               ///< Of a run: when it was asked for; else: of what happened.
  Bytes32 nonce{};               ///< Fresh: the digest in the log must tell nothing.

  // Of runs.
  std::string status;                      ///< Also of an agent.
  std::optional<Bytes32> workflow_digest;  ///< Also of a workflow; absent in an agent's own run.
  std::optional<Bytes32> plan;             ///< Commitment to the merged plan.
  std::optional<AgentId> agent;
  std::uint32_t events = 0;     ///< How many, from the first.
  std::optional<Bytes32> root;  ///< Of the tree over them.
  std::optional<Time> started_at;
  std::optional<Time> completed_at;

  // Of changes.
  std::string actor;                  ///< Who made it, an opaque principal; empty: the engine.
  std::string version;                ///< Of a workflow.
  std::string subject;                ///< What kind of thing: "tenant", "api_key", "tool", ...
  std::string change;                 ///< "created", "updated", ...
  std::optional<Bytes32> record;      ///< Commitment to it as it is now; absent: removed.
  std::vector<ErasedContent> erased;  ///< Ascending.
  std::optional<Bytes32> reason;      ///< Commitment.

  // Of keys.
  std::string origin;                         ///< The log's name.
  std::vector<merkle::VerifierKey> log_keys;  ///< What signs checkpoints; named `origin`, Ed25519.
  std::vector<StatementKey> keys;             ///< All there ever were.
  std::optional<OldHead> old_head;            ///< Only after a recovery.
  std::vector<std::string> signatures;  ///< One for each of log_keys, 64 bytes, see sign_keys().
};

/// The canonical bytes. CHECKs that the members are those of the type.
std::string encode(const Statement& statement);

/// Takes only the bytes that encode() would give. `bytes` are untrusted.
/// Errors: kCorruption   not a statement, or not in its canonical spelling
///         kUnavailable  a newer version: this program must not guess
Result<Statement> decode_statement(std::string_view bytes);

/// SHA-256 of the bytes: what the entry holds, and `prev` of the tenant's next statement.
Bytes32 statement_digest(std::string_view bytes);

/// What the log keys sign of a statement about keys: its canonical bytes without `signatures`. They
/// hold no newline, so no such signature can pass for one over a checkpoint.
std::string signed_part(const Statement& statement);
/// Signs a log.genesis or key.rotated with the private halves of its `log_keys`, in their order.
void sign_keys(Statement& statement, std::span<const crypto::Ed25519PrivateKey> log_keys);
/// Whether each of `signatures` is that of its log key. Whether any of those keys is to be believed
/// is another question.
bool has_valid_signatures(const Statement& statement);

/// Whether `statement` names `spki_der` as the key of the entry at `index`.
bool names_key(const Statement& statement, std::string_view spki_der, std::uint64_t index);

}  // namespace avow::provenance
