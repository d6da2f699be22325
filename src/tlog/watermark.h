// SPDX-License-Identifier: Apache-2.0
// tlog/watermark.h: the largest checkpoint that ever left, in a file outside the store, so that a
// store which was rolled back to an old copy cannot pass for the newest one. Written to a file of
// another name, synced, renamed, and the folder synced, before the checkpoint leaves. Any thread.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "merkle/checkpoint.h"
#include "tlog/head.h"

namespace avow::tlog {

class Watermark {
 public:
  /// `path` is "<data directory>/log.watermark". Errors: kCorruption (not a checkpoint),
  /// kUnavailable (cannot be read)
  static Result<std::unique_ptr<Watermark>> open(std::string path);

  /// Absent: there is no file. Never waits for a write.
  [[nodiscard]] std::optional<merkle::Checkpoint> value() const;
  /// Makes it durable that `checkpoint` may have been seen; returns at once if one as large has
  /// been. Errors: kCorruption  another root, or another origin, at that size
  ///               kResourceExhausted, kUnavailable  not written: nothing may leave
  /// If a sync fails, the process stops, as the store does.
  Result<void> raise(const merkle::Checkpoint& checkpoint);
  /// The same without comparing: for the beginning of a log.
  Result<void> reset(const merkle::Checkpoint& checkpoint);

 private:
  Watermark(std::string path, std::optional<merkle::Checkpoint> value)
      : path_(std::move(path)), value_(std::move(value)) {}
  Result<void> write(const merkle::Checkpoint& checkpoint) REQUIRES(writing_);

  const std::string path_;
  Mutex writing_;  ///< Held over the syncs. Taken before `mutex_`.
  mutable Mutex mutex_;
  std::optional<merkle::Checkpoint> value_ GUARDED_BY(mutex_);  ///< Changes under both.
};

/// Why the log in `store` that stands at `head` (null: it has no entry, and is named `origin`)
/// cannot be the one that was last seen at `seen`; nothing if it can. Before anything of it leaves.
/// Errors: those of the store's reads; what it lacks is a reason
Result<std::optional<std::string>> mismatch(store::Store& store, const std::string& origin,
                                            const std::shared_ptr<const Head>& head,
                                            const std::optional<merkle::Checkpoint>& seen);

}  // namespace avow::tlog
