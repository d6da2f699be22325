// SPDX-License-Identifier: Apache-2.0
// merkle/tile.h: the tree cut into tiles of 256 hashes, each a file or a row that never changes
// once full (C2SP tlog-tiles). Pure functions over bytes: no I/O, no locks, safe from any thread.
#pragma once
#include <compare>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

inline constexpr int kTileHeight = 8;
inline constexpr std::uint64_t kTileWidth = std::uint64_t{1} << kTileHeight;
/// C2SP names levels up to 63; a tree of fewer than 2^64 leaves has no more than these.
inline constexpr int kTileLevelMax = 7;
/// The "level" of an entry bundle, which holds the entries whose leaf hashes the tile of level 0
/// with the same index and width holds.
inline constexpr int kEntriesLevel = -1;

/// Which tile. A tile of level L holds hashes of complete subtrees of 256^L leaves; each of them,
/// above level 0, is the root of a full tile of the level below.
struct Tile {
  int level = 0;                     ///< kEntriesLevel, or 0 to kTileLevelMax.
  std::uint64_t index = 0;           ///< Within the level, from the left.
  std::uint64_t width = kTileWidth;  ///< 1 to kTileWidth; fewer hashes make a partial tile.
  auto operator<=>(const Tile&) const = default;

  /// "tile/0/x001/x234/067", "tile/entries/000.p/17": the path behind a log's prefix.
  [[nodiscard]] std::string path() const;
  /// Reads such a path, which is untrusted. Only the one spelling that path() writes is accepted,
  /// and only of tiles that a tree of fewer than 2^64 leaves can have. Errors: kInvalidArgument
  static Result<Tile> parse_path(std::string_view path);
};

/// How many hashes (entries, for kEntriesLevel) of the tile at `level` and `index` a tree of
/// `tree_size` leaves has: kTileWidth where the tile is full, 0 where it does not exist yet.
std::uint64_t tile_width(int level, std::uint64_t index, std::uint64_t tree_size);

/// The tiles that are full at `new_size` and were not at `old_size` <= `new_size`; of levels from 0
/// up, within a level from the left. Their number grows with the difference. Entry bundles are full
/// when the tiles of level 0 are.
std::vector<Tile> completed_tiles(std::uint64_t old_size, std::uint64_t new_size);

/// The partial tiles of a tree, at most one a level, of levels from 0 up: C2SP has them served for
/// every size that had a checkpoint.
std::vector<Tile> partial_tiles(std::uint64_t tree_size);

/// The bytes of the tile that holds `hashes`.
std::string tile_bytes(std::span<const Hash> hashes);

/// Reads a tile of `width` hashes, 1 to kTileWidth; longer bytes than those are refused. `bytes` is
/// untrusted: whether the hashes are the right ones shows in a root. Errors: kCorruption (length)
Result<std::vector<Hash>> parse_tile(std::string_view bytes, std::uint64_t width);

/// The root of the complete subtree over `nodes`, whose number must be a power of two. Of a full
/// tile it is the hash that stands for it in the level above.
Hash subtree_root(std::span<const Hash> nodes);

}  // namespace avow::merkle
