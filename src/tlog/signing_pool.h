// SPDX-License-Identifier: Apache-2.0
// tlog/signing_pool.h: makes entries of statements on a few threads while their commits are still
// being written. One batch at a time, ordered and joined by one thread, which signs too while it
// waits. A thread is woken for the second statement that waits, not for the first: to wake one
// takes longer than to sign (docs/performance.md). It holds the statements of that batch and
// nothing else, so the commit queue bounds it.
#pragma once
#include <condition_variable>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "crypto/p256.h"
#include "merkle/hash.h"

namespace avow::tlog {

class SigningPool {
 public:
  struct Signed {
    std::string statement;
    std::string entry;  ///< provenance::make_entry() of it, encoded.
    merkle::Hash leaf{};
  };

  /// `threads` may be 0: then join() signs all.
  explicit SigningPool(int threads);
  ~SigningPool();
  SigningPool(const SigningPool&) = delete;
  SigningPool& operator=(const SigningPool&) = delete;

  /// Orders the entry of `statement` from `key`, which outlives the batch.
  void order(std::string statement, const crypto::P256PrivateKey& key);
  /// What was ordered since the last join() or drop(), in that order.
  std::vector<Signed> join();
  /// Forgets what was ordered; waits for what is being signed.
  void drop();

 private:
  struct Job {
    Signed made;
    const crypto::P256PrivateKey* key = nullptr;
  };
  void work();
  /// Makes the next one; not locked while it does.
  void make_one() REQUIRES(mutex_);
  void wait_for_others() REQUIRES(mutex_);

  Mutex mutex_;
  std::condition_variable_any ordered_;
  std::condition_variable_any made_;
  /// A deque, because the jobs stay where they are while more are ordered.
  std::deque<Job> jobs_ GUARDED_BY(mutex_);
  std::size_t begun_ GUARDED_BY(mutex_) = 0;    ///< The first so many.
  std::size_t at_work_ GUARDED_BY(mutex_) = 0;  ///< Of those, not yet made.
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace avow::tlog
