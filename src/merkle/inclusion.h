// SPDX-License-Identifier: Apache-2.0
// merkle/inclusion.h: proof that one entry is in the log (RFC 6962, section 2.1.1).
// Pure functions over bytes in memory: no I/O, no locks, safe from any thread.
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

/// The siblings met on the way from one leaf to the root, lowest first.
struct InclusionProof {
  std::uint64_t leaf_index = 0;  ///< 0-based.
  std::uint64_t tree_size = 0;   ///< Number of leaves.
  std::vector<Hash> siblings;
};

/// Checks that `leaf` stands at `proof.leaf_index` in the tree whose root is `root`.
/// `proof` is untrusted: whatever it holds, this reads only its siblings and climbs at most 64
/// levels. Errors: kInvalidArgument  the index lies outside the tree
///         kCorruption       the path is too short or too long, or ends in another root
Result<void> verify_inclusion(const Hash& leaf, const InclusionProof& proof, const Hash& root);

}  // namespace avow::merkle
