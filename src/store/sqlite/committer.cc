// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/committer.h"

#include <cstdlib>
#include <future>

#include "base/log.h"
#include "store/form.h"

namespace avow::store {
namespace {

// A log that grows to this many times its target is emptied by force, waiting for readers: they
// would otherwise, always one of them in the log, keep it growing for ever.
constexpr std::int64_t kForceFactor = 4;

// An attempt to empty the log waits so long for readers, while commits wait for it; then they have
// the thread for the pause. Once a commit is in the log behind a full checkpoint, a new reader is
// in the way again: what reads for longer than the attempt is waited for in the pause.
constexpr Duration kForgetWait = std::chrono::milliseconds(100);
constexpr Duration kForgetPause = std::chrono::milliseconds(250);

Error stopped() { return failure(Code::kUnavailable, "the store is stopped"); }

bool erases(const Commit& commit) { return commit.run && commit.run->replaced; }

Result<Writer::Place> done_by(const Committer::Job& job, Writer& writer) {
  RETURN_IF_ERROR(job(writer));
  return Writer::Place{};
}

}  // namespace

Committer::Committer(std::unique_ptr<Connection> connection, CommitterOptions options)
    : options_(options),
      connection_(std::move(connection)),
      writer_(*connection_),
      log_writer_(*connection_),
      next_checkpoint_(options.wal_bytes_target),
      hook_(&no_hook()),
      thread_([this] { run_thread(); }),
      thread_id_(thread_.get_id()) {}

Committer::~Committer() { CHECK(!thread_.joinable()); }

void Committer::set_hook(CommitHook& hook) {
  const MutexLock lock(mutex_);
  hook_ = &hook;
}

void Committer::commit(Commit commit, Store::Done done) {
  const std::size_t bytes = commit.bytes();
  enqueue({std::move(commit), nullptr, bytes, std::move(done), {}});
}

void Committer::refuse(Error error, Store::Done done) {
  enqueue({{}, nullptr, 0, std::move(done), std::move(error)});
}

void Committer::enqueue(Waiting waiting) {
  {
    const MutexLock lock(mutex_);
    if (!is_stopping_) {
      if (waiting.bytes > options_.queue_bytes_max - queue_bytes_) {
        // It still goes through the queue, empty: `done` is never called inside commit().
        waiting = {{},
                   nullptr,
                   0,
                   std::move(waiting.done),
                   failure(Code::kResourceExhausted, "the commit queue is full ({} bytes)",
                           options_.queue_bytes_max)};
      }
      queue_bytes_ += waiting.bytes;
      queue_.push_back(std::move(waiting));
      wake_.notify_one();
      return;
    }
  }
  waiting.done(stopped());
}

Result<void> Committer::run(const Job& job) {
  CHECK(std::this_thread::get_id() != thread_id_);  // it would wait for itself
  std::promise<Result<void>> promise;
  enqueue({{},
           job,
           0,
           [&promise](Result<void> outcome) { promise.set_value(std::move(outcome)); },
           {}});
  return promise.get_future().get();
}

void Committer::run_thread() {
  Batch batch;
  while (take(batch)) {
    if (!batch.empty()) write(batch);
    // Captures may hold much: freed before this thread sleeps again.
    batch.clear();
    forget_if_due();
    checkpoint_if_long();
  }
  const auto emptied = empty_log(Connection::kBusyWait);
  if (!emptied) log::warning("store: checkpoint at the end: {}", emptied.error().message);
  answer_forgettings(emptied, SteadyTime::max());
}

/// Waits for something to write, or until it is time to forget; false when there is nothing to
/// write and the store is stopping.
bool Committer::take(Batch& batch) {
  const MutexLock lock(mutex_);
  while (queue_.empty() && !is_stopping_) {
    if (!must_forget_) {
      wake_.wait(mutex_);
    } else if (wake_.wait_until(mutex_, next_forgetting_) == std::cv_status::timeout) {
      break;
    }
  }
  std::swap(batch, queue_);
  return !batch.empty() || !is_stopping_;
}

void Committer::write(Batch& batch) {
  CommitHook* hook = nullptr;
  {
    const MutexLock lock(mutex_);
    hook = hook_;
  }
  const Result<void> written = write_transaction(batch, *hook);
  if (!written) {
    // Also where one was refused by itself: it was compared with a state that never came to be.
    for (auto& waiting : batch) waiting.outcome = written.error();
  }
  finish(batch, written);
  answer(batch);
}

Result<void> Committer::write_transaction(Batch& batch, CommitHook& hook) {
  RETURN_IF_ERROR(from_hook(hook.begin()));
  auto written = write_rows(batch, hook);
  if (written) {
    hook.committed();
    return written;
  }
  stop_process_if_disk_fails(written.error());
  roll_back();
  hook.rolled_back();
  return written;
}

Result<void> Committer::write_rows(Batch& batch, CommitHook& hook) {
  RETURN_IF_ERROR(connection_->execute("BEGIN IMMEDIATE"));
  bool has_added = false;
  for (auto& waiting : batch) {
    if (!waiting.outcome) continue;
    const auto place = waiting.job ? done_by(waiting.job, writer_) : writer_.admit(waiting.commit);
    if (!place) {
      if (place.error().code != Code::kConflict) return place.error();
      waiting.outcome = place.error();
      continue;
    }
    if (waiting.job) continue;
    // Before the rows: what the hook has others do goes on while they are written.
    if (!waiting.commit.statements.empty()) {
      RETURN_IF_ERROR(from_hook(hook.add(log_writer_, std::move(waiting.commit.statements))));
      has_added = true;
    }
    RETURN_IF_ERROR(writer_.write(waiting.commit, *place));
  }
  if (has_added) RETURN_IF_ERROR(from_hook(hook.integrate(log_writer_)));
  // The sync. If we stop before it, recovery finds none of the batch; after it, all of it.
  return connection_->commit();
}

void Committer::roll_back() {
  if (!connection_->in_transaction()) return;
  if (auto undone = connection_->execute("ROLLBACK"); !undone) {
    log::error("store: rollback: {}", undone.error().message);
    std::abort();  // the next commit would join a transaction of which nobody knows the state
  }
}

void Committer::answer(Batch& batch) {
  const auto now = std::chrono::steady_clock::now();
  for (auto& waiting : batch) {
    if (!waiting.outcome || !erases(waiting.commit)) {
      waiting.done(std::move(waiting.outcome));
      continue;
    }
    // It is durable, but what it replaced is still in older pages of the log and of the file, until
    // the log is emptied. If we stop before that, it is done when the store is opened.
    forgettings_.push_back({std::move(waiting.done), now + options_.forget_time_max});
    if (!std::exchange(must_forget_, true)) next_forgetting_ = now;
  }
}

void Committer::forget_if_due() {
  if (!must_forget_ || std::chrono::steady_clock::now() < next_forgetting_) return;
  const auto emptied = empty_log(kForgetWait);
  const auto now = std::chrono::steady_clock::now();
  must_forget_ = !emptied;
  next_forgetting_ = now + kForgetPause;
  answer_forgettings(emptied, now);
}

/// After it no file holds anything that was replaced before it.
Result<void> Committer::empty_log(Duration wait) {
  auto emptied = connection_->checkpoint(Connection::Checkpoint::kTruncate, wait);
  if (emptied) emptied = connection_->sync_log();
  if (emptied) {
    // It holds pages as they were before they were scrubbed on their way into the file, and would
    // write them into the log once more.
    connection_->drop_cache();
  } else {
    stop_process_if_disk_fails(emptied.error());
  }
  return emptied;
}

/// All, if the log is empty; else those that waited until `now` at most.
void Committer::answer_forgettings(const Result<void>& emptied, SteadyTime now) {
  const auto is_due = [&] {
    return !forgettings_.empty() && (emptied || forgettings_.front().deadline <= now);
  };
  Result<void> outcome;
  if (!emptied) {
    outcome = failure(Code::kOutcomeUnknown,
                      "contents are erased, but the old ones are still in a file: {}",
                      emptied.error().message);
  }
  if (emptied || is_due()) note_forgotten(outcome);
  while (is_due()) {
    forgettings_.front().done(outcome);
    forgettings_.pop_front();
  }
}

void Committer::note_forgotten(const Result<void>& outcome) {
  const MutexLock lock(mutex_);
  // Once for each spell.
  if (!outcome && forgotten_) log::warning("store: {}", outcome.error().message);
  if (outcome && !forgotten_) log::info("store: what was erased is gone from the files");
  forgotten_ = outcome;
}

void Committer::finish(const Batch& batch, const Result<void>& written) {
  const MutexLock lock(mutex_);
  bool has_written = false;
  for (const auto& waiting : batch) {
    queue_bytes_ -= waiting.bytes;
    if (!waiting.outcome) continue;
    has_written = true;
    if (!waiting.job) ++commits_;
  }
  if (has_written) ++transactions_;
  if (!has_written && written) return;  // nothing was tried
  // Once for each spell, or the log would fill what is left of the disk.
  if (!written && last_transaction_) {
    log::error("store: commits are not written: {}", written.error().message);
  } else if (written && !last_transaction_) {
    log::info("store: commits are written again");
  }
  last_transaction_ = written;
}

void Committer::checkpoint_if_long() {
  const std::int64_t length = connection_->wal_bytes();
  // Shorter than before: SQLite began it anew, because all of it was in the file and nobody read
  // it.
  if (length < wal_bytes_seen_) next_checkpoint_ = options_.wal_bytes_target;
  wal_bytes_seen_ = length;
  if (length < next_checkpoint_) return;
  const bool must_empty = length >= kForceFactor * options_.wal_bytes_target;
  const auto done = connection_->checkpoint(must_empty ? Connection::Checkpoint::kTruncate
                                                       : Connection::Checkpoint::kPassive);
  if (!done) {
    // Nothing is lost: the log holds it. It is tried again when the log has grown once more.
    stop_process_if_disk_fails(done.error());
    log::warning("store: checkpoint at {} bytes: {}", length, done.error().message);
  }
  next_checkpoint_ = length + options_.wal_bytes_target;
}

void Committer::stop_process_if_disk_fails(const Error& error) {
  if (!connection_->is_disk_failing()) return;
  // DESIGN.md, promise 1: what a failed sync, or a commit that failed behind it, leaves on the disk
  // nobody knows; only a new start, which reads it again, finds out. `done` is not called: the
  // answers were never given.
  log::error("store: the disk fails, stopping: {}", error.message);
  std::abort();
}

Result<void> Committer::health() {
  Result<void> last;
  {
    const MutexLock lock(mutex_);
    if (is_stopping_) return stopped();
    last = last_transaction_;
    if (last && !forgotten_) return Error{Code::kUnavailable, forgotten_.error().message};
    if (last || is_probing_) return last;
    is_probing_ = true;
  }
  const auto probed = [this](const Result<void>&) {
    const MutexLock lock(mutex_);
    is_probing_ = false;
  };
  enqueue({{}, [](Writer& writer) { return writer.probe(); }, 0, probed, {}});
  return last;
}

Store::Figures Committer::figures() {
  const MutexLock lock(mutex_);
  return {commits_, transactions_, queue_bytes_};
}

void Committer::stop() {
  const MutexLock stop_lock(stop_mutex_);
  if (!thread_.joinable()) return;
  CHECK(std::this_thread::get_id() != thread_id_);
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
    wake_.notify_one();
  }
  thread_.join();
  connection_.reset();
}

}  // namespace avow::store
