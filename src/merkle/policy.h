// SPDX-License-Identifier: Apache-2.0
// merkle/policy.h: which logs are believed, and how many of which witnesses must have cosigned a
// checkpoint (C2SP tlog-policy). Immutable values; safe from any thread.
#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "merkle/note.h"
#include "merkle/verifier_key.h"

namespace avow::merkle {

inline constexpr std::size_t kPolicyBytesMax = std::size_t{256} * 1024;
/// Logs, witnesses and groups, of each kind; C2SP recommends 32 or more.
inline constexpr std::size_t kPolicyLinesMax = 64;

struct Policy {
  struct Log {
    VerifierKey key;  ///< Its name is the origin of the log's checkpoints.
    std::string url;  ///< Empty if the policy has none; so below.
  };
  struct Witness {
    std::string name;  ///< In this file only.
    VerifierKey key;
    std::string url;
  };
  struct Group {
    std::string name;
    std::size_t threshold = 1;         ///< So many of the members, 1 to all of them.
    std::vector<std::string> members;  ///< Witnesses and groups that stand before this one.
  };
  std::vector<Log> logs;  ///< May be empty: then the caller knows the log otherwise.
  std::vector<Witness> witnesses;
  std::vector<Group> groups;  ///< In the order of the file.
  std::string quorum;         ///< A witness, a group, or "none".

  /// Reads a policy file. The file is trusted to say whom to trust, and not to be well-formed.
  /// Errors: kInvalidArgument, naming the line
  static Result<Policy> parse(std::string_view text);

  /// All keys, for verify_note().
  [[nodiscard]] std::vector<VerifierKey> keys() const;

  // Both take what verify_note() returned for keys(), and ignore signatures of other keys.

  /// Whether a log of this policy that is named `origin`, the checkpoint's, is among the signers.
  [[nodiscard]] bool has_log(std::string_view origin,
                             std::span<const VerifiedSignature> verified) const;
  /// Whether the quorum is among the signers.
  [[nodiscard]] bool has_quorum(std::span<const VerifiedSignature> verified) const;
};

}  // namespace avow::merkle
