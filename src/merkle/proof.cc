// SPDX-License-Identifier: Apache-2.0
#include "merkle/proof.h"

#include <bit>

namespace avow::merkle {
namespace {

/// The root over the leaves from `first` to before `end`, where `first` is a multiple of a power of
/// two that is not smaller than their number: a right edge of the tree, complete or not.
Result<Hash> right_edge(std::uint64_t first, std::uint64_t end, const NodeSource& source) {
  // The complete subtrees it consists of are the bits of that number, the smallest at the right.
  const auto take_last = [first, &end, &source] {
    const int height = std::countr_zero(end - first);
    const Node node{height, (end - 1) >> height};
    end -= std::uint64_t{1} << height;
    return source(node);
  };
  ASSIGN_OR_RETURN(Hash root, take_last());
  while (end != first) {
    ASSIGN_OR_RETURN(const Hash left, take_last());
    root = hash_children(left, root);
  }
  return root;
}

/// Appends the siblings on the way from `node` to the root of the tree of `size` leaves.
Result<void> append_siblings(Node node, std::uint64_t size, const NodeSource& source,
                             std::vector<Hash>& siblings) {
  std::uint64_t last = (size - 1) >> node.height;  // the rightmost node's index on this level
  for (; last > 0; ++node.height, node.index /= 2, last /= 2) {
    if (node.index % 2 == 1) {
      ASSIGN_OR_RETURN(siblings.emplace_back(), source({node.height, node.index - 1}));
    } else if (node.index + 1 < last) {
      ASSIGN_OR_RETURN(siblings.emplace_back(), source({node.height, node.index + 1}));
    } else if (node.index + 1 == last) {
      ASSIGN_OR_RETURN(siblings.emplace_back(), right_edge(last << node.height, size, source));
    }
    // The last node of a level without a sibling moves up unchanged: nothing to say.
  }
  return {};
}

}  // namespace

Result<Hash> root_at(std::uint64_t tree_size, const NodeSource& source) {
  if (tree_size == 0) return empty_root();
  return right_edge(0, tree_size, source);
}

Result<InclusionProof> prove_inclusion(std::uint64_t leaf_index, std::uint64_t tree_size,
                                       const NodeSource& source) {
  if (leaf_index >= tree_size) {
    return failure(Code::kInvalidArgument, "leaf {} is outside a tree of {} leaves", leaf_index,
                   tree_size);
  }
  InclusionProof proof{leaf_index, tree_size, {}};
  RETURN_IF_ERROR(append_siblings({0, leaf_index}, tree_size, source, proof.siblings));
  return proof;
}

Result<ConsistencyProof> prove_consistency(std::uint64_t old_size, std::uint64_t new_size,
                                           const NodeSource& source) {
  if (old_size == 0 || old_size > new_size) {
    return failure(Code::kInvalidArgument, "no proof leads from {} leaves to {}", old_size,
                   new_size);
  }
  ConsistencyProof proof{old_size, new_size, {}};
  if (old_size == new_size) return proof;
  // The climb starts at the largest complete subtree at the older tree's right edge. When that is
  // the whole older tree, the verifier has its hash already.
  const int height = std::countr_zero(old_size);
  const Node start{height, (old_size - 1) >> height};
  if (!std::has_single_bit(old_size)) {
    ASSIGN_OR_RETURN(proof.nodes.emplace_back(), source(start));
  }
  RETURN_IF_ERROR(append_siblings(start, new_size, source, proof.nodes));
  return proof;
}

}  // namespace avow::merkle
