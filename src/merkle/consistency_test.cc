// SPDX-License-Identifier: Apache-2.0
#include "merkle/consistency.h"

#include <gtest/gtest.h>

#include "merkle/recursive_tree.h"

namespace avow::merkle {
namespace {

Hash changed(Hash hash) {
  hash[13] ^= 4;
  return hash;
}

// The oracle is RFC 6962's recursive PROOF(m, D[n]); the verifier climbs from below.
TEST(ConsistencyProof, HoldsBetweenEveryTwoTreesUpTo70Leaves) {
  const auto all = oracle::entries(oracle::kSizeMax);
  std::vector<Hash> roots;
  for (std::size_t n = 0; n <= all.size(); ++n) {
    roots.push_back(oracle::root(oracle::Entries(all).first(n)));
  }
  for (std::size_t n = 1; n <= all.size(); ++n) {
    for (std::size_t m = 1; m <= n; ++m) {
      const ConsistencyProof proof{m, n, oracle::proof(m, oracle::Entries(all).first(n))};
      EXPECT_TRUE(verify_consistency(proof, roots[m], roots[n])) << m << " to " << n;
      EXPECT_FALSE(verify_consistency(proof, changed(roots[m]), roots[n])) << m << " to " << n;
      EXPECT_FALSE(verify_consistency(proof, roots[m], changed(roots[n]))) << m << " to " << n;
    }
  }
}

TEST(ConsistencyProof, FailsWhenAnyNodeIsChangedDroppedOrAdded) {
  const auto entries = oracle::entries(21);
  const Hash new_root = oracle::root(entries);
  for (std::size_t m = 1; m < entries.size(); ++m) {
    const Hash old_root = oracle::root(oracle::Entries(entries).first(m));
    const ConsistencyProof good{m, entries.size(), oracle::proof(m, entries)};
    for (std::size_t k = 0; k < good.nodes.size(); ++k) {
      ConsistencyProof bad = good;
      bad.nodes[k] = changed(bad.nodes[k]);
      EXPECT_FALSE(verify_consistency(bad, old_root, new_root)) << "node " << k << " from " << m;
      bad = good;
      bad.nodes.erase(bad.nodes.begin() + static_cast<std::ptrdiff_t>(k));
      EXPECT_FALSE(verify_consistency(bad, old_root, new_root)) << "without " << k << " from " << m;
    }
    ConsistencyProof longer = good;
    longer.nodes.push_back(new_root);
    EXPECT_FALSE(verify_consistency(longer, old_root, new_root));
  }
}

TEST(ConsistencyProof, FromTwoHistoriesFails) {
  // One leaf of the older tree was rewritten afterwards: no honest proof of the new tree fits.
  const auto before = oracle::entries(13);
  auto after = before;
  for (std::size_t rewritten = 0; rewritten < 9; ++rewritten) {
    after[rewritten] += "!";
    const ConsistencyProof proof{9, 13, oracle::proof(9, after)};
    EXPECT_FALSE(verify_consistency(proof, oracle::root(oracle::Entries(before).first(9)),
                                    oracle::root(after)))
        << "leaf " << rewritten;
    after = before;
  }
}

TEST(ConsistencyProof, FromAnEmptyOrALargerTreeIsRefused) {
  const Hash empty = empty_root();
  EXPECT_EQ(verify_consistency({0, 0, {}}, empty, empty).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verify_consistency({0, 5, {}}, empty, Hash{}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(verify_consistency({6, 5, {}}, Hash{}, Hash{}).error().code, Code::kInvalidArgument);
}

TEST(ConsistencyProof, OfTheLargestTreesThereCanBeIsReadWithoutOverflow) {
  const ConsistencyProof proof{1ULL << 63, ~0ULL, std::vector<Hash>(200)};
  EXPECT_EQ(verify_consistency(proof, Hash{}, Hash{}).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace avow::merkle
