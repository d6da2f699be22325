// SPDX-License-Identifier: Apache-2.0
#include "merkle/entry_bundle.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace avow::merkle {
namespace {

TEST(EntryBundle, IsEachEntryBehindItsLengthInBigEndianOrder) {
  std::string bundle;
  EXPECT_TRUE(append_entry(bundle, "abc"));
  EXPECT_TRUE(append_entry(bundle, ""));
  EXPECT_TRUE(append_entry(bundle, std::string(258, 'z')));
  EXPECT_EQ(bundle, std::string("\0\3abc\0\0\1\2", 9) + std::string(258, 'z'));
  const auto entries = parse_entry_bundle(bundle, 3);
  ASSERT_TRUE(entries);
  EXPECT_EQ(*entries,
            (std::vector<std::string_view>{"abc", "", std::string_view(bundle).substr(9)}));
}

TEST(EntryBundle, TakesEntriesUpTo65535Bytes) {
  std::string bundle;
  EXPECT_TRUE(append_entry(bundle, std::string(kEntryBytesMax, 'e')));
  EXPECT_EQ(parse_entry_bundle(bundle, 1)->front().size(), kEntryBytesMax);
  EXPECT_EQ(append_entry(bundle, std::string(kEntryBytesMax + 1, 'e')).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(bundle.size(), 2 + kEntryBytesMax);
}

TEST(EntryBundle, OfAnotherNumberOfEntriesOrCutAnywhereIsRefused) {
  std::string bundle;
  for (const char* entry : {"one", "", "three", "four"}) {
    EXPECT_TRUE(append_entry(bundle, entry));
  }
  EXPECT_TRUE(parse_entry_bundle(bundle, 4));
  for (const std::uint64_t width : {0U, 1U, 3U, 5U, 256U}) {
    EXPECT_EQ(parse_entry_bundle(bundle, width).error().code, Code::kCorruption);
  }
  for (std::size_t size = 0; size < bundle.size(); ++size) {
    EXPECT_FALSE(parse_entry_bundle(std::string_view(bundle).substr(0, size), 4)) << size;
  }
  EXPECT_FALSE(parse_entry_bundle(bundle + '\0', 4));
}

TEST(EntryBundle, OfRandomBytesIsRefusedOrIsWrittenTheSame) {
  SeededRng rng(11);
  int read = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes(rng.below(12), '\0');
    for (char& byte : bytes)
      byte = static_cast<char>(rng.below(4) == 0 ? rng.below(256) : rng.below(3));
    const auto entries = parse_entry_bundle(bytes, rng.below(5));
    if (!entries) continue;
    ++read;
    std::string again;
    for (const std::string_view entry : *entries) EXPECT_TRUE(append_entry(again, entry));
    EXPECT_EQ(again, bytes);
  }
  EXPECT_GT(read, 100);
}

}  // namespace
}  // namespace avow::merkle
