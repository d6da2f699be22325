// SPDX-License-Identifier: Apache-2.0
// The oracles are the published vectors of FIPS 180-4 and RFC 4231.
#include "crypto/sha256.h"

#include <gtest/gtest.h>

#include <string>

namespace avow::crypto {
namespace {

std::string bytes_of(std::string_view hex) { return *from_hex(hex); }
std::string hex_of(const Bytes32& hash) { return to_hex(view_of(hash)); }

TEST(Sha256, GivesThePublishedHashes) {
  EXPECT_EQ(hex_of(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex_of(sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex_of(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex_of(sha256(std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, IsTheSameWhereverTheInputIsCut) {
  std::string input;
  for (int i = 0; i < 200; ++i) input.push_back(static_cast<char>(i));
  for (std::size_t cut = 0; cut <= input.size(); ++cut) {
    Sha256 hash;
    hash.update(std::string_view(input).substr(0, cut)).update(std::string_view(input).substr(cut));
    EXPECT_EQ(hash.finish(), sha256(input)) << "cut at " << cut;
  }
}

TEST(Sha256, ACopyGoesOnByItselfAndFinishStartsAgain) {
  Sha256 first;
  first.update("ab");
  Sha256 second = first;
  second.update("x");
  EXPECT_EQ(first.update("c").finish(), sha256("abc"));
  EXPECT_EQ(second.finish(), sha256("abx"));
  EXPECT_EQ(first.finish(), sha256(""));
}

TEST(HmacSha256, GivesTheAnswersOfRfc4231) {
  struct Vector {
    std::string key, data, mac;
  };
  const Vector vectors[] = {
      {std::string(20, '\x0b'), "Hi There",
       "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?",
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(20, '\xaa'), std::string(50, '\xdd'),
       "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
      {bytes_of("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {std::string(131, '\xaa'),
       "This is a test using a larger than block-size key and a larger than block-size data. The "
       "key "
       "needs to be hashed before being used by the HMAC algorithm.",
       "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
  };
  for (const Vector& vector : vectors) {
    EXPECT_EQ(hex_of(hmac_sha256(vector.key, vector.data)), vector.mac) << vector.data;
  }
}

TEST(HmacKey, MakesManyHmacsEachAsIfItWereTheFirst) {
  // The second of RFC 4231.
  const HmacKey key("Jefe");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(to_hex(view_of(key.hmac("what do ya want for nothing?"))),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(key.hmac("other"), hmac_sha256("Jefe", "other"));
  }
}

TEST(HmacSha256, TakesAnEmptyKey) {
  EXPECT_EQ(hex_of(hmac_sha256("", "")),
            "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace
}  // namespace avow::crypto
