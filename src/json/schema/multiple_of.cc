// SPDX-License-Identifier: Apache-2.0
#include "json/schema/multiple_of.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace avow::json::schema {
namespace {

/// mantissa * 10^exponent, the mantissa below 10^17 and not divisible by ten unless it is zero.
struct Decimal {
  std::uint64_t mantissa = 0;
  int exponent = 0;
};

Decimal decimal_of(double number) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), std::abs(number),
                                 std::chars_format::scientific)
                       .ptr;
  Decimal decimal;
  bool in_fraction = false;
  const char* at = text.data();
  for (; at != end && *at != 'e'; ++at) {
    if (*at == '.') {
      in_fraction = true;
      continue;
    }
    decimal.mantissa = decimal.mantissa * 10 + static_cast<std::uint64_t>(*at - '0');
    if (in_fraction) --decimal.exponent;
  }
  int written = 0;
  ++at;  // the 'e'
  if (*at == '+') ++at;
  std::from_chars(at, end, written);
  decimal.exponent += written;
  while (decimal.mantissa != 0 && decimal.mantissa % 10 == 0) {
    decimal.mantissa /= 10;
    ++decimal.exponent;
  }
  return decimal;
}

}  // namespace

bool is_multiple(double number, double divisor) {
  const Decimal a = decimal_of(number);
  const Decimal b = decimal_of(divisor);
  if (a.mantissa == 0) return true;
  if (a.exponent >= b.exponent) {
    // a.mantissa * 10^(difference) modulo b.mantissa, ten by ten: at most 632 steps for doubles.
    // `rest` stays below 10^17.
    std::uint64_t rest = a.mantissa % b.mantissa;
    for (int i = b.exponent; i < a.exponent && rest != 0; ++i) rest = rest * 10 % b.mantissa;
    return rest == 0;
  }
  // The divisor has the larger power of ten, and a.mantissa is not divisible by ten.
  return false;
}

}  // namespace avow::json::schema
