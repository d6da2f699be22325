// SPDX-License-Identifier: Apache-2.0
#include "merkle/compact_range.h"

#include <gtest/gtest.h>

#include "merkle/recursive_tree.h"

namespace avow::merkle {
namespace {

CompactRange range_of(oracle::Entries entries) {
  CompactRange range;
  for (const std::string& entry : entries) range.append(hash_leaf(entry));
  return range;
}

TEST(Hash, IsThatOfTheKnownSmallTrees) {
  // From the first vectors of certificate-transparency's test suite: the empty tree, an empty
  // entry, and the entry 00.
  EXPECT_EQ(to_hex(view_of(empty_root())),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(view_of(hash_leaf(""))),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
  EXPECT_EQ(to_hex(view_of(hash_leaf(std::string_view("\0", 1)))),
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
  EXPECT_EQ(to_hex(view_of(hash_children(hash_leaf(""), hash_leaf(std::string_view("\0", 1))))),
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
}

TEST(CompactRange, HasTheRecursiveRootAtEverySizeUpTo70) {
  const auto entries = oracle::entries(oracle::kSizeMax);
  CompactRange range;
  EXPECT_EQ(range.root(), oracle::root({}));
  for (std::size_t n = 1; n <= oracle::kSizeMax; ++n) {
    range.append(hash_leaf(entries[n - 1]));
    EXPECT_EQ(range.size(), n);
    EXPECT_EQ(range.root(), oracle::root(oracle::Entries(entries).first(n))) << "size " << n;
  }
}

TEST(CompactRange, GoesOnAfterARestoreAtEverySizeUpTo70AsIfNothingHadHappened) {
  const auto entries = oracle::entries(oracle::kSizeMax + 1);
  for (std::size_t n = 0; n <= oracle::kSizeMax; ++n) {
    const CompactRange before = range_of(oracle::Entries(entries).first(n));
    auto after = CompactRange::restore(before.size(), before.nodes());
    ASSERT_TRUE(after) << "size " << n;
    EXPECT_EQ(after->root(), before.root());
    after->append(hash_leaf(entries[n]));
    EXPECT_EQ(after->root(), oracle::root(oracle::Entries(entries).first(n + 1))) << "size " << n;
  }
}

TEST(CompactRange, IsNotRestoredFromAnotherNumberOfNodes) {
  const std::vector<Hash> nodes(3);
  EXPECT_TRUE(CompactRange::restore(0b10101, nodes));
  for (const std::uint64_t size : {0ULL, 1ULL, 3ULL, 8ULL, 15ULL, ~0ULL}) {
    const auto refused = CompactRange::restore(size, nodes);
    ASSERT_FALSE(refused) << "size " << size;
    EXPECT_EQ(refused.error().code, Code::kCorruption);
  }
}

}  // namespace
}  // namespace avow::merkle
