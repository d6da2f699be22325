// SPDX-License-Identifier: Apache-2.0
// tlog/head.h: a log at one size: its signed checkpoint, and enough of its right edge to prove
// entries. Immutable once made; shared between threads.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "merkle/checkpoint.h"
#include "merkle/compact_range.h"

namespace avow::tlog {

struct Head {
  std::uint32_t log = 1;
  merkle::Checkpoint checkpoint;
  std::string note;              ///< The checkpoint, signed by the log's keys.
  std::uint64_t keys_index = 0;  ///< Of the newest statement about keys.
  merkle::CompactRange range;
  /// edge[L]: the hashes of the partial tile of level L, fewer than 256 each.
  std::vector<std::vector<merkle::Hash>> edge;
};

}  // namespace avow::tlog
