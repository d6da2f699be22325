// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace avow::store {

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::take(const std::string& directory) {
  const std::string path = directory + "/lock";
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    return failure(Code::kUnavailable, "open \"{}\": {}", path,
                   std::generic_category().message(errno));
  }
  std::unique_ptr<DirectoryLock> lock(new DirectoryLock(descriptor));
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) {
    return failure(Code::kConflict, "\"{}\" is in use by another process", directory);
  }
  return failure(Code::kUnavailable, "lock \"{}\": {}", path,
                 std::generic_category().message(errno));
}

DirectoryLock::~DirectoryLock() { ::close(descriptor_); }

}  // namespace avow::store
