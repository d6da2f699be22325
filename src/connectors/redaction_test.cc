// SPDX-License-Identifier: Apache-2.0
#include "connectors/redaction.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/rng.h"
#include "json/parse.h"
#include "json/write.h"
#include "net/percent.h"

namespace avow::connectors {
namespace {

constexpr std::string_view kValue = "s3cr=t/va+ue\"9 \xC3\xA4";

Redactor redactor_of(std::string_view value) {
  Redactor redactor;
  redactor.add("KEY", value);
  return redactor;
}

TEST(Redaction, ReplacesTheValueInEveryCommonEncoding) {
  const Redactor redactor = redactor_of(kValue);
  std::string json_text;
  json::write_string_to(kValue, json_text);
  const std::string inside = json_text.substr(1, json_text.size() - 2);
  for (const std::string& form :
       {std::string(kValue), to_base64(kValue), to_base64url(kValue), net::percent_encode(kValue),
        inside, std::string("%73%33cr=t%2fva%2Bue%229+\xC3\xA4"),
        std::string("s3cr=t\\/va+ue\\\"9\\u0020\xC3\xA4")}) {
    EXPECT_EQ(redactor.text("a " + form + " z"), "a [REDACTED:KEY] z") << form;
    EXPECT_EQ(redactor.text(form + form), "[REDACTED:KEY][REDACTED:KEY]") << form;
  }
}

// The oracle: whatever stands around the value, no eight characters in a row of its own encoding
// stay.
TEST(Redaction, FindsTheValueInsideLongerBase64WhereverItStands) {
  const std::string value = "correct-horse-battery";
  const Redactor redactor = redactor_of(value);
  for (std::size_t before = 0; before < 9; ++before) {
    const std::string encoded = to_base64(std::string(before, 'u') + value + ":tail");
    const std::string cleaned = redactor.text(encoded);
    EXPECT_NE(cleaned.find("[REDACTED:KEY]"), std::string::npos) << before;
    for (std::size_t i = (before * 8 + 5) / 6; i + 8 <= (before + value.size()) * 8 / 6; ++i) {
      EXPECT_EQ(cleaned.find(encoded.substr(i, 8)), std::string::npos) << before << " at " << i;
    }
  }
}

TEST(Redaction, KnowsThePartBehindAnAuthenticationScheme) {
  EXPECT_EQ(redactor_of("Bearer abcdefgh1").text("token abcdefgh1!"), "token [REDACTED:KEY]!");
  EXPECT_EQ(redactor_of("whsec_MfKQ9r8GKYqr").text("key MfKQ9r8GKYqr."), "key [REDACTED:KEY].");
}

TEST(Redaction, GoesThroughStringsNamesAndNumbersOfAValue) {
  const Redactor redactor = redactor_of("12345678");
  const auto value =
      json::parse(R"({"a":["x12345678y",{"12345678":true}],"n":12345678,"m":1234567,"z":null})");
  EXPECT_EQ(
      json::write(redactor.value(*value)),
      R"({"a":["x[REDACTED:KEY]y",{"[REDACTED:KEY]":true}],"n":"[REDACTED:KEY]","m":1234567,"z":null})");
}

TEST(Redaction, LeavesOtherTextAlone) {
  const Redactor redactor = redactor_of(kValue);
  SeededRng rng(7);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (std::uint64_t n = rng.below(60); n > 0; --n) text += static_cast<char>(rng.below(256));
    EXPECT_EQ(redactor.text(text), text) << "round " << i;
  }
  EXPECT_EQ(Redactor().text(kValue), kValue);
}

TEST(Redaction, TakesLinearTimeOnAnAnswerFullOfTheSecret) {
  std::string text;
  std::string expected;
  for (int i = 0; i < 200'000; ++i) {
    text += "abcd";
    expected += "[REDACTED:KEY]";
  }
  EXPECT_EQ(redactor_of("abcd").text(text), expected);
}

}  // namespace
}  // namespace avow::connectors
