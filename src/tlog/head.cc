// SPDX-License-Identifier: Apache-2.0
#include "tlog/head.h"

#include <bit>
#include <span>

#include "merkle/note.h"
#include "merkle/tile.h"
#include "provenance/entry.h"
#include "provenance/statement.h"

namespace avow::tlog {
namespace {

using merkle::Hash;
using merkle::kTileHeight;
using merkle::kTileWidth;

std::string pack(std::span<const Hash> nodes) {
  std::string bytes;
  bytes.reserve(nodes.size() * Hash().size());
  for (const Hash& node : nodes) bytes += view_of(node);
  return bytes;
}

/// What is missing where the head says that it is, is damage.
Error damage(const Error& error, std::string_view what, std::uint64_t index) {
  const Code code = error.code == Code::kNotFound ? Code::kCorruption : error.code;
  return {code, fmt::format("{} {}: {}", what, index, error.message)};
}

/// The leaf hashes of the last `width` entries of `row`'s log.
Result<std::vector<Hash>> edge_leaves(store::Store& store, const store::LogHead& row,
                                      std::uint64_t width) {
  std::vector<Hash> leaves;
  const std::uint64_t first = row.size - width;
  if (width == 0) return leaves;
  auto entries = store.read_log(row.log, first, width);
  if (!entries) return damage(entries.error(), "entries from", first);
  if (entries->size() != width) {
    return failure(Code::kCorruption, "entries from {}: {} of {} are there", first, entries->size(),
                   width);
  }
  for (const store::LogEntry& entry : *entries) {
    const std::uint64_t index = first + leaves.size();
    const auto decoded = provenance::decode_entry(entry.entry);
    if (!decoded) return damage(decoded.error(), "entry", index);
    if (entry.index != index || decoded->digest != provenance::statement_digest(entry.statement)) {
      return failure(Code::kCorruption, "entry {} is not that of its statement", index);
    }
    leaves.push_back(merkle::hash_leaf(entry.entry));
  }
  return leaves;
}

/// The partial tile of `level` > 0, of the full tiles below it.
Result<std::vector<Hash>> edge_level(store::Store& store, const store::LogHead& row, int level) {
  const std::uint64_t end = row.size >> (level * kTileHeight);  // full tiles of the level below
  std::vector<Hash> hashes;
  for (std::uint64_t index = end - end % kTileWidth; index < end; ++index) {
    auto tile = store.get_log_tile(row.log, level - 1, index);
    const auto name = fmt::format("tile of level {} at", level - 1);
    if (!tile) return damage(tile.error(), name, index);
    auto below = merkle::parse_tile(tile->bytes, kTileWidth);
    if (!below) return damage(below.error(), name, index);
    hashes.push_back(merkle::subtree_root(*below));
  }
  return hashes;
}

/// The compact range's nodes: those subtrees of each level's partial tile that are as large as can
/// be, from the left, the highest level first.
std::vector<Hash> nodes_of(const std::vector<std::vector<Hash>>& edge) {
  std::vector<Hash> nodes;
  for (auto level = edge.rbegin(); level != edge.rend(); ++level) {
    std::span<const Hash> rest = *level;
    while (!rest.empty()) {
      const std::size_t size = std::bit_floor(rest.size());
      nodes.push_back(merkle::subtree_root(rest.first(size)));
      rest = rest.subspan(size);
    }
  }
  return nodes;
}

}  // namespace

Result<merkle::Checkpoint> checkpoint_of(const std::string& note) {
  const auto parsed = merkle::Note::parse(note);
  if (!parsed) return Error{Code::kCorruption, parsed.error().message};
  auto checkpoint = merkle::Checkpoint::parse(parsed->text);
  if (!checkpoint) return Error{Code::kCorruption, checkpoint.error().message};
  return checkpoint;
}

std::vector<store::LogTile> append(Head& head, const Hash& leaf) {
  head.range.append(leaf);
  std::vector<store::LogTile> tiles;
  Hash hash = leaf;
  for (std::size_t level = 0;; ++level) {
    if (level == head.edge.size()) head.edge.emplace_back();
    std::vector<Hash>& hashes = head.edge[level];
    hashes.push_back(hash);
    if (hashes.size() < kTileWidth) return tiles;
    const auto height = kTileHeight * (static_cast<int>(level) + 1);
    tiles.push_back({head.log, static_cast<int>(level), (head.range.size() >> height) - 1,
                     merkle::tile_bytes(hashes)});
    hash = merkle::subtree_root(hashes);
    hashes.clear();
  }
}

store::LogHead row_of(const Head& head) {
  return {head.log, head.checkpoint.size, pack(head.range.nodes()), head.note, head.keys_index};
}

Result<Head> restore_head(store::Store& store, const store::LogHead& row) {
  ASSIGN_OR_RETURN(merkle::Checkpoint checkpoint, checkpoint_of(row.checkpoint));
  Head head{row.log, std::move(checkpoint), row.checkpoint, row.keys_index, {}};
  if (head.checkpoint.size != row.size || row.keys_index >= row.size) {
    return failure(Code::kCorruption,
                   "a head of size {} has a checkpoint of size {} and its keys at {}", row.size,
                   head.checkpoint.size, row.keys_index);
  }
  ASSIGN_OR_RETURN(auto leaves, edge_leaves(store, row, row.size % kTileWidth));
  head.edge.push_back(std::move(leaves));
  for (int level = 1; level <= merkle::kTileLevelMax && row.size >> (level * kTileHeight) > 0;
       ++level) {
    ASSIGN_OR_RETURN(auto hashes, edge_level(store, row, level));
    head.edge.push_back(std::move(hashes));
  }
  std::vector<Hash> nodes = nodes_of(head.edge);
  if (pack(nodes) != row.nodes) {
    return failure(Code::kCorruption, "the tiles and entries of size {} make other nodes than kept",
                   row.size);
  }
  ASSIGN_OR_RETURN(head.range, merkle::CompactRange::restore(row.size, std::move(nodes)));
  if (head.range.root() != head.checkpoint.root) {
    return failure(Code::kCorruption, "the tree of size {} has another root than its checkpoint",
                   row.size);
  }
  return head;
}

Result<std::string> newest_origin(store::Store& store) {
  const auto row = store.newest_log_head();
  if (row) {
    if (auto checkpoint = checkpoint_of(row->checkpoint)) return checkpoint->origin;
  } else if (row.error().code != Code::kNotFound && row.error().code != Code::kCorruption) {
    return row.error();
  }
  return store.get_meta("origin");
}

}  // namespace avow::tlog
