// SPDX-License-Identifier: Apache-2.0
#include "guard/pii.h"

#include <re2/re2.h>

#include <algorithm>
#include <optional>

namespace avow::guard {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }
char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

/// Whether the number that would begin at `at` is the tail of a longer one, as in "12-123-45-6789".
bool continues_number(std::string_view text, std::size_t at) {
  if (at == 0) return false;
  if (is_digit(text[at - 1])) return true;
  return at >= 2 && (text[at - 1] == '.' || text[at - 1] == '-') && is_digit(text[at - 2]);
}

bool passes_luhn(std::string_view digits) {
  int sum = 0;
  bool doubled = false;
  for (std::size_t i = digits.size(); i-- > 0; doubled = !doubled) {
    int value = digits[i] - '0';
    if (doubled) value = value > 4 ? value * 2 - 9 : value * 2;
    sum += value;
  }
  return sum % 10 == 0;
}

bool is_card_number(std::string_view digits) {
  return digits.size() >= 13 && digits.size() <= 19 && digits[0] >= '2' && digits[0] <= '6' &&
         passes_luhn(digits);
}

constexpr std::size_t kCardDigitsMax = 19;

/// Groups of digits with the same single separator between them, until they are more than a card
/// has.
std::vector<Span> digit_groups(std::string_view text, std::size_t at) {
  std::vector<Span> groups;
  std::size_t digits = 0;
  char separator = 0;
  while (digits <= kCardDigitsMax) {
    const std::size_t begin = at;
    while (at < text.size() && is_digit(text[at])) ++at;
    groups.push_back({begin, at});
    digits += at - begin;
    const bool more = at + 1 < text.size() && (text[at] == ' ' || text[at] == '-') &&
                      is_digit(text[at + 1]) && (separator == 0 || text[at] == separator);
    if (!more) break;
    separator = text[at++];
  }
  return groups;
}

/// The end of the longest card number that begins with the first of `groups`.
std::optional<std::size_t> card_end(std::string_view text, const std::vector<Span>& groups) {
  std::optional<std::size_t> found;
  std::string digits;
  for (const auto [begin, end] : groups) {
    if (digits.size() + (end - begin) > kCardDigitsMax) break;
    digits.append(text.substr(begin, end - begin));
    if (is_card_number(digits)) found = end;
    if (end - begin < 4) break;  // only the last group of a card number is shorter
  }
  return found;
}

struct Country {
  std::string_view code;
  std::size_t length;
};

// The SWIFT IBAN registry, sorted by code.
constexpr std::array kCountries = std::to_array<Country>({
    {"AD", 24}, {"AE", 23}, {"AL", 28}, {"AT", 20}, {"AZ", 28}, {"BA", 20}, {"BE", 16}, {"BG", 22},
    {"BH", 22}, {"BI", 27}, {"BR", 29}, {"BY", 28}, {"CH", 21}, {"CR", 22}, {"CY", 28}, {"CZ", 24},
    {"DE", 22}, {"DJ", 27}, {"DK", 18}, {"DO", 28}, {"EE", 20}, {"EG", 29}, {"ES", 24}, {"FI", 18},
    {"FK", 18}, {"FO", 18}, {"FR", 27}, {"GB", 22}, {"GE", 22}, {"GI", 23}, {"GL", 18}, {"GR", 27},
    {"GT", 28}, {"HR", 21}, {"HU", 28}, {"IE", 22}, {"IL", 23}, {"IQ", 23}, {"IS", 26}, {"IT", 27},
    {"JO", 30}, {"KW", 30}, {"KZ", 20}, {"LB", 28}, {"LC", 32}, {"LI", 21}, {"LT", 20}, {"LU", 20},
    {"LV", 21}, {"LY", 25}, {"MC", 27}, {"MD", 24}, {"ME", 22}, {"MK", 19}, {"MN", 20}, {"MR", 27},
    {"MT", 31}, {"MU", 30}, {"NI", 28}, {"NL", 18}, {"NO", 15}, {"OM", 23}, {"PK", 24}, {"PL", 28},
    {"PS", 29}, {"PT", 25}, {"QA", 29}, {"RO", 24}, {"RS", 22}, {"RU", 33}, {"SA", 24}, {"SC", 31},
    {"SD", 18}, {"SE", 24}, {"SI", 19}, {"SK", 24}, {"SM", 27}, {"SO", 23}, {"ST", 25}, {"SV", 28},
    {"TL", 23}, {"TN", 24}, {"TR", 26}, {"UA", 29}, {"VA", 22}, {"VG", 24}, {"XK", 20}, {"YE", 30},
});

/// 0 if no country has that code.
std::size_t iban_length(char first, char second) {
  const char letters[] = {first, second};
  const std::string_view code(letters, 2);
  const auto* found = std::lower_bound(
      kCountries.begin(), kCountries.end(), code,
      [](const Country& country, std::string_view key) { return country.code < key; });
  return found != kCountries.end() && found->code == code ? found->length : 0;
}

/// ISO 13616: the first four characters go to the end, letters count 10 to 35.
bool passes_mod97(std::string_view iban) {
  int remainder = 0;
  for (std::size_t i = 0; i < iban.size(); ++i) {
    const char c = iban[(i + 4) % iban.size()];
    remainder =
        is_digit(c) ? (remainder * 10 + (c - '0')) % 97 : (remainder * 100 + (c - 'A' + 10)) % 97;
  }
  return remainder == 1;
}

/// The end of the IBAN that begins at `begin`, if one does.
std::optional<std::size_t> iban_at(std::string_view text, std::size_t begin) {
  if (begin + 4 > text.size() || !is_letter(text[begin]) || !is_letter(text[begin + 1]) ||
      !is_digit(text[begin + 2]) || !is_digit(text[begin + 3])) {
    return std::nullopt;
  }
  const std::size_t length = iban_length(upper(text[begin]), upper(text[begin + 1]));
  std::string iban;
  std::size_t at = begin;
  while (at < text.size() && iban.size() < length) {
    if (text[at] == ' ' && iban.size() % 4 == 0 && at + 1 < text.size()) ++at;
    if (!is_alphanumeric(text[at])) return std::nullopt;
    iban += upper(text[at++]);
  }
  if (length == 0 || iban.size() < length) return std::nullopt;
  if (at < text.size() && is_alphanumeric(text[at])) return std::nullopt;
  return passes_mod97(iban) ? std::optional(at) : std::nullopt;
}

int number_of(std::string_view digits) {
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

}  // namespace

std::vector<Span> find_emails(std::string_view text) {
  static const RE2 kEmail(
      R"((?i)[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@)"
      R"((?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:xn--[a-z0-9-]{1,59}|[a-z]{2,63})\b)",
      RE2::Quiet);
  std::vector<Span> found;
  re2::StringPiece rest(text.data(), text.size());
  re2::StringPiece match;
  std::size_t at = 0;
  while (kEmail.Match(rest, at, rest.size(), RE2::UNANCHORED, &match, 1)) {
    const auto begin = static_cast<std::size_t>(match.data() - rest.data());
    found.push_back({begin, begin + match.size()});
    at = begin + match.size();
  }
  return found;
}

std::vector<Span> find_cards(std::string_view text) {
  std::vector<Span> found;
  std::size_t at = 0;
  while (at < text.size()) {
    if (!is_digit(text[at])) {
      ++at;
      continue;
    }
    const bool is_fraction = at >= 2 && text[at - 1] == '.' && is_digit(text[at - 2]);
    const std::vector<Span> groups = digit_groups(text, at);
    const auto end = is_fraction ? std::nullopt : card_end(text, groups);
    if (end) found.push_back({at, *end});
    at = end.value_or(groups.front().end);
  }
  return found;
}

std::vector<Span> find_ibans(std::string_view text) {
  std::vector<Span> found;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (at > 0 && is_alphanumeric(text[at - 1])) continue;
    if (const auto end = iban_at(text, at)) {
      found.push_back({at, *end});
      at = *end - 1;
    }
  }
  return found;
}

std::vector<Span> find_us_ssns(std::string_view text) {
  constexpr std::size_t kLength = 11;  // AAA-GG-SSSS
  std::vector<Span> found;
  for (std::size_t at = 0; at + kLength <= text.size(); ++at) {
    const std::string_view part = text.substr(at, kLength);
    const char separator = part[3];
    if ((separator != '-' && separator != ' ') || part[6] != separator) continue;
    bool shaped = true;
    for (const std::size_t i : {0, 1, 2, 4, 5, 7, 8, 9, 10}) shaped = shaped && is_digit(part[i]);
    if (!shaped || continues_number(text, at)) continue;
    const std::size_t end = at + kLength;
    const bool goes_on = end < text.size() &&
                         (is_digit(text[end]) ||
                          (text[end] == '-' && end + 1 < text.size() && is_digit(text[end + 1])));
    if (goes_on) continue;
    const int area = number_of(part.substr(0, 3));
    if (area == 0 || area == 666 || area >= 900) continue;
    if (number_of(part.substr(4, 2)) == 0 || number_of(part.substr(7, 4)) == 0) continue;
    found.push_back({at, end});
    at = end - 1;
  }
  return found;
}

}  // namespace avow::guard
