// SPDX-License-Identifier: Apache-2.0
// merkle/compact_range.h: as much of a growing RFC 6962 tree as its next root needs: the roots of
// the complete subtrees it consists of, at most 64 hashes whatever its size. Appending costs two
// hashes on average. Pure values; one thread at a time.
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

class CompactRange {
 public:
  /// The tree without leaves.
  CompactRange() = default;
  /// The tree of `size` leaves whose nodes() were stored. Whether the nodes are the right ones
  /// shows only in the root, which the caller compares with one that it trusts. Errors: kCorruption
  /// not one node for each bit that is set in `size`
  static Result<CompactRange> restore(std::uint64_t size, std::vector<Hash> nodes);

  /// Adds the next leaf by its hash_leaf().
  void append(const Hash& leaf);

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The tree's root; empty_root() if it has no leaves.
  [[nodiscard]] Hash root() const;
  /// The roots of the complete subtrees, from the left, that is from the largest.
  [[nodiscard]] const std::vector<Hash>& nodes() const { return nodes_; }

 private:
  std::uint64_t size_ = 0;
  std::vector<Hash> nodes_;  ///< One for each bit set in size_, the highest bit first.
};

}  // namespace avow::merkle
