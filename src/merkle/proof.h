// SPDX-License-Identifier: Apache-2.0
// merkle/proof.h: makes the proofs that inclusion.h and consistency.h check (RFC 6962, sections
// 2.1.1 and 2.1.2). Each reads at most some 130 nodes, two for each level of the tree.
// No state, no locks; as safe from threads as the source that is given.
#pragma once
#include "merkle/consistency.h"
#include "merkle/inclusion.h"
#include "merkle/node.h"

namespace avow::merkle {

/// The root of the first `tree_size` leaves; empty_root() for none. Errors: those of `source`
Result<Hash> root_at(std::uint64_t tree_size, const NodeSource& source);

/// Proves the leaf at `leaf_index` in the tree of the first `tree_size` leaves.
/// Errors: kInvalidArgument  the index lies outside the tree
///         those of `source`
Result<InclusionProof> prove_inclusion(std::uint64_t leaf_index, std::uint64_t tree_size,
                                       const NodeSource& source);

/// Proves that the first `old_size` leaves are a prefix of the first `new_size`. Between equal
/// sizes the proof has no nodes. Errors: kInvalidArgument  `old_size` is 0 or the larger one
///         those of `source`
Result<ConsistencyProof> prove_consistency(std::uint64_t old_size, std::uint64_t new_size,
                                           const NodeSource& source);

}  // namespace avow::merkle
