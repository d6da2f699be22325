// SPDX-License-Identifier: Apache-2.0
#include "json/parse.h"

#include <gtest/gtest.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/rng.h"
#include "json/write.h"
#include "testing/conformance.h"

namespace avow::json {
namespace {

Value parsed(std::string_view text) {
  auto value = parse(text);
  EXPECT_TRUE(value) << text << ": " << value.error().message;
  return value ? *value : Value();
}

TEST(Parse, AnIntegralNumberIsAnIntHoweverItIsWritten) {
  for (const char* text : {"5", "5.0", "5e0", "0.5e1", "500E-2"}) {
    EXPECT_TRUE(parsed(text).is_int()) << text;
    EXPECT_EQ(parsed(text), Value(5)) << text;
  }
  for (const char* text : {"-0", "-0.0", "0e99", "-0e-5"}) {
    ASSERT_TRUE(parsed(text).is_int()) << text;
    EXPECT_EQ(parsed(text).as_int(), 0) << text;
  }
}

TEST(Parse, AnIntegerBeyondTheSafeOnesIsADouble) {
  EXPECT_EQ(parsed("9007199254740991").as_int(), kSafeIntegerMax);
  EXPECT_EQ(parsed("-9007199254740991").as_int(), -kSafeIntegerMax);
  for (const char* text : {"9007199254740992", "-9007199254740992", "1152921504606846976",
                           "18446744073709551615", "123456789012345678901234567890"}) {
    EXPECT_TRUE(parsed(text).is_double()) << text;
  }
  EXPECT_EQ(parsed("1152921504606846976").as_double(), 1152921504606846976.0);
}

TEST(Parse, ANumberTooLargeIsRefusedAndOneTooSmallIsZero) {
  for (const char* text : {"1e400", "[-1e400]", "{\"a\":123123e100000}", "1e99999999999"}) {
    EXPECT_FALSE(parse(text)) << text;
  }
  EXPECT_TRUE(parse("1.7976931348623157e308"));
  for (const char* text : {"1e-400", "-123.456e-789", "0.0000001e-900"}) {
    EXPECT_EQ(parsed(text), Value(0)) << text;
  }
  EXPECT_EQ(parsed("5e-324").as_double(), 5e-324);
}

// The oracle is the standard library's shortest text of a random double, which reads back exactly.
TEST(Parse, ADecimalIsTheNearestDouble) {
  constexpr std::uint64_t kSeed = 20260101;
  SCOPED_TRACE(kSeed);
  SeededRng random(kSeed);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t bits = random.next();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    std::array<char, 32> text{};
    const auto end = std::to_chars(text.data(), text.data() + text.size(), number).ptr;
    EXPECT_EQ(parsed({text.data(), end}).as_double(), number);
  }
}

TEST(Parse, StringsAreUnescapedToUtf8) {
  EXPECT_EQ(parsed(R"("a\"\\\/\b\f\n\r\tz")").as_string(), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(parsed(R"("\u20ac\u0000\ud83d\ude00")").as_string(),
            std::string("\xE2\x82\xAC\0\xF0\x9F\x98\x80", 8));
  // Longer than the parser's own buffer, with an escape in it.
  const std::string run(10'000, 'x');
  EXPECT_EQ(parsed("\"" + run + "\\n" + run + "\"").as_string(), run + "\n" + run);
  EXPECT_TRUE(parsed("{\"" + run + "\\n" + run + "\": 1}").as_object().contains(run + "\n" + run));
}

TEST(Parse, TextThatIsNotUnicodeIsRefused) {
  for (const char* text : {R"("\ud800")", R"("\udc00")", R"("\ud800\u0041")", R"("\ud800x")",
                           "\"\xff\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
                           "\"\xe2\x82\"", "\xef\xbb\xbf{}"}) {
    EXPECT_FALSE(parse(text)) << text;
  }
}

TEST(Parse, ANameTwiceInOneObjectIsRefusedHoweverItIsEscaped) {
  EXPECT_FALSE(parse(R"({"a":1,"a":1})"));
  EXPECT_FALSE(parse(R"({"a":1,"\u0061":2})"));
  EXPECT_TRUE(parse(R"({"a":{"a":1},"b":{"a":1}})"));
  std::string wide = "{";
  for (int i = 0; i < 100; ++i) wide += fmt::format("\"k{}\":0,", i);
  EXPECT_TRUE(parse(wide + "\"k100\":0}"));
  EXPECT_FALSE(parse(wide + "\"k7\":0}"));
}

TEST(Parse, DepthAndLengthAreBounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse(nested(64)));
  EXPECT_FALSE(parse(nested(65)));
  EXPECT_FALSE(parse(nested(1'000'000)));
  EXPECT_FALSE(parse(std::string(1'000'000, '[')));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"\":";
  EXPECT_FALSE(parse(objects));
  EXPECT_TRUE(parse(nested(3), {.depth_max = 3}));
  EXPECT_FALSE(parse(nested(4), {.depth_max = 3}));
  EXPECT_EQ(parse("  1  ", {.bytes_max = 5}).has_value(), true);
  EXPECT_EQ(parse("  1   ", {.bytes_max = 5}).error().code, Code::kResourceExhausted);
}

TEST(Parse, AFaultSaysWhereItIs) {
  struct Case {
    const char* text;
    const char* pointer;
    std::size_t line;
    std::size_t column;
  };
  const Case cases[] = {
      {"", "", 1, 1},
      {"{\n  \"a\": [1, x]\n}", "/a/1", 2, 12},
      {"{\"a\": 1,\n \"\xc3\xa9\xc3\xa9\": {\"b~/c\": tru}}", "/\xc3\xa9\xc3\xa9/b~0~1c", 2, 17},
      {"{} {}", "", 1, 4},
      {"[1,\n2", "/2", 2, 2},
      {"[{\"a\":1}, {\"a\":1, \"b\":1e999}]", "/1/b", 1, 23},
  };
  for (const Case& c : cases) {
    ParseFault fault;
    EXPECT_FALSE(parse(c.text, {}, fault)) << c.text;
    EXPECT_EQ(fault.pointer, c.pointer) << c.text;
    EXPECT_EQ(fault.line, c.line) << c.text << ": " << fault.error.message;
    EXPECT_EQ(fault.column, c.column) << c.text << ": " << fault.error.message;
  }
  ParseFault twice;
  EXPECT_FALSE(parse(R"({"a":{"b":1,"b":2}})", {}, twice));
  EXPECT_EQ(twice.pointer, "/a/b");
}

// Every cut and every changed byte of a text that has all of the grammar in it: nothing may crash,
// and what is accepted must read back from what is written.
TEST(Parse, DamagedTextIsRefusedOrReadsBack) {
  const std::string text = R"({"a":[1,-2.5e-3,true,false,null,"x\n\u20ac\ud83d\ude00é"],"b":{}} )";
  const auto check = [](const std::string& damaged) {
    const auto value = parse(damaged);
    if (!value) return;
    const auto again = parse(write(*value));
    ASSERT_TRUE(again) << damaged;
    EXPECT_EQ(*again, *value) << damaged;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    check(text.substr(0, i));
    for (int byte = 0; byte < 256; ++byte) {
      std::string damaged = text;
      damaged[i] = static_cast<char>(byte);
      check(damaged);
    }
  }
}

bool repeats_a_name(std::string_view name) { return name.find("duplicated_key") != name.npos; }

TEST(ParseConformance, AcceptsAndRefusesWhatTheSuiteSays) {
  const auto folder = testing::conformance_dir("json");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  for (const auto& file : testing::files_of(*folder, ".jsonl")) {
    for (const std::string& line : testing::lines_of(file)) {
      const Value row = parsed(line);
      const std::string name = row.string_or("name");
      const auto text = from_base64(row.string_or("base64"));
      ASSERT_TRUE(text) << name;
      const bool accepted = parse(*text).has_value();
      if (repeats_a_name(name)) {
        EXPECT_FALSE(accepted) << name;  // RFC 7493, on purpose
      } else if (name.starts_with("y_")) {
        EXPECT_TRUE(accepted) << name << ": " << parse(*text).error().message;
      } else if (name.starts_with("n_")) {
        EXPECT_FALSE(accepted) << name;
      }
    }
  }
}

}  // namespace
}  // namespace avow::json
