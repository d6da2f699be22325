// SPDX-License-Identifier: Apache-2.0
// tests/crash/onlooker.h: the outside of a server, which outlives it: starts runs, keeps every
// checkpoint, receipt and acknowledgement that was ever served, and holds each later server to
// them. What it believes of the log, it believes by the log's key alone.
#pragma once
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "json/value.h"
#include "merkle/checkpoint.h"
#include "provenance/verify.h"
#include "testing/http_exchange.h"
#include "testing/server_process.h"

namespace avow {

class Onlooker {
 public:
  explicit Onlooker(const testing::Deployment& deployment) : deployment_(deployment) {}

  /// Makes the workflows and learns the log's key. Once; of a server that obeys no orders yet.
  void prepare(std::uint16_t port);

  /// Starts runs on `callers` connections, most of them until they are finished, and after each
  /// reads the checkpoint and the run's receipt. Returns when the server is gone, or when `runs`
  /// more have been asked for.
  void use(std::uint16_t port, std::size_t callers, std::size_t runs);
  /// The watermark, which was written before a checkpoint left, covers every one that did. While no
  /// server runs.
  void check_watermark() const;
  /// Holds what the server has now against all that was served before: the log continues every
  /// checkpoint, no run that was acknowledged is missing, and every finished one has its receipt.
  void check(std::uint16_t port);
  /// The same of the whole log and of every run since the beginning, by `avow log audit` and
  /// `avow audit tenant`, when every run has ended.
  void audit(std::uint16_t port);

  testing::HttpReply get(std::uint16_t port, const std::string& target) const;
  /// A run of three steps that call nobody; answered when it is finished.
  testing::HttpReply execute(std::uint16_t port) const;
  /// A run that rests a second; answered when it has begun.
  testing::HttpReply execute_resting(std::uint16_t port) const;
  /// Reads the checkpoint and remembers it; gives the status.
  int see_checkpoint(std::uint16_t port);
  /// Reads the receipt of a run that is finished, which must be VALID, and remembers its
  /// checkpoint; gives the status, which is 200 or 0.
  int see_receipt(std::uint16_t port, const std::string& run);
  /// Remembers a run that the server said there is.
  void remember(const std::string& run);
  /// Remembers a checkpoint, which must be signed and not contradict another one of its size.
  void remember_checkpoint(const std::string& note);

  [[nodiscard]] std::size_t run_count() const;
  [[nodiscard]] std::size_t checkpoint_count() const;
  /// Of the largest checkpoint that was served.
  [[nodiscard]] std::uint64_t seen_size() const;

 private:
  bool use_once(std::uint16_t port, bool rests);
  testing::HttpReply start(std::uint16_t port, const std::string& workflow, bool waits) const;
  Result<std::vector<merkle::Hash>> read_leaves(std::uint16_t port, std::uint64_t size) const;
  void check_log(std::uint16_t port);
  void check_runs(std::uint16_t port);
  void expect_command(const std::vector<std::string>& arguments) const;
  std::string make_workflow(std::uint16_t port, const std::string& name, const std::string& steps);

  const testing::Deployment& deployment_;
  std::string pure_;
  std::string resting_;
  std::string log_key_;
  provenance::Trust trust_;

  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::string> notes_;  ///< By size: the first that was served.
  std::map<std::uint64_t, merkle::Checkpoint> checkpoints_;
  std::map<std::string, bool> runs_;  ///< Whether a server after a crash has proved it.
};

}  // namespace avow
