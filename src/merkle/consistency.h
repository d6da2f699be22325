// SPDX-License-Identifier: Apache-2.0
// merkle/consistency.h: proof that a log only grew: that the leaves of an older tree are the first
// leaves of a newer one (RFC 6962, section 2.1.2; verified as in RFC 9162, section 2.1.4.2).
// Pure functions over bytes in memory: no I/O, no locks, safe from any thread.
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

struct ConsistencyProof {
  std::uint64_t old_size = 0;  ///< Leaves of the older tree.
  std::uint64_t new_size = 0;  ///< Leaves of the newer tree.
  /// The nodes that both roots can be made from, lowest first; the older root itself is left out
  /// where it is a node of the newer tree.
  std::vector<Hash> nodes;
};

/// Checks that the tree of `new_root` continues the tree of `old_root`.
/// `proof` is untrusted: whatever it holds, this reads only its nodes and climbs at most 64 levels.
/// Errors: kInvalidArgument  the older tree is the larger one, or has no leaves: everything
/// continues
///                           nothing, so such a proof would say nothing
///         kCorruption       too few or too many nodes, or they lead to other roots
Result<void> verify_consistency(const ConsistencyProof& proof, const Hash& old_root,
                                const Hash& new_root);

}  // namespace avow::merkle
