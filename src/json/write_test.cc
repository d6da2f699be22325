// SPDX-License-Identifier: Apache-2.0
#include "json/write.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>

#include "base/rng.h"
#include "json/parse.h"
#include "testing/conformance.h"

namespace avow::json {
namespace {

double double_of(std::uint64_t bits) {
  double number = 0;
  std::memcpy(&number, &bits, sizeof number);
  return number;
}

// RFC 8785, appendix B.
TEST(Write, NumbersAreThoseOfRfc8785AppendixB) {
  struct Case {
    std::uint64_t bits;
    const char* text;
  };
  const Case cases[] = {
      {0x0000000000000000, "0"},
      {0x8000000000000000, "0"},
      {0x0000000000000001, "5e-324"},
      {0x8000000000000001, "-5e-324"},
      {0x7fefffffffffffff, "1.7976931348623157e+308"},
      {0xffefffffffffffff, "-1.7976931348623157e+308"},
      {0x4340000000000000, "9007199254740992"},
      {0xc340000000000000, "-9007199254740992"},
      {0x4430000000000000, "295147905179352830000"},
      {0x44b52d02c7e14af5, "9.999999999999997e+22"},
      {0x44b52d02c7e14af6, "1e+23"},
      {0x44b52d02c7e14af7, "1.0000000000000001e+23"},
      {0x444b1ae4d6e2ef4e, "999999999999999700000"},
      {0x444b1ae4d6e2ef4f, "999999999999999900000"},
      {0x444b1ae4d6e2ef50, "1e+21"},
      {0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"},
      {0x3eb0c6f7a0b5ed8d, "0.000001"},
      {0x41b3de4355555553, "333333333.3333332"},
      {0x41b3de4355555554, "333333333.33333325"},
      {0x41b3de4355555555, "333333333.3333333"},
      {0x41b3de4355555556, "333333333.3333334"},
      {0x41b3de4355555557, "333333333.33333343"},
      {0xbecbf647612f3696, "-0.0000033333333333333333"},
      {0x43143ff3c1cb0959, "1424953923781206.2"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(write(Value::number(double_of(c.bits))), c.text);
    EXPECT_EQ(write_canonical(Value::number(double_of(c.bits))), c.text);
  }
}

TEST(Write, AnyDoubleReadsBackAsItself) {
  constexpr std::uint64_t kSeed = 8785;
  SCOPED_TRACE(kSeed);
  SeededRng random(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    const double number = double_of(random.next());
    if (!std::isfinite(number)) continue;
    const auto again = parse(write(Value::number(number)));
    ASSERT_TRUE(again);
    EXPECT_EQ(again->as_double(), number);
  }
}

TEST(Write, MembersKeepTheirOrderAndCanonicalSortsThemByUtf16) {
  // U+FB33 is EF AC B3 in UTF-8 and U+1F600 is F0 9F 98 80, but the latter's surrogates sort first.
  const Value value =
      Object{{"\xEF\xAC\xB3", 1}, {"b", 2}, {"\xF0\x9F\x98\x80", 3}, {"", 4}, {"ab", 5}};
  EXPECT_EQ(write(value), "{\"\xEF\xAC\xB3\":1,\"b\":2,\"\xF0\x9F\x98\x80\":3,\"\":4,\"ab\":5}");
  EXPECT_EQ(write_canonical(value),
            "{\"\":4,\"ab\":5,\"b\":2,\"\xF0\x9F\x98\x80\":3,\"\xEF\xAC\xB3\":1}");
}

TEST(Write, StringsEscapeOnlyWhatTheyMust) {
  std::string out;
  write_string_to(std::string_view("\"\\\b\t\n\f\r\0\x1f\x7f/\xE2\x82\xAC", 14), out);
  EXPECT_EQ(out, "\"\\\"\\\\\\b\\t\\n\\f\\r\\u0000\\u001f\x7f/\xE2\x82\xAC\"");
}

TEST(Write, PrettyIndentsByTwoAndEndsWithANewline) {
  const Value value = Object{{"a", Array{1, Object{}}}, {"b", Array{}}};
  EXPECT_EQ(write_pretty(value), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}\n");
}

TEST(WriteConformance, CanonicalFormIsThatOfTheJcsVectors) {
  const auto folder = testing::conformance_dir("jcs");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  for (const auto& file : testing::files_of(*folder, ".input.json")) {
    std::string expected = file.string();
    expected.replace(expected.rfind(".input.json"), std::string::npos, ".expected.json");
    const auto value = parse(testing::read_file(file));
    ASSERT_TRUE(value) << file << ": " << value.error().message;
    std::string want = testing::read_file(expected);
    while (want.ends_with('\n')) want.pop_back();  // an editor's, not of the canonical form
    EXPECT_EQ(write_canonical(*value), want) << file;
  }
}

}  // namespace
}  // namespace avow::json
