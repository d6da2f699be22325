// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace avow {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

std::uint8_t byte(char c) { return static_cast<std::uint8_t>(c); }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string encode64(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t n = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < n ? byte(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) {
      if (k <= n) {
        text += alphabet[group >> (18 - 6 * k) & 63];
      } else if (padded) {
        text += '=';
      }
    }
  }
  return text;
}

Result<std::string> decode64(std::string_view text, std::string_view alphabet) {
  if (text.size() % 4 == 1) return failure(Code::kInvalidArgument, "base64 of impossible length");
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t digit = alphabet.find(c);
    if (digit == std::string_view::npos) {
      return failure(Code::kInvalidArgument, "character outside the base64 alphabet");
    }
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xFFFF;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes += static_cast<char>(bits >> held & 0xFF);
    }
  }
  if ((bits & ((1U << held) - 1)) != 0) {
    return failure(Code::kInvalidArgument, "base64 with stray bits at its end");
  }
  return bytes;
}

/// Length of the well-formed UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const std::uint8_t a = byte(text[0]);
  if (a < 0x80) return 1;
  std::size_t n = 0;
  if (a >= 0xC2 && a <= 0xDF) n = 2;
  if (a >= 0xE0 && a <= 0xEF) n = 3;
  if (a >= 0xF0 && a <= 0xF4) n = 4;
  if (n == 0 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if ((byte(text[i]) & 0xC0) != 0x80) return 0;
  }
  const std::uint8_t b = byte(text[1]);
  const bool overlong = (a == 0xE0 && b < 0xA0) || (a == 0xF0 && b < 0x90);
  const bool surrogate = a == 0xED && b >= 0xA0;
  const bool too_large = a == 0xF4 && b >= 0x90;
  return overlong || surrogate || too_large ? 0 : n;
}

/// Whether one code point is a control character: U+0000-001F, U+007F, or U+0080-009F, which some
/// terminals obey as well.
bool is_control(std::string_view character) {
  const std::uint8_t a = byte(character[0]);
  if (character.size() == 2) return a == 0xC2 && byte(character[1]) < 0xA0;
  return a < 0x20 || a == 0x7F;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  std::string text(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    text[2 * i] = kHex[byte(bytes[i]) >> 4];
    text[2 * i + 1] = kHex[byte(bytes[i]) & 15];
  }
  return text;
}

Result<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return failure(Code::kInvalidArgument, "hex of odd length");
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0)
      return failure(Code::kInvalidArgument, "character that is no hex digit");
    bytes += static_cast<char>(high << 4 | low);
  }
  return bytes;
}

std::string to_base64(std::string_view bytes) { return encode64(bytes, kBase64, true); }
std::string to_base64url(std::string_view bytes) { return encode64(bytes, kBase64Url, false); }

Result<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return failure(Code::kInvalidArgument, "base64 without its padding");
  if (text.ends_with("==")) {
    text.remove_suffix(2);
  } else if (text.ends_with('=')) {
    text.remove_suffix(1);
  }
  return decode64(text, kBase64);
}

Result<std::string> from_base64url(std::string_view text) { return decode64(text, kBase64Url); }

std::string to_base62(std::string_view bytes) {
  const auto width =
      static_cast<std::size_t>(std::ceil(static_cast<double>(bytes.size()) * 8 / std::log2(62.0)));
  std::vector<std::uint8_t> number(bytes.begin(), bytes.end());
  std::string text(width, '0');
  for (std::size_t i = width; i-- > 0;) {
    unsigned remainder = 0;
    for (auto& digit : number) {
      const unsigned value = remainder << 8 | digit;
      digit = static_cast<std::uint8_t>(value / 62);
      remainder = value % 62;
    }
    text[i] = kBase62[remainder];
  }
  return text;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n = utf8_length(text);
    if (n == 0) return false;
    text.remove_prefix(n);
  }
  return true;
}

std::string shown(std::string_view text, std::size_t characters_max) {
  std::string out;
  for (std::size_t n = 0; !text.empty(); ++n) {
    if (n == characters_max) return out + "...";
    const std::size_t length = utf8_length(text);
    if (length == 0 || is_control(text.substr(0, length))) {
      out += '?';
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

bool equal_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference |= byte(a[i]) ^ byte(b[i]);
  return difference == 0;
}

}  // namespace avow
