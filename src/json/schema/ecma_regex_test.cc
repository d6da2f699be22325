// SPDX-License-Identifier: Apache-2.0
#include "json/schema/ecma_regex.h"

#include <gtest/gtest.h>

namespace avow::json::schema {
namespace {

bool finds(std::string_view pattern, std::string_view text) {
  const auto regex = compile_ecma_regex(pattern);
  EXPECT_TRUE(regex) << pattern << ": " << regex.error().message;
  return regex && re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), **regex);
}

TEST(EcmaRegex, MatchesAsEcmaScriptDoes) {
  struct Case {
    const char* pattern;
    const char* text;
    bool matches;
  };
  const Case cases[] = {
      {"^a$", "a", true},
      {"^a$", "a\n", false},  // "$" is the end of the text only
      {"a", "bab", true},     // not anchored
      {"^.$", "\r", false},
      {"^.$", "\xE2\x80\xA8", false},  // U+2028
      {"^.$", "\xF0\x9F\x98\x80", true},
      {"^\\s$", "\v", true},
      {"^\\s$", "\xC2\xA0", true},
      {"^\\S$", "\xC2\xA0", false},
      {"^[\\s]$", "\xEF\xBB\xBF", true},
      {"^[^\\S]$", " ", true},
      {"^[\\Sx]$", "y", true},
      {"^\\d$", "\xDF\x80", false},  // a digit, but not an ASCII one
      {"^\\w$", "\xC3\xA9", false},
      {"^\\cA$", "\x01", true},
      {"^\\x41\\u0042\\u{43}$", "ABC", true},
      {"^\\ud83d\\ude00$", "\xF0\x9F\x98\x80", true},
      {"^[\\ud83d\\ude00-\\ud83d\\ude02]$", "\xF0\x9F\x98\x81", true},
      {"^\\/\\-\\.$", "/-.", true},
      {"^[[:alpha:]]$", ":]", true},  // no POSIX classes: one of "[:alph", then "]"
      {"^[\\w-.]+$", "a-.b", true},
      {"^[a-]$", "-", true},
      {"^[-a]$", "-", true},
      {"^[^-a]$", "b", true},
      {"^[a-c]$", "b", true},
      {"^[\\b]$", "\b", true},
      {"[]", "a", false},
      {"^[^]$", "\n", true},
      {"^\\p{Letter}\\p{Lu}$", "\xC3\xA9\xC3\x89", true},
      {"^\\p{Script=Greek}$", "\xCE\xB1", true},
      {"^\\P{L}$", "1", true},
      {"^(?<year>[0-9]{4})-(?:x|y)$", "2026-x", true},
      {"^a{2,3}$", "aaaa", false},
      {"^x{$", "x{", true},
      {"^x{,2}$", "x{,2}", true},
      {"^a+?$", "aa", true},
      {"\\bfoo\\b", "a foo b", true},
      {"^\xC3\xA9+$", "\xC3\xA9\xC3\xA9", true},
      {"", "anything", true},
  };
  for (const Case& c : cases) EXPECT_EQ(finds(c.pattern, c.text), c.matches) << c.pattern;
}

TEST(EcmaRegex, RefusesWhatItCannotRunOrEcmaScriptHasNot) {
  for (const char* pattern : {"(a)\\1",
                              "(?<n>a)\\k<n>",
                              "(?=a)",
                              "(?!a)",
                              "(?<=a)",
                              "(?<!a)",
                              "(?i)a",
                              "\\a",
                              "\\Z",
                              "\\A",
                              "\\Qa",
                              "\\C",
                              "[",
                              "[a",
                              "(",
                              "a)",
                              "*",
                              "a**",
                              "\\",
                              "[\\",
                              "\\x4",
                              "\\u00",
                              "\\u{110000}",
                              "\\u{",
                              "\\ud800",
                              "\\p",
                              "\\p{Nonsense}",
                              "\\p{L",
                              "\\c1",
                              "[b-a]",
                              "(?<",
                              "(?",
                              "(?<>a)",
                              "a{1001}",
                              "\\01",
                              "\xff"}) {
    EXPECT_FALSE(compile_ecma_regex(pattern)) << pattern;
  }
}

// Every text of up to three signs that mean something somewhere: whatever it is, no crash.
TEST(EcmaRegex, SurvivesEveryShortPattern) {
  const std::string signs = "\\[](){}?*+^$.-|<=!:,aAupxcdbsS01\xC3";
  for (const char a : signs) {
    for (const char b : signs) {
      for (const char c : signs) {
        const auto regex = compile_ecma_regex(std::string{a, b, c});
        EXPECT_TRUE(regex || regex.error().code == Code::kInvalidArgument);
      }
    }
  }
}

}  // namespace
}  // namespace avow::json::schema
