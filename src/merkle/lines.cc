// SPDX-License-Identifier: Apache-2.0
#include "merkle/lines.h"

#include <algorithm>
#include <charconv>

namespace avow::merkle {

std::optional<std::string_view> take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 1);
  return line;
}

std::optional<std::uint64_t> parse_padded(std::string_view text) {
  std::uint64_t value = 0;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  // Unsigned: from_chars takes no sign.
  const auto [stopped, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_decimal(std::string_view text) {
  if (text.size() > 1 && text[0] == '0') return std::nullopt;
  return parse_padded(text);
}

std::optional<Hash> parse_hash(std::string_view text) {
  Hash hash;
  if (text.size() != 44) return std::nullopt;
  const auto bytes = from_base64(text);
  if (!bytes || bytes->size() != hash.size()) return std::nullopt;
  std::copy(bytes->begin(), bytes->end(), hash.begin());
  return hash;
}

std::string format_hash(const Hash& hash) { return to_base64(view_of(hash)); }

}  // namespace avow::merkle
