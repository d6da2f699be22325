// SPDX-License-Identifier: Apache-2.0
// tests/crash/recorded_disk.h: a disk that can lose power, for what SQLite keeps on it. Everything
// that is done to a file is recorded, through a VFS of SQLite's; the record is played until any
// step, and what the disk then holds is what was synced and, of the rest, whatever one chooses.
#pragma once
#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/rng.h"

namespace avow {

/// One thing that was done to a file, or told to somebody.
struct DiskStep {
  enum class Kind {
    kMake,        ///< The file was opened, and made if it was not there.
    kWrite,       ///< `bytes` at `offset`.
    kTruncate,    ///< To `offset` bytes.
    kSync,        ///< What was written to the file is safe.
    kRemove,      ///< The file.
    kSyncFolder,  ///< Which files there are is safe.
    kMark,        ///< `offset` is whatever the test says.
  };
  Kind kind = Kind::kMark;
  std::string file;  ///< Its name, without the folder.
  std::uint64_t offset = 0;
  std::string bytes;
};

/// From its beginning to its end, what is done through SQLite's default VFS is recorded, and
/// nothing is synced in truth. One at a time; files are used from any thread.
class DiskRecord {
 public:
  DiskRecord();
  ~DiskRecord();
  DiskRecord(const DiskRecord&) = delete;
  DiskRecord& operator=(const DiskRecord&) = delete;

  /// What others than SQLite do.
  void note(DiskStep step);
  /// As recorded so far; while nobody writes.
  [[nodiscard]] const std::vector<DiskStep>& steps() const { return steps_; }

 private:
  std::vector<DiskStep> steps_;
};

/// What a loss of power leaves of the writes that were not synced.
enum class Kept {
  kNothing,
  kEverything,
  kBeginning,  ///< Those before some moment, and of the last one only some sectors.
  kSome,       ///< Any, and of one of them only some sectors: a disk writes in an order of its own.
};

/// A disk to which steps are done in turn.
class Disk {
 public:
  void apply(const DiskStep& step);
  /// Names and bytes of the files that a loss of power leaves now.
  [[nodiscard]] std::map<std::string, std::string> lose_power(Kept kept, SeededRng& chance) const;

 private:
  struct File {
    std::string synced;
    std::vector<DiskStep> unsynced;  ///< Writes and truncations.
    bool is_there = true;
    /// What a loss of power finds under the name while the folder is not synced: an older file, or
    /// none.
    bool is_name_synced = false;
    std::optional<std::string> older;
  };
  static std::string surviving(const File& file, Kept kept, SeededRng& chance);

  std::map<std::string, File> files_;
};

}  // namespace avow
