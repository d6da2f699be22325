// SPDX-License-Identifier: Apache-2.0
#include "merkle/tile.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"
#include "merkle/compact_range.h"
#include "merkle/proof.h"
#include "merkle/tile_nodes.h"

namespace avow::merkle {
namespace {

constexpr std::uint64_t kSizeMax = ~std::uint64_t{0};

Hash leaf(std::uint64_t i) { return hash_leaf(std::to_string(i)); }

/// The tiles of a log by their paths, grown as a log grows them: full tiles are written once.
class TileLog {
 public:
  void append() {
    Hash hash = leaf(size_++);
    for (std::size_t level = 0;; ++level) {
      if (edge_.size() == level) edge_.emplace_back();
      edge_[level].push_back(hash);
      if (edge_[level].size() < kTileWidth) return;
      const Tile tile{static_cast<int>(level), full_[level]++, kTileWidth};
      EXPECT_TRUE(files_.emplace(tile.path(), tile_bytes(edge_[level])).second);
      hash = subtree_root(edge_[level]);
      edge_[level].clear();
    }
  }

  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// The full tiles.
  [[nodiscard]] const std::map<std::string, std::string>& files() const { return files_; }

  Result<std::string> read(const Tile& tile) const {
    if (tile.width == kTileWidth) {
      const auto file = files_.find(tile.path());
      if (file == files_.end()) return failure(Code::kNotFound, "no {}", tile.path());
      return file->second;
    }
    const auto& edge = edge_.at(static_cast<std::size_t>(tile.level));
    EXPECT_EQ(edge.size(), tile.width) << tile.path();
    return tile_bytes(edge);
  }

 private:
  std::map<std::string, std::string> files_;
  std::uint64_t size_ = 0;
  std::vector<std::vector<Hash>> edge_;
  std::map<std::size_t, std::uint64_t> full_;
};

TEST(TilePath, IsThatOfTheExamplesInC2sp) {
  EXPECT_EQ((Tile{0, 1234067, 256}).path(), "tile/0/x001/x234/067");
  EXPECT_EQ((Tile{3, 1234067, 1}).path(), "tile/3/x001/x234/067.p/1");
  EXPECT_EQ((Tile{0, 0, 256}).path(), "tile/0/000");
  EXPECT_EQ((Tile{kEntriesLevel, 1000, 17}).path(), "tile/entries/x001/000.p/17");
}

TEST(TilePath, IsReadBackForEveryWidthAndForIndexesOfEveryLength) {
  std::uint64_t tiles = 0;
  for (int level = kEntriesLevel; level <= kTileLevelMax; ++level) {
    const std::uint64_t last = (kSizeMax >> (8 * std::max(level, 0))) / 256;
    std::set<std::uint64_t> indexes = {0, last, last / 2};
    for (std::uint64_t power = 10; power <= last && power < kSizeMax / 10; power *= 10) {
      indexes.insert({power - 1, power, power + 1});
    }
    for (const std::uint64_t index : indexes) {
      if (index > last) continue;
      for (std::uint64_t width = 1; width <= kTileWidth; ++width) {
        const Tile tile{level, index, width};
        const auto read = Tile::parse_path(tile.path());
        ASSERT_TRUE(read) << tile.path();
        EXPECT_EQ(*read, tile) << tile.path();
        ++tiles;
      }
    }
  }
  EXPECT_GT(tiles, 50'000U);
}

TEST(TilePath, IsRefusedInEveryOtherSpelling) {
  for (const std::string_view path : {
           "",
           "tile",
           "tile/",
           "tile/0",
           "tile/0/",
           "tile/0/0",
           "tile/0/00",
           "tile/0/0000",
           "tile/0/001/",
           "/tile/0/001",
           "tile//001",
           "tile/00/001",
           "tile/-1/001",
           "tile/+1/001",
           "tile/8/000",
           "tile/63/000",
           "tile/64/000",
           "tile/data/000",
           "tile/entries",
           "tile/entries/",
           "tile/Entries/000",
           "tile/entries/0/000",
           "tile/0/x000/001",
           "tile/0/x000/x000/001",
           "tile/0/001/001",
           "tile/0/x001",
           "tile/0/x001/",
           "tile/0/x001/x002",
           "tile/0/x001//002",
           "tile/0/X001/002",
           "tile/0/xx01/002",
           "tile/0/x01/002",
           "tile/0/x0001/002",
           "tile/0/x001/2",
           "tile/0/x-01/002",
           "tile/0/x+01/002",
           "tile/0/x 01/002",
           "tile/0/ 01",
           "tile/0/-01",
           "tile/0/+01",
           "tile/0/0x1",
           "tile/0/001.p",
           "tile/0/001.p/",
           "tile/0/001.p/0",
           "tile/0/001.p/00",
           "tile/0/001.p/01",
           "tile/0/001.p/256",
           "tile/0/001.p/257",
           "tile/0/001.p/-1",
           "tile/0/001.p/+1",
           "tile/0/001.p/1/",
           "tile/0/001.p/1.p/1",
           "tile/0/001.p/18446744073709551617",
           "tile/0/001.q/1",
           "tile/0/001.P/1",
           "tile/0/.p/1",
           "tile/0/x001.p/1/002",
           "tile/7/001",                                // beyond a tree of 2^64 - 1 leaves
           "tile/0/x072/x057/x594/x037/x927/936",       // the first index that none has: 2^56
           "tile/0/x018/x446/x744/x073/x709/x551/616",  // 2^64
           "tile/0/x999/x999/x999/x999/x999/x999/x999/x999/x999/999",
           "tile/0/../../etc/passwd",
           "tile/0/%30%30%31",
           "tile/0/001?x",
       }) {
    const auto refused = Tile::parse_path(path);
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(Tile::parse_path(std::string_view("tile/0/001\0", 11)));
  EXPECT_TRUE(Tile::parse_path("tile/0/x072/x057/x594/x037/x927/935"));  // 2^56 - 1
}

TEST(TilePath, ThatWasMutatedIsRefusedOrNamesItself) {
  SeededRng rng(20261);
  const std::string alphabet = "0123456789x/.p-entrisal+ ";
  for (int i = 0; i < 100'000; ++i) {
    std::string path =
        Tile{static_cast<int>(rng.below(9)) - 1, rng.next() >> rng.below(64), rng.below(256) + 1}
            .path();
    for (std::uint64_t n = rng.below(3); n > 0; --n) {
      const std::size_t at = rng.below(path.size());
      if (rng.below(3) == 0) path.erase(at, 1);
      path.insert(at, 1, alphabet[rng.below(alphabet.size())]);
    }
    const auto tile = Tile::parse_path(path);
    if (tile) {
      EXPECT_EQ(tile->path(), path);
    }
  }
}

TEST(TileGrowth, IsThatOfTheExampleInC2sp) {
  // "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile
  // of width 112, one full level 1 tile, one partial level 1 tile of width 17, and one partial
  // level 2 tile of width 1"
  const auto full = completed_tiles(0, 70'000);
  EXPECT_EQ(full.size(), 274U);
  EXPECT_EQ(full.front(), (Tile{0, 0, 256}));
  EXPECT_EQ(full[272], (Tile{0, 272, 256}));
  EXPECT_EQ(full.back(), (Tile{1, 0, 256}));
  EXPECT_EQ(partial_tiles(70'000), (std::vector<Tile>{{0, 273, 112}, {1, 1, 17}, {2, 0, 1}}));
  // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile"
  EXPECT_EQ(completed_tiles(0, 256), (std::vector<Tile>{{0, 0, 256}}));
  EXPECT_EQ(partial_tiles(256), (std::vector<Tile>{{1, 0, 1}}));
  EXPECT_TRUE(completed_tiles(0, 255).empty());
  EXPECT_TRUE(partial_tiles(0).empty());
}

TEST(TileGrowth, CompletesAsManyTilesAsGosTlogDoes) {
  // From golang.org/x/mod/sumdb/tlog, NewTiles(8, old, new): those of full width.
  struct {
    std::uint64_t old_size, new_size, full;
  } const cases[] = {{0, 70'000, 274},    {255, 257, 1}, {65'535, 65'537, 2},
                     {70'000, 70'001, 0}, {0, 0, 0},     {49'516'517, 49'516'586, 1}};
  for (const auto& [old_size, new_size, full] : cases) {
    EXPECT_EQ(completed_tiles(old_size, new_size).size(), full) << old_size << " to " << new_size;
  }
}

TEST(TileGrowth, InAnyStepsCompletesEachTileOnceAndInAll) {
  SeededRng rng(7);
  constexpr std::uint64_t kSize = 300'000;
  std::vector<Tile> stepwise;
  for (std::uint64_t size = 0; size < kSize;) {
    const std::uint64_t next = std::min(kSize, size + rng.below(700));
    for (const Tile& tile : completed_tiles(size, next)) {
      EXPECT_EQ(tile_width(tile.level, tile.index, next), kTileWidth);
      EXPECT_LT(tile_width(tile.level, tile.index, size), kTileWidth);
      stepwise.push_back(tile);
    }
    for (const Tile& tile : partial_tiles(next)) {
      EXPECT_EQ(tile_width(tile.level, tile.index, next), tile.width);
      EXPECT_EQ(tile_width(tile.level, tile.index + 1, next), 0U);
    }
    size = next;
  }
  auto at_once = completed_tiles(0, kSize);
  std::sort(stepwise.begin(), stepwise.end());
  EXPECT_EQ(stepwise, at_once);
}

TEST(TileGrowth, OfTheLargestTreesIsReadWithoutOverflow) {
  // 2^64 - 1 lacks one leaf to complete the tiles at its right edge, on every level.
  const auto partial = partial_tiles(kSizeMax);
  ASSERT_EQ(partial.size(), 8U);
  for (int level = 0; level <= kTileLevelMax; ++level) {
    const std::uint64_t last = (kSizeMax >> (8 * level)) / 256;
    EXPECT_EQ(partial[static_cast<std::size_t>(level)], (Tile{level, last, 255}));
    EXPECT_EQ(tile_width(level, last, kSizeMax), 255U);
    EXPECT_EQ(tile_width(level, kSizeMax, kSizeMax), 0U);
  }
  EXPECT_EQ(completed_tiles(kSizeMax - 256, kSizeMax).size(), 1U);
}

TEST(Tile, OfBytesGivesBackItsHashesAndNoOtherLengthIsRead) {
  std::vector<Hash> hashes;
  for (std::uint64_t width = 1; width <= kTileWidth; ++width) {
    hashes.push_back(leaf(width));
    const std::string bytes = tile_bytes(hashes);
    EXPECT_EQ(*parse_tile(bytes, width), hashes);
    EXPECT_EQ(parse_tile(bytes.substr(1), width).error().code, Code::kCorruption);
    EXPECT_EQ(parse_tile(bytes + '\0', width).error().code, Code::kCorruption);
  }
  EXPECT_EQ(tile_bytes(hashes).size(), 8192U);
  EXPECT_FALSE(parse_tile("", 1));
}

TEST(TileNodes, GiveTheRootAndTheProofsOfALogAsItGrows) {
  // Roots from CompactRange, which the recursive oracle checks; proofs judged by the verifiers.
  TileLog log;
  CompactRange range;
  std::vector<std::pair<std::uint64_t, Hash>> heads;
  SeededRng rng(3);
  while (log.size() < 66'000) {
    range.append(leaf(log.size()));
    log.append();
    const std::uint64_t size = log.size();
    const bool at_an_edge = size % 256 <= 1 || size % 256 == 255 || size <= 4;
    if (size % 997 != 0 && !(at_an_edge && (size < 1'100 || size > 65'200))) continue;
    TileNodes nodes(size, [&log](const Tile& tile) { return log.read(tile); });
    const NodeSource source = std::ref(nodes);
    const Hash root = range.root();
    ASSERT_EQ(*root_at(size, source), root) << "size " << size;
    heads.emplace_back(size, root);

    const std::uint64_t random = rng.below(size);
    for (const std::uint64_t index : {std::uint64_t{0}, random, size - 1}) {
      const auto proof = prove_inclusion(index, size, source);
      ASSERT_TRUE(proof) << index << " of " << size;
      EXPECT_TRUE(verify_inclusion(leaf(index), *proof, root)) << index << " of " << size;
    }
    const auto& [old_size, old_root] = heads[rng.below(heads.size())];
    const auto grown = prove_consistency(old_size, size, source);
    ASSERT_TRUE(grown) << old_size << " to " << size;
    EXPECT_TRUE(verify_consistency(*grown, old_root, root)) << old_size << " to " << size;
  }
  // What was written on the way is what completed_tiles() names.
  std::set<std::string> named;
  for (const Tile& tile : completed_tiles(0, log.size())) named.insert(tile.path());
  EXPECT_EQ(named.size(), log.files().size());
  for (const auto& [path, bytes] : log.files()) EXPECT_TRUE(named.contains(path)) << path;
}

TEST(TileNodes, ReadEachTileOnceForAProof) {
  TileLog log;
  for (int i = 0; i < 1000; ++i) log.append();
  std::multiset<std::string> read;
  TileNodes nodes(1000, [&](const Tile& tile) {
    read.insert(tile.path());
    return log.read(tile);
  });
  EXPECT_TRUE(prove_inclusion(300, 1000, std::ref(nodes)));
  EXPECT_EQ(read, (std::multiset<std::string>{"tile/0/001", "tile/0/003.p/232", "tile/1/000.p/3"}));
}

TEST(TileNodes, RefuseNodesOutsideTheTreeAndTilesOfAnotherLength) {
  TileLog log;
  for (int i = 0; i < 300; ++i) log.append();
  TileNodes nodes(300, [&log](const Tile& tile) { return log.read(tile); });
  EXPECT_TRUE(nodes({0, 299}));
  EXPECT_TRUE(nodes({8, 0}));
  for (const Node& node : {Node{0, 300}, Node{8, 1}, Node{9, 0}, Node{63, 0}, Node{64, 0},
                           Node{-1, 0}, Node{0, kSizeMax}, Node{63, kSizeMax}}) {
    const auto refused = nodes(node);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
  TileNodes longer(300, [&log](const Tile& tile) {
    auto bytes = log.read(tile);
    return Result<std::string>(*bytes + 'x');
  });
  EXPECT_EQ(longer({0, 0}).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace avow::merkle
