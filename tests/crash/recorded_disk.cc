// SPDX-License-Identifier: Apache-2.0
#include "recorded_disk.h"

#include <algorithm>
#include <cstring>
#include <mutex>

#include "base/check.h"

namespace avow {
namespace {

constexpr std::size_t kSector = 512;

// ------------------------------------------------------------------------------------- the VFS

std::mutex recording_mutex;
std::vector<DiskStep>* recording = nullptr;  // under recording_mutex

void record(DiskStep step) {
  const std::lock_guard lock(recording_mutex);
  if (recording != nullptr) recording->push_back(std::move(step));
}

/// SQLite's own VFS, behind ours.
sqlite3_vfs* real_vfs = nullptr;

/// Stands before the file of the real VFS.
struct RecordedFile {
  sqlite3_file base;
  const char* path;         ///< SQLite keeps it until the file is closed; null: of a nameless one.
  bool syncs_folder_first;  ///< With the first sync of a log that may be new, as SQLite's own does.
};

RecordedFile* own(sqlite3_file* file) { return reinterpret_cast<RecordedFile*>(file); }
sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<sqlite3_file*>(own(file) + 1); }
const sqlite3_io_methods& methods_of(sqlite3_file* file) { return *real(file)->pMethods; }

std::string name_of(const char* path) { return std::filesystem::path(path).filename().string(); }

void record(sqlite3_file* file, DiskStep::Kind kind, sqlite3_int64 offset, std::string bytes = {}) {
  if (own(file)->path == nullptr) return;
  record({kind, name_of(own(file)->path), static_cast<std::uint64_t>(offset), std::move(bytes)});
}

int close_file(sqlite3_file* file) { return methods_of(file).xClose(real(file)); }
int read_file(sqlite3_file* file, void* to, int count, sqlite3_int64 offset) {
  return methods_of(file).xRead(real(file), to, count, offset);
}
int write_file(sqlite3_file* file, const void* from, int count, sqlite3_int64 offset) {
  record(file, DiskStep::Kind::kWrite, offset,
         std::string(static_cast<const char*>(from), static_cast<std::size_t>(count)));
  return methods_of(file).xWrite(real(file), from, count, offset);
}
int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  record(file, DiskStep::Kind::kTruncate, size);
  return methods_of(file).xTruncate(real(file), size);
}
int sync_file(sqlite3_file* file, int) {
  record(file, DiskStep::Kind::kSync, 0);
  if (std::exchange(own(file)->syncs_folder_first, false))
    record({DiskStep::Kind::kSyncFolder, {}, 0, {}});
  return SQLITE_OK;
}
int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  return methods_of(file).xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) { return methods_of(file).xLock(real(file), level); }
int unlock_file(sqlite3_file* file, int level) {
  return methods_of(file).xUnlock(real(file), level);
}
int is_reserved(sqlite3_file* file, int* answer) {
  return methods_of(file).xCheckReservedLock(real(file), answer);
}
int control_file(sqlite3_file* file, int verb, void* argument) {
  return methods_of(file).xFileControl(real(file), verb, argument);
}
int sector_size(sqlite3_file* file) { return methods_of(file).xSectorSize(real(file)); }
int device_characteristics(sqlite3_file* file) {
  return methods_of(file).xDeviceCharacteristics(real(file));
}
// The index beside the write-ahead log is made anew after a crash: nothing of it is recorded.
int map_index(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  return methods_of(file).xShmMap(real(file), page, size, extend, out);
}
int lock_index(sqlite3_file* file, int offset, int count, int flags) {
  return methods_of(file).xShmLock(real(file), offset, count, flags);
}
void order_index(sqlite3_file* file) { methods_of(file).xShmBarrier(real(file)); }
int unmap_index(sqlite3_file* file, int remove) {
  return methods_of(file).xShmUnmap(real(file), remove);
}

constexpr sqlite3_io_methods kMethods = {
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = is_reserved,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device_characteristics,
    .xShmMap = map_index,
    .xShmLock = lock_index,
    .xShmBarrier = order_index,
    .xShmUnmap = unmap_index,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* flags_out) {
  own(file)->base.pMethods = nullptr;
  own(file)->path = path;
  constexpr int kLogs = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL;
  own(file)->syncs_folder_first = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & kLogs) != 0;
  const int code = real_vfs->xOpen(real_vfs, path, real(file), flags, flags_out);
  if (code != SQLITE_OK) return code;
  own(file)->base.pMethods = &kMethods;
  record(file, DiskStep::Kind::kMake, 0);
  return SQLITE_OK;
}

int remove_file(sqlite3_vfs*, const char* path, int must_sync_folder) {
  const int code = real_vfs->xDelete(real_vfs, path, 0);
  if (code != SQLITE_OK) return code;
  record({DiskStep::Kind::kRemove, name_of(path), 0, {}});
  if (must_sync_folder != 0) record({DiskStep::Kind::kSyncFolder, {}, 0, {}});
  return SQLITE_OK;
}

/// Once a process; it stays.
void install() {
  static sqlite3_vfs vfs = [] {
    real_vfs = sqlite3_vfs_find(nullptr);
    sqlite3_vfs copy = *real_vfs;
    copy.pNext = nullptr;
    copy.zName = "recorded";
    copy.szOsFile = static_cast<int>(sizeof(RecordedFile)) + real_vfs->szOsFile;
    copy.xOpen = open_file;
    copy.xDelete = remove_file;
    return copy;
  }();
  static const int code = sqlite3_vfs_register(&vfs, 1);
  CHECK(code == SQLITE_OK);
}

// ----------------------------------------------------------------------------------- the disk

void write_to(std::string& file, const DiskStep& step, std::size_t count) {
  if (file.size() < step.offset + count) file.resize(step.offset + count, '\0');
  std::memcpy(file.data() + step.offset, step.bytes.data(), count);
}

void do_whole(std::string& file, const DiskStep& step) {
  if (step.kind == DiskStep::Kind::kTruncate) {
    file.resize(step.offset, '\0');
  } else {
    write_to(file, step, step.bytes.size());
  }
}

/// Sectors from the beginning on; those that are not written are as they were.
void do_torn(std::string& file, const DiskStep& step, SeededRng& chance) {
  if (step.kind == DiskStep::Kind::kTruncate) return;
  const std::uint64_t end = step.offset + step.bytes.size();
  const std::uint64_t first = step.offset / kSector + 1;
  const std::uint64_t count = end / kSector + 1 > first ? end / kSector + 1 - first : 1;
  const std::uint64_t torn_at = (first + chance.below(count)) * kSector;
  write_to(file, step, static_cast<std::size_t>(std::min(torn_at, end) - step.offset));
}

}  // namespace

DiskRecord::DiskRecord() {
  install();
  const std::lock_guard lock(recording_mutex);
  CHECK(recording == nullptr);
  recording = &steps_;
}

DiskRecord::~DiskRecord() {
  const std::lock_guard lock(recording_mutex);
  recording = nullptr;
}

void DiskRecord::note(DiskStep step) { record(std::move(step)); }

void Disk::apply(const DiskStep& step) {
  using Kind = DiskStep::Kind;
  switch (step.kind) {
    case Kind::kMake: {
      File& file = files_[step.file];
      if (file.is_there) return;
      file.is_there = true;
      file.synced.clear();
      return;
    }
    case Kind::kWrite:
    case Kind::kTruncate:
      files_[step.file].unsynced.push_back(step);
      return;
    case Kind::kSync: {
      File& file = files_[step.file];
      for (const DiskStep& one : file.unsynced) do_whole(file.synced, one);
      file.unsynced.clear();
      return;
    }
    case Kind::kRemove: {
      File& file = files_[step.file];
      if (file.is_name_synced) file.older = std::move(file.synced);
      file.is_name_synced = false;
      file.is_there = false;
      file.synced.clear();
      file.unsynced.clear();
      return;
    }
    case Kind::kSyncFolder:
      std::erase_if(files_, [](const auto& one) { return !one.second.is_there; });
      for (auto& [name, file] : files_) {
        file.is_name_synced = true;
        file.older.reset();
      }
      return;
    case Kind::kMark:
      return;
  }
}

std::string Disk::surviving(const File& file, Kept kept, SeededRng& chance) {
  std::string out = file.synced;
  const std::size_t count = file.unsynced.size();
  const std::size_t torn = count == 0 ? 0 : static_cast<std::size_t>(chance.below(count));
  for (std::size_t i = 0; i < count && kept != Kept::kNothing; ++i) {
    if (kept == Kept::kBeginning && i > torn) break;
    const bool is_kept = kept != Kept::kSome || chance.below(2) == 0;
    if (i == torn && kept != Kept::kEverything) {
      do_torn(out, file.unsynced[i], chance);
    } else if (is_kept) {
      do_whole(out, file.unsynced[i]);
    }
  }
  return out;
}

std::map<std::string, std::string> Disk::lose_power(Kept kept, SeededRng& chance) const {
  std::map<std::string, std::string> out;
  // Names reach the disk together, in the folder; either before the power was lost or not.
  const bool has_new_names =
      kept == Kept::kEverything || (kept != Kept::kNothing && chance.below(2) == 0);
  for (const auto& [name, file] : files_) {
    if (file.is_name_synced || (has_new_names && file.is_there)) {
      out[name] = surviving(file, kept, chance);
    } else if (!has_new_names && file.older) {
      out[name] = *file.older;
    }
  }
  return out;
}

}  // namespace avow
