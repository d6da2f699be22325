// SPDX-License-Identifier: Apache-2.0
#include "merkle/note.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/rng.h"

namespace avow::merkle {
namespace {

// The keys and the note of golang.org/x/mod/sumdb/note.
constexpr std::string_view kPeter =
    "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
constexpr std::string_view kEnoch =
    "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
constexpr std::string_view kPeterSeed = "gQoUAtUUbI2E8kQzMPVAgOv5juF9nHT2JS/F1ccoMXM=";
const std::string kText =
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n";
const std::string kPeterLine =
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6K"
    "E6RyyBwJnAM=\n";
const std::string kEnochLine =
    "— EnochRoot "
    "rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd"
    "1RvMc+QQ=\n";

VerifierKey key(std::string_view vkey) { return *VerifierKey::parse(vkey); }

crypto::Ed25519PrivateKey private_key(std::string_view seed) {
  Bytes32 bytes{};
  std::copy_n(seed.begin(), bytes.size(), bytes.begin());
  return crypto::Ed25519PrivateKey::from_seed(bytes);
}

/// The seed 01 02 ... 20, with which Go's crypto/ed25519 made the cosignature below.
crypto::Ed25519PrivateKey counting_key() {
  std::string seed;
  for (char c = 1; c <= 32; ++c) seed += c;
  return private_key(seed);
}
const std::string kCheckpoint =
    "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
constexpr std::string_view kWitness =
    "witness.example.com/w1+8561c71e+BHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";
const std::string kWitnessLine =
    "— witness.example.com/w1 "
    "hWHHHgAAAABkGFDLQB2dbiQ7rPMIDjq/twq5Ixt42T+awjiYS4+fxrnLnI31x5abVjZlhDV"
    "vZAcRRLyAiG4oQlhTgi4DsxiPwiDaDg==\n";

Code code_of(const Note& note, std::vector<VerifierKey> keys) {
  const auto verified = verify_note(note, keys);
  EXPECT_FALSE(verified);
  return verified ? Code::kInternal : verified.error().code;
}

TEST(VerifierKey, IsReadAndWrittenAsOthersWriteIt) {
  for (const std::string_view vkey :
       {kPeter, kEnoch, kWitness,
        std::string_view("geomys.org/witness/test-log+c0787ff4+AeMb5VOzy60PTGdGmLPxOKGAa0jNyDGsgv2"
                         "rnprGju1t"),
        std::string_view("witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55"
                         "dSZReusH/GhUhJ/G")}) {
    const auto read = VerifierKey::parse(vkey);
    ASSERT_TRUE(read) << vkey;
    EXPECT_EQ(read->text(), vkey);
  }
  EXPECT_EQ(key(kPeter).name, "PeterNeumann");
  EXPECT_EQ(key(kPeter).id, 0xc74f20a3U);
  EXPECT_EQ(key(kPeter).type, SignatureType::kEd25519);
  EXPECT_EQ(key(kWitness).type, SignatureType::kCosignature);
  EXPECT_EQ(VerifierKey::ed25519("PeterNeumann", SignatureType::kEd25519,
                                 private_key(*from_base64(kPeterSeed)).public_key()),
            key(kPeter));
}

TEST(VerifierKey, IsRefusedWhenCutOrWithAnyCharacterChanged) {
  for (const std::string_view vkey : {kPeter, kWitness}) {
    for (std::size_t begin = 0; begin <= vkey.size(); ++begin) {
      for (std::size_t size = 0; size <= vkey.size() - begin; ++size) {
        if (size == vkey.size()) continue;
        EXPECT_FALSE(VerifierKey::parse(vkey.substr(begin, size))) << vkey.substr(begin, size);
      }
    }
    for (std::size_t at = 0; at < vkey.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string changed(vkey);
        changed[at] = static_cast<char>(byte);
        if (changed == vkey) continue;
        EXPECT_FALSE(VerifierKey::parse(changed)) << changed;
      }
    }
  }
  // A key of the wrong length under its right id, from Go's tests; an id in upper case.
  EXPECT_FALSE(VerifierKey::parse(
      "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="));
  EXPECT_FALSE(
      VerifierKey::parse("PeterNeumann+C74F20A3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"));
}

TEST(VerifierKey, OfAnUnknownTypeIsKeptAndVerifiesNothing) {
  // From Go's tests: type 0x65 under its right id.
  constexpr std::string_view kUnknown =
      "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const auto unknown = VerifierKey::parse(kUnknown);
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->text(), kUnknown);
  Note note{kText, {{unknown->name, unknown->id, std::string(64, 's')}}};
  EXPECT_EQ(code_of(note, {*unknown}), Code::kUnauthenticated);
  note.signatures.push_back(
      sign_note(kText, "PeterNeumann", private_key(*from_base64(kPeterSeed))));
  EXPECT_EQ(verify_note(note, std::vector{*unknown, key(kPeter)})->size(), 1U);
}

TEST(KeyName, HasNoSpacesOfAnyKindNoPlusAndNoControlCharacters) {
  for (const char* name :
       {"a", "example.com/log42", "é.example", "oid/1.2.3", "日本", "a\u200Bb"}) {
    EXPECT_TRUE(is_key_name(name)) << name;
  }
  for (const char* name :
       {"",         " ",        "a b",      "a+b",      "a\tb",     "a\nb",     "a\rb",
        "a\vb",     "a\x01",    "a\u0085b", "a\u00A0b", "a\u1680b", "a\u2000b", "a\u200Ab",
        "a\u2028b", "a\u2029b", "a\u202Fb", "a\u205Fb", "\u3000",   "a\xFF",    "a\xC3"}) {
    EXPECT_FALSE(is_key_name(name)) << name;
  }
}

TEST(Note, IsSignedToTheByteAsGoSignsIt) {
  const auto signature = sign_note(kText, "PeterNeumann", private_key(*from_base64(kPeterSeed)));
  EXPECT_EQ((Note{kText, {signature}}).format(), kText + "\n" + kPeterLine);
}

TEST(Note, IsVerifiedUnderTheKeysThatAreKnownAndOthersArePassedOver) {
  const std::string text = kText + "\n" + kPeterLine + kEnochLine;
  const auto note = Note::parse(text);
  ASSERT_TRUE(note);
  EXPECT_EQ(note->text, kText);
  EXPECT_EQ(note->format(), text);
  const auto by_peter = verify_note(*note, std::vector{key(kPeter)});
  ASSERT_TRUE(by_peter);
  ASSERT_EQ(by_peter->size(), 1U);
  EXPECT_EQ(by_peter->front().key, key(kPeter));
  EXPECT_FALSE(by_peter->front().time);
  const auto by_both = verify_note(*note, std::vector{key(kEnoch), key(kPeter)});
  ASSERT_EQ(by_both->size(), 2U);
  EXPECT_EQ(by_both->front().key, key(kPeter)) << "in the order of the lines";
  EXPECT_EQ(code_of(*note, {}), Code::kUnauthenticated);
}

TEST(Note, CountsAKeyOnceHoweverOftenItSigned) {
  const auto note = Note::parse(kText + "\n" + kPeterLine + kPeterLine + kEnochLine);
  EXPECT_EQ(verify_note(*note, std::vector{key(kPeter)})->size(), 1U);
}

TEST(Note, WithAFalseSignatureByAKnownKeyIsRefusedAsAWhole) {
  auto note = *Note::parse(kText + "\n" + kPeterLine + kEnochLine);
  note.signatures[1].bytes[20] ^= 1;
  EXPECT_EQ(code_of(note, {key(kPeter), key(kEnoch)}), Code::kCorruption);
  EXPECT_TRUE(verify_note(note, std::vector{key(kPeter)})) << "what is not known is not judged";
  note.signatures[1].bytes.clear();
  EXPECT_EQ(code_of(note, {key(kEnoch)}), Code::kCorruption);
  // Nor behind a good one of the same key.
  note = *Note::parse(kText + "\n" + kPeterLine + kPeterLine);
  note.signatures[1].bytes += "x";
  EXPECT_EQ(code_of(note, {key(kPeter)}), Code::kCorruption);
}

TEST(Note, ThatSharesOnlyTheNameOrOnlyTheIdWithAKnownKeyIsNotItsOwn) {
  auto note = *Note::parse(kText + "\n" + kPeterLine);
  note.signatures[0].key_id ^= 1;
  EXPECT_EQ(code_of(note, {key(kPeter)}), Code::kUnauthenticated);
  note = *Note::parse(kText + "\n" + kPeterLine);
  note.signatures[0].name = "PeterNeuman";
  EXPECT_EQ(code_of(note, {key(kPeter)}), Code::kUnauthenticated);
}

TEST(Note, MayHaveEmptyLinesInItsText) {
  for (const std::string text : {"\n", "\n\n", "a\n\nb\n", "a\n\n\n", "\na\n"}) {
    const auto signature = sign_note(text, "n", counting_key());
    const Note note{text, {signature}};
    const auto read = Note::parse(note.format());
    ASSERT_TRUE(read);
    EXPECT_EQ(*read, note);
  }
}

TEST(Note, OfAnotherFormIsRefused) {
  const std::string good = kText + "\n" + kPeterLine;
  const std::string base64 = kPeterLine.substr(kPeterLine.rfind(' ') + 1);
  const std::vector<std::string> malformed = {
      std::string(),
      std::string("\n"),
      kText,
      kText + "\n",
      kPeterLine,
      "\n" + kPeterLine,
      good.substr(0, good.size() - 1),
      good + "\n",
      good + "Unexpected line.\n",
      good + "\n\n",
      good + "\n" + "x\n",
      "\x01" + good,
      "\xff" + good,
      "\t" + good,
      "\r\n" + good,
      std::string(1, '\0') + good,
      kText + "\n\xE2\x80\x94PeterNeumann " + base64,
      kText + "\n- PeterNeumann " + base64,
      kText + "\n — PeterNeumann " + base64,
      kText + "\n—  PeterNeumann " + base64,
      kText + "\n— Peter Neumann " + base64,
      kText + "\n— Peter+Neumann " + base64,
      kText + "\n— Peter\u00A0Neumann " + base64,
      kText + "\n— PeterNeumann  " + base64,
      kText + "\n— PeterNeumann\n",
      kText + "\n— PeterNeumann \n",
      kText + "\n— PeterNeumann x08gow==\n",   // an id and nothing behind it
      kText + "\n— PeterNeumann x08go/Y\n",    // no padding
      kText + "\n— PeterNeumann x08go/Z= \n",  // a space behind it
      kText + "\n— PeterNeumann x08go_ZJ\n",   // another alphabet
      kText + "\n— PeterNeumann x08go/Z=\n",   // bits that are not zero
  };
  for (const std::string& bad : malformed) {
    const auto refused = Note::parse(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
  }
}

TEST(Note, HasAtMost64SignaturesAnd256Kibibytes) {
  std::string note = kText + "\n";
  for (std::size_t i = 0; i < kNoteSignaturesMax; ++i) note += kPeterLine;
  EXPECT_EQ(verify_note(*Note::parse(note), std::vector{key(kPeter)})->size(), 1U);
  EXPECT_EQ(Note::parse(note + kPeterLine).error().code, Code::kInvalidArgument);
  const std::string behind = "\n\n" + kPeterLine;
  EXPECT_TRUE(Note::parse(std::string(kNoteBytesMax - behind.size(), 'a') + behind));
  EXPECT_FALSE(Note::parse(std::string(kNoteBytesMax - behind.size() + 1, 'a') + behind));
}

TEST(Cosignature, IsThatWhichAnotherProgramMade) {
  const auto signature = cosign_note(kCheckpoint, "witness.example.com/w1", counting_key(),
                                     std::chrono::sys_seconds(std::chrono::seconds(1679315147)));
  EXPECT_EQ(signature.line(), kWitnessLine);
  const auto note = Note::parse(kCheckpoint + "\n" + kWitnessLine);
  const auto verified = verify_note(*note, std::vector{key(kWitness)});
  ASSERT_TRUE(verified);
  ASSERT_EQ(verified->size(), 1U);
  EXPECT_EQ(verified->front().time, std::chrono::sys_seconds(std::chrono::seconds(1679315147)));
}

TEST(Cosignature, HoldsForNoOtherTimeTextOrKind) {
  const Note good = *Note::parse(kCheckpoint + "\n" + kWitnessLine);
  const std::vector keys = {key(kWitness)};
  for (std::size_t at = 0; at < good.signatures[0].bytes.size(); ++at) {
    Note bad = good;
    bad.signatures[0].bytes[at] ^= 1;
    EXPECT_EQ(code_of(bad, keys), Code::kCorruption) << "byte " << at;
    bad.signatures[0].bytes.resize(at);
    EXPECT_EQ(code_of(bad, keys), Code::kCorruption) << "cut at " << at;
  }
  Note bad = good;
  bad.text[0] = 'E';
  EXPECT_EQ(code_of(bad, keys), Code::kCorruption);
  // A plain signature of the same key is no cosignature, nor the other way round.
  bad = good;
  bad.signatures[0].bytes = std::string(8, '\0') + counting_key().sign(kCheckpoint);
  EXPECT_EQ(code_of(bad, keys), Code::kCorruption);
  const auto plain = VerifierKey::ed25519("witness.example.com/w1", SignatureType::kEd25519,
                                          counting_key().public_key());
  bad.signatures[0] = good.signatures[0];
  bad.signatures[0].key_id = plain.id;
  EXPECT_EQ(code_of(bad, {plain}), Code::kCorruption);
  bad.signatures[0].bytes.erase(0, 8);
  EXPECT_EQ(code_of(bad, {plain}), Code::kCorruption);
}

TEST(Cosignature, OfATimeFrom2To63OnIsRefusedThoughItsSignatureIsGood) {
  const std::string time = "\x80" + std::string(7, '\0');
  const std::string signature =
      counting_key().sign("cosignature/v1\ntime 9223372036854775808\n" + kCheckpoint);
  const Note note{kCheckpoint, {{key(kWitness).name, key(kWitness).id, time + signature}}};
  EXPECT_EQ(code_of(note, {key(kWitness)}), Code::kCorruption);
}

TEST(SignatureLines, AreReadWithoutANote) {
  const auto lines = parse_signature_lines(kWitnessLine + kPeterLine);
  ASSERT_TRUE(lines);
  ASSERT_EQ(lines->size(), 2U);
  EXPECT_EQ(lines->front().line(), kWitnessLine);
  for (const std::string& bad : {std::string(), std::string("\n"), "\n" + kPeterLine,
                                 kPeterLine + "\n", kPeterLine.substr(0, kPeterLine.size() - 1)}) {
    EXPECT_EQ(parse_signature_lines(bad).error().code, Code::kInvalidArgument);
  }
}

TEST(Note, ThatWasMutatedIsRefusedOrWrittenTheSameAndHoldsOnlyForTheSameText) {
  const std::string good = kCheckpoint + "\n" + kWitnessLine + kPeterLine;
  const std::vector keys = {key(kWitness)};
  SeededRng rng(404);
  int read = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (std::uint64_t n = rng.below(3) + 1; n > 0; --n) {
      const std::size_t at = rng.below(bytes.size());
      switch (rng.below(4)) {
        case 0:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << rng.below(8)));
          break;
        case 1:
          bytes.erase(at, rng.below(4));
          break;
        case 2:
          bytes.insert(at, 1, "\n A=+"[rng.below(5)]);
          break;
        default:
          bytes.insert(at, good.substr(rng.below(good.size()), rng.below(90)));
          break;
      }
    }
    const auto note = Note::parse(bytes);
    if (!note) continue;
    ++read;
    ASSERT_EQ(note->format(), bytes);
    if (verify_note(*note, keys)) {
      EXPECT_EQ(note->text, kCheckpoint);
    }
  }
  EXPECT_GT(read, 1000);
}

}  // namespace
}  // namespace avow::merkle
