// SPDX-License-Identifier: Apache-2.0
#include "tlog/signing_pool.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "crypto/sha256.h"
#include "provenance/entry.h"

namespace avow::tlog {
namespace {

TEST(SigningPool, MakesTheEntriesOfABatchInTheOrderOfTheirStatements) {
  const auto key = crypto::P256PrivateKey::generate();
  SeededRng chance(11);
  for (const int threads : {0, 1, 3}) {
    SigningPool pool(threads);
    for (int batch = 0; batch < 20; ++batch) {
      const std::uint64_t count = chance.below(40);
      for (std::uint64_t i = 0; i < count; ++i) {
        pool.order(fmt::format("{} of {}", i, batch), key);
      }
      if (chance.below(4) == 0) {
        pool.drop();
        EXPECT_TRUE(pool.join().empty());
        continue;
      }
      const auto made = pool.join();
      ASSERT_EQ(made.size(), count);
      for (std::uint64_t i = 0; i < count; ++i) {
        EXPECT_EQ(made[i].statement, fmt::format("{} of {}", i, batch));
        const auto entry = provenance::decode_entry(made[i].entry);
        ASSERT_TRUE(entry);
        EXPECT_EQ(entry->digest, crypto::sha256(made[i].statement));
        EXPECT_TRUE(key.public_key().verifies(made[i].statement, entry->signature));
        EXPECT_EQ(made[i].leaf, crypto::sha256('\0' + made[i].entry));
      }
    }
  }
}

TEST(SigningPool, SignsEachWithItsOwnKey) {
  const auto one = crypto::P256PrivateKey::generate();
  const auto other = crypto::P256PrivateKey::generate();
  SigningPool pool(2);
  pool.order("one", one);
  pool.order("other", other);
  const auto made = pool.join();
  ASSERT_EQ(made.size(), 2U);
  EXPECT_EQ(provenance::decode_entry(made[0].entry)->public_key, one.public_key().spki_der());
  EXPECT_EQ(provenance::decode_entry(made[1].entry)->public_key, other.public_key().spki_der());
}

TEST(SigningPool, EndsWithWorkStillOrdered) {
  const auto key = crypto::P256PrivateKey::generate();
  SigningPool pool(2);
  for (int i = 0; i < 50; ++i) pool.order("never asked for", key);
}

}  // namespace
}  // namespace avow::tlog
