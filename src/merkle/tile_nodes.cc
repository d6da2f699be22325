// SPDX-License-Identifier: Apache-2.0
#include "merkle/tile_nodes.h"

namespace avow::merkle {

Result<Hash> TileNodes::operator()(const Node& node) {
  if (node.height < 0 || node.height > 63 || node.index >= (tree_size_ >> node.height)) {
    return failure(Code::kInvalidArgument,
                   "a tree of {} leaves has no complete node {} at height {}", tree_size_,
                   node.index, node.height);
  }
  // The tile whose own hashes are the nearest ones below the node, and where they begin in it.
  const int level = node.height / kTileHeight;
  const int above = node.height % kTileHeight;
  const std::uint64_t first = node.index << above;
  const std::uint64_t index = first / kTileWidth;
  const Tile tile{level, index, tile_width(level, index, tree_size_)};

  auto found = tiles_.find(tile);
  if (found == tiles_.end()) {
    ASSIGN_OR_RETURN(const std::string bytes, read_(tile));
    ASSIGN_OR_RETURN(auto hashes, parse_tile(bytes, tile.width));
    found = tiles_.emplace(tile, std::move(hashes)).first;
  }
  return subtree_root(
      std::span(found->second).subspan(first % kTileWidth, std::size_t{1} << above));
}

}  // namespace avow::merkle
