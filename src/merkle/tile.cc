// SPDX-License-Identifier: Apache-2.0
#include "merkle/tile.h"

#include <algorithm>
#include <bit>

#include "merkle/lines.h"

namespace avow::merkle {
namespace {

constexpr std::string_view kPrefix = "tile/";
constexpr std::string_view kEntries = "entries";
constexpr std::uint64_t kGroup = 1000;  // three digits a path element

/// How many tiles of `level` the largest tree has: the first index that none has.
std::uint64_t index_end(int level) {
  return std::uint64_t{1} << (64 - kTileHeight * (std::max(level, 0) + 1));
}

/// How many hashes the whole level has.
std::uint64_t level_width(int level, std::uint64_t tree_size) {
  return tree_size >> (kTileHeight * std::max(level, 0));
}

std::string index_path(std::uint64_t index) {
  std::string path = fmt::format("{:03}", index % kGroup);
  while (index >= kGroup) {
    index /= kGroup;
    path = fmt::format("x{:03}/{}", index % kGroup, path);
  }
  return path;
}

/// `text` up to the first '/', which is cut off with it.
std::string_view take_element(std::string_view& text) {
  const std::string_view element = text.substr(0, text.find('/'));
  text.remove_prefix(std::min(element.size() + 1, text.size()));
  return element;
}

}  // namespace

std::string Tile::path() const {
  std::string path(kPrefix);
  path += level == kEntriesLevel ? std::string(kEntries) : std::to_string(level);
  path += '/' + index_path(index);
  if (width != kTileWidth) path += fmt::format(".p/{}", width);
  return path;
}

Result<Tile> Tile::parse_path(std::string_view path) {
  const auto malformed = [path] {
    return failure(Code::kInvalidArgument, "\"{}\" is not the path of a tile", shown(path));
  };
  std::string_view rest = path;
  if (!rest.starts_with(kPrefix)) return malformed();
  rest.remove_prefix(kPrefix.size());

  Tile tile;
  if (const std::string_view level = take_element(rest); level == kEntries) {
    tile.level = kEntriesLevel;
  } else if (level.size() == 1 && level[0] >= '0' && level[0] <= '0' + kTileLevelMax) {
    tile.level = level[0] - '0';
  } else {
    return malformed();
  }
  if (const std::size_t at = rest.find(".p/"); at != std::string_view::npos) {
    const auto width = parse_decimal(rest.substr(at + 3));
    if (!width || *width == 0 || *width >= kTileWidth) return malformed();
    tile.width = *width;
    rest = rest.substr(0, at);
  }
  while (rest.starts_with('x')) {
    rest.remove_prefix(1);
    const std::string_view digits = take_element(rest);
    const auto group = digits.size() == 3 ? parse_padded(digits) : std::nullopt;
    // Bounded before it is multiplied, so that no number of groups overflows.
    if (!group || tile.index + *group > index_end(tile.level) / kGroup) return malformed();
    tile.index = (tile.index + *group) * kGroup;
  }
  const auto group = rest.size() == 3 ? parse_padded(rest) : std::nullopt;
  if (!group) return malformed();
  tile.index += *group;
  // Writing it again finds what is left: groups of zeros in front, and whatever else is not exact.
  if (tile.index >= index_end(tile.level) || tile.path() != path) return malformed();
  return tile;
}

std::uint64_t tile_width(int level, std::uint64_t index, std::uint64_t tree_size) {
  const std::uint64_t width = level_width(level, tree_size);
  if (index > width / kTileWidth) return 0;
  return std::min(width - index * kTileWidth, kTileWidth);
}

std::vector<Tile> completed_tiles(std::uint64_t old_size, std::uint64_t new_size) {
  CHECK(old_size <= new_size);
  std::vector<Tile> tiles;
  for (int level = 0; level <= kTileLevelMax; ++level) {
    const std::uint64_t end = level_width(level, new_size) / kTileWidth;
    for (std::uint64_t index = level_width(level, old_size) / kTileWidth; index < end; ++index) {
      tiles.push_back({level, index, kTileWidth});
    }
  }
  return tiles;
}

std::vector<Tile> partial_tiles(std::uint64_t tree_size) {
  std::vector<Tile> tiles;
  for (int level = 0; level <= kTileLevelMax; ++level) {
    const std::uint64_t width = level_width(level, tree_size);
    if (width % kTileWidth != 0) {
      tiles.push_back({level, width / kTileWidth, width % kTileWidth});
    }
  }
  return tiles;
}

std::string tile_bytes(std::span<const Hash> hashes) {
  CHECK(!hashes.empty() && hashes.size() <= kTileWidth);
  std::string bytes;
  bytes.reserve(hashes.size() * Hash().size());
  for (const Hash& hash : hashes) bytes += view_of(hash);
  return bytes;
}

Result<std::vector<Hash>> parse_tile(std::string_view bytes, std::uint64_t width) {
  CHECK(width >= 1 && width <= kTileWidth);
  if (bytes.size() != width * Hash().size()) {
    return failure(Code::kCorruption, "a tile of {} hashes has {} bytes", width, bytes.size());
  }
  std::vector<Hash> hashes(width);
  for (Hash& hash : hashes) {
    std::copy_n(bytes.begin(), hash.size(), hash.begin());
    bytes.remove_prefix(hash.size());
  }
  return hashes;
}

Hash subtree_root(std::span<const Hash> nodes) {
  CHECK(std::has_single_bit(nodes.size()));
  std::vector<Hash> level(nodes.begin(), nodes.end());
  while (level.size() > 1) {
    for (std::size_t i = 0; i < level.size(); i += 2) {
      level[i / 2] = hash_children(level[i], level[i + 1]);
    }
    level.resize(level.size() / 2);
  }
  return level.front();
}

}  // namespace avow::merkle
