// SPDX-License-Identifier: Apache-2.0
#include "merkle/tlog_proof.h"

#include <gtest/gtest.h>

#include "base/rng.h"
#include "merkle/checkpoint.h"
#include "merkle/inclusion.h"
#include "merkle/recursive_tree.h"

namespace avow::merkle {
namespace {

crypto::Ed25519PrivateKey log_key() { return crypto::Ed25519PrivateKey::from_seed(Bytes32{7}); }

const std::vector<std::string>& entries() {
  static const auto kEntries = oracle::entries(21);
  return kEntries;
}

TlogProof proof_of(std::size_t index) {
  const Checkpoint checkpoint{"log.example", entries().size(), oracle::root(entries())};
  const std::string text = checkpoint.text();
  return {std::nullopt,
          index,
          oracle::path(index, entries()),
          {text, {sign_note(text, "log.example", log_key())}}};
}

/// Everything that a reader of a proof does.
bool proves(std::string_view text, std::string_view entry) {
  const auto proof = TlogProof::parse(text);
  if (!proof) return false;
  EXPECT_EQ(proof->format(), text);
  const auto key =
      VerifierKey::ed25519("log.example", SignatureType::kEd25519, log_key().public_key());
  if (!verify_note(proof->checkpoint, std::vector{key})) return false;
  const auto checkpoint = Checkpoint::parse(proof->checkpoint.text);
  return checkpoint && checkpoint->origin == key.name &&
         verify_inclusion(hash_leaf(entry), {proof->index, checkpoint->size, proof->siblings},
                          checkpoint->root)
             .has_value();
}

TEST(TlogProof, IsWrittenLineByLineAsC2spSays) {
  TlogProof proof = proof_of(20);
  ASSERT_EQ(proof.siblings.size(), 2U);
  const std::string hashes =
      to_base64(view_of(proof.siblings[0])) + "\n" + to_base64(view_of(proof.siblings[1])) + "\n";
  EXPECT_EQ(proof.format(),
            "c2sp.org/tlog-proof@v1\nindex 20\n" + hashes + "\n" + proof.checkpoint.format());
  proof.extra = "extra information";
  EXPECT_EQ(proof.format(), "c2sp.org/tlog-proof@v1\nextra ZXh0cmEgaW5mb3JtYXRpb24=\nindex 20\n" +
                                hashes + "\n" + proof.checkpoint.format());
}

TEST(TlogProof, ProvesEachEntryAndNoOther) {
  for (std::size_t i = 0; i < entries().size(); ++i) {
    const std::string text = proof_of(i).format();
    for (std::size_t other = 0; other < entries().size(); ++other) {
      EXPECT_EQ(proves(text, entries()[other]), other == i) << i << " for " << other;
    }
  }
}

TEST(TlogProof, MayHaveNoHashesAndAnyExtraBytes) {
  TlogProof proof = proof_of(3);
  proof.siblings.clear();
  for (const std::string& extra : {std::string(), std::string("\0\n\xFF", 3)}) {
    proof.extra = extra;
    const auto read = TlogProof::parse(proof.format());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, proof);
  }
}

TEST(TlogProof, OfAnotherFormIsRefused) {
  const std::string header = "c2sp.org/tlog-proof@v1\n";
  const std::string hash = to_base64(view_of(empty_root())) + "\n";
  const std::string note = proof_of(0).checkpoint.format();
  std::string many;
  for (int i = 0; i < 64; ++i) many += hash;
  EXPECT_TRUE(TlogProof::parse(header + "index 0\n" + many + "\n" + note));
  const std::vector<std::string> malformed = {
      std::string(),
      header,
      "wrong-header\nindex 0\n\n" + note,
      "c2sp.org/tlog-proof@v2\nindex 0\n\n" + note,
      " " + header + "index 0\n\n" + note,
      header + "\n" + note,
      header + hash + "\n" + note,
      header + "index\n\n" + note,
      header + "index \n\n" + note,
      header + "index -5\n\n" + note,
      header + "index 05\n\n" + note,
      header + "index  5\n\n" + note,
      header + "index 5 \n\n" + note,
      header + "Index 5\n\n" + note,
      header + "index notanumber\n\n" + note,
      header + "index 18446744073709551616\n\n" + note,
      header + "index 0\nindex 0\n\n" + note,
      header + "index 0\nextra QQ==\n\n" + note,
      header + "extra QQ==\nextra QQ==\nindex 0\n\n" + note,
      header + "extra !!notbase64!!\nindex 0\n\n" + note,
      header + "extra\nindex 0\n\n" + note,
      header + "extra QQ==\n\n" + note,
      header + "index 0\n!!notbase64!!\n\n" + note,
      header + "index 0\nQQ==\n\n" + note,
      header + "index 0\n" + hash + note,
      header + "index 0\n" + many + hash + "\n" + note,
      header + "index 0\n\n",
      header + "index 0\n\n\n" + note.substr(0, 5),
      header + "index 0\r\n\r\n" + note,
      header + "index 0\n\n" + note + "x",
      header + "index 0",
      header + "extra " + std::string(kTlogProofBytesMax, 'A') + "\nindex 0\n\n" + note,
  };
  for (const std::string& bad : malformed) {
    const auto refused = TlogProof::parse(bad);
    ASSERT_FALSE(refused) << bad.substr(0, 400);
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

TEST(TlogProof, ThatWasMutatedProvesNothingElse) {
  const std::string good = proof_of(13).format();
  SeededRng rng(1300);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    const std::size_t at = rng.below(bytes.size());
    switch (rng.below(3)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        bytes.erase(at, rng.below(60) + 1);
        break;
      default:
        bytes.insert(at, good.substr(rng.below(good.size()), rng.below(60) + 1));
        break;
    }
    // One thing may change and be sound: a repeated signature line says the same twice.
    if (bytes != good && bytes.starts_with(good)) continue;
    EXPECT_EQ(proves(bytes, entries()[13]), bytes == good) << bytes;
  }
}

}  // namespace
}  // namespace avow::merkle
