// SPDX-License-Identifier: Apache-2.0
// The oracle is RFC 8032, section 7.1.
#include "crypto/ed25519.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "crypto/p256.h"

namespace avow::crypto {
namespace {

struct Vector {
  std::string_view seed, public_key, message, signature;
};
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b"
     "46b"
     "d25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11"
     "d8c"
     "387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc"
     "659"
     "4a7c15e9716ed28dc027beceea1ec40a"},
};

Bytes32 bytes32_of(std::string_view hex) {
  const std::string bytes = *from_hex(hex);
  Bytes32 out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

TEST(Ed25519, SignsAndVerifiesTheVectorsOfRfc8032) {
  for (const Vector& vector : kVectors) {
    const auto key = Ed25519PrivateKey::from_seed(bytes32_of(vector.seed));
    const std::string message = *from_hex(vector.message);
    EXPECT_EQ(to_hex(view_of(key.public_key().bytes)), vector.public_key);
    EXPECT_EQ(to_hex(key.sign(message)), vector.signature);
    EXPECT_TRUE(key.public_key().verifies(message, *from_hex(vector.signature)));
  }
}

TEST(Ed25519, RefusesEverySignatureWithOneBitChanged) {
  const auto key = Ed25519PrivateKey::from_seed(bytes32_of(kVectors[2].seed));
  const std::string signature = key.sign("message");
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(key.public_key().verifies("message", changed)) << "bit " << bit;
  }
  EXPECT_FALSE(key.public_key().verifies("messagf", signature));
  EXPECT_FALSE(key.public_key().verifies("message", signature.substr(1)));
  EXPECT_FALSE(key.public_key().verifies("message", ""));
}

TEST(Ed25519, AKeyThatIsNoPointVerifiesNothing) {
  Ed25519PublicKey key;
  key.bytes.fill(0xff);
  EXPECT_FALSE(key.verifies("message", std::string(64, '\0')));
}

TEST(Ed25519, KeysSurviveTheirPemForms) {
  const auto key = Ed25519PrivateKey::from_seed(bytes32_of(kVectors[0].seed));
  const Secret passphrase("correct horse");
  for (const Secret& given : {Secret(), passphrase}) {
    const Secret pem = key.pem(given);
    EXPECT_EQ(pem.reveal().find("-----BEGIN ENCRYPTED PRIVATE KEY-----") == 0, !given.empty());
    const auto again = Ed25519PrivateKey::from_pem(pem.reveal(), given);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->sign("m"), key.sign("m"));
  }
  EXPECT_EQ(*Ed25519PublicKey::from_spki_pem(key.public_key().spki_pem()), key.public_key());
}

TEST(Ed25519, RefusesPemThatIsNotItsOwn) {
  const auto key = Ed25519PrivateKey::from_seed(bytes32_of(kVectors[0].seed));
  const std::string sealed = key.pem(Secret("right")).reveal();
  const auto other_kind = P256PrivateKey::generate();
  EXPECT_EQ(Ed25519PrivateKey::from_pem(sealed).error().code, Code::kInvalidArgument);
  EXPECT_EQ(Ed25519PrivateKey::from_pem(sealed, Secret("wrong")).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(Ed25519PrivateKey::from_pem("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(Ed25519PrivateKey::from_pem(other_kind.pem().reveal()).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(Ed25519PublicKey::from_spki_pem(other_kind.public_key().spki_pem()).error().code,
            Code::kInvalidArgument);
}

TEST(Ed25519, ReadsTheKeyOfRfc8410) {
  const auto key = Ed25519PublicKey::from_spki_pem(
      "-----BEGIN PUBLIC KEY-----\n"
      "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
      "-----END PUBLIC KEY-----\n");
  ASSERT_TRUE(key);
  EXPECT_EQ(to_hex(view_of(key->bytes)),
            "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
}

}  // namespace
}  // namespace avow::crypto
