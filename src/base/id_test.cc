// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <set>

#include "base/rng.h"

namespace avow {
namespace {

constexpr std::uint64_t kSeed = 20261121;

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

TEST(Id, RendersTheKnownPairsBothWays) {
  // The example of the ULID specification, that of RFC 9562 for version 7, the DNS name space of
  // RFC 9562 (version 1), and the ends of the range; converted with Python's uuid.
  const std::pair<const char*, const char*> pairs[] = {
      {"01563e3a-b5d3-d676-4c61-efb99302bd5b", "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
      {"017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "01FWHE4YDGFK1SHH6W1G60EECF"},
      {"6ba7b810-9dad-11d1-80b4-00c04fd430c8", "3BMYW117DD278R1D00R17X8C68"},
      {"00000000-0000-0000-0000-000000000000", "00000000000000000000000000"},
      {"ffffffff-ffff-ffff-ffff-ffffffffffff", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
  };
  for (const auto& [uuid, ulid] : pairs) {
    const auto id = parse_id(uuid);
    ASSERT_TRUE(id) << uuid;
    EXPECT_EQ(id->uuid(), uuid);
    EXPECT_EQ(id->ulid(), ulid);
    EXPECT_EQ(*parse_id(ulid), *id);
  }
}

TEST(Id, ComesBackFromEachOfItsForms) {
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  for (int i = 0; i < 2000; ++i) {
    const Id id{rng.next(), rng.next()};
    EXPECT_EQ(*parse_id(id.uuid()), id);
    EXPECT_EQ(*parse_id(id.ulid()), id);
    EXPECT_EQ(*parse_id(lower(id.ulid())), id);
    EXPECT_EQ(*Id::from_bytes(id.bytes()), id);
  }
}

TEST(Id, IsReadBehindItsPrefixes) {
  const Id id = *parse_id("017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
  for (const std::string prefix :
       {"maip-orch:", "maip-agent:", "maip-wf:", "rcpt_", "maip:0123abCD:"}) {
    EXPECT_EQ(*parse_id(prefix + id.ulid()), id) << prefix;
    EXPECT_EQ(*parse_id(prefix + id.uuid()), id) << prefix;
  }
}

TEST(Id, TakesLettersForTheDigitsThatTheyLookLike) {
  const Id id = *parse_id("01100000000000000000000001");
  for (const auto* text :
       {"O1100000000000000000000001", "oIL0000000000000000000000l", "0il0000000000000000000000I"}) {
    EXPECT_EQ(*parse_id(text), id) << text;
  }
}

TEST(Id, IsNotReadFromAnythingElse) {
  for (const std::string text : {
           "",
           "x",
           "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",               // 129 bits
           "01ARZ3NDEKTSV4RRFFQ69G5FA",                // 25 digits
           "01ARZ3NDEKTSV4RRFFQ69G5FAVV",              // 27
           "01ARZ3NDEKTSV4RRFFQ69G5FAU",               // U is no digit
           "01ARZ3NDEKTSV4RRFFQ69G5F-V",               // nor is a hyphen
           " 1ARZ3NDEKTSV4RRFFQ69G5FAV",               // nor a blank
           "017f22e2079b0-7cc3-98c4-dc0c0c07398f",     // hyphens elsewhere
           "017f22e279b07cc398c4dc0c0c07398f",         // without hyphens
           "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",     // no hex
           "{17f22e2-79b0-7cc3-98c4-dc0c0c07398f}",    // braces
           "maip-orch:",                               // only a prefix
           "MAIP-ORCH:01ARZ3NDEKTSV4RRFFQ69G5FAV",     // prefixes are lower case
           "maip-wf:rcpt_01ARZ3NDEKTSV4RRFFQ69G5FAV",  // one prefix
           "maip-task:01ARZ3NDEKTSV4RRFFQ69G5FAV",     // an unknown one
           "maip:0123abc:01ARZ3NDEKTSV4RRFFQ69G5FAV",  // seven digits
           "maip:0123abcx:01ARZ3NDEKTSV4RRFFQ69G5FAV",
       }) {
    const auto id = parse_id(text);
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().code, Code::kInvalidArgument);
  }
  EXPECT_FALSE(parse_id(std::string("01ARZ3NDEKTSV4RRFFQ69G5FA\0", 26)));
  EXPECT_FALSE(Id::from_bytes("fifteen bytes.."));
}

TEST(MakeId, IsAUuidOfVersion7WithItsLow20BitsZero) {
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  const Time now = *parse_time("2022-02-22T19:22:22Z");  // the time of RFC 9562's example
  std::set<Id> seen;
  for (int i = 0; i < 1000; ++i) {
    const Id id = make_id(now, rng.bytes8());
    EXPECT_EQ(id.high >> 16, 0x017F22E279B0U);
    EXPECT_EQ(id.uuid()[14], '7');
    EXPECT_EQ(id.low >> 62, 2U) << "variant of RFC 9562";
    EXPECT_EQ(id.low & 0xFFFFF, 0U);
    seen.insert(id);
  }
  EXPECT_EQ(seen.size(), 1000U);
}

TEST(MakeId, Uses54RandomBits) {
  std::array<std::uint8_t, 8> ones;
  ones.fill(0xFF);
  const Id lowest = make_id(Time(), {});
  const Id highest = make_id(Time(), ones);
  EXPECT_EQ(std::popcount(highest.high ^ lowest.high) + std::popcount(highest.low ^ lowest.low),
            54);
}

TEST(MakeId, SortsByTimeInEveryForm) {
  SCOPED_TRACE(kSeed);
  SeededRng rng(kSeed);
  Time now = *parse_time("2026-01-01T00:00:00Z");
  Id before = make_id(now, rng.bytes8());
  for (int i = 0; i < 1000; ++i) {
    now += Duration(1 + static_cast<std::int64_t>(rng.below(100'000'000)));
    const Id id = make_id(now, rng.bytes8());
    EXPECT_LT(before, id);
    EXPECT_LT(before.uuid(), id.uuid());
    EXPECT_LT(before.ulid(), id.ulid());
    EXPECT_LT(before.bytes(), id.bytes());
    before = id;
  }
}

}  // namespace
}  // namespace avow
