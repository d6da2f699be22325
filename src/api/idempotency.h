// SPDX-License-Identifier: Apache-2.0
// api/idempotency.h: a request with an Idempotency-Key changes something once (CONTRACT.md,
// "Idempotency"). The answer is written in the transaction of the change, so it is there if and
// only if the change is; the gate holds back a repetition that comes while the first is being
// answered. Any thread.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/call.h"
#include "base/mutex.h"

namespace avow::api {

inline constexpr std::size_t kIdempotencyKeyMax = 255;
inline constexpr Duration kAnswerKept = std::chrono::hours(24);
inline constexpr Duration kDuplicateWaits = std::chrono::seconds(10);

/// The keys of requests that this process is answering now.
/// LIMITATION: of two nodes that get one key at once, both start; the store lets one of them
/// commit, and the other answers 409.
class IdempotencyGate {
 public:
  /// Gets the first request's answer; nothing if it ended without one.
  using Waiter = std::function<void(const std::optional<net::Response>& first)>;
  enum class Entry { kFirst, kDuplicate, kOtherBody };

  /// kFirst: nobody has this key now, and who asked must leave().
  Entry enter(const KeyedRequest& request);
  /// Calls `waiter` once, when the first leaves. False, and nothing happens, if it has left
  /// already.
  bool wait(const std::string& key, Waiter waiter);
  /// The first is done; calls the waiters, which must be brief.
  void leave(const std::string& key, const std::optional<net::Response>& answer);

 private:
  struct InFlight {
    std::string body_digest;
    std::vector<Waiter> waiters;
  };
  Mutex mutex_;
  std::unordered_map<std::string, InFlight> in_flight_ GUARDED_BY(mutex_);
};

/// What the header Idempotency-Key makes of a request; nothing if it is not there.
/// Errors: kInvalidArgument  it is there twice, or not 1 to kIdempotencyKeyMax visible characters
Result<std::optional<KeyedRequest>> keyed_request(const net::Request& request,
                                                  const auth::Caller& caller, Time now);

/// Calls `handler`, unless `call` repeats a request: then the first answer again, with
/// `Idempotent-Replayed: true`, or 409 for another body.
Reply answer_once(Call& call, Reply (*handler)(Call&));

/// The bytes of a kept answer: JSON, {"status", "headers": [[name, value]...], "body"}, or
/// {"status", "run": uuid} where the answer shows the run as it is when asked again.
std::string write_kept(const net::Response& response);
std::string write_kept_run(int status, RunId run);

}  // namespace avow::api
