// SPDX-License-Identifier: Apache-2.0
#include "net/percent.h"

#include <gtest/gtest.h>

namespace avow::net {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

TEST(Percent, DecodingUndoesEncodingForEveryByte) {
  for (int i = 0; i < 256; ++i) {
    const std::string byte(1, static_cast<char>(i));
    EXPECT_EQ(*percent_decode(percent_encode(byte)), byte) << i;
  }
}

TEST(Percent, EncodesAllButUnreservedCharacters) {
  EXPECT_EQ(percent_encode("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(percent_encode("a/b c+%\xC3\xA9"), "a%2Fb%20c%2B%25%C3%A9");
}

TEST(Percent, DecodesHexOfEitherCaseAndLeavesPlusAlone) {
  EXPECT_EQ(*percent_decode("%2f%2F+"), "//+");
}

TEST(Percent, RefusesPercentWithoutTwoHexDigits) {
  for (const char* bad : {"%", "%4", "a%", "%zz", "%4g", "%g4", "%%41"}) {
    ASSERT_FALSE(percent_decode(bad)) << bad;
    EXPECT_EQ(percent_decode(bad).error().code, Code::kInvalidArgument);
  }
}

TEST(Query, ReadsPairsInOrder) {
  EXPECT_EQ(*parse_query(""), Pairs{});
  EXPECT_EQ(*parse_query("a=1&b=x+y&a=%3D&c&=d&&e="),
            (Pairs{{"a", "1"}, {"b", "x y"}, {"a", "="}, {"c", ""}, {"", "d"}, {"e", ""}}));
  EXPECT_EQ(*parse_query("a=b=c"), (Pairs{{"a", "b=c"}}));
  EXPECT_FALSE(parse_query("a=%"));
  EXPECT_FALSE(parse_query("%x=1"));
}

TEST(Query, ReadsWhatItWrites) {
  const Pairs pairs = {{"a b", "c&d"}, {"", ""}, {"+", "%="}};
  EXPECT_EQ(*parse_query(write_query(pairs)), pairs);
}

}  // namespace
}  // namespace avow::net
