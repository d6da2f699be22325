// SPDX-License-Identifier: Apache-2.0
// provenance/run_tree.h: the RFC 6962 tree over a run's events in order (leaf index = seq - 1).
// Pure; one thread at a time.
#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "merkle/compact_range.h"
#include "merkle/inclusion.h"

namespace avow::provenance {

class RunTree {
 public:
  /// The tree without events.
  RunTree() = default;
  /// The tree of `size` events whose nodes() were stored with a state snapshot.
  /// Errors: kCorruption (not as many nodes as such a tree has)
  static Result<RunTree> restore(std::uint64_t size, std::vector<merkle::Hash> nodes);

  /// Adds the next event's exact bytes.
  void append(std::string_view event_bytes);
  [[nodiscard]] std::uint64_t size() const;
  /// SHA-256 of nothing for an empty tree.
  [[nodiscard]] merkle::Hash root() const;
  /// At most 20 hashes, from which restore() goes on.
  [[nodiscard]] const std::vector<merkle::Hash>& nodes() const { return range_.nodes(); }

 private:
  merkle::CompactRange range_;
};

/// Proves events of one run: all nodes of its tree in memory, two hashes an event.
class RunProver {
 public:
  /// `leaves` are the hash_leaf() of the run's events, from the first.
  explicit RunProver(std::vector<merkle::Hash> leaves);

  /// Proves the event `seq` in the tree of the first `events` events.
  /// Errors: kInvalidArgument  there is no such event, or fewer events than that
  [[nodiscard]] Result<merkle::InclusionProof> prove(std::uint32_t seq, std::uint32_t events) const;

 private:
  /// By height: the roots of the complete subtrees of 2^height events, from the left.
  std::vector<std::vector<merkle::Hash>> levels_;
};

}  // namespace avow::provenance
