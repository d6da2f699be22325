// SPDX-License-Identifier: Apache-2.0
// store/sqlite/directory_lock.h: one process per data directory.
#pragma once
#include <memory>
#include <string>

#include "base/result.h"

namespace avow::store {

/// Holds flock(2) on the file `lock` in a directory; the kernel lets go when the process ends,
/// however it ends. A second lock is refused in the same process, too.
class DirectoryLock {
 public:
  /// Errors: kConflict     another holds it; the message names the directory
  ///         kUnavailable  the file cannot be opened
  static Result<std::unique_ptr<DirectoryLock>> take(const std::string& directory);
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace avow::store
