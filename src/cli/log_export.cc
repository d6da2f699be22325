// SPDX-License-Identifier: Apache-2.0
#include "cli/log_export.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>

#include "merkle/entry_bundle.h"
#include "merkle/proof.h"
#include "merkle/tile_nodes.h"
#include "tlog/head.h"

namespace avow::cli {
namespace {

namespace fs = std::filesystem;

using merkle::Hash;
using merkle::kEntriesLevel;
using merkle::kTileWidth;
using merkle::Tile;

/// The hashes that a tile or bundle stands for. Errors: kCorruption  it has another length
Result<std::vector<Hash>> hashes_of(const Tile& tile, std::string_view bytes) {
  if (tile.level != kEntriesLevel) return merkle::parse_tile(bytes, tile.width);
  ASSIGN_OR_RETURN(const auto entries, merkle::parse_entry_bundle(bytes, tile.width));
  std::vector<Hash> hashes;
  hashes.reserve(entries.size());
  for (const auto& entry : entries) hashes.push_back(merkle::hash_leaf(entry));
  return hashes;
}

std::string contents_of(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Under another name first, then renamed: a reader sees it whole or not at all.
Result<void> write_whole(const fs::path& file, std::string_view bytes) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  const fs::path fresh = file.string() + ".new";
  const int descriptor = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  bool is_written = descriptor >= 0;
  while (is_written && !bytes.empty()) {
    const ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    is_written = count >= 0;
    if (is_written) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  is_written = is_written && ::fsync(descriptor) == 0;
  const int number = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (is_written && ::rename(fresh.c_str(), file.c_str()) == 0) return {};
  return failure(number == ENOSPC ? Code::kResourceExhausted : Code::kUnavailable,
                 "cannot write {}: {}", file.string(),
                 std::generic_category().message(is_written ? errno : number));
}

/// Nodes of the tree of `size`, which are not believed. `read` must outlive it.
merkle::NodeSource nodes_of(const ReadLogFile& read, std::uint64_t size) {
  const auto nodes = std::make_shared<merkle::TileNodes>(
      size, [&read](const Tile& tile) { return read(tile.path()); });
  return [nodes](const merkle::Node& node) { return (*nodes)(node); };
}

/// Errors: kConflict  what is there is not an earlier state of the same log
Result<void> check_folder(const ReadLogFile& read, const fs::path& folder,
                          const merkle::Checkpoint& newest) {
  std::error_code error;
  if (!fs::exists(folder / kCheckpointPath, error)) return {};
  const auto kept = tlog::checkpoint_of(contents_of(folder / kCheckpointPath));
  if (!kept) return kept.error().in("checkpoint");
  const merkle::Checkpoint& old = *kept;
  if (old.origin != newest.origin || old.size > newest.size) {
    return failure(Code::kConflict, "{} holds {} with {} entries, and this is {} with {}",
                   folder.string(), shown(old.origin), old.size, shown(newest.origin), newest.size);
  }
  if (old.size == 0) return {};
  auto proof = merkle::prove_consistency(old.size, newest.size, nodes_of(read, newest.size));
  // Files that are too short prove nothing either; what cannot be read says nothing.
  if (!proof && proof.error().code != Code::kCorruption) return proof.error();
  const auto continues = proof ? merkle::verify_consistency(*proof, old.root, newest.root)
                               : Result<void>(proof.error());
  if (continues) return {};
  return failure(
      Code::kConflict, "{} holds {} with {} entries, and the log with {} does not continue it: {}",
      folder.string(), shown(old.origin), old.size, newest.size, continues.error().message);
}

/// From the root down: the tiles at the right edge are what the root is made of, each other tile is
/// one hash of the tile above it, and each entry one of level 0.
class Exporter {
 public:
  Exporter(const ReadLogFile& read, fs::path folder, LogExport& report)
      : read_(read), folder_(std::move(folder)), report_(report) {}

  Result<void> copy_all() {
    RETURN_IF_ERROR(read_edge());
    for (int level = merkle::kTileLevelMax; level >= kEntriesLevel; --level) {
      RETURN_IF_ERROR(copy_level(level));
    }
    return {};
  }

 private:
  [[nodiscard]] std::uint64_t size() const { return report_.checkpoint.size; }

  /// Keeps the tiles that are not full; there is at most one of a level.
  Result<void> read_edge() {
    for (const Tile& tile : merkle::partial_tiles(size())) {
      ASSIGN_OR_RETURN(edge_[tile.path()], read_(tile.path()));
    }
    const ReadLogFile edge = [this](const std::string& path) -> Result<std::string> {
      const auto tile = edge_.find(path);
      if (tile == edge_.end()) return failure(Code::kInternal, "the root needs {}", path);
      return tile->second;
    };
    ASSIGN_OR_RETURN(const Hash root, merkle::root_at(size(), nodes_of(edge, size())));
    if (root == report_.checkpoint.root) return {};
    return failure(Code::kCorruption,
                   "the tiles at the right edge lead to another root than the checkpoint's of {} "
                   "entries",
                   size());
  }

  /// Every tile of that level, from the left. Those of the level above are in the folder.
  Result<void> copy_level(int level) {
    for (std::uint64_t index = 0;; ++index) {
      const std::uint64_t width = merkle::tile_width(level, index, size());
      if (width == 0) return {};
      RETURN_IF_ERROR(copy({level, index, width}));
    }
  }

  Result<void> copy(const Tile& tile) {
    const fs::path file = folder_ / tile.path();
    if (const auto edge = edge_.find(tile.path()); edge != edge_.end()) {
      return write(file, edge->second);
    }
    if (tile.width == kTileWidth && check(tile, contents_of(file))) {
      ++report_.kept;
      return {};
    }
    ASSIGN_OR_RETURN(const std::string bytes, read_(tile.path()));
    RETURN_IF_ERROR(check(tile, bytes));
    return write(file, bytes);
  }

  Result<void> write(const fs::path& file, std::string_view bytes) {
    RETURN_IF_ERROR(write_whole(file, bytes));
    ++report_.written;
    return {};
  }

  /// Whether `bytes` are what the level above says.
  Result<void> check(const Tile& tile, std::string_view bytes) {
    const auto hashes = hashes_of(tile, bytes);
    if (!hashes) return hashes.error().in(tile.path());
    const bool is_bundle = tile.level == kEntriesLevel;
    RETURN_IF_ERROR(go_to(tile.level + 1, is_bundle ? tile.index : tile.index / kTileWidth));
    const bool is_right =
        is_bundle ? *hashes == above_hashes_
                  : merkle::subtree_root(*hashes) == above_hashes_.at(tile.index % kTileWidth);
    if (is_right) return {};
    return failure(Code::kCorruption, "{} is not what {} says", tile.path(), above_.path());
  }

  /// Makes that tile the one above.
  Result<void> go_to(int level, std::uint64_t index) {
    const Tile tile{level, index, merkle::tile_width(level, index, size())};
    if (tile == above_) return {};
    auto hashes = hashes_of(tile, contents_of(folder_ / tile.path()));
    if (!hashes) return hashes.error().in(tile.path());
    above_ = tile;
    above_hashes_ = *std::move(hashes);
    return {};
  }

  const ReadLogFile& read_;
  const fs::path folder_;
  LogExport& report_;
  std::map<std::string, std::string> edge_;  ///< By path.
  Tile above_{kEntriesLevel};                ///< None.
  std::vector<Hash> above_hashes_;
};

}  // namespace

Result<LogExport> export_log(const ReadLogFile& read, const std::string& folder) {
  LogExport report;
  ASSIGN_OR_RETURN(const std::string note, read(kCheckpointPath));
  auto checkpoint = tlog::checkpoint_of(note);
  if (!checkpoint) return checkpoint.error().in("checkpoint");
  report.checkpoint = *std::move(checkpoint);
  RETURN_IF_ERROR(check_folder(read, folder, report.checkpoint));
  RETURN_IF_ERROR(Exporter(read, folder, report).copy_all());
  // Last, so that the folder never promises what is not in it.
  RETURN_IF_ERROR(write_whole(fs::path(folder) / kCheckpointPath, note));
  ++report.written;
  return report;
}

}  // namespace avow::cli
