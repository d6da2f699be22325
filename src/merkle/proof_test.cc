// SPDX-License-Identifier: Apache-2.0
#include "merkle/proof.h"

#include <gtest/gtest.h>

#include "merkle/recursive_tree.h"

namespace avow::merkle {
namespace {

/// Every node asked for must be complete; its hash is the oracle's.
NodeSource nodes_of(oracle::Entries entries) {
  return [entries](const Node& node) -> Result<Hash> {
    const std::size_t width = std::size_t{1} << node.height;
    EXPECT_LE((node.index + 1) * width, entries.size()) << "an incomplete node is asked for";
    return oracle::root(entries.subspan(node.index * width, width));
  };
}

// The oracle is RFC 6962's recursive PATH(m, D[n]).
TEST(ProveInclusion, GivesTheRecursivePathOfEveryLeafOfEveryTreeUpTo70Leaves) {
  const auto all = oracle::entries(oracle::kSizeMax);
  for (std::size_t size = 1; size <= oracle::kSizeMax; ++size) {
    const auto entries = oracle::Entries(all).first(size);
    for (std::size_t i = 0; i < size; ++i) {
      const auto proof = prove_inclusion(i, size, nodes_of(entries));
      ASSERT_TRUE(proof) << "leaf " << i << " of " << size;
      EXPECT_EQ(proof->leaf_index, i);
      EXPECT_EQ(proof->tree_size, size);
      EXPECT_EQ(proof->siblings, oracle::path(i, entries)) << "leaf " << i << " of " << size;
    }
  }
}

// The oracle is RFC 6962's recursive PROOF(m, D[n]).
TEST(ProveConsistency, GivesTheRecursiveProofBetweenEveryTwoTreesUpTo70Leaves) {
  const auto all = oracle::entries(oracle::kSizeMax);
  for (std::size_t n = 1; n <= oracle::kSizeMax; ++n) {
    const auto entries = oracle::Entries(all).first(n);
    for (std::size_t m = 1; m <= n; ++m) {
      const auto proof = prove_consistency(m, n, nodes_of(entries));
      ASSERT_TRUE(proof) << m << " to " << n;
      EXPECT_EQ(proof->nodes, oracle::proof(m, entries)) << m << " to " << n;
    }
  }
}

TEST(RootAt, IsTheRecursiveRootAtEverySizeUpTo70) {
  const auto all = oracle::entries(oracle::kSizeMax);
  for (std::size_t size = 0; size <= oracle::kSizeMax; ++size) {
    const auto entries = oracle::Entries(all).first(size);
    EXPECT_EQ(*root_at(size, nodes_of(entries)), oracle::root(entries)) << "size " << size;
  }
}

TEST(Proofs, AreRefusedWhereThereIsNothingToProve) {
  const auto entries = oracle::entries(5);
  const NodeSource nodes = nodes_of(entries);
  EXPECT_EQ(prove_inclusion(5, 5, nodes).error().code, Code::kInvalidArgument);
  EXPECT_EQ(prove_inclusion(0, 0, nodes).error().code, Code::kInvalidArgument);
  EXPECT_EQ(prove_consistency(0, 5, nodes).error().code, Code::kInvalidArgument);
  EXPECT_EQ(prove_consistency(5, 4, nodes).error().code, Code::kInvalidArgument);
}

TEST(Proofs, PassOnTheErrorOfEachNodeThatCannotBeRead) {
  const auto entries = oracle::entries(11);
  for (int readable = 0;; ++readable) {
    int left = readable;
    const NodeSource source = [&](const Node& node) -> Result<Hash> {
      if (left-- == 0) return failure(Code::kUnavailable, "no tile");
      return nodes_of(entries)(node);
    };
    const auto proof = prove_consistency(3, 11, source);
    if (proof) {
      EXPECT_GT(readable, 3);
      break;
    }
    EXPECT_EQ(proof.error().code, Code::kUnavailable);
    left = readable;
    EXPECT_EQ(root_at(11, source).has_value(), readable >= 3);
  }
}

// In the largest tree each hash stands for its own place, so no oracle is needed: the shape and the
// bounds of what is read are checked.
TEST(Proofs, OfTheLargestTreeThereCanBeReadOnlyItsNodes) {
  constexpr std::uint64_t kSize = ~std::uint64_t{0};
  int reads = 0;
  const NodeSource source = [&reads](const Node& node) -> Result<Hash> {
    ++reads;
    EXPECT_GE(node.height, 0);
    EXPECT_LE(node.height, 63);
    EXPECT_LT(node.index, kSize >> node.height);
    return Hash{};
  };
  for (const std::uint64_t leaf : {std::uint64_t{0}, kSize / 2, kSize - 1}) {
    reads = 0;
    const auto proof = prove_inclusion(leaf, kSize, source);
    ASSERT_TRUE(proof);
    EXPECT_LE(proof->siblings.size(), 64U);
    EXPECT_LE(reads, 130);
  }
  EXPECT_TRUE(prove_consistency(kSize - 1, kSize, source));
  EXPECT_TRUE(prove_consistency(1, kSize, source));
  reads = 0;
  EXPECT_TRUE(root_at(kSize, source));
  EXPECT_EQ(reads, 64);
}

}  // namespace
}  // namespace avow::merkle
