// SPDX-License-Identifier: Apache-2.0
#include "tlog/key_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "base/descriptor.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;

/// A PKCS#8 key in PEM has some hundred bytes.
constexpr std::size_t kKeyFileBytesMax = std::size_t{64} * 1024;

Error system_failure(std::string_view what, const fs::path& path, int number) {
  const Code code = number == ENOSPC || number == EDQUOT ? Code::kResourceExhausted
                    : number == EEXIST                   ? Code::kConflict
                    : number == ENOENT                   ? Code::kNotFound
                                                         : Code::kUnavailable;
  return failure(code, "{} \"{}\": {}", what, path.string(),
                 std::generic_category().message(number));
}

}  // namespace

Result<void> write_private_file(const fs::path& path, const Secret& text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (file.number() < 0) return system_failure("make", path, errno);
  std::string_view rest = text.reveal();
  while (!rest.empty()) {
    const ssize_t written = ::write(file.number(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("write", path, errno);
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  if (::fsync(file.number()) != 0) return system_failure("sync", path, errno);
  return {};
}

Result<Secret> read_private_file(const fs::path& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.number() < 0) return system_failure("open", path, errno);
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return system_failure("look at", path, errno);
  if (!S_ISREG(status.st_mode)) {
    return failure(Code::kInvalidArgument, "\"{}\" is no regular file", path.string());
  }
  if ((status.st_mode & 077U) != 0) {
    return failure(Code::kInvalidArgument,
                   "\"{}\" can be used by others than its owner (mode {:o}): make it 0600",
                   path.string(), status.st_mode & 07777U);
  }
  std::string text(kKeyFileBytesMax + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(file.number(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_failure("read", path, errno);
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  if (size > kKeyFileBytesMax) {
    return failure(Code::kInvalidArgument, "\"{}\" is longer than a key", path.string());
  }
  text.resize(size);
  return Secret(std::move(text));
}

Result<void> rename_file(const fs::path& from, const fs::path& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_failure("rename", from, errno);
  return {};
}

Result<void> remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return system_failure("remove", path, errno);
  return {};
}

Result<void> sync_folder(const fs::path& folder) {
  const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (descriptor.number() < 0 || ::fsync(descriptor.number()) != 0) {
    return system_failure("sync", folder, errno);
  }
  return {};
}

Result<bool> is_there(const fs::path& path) {
  std::error_code error;
  const auto status = fs::symlink_status(path, error);
  if (status.type() == fs::file_type::none) return system_failure("look at", path, error.value());
  return status.type() != fs::file_type::not_found;
}

}  // namespace avow::tlog
