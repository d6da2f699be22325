// SPDX-License-Identifier: Apache-2.0
// merkle/tile_nodes.h: the nodes of a tree, read out of its tiles. One thread at a time.
#pragma once
#include <map>

#include "merkle/node.h"
#include "merkle/tile.h"

namespace avow::merkle {

/// A NodeSource (pass `std::ref(nodes)`) for one tree size. It keeps the tiles that it has read,
/// some two a level for a proof: make one for each proof, or for few.
class TileNodes {
 public:
  /// Gives the bytes of a tile, at the width that the tree of `tree_size` has of it.
  using ReadTile = std::function<Result<std::string>(const Tile&)>;
  TileNodes(std::uint64_t tree_size, ReadTile read)
      : tree_size_(tree_size), read_(std::move(read)) {}

  /// Errors: kInvalidArgument  not all leaves of `node` are in the tree
  ///         kCorruption       a tile of another length
  ///         those of ReadTile
  Result<Hash> operator()(const Node& node);

 private:
  std::uint64_t tree_size_;
  ReadTile read_;
  std::map<Tile, std::vector<Hash>> tiles_;
};

}  // namespace avow::merkle
