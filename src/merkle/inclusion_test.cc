// SPDX-License-Identifier: Apache-2.0
#include "merkle/inclusion.h"

#include <gtest/gtest.h>

#include "merkle/recursive_tree.h"

namespace avow::merkle {
namespace {

Hash changed(Hash hash) {
  hash[13] ^= 4;
  return hash;
}

// The oracle is RFC 6962's recursive definition, slow and word for word; it shares no code with the
// iterative verifier under test.
TEST(InclusionProof, HoldsForEveryLeafOfEveryTreeUpTo70Leaves) {
  const auto all = oracle::entries(oracle::kSizeMax);
  for (std::size_t size = 1; size <= oracle::kSizeMax; ++size) {
    const auto entries = oracle::Entries(all).first(size);
    const Hash root = oracle::root(entries);
    for (std::size_t i = 0; i < size; ++i) {
      const InclusionProof proof{i, size, oracle::path(i, entries)};
      EXPECT_TRUE(verify_inclusion(oracle::leaf(all[i]), proof, root))
          << "leaf " << i << " of " << size;
    }
  }
}

TEST(InclusionProof, HoldsAtNoOtherIndexOfItsTreeUpTo33Leaves) {
  const auto all = oracle::entries(33);
  for (std::size_t size = 1; size <= all.size(); ++size) {
    const auto entries = oracle::Entries(all).first(size);
    const Hash root = oracle::root(entries);
    for (std::size_t i = 0; i < size; ++i) {
      InclusionProof proof{0, size, oracle::path(i, entries)};
      for (std::size_t other = 0; other < size; ++other) {
        proof.leaf_index = other;
        EXPECT_EQ(verify_inclusion(oracle::leaf(all[i]), proof, root).has_value(), other == i)
            << "leaf " << i << " as " << other << " of " << size;
      }
    }
  }
}

TEST(InclusionProof, FailsWhenAnyHashIsChangedDroppedOrAdded) {
  const auto entries = oracle::entries(11);
  const Hash root = oracle::root(entries);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Hash leaf = oracle::leaf(entries[i]);
    const InclusionProof good{i, entries.size(), oracle::path(i, entries)};
    EXPECT_FALSE(verify_inclusion(changed(leaf), good, root));
    EXPECT_FALSE(verify_inclusion(leaf, good, changed(root)));
    for (std::size_t k = 0; k < good.siblings.size(); ++k) {
      InclusionProof bad = good;
      bad.siblings[k] = changed(bad.siblings[k]);
      EXPECT_FALSE(verify_inclusion(leaf, bad, root)) << "sibling " << k << " of leaf " << i;
      bad = good;
      bad.siblings.erase(bad.siblings.begin() + static_cast<std::ptrdiff_t>(k));
      EXPECT_FALSE(verify_inclusion(leaf, bad, root)) << "without " << k << " of leaf " << i;
    }
    InclusionProof longer = good;
    longer.siblings.push_back(root);
    EXPECT_FALSE(verify_inclusion(leaf, longer, root));
  }
}

TEST(InclusionProof, IsRefusedOutsideTheTree) {
  for (const std::uint64_t size : {0ULL, 1ULL, 5ULL}) {
    const auto refused = verify_inclusion(Hash{}, {size, size, {}}, Hash{});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

TEST(InclusionProof, OfTheLargestTreeThereCanBeIsReadWithoutOverflow) {
  const InclusionProof proof{~0ULL - 1, ~0ULL, std::vector<Hash>(200)};
  EXPECT_EQ(verify_inclusion(Hash{}, proof, Hash{}).error().code, Code::kCorruption);
}

}  // namespace
}  // namespace avow::merkle
