// SPDX-License-Identifier: Apache-2.0
#include "merkle/compact_range.h"

#include <bit>
#include <limits>

namespace avow::merkle {

Result<CompactRange> CompactRange::restore(std::uint64_t size, std::vector<Hash> nodes) {
  if (nodes.size() != static_cast<std::size_t>(std::popcount(size))) {
    return failure(Code::kCorruption, "a compact range of {} leaves has {} nodes, not {}", size,
                   std::popcount(size), nodes.size());
  }
  CompactRange range;
  range.size_ = size;
  range.nodes_ = std::move(nodes);
  return range;
}

void CompactRange::append(const Hash& leaf) {
  CHECK(size_ < std::numeric_limits<std::uint64_t>::max());
  // Counting up by one carries through the trailing ones of the size; each carry joins two complete
  // subtrees of the same height.
  Hash node = leaf;
  for (std::uint64_t carry = size_; carry % 2 == 1; carry /= 2) {
    node = hash_children(nodes_.back(), node);
    nodes_.pop_back();
  }
  nodes_.push_back(node);
  ++size_;
}

Hash CompactRange::root() const {
  if (nodes_.empty()) return empty_root();
  auto node = nodes_.rbegin();
  Hash root = *node;
  while (++node != nodes_.rend()) root = hash_children(*node, root);
  return root;
}

}  // namespace avow::merkle
