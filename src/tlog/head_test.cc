// SPDX-License-Identifier: Apache-2.0
#include "tlog/head.h"

#include "tlog/sequencer_for_tests.h"

namespace avow::tlog {
namespace {

/// What a damaged or meddled-with disk gives back.
class TamperedStore : public testing::FaultyStore {
 public:
  using FaultyStore::FaultyStore;
  std::function<void(store::LogHead&)> change_head = [](auto&) {};
  std::function<void(store::LogEntry&)> change_entry = [](auto&) {};
  std::function<void(store::LogTile&)> change_tile = [](auto&) {};
  bool is_log_refused = false;  ///< kUnavailable.
  std::uint64_t entries_read = 0;
  std::uint64_t tiles_read = 0;

  Result<store::LogHead> newest_log_head() override {
    if (is_log_refused) return failure(Code::kUnavailable, "not now");
    auto head = FaultyStore::newest_log_head();
    if (head) change_head(*head);
    return head;
  }
  Result<std::vector<store::LogEntry>> read_log(std::uint32_t log, std::uint64_t index,
                                                std::size_t limit) override {
    auto entries = FaultyStore::read_log(log, index, limit);
    if (!entries) return entries;
    entries_read += entries->size();
    for (auto& entry : *entries) change_entry(entry);
    return entries;
  }
  Result<store::LogTile> get_log_tile(std::uint32_t log, int level, std::uint64_t index) override {
    auto tile = FaultyStore::get_log_tile(log, level, index);
    ++tiles_read;
    if (tile) change_tile(*tile);
    return tile;
  }
};

void flip(std::string& bytes, std::size_t at) { bytes[at] = static_cast<char>(bytes[at] ^ 1); }

class MeddledWith : public ::testing::Test {
 protected:
  MeddledWith() { world_.grow(599); }

  std::optional<std::string> sealed_with(const LogKeys& keys) {
    const auto opened =
        Sequencer::open(store_, keys, world_.scheduler, world_.rng, {.signing_threads = 0});
    EXPECT_TRUE(opened) << opened.error().message;
    return opened ? (*opened)->sealed() : std::nullopt;
  }

  LogWorld world_;
  TamperedStore store_{world_.store, *world_.executor};
};

TEST_F(MeddledWith, NotAtAllIsBelieved) { EXPECT_EQ(sealed_with(world_.keys), std::nullopt); }

TEST_F(MeddledWith, InAByteOfAFullTileAtTheEdgeIsSealed) {
  for (const std::uint64_t index : {0U, 1U}) {
    for (const std::size_t at : {std::size_t{0}, std::size_t{4000}, std::size_t{8191}}) {
      store_.change_tile = [&](store::LogTile& tile) {
        if (tile.index == index) flip(tile.bytes, at);
      };
      EXPECT_TRUE(sealed_with(world_.keys));
    }
  }
  store_.change_tile = [](store::LogTile& tile) { tile.bytes.pop_back(); };
  EXPECT_TRUE(sealed_with(world_.keys));
}

TEST_F(MeddledWith, InAByteOfAnEntryAtTheEdgeIsSealed) {
  SeededRng chance(3);
  for (std::uint64_t index = 512; index < 600; index += 29) {
    store_.change_entry = [&](store::LogEntry& entry) {
      if (entry.index == index) flip(entry.entry, chance.below(entry.entry.size()));
    };
    EXPECT_TRUE(sealed_with(world_.keys)) << index;
    store_.change_entry = [&](store::LogEntry& entry) {
      if (entry.index == index) flip(entry.statement, chance.below(entry.statement.size()));
    };
    EXPECT_TRUE(sealed_with(world_.keys)) << index;
  }
}

TEST_F(MeddledWith, InTheHeadIsSealed) {
  const auto head = world_.store.newest_log_head();
  ASSERT_TRUE(head);
  for (std::size_t at = 0; at < head->nodes.size(); at += 7) {
    store_.change_head = [&](store::LogHead& row) { flip(row.nodes, at); };
    EXPECT_TRUE(sealed_with(world_.keys));
  }
  for (std::size_t at = 0; at < head->checkpoint.size(); ++at) {
    store_.change_head = [&](store::LogHead& row) { flip(row.checkpoint, at); };
    EXPECT_TRUE(sealed_with(world_.keys)) << "byte " << at << " of the checkpoint";
  }
  for (const std::uint64_t size : {0U, 1U, 599U, 601U, 100'000U}) {
    store_.change_head = [&](store::LogHead& row) { row.size = size; };
    EXPECT_TRUE(sealed_with(world_.keys)) << size;
  }
  for (const std::uint64_t index : {1U, 599U, 600U}) {
    store_.change_head = [&](store::LogHead& row) { row.keys_index = index; };
    EXPECT_TRUE(sealed_with(world_.keys)) << index;
  }
}

TEST_F(MeddledWith, InTheStatementAboutKeysIsSealed) {
  SeededRng chance(4);
  for (int round = 0; round < 40; ++round) {
    store_.change_entry = [&](store::LogEntry& entry) {
      if (entry.index == 0) flip(entry.statement, chance.below(entry.statement.size()));
    };
    EXPECT_TRUE(sealed_with(world_.keys));
  }
}

TEST_F(MeddledWith, AndOpenedWithOtherKeysIsSealedAndStillShown) {
  LogKeys other_log = test_keys(9);
  other_log.statements = world_.keys.statements;
  LogKeys other_statements = world_.keys;
  other_statements.statements = crypto::P256PrivateKey::generate();
  LogKeys other_origin = world_.keys;
  other_origin.origin = "other.example.com";
  LogKeys other_overlap = world_.keys;
  other_overlap.old_log = crypto::Ed25519PrivateKey::from_seed(provenance::filled(8));
  for (const LogKeys& keys : {other_log, other_statements, other_origin, other_overlap}) {
    const auto opened = Sequencer::open(store_, keys, world_.scheduler, world_.rng);
    ASSERT_TRUE(opened);
    EXPECT_TRUE((*opened)->sealed());
    ASSERT_NE((*opened)->head(), nullptr);
    EXPECT_EQ((*opened)->head()->checkpoint.size, 600U);
  }
}

TEST_F(MeddledWith, AndUnreadableForNowIsAnErrorAndNotSealed) {
  store_.is_log_refused = true;
  const auto opened = Sequencer::open(store_, world_.keys, world_.scheduler, world_.rng);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::kUnavailable);
}

TEST_F(MeddledWith, OrNotReadsNoMoreThanTheRightEdge) {
  ASSERT_EQ(sealed_with(world_.keys), std::nullopt);
  EXPECT_EQ(store_.entries_read, 600U % 256 + 1);  // and the statement about keys
  EXPECT_EQ(store_.tiles_read, 2U);
}

// 70000 leaves have full tiles on two levels and hashes on three.
TEST(Head, HasTheTilesAndTheEdgeOfALargeTree) {
  const auto entries = merkle::oracle::entries(70'000);
  const std::span<const std::string> all(entries);
  Head head{.log = 3, .checkpoint = {}, .note = {}, .range = {}};
  std::map<std::pair<int, std::uint64_t>, std::string> tiles;
  for (const std::string& entry : entries) {
    for (auto& tile : append(head, merkle::hash_leaf(entry))) {
      EXPECT_EQ(tile.log, 3U);
      EXPECT_TRUE(tiles.emplace(std::pair{tile.level, tile.index}, tile.bytes).second);
    }
  }
  EXPECT_EQ(head.range.root(), merkle::oracle::root(all));
  EXPECT_EQ(tiles.size(), 273U + 1U);
  for (const auto& [place, bytes] : tiles) {
    const std::size_t width = place.first == 0 ? 1 : 256;
    std::vector<merkle::Hash> hashes;
    hashes.reserve(256);
    for (std::size_t i = 0; i < 256; ++i) {
      hashes.push_back(merkle::oracle::root(all.subspan((place.second * 256 + i) * width, width)));
    }
    EXPECT_EQ(bytes, joined(hashes)) << place.first << "/" << place.second;
  }
  ASSERT_EQ(head.edge.size(), 3U);
  EXPECT_EQ(head.edge[0].size(), 112U);
  EXPECT_EQ(head.edge[1].size(), 17U);
  ASSERT_EQ(head.edge[2].size(), 1U);
  EXPECT_EQ(head.edge[2][0], merkle::oracle::root(all.first(65'536)));
}

}  // namespace
}  // namespace avow::tlog
