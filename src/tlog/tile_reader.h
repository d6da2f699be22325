// SPDX-License-Identifier: Apache-2.0
// tlog/tile_reader.h: tiles, entry bundles, entries and proofs of one log at any of its sizes, out
// of a store and, where there is one, the head's edge. Any thread; may read the store.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "merkle/node.h"
#include "merkle/tile.h"
#include "provenance/receipt.h"
#include "store/store.h"
#include "tlog/head.h"

namespace avow::tlog {

class TileReader {
 public:
  /// `head` may be null: then partial tiles are made of what is below them.
  TileReader(store::Store& store, std::uint32_t log, std::shared_ptr<const Head> head)
      : store_(store), log_(log), head_(std::move(head)) {}

  /// The bytes of a tile or entry bundle of any width that a tree of `size` has; the log must have
  /// had that size.
  /// Errors: kNotFound    a tree of `size` has no such tile
  ///         kCorruption  the store lacks what the log must have; those of the store's reads
  Result<std::string> tile(const merkle::Tile& tile, std::uint64_t size);
  /// A NodeSource of the tree of `size`, for one thread and one proof or few: it keeps the tiles
  /// that it has read. Keep this object as long.
  merkle::NodeSource nodes(std::uint64_t size);

 private:
  Result<std::string> bundle(const merkle::Tile& tile);
  Result<std::string> made_of_entries(const merkle::Tile& tile);
  Result<std::string> made_of_tiles_below(const merkle::Tile& tile);
  Result<std::vector<store::LogEntry>> entries_of(const merkle::Tile& tile);

  store::Store& store_;
  const std::uint32_t log_;
  const std::shared_ptr<const Head> head_;
};

/// `entry` with its path in the tree of `size`. Errors: kNotFound  it is not in that tree
Result<provenance::LoggedStatement> prove(TileReader& tiles, const store::LogEntry& entry,
                                          std::uint64_t size);

}  // namespace avow::tlog
