// SPDX-License-Identifier: Apache-2.0
// store/sqlite/committer.h: the one thread that writes, with group commit.
#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "store/sqlite/log_writer.h"
#include "store/sqlite/writer.h"

namespace avow::store {

struct CommitterOptions {
  std::size_t queue_bytes_max = 0;  ///< Of commits that wait or are being written.
  /// The write-ahead log is moved into the file at this length.
  std::int64_t wal_bytes_target = 0;
  /// How long an erasure waits for its answer while the write-ahead log cannot be emptied.
  Duration forget_time_max{};
};

/// Owns the writing connection and the thread that uses it. Takes everything that waits into one
/// transaction, syncs once, answers all, and never waits for a fuller batch: while one sync runs
/// the next batch gathers. If the disk fails (not: is full), the process stops: after a failed sync
/// the page cache cannot be believed. Any thread, save where noted.
///
/// An erasure is answered when the write-ahead log has been emptied after it. Where that fails it
/// is tried again, between other commits and without them, until it succeeds: also after
/// forget_time_max, when the answer was kOutcomeUnknown. Each attempt holds up commits for a tenth
/// of a second at most.
class Committer {
 public:
  /// Writes something else than a Commit, under the same rule of errors as Writer's verbs.
  using Job = std::function<Result<void>(Writer&)>;

  /// `connection` has its schema already.
  Committer(std::unique_ptr<Connection> connection, CommitterOptions options);
  ~Committer();  ///< CHECKs that stop() was called.

  /// See Store::set_hook.
  void set_hook(CommitHook& hook);
  /// See Store::commit. `commit` went through check_form() and compress_parts().
  void commit(Commit commit, Store::Done done);
  /// Answers `done` as commit() does, without writing anything.
  void refuse(Error error, Store::Done done);
  /// Runs `job` in the transaction of its turn, and waits for the disk. Not on the committing
  /// thread.
  Result<void> run(const Job& job);

  /// The last error of a whole transaction, until one succeeds; asking makes it try a small one.
  /// Else why something erased is still in a file after forget_time_max.
  Result<void> health();
  Store::Figures figures();
  /// Writes and answers what waits, ends the thread, empties the write-ahead log, closes the file.
  void stop();

 private:
  struct Waiting {
    Commit commit;
    Job job;  ///< Instead of `commit`, where it is set.
    std::size_t bytes = 0;
    Store::Done done;
    Result<void> outcome;  ///< An error: refused before it was queued, or when it was written.
  };
  using Batch = std::vector<Waiting>;
  using SteadyTime = std::chrono::steady_clock::time_point;
  /// An erasure that is written, but not gone from the files yet.
  struct Forgetting {
    Store::Done done;
    SteadyTime deadline;
  };

  void enqueue(Waiting waiting);
  void run_thread();
  bool take(Batch& batch);
  void write(Batch& batch);
  Result<void> write_transaction(Batch& batch, CommitHook& hook);
  Result<void> write_rows(Batch& batch, CommitHook& hook);
  void roll_back();
  void answer(Batch& batch);
  void forget_if_due();
  Result<void> empty_log(Duration wait);
  void answer_forgettings(const Result<void>& emptied, SteadyTime now);
  void note_forgotten(const Result<void>& outcome);
  void finish(const Batch& batch, const Result<void>& written);
  void checkpoint_if_long();
  void stop_process_if_disk_fails(const Error& error);

  const CommitterOptions options_;
  std::unique_ptr<Connection> connection_;  // the committing thread's
  Writer writer_;                           // the committing thread's
  SqliteLogWriter log_writer_;              // the committing thread's
  std::int64_t wal_bytes_seen_ = 0;         // the committing thread's
  std::int64_t next_checkpoint_ = 0;        // the committing thread's
  bool must_forget_ = false;                // the committing thread's
  SteadyTime next_forgetting_;              // the committing thread's; where must_forget_
  std::deque<Forgetting> forgettings_;      // the committing thread's

  Mutex mutex_;
  std::condition_variable_any wake_;
  CommitHook* hook_ GUARDED_BY(mutex_);
  Batch queue_ GUARDED_BY(mutex_);
  std::size_t queue_bytes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t commits_ GUARDED_BY(mutex_) = 0;
  std::uint64_t transactions_ GUARDED_BY(mutex_) = 0;
  Result<void> last_transaction_ GUARDED_BY(mutex_);
  Result<void> forgotten_ GUARDED_BY(mutex_);  ///< An error: why it is late.
  bool is_probing_ GUARDED_BY(mutex_) = false;
  bool is_stopping_ GUARDED_BY(mutex_) = false;

  Mutex stop_mutex_;  // taken before mutex_
  std::thread thread_;
  const std::thread::id thread_id_;  ///< Also after the join.
};

}  // namespace avow::store
