// SPDX-License-Identifier: Apache-2.0
#include "base/id.h"

#include "base/bytes.h"

namespace avow {
namespace {

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::uint64_t kLowZeroBits = 20;

int crockford_digit(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  if (c == 'I' || c == 'L') c = '1';
  if (c == 'O') c = '0';
  const std::size_t at = kCrockford.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

Result<Id> parse_uuid(std::string_view text) {
  std::string hex;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool hyphen_place = i == 8 || i == 13 || i == 18 || i == 23;
    if (hyphen_place != (text[i] == '-')) {
      return failure(Code::kInvalidArgument, "not a UUID");
    }
    if (!hyphen_place) hex += text[i];
  }
  ASSIGN_OR_RETURN(const std::string bytes, from_hex(hex));
  return Id::from_bytes(bytes);
}

Result<Id> parse_ulid(std::string_view text) {
  Id id;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int digit = crockford_digit(text[i]);
    // 26 digits are 130 bits: the first holds three.
    if (digit < 0 || (i == 0 && digit > 7)) {
      return failure(Code::kInvalidArgument, "not a ULID");
    }
    id.high = id.high << 5 | id.low >> 59;
    id.low = id.low << 5 | static_cast<std::uint64_t>(digit);
  }
  return id;
}

std::string_view without_prefix(std::string_view text) {
  for (const std::string_view prefix : {"maip-orch:", "maip-agent:", "maip-wf:", "rcpt_"}) {
    if (text.starts_with(prefix)) return text.substr(prefix.size());
  }
  constexpr std::string_view kTenantPrefix = "maip:";
  constexpr std::size_t kTenantDigits = 8;
  if (text.starts_with(kTenantPrefix)) {
    const std::string_view rest = text.substr(kTenantPrefix.size());
    if (rest.size() > kTenantDigits && rest[kTenantDigits] == ':' &&
        from_hex(rest.substr(0, kTenantDigits))) {
      return rest.substr(kTenantDigits + 1);
    }
  }
  return text;
}

}  // namespace

std::string Id::bytes() const {
  std::string out(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(high >> (56 - 8 * i) & 0xFF);
    out[8 + i] = static_cast<char>(low >> (56 - 8 * i) & 0xFF);
  }
  return out;
}

Result<Id> Id::from_bytes(std::string_view bytes) {
  if (bytes.size() != 16) {
    return failure(Code::kInvalidArgument, "an id has 16 bytes, not {}", bytes.size());
  }
  Id id;
  for (std::size_t i = 0; i < 8; ++i) {
    id.high = id.high << 8 | static_cast<std::uint8_t>(bytes[i]);
    id.low = id.low << 8 | static_cast<std::uint8_t>(bytes[8 + i]);
  }
  return id;
}

std::string Id::uuid() const {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text(36, '-');
  std::size_t at = 0;
  for (std::size_t digit = 0; digit < 32; ++digit, ++at) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) ++at;  // over a hyphen
    const std::uint64_t half = digit < 16 ? high : low;
    text[at] = kDigits[half >> (60 - 4 * (digit % 16)) & 15];
  }
  return text;
}

std::string Id::ulid() const {
  std::string text(26, '0');
  Id rest = *this;
  for (std::size_t i = 26; i-- > 0;) {
    text[i] = kCrockford[rest.low & 31];
    rest.low = rest.low >> 5 | rest.high << 59;
    rest.high >>= 5;
  }
  return text;
}

Id make_id(Time now, const std::array<std::uint8_t, 8>& random) {
  std::uint64_t bits = 0;
  for (const std::uint8_t byte : random) bits = bits << 8 | byte;
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count());
  Id id;
  id.high = ms << 16 | 0x7000 | (bits >> 52);  // version 7, 12 bits
  id.low = (std::uint64_t{2} << 62) | ((bits << 12 >> 2) >> kLowZeroBits << kLowZeroBits);
  return id;
}

Result<Id> parse_id(std::string_view text) {
  const std::string_view body = without_prefix(text);
  if (body.size() == 36) {
    if (auto id = parse_uuid(body)) return id;
  } else if (body.size() == 26) {
    if (auto id = parse_ulid(body)) return id;
  }
  return failure(Code::kInvalidArgument,
                 "\"{}\" is not an id: a UUID, or a ULID with or without its prefix", shown(text));
}

}  // namespace avow
