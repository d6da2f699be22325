// SPDX-License-Identifier: Apache-2.0
#include "merkle/inclusion.h"

namespace avow::merkle {

Result<void> verify_inclusion(const Hash& leaf, const InclusionProof& proof, const Hash& root) {
  if (proof.leaf_index >= proof.tree_size) {
    return failure(Code::kInvalidArgument, "leaf {} is outside a tree of {} leaves",
                   proof.leaf_index, proof.tree_size);
  }
  Hash node = leaf;
  std::uint64_t index = proof.leaf_index;    // of `node` on its level
  std::uint64_t last = proof.tree_size - 1;  // of the rightmost node on that level
  auto sibling = proof.siblings.begin();
  for (; last > 0; index /= 2, last /= 2) {
    const bool is_right_child = index % 2 == 1;
    // RFC 6962 trees are not padded: the last node of an odd level has no sibling and moves up
    // unchanged, so the proof holds nothing for this level.
    if (!is_right_child && index == last) continue;
    if (sibling == proof.siblings.end()) {
      return failure(Code::kCorruption, "inclusion proof for leaf {} of {} ends below the root",
                     proof.leaf_index, proof.tree_size);
    }
    node = is_right_child ? hash_children(*sibling, node) : hash_children(node, *sibling);
    ++sibling;
  }
  if (sibling != proof.siblings.end() || node != root) {
    return failure(Code::kCorruption, "inclusion proof for leaf {} of {} leads to another root",
                   proof.leaf_index, proof.tree_size);
  }
  return {};
}

}  // namespace avow::merkle
