// SPDX-License-Identifier: Apache-2.0
// tlog/log.h: the log as others see it: which checkpoint is out, its tiles, its proofs, and what
// its witnesses say. Any thread; verbs may read the store, and sync the watermark's file.
//
// Nothing leaves that the watermark does not cover: a checkpoint is written there first. Tiles are
// served up to the largest size that left.
//
// Sealed   (the store's log is not the one that was seen last) nothing of it leaves: no checkpoint,
//          tile or proof, for it may be a fork. Older logs, which a recovery ended, go on.
// Alarm    (a witness says that the log forked) what was published stays so, and nothing leaves
//          that did not before. Until the next start, which asks the witnesses again.
//
// LIMITATION: published() and covering() sync the watermark on the thread that calls: where they
// let something out, a request waits for the disk, and those behind it with it. tile() does not.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "base/executor.h"
#include "tlog/sequencer.h"
#include "tlog/tile_reader.h"
#include "tlog/watermark.h"
#include "tlog/witness.h"

namespace avow::tlog {

struct LogOptions {
  Duration publish_interval = std::chrono::milliseconds(100);
  Duration witness_interval = std::chrono::seconds(1);
  Duration witness_timeout = std::chrono::seconds(5);
  /// Witnesses and quorum; absent: nobody is asked.
  std::optional<merkle::Policy> policy;
};

/// A checkpoint that may leave, with every signature there is.
struct SignedCheckpoint {
  std::uint32_t log = 1;
  merkle::Checkpoint checkpoint;
  std::string note;
  bool is_witnessed = false;  ///< The policy's quorum has cosigned it.
  std::uint64_t keys_index = 0;
};

class Log {
 public:
  /// Compares the store's log with the watermark, and seals the sequencer if it is smaller or
  /// another one, or if the file is gone or no checkpoint; a store and a folder with neither begin
  /// a log. `client` and `strand` are for the witnesses. All must outlive stop().
  /// Errors: kUnavailable, kResourceExhausted  the watermark cannot be written or read
  ///         those of the store's reads
  static Result<std::unique_ptr<Log>> open(store::Store& store, Sequencer& sequencer,
                                           const std::string& watermark_path,
                                           net::HttpClient& client, Executor& strand, Clock& clock,
                                           LogOptions options);
  ~Log();

  /// Asks the witnesses, if there are any, whether they have seen a larger log or another one, and
  /// seals the sequencer if so; waits up to the witness timeout. Those that do not answer are
  /// passed over, with a warning. Before the first commit; not on the strand, which must run.
  void ask_witnesses_at_start();
  /// Begins the rounds: the newest head, at most every witness_interval, one at a time.
  void start();
  /// Ends them, and answers who waits. If one of the two above was called; not on the strand.
  void stop();

  /// What /log/checkpoint answers: moves at most every publish_interval, and not while an alarm
  /// stands or the watermark cannot be written: what left before may be seen again.
  /// Errors: kNotFound     the log has no entry yet
  ///         kUnavailable  the log is sealed; nothing has left, and the watermark cannot be written
  Result<SignedCheckpoint> published();
  /// What a receipt of that entry uses: the newest cosigned checkpoint that covers it, else a
  /// signed one, which many receipts share, so that they share the watermark's sync. An entry of an
  /// older log: that log's last one, which the genesis of the log behind it must agree with.
  /// Errors: kNotFound     not in the log
  ///         kUnavailable  the log is sealed; the entry is newer than what has left, and an alarm
  ///                       stands or the watermark cannot be written; the entry was committed this
  ///                       moment; the older log's end is not the one that was named when it ended
  Result<SignedCheckpoint> covering(std::uint32_t log, std::uint64_t index);
  /// Calls `done` once, when a checkpoint that covers `index` has the quorum's cosignatures, or at
  /// `deadline`, or when `gone` is requested, on the strand. True: there is one. At once false
  /// where no witness is asked. Those that wait are as many as their callers: there is no other
  /// bound.
  void when_witnessed(std::uint64_t index, Time deadline, std::stop_token gone,
                      std::function<void(bool)> done);

  /// A tile or entry bundle of what is out.
  /// Errors: kNotFound     nothing that is out has it
  ///         kUnavailable  the log is sealed; those of the store's reads
  Result<std::string> tile(const merkle::Tile& tile);
  /// `entry` proved in the tree of `checkpoint`, which is of the same log.
  Result<provenance::LoggedStatement> prove(const store::LogEntry& entry,
                                            const SignedCheckpoint& checkpoint);
  /// The statement about keys that `checkpoint` is believed by, proved in it.
  Result<provenance::LoggedStatement> prove_keys(const SignedCheckpoint& checkpoint);

  /// Why nothing is signed or published; nothing if all is well.
  [[nodiscard]] std::optional<std::string> fault() const;

  struct Figures {
    std::uint64_t size = 0;
    std::uint64_t published_size = 0;
    std::uint64_t witnessed_size = 0;
    std::uint64_t witness_rounds = 0;
    std::uint64_t witness_failures = 0;  ///< Answers that were no cosignature.
    bool is_alarmed = false;             ///< A witness said that the log forked.
    bool is_sealed = false;
  };
  [[nodiscard]] Figures figures() const;
  [[nodiscard]] const LogKeys& keys() const;
  [[nodiscard]] const LogOptions& options() const;

 private:
  struct Impl;
  explicit Log(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  ///< Tasks on the strand may outlive this object.
};

}  // namespace avow::tlog
