// SPDX-License-Identifier: Apache-2.0
#include "cli/log_export.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "merkle/entry_bundle.h"
#include "merkle/note.h"

namespace avow::cli {
namespace {

namespace fs = std::filesystem;

/// Whether `bytes` are as long as a tile or bundle of that width.
Result<void> check_form(const merkle::Tile& tile, std::string_view bytes) {
  if (tile.level == merkle::kEntriesLevel) {
    const auto entries = merkle::parse_entry_bundle(bytes, tile.width);
    return entries ? Result<void>() : entries.error().in(tile.path());
  }
  const auto hashes = merkle::parse_tile(bytes, tile.width);
  return hashes ? Result<void>() : hashes.error().in(tile.path());
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

Result<merkle::Checkpoint> checkpoint_of(std::string_view note) {
  const auto parsed = merkle::Note::parse(note);
  auto checkpoint =
      parsed ? merkle::Checkpoint::parse(parsed->text) : Result<merkle::Checkpoint>(parsed.error());
  if (!checkpoint) return failure(Code::kCorruption, "checkpoint: {}", checkpoint.error().message);
  return checkpoint;
}

/// Errors: kConflict  what is there is not an earlier state of the same log
Result<void> check_folder(const fs::path& folder, const merkle::Checkpoint& newest) {
  std::error_code error;
  if (!fs::exists(folder / kCheckpointPath, error)) return {};
  ASSIGN_OR_RETURN(const merkle::Checkpoint old,
                   checkpoint_of(contents_of(folder / kCheckpointPath)));
  if (old.origin != newest.origin || old.size > newest.size) {
    return failure(Code::kConflict, "{} holds {} with {} entries, and this is {} with {}",
                   folder.string(), shown(old.origin), old.size, shown(newest.origin), newest.size);
  }
  return {};
}

class Exporter {
 public:
  Exporter(const ReadLogFile& read, fs::path folder, LogExport& report)
      : read_(read), folder_(std::move(folder)), report_(report) {}

  /// Every tile of that level, from the left.
  Result<void> copy_level(int level, std::uint64_t size) {
    for (std::uint64_t index = 0;; ++index) {
      const std::uint64_t width = merkle::tile_width(level, index, size);
      if (width == 0) return {};
      RETURN_IF_ERROR(copy({level, index, width}));
    }
  }

 private:
  Result<void> copy(const merkle::Tile& tile) {
    const fs::path file = folder_ / tile.path();
    const bool is_full = tile.width == merkle::kTileWidth;
    if (is_full && check_form(tile, contents_of(file))) {
      ++report_.kept;
      return {};
    }
    ASSIGN_OR_RETURN(const std::string bytes, read_(tile.path()));
    RETURN_IF_ERROR(check_form(tile, bytes));
    RETURN_IF_ERROR(write_whole(file, bytes));
    ++report_.written;
    return {};
  }

  const ReadLogFile& read_;
  const fs::path folder_;
  LogExport& report_;
};

}  // namespace

Result<LogExport> export_log(const ReadLogFile& read, const std::string& folder) {
  LogExport report;
  ASSIGN_OR_RETURN(const std::string note, read(kCheckpointPath));
  ASSIGN_OR_RETURN(report.checkpoint, checkpoint_of(note));
  RETURN_IF_ERROR(check_folder(folder, report.checkpoint));
  Exporter exporter(read, folder, report);
  for (int level = merkle::kEntriesLevel; level <= merkle::kTileLevelMax; ++level) {
    RETURN_IF_ERROR(exporter.copy_level(level, report.checkpoint.size));
  }
  // Last, so that the folder never promises what is not in it.
  RETURN_IF_ERROR(write_whole(fs::path(folder) / kCheckpointPath, note));
  ++report.written;
  return report;
}

}  // namespace avow::cli
