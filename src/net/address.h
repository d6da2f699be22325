// SPDX-License-Identifier: Apache-2.0
// net/address.h: IP addresses, and which of them outbound calls may reach.
// Pure; safe from any thread.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace avow::net {

/// An IPv4 or IPv6 address. IPv4 is kept in its IPv4-mapped form (::ffff:a.b.c.d), so the two
/// spellings are one address.
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  bool operator==(const IpAddress&) const = default;

  [[nodiscard]] bool is_v4() const;
  /// "192.0.2.1" or "2001:db8::1".
  [[nodiscard]] std::string text() const;
  /// Strict dotted decimal, or IPv6 without zone and brackets. Errors: kInvalidArgument
  static Result<IpAddress> parse(std::string_view text);
  static IpAddress v4(std::uint32_t host_order);
};

/// A block of addresses.
struct Cidr {
  IpAddress base;
  int prefix_bits = 128;  ///< Of the 128; an IPv4 "/8" is 104 here.

  /// "10.0.0.0/8", "fd00::/8"; without "/n" the one address. Bits behind the prefix must be zero.
  /// Errors: kInvalidArgument
  static Result<Cidr> parse(std::string_view text);
  [[nodiscard]] bool contains(const IpAddress& address) const;
};

/// Whether `address` is reachable over the public internet: not private, loopback, link-local,
/// unique-local, multicast, unspecified, shared (100.64/10), reserved or for documentation. An
/// address that embeds an IPv4 address (NAT64, 64:ff9b::/96) is judged by that; 6to4 and Teredo are
/// not public.
bool is_public(const IpAddress& address);

/// Where outbound calls may go. Checked at connect time, after name resolution.
struct AddressPolicy {
  std::vector<Cidr> allow;  ///< Beyond public addresses: the setting `outbound.allow`.

  /// Whether `address`, or the IPv4 address that it embeds, lies in `allow`.
  [[nodiscard]] bool lists(const IpAddress& address) const;
  /// Whether a call may go to `address`.
  [[nodiscard]] bool allows(const IpAddress& address) const {
    return is_public(address) || lists(address);
  }
  /// Whether secrets may go to `address` without TLS: only where `allow` lists it.
  [[nodiscard]] bool is_plain_http_allowed(const IpAddress& address) const {
    return lists(address);
  }
};

}  // namespace avow::net
