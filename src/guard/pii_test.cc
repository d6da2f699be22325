// SPDX-License-Identifier: Apache-2.0
#include "guard/pii.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace avow::guard {
namespace {

struct Row {
  std::string text;
  std::vector<std::string> found;
};

std::vector<std::string> parts(std::string_view text, const std::vector<Span>& spans) {
  std::vector<std::string> out;
  for (const auto [begin, end] : spans) out.emplace_back(text.substr(begin, end - begin));
  return out;
}

void expect_rows(std::vector<Span> (*find)(std::string_view), const std::vector<Row>& rows) {
  for (const Row& row : rows) EXPECT_EQ(parts(row.text, find(row.text)), row.found) << row.text;
}

// The card schemes' published test numbers.
TEST(FindCards, TakesWhatPassesLuhnAndNothingElse) {
  expect_rows(find_cards,
              {{"4111111111111111", {"4111111111111111"}},
               {"4111111111111112", {}},  // Luhn
               {"pay 4111 1111 1111 1111 12/25", {"4111 1111 1111 1111"}},
               {"5500-0000-0000-0004.", {"5500-0000-0000-0004"}},
               {"378282246310005 and 6011111111111117", {"378282246310005", "6011111111111117"}},
               {"3782 822463 10005", {"3782 822463 10005"}},
               {"3056 930902 5904", {"3056 930902 5904"}},        // 14 digits
               {"4222222222222", {"4222222222222"}},              // 13 digits
               {"6304000000000000000", {"6304000000000000000"}},  // 19 digits
               {"6304000000000000001", {}},
               {"411111111111", {}},                                 // 12 digits
               {"41111111111111111111111", {}},                      // 23 digits
               {"0000000000000000", {}},                             // Luhn, but no card
               {"12 4111-1111-1111-1111", {"4111-1111-1111-1111"}},  // two separators
               {"7 4111111111111111", {"4111111111111111"}},
               {"4111  1111 1111 1111", {}},     // two spaces
               {"41 11 11 11 11 11 11 11", {}},  // groups of two
               {"0.4111111111111111", {}},       // a fraction
               {"", {}}});
}

// Examples of the SWIFT registry.
TEST(FindIbans, TakesRegisteredLengthsWithTheRightRemainder) {
  expect_rows(find_ibans, {{"DE89370400440532013000", {"DE89370400440532013000"}},
                           {"to DE89 3704 0044 0532 0130 00.", {"DE89 3704 0044 0532 0130 00"}},
                           {"de89370400440532013000", {"de89370400440532013000"}},
                           {"GB29NWBK60161331926819", {"GB29NWBK60161331926819"}},
                           {"NO9386011117947 FR1420041010050500013M02606",
                            {"NO9386011117947", "FR1420041010050500013M02606"}},
                           {"MT84MALT011000012345MTLCAST001S", {"MT84MALT011000012345MTLCAST001S"}},
                           {"DE88370400440532013000", {}},   // remainder
                           {"DE8937040044053201300", {}},    // too short
                           {"DE893704004405320130001", {}},  // too long
                           {"XX89370400440532013000", {}},   // no such country
                           {"ADE89370400440532013000", {}},  // inside a word
                           {"DE89 370400440532013000", {"DE89 370400440532013000"}},
                           {"DE8 9370400440532013000", {}}});  // a space where none may be
}

TEST(FindUsSsns, TakesTheAssignableRanges) {
  expect_rows(find_us_ssns, {{"123-45-6789", {"123-45-6789"}},
                             {"ssn 899 99 9999;", {"899 99 9999"}},
                             {"665-01-0001 667-01-0001", {"665-01-0001", "667-01-0001"}},
                             {"000-45-6789", {}},
                             {"666-45-6789", {}},
                             {"900-45-6789", {}},
                             {"123-00-6789", {}},
                             {"123-45-0000", {}},
                             {"123-45 6789", {}},
                             {"123456789", {}},
                             {"1123-45-6789", {}},
                             {"123-45-67890", {}},
                             {"12-123-45-6789", {}},
                             {"123-45-6789-1", {}}});
}

TEST(FindEmails, TakesAddressesWithADomainOfTwoLabels) {
  expect_rows(find_emails, {{"ask ada.lovelace+x@example.co.uk.", {"ada.lovelace+x@example.co.uk"}},
                            {"<a@b.io>,<C@D.ORG>", {"a@b.io", "C@D.ORG"}},
                            {"x@xn--bcher-kva.xn--p1ai", {"x@xn--bcher-kva.xn--p1ai"}},
                            {"root@localhost", {}},
                            {"@example.com", {}},
                            {"a@.example.com", {}},
                            {"a@-example.com", {}},
                            {"a@example.1", {}},
                            {"a b@ example.com", {}}});
}

TEST(Pii, IsLinearInHostileText) {
  const std::string digits(1 << 20, '4');
  std::string groups;
  while (groups.size() < (1 << 20)) groups += "4 ";
  const std::string ats(1 << 20, '@');
  for (const PiiKind& kind : kPiiKinds) {
    for (const std::string* text : {&std::as_const(digits), &std::as_const(groups), &ats})
      EXPECT_TRUE(kind.find(*text).empty());
  }
}

}  // namespace
}  // namespace avow::guard
