// SPDX-License-Identifier: Apache-2.0
// The oracle is the recursive tree of merkle/recursive_tree.h over the same entries: its leaf
// hashes are the tiles of level 0, its roots over 256 of them those of level 1.
#include "tlog/tile_reader.h"

#include <gtest/gtest.h>

#include "merkle/entry_bundle.h"
#include "merkle/proof.h"
#include "merkle/recursive_tree.h"
#include "store/memory/memory_store.h"
#include "testing/scheduler.h"
#include "tlog/rows_for_tests.h"

namespace avow::tlog {
namespace {

using merkle::kEntriesLevel;
using merkle::kTileWidth;
using merkle::Tile;

/// A log that grows in a store, with the head that goes with it, and what the oracle says of it.
struct Fixture {
  testing::Scheduler scheduler;
  std::unique_ptr<Executor> strand = scheduler.make_executor();
  store::MemoryStore store{*strand};
  std::vector<std::string> entries;
  std::shared_ptr<const Head> head = std::make_shared<Head>();
  std::vector<std::string> levels{2};  ///< The oracle's hashes of levels 0 and 1, end to end.

  void grow(std::size_t size) {
    LogRows rows;
    const auto wanted = merkle::oracle::entries(size);
    Head next = *head;
    for (std::size_t i = entries.size(); i < size; ++i) {
      entries.push_back(wanted[i]);
      store::LogEntry entry;
      entry.index = i;
      entry.tenant_seq = i + 1;
      entry.entry = wanted[i];
      rows.entries.push_back(entry);
      for (store::LogTile& tile : append(next, merkle::hash_leaf(wanted[i]))) {
        rows.tiles.push_back(std::move(tile));
      }
      levels[0] += view_of(merkle::oracle::leaf(wanted[i]));
      if ((i + 1) % kTileWidth == 0) {
        levels[1] += view_of(merkle::oracle::root(
            merkle::oracle::Entries(entries).subspan(i + 1 - kTileWidth, kTileWidth)));
      }
    }
    next.checkpoint.size = size;
    head = std::make_shared<const Head>(std::move(next));
    put_rows(store, scheduler, std::move(rows));
  }

  [[nodiscard]] std::string expected(const Tile& tile) const {
    return levels.at(static_cast<std::size_t>(tile.level))
        .substr(tile.index * kTileWidth * 32, tile.width * 32);
  }
  [[nodiscard]] merkle::Hash root(std::size_t size) const {
    return merkle::oracle::root(merkle::oracle::Entries(entries).first(size));
  }
};

/// Every tile of levels 0 and 1 that some tree of up to `size` leaves has, and the smallest tree.
template <class Visit>
void for_each_tile(std::uint64_t size, const Visit& visit) {
  for (std::uint64_t nodes = 1; nodes <= size; ++nodes) {
    visit(Tile{0, (nodes - 1) / kTileWidth, (nodes - 1) % kTileWidth + 1}, nodes);
  }
  for (std::uint64_t nodes = 1; nodes <= size / kTileWidth; ++nodes) {
    visit(Tile{1, (nodes - 1) / kTileWidth, (nodes - 1) % kTileWidth + 1}, nodes * kTileWidth);
  }
}

void expect_every_tile(Fixture& log, const std::shared_ptr<const Head>& head) {
  TileReader tiles(log.store, 1, head);
  const std::uint64_t size = log.entries.size();
  for_each_tile(size, [&](const Tile& tile, std::uint64_t smallest) {
    for (const std::uint64_t at : {smallest, size}) {
      const auto bytes = tiles.tile(tile, at);
      ASSERT_TRUE(bytes) << tile.path() << " at " << at << ": " << bytes.error().message;
      ASSERT_EQ(*bytes, log.expected(tile)) << tile.path() << " at " << at << " of " << size;
    }
    const auto early = tiles.tile(tile, smallest - 1);
    ASSERT_FALSE(early) << tile.path() << " at " << smallest - 1;
    ASSERT_EQ(early.error().code, Code::kNotFound);
  });
}

bool is_edge_of_a_tile(std::size_t size) {
  return size <= 3 || size % kTileWidth <= 1 || size % kTileWidth == kTileWidth - 1 || size == 600;
}

TEST(TileReader, GivesEveryTileOfEveryEarlierSizeUpTo600) {
  Fixture log;
  for (std::size_t size = 1; size <= 600; ++size) {
    log.grow(size);
    ASSERT_NO_FATAL_FAILURE(expect_every_tile(log, log.head));
    if (is_edge_of_a_tile(size)) {
      ASSERT_NO_FATAL_FAILURE(expect_every_tile(log, nullptr));
    }
  }
}

TEST(TileReader, GivesBundlesOfTheEntriesThatATileIsOf) {
  Fixture log;
  log.grow(600);
  TileReader tiles(log.store, 1, log.head);
  for (std::uint64_t size = 1; size <= 600; ++size) {
    const Tile tile{kEntriesLevel, (size - 1) / kTileWidth, (size - 1) % kTileWidth + 1};
    const auto bundle = tiles.tile(tile, size);
    ASSERT_TRUE(bundle) << bundle.error().message;
    const auto read = merkle::parse_entry_bundle(*bundle, tile.width);
    ASSERT_TRUE(read);
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      ASSERT_EQ((*read)[i], log.entries[tile.index * kTileWidth + i]);
    }
  }
  EXPECT_EQ(tiles.tile({kEntriesLevel, 2, 89}, 600).error().code, Code::kNotFound);
}

void expect_proofs(Fixture& log, TileReader& tiles, std::uint64_t index, std::uint64_t size) {
  store::LogEntry entry;
  entry.index = index;
  const auto logged = prove(tiles, entry, size);
  ASSERT_TRUE(logged) << logged.error().message;
  EXPECT_TRUE(merkle::verify_inclusion(merkle::oracle::leaf(log.entries[index]),
                                       {index, size, logged->path}, log.root(size)))
      << "entry " << index << " of " << size;
  const auto grew = merkle::prove_consistency(index + 1, size, tiles.nodes(size));
  ASSERT_TRUE(grew) << grew.error().message;
  EXPECT_TRUE(merkle::verify_consistency(*grew, log.root(index + 1), log.root(size)))
      << "from " << index + 1 << " to " << size;
}

TEST(TileReader, ProvesEntriesInEverySizeUpTo600) {
  Fixture log;
  SeededRng chance(600);
  log.grow(600);
  const std::uint64_t grown = log.entries.size();
  for (std::uint64_t size = 1; size <= grown; ++size) {
    TileReader with_edge(log.store, 1, log.head);
    TileReader without(log.store, 1, nullptr);
    for (const std::uint64_t index : {std::uint64_t{0}, chance.below(size), size - 1}) {
      ASSERT_NO_FATAL_FAILURE(expect_proofs(log, with_edge, index, size));
    }
    ASSERT_NO_FATAL_FAILURE(expect_proofs(log, without, chance.below(size), size));
  }
}

TEST(TileReader, ProvesEntriesOfALogOfThreeLevels) {
  constexpr std::uint64_t kSeed = 65'536;
  Fixture log;
  SeededRng chance(kSeed);
  log.grow(65'536 + 700);
  TileReader with_edge(log.store, 1, log.head);
  TileReader without(log.store, 1, nullptr);
  for (const std::uint64_t size : {std::uint64_t{65'535}, std::uint64_t{65'536},
                                   std::uint64_t{65'537}, 65'537 + chance.below(700)}) {
    const std::uint64_t index = chance.below(size);
    SCOPED_TRACE(::testing::Message() << "seed " << kSeed);
    ASSERT_NO_FATAL_FAILURE(expect_proofs(log, with_edge, index, size));
    ASSERT_NO_FATAL_FAILURE(expect_proofs(log, without, index, size));
  }
}

TEST(TileReader, ProvesNoEntryBehindTheTree) {
  Fixture log;
  log.grow(3);
  TileReader tiles(log.store, 1, log.head);
  store::LogEntry entry;
  entry.index = 2;
  EXPECT_EQ(prove(tiles, entry, 2).error().code, Code::kNotFound);
}

TEST(TileReader, CallsAStoreCorruptThatLacksATileOrAnEntry) {
  testing::Scheduler scheduler;
  const auto strand = scheduler.make_executor();
  store::MemoryStore store(*strand);
  LogRows rows;
  for (const std::uint64_t index : {0U, 1U, 3U}) {
    store::LogEntry entry;
    entry.index = index;
    entry.tenant_seq = index + 1;
    rows.entries.push_back(entry);
  }
  rows.tiles.push_back({1, 0, 1, std::string(31, 'x')});
  put_rows(store, scheduler, std::move(rows));
  TileReader tiles(store, 1, nullptr);
  EXPECT_TRUE(tiles.tile({0, 0, 2}, 2));
  EXPECT_EQ(tiles.tile({0, 0, 3}, 3).error().code, Code::kCorruption);
  EXPECT_EQ(tiles.tile({kEntriesLevel, 0, 4}, 4).error().code, Code::kCorruption);
  EXPECT_EQ(tiles.tile({0, 0, kTileWidth}, kTileWidth).error().code, Code::kCorruption);
  EXPECT_EQ(tiles.tile({0, 1, 1}, 257).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace avow::tlog
