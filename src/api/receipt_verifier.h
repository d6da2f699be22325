// SPDX-License-Identifier: Apache-2.0
// api/receipt_verifier.h: checks receipts for anybody who asks, within bounds of its own. It trusts
// the keys of this deployment's logs and nothing in the file. Any thread.
#pragma once
#include <atomic>
#include <optional>
#include <string_view>
#include <variant>

#include "auth/rate_limit.h"
#include "base/mutex.h"
#include "provenance/verify.h"
#include "tlog/log.h"

namespace avow::api {

struct ReceiptVerifierOptions {
  auth::RateLimit per_address = {.tokens = 300, .window = Duration(60'000)};
  std::size_t addresses_max = 10'000;  ///< That are remembered.
  int at_once_max = 2;
};

class ReceiptVerifier {
 public:
  explicit ReceiptVerifier(ReceiptVerifierOptions options = {})
      : options_(options), buckets_(options.per_address, options.addresses_max) {}

  /// Every key that ever signed a checkpoint of a log of this deployment: those that sign now, then
  /// those that older statements about keys name. Keys change only while no server runs, so the
  /// store is read once. Errors: those of the store
  Result<std::vector<merkle::VerifierKey>> log_keys(store::Store& store, const tlog::Log& log);

  /// Nothing in time: too many are being checked. Otherwise what `file` proves to who trusts
  /// `keys`.
  std::optional<provenance::Verification> verify(std::string_view file,
                                                 std::vector<merkle::VerifierKey> keys);
  /// Takes one out of what a source address may ask for.
  auth::RateState take(std::string_view source, Time now) {
    return buckets_.take(auth::source_key(source), now);
  }

 private:
  const ReceiptVerifierOptions options_;
  auth::TokenBuckets buckets_;
  std::atomic<int> under_way_ = 0;
  Mutex mutex_;
  std::optional<std::vector<merkle::VerifierKey>> log_keys_ GUARDED_BY(mutex_);
};

}  // namespace avow::api
