// SPDX-License-Identifier: Apache-2.0
// guard/pii.h: finds personal data in text by its exact form: check digits and assigned ranges, not
// likeness. Text is untrusted UTF-8 of any length; time is linear in it. Pure; safe from any
// thread.
#pragma once
#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace avow::guard {

/// Bytes [begin, end) of a text.
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
  bool operator==(const Span&) const = default;
};

/// A local part and a domain name with at least two labels (RFC 5321, ASCII).
std::vector<Span> find_emails(std::string_view text);

/// 13 to 19 digits that begin with 2 to 6 and pass Luhn (ISO/IEC 7812-1), together or in groups
/// that one kind of separator (space or hyphen) divides, every group but the last of 4 digits or
/// more.
std::vector<Span> find_cards(std::string_view text);

/// An IBAN of a registered country in that country's length whose remainder mod 97 is 1
/// (ISO 13616), in any case, together or in groups of four.
std::vector<Span> find_ibans(std::string_view text);

/// AAA-GG-SSSS, divided by hyphens or by spaces, in the ranges that the US Social Security
/// Administration can assign: area not 000, 666 or 900-999, group not 00, serial not 0000.
std::vector<Span> find_us_ssns(std::string_view text);

struct PiiKind {
  std::string_view name;  ///< As in a rule's `kinds`.
  std::string_view what;  ///< For messages: "an e-mail address".
  std::vector<Span> (*find)(std::string_view text);
};

/// Every kind there is.
inline constexpr std::array<PiiKind, 4> kPiiKinds = {{
    {"email", "an e-mail address", find_emails},
    {"credit_card", "a payment card number", find_cards},
    {"iban", "an IBAN", find_ibans},
    {"us_ssn", "a US social security number", find_us_ssns},
}};

}  // namespace avow::guard
