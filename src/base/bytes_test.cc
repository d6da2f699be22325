// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace avow {
namespace {

std::string random_bytes(SeededRng& rng, std::size_t size) {
  std::string bytes;
  for (std::size_t i = 0; i < size; ++i) bytes += static_cast<char>(rng.below(256));
  return bytes;
}

/// The UTF-8 of any code point, also of those that have none: the oracle of the tests below
/// (RFC 3629, section 3).
std::string encoded(unsigned point) {
  const auto tail = [&](unsigned shift) {
    return static_cast<char>(0x80 | (point >> shift & 0x3F));
  };
  if (point < 0x80) return {static_cast<char>(point)};
  if (point < 0x800) return {static_cast<char>(0xC0 | point >> 6), tail(0)};
  if (point < 0x10000) return {static_cast<char>(0xE0 | point >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | point >> 18), tail(12), tail(6), tail(0)};
}

TEST(Hex, IsLowerCaseAndReadInEitherCase) {
  EXPECT_EQ(to_hex(std::string("\x00\x7F\xAB\xFF", 4)), "007fabff");
  EXPECT_EQ(*from_hex("007FabFf"), std::string("\x00\x7F\xAB\xFF", 4));
  EXPECT_EQ(*from_hex(""), "");
  for (const auto* bad : {"0", "0g", "g0", " 0", "0x00", "00 "}) {
    EXPECT_EQ(from_hex(bad).error().code, Code::kInvalidArgument) << bad;
  }
}

struct Rfc4648Vector {
  const char* bytes;
  const char* base64;
};
constexpr Rfc4648Vector kRfc4648[] = {{"", ""},
                                      {"f", "Zg=="},
                                      {"fo", "Zm8="},
                                      {"foo", "Zm9v"},
                                      {"foob", "Zm9vYg=="},
                                      {"fooba", "Zm9vYmE="},
                                      {"foobar", "Zm9vYmFy"}};

TEST(Base64, IsThatOfRfc4648) {
  for (const auto& [bytes, base64] : kRfc4648) {
    EXPECT_EQ(to_base64(bytes), base64);
    EXPECT_EQ(*from_base64(base64), bytes);
    const std::string unpadded = std::string(base64).substr(0, std::string(base64).find('='));
    EXPECT_EQ(to_base64url(bytes), unpadded);
    EXPECT_EQ(*from_base64url(unpadded), bytes);
  }
  EXPECT_EQ(to_base64("\xFB\xFF\xFE"), "+//+");
  EXPECT_EQ(to_base64url("\xFB\xFF\xFE"), "-__-");
}

TEST(Base64, BringsAnyBytesBack) {
  SeededRng rng(64);
  for (std::size_t size = 0; size < 100; ++size) {
    const std::string bytes = random_bytes(rng, size);
    EXPECT_EQ(*from_base64(to_base64(bytes)), bytes);
    EXPECT_EQ(*from_base64url(to_base64url(bytes)), bytes);
  }
}

TEST(Base64, IsReadStrictly) {
  for (const auto* bad : {"Zg", "Zg=", "Zg===", "Z", "=", "==", "====", "Zg==Zg==", "Zm9v\n",
                          "Zm 9", "Zh==", "Zm9=", "Zm-_", "Z===", "=Zg=", "Zm9v="}) {
    EXPECT_FALSE(from_base64(bad)) << bad;
  }
  for (const auto* bad : {"Zg==", "Z", "Zh", "Zm9=", "Zm+/", "Zm9v\n"}) {
    EXPECT_FALSE(from_base64url(bad)) << bad;
  }
}

// Computed with Python's integers.
TEST(Base62, HasTheWidthOfTheLargestNumberOfItsLength) {
  EXPECT_EQ(to_base62(""), "");
  EXPECT_EQ(to_base62("\xFF"), "47");
  EXPECT_EQ(to_base62("Hello"), "5TP3P3v");
  EXPECT_EQ(to_base62(std::string(16, '\xFF')), "7n42DGM5Tflk9n8mt7Fhc7");
  EXPECT_EQ(to_base62(std::string(32, '\xFF')), "yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
  EXPECT_EQ(to_base62(std::string(32, '\0')), std::string(43, '0'));
  std::string counting;
  for (int i = 0; i < 32; ++i) counting += static_cast<char>(i);
  EXPECT_EQ(to_base62(counting), "003aUlTJC7tjlCTQj2uNU3MFagCXG9LRKRcwGkBIDlf");
}

TEST(Utf8, HoldsEveryCodePointButTheSurrogates) {
  for (unsigned point = 0; point <= 0x10FFFF; ++point) {
    const bool is_surrogate = point >= 0xD800 && point <= 0xDFFF;
    ASSERT_EQ(is_utf8(encoded(point)), !is_surrogate) << "U+" << std::hex << point;
  }
}

TEST(Utf8, HoldsNothingElseOfOneByteOrTwo) {
  for (unsigned a = 0; a < 256; ++a) {
    EXPECT_EQ(is_utf8(std::string(1, static_cast<char>(a))), a < 0x80) << a;
    for (unsigned b = 0; b < 256; ++b) {
      const std::string text = {static_cast<char>(a), static_cast<char>(b)};
      const bool is_ascii = a < 0x80 && b < 0x80;
      const unsigned point = (a & 0x1F) << 6 | (b & 0x3F);
      const bool is_one = point >= 0x80 && text == encoded(point);
      ASSERT_EQ(is_utf8(text), is_ascii || is_one) << a << " " << b;
    }
  }
}

TEST(Utf8, EndsWhereRfc3629EndsIt) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("aé€😀"));
  for (const std::string_view bad : {
           "\xE0\x9F\xBF",          // overlong: U+07FF in three bytes
           "\xF0\x8F\xBF\xBF",      // overlong: U+FFFF in four
           "\xF4\x90\x80\x80",      // U+110000
           "\xF5\x80\x80\x80",      // a first byte that leads nowhere
           "\xF8\x88\x80\x80\x80",  // five bytes
           "\xED\xA0\x80",          // the first surrogate
           "\xED\xBF\xBF",          // the last
           "\xE2\x82",              // cut
           "\xF0\x9F\x98",          // cut
           "\xE2\x28\xA1",          // a second byte that is none
           "\xE2\x82\x28",          // a third byte that is none
           "ok\x80",                // a tail without a head
       }) {
    EXPECT_FALSE(is_utf8(bad)) << to_hex(bad);
  }
}

TEST(Shown, CutsAtCodePointsAndSaysSo) {
  EXPECT_EQ(shown("abc", 3), "abc");
  EXPECT_EQ(shown("abcd", 3), "abc...");
  EXPECT_EQ(shown("é€😀x", 3), "é€😀...");
  EXPECT_EQ(shown("", 0), "");
  EXPECT_EQ(shown("a", 0), "...");
  EXPECT_EQ(shown(std::string(65, 'a')), std::string(64, 'a') + "...");
}

TEST(Shown, LetsNothingThroughThatATerminalWouldObey) {
  EXPECT_EQ(shown("a\x1B[31m\n\t\x7F"), "a?[31m???");
  EXPECT_EQ(shown("\u0080\u009B\u009F\u00A0"), "???\u00A0");
  EXPECT_EQ(shown("\xFF\xE2\x82z"), "???z");
}

TEST(EqualConstantTime, IsEquality) {
  EXPECT_TRUE(equal_constant_time("", ""));
  EXPECT_TRUE(equal_constant_time("secret", "secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secreT"));
  EXPECT_FALSE(equal_constant_time("secret", "Secret"));
  EXPECT_FALSE(equal_constant_time("secret", "secre"));
  EXPECT_FALSE(equal_constant_time("\x80", std::string_view("\0", 1)));
}

}  // namespace
}  // namespace avow
