// SPDX-License-Identifier: Apache-2.0
// provenance/run_tree.h: the RFC 6962 tree over a run's events in order (leaf index = seq - 1).
// Pure; safe from any thread.
#pragma once
#include <string_view>

#include "merkle/compact_range.h"

namespace avow::provenance {

class RunTree {
 public:
  /// Adds the next event's exact bytes.
  void append(std::string_view event_bytes);
  [[nodiscard]] std::uint64_t size() const;
  /// SHA-256 of nothing for an empty tree.
  [[nodiscard]] merkle::Hash root() const;

 private:
  merkle::CompactRange range_;
};

}  // namespace avow::provenance
