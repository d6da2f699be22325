// SPDX-License-Identifier: Apache-2.0
#include "provenance/entry.h"

#include <gtest/gtest.h>

#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::provenance {
namespace {

constexpr std::string_view kStatement = "a statement";

TEST(Entry, IsTheCanonicalJsonOfAHashedrekord) {
  Entry entry;
  entry.digest = crypto::sha256("");
  entry.signature = "signature";
  entry.public_key = "key";
  EXPECT_EQ(encode(entry),
            R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":)"
            R"({"algorithm":"SHA2_256","digest":"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},)"
            R"("signature":{"content":"c2lnbmF0dXJl","verifier":{"keyDetails":)"
            R"("PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"a2V5"}}}}}})");
  EXPECT_EQ(json::write_canonical(*json::parse(encode(entry))), encode(entry));
}

TEST(Entry, OfAStatementHoldsItsDigestAndASignatureOverItsBytes) {
  const auto key = crypto::P256PrivateKey::generate();
  const Entry entry = make_entry(kStatement, key);
  EXPECT_EQ(entry.digest, crypto::sha256(kStatement));
  const auto public_key = crypto::P256PublicKey::from_spki_der(entry.public_key);
  ASSERT_TRUE(public_key);
  EXPECT_EQ(*public_key, key.public_key());
  EXPECT_TRUE(public_key->verifies(kStatement, entry.signature));
  const auto back = decode_entry(encode(entry));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, entry);
}

TEST(Entry, CutAnywhereOrLengthenedIsCorrupt) {
  const std::string good = encode(make_entry(kStatement, crypto::P256PrivateKey::generate()));
  for (std::size_t size = 0; size < good.size(); ++size) {
    const auto cut = decode_entry(std::string_view(good).substr(0, size));
    ASSERT_FALSE(cut) << size;
    EXPECT_EQ(cut.error().code, Code::kCorruption);
  }
  EXPECT_FALSE(decode_entry(good + "\n"));
}

TEST(Entry, WithAnyOtherByteIsCorruptOrAnotherEntry) {
  const Entry entry = make_entry(kStatement, crypto::P256PrivateKey::generate());
  const std::string good = encode(entry);
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const char c : {'A', '"', '=', ' ', '\0', '}'}) {
      if (good[at] == c) continue;
      std::string bad = good;
      bad[at] = c;
      const auto decoded = decode_entry(bad);
      if (!decoded) continue;
      EXPECT_NE(*decoded, entry) << "byte " << at;
      EXPECT_EQ(encode(*decoded), bad) << "byte " << at;
    }
  }
}

TEST(Entry, WithoutOneOfItsValuesIsCorrupt) {
  for (const int missing : {0, 1, 2}) {
    Entry entry{crypto::sha256(""), missing == 0 ? "" : "s", missing == 1 ? "" : "k"};
    std::string bytes = encode(entry);
    if (missing == 2) bytes.replace(bytes.find("47DE"), 44, "47DE");
    EXPECT_FALSE(decode_entry(bytes)) << missing;
  }
}

}  // namespace
}  // namespace avow::provenance
