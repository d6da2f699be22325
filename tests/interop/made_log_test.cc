// SPDX-License-Identifier: Apache-2.0
// Logs of every shape that a server's log takes only after a long time, made with `merkle` alone,
// read by Go's checksum database packages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "merkle/checkpoint.h"
#include "merkle/compact_range.h"
#include "merkle/entry_bundle.h"
#include "merkle/note.h"
#include "merkle/tile.h"
#include "tests/interop/go_checksum.h"

namespace avow {
namespace {

using merkle::kTileWidth;
using merkle::Tile;
using ::testing::HasSubstr;

constexpr const char* kOrigin = "log.example.com";

/// A log that grows in memory and can be written as files at any size.
class MadeLog {
 public:
  explicit MadeLog(std::uint8_t seed = 1) : key_(key_of(seed)) {}

  [[nodiscard]] std::uint64_t size() const { return range_.size(); }
  [[nodiscard]] std::string vkey() const {
    return merkle::VerifierKey::ed25519(kOrigin, merkle::SignatureType::kEd25519, key_.public_key())
        .text();
  }
  /// Signed by the log and by a witness that nobody asked for.
  [[nodiscard]] std::string checkpoint() const {
    const std::string text = merkle::Checkpoint{kOrigin, size(), range_.root()}.text();
    const auto time = std::chrono::sys_seconds(std::chrono::seconds(1'795'000'000));
    return merkle::Note{text,
                        {merkle::sign_note(text, kOrigin, key_),
                         merkle::cosign_note(text, "witness.example", witness_, time)}}
        .format();
  }

  void grow(std::uint64_t size) {
    while (range_.size() < size) {
      // Of many lengths, an empty one and the longest among them.
      const std::uint64_t i = range_.size();
      entries_.push_back(i == 3 ? std::string(merkle::kEntryBytesMax, 'x')
                                : std::string(i % 11, 'e') + (i == 0 ? "" : std::to_string(i)));
      range_.append(merkle::hash_leaf(entries_.back()));
      add_hash(0, merkle::hash_leaf(entries_.back()));
    }
  }

  /// Everything that a tree of this size has: full tiles, partial ones, entry bundles.
  void write(const std::filesystem::path& folder) const {
    for (int level = 0; level < static_cast<int>(levels_.size()); ++level) {
      const auto& hashes = levels_[static_cast<std::size_t>(level)];
      for (std::uint64_t index = 0; index * kTileWidth < hashes.size(); ++index) {
        const Tile tile{level, index, merkle::tile_width(level, index, size())};
        const auto first = hashes.begin() + static_cast<std::ptrdiff_t>(index * kTileWidth);
        write(folder / tile.path(), merkle::tile_bytes({first, tile.width}));
        if (level == 0) write_bundle(folder, tile);
      }
    }
    write(folder / "checkpoint", checkpoint());
  }

  static void write(const std::filesystem::path& file, const std::string& bytes) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
  }

 private:
  void write_bundle(const std::filesystem::path& folder, const Tile& tile) const {
    std::string bundle;
    for (std::uint64_t i = 0; i < tile.width; ++i) {
      CHECK(merkle::append_entry(bundle, entries_[tile.index * kTileWidth + i]));
    }
    write(folder / Tile{merkle::kEntriesLevel, tile.index, tile.width}.path(), bundle);
  }

  void add_hash(std::size_t level, const merkle::Hash& hash) {
    if (level == levels_.size()) levels_.emplace_back();
    levels_[level].push_back(hash);
    if (levels_[level].size() % kTileWidth != 0) return;
    const std::span<const merkle::Hash> all = levels_[level];
    add_hash(level + 1, merkle::subtree_root(all.last(kTileWidth)));
  }

  static crypto::Ed25519PrivateKey key_of(std::uint8_t byte) {
    Bytes32 seed{};
    seed.fill(byte);
    return crypto::Ed25519PrivateKey::from_seed(seed);
  }

  const crypto::Ed25519PrivateKey key_;
  const crypto::Ed25519PrivateKey witness_ = key_of(99);
  std::vector<std::string> entries_;
  std::vector<std::vector<merkle::Hash>> levels_;
  merkle::CompactRange range_;
};

// Each log continues the one before it, whose checkpoint is proved in it.
TEST(GoChecksumDatabase, AcceptsMadeLogsOfEveryShapeAndRefusesAlteredOnes) {
  if (const auto why = GoChecksum::missing(); !why.empty()) GTEST_SKIP() << why;
  const GoChecksum program;
  const testing::TemporaryFolder folder;
  MadeLog log;
  std::string old;
  // Around one tile, and around a tile of tiles, where level 2 begins.
  for (const std::uint64_t size : std::initializer_list<std::uint64_t>{
           1, 2, 3, 7, 255, 256, 257, 511, 512, 1000, 65'535, 65'536, 65'537, 66'000}) {
    log.grow(size);
    const auto at = folder.path() / std::to_string(size);
    log.write(at);
    std::vector<std::string> arguments = {"-log", at.string(), "-vkey", log.vkey()};
    if (size > 1000) arguments.insert(arguments.end(), {"-stride", "1021"});
    if (!old.empty()) arguments.insert(arguments.end(), {"-old", old});
    const CommandEnd end = program.run(arguments);
    EXPECT_EQ(end.exit_code, 0) << size << ": " << end.output;
    EXPECT_THAT(end.output, HasSubstr(fmt::format("accepted: checkpoint of {} entries", size)));
    EXPECT_THAT(end.output, HasSubstr("refused: "));
    old = (at / "checkpoint").string();
  }
}

TEST(GoChecksumDatabase, RefusesALogUnderAnotherKey) {
  if (const auto why = GoChecksum::missing(); !why.empty()) GTEST_SKIP() << why;
  const GoChecksum program;
  const testing::TemporaryFolder folder;
  MadeLog log;
  log.grow(5);
  log.write(folder.path());
  const MadeLog other(2);
  const CommandEnd end = program.run({"-log", folder.path().string(), "-vkey", other.vkey()});
  EXPECT_EQ(end.exit_code, 1) << end.output;
}

}  // namespace
}  // namespace avow
