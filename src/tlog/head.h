// SPDX-License-Identifier: Apache-2.0
// tlog/head.h: a log at one size: its signed checkpoint, and enough of its right edge to prove
// entries. Immutable once made; shared between threads.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "merkle/checkpoint.h"
#include "merkle/compact_range.h"
#include "store/store.h"

namespace avow::tlog {

struct Head {
  std::uint32_t log = 1;
  merkle::Checkpoint checkpoint;
  std::string note;              ///< The checkpoint, signed by the log's keys.
  std::uint64_t keys_index = 0;  ///< Of the newest statement about keys.
  merkle::CompactRange range;
  /// edge[L]: the hashes of the partial tile of level L, fewer than 256 each.
  std::vector<std::vector<merkle::Hash>> edge = {};
};

/// What a stored note says; its signatures are not looked at. Errors: kCorruption
Result<merkle::Checkpoint> checkpoint_of(const std::string& note);

/// Adds the next leaf to range and edge, and to nothing else. Returns the tiles that are full now,
/// of levels from 0 up.
std::vector<store::LogTile> append(Head& head, const merkle::Hash& leaf);

/// What a store keeps of `head` (docs/formats/log-tables.md).
store::LogHead row_of(const Head& head);

/// The head that `row`, which is not believed, stands for: the edge is made anew of the full tiles
/// and entries at the right of the tree, at most 255 a level whatever the size, and must agree with
/// the row's nodes, and they with the root of its checkpoint. Signatures are not looked at.
/// Errors: kCorruption (it does not agree, or something of it is missing), those of the reads
Result<Head> restore_head(store::Store& store, const store::LogHead& row);

/// The origin of the newest log, by its checkpoint; of a log without entries, or with a checkpoint
/// that cannot be read, the meta "origin", which is the first log's. What the keys are loaded with.
/// Errors: those of the reads
Result<std::string> newest_origin(store::Store& store);

}  // namespace avow::tlog
