// SPDX-License-Identifier: Apache-2.0
// auth/rate_limit.h: token buckets, one for each key, in bounded memory. Any thread.
#pragma once
#include <cstdint>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/mutex.h"
#include "base/time.h"

namespace avow::auth {

/// So many at once, and as many again in each `window`, evenly.
struct RateLimit {
  std::uint32_t tokens = 0;  ///< At least 1.
  Duration window{60'000};   ///< At least 1 ms; with 2^32 tokens a second.
};

/// How a bucket stands: the figures of X-RateLimit-Limit, -Remaining, -Reset and of Retry-After.
struct RateState {
  bool is_allowed = false;      ///< There was a token.
  std::uint32_t limit = 0;      ///< RateLimit::tokens.
  std::uint32_t remaining = 0;  ///< Whole tokens that are left.
  Duration reset{};             ///< Until the bucket is full again.
  Duration retry_after{};       ///< Until there is a token; zero if there is one.
};

/// Buckets by key (an address, a tenant, an API key). A key not seen for long enough to be full
/// again costs nothing. Of more than `keys_max` the one unused for longest is forgotten, which
/// gives it a full bucket: many addresses can buy that, so the limit holds against one source, not
/// a crowd.
class TokenBuckets {
 public:
  TokenBuckets(RateLimit limit, std::size_t keys_max) : limit_(limit), keys_max_(keys_max) {}

  /// Takes a token if there is one. `now` that goes back counts as no time.
  RateState take(std::string_view key, Time now);
  /// The same without taking: `is_allowed` says whether there is one.
  RateState look(std::string_view key, Time now);
  [[nodiscard]] std::size_t size();

 private:
  using Nanoseconds = std::chrono::nanoseconds;  // a token of a generous limit costs less than 1 ms
  struct Bucket {
    std::string key;
    std::chrono::sys_time<Nanoseconds> full_at;  ///< When it is full again; all it must remember.
  };
  [[nodiscard]] RateState state_at(Nanoseconds debt) const;
  [[nodiscard]] Nanoseconds price() const { return Nanoseconds(limit_.window) / limit_.tokens; }
  [[nodiscard]] Nanoseconds capacity() const { return price() * limit_.tokens; }
  void drop_idle(Time now) REQUIRES(mutex_);

  const RateLimit limit_;
  const std::size_t keys_max_;
  Mutex mutex_;
  std::list<Bucket> by_use_ GUARDED_BY(mutex_);  ///< Used last at the front.
  std::unordered_map<std::string_view, std::list<Bucket>::iterator> by_key_ GUARDED_BY(mutex_);
};

/// The key under which a source address is counted: an IPv6 address by its /64, since one customer
/// has at least that; anything else as it is.
std::string source_key(std::string_view address);

}  // namespace avow::auth
