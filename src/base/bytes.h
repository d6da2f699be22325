// SPDX-License-Identifier: Apache-2.0
// base/bytes.h: byte strings and their text forms. Pure; safe from any thread.
// Bytes travel as std::string and std::string_view: no encoding is implied.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow {

using Bytes32 = std::array<std::uint8_t, 32>;

/// The bytes of an array as a view; valid as long as the array.
template <std::size_t N>
std::string_view view_of(const std::array<std::uint8_t, N>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), N};  // NOLINT: bytes are bytes
}

/// Lower-case hex, two digits a byte.
std::string to_hex(std::string_view bytes);
/// Errors: kInvalidArgument  an odd length, or a character outside 0-9 a-f A-F
Result<std::string> from_hex(std::string_view text);

/// RFC 4648 section 4, standard alphabet with padding.
std::string to_base64(std::string_view bytes);
/// Strict: padding required, no white space, unused bits zero. Errors: kInvalidArgument
Result<std::string> from_base64(std::string_view text);
/// RFC 4648 section 5 without padding.
std::string to_base64url(std::string_view bytes);
/// Without padding. Errors: kInvalidArgument
Result<std::string> from_base64url(std::string_view text);

/// 0-9 A-Z a-z, the number most significant digit first, padded to the width that any value of this
/// length needs (43 for 32 bytes).
std::string to_base62(std::string_view bytes);

/// Whether `text` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most
/// U+10FFFF).
bool is_utf8(std::string_view text);

/// `text` cut to at most `characters_max` code points, with "..." behind where something is
/// missing. Bytes that are not UTF-8 and control characters become '?': safe to show in a message.
std::string shown(std::string_view text, std::size_t characters_max = 64);

/// Compares in a time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b);

}  // namespace avow
