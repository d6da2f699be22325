// SPDX-License-Identifier: Apache-2.0
#include "tlog/watermark.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/descriptor.h"
#include "base/log.h"
#include "merkle/proof.h"
#include "tlog/tile_reader.h"

namespace avow::tlog {
namespace {

/// An origin, a size, a root; more than that is no watermark.
constexpr std::size_t kWatermarkBytesMax = 4096;

Error system_failure(std::string_view what, const std::string& path, int number) {
  const bool is_full = number == ENOSPC || number == EDQUOT;
  return failure(is_full ? Code::kResourceExhausted : Code::kUnavailable, "{} \"{}\": {}", what,
                 path, std::generic_category().message(number));
}

/// After a failed sync nobody knows what is on the disk, and a second one would lie.
void sync_or_stop(const Descriptor& file, const std::string& path) {
  if (::fsync(file.number()) == 0) return;
  log::error("{}", system_failure("stopping: sync", path, errno).message);
  std::abort();
}

Result<void> write_all(const Descriptor& file, const std::string& path, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file.number(), text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_failure("write", path, errno);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

/// Nothing if there is no such file.
Result<std::optional<std::string>> read_all(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.number() < 0 && errno == ENOENT) return std::optional<std::string>();
  if (file.number() < 0) return system_failure("read", path, errno);
  std::string text;
  std::array<char, kWatermarkBytesMax> buffer{};
  while (text.size() <= kWatermarkBytesMax) {
    const ssize_t count = ::read(file.number(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return system_failure("read", path, errno);
    if (count == 0) return std::optional(std::move(text));
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return failure(Code::kCorruption, "\"{}\" is too long for a checkpoint", path);
}

}  // namespace

Result<std::unique_ptr<Watermark>> Watermark::open(std::string path) {
  ASSIGN_OR_RETURN(const auto text, read_all(path));
  std::optional<merkle::Checkpoint> value;
  if (text) {
    const auto parsed = merkle::Checkpoint::parse(*text);
    if (!parsed) {
      return failure(Code::kCorruption, "\"{}\" holds no checkpoint: {}", path,
                     parsed.error().message);
    }
    value = *parsed;
  }
  return std::unique_ptr<Watermark>(new Watermark(std::move(path), std::move(value)));
}

std::optional<merkle::Checkpoint> Watermark::value() const {
  const MutexLock lock(mutex_);
  return value_;
}

Result<void> Watermark::raise(const merkle::Checkpoint& checkpoint) {
  const MutexLock one_at_a_time(writing_);
  if (const auto seen = value()) {
    const bool is_equal = seen->size == checkpoint.size && seen->root == checkpoint.root;
    if (seen->origin != checkpoint.origin || (seen->size == checkpoint.size && !is_equal)) {
      return failure(Code::kCorruption,
                     "log \"{}\" at {} is not the log \"{}\" that was seen at {}",
                     shown(checkpoint.origin), checkpoint.size, shown(seen->origin), seen->size);
    }
    if (checkpoint.size <= seen->size) return {};
  }
  return write(checkpoint);
}

Result<void> Watermark::reset(const merkle::Checkpoint& checkpoint) {
  const MutexLock one_at_a_time(writing_);
  return write(checkpoint);
}

Result<void> Watermark::write(const merkle::Checkpoint& checkpoint) {
  // A crash before the rename leaves the old value, and a file that the next write replaces; after
  // it, the new one, which may then be ahead of everything that left: that costs nothing.
  const std::string next = path_ + ".next";
  {
    const Descriptor file(::open(next.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (file.number() < 0) return system_failure("make", next, errno);
    RETURN_IF_ERROR(write_all(file, next, checkpoint.text()));
    sync_or_stop(file, next);
  }
  const std::string folder = std::filesystem::absolute(path_).parent_path().string();
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.number() < 0) return system_failure("open", folder, errno);
  if (std::rename(next.c_str(), path_.c_str()) != 0) return system_failure("rename", next, errno);
  sync_or_stop(directory, folder);
  const MutexLock lock(mutex_);
  value_ = checkpoint;
  return {};
}

Result<std::optional<std::string>> mismatch(store::Store& store, const std::string& origin,
                                            const std::shared_ptr<const Head>& head,
                                            const std::optional<merkle::Checkpoint>& seen) {
  using Reason = std::optional<std::string>;
  if (!seen) return Reason("log.watermark is missing: nobody knows how far the log was seen");
  const std::uint64_t size = head ? head->checkpoint.size : 0;
  const std::string& name = head ? head->checkpoint.origin : origin;
  if (seen->origin != name) {
    return Reason(fmt::format("log.watermark is of log \"{}\", the store's is \"{}\"",
                              shown(seen->origin), shown(name)));
  }
  if (seen->size > size) {
    return Reason(
        fmt::format("the log has {} entries, but was seen with {}: the store is an old copy", size,
                    seen->size));
  }
  TileReader tiles(store, head ? head->log : 1, head);
  const auto root = merkle::root_at(seen->size, tiles.nodes(seen->size));
  if (!root && root.error().code == Code::kCorruption) return Reason(root.error().message);
  if (!root) return root.error();
  if (*root == seen->root) return Reason();
  return Reason(
      fmt::format("the first {} entries of the log, which has {}, are not those that were seen",
                  seen->size, size));
}

}  // namespace avow::tlog
