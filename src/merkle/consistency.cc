// SPDX-License-Identifier: Apache-2.0
#include "merkle/consistency.h"

#include <bit>

namespace avow::merkle {

Result<void> verify_consistency(const ConsistencyProof& proof, const Hash& old_root,
                                const Hash& new_root) {
  if (proof.old_size == 0) {
    return failure(Code::kInvalidArgument, "consistency with an empty tree says nothing");
  }
  if (proof.old_size > proof.new_size) {
    return failure(Code::kInvalidArgument, "a tree of {} leaves cannot grow to {}", proof.old_size,
                   proof.new_size);
  }
  const auto inconsistent = [&proof](std::string_view why) {
    return failure(Code::kCorruption, "consistency proof from {} to {} leaves {}", proof.old_size,
                   proof.new_size, why);
  };
  auto next = proof.nodes.begin();
  const auto end = proof.nodes.end();
  if (proof.old_size == proof.new_size) {
    return next == end && old_root == new_root ? Result<void>()
                                               : inconsistent("of equal size fails");
  }

  // The climb starts at the largest complete subtree at the older tree's right edge. When that is
  // the whole older tree, its root is known and the proof leaves it out.
  const int height = std::countr_zero(proof.old_size);
  std::uint64_t index = (proof.old_size - 1) >> height;  // of that subtree on its level
  std::uint64_t last = (proof.new_size - 1) >> height;   // of the newer tree's rightmost node there
  Hash start = old_root;
  if (!std::has_single_bit(proof.old_size)) {
    if (next == end) return inconsistent("is empty");
    start = *next++;
  }
  Hash old_node = start;
  Hash new_node = start;
  for (; last > 0; index /= 2, last /= 2) {
    const bool is_right_child = index % 2 == 1;
    if (!is_right_child && index == last) continue;  // no sibling: moves up unchanged
    if (next == end) return inconsistent("ends below the root");
    if (is_right_child) {
      // A left sibling lies in both trees.
      old_node = hash_children(*next, old_node);
      new_node = hash_children(*next, new_node);
    } else {
      // A right sibling holds leaves that came later.
      new_node = hash_children(new_node, *next);
    }
    ++next;
  }
  if (next != end || old_node != old_root || new_node != new_root) {
    return inconsistent("leads to other roots");
  }
  return {};
}

}  // namespace avow::merkle
