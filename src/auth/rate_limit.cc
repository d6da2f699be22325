// SPDX-License-Identifier: Apache-2.0
// The generic cell rate algorithm: a bucket is one point in time, when it would be full again. A
// token moves it by `price`; it may lie at most one window ahead.
#include "auth/rate_limit.h"

#include <algorithm>

#include "base/bytes.h"
#include "net/address.h"

namespace avow::auth {

RateState TokenBuckets::state_at(Nanoseconds debt) const {
  // A wait is told rounded up, so that who waits as told gets a token.
  RateState state{.limit = limit_.tokens};
  state.remaining = static_cast<std::uint32_t>((capacity() - debt) / price());
  state.reset = std::chrono::ceil<Duration>(debt);
  state.retry_after =
      std::chrono::ceil<Duration>(std::max(debt + price() - capacity(), Nanoseconds(0)));
  return state;
}

RateState TokenBuckets::look(std::string_view key, Time now) {
  const MutexLock lock(mutex_);
  const auto found = by_key_.find(key);
  const Nanoseconds left = found == by_key_.end() ? Nanoseconds(0) : found->second->full_at - now;
  RateState state = state_at(std::clamp(left, Nanoseconds(0), capacity()));
  state.is_allowed = state.remaining > 0;
  return state;
}

RateState TokenBuckets::take(std::string_view key, Time now) {
  const MutexLock lock(mutex_);
  drop_idle(now);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    if (by_use_.size() >= keys_max_) {
      by_key_.erase(by_use_.back().key);
      by_use_.pop_back();
    }
    by_use_.push_front({std::string(key), now});
    found = by_key_.emplace(by_use_.front().key, by_use_.begin()).first;
  } else {
    by_use_.splice(by_use_.begin(), by_use_, found->second);
  }
  Bucket& bucket = *found->second;
  Nanoseconds debt = std::clamp<Nanoseconds>(bucket.full_at - now, Nanoseconds(0), capacity());
  const bool is_allowed = debt + price() <= capacity();
  if (is_allowed) debt += price();
  bucket.full_at = now + debt;
  RateState state = state_at(debt);
  state.is_allowed = is_allowed;
  return state;
}

void TokenBuckets::drop_idle(Time now) {
  // Two a call, so that a burst of keys is gone after as many calls and no call is long.
  for (int i = 0; i < 2 && !by_use_.empty() && by_use_.back().full_at <= now; ++i) {
    by_key_.erase(by_use_.back().key);
    by_use_.pop_back();
  }
}

std::size_t TokenBuckets::size() {
  const MutexLock lock(mutex_);
  return by_use_.size();
}

std::string source_key(std::string_view address) {
  const auto parsed = net::IpAddress::parse(address);
  if (!parsed || parsed->is_v4()) return std::string(address);
  return to_hex(view_of(parsed->bytes).substr(0, 8)) + "/64";
}

}  // namespace avow::auth
