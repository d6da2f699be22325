// SPDX-License-Identifier: Apache-2.0
#include "net/address.h"

#include <gtest/gtest.h>

namespace avow::net {
namespace {

IpAddress ip(const char* text) {
  auto address = IpAddress::parse(text);
  EXPECT_TRUE(address) << text;
  return *address;
}

struct Block {
  const char* name;
  std::uint32_t first;
  std::uint32_t last;
};

// The oracle: IANA's IPv4 Special-Purpose Address Registry as ranges, written by hand.
constexpr Block kSpecialV4[] = {
    {"this network", 0x00000000, 0x00FFFFFF}, {"private 10", 0x0A000000, 0x0AFFFFFF},
    {"shared", 0x64400000, 0x647FFFFF},       {"loopback", 0x7F000000, 0x7FFFFFFF},
    {"link-local", 0xA9FE0000, 0xA9FEFFFF},   {"private 172", 0xAC100000, 0xAC1FFFFF},
    {"protocols", 0xC0000000, 0xC00000FF},    {"test-net-1", 0xC0000200, 0xC00002FF},
    {"6to4 relay", 0xC0586300, 0xC05863FF},   {"private 192", 0xC0A80000, 0xC0A8FFFF},
    {"benchmark", 0xC6120000, 0xC613FFFF},    {"test-net-2", 0xC6336400, 0xC63364FF},
    {"test-net-3", 0xCB007100, 0xCB0071FF},   {"multicast and above", 0xE0000000, 0xFFFFFFFF},
};

bool is_special(std::uint32_t a) {
  for (const Block& block : kSpecialV4) {
    if (a >= block.first && a <= block.last) return true;
  }
  return false;
}

TEST(PublicAddress, EveryIpv4BlockEndsWhereTheRegistrySays) {
  for (const Block& block : kSpecialV4) {
    for (const std::uint32_t a : {block.first, block.first + 1, block.last - 1, block.last,
                                  block.first - 1, block.last + 1}) {
      EXPECT_EQ(is_public(IpAddress::v4(a)), !is_special(a))
          << block.name << ' ' << IpAddress::v4(a).text();
    }
  }
}

// Every /16, first and last address: no range is forgotten or too wide.
TEST(PublicAddress, AgreesWithTheRegistryOnTheEdgesOfEverySlash16) {
  for (std::uint32_t high = 0; high < 65536; ++high) {
    for (const std::uint32_t a : {high << 16, high << 16 | 0xFFFF}) {
      ASSERT_EQ(is_public(IpAddress::v4(a)), !is_special(a)) << IpAddress::v4(a).text();
    }
  }
}

TEST(PublicAddress, AnAddressThatEmbedsIpv4IsJudgedByIt) {
  for (std::uint32_t high = 0; high < 65536; ++high) {
    const IpAddress v4 = IpAddress::v4(high << 16 | 1);
    IpAddress nat64 = v4;
    const IpAddress prefix = ip("64:ff9b::");
    std::copy_n(prefix.bytes.begin(), 12, nat64.bytes.begin());
    ASSERT_EQ(is_public(nat64), is_public(v4)) << nat64.text();
  }
  EXPECT_FALSE(is_public(ip("::ffff:127.0.0.1")));
  EXPECT_FALSE(is_public(ip("::ffff:a00:1")));
  EXPECT_TRUE(is_public(ip("::ffff:8.8.8.8")));
}

TEST(PublicAddress, Ipv6IsGlobalUnicastWithoutTunnelsAndExamples) {
  for (const char* text :
       {"::",      "::1",         "::7f00:1",    "fe80::1",        "fec0::1",
        "fc00::1", "fdff::1",     "ff02::1",     "100::1",         "64:ff9b:1::1",
        "2001::1", "2001:1ff::1", "2001:db8::1", "2002:7f00:1::1", "2002:808:808::1",
        "3fff::1", "3fff:fff::1", "4000::1",     "1fff::1",        "64:ff9a::808:808"}) {
    EXPECT_FALSE(is_public(ip(text))) << text;
  }
  for (const char* text : {"2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1", "2001:200::1",
                           "2001:db9::1", "3fff:1000::1"}) {
    EXPECT_TRUE(is_public(ip(text))) << text;
  }
}

TEST(IpAddressText, RoundTripsInItsCanonicalForm) {
  EXPECT_EQ(ip("192.0.2.1").text(), "192.0.2.1");
  EXPECT_EQ(ip("::FFFF:192.0.2.1").text(), "192.0.2.1");
  EXPECT_EQ(ip("2001:DB8:0:0::1").text(), "2001:db8::1");
}

TEST(IpAddressText, RefusesEverythingElse) {
  for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "0x7f.1", "2130706433", "1.2.3.256",
                          "[::1]", "fe80::1%eth0", "::1::", "localhost", " 1.2.3.4", "1.2.3.4 "}) {
    EXPECT_FALSE(IpAddress::parse(bad)) << bad;
  }
  EXPECT_FALSE(IpAddress::parse(std::string_view("1.2.3.4\0x", 9)));
}

// The oracle compares bit by bit.
TEST(CidrBlock, ContainsExactlyTheAddressesThatShareItsPrefix) {
  const IpAddress base = ip("2001:db8:a5a5:5a5a:a5a5:5a5a:a5a5:5a5a");
  for (int bits = 0; bits <= 128; ++bits) {
    Cidr block{base, bits};
    for (int flipped = 0; flipped < 128; ++flipped) {
      IpAddress other = base;
      other.bytes[static_cast<std::size_t>(flipped / 8)] ^=
          static_cast<std::uint8_t>(0x80 >> flipped % 8);
      ASSERT_EQ(block.contains(other), flipped >= bits) << bits << ' ' << flipped;
    }
    ASSERT_TRUE(block.contains(base));
  }
}

TEST(CidrBlock, ReadsBothFamilies) {
  EXPECT_TRUE(Cidr::parse("10.0.0.0/8")->contains(ip("10.255.0.1")));
  EXPECT_FALSE(Cidr::parse("10.0.0.0/8")->contains(ip("11.0.0.0")));
  EXPECT_TRUE(Cidr::parse("127.0.0.1")->contains(ip("::ffff:127.0.0.1")));
  EXPECT_FALSE(Cidr::parse("127.0.0.1")->contains(ip("127.0.0.2")));
  EXPECT_TRUE(Cidr::parse("0.0.0.0/0")->contains(ip("255.255.255.255")));
  EXPECT_FALSE(Cidr::parse("0.0.0.0/0")->contains(ip("::1")));
  EXPECT_TRUE(Cidr::parse("::1/128")->contains(ip("::1")));
  EXPECT_TRUE(Cidr::parse("fd00::/8")->contains(ip("fdff::1")));
  for (const char* bad : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x",
                          "10.0.0.1/8", "fd00::/129", "10.0.0.0/+8", "10.0.0.0/8/8", "x/8"}) {
    EXPECT_FALSE(Cidr::parse(bad)) << bad;
  }
}

TEST(Policy, AllowsPublicAddressesAndWhatIsListed) {
  const AddressPolicy none;
  EXPECT_TRUE(none.allows(ip("8.8.8.8")));
  EXPECT_FALSE(none.allows(ip("127.0.0.1")));
  const AddressPolicy loopback{{*Cidr::parse("127.0.0.0/8")}};
  EXPECT_TRUE(loopback.allows(ip("127.0.0.1")));
  EXPECT_TRUE(loopback.allows(ip("64:ff9b::7f00:1")));
  EXPECT_FALSE(loopback.allows(ip("::1")));
  EXPECT_FALSE(loopback.allows(ip("10.0.0.1")));
  EXPECT_TRUE(loopback.is_plain_http_allowed(ip("127.0.0.1")));
  EXPECT_FALSE(loopback.is_plain_http_allowed(ip("8.8.8.8")));
}

}  // namespace
}  // namespace avow::net
