// SPDX-License-Identifier: Apache-2.0
// tlog/witness.h: asks witnesses to cosign a checkpoint (C2SP tlog-witness, tlog-cosignature). One
// round at a time, all witnesses of it in parallel, each with the deadline; what comes back is
// untrusted and checked against the witness's key. All on one strand.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/executor.h"
#include "base/time.h"
#include "merkle/consistency.h"
#include "merkle/note.h"
#include "merkle/policy.h"
#include "net/http_client.h"

namespace avow::tlog {

/// "old <size>", the proof's lines, an empty line, and the signed checkpoint.
std::string add_checkpoint_request(std::uint64_t old_size, const std::vector<merkle::Hash>& proof,
                                   std::string_view signed_checkpoint);

/// What one witness said.
struct WitnessAnswer {
  enum class Kind {
    kCosigned,
    kAhead,        ///< It has cosigned a larger checkpoint than this one: ours is an old copy.
    kFork,         ///< It cannot be led from what it cosigned to this one: 422, or 409 at its size.
    kRefused,      ///< It does not know the log, or is out of order.
    kUnreachable,  ///< No answer in time.
  };
  std::string witness;  ///< Its name in the policy.
  Kind kind = Kind::kUnreachable;
  std::optional<merkle::NoteSignature> cosignature;  ///< kCosigned: verified.
  std::uint64_t size = 0;                            ///< kAhead: where it stands.
  std::string detail;                                ///< For people; holds no secret.
};

class WitnessRounds {
 public:
  /// Gives the proof from a size to the checkpoint's; may read the store.
  using Prove = std::function<Result<merkle::ConsistencyProof>(std::uint64_t old_size)>;
  using Done = std::function<void(std::vector<WitnessAnswer>)>;

  /// `client`, `strand` and the policy outlive it.
  WitnessRounds(const merkle::Policy& policy, net::HttpClient& client, Executor& strand,
                Clock& clock);

  /// Asks every witness with a URL. `done` once, on the strand, when all have answered or the
  /// deadline has passed. A 409 is answered by one more request with the proof from the size that
  /// it names. One round at a time: CHECKs that none is under way.
  void ask(const merkle::Checkpoint& checkpoint, const std::string& signed_checkpoint, Prove prove,
           Time deadline, Done done);
};

}  // namespace avow::tlog
