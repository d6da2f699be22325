// SPDX-License-Identifier: Apache-2.0
// merkle/lines.h: the pieces that C2SP's line-based formats share. All text is untrusted; each
// value has one spelling. Pure; safe from any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "merkle/hash.h"

namespace avow::merkle {

/// Cuts the first line off `text` and returns it without its newline; nothing if no newline is
/// left.
std::optional<std::string_view> take_line(std::string_view& text);

/// Digits only, no zero in front of others, below 2^64.
std::optional<std::uint64_t> parse_decimal(std::string_view text);
/// Digits only, zeros in front allowed, below 2^64.
std::optional<std::uint64_t> parse_padded(std::string_view text);

/// 44 characters of base64.
std::optional<Hash> parse_hash(std::string_view text);
std::string format_hash(const Hash& hash);

}  // namespace avow::merkle
