// SPDX-License-Identifier: Apache-2.0
// tlog/sequencer.h: numbers, signs and integrates statements (DESIGN.md section 4, docs/log.md).
// With a store of one process it is the store's CommitHook: entries, full tiles, head and signed
// checkpoint ride in the transaction of what they prove. The order inside a transaction:
//   add()        the statement gets its tenant_seq and prev, its bytes are final; a signature is
//                ordered from the pool
//   integrate()  joins the entries, appends their hashes, signs the
//                checkpoint of the new head, and writes all of it
//   committed()  the new head is what everybody sees. rolled_back(): it never was.
// A head is signed once per transaction, and its size and time only grow.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/rng.h"
#include "base/time.h"
#include "provenance/content.h"
#include "provenance/statement.h"
#include "store/store.h"
#include "tlog/head.h"
#include "tlog/keys.h"

namespace avow::tlog {

/// What a reason to seal a log at a start ends with.
inline constexpr std::string_view kWayOn = "; put the newest store back, or see `avow log recover`";

struct SequencerOptions {
  int signing_threads = 1;  ///< Beside the committing thread, which signs too.
};

class Sequencer : public store::CommitHook {
 public:
  /// Of the newest log in `store`, whose head it rebuilds and compares with the stored one: every
  /// full tile of the right edge and every entry behind it is read. In a store without a log the
  /// first statement comes behind a log.genesis of `keys`. The store's set_hook() is the caller's.
  /// A log that cannot be believed (its head cannot be rebuilt, its checkpoint is not signed by
  /// `keys`, the newest statement about keys does not name them) gives a sequencer that is sealed;
  /// where the head could be rebuilt, it has that head. `clock` and `rng` outlive it.
  /// Errors: those of the store's reads, save kCorruption
  static Result<std::unique_ptr<Sequencer>> open(store::Store& store, LogKeys keys, Clock& clock,
                                                 Rng& rng, SequencerOptions options = {});
  ~Sequencer() override;

  /// The newest durable head; null: the log has no entry yet, or its head could not be rebuilt.
  /// Any thread.
  [[nodiscard]] std::shared_ptr<const Head> head() const;
  /// Those it was opened with.
  [[nodiscard]] const LogKeys& keys() const;

  /// From now on nothing is signed and no transaction begins: each fails kUnavailable with `why`.
  /// The first one counts. Any thread.
  void seal(std::string why);
  [[nodiscard]] std::optional<std::string> sealed() const;

  // CommitHook
  Result<void> begin() override;
  Result<void> add(store::LogWriter& log, std::vector<store::QueuedStatement> statements) override;
  Result<void> integrate(store::LogWriter& log) override;
  void committed() override;
  void rolled_back() override;

  // For rotation.h, of a server that does not run; before the first commit.
  /// What a new log begins with.
  struct Beginning {
    std::uint32_t log = 1;
    provenance::OldHead old_head;
    Time not_before;  ///< Its genesis is not dated before this.
  };
  /// A log that has no entry yet; its genesis names the one before. It reads nothing.
  static std::unique_ptr<Sequencer> begin_log(Beginning beginning, LogKeys keys, Clock& clock,
                                              Rng& rng);
  /// What to commit so that a log without entries gets its genesis, and nothing else.
  static store::QueuedStatement genesis();
  /// What to commit so that the log goes on with the keys `next`: from that entry on with its
  /// statement key, and from that checkpoint on with its log keys. Once.
  store::QueuedStatement rotation(LogKeys next, std::string actor);

 private:
  struct Impl;
  explicit Sequencer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// A statement for Commit::statements. `contents`: what its commitments stand for, each with
/// seq 0 and the name of its member; may be empty. CHECKs that it is not about keys.
store::QueuedStatement queued(const provenance::Statement& statement,
                              const std::vector<provenance::Content>& contents = {});
/// The number that a store knows a type by. They are in stores; never reuse one.
std::uint8_t kind_of(provenance::StatementType type);

}  // namespace avow::tlog
