// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/bytes.h"

namespace avow::net {
namespace {

constexpr std::array<std::uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
constexpr std::array<std::uint8_t, 12> kNat64Prefix = {0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0};

bool has_prefix(const IpAddress& address, const std::array<std::uint8_t, 12>& prefix) {
  return std::equal(prefix.begin(), prefix.end(), address.bytes.begin());
}

/// The last four bytes as an IPv4 number.
std::uint32_t low_32(const IpAddress& address) {
  std::uint32_t value = 0;
  for (std::size_t i = 12; i < 16; ++i) value = value << 8 | address.bytes[i];
  return value;
}

bool in_block(std::uint32_t address, std::uint32_t base, int bits) {
  return (address ^ base) >> (32 - bits) == 0;
}

/// IANA's IPv4 Special-Purpose Address Registry, multicast and the reserved top.
bool is_public_v4(std::uint32_t a) {
  return !(in_block(a, 0x00000000, 8) ||   // 0.0.0.0/8, "this network"
           in_block(a, 0x0A000000, 8) ||   // 10.0.0.0/8, private
           in_block(a, 0x64400000, 10) ||  // 100.64.0.0/10, shared between carrier and customer
           in_block(a, 0x7F000000, 8) ||   // 127.0.0.0/8, loopback
           in_block(a, 0xA9FE0000, 16) ||  // 169.254.0.0/16, link-local and clouds' metadata
           in_block(a, 0xAC100000, 12) ||  // 172.16.0.0/12, private
           in_block(a, 0xC0000000, 24) ||  // 192.0.0.0/24, protocol assignments
           in_block(a, 0xC0000200, 24) ||  // 192.0.2.0/24, documentation
           in_block(a, 0xC0586300, 24) ||  // 192.88.99.0/24, 6to4 relays
           in_block(a, 0xC0A80000, 16) ||  // 192.168.0.0/16, private
           in_block(a, 0xC6120000, 15) ||  // 198.18.0.0/15, benchmarks
           in_block(a, 0xC6336400, 24) ||  // 198.51.100.0/24, documentation
           in_block(a, 0xCB007100, 24) ||  // 203.0.113.0/24, documentation
           in_block(a, 0xE0000000, 3));    // 224.0.0.0/3, multicast, reserved, broadcast
}

/// Global unicast (2000::/3) without the parts that are tunnels, test ranges or not routed.
bool is_public_v6(const IpAddress& address) {
  const auto& b = address.bytes;
  const bool is_unicast = (b[0] & 0xE0) == 0x20;
  const bool is_assignment = b[0] == 0x20 && b[1] == 0x01 && (b[2] & 0xFE) == 0;  // 2001::/23
  const bool is_example = b[0] == 0x20 && b[1] == 0x01 && b[2] == 0x0D && b[3] == 0xB8;
  const bool is_6to4 = b[0] == 0x20 && b[1] == 0x02;
  const bool is_example_new = b[0] == 0x3F && b[1] == 0xFF && (b[2] & 0xF0) == 0;  // RFC 9637
  return is_unicast && !is_assignment && !is_example && !is_6to4 && !is_example_new;
}

/// The IPv4 address that a NAT64 address (RFC 6052) leads to.
std::optional<IpAddress> embedded(const IpAddress& address) {
  if (!has_prefix(address, kNat64Prefix)) return std::nullopt;
  return IpAddress::v4(low_32(address));
}

}  // namespace

bool IpAddress::is_v4() const { return has_prefix(*this, kMappedPrefix); }

IpAddress IpAddress::v4(std::uint32_t host_order) {
  IpAddress address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
  for (std::size_t i = 0; i < 4; ++i) {
    address.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  }
  return address;
}

std::string IpAddress::text() const {
  std::array<char, INET6_ADDRSTRLEN> out{};
  const bool v4 = is_v4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? 12 : 0), out.data(), out.size());
  return out.data();
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
  const std::string terminated(text);
  IpAddress address;
  // inet_pton stops at a NUL, so "10.0.0.1\0.example" must not reach it.
  if (text.find('\0') == std::string_view::npos) {
    std::array<std::uint8_t, 4> v4{};
    if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) {
      std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes.begin());
      std::copy(v4.begin(), v4.end(), address.bytes.begin() + 12);
      return address;
    }
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.data()) == 1) return address;
  }
  return failure(Code::kInvalidArgument, "\"{}\" is no IP address", shown(text));
}

Result<Cidr> Cidr::parse(std::string_view text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  ASSIGN_OR_RETURN(const IpAddress base, IpAddress::parse(text.substr(0, slash)));
  // How "::ffff:10.0.0.0/104" is meant is clear from the colon.
  const bool dotted = text.find(':') == std::string_view::npos;
  Cidr cidr{base, 128};
  if (slash < text.size()) {
    const std::string_view digits = text.substr(slash + 1);
    int bits = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (error != std::errc{} || end != digits.data() + digits.size() || bits < 0 ||
        bits > (dotted ? 32 : 128)) {
      return failure(Code::kInvalidArgument, "\"{}\" has no prefix length of 0 to {}", shown(text),
                     dotted ? 32 : 128);
    }
    cidr.prefix_bits = dotted ? 96 + bits : bits;
  }
  for (int bit = cidr.prefix_bits; bit < 128; ++bit) {
    if ((base.bytes[static_cast<std::size_t>(bit / 8)] >> (7 - bit % 8) & 1) != 0) {
      return failure(Code::kInvalidArgument, "\"{}\" has bits set behind its prefix", shown(text));
    }
  }
  return cidr;
}

bool Cidr::contains(const IpAddress& address) const {
  const auto whole = static_cast<std::size_t>(prefix_bits / 8);
  if (!std::equal(base.bytes.begin(), base.bytes.begin() + prefix_bits / 8,
                  address.bytes.begin())) {
    return false;
  }
  const int rest = prefix_bits % 8;
  return rest == 0 || (base.bytes[whole] ^ address.bytes[whole]) >> (8 - rest) == 0;
}

bool is_public(const IpAddress& address) {
  if (address.is_v4() || embedded(address)) return is_public_v4(low_32(address));
  return is_public_v6(address);
}

bool AddressPolicy::lists(const IpAddress& address) const {
  const auto inner = embedded(address);
  return std::any_of(allow.begin(), allow.end(), [&](const Cidr& block) {
    return block.contains(address) || (inner && block.contains(*inner));
  });
}

}  // namespace avow::net
