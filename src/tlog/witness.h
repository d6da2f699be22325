// SPDX-License-Identifier: Apache-2.0
// tlog/witness.h: asks witnesses to cosign a checkpoint (C2SP tlog-witness, tlog-cosignature). One
// round at a time, all witnesses of it in parallel, each with the deadline; what comes back is
// untrusted and checked against the witness's key. All on one strand.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/executor.h"
#include "base/time.h"
#include "merkle/checkpoint.h"
#include "merkle/consistency.h"
#include "merkle/note.h"
#include "merkle/policy.h"
#include "net/http_client.h"

namespace avow::tlog {

/// "old <size>", the proof's lines, an empty line, and the signed checkpoint.
std::string add_checkpoint_request(std::uint64_t old_size, const std::vector<merkle::Hash>& proof,
                                   std::string_view signed_checkpoint);

/// What a witness may answer with: a few signature lines, or a number.
inline constexpr std::size_t kWitnessAnswerBytesMax = std::size_t{64} * 1024;

/// What one witness said.
struct WitnessAnswer {
  enum class Kind {
    kCosigned,
    kAhead,  ///< It has cosigned a larger checkpoint than this one: ours is an old copy.
    kFork,   ///< It cannot be led from what it cosigned to this one: 422, or 409 at its size.
    /// It does not know the log, or is out of order: what it says has no meaning.
    kRefused,
    kUnreachable,  ///< No answer in time, or one of a server that is busy or broken.
  };
  std::string witness;  ///< Its name in the policy.
  Kind kind = Kind::kUnreachable;
  std::optional<merkle::NoteSignature> cosignature;  ///< kCosigned: verified.
  std::uint64_t size = 0;                            ///< kAhead: where it stands.
  std::string detail;  ///< For people; holds no secret, and nothing that the witness wrote.
};

class WitnessRounds {
 public:
  /// Gives the proof from a size, above 0, to the checkpoint's; may read the store.
  using Prove = std::function<Result<merkle::ConsistencyProof>(std::uint64_t old_size)>;
  using Done = std::function<void(std::vector<WitnessAnswer>)>;

  /// `client`, `strand`, `clock` and the policy outlive it, and every call of `client`.
  WitnessRounds(const merkle::Policy& policy, net::HttpClient& client, Executor& strand,
                Clock& clock);
  /// On the strand, or when the strand runs nothing any more. Gives up the round that is under way:
  /// its `done` is not called.
  ~WitnessRounds();
  WitnessRounds(const WitnessRounds&) = delete;
  WitnessRounds& operator=(const WitnessRounds&) = delete;

  /// Asks every witness with a URL, on the strand. `done` once, on the strand, never inside this
  /// call, with the answers in the policy's order, when all have answered or the deadline has
  /// passed. Each is first sent the proof from the size that it last cosigned here, from nothing if
  /// that is not known; a 409 is answered by one more request with the proof from the size that it
  /// names. One round at a time: CHECKs that none is under way.
  void ask(const merkle::Checkpoint& checkpoint, std::string signed_checkpoint, Prove prove,
           Time deadline, Done done);

 private:
  struct Witness;
  struct Round;
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace avow::tlog
