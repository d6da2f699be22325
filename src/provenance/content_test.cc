// SPDX-License-Identifier: Apache-2.0
#include "provenance/content.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "base/rng.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::provenance {
namespace {

constexpr std::string_view kNested = R"({"b":[1,2.5,{"x":null}],"a":{"é":"\n","":true},"A":"1"})";

Bytes32 counting_from(std::uint8_t first) {
  Bytes32 bytes;
  std::iota(bytes.begin(), bytes.end(), first);
  return bytes;
}

json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : json::Value();
}

std::string commitment_hex(std::string_view text) {
  return to_hex(view_of(commitment(parsed(text), counting_from(0))));
}

// Computed from the formulas of docs/formats/commitment.md with Python's hmac, hashlib and json.
TEST(Commitment, IsThatOfTheDocumentedVectors) {
  EXPECT_EQ(commitment_hex("{}"),
            "10edc6d858c720fb1116fba9c4923e1d1f28b3f019dbc1cd6abec2177ccec1e1");
  EXPECT_EQ(commitment_hex(R"({"":1})"),
            "7f8072ae0ac0951bef246a34d92c014bc30a89b7b0651bc50d845da1df47ee47");
  EXPECT_EQ(commitment_hex("1"),
            "20e3508ab5d52a1bf60dde49b7c50508fba42bae82403771b721708863b99067");
  EXPECT_EQ(commitment_hex("[]"),
            "9a2570e58febc96c24655d58b3500d63db057523966921b29b842fd79c7aec06");
  EXPECT_EQ(commitment_hex("null"),
            "303d2bd087a37669305749d0a06c7f83506253365fcf68898aaac7e1c321bbc6");
  EXPECT_EQ(commitment_hex(R"("é")"),
            "d7370c3aff88c8fa83c1fcb014a285b5ae60560af505410e41d158dde554124c");
  EXPECT_EQ(commitment_hex(kNested),
            "fbadb02d22aea2169f5ab0a2a4f28d41b93b310aac1f93c1f101be5615bbaab7");
}

TEST(Commitment, DependsOnTheValueAndNotOnItsSpelling) {
  EXPECT_EQ(commitment_hex(R"({"a":1,"b":2})"), commitment_hex(R"({ "b": 2.0, "\u0061": 1e0 })"));
  EXPECT_NE(commitment_hex(R"({"a":1,"b":2})"), commitment_hex(R"({"a":2,"b":1})"));
  EXPECT_NE(commitment_hex("[1,2]"), commitment_hex("[2,1]"));
  EXPECT_NE(commitment_hex("1"), commitment_hex(R"("1")"));
  EXPECT_NE(commitment_hex("{}"), commitment_hex("[]"));
}

TEST(Commitment, OfOneValueUnderTwoSaltsHasNothingInCommon) {
  EXPECT_NE(commitment(parsed("1"), counting_from(0)), commitment(parsed("1"), counting_from(1)));
}

TEST(Salt, IsThatOfTheDocumentedVectors) {
  EXPECT_EQ(to_hex(view_of(derive_salt(counting_from(100), {7, "input"}))),
            "1a21725ab6e030fa03e60a4a6e437d25f489d24a58cc131f8261ac34274d508c");
  EXPECT_EQ(to_hex(view_of(derive_salt(counting_from(100), {0x010203, ""}))),
            "a234f04457cff590d0c5970001bdef508c14696e0fa72347fadc2547de158c04");
}

class DisclosureOfAnObject : public ::testing::Test {
 protected:
  Disclosure shown(const std::vector<std::string>& keys) {
    auto disclosure = disclose(object_, salt_, keys);
    EXPECT_TRUE(disclosure);
    return disclosure ? *disclosure : Disclosure();
  }
  bool holds(const Disclosure& disclosure) {
    const auto checked = check_disclosure(disclosure, commitment_);
    EXPECT_TRUE(checked || checked.error().code == Code::kCorruption);
    return checked.has_value();
  }

  json::Value object_ = parsed(kNested);
  Bytes32 salt_ = counting_from(0);
  Bytes32 commitment_ = commitment(object_, salt_);
};

TEST_F(DisclosureOfAnObject, HoldsForEverySubsetOfItsMembers) {
  const std::vector<std::string> keys = {"A", "a", "b"};
  for (unsigned subset = 0; subset < 8; ++subset) {
    std::vector<std::string> chosen;
    for (std::size_t k = 0; k < keys.size(); ++k) {
      if ((subset >> k & 1) == 1) chosen.push_back(keys[k]);
    }
    const Disclosure disclosure = shown(chosen);
    EXPECT_EQ(disclosure.members.size(), chosen.size());
    EXPECT_EQ(disclosure.digests.size(), keys.size());
    EXPECT_TRUE(holds(disclosure)) << "subset " << subset;
  }
}

TEST_F(DisclosureOfAnObject, ShowsTheDocumentedMember) {
  const Disclosure disclosure = shown({"a", "a"});
  ASSERT_EQ(disclosure.members.size(), 1U);
  EXPECT_EQ(disclosure.members[0].salt, "sAzPutqVQaG/edgxqpjXtQ==");
  EXPECT_EQ(json::write_canonical(disclosure.members[0].value), R"({"":true,"é":"\n"})");
  EXPECT_EQ(to_hex(view_of(disclosure.mask)),
            "4304c22c84a53755ab08ead8d97a8d429be5efa480682d7ad1da27f73e1fbe1d");
  EXPECT_EQ(to_hex(view_of(disclosure.digests[0])),
            "18adc064b08a5680febc9ce3f93020caadb3ac38643e59a1ec3b14ac5693c757");
}

TEST_F(DisclosureOfAnObject, FailsWhenAnythingInItIsChanged) {
  const Disclosure good = shown({"A", "b"});
  Disclosure bad = good;
  bad.members[0].value = "2";
  EXPECT_FALSE(holds(bad));
  bad = good;
  bad.members[0].key = "B";
  EXPECT_FALSE(holds(bad));
  bad = good;
  bad.members[0].salt = bad.members[1].salt;
  EXPECT_FALSE(holds(bad));
  bad = good;
  bad.members.push_back(bad.members[0]);
  EXPECT_FALSE(holds(bad));
  bad = good;
  bad.mask[0] ^= 1;
  EXPECT_FALSE(holds(bad));
  bad = good;
  bad.digests.pop_back();
  EXPECT_FALSE(holds(bad));
  bad = good;
  std::swap(bad.digests[0], bad.digests[1]);
  EXPECT_FALSE(holds(bad));
  EXPECT_FALSE(check_disclosure(good, commitment(object_, counting_from(1))));
}

// Somebody who commits to unsorted digests could tell the order of the keys, or more, by them.
TEST_F(DisclosureOfAnObject, FailsWhenItsDigestsAreNotSortedEvenIfTheyWereCommittedSo) {
  Disclosure disclosure = shown({});
  std::ranges::reverse(disclosure.digests);
  std::string bytes = "\x01\x6F" + std::string(view_of(disclosure.mask));
  for (const Bytes32& d : disclosure.digests) bytes += view_of(d);
  EXPECT_FALSE(check_disclosure(disclosure, crypto::sha256(bytes)));
}

TEST_F(DisclosureOfAnObject, IsRefusedForMembersThatItDoesNotHave) {
  const std::vector<std::string> keys = {"a", "c"};
  EXPECT_EQ(disclose(object_, salt_, keys).error().code, Code::kInvalidArgument);
  EXPECT_EQ(disclose(parsed("[1]"), salt_, {}).error().code, Code::kInvalidArgument);
}

std::vector<Content> some_contents() {
  std::vector<Content> contents;
  for (const std::string_view text :
       {"null", "true", "-0.5", "9007199254740991", "1e300", "\"\\u0000é😀\"", "[]", "{}",
        R"({"z":[{"y":1},[[]]],"a":""})"}) {
    const auto seq = static_cast<std::uint32_t>(contents.size() + 1);
    contents.push_back(
        {{seq, "output"}, counting_from(static_cast<std::uint8_t>(seq)), parsed(text)});
  }
  contents.push_back({{0xFFFFFFFF, ""}, Bytes32{}, json::Value(std::string(70'000, 'x'))});
  return contents;
}

TEST(ContentsSegment, GivesEqualValuesBackWithTheirMembersInPlace) {
  const auto contents = some_contents();
  const auto back = decode_contents(encode_contents(contents));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->size(), contents.size());
  for (std::size_t i = 0; i < contents.size(); ++i) {
    EXPECT_EQ((*back)[i].ref, contents[i].ref);
    EXPECT_EQ((*back)[i].salt, contents[i].salt);
    EXPECT_EQ(json::write((*back)[i].value), json::write(contents[i].value));
  }
}

TEST(ContentsSegment, HasTheDocumentedBytes) {
  const Content content{{7, "in"}, counting_from(0), parsed(R"({"b": 1, "a": 2})")};
  EXPECT_EQ(to_hex(encode_contents({&content, 1})),
            "01"
            "00000001"
            "00000007"
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
            "00000002"
            "696e"
            "0000000d"
            "7b2262223a312c2261223a327d");
}

TEST(ContentsSegment, KeepsAValueThatWasWrappedAThousandTimes) {
  json::Value value = 1;
  for (int i = 0; i < 1000; ++i) value = json::Array{value};
  const Content content{{1, "output"}, Bytes32{}, value};
  const auto back = decode_contents(encode_contents({&content, 1}));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->front().value, value);
}

TEST(ContentsSegment, CutAnywhereOrLengthenedIsCorrupt) {
  auto contents = some_contents();
  contents.pop_back();
  const std::string segment = encode_contents(contents);
  for (std::size_t size = 0; size < segment.size(); ++size) {
    const auto cut = decode_contents(std::string_view(segment).substr(0, size));
    ASSERT_FALSE(cut) << "first " << size << " bytes";
    EXPECT_EQ(cut.error().code, Code::kCorruption);
  }
  EXPECT_FALSE(decode_contents(segment + '\0'));
  EXPECT_FALSE(decode_contents("\x02" + segment.substr(1)));
  EXPECT_FALSE(decode_contents(std::string("\x01\xFF\xFF\xFF\xFF", 5) + std::string(100, '\0')));
}

TEST(ContentsSegment, WithAnyByteChangedIsReadOrRefusedButNeverMore) {
  constexpr std::uint64_t kSeed = 20261121;
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  auto contents = some_contents();
  contents.pop_back();
  const std::string good = encode_contents(contents);
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string segment = good;
    segment[at] = static_cast<char>(rng.below(256));
    const auto back = decode_contents(segment);
    if (!back) {
      EXPECT_EQ(back.error().code, Code::kCorruption);
    } else {
      EXPECT_EQ(back->size(), contents.size());
    }
  }
}

}  // namespace
}  // namespace avow::provenance
