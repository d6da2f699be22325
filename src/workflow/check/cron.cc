// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/cron.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace avow::workflow {
namespace {

struct Field {
  std::string_view name;
  int min;
  int max;
  std::span<const std::string_view> words;  ///< For min, min + 1, ...
};

constexpr std::array kMonths = std::to_array<std::string_view>(
    {"JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"});
constexpr std::array kDays =
    std::to_array<std::string_view>({"SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"});
constexpr std::array<Field, 5> kFields = {{{"minute", 0, 59, {}},
                                           {"hour", 0, 23, {}},
                                           {"day of month", 1, 31, {}},
                                           {"month", 1, 12, kMonths},
                                           {"day of week", 0, 7, kDays}}};
constexpr std::size_t kDayOfMonth = 2;
constexpr std::size_t kMonth = 3;
constexpr std::size_t kCronBytesMax = 256;

/// The values that a field takes, as bits; 0 for an ill-formed one.
using Bits = std::uint64_t;

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.find(separator);
    out.push_back(text.substr(0, at));
    if (at == text.npos) return out;
    text.remove_prefix(at + 1);
  }
}

bool same_word(std::string_view text, std::string_view upper) {
  return std::equal(text.begin(), text.end(), upper.begin(), upper.end(), [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  });
}

std::optional<int> number_of(std::string_view text, int min, int max) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text[0] == '-')
    return std::nullopt;
  return value >= min && value <= max ? std::optional(value) : std::nullopt;
}

std::optional<int> value_of(std::string_view text, const Field& field) {
  for (std::size_t i = 0; i < field.words.size(); ++i) {
    if (same_word(text, field.words[i])) return field.min + static_cast<int>(i);
  }
  return number_of(text, field.min, field.max);
}

/// One element of a list: "*", "5", "1-5", "*/2", "1-30/5".
Bits element(std::string_view text, const Field& field) {
  const auto slash = text.find('/');
  const std::string_view range = text.substr(0, slash);
  const auto dash = range.find('-');
  std::optional<int> first = field.min;
  std::optional<int> last = field.max;
  if (range != "*") {
    first = value_of(range.substr(0, dash), field);
    last = dash == range.npos ? first : value_of(range.substr(dash + 1), field);
    if (dash == range.npos && slash != text.npos) return 0;  // "5/2" means different things
  }
  std::optional<int> step = 1;
  if (slash != text.npos) step = number_of(text.substr(slash + 1), 1, field.max);
  if (!first || !last || !step || *first > *last) return 0;
  Bits bits = 0;
  for (int value = *first; value <= *last; value += *step) bits |= Bits{1} << value;
  return bits;
}

Bits field_bits(std::string_view text, const Field& field) {
  Bits bits = 0;
  for (const std::string_view part : split(text, ',')) {
    const Bits own = element(part, field);
    if (own == 0) return 0;
    bits |= own;
  }
  return bits;
}

/// Whether some month of `months` has one of the days of `days`.
bool exists(Bits days, Bits months) {
  constexpr std::array kLengths = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (std::size_t month = 0; month < kLengths.size(); ++month) {
    if ((months >> (month + 1) & 1) == 0) continue;
    for (int day = 1; day <= kLengths[month]; ++day) {
      if ((days >> day & 1) != 0) return true;
    }
  }
  return false;
}

}  // namespace

std::optional<std::string> check_cron(std::string_view text) {
  if (text.size() > kCronBytesMax) return fmt::format("is longer than {} bytes", kCronBytesMax);
  std::vector<std::string_view> parts = split(text, ' ');
  std::erase(parts, std::string_view());
  if (parts.size() != kFields.size()) {
    return fmt::format("needs five fields (minute, hour, day of month, month, day of week), not {}",
                       parts.size());
  }
  std::array<Bits, kFields.size()> bits{};
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    const Field& field = kFields[i];
    bits[i] = field_bits(parts[i], field);
    if (bits[i] != 0) continue;
    return fmt::format(
        "the {} \"{}\" is not *, a number from {} to {}, a range, a step or a list of those",
        field.name, shown(parts[i], 32), field.min, field.max);
  }
  // A restricted day of the week would be another way to match (POSIX: either of the two).
  if (parts[4] == "*" && !exists(bits[kDayOfMonth], bits[kMonth])) {
    return "names a day that no month of it has, so it would never fire";
  }
  return std::nullopt;
}

}  // namespace avow::workflow
