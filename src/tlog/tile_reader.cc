// SPDX-License-Identifier: Apache-2.0
#include "tlog/tile_reader.h"

#include "merkle/entry_bundle.h"
#include "merkle/proof.h"
#include "merkle/tile_nodes.h"

namespace avow::tlog {
namespace {

using merkle::Hash;
using merkle::kEntriesLevel;
using merkle::kTileHeight;
using merkle::kTileWidth;
using merkle::Tile;

/// The first hashes of the partial tile at the right edge of `head`; null pointer if `tile` is
/// another one, or wider.
const std::vector<Hash>* edge_with(const Head* head, const Tile& tile) {
  if (head == nullptr) return nullptr;
  const auto level = static_cast<std::size_t>(tile.level);
  if (level >= head->edge.size() || head->edge[level].size() < tile.width) return nullptr;
  // How many tiles are full to its left; a shift by 64 is no shift.
  const int height = kTileHeight * (tile.level + 1);
  const std::uint64_t at = height < 64 ? head->checkpoint.size >> height : 0;
  return tile.index == at ? &head->edge[level] : nullptr;
}

}  // namespace

Result<std::string> TileReader::tile(const Tile& tile, std::uint64_t size) {
  if (tile.level < kEntriesLevel || tile.level > merkle::kTileLevelMax || tile.width < 1 ||
      tile.width > merkle::tile_width(tile.level, tile.index, size)) {
    return failure(Code::kNotFound, "a tree of {} leaves has no {}", size, tile.path());
  }
  if (tile.level == kEntriesLevel) return bundle(tile);
  if (const auto* edge = edge_with(head_.get(), tile)) {
    return merkle::tile_bytes(std::span(*edge).first(tile.width));
  }
  auto full = store_.get_log_tile(log_, tile.level, tile.index);
  if (full) {
    if (full->bytes.size() != kTileWidth * sizeof(Hash)) {
      return failure(Code::kCorruption, "{} of log {} has {} bytes", tile.path(), log_,
                     full->bytes.size());
    }
    full->bytes.resize(tile.width * sizeof(Hash));
    return std::move(full->bytes);
  }
  if (full.error().code != Code::kNotFound) return full.error();
  if (tile.width == kTileWidth) {
    return failure(Code::kCorruption, "log {} lacks the full tile {}", log_, tile.path());
  }
  return tile.level == 0 ? made_of_entries(tile) : made_of_tiles_below(tile);
}

Result<std::vector<store::LogEntry>> TileReader::entries_of(const Tile& tile) {
  const std::uint64_t first = tile.index * kTileWidth;
  ASSIGN_OR_RETURN(auto entries, store_.read_log(log_, first, tile.width));
  // Without gaps: what stands at its end has the index that it must have.
  if (entries.size() != tile.width || entries.back().index != first + tile.width - 1) {
    return failure(Code::kCorruption, "log {} lacks entries from {} on", log_,
                   first + entries.size());
  }
  return entries;
}

Result<std::string> TileReader::bundle(const Tile& tile) {
  ASSIGN_OR_RETURN(const auto entries, entries_of(tile));
  std::string bundle;
  for (const store::LogEntry& entry : entries) {
    RETURN_IF_ERROR(merkle::append_entry(bundle, entry.entry));
  }
  return bundle;
}

Result<std::string> TileReader::made_of_entries(const Tile& tile) {
  ASSIGN_OR_RETURN(const auto entries, entries_of(tile));
  std::vector<Hash> hashes;
  hashes.reserve(entries.size());
  for (const store::LogEntry& entry : entries) hashes.push_back(merkle::hash_leaf(entry.entry));
  return merkle::tile_bytes(hashes);
}

Result<std::string> TileReader::made_of_tiles_below(const Tile& tile) {
  std::vector<Hash> hashes;
  hashes.reserve(tile.width);
  const std::uint64_t first = tile.index * kTileWidth;
  for (std::uint64_t i = first; i < first + tile.width; ++i) {
    ASSIGN_OR_RETURN(const auto below, store_.get_log_tile(log_, tile.level - 1, i));
    ASSIGN_OR_RETURN(const auto nodes, merkle::parse_tile(below.bytes, kTileWidth));
    hashes.push_back(merkle::subtree_root(nodes));
  }
  return merkle::tile_bytes(hashes);
}

merkle::NodeSource TileReader::nodes(std::uint64_t size) {
  auto nodes = std::make_shared<merkle::TileNodes>(
      size, [this, size](const Tile& wanted) { return tile(wanted, size); });
  return [nodes](const merkle::Node& node) { return (*nodes)(node); };
}

Result<provenance::LoggedStatement> prove(TileReader& tiles, const store::LogEntry& entry,
                                          std::uint64_t size) {
  if (entry.index >= size) {
    return failure(Code::kNotFound, "entry {} is not in a tree of {} leaves", entry.index, size);
  }
  ASSIGN_OR_RETURN(auto proof, merkle::prove_inclusion(entry.index, size, tiles.nodes(size)));
  return provenance::LoggedStatement{entry.statement, entry.entry, entry.index,
                                     std::move(proof.siblings)};
}

}  // namespace avow::tlog
