// SPDX-License-Identifier: Apache-2.0
// The oracle is RFC 6979, appendix A.2.5.
#include "crypto/p256.h"

#include <gtest/gtest.h>

#include "crypto/ed25519.h"

namespace avow::crypto {
namespace {

constexpr std::string_view kSpkiPrefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
constexpr std::string_view kPoint =
    "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"
    "7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";

std::string rfc_spki() { return *from_hex(std::string(kSpkiPrefix) + std::string(kPoint)); }

/// SEQUENCE { INTEGER, INTEGER } of two numbers of 32 bytes in hex.
std::string der(std::string_view r_hex, std::string_view s_hex) {
  std::string body;
  for (const std::string_view hex : {r_hex, s_hex}) {
    std::string number = *from_hex(hex);
    while (number.size() > 1 && number[0] == 0 && (number[1] & 0x80) == 0) number.erase(0, 1);
    if ((number[0] & 0x80) != 0) number.insert(0, 1, '\0');
    body += '\x02';
    body += static_cast<char>(number.size());
    body += number;
  }
  return std::string("\x30") + static_cast<char>(body.size()) + body;
}

TEST(P256, VerifiesTheSignaturesOfRfc6979) {
  const auto key = P256PublicKey::from_spki_der(rfc_spki());
  ASSERT_TRUE(key);
  const std::string sample =
      der("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
          "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8");
  const std::string test = der("F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
                               "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083");
  EXPECT_TRUE(key->verifies("sample", sample));
  EXPECT_TRUE(key->verifies("test", test));
  EXPECT_FALSE(key->verifies("sample", test));
  EXPECT_FALSE(key->verifies("sample", sample + '\0'));
  EXPECT_FALSE(key->verifies("sample", ""));
}

TEST(P256, VerifiesWhatItSignedAndNothingElse) {
  const auto key = P256PrivateKey::generate();
  const std::string signature = key.sign("message");
  EXPECT_LE(signature.size(), 72U);
  EXPECT_TRUE(key.public_key().verifies("message", signature));
  EXPECT_FALSE(key.public_key().verifies("messagf", signature));
  EXPECT_FALSE(P256PrivateKey::generate().public_key().verifies("message", signature));
  for (std::size_t i = 0; i < signature.size(); ++i) {
    std::string changed = signature;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_FALSE(key.public_key().verifies("message", changed)) << "byte " << i;
  }
}

TEST(P256, KeysSurviveTheirEncodedForms) {
  const auto key = P256PrivateKey::generate();
  for (const Secret& given : {Secret(), Secret("correct horse")}) {
    const auto again = P256PrivateKey::from_pem(key.pem(given).reveal(), given);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->public_key(), key.public_key());
    EXPECT_TRUE(key.public_key().verifies("m", again->sign("m")));
  }
  EXPECT_EQ(*P256PublicKey::from_spki_der(key.public_key().spki_der()), key.public_key());
  EXPECT_EQ(*P256PublicKey::from_spki_pem(key.public_key().spki_pem()), key.public_key());
  EXPECT_EQ(P256PublicKey::from_spki_der(rfc_spki())->spki_der(), rfc_spki());
}

TEST(P256, RefusesKeysThatAreNotItsOwn) {
  std::string off_curve = rfc_spki();
  off_curve.back() = static_cast<char>(off_curve.back() ^ 1);
  const std::string p384 =
      "-----BEGIN PUBLIC KEY-----\n"
      "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEqofKIr6LBTeOscce8yCtdG4dO2KLp5uYWfdB4IJUKjhVAvJdv1UpbDpUXjhy"
      "dgq3\n"
      "NhfeSpYmLG9dnpi/kpLcKfj0Hb0omhR86doxE7XwuMAKYLHOHX6BnXpDHXyQ6g5f\n"
      "-----END PUBLIC KEY-----\n";
  Bytes32 seed{};
  const auto ed25519 = Ed25519PrivateKey::from_seed(seed);
  EXPECT_EQ(P256PublicKey::from_spki_der(off_curve).error().code, Code::kInvalidArgument);
  EXPECT_EQ(P256PublicKey::from_spki_der(rfc_spki() + "x").error().code, Code::kInvalidArgument);
  EXPECT_EQ(P256PublicKey::from_spki_der("").error().code, Code::kInvalidArgument);
  EXPECT_EQ(P256PublicKey::from_spki_pem(p384).error().code, Code::kInvalidArgument);
  EXPECT_EQ(P256PublicKey::from_spki_pem(ed25519.public_key().spki_pem()).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(P256PrivateKey::from_pem(ed25519.pem().reveal()).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace avow::crypto
