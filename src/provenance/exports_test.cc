// SPDX-License-Identifier: Apache-2.0
#include "provenance/exports.h"

#include <gtest/gtest.h>

#include "merkle/inclusion.h"
#include "merkle/tlog_proof.h"
#include "provenance/exports/cbor.h"
#include "provenance/log_for_tests.h"

namespace avow::provenance {
namespace {

class Exports : public ::testing::Test {
 protected:
  Exports() {
    at_ = log_.add(encode(run_.statement()));
    log_.add(encode(run_.statement(StatementType::kRunOpen)));  // so that paths have two hashes
    receipt_ = log_.receipt(at_, 3);
  }
  LogSigner signer() {
    return [this](std::string_view bytes) {
      signed_ = bytes;
      return log_.log_key.sign(bytes);
    };
  }

  TestLog log_;
  TestRun run_;
  std::uint64_t at_ = 0;
  Receipt receipt_;
  std::string signed_;
};

TEST_F(Exports, AsTlogProofLeadFromTheEntryToTheCheckpoint) {
  const auto text = tlog_proof_of(receipt_);
  ASSERT_TRUE(text);
  const auto proof = merkle::TlogProof::parse(*text);
  ASSERT_TRUE(proof) << proof.error().message;
  const auto head = merkle::Checkpoint::parse(proof->checkpoint.text);
  ASSERT_TRUE(head);
  EXPECT_TRUE(merkle::verify_inclusion(merkle::hash_leaf(log_.entries[at_]),
                                       {proof->index, head->size, proof->siblings}, head->root));
  EXPECT_EQ(proof->checkpoint.format(), receipt_.checkpoint);
}

TEST_F(Exports, RefuseACheckpointThatCannotBeRead) {
  receipt_.checkpoint = "nothing";
  EXPECT_EQ(tlog_proof_of(receipt_).error().code, Code::kInvalidArgument);
  EXPECT_EQ(sigstore_bundle(receipt_).error().code, Code::kInvalidArgument);
  EXPECT_EQ(cose_receipt(receipt_, kTestOrigin, signer()).error().code, Code::kInvalidArgument);
}

/// base64 of a member of `value` at a path of names.
std::string bytes_at(const json::Value& value, std::initializer_list<std::string_view> path) {
  const json::Value* at = &value;
  for (const std::string_view name : path) {
    at = at->is_array() ? &at->as_array().front() : at->find(name);
    if (at == nullptr) return "no " + std::string(name);
  }
  return *from_base64(at->as_string());
}

TEST_F(Exports, AsSigstoreBundleHoldTheSignatureAndTheProofOfTheStatement) {
  const auto bundle = json::parse(*sigstore_bundle(receipt_));
  ASSERT_TRUE(bundle);
  EXPECT_EQ(bundle->string_or("mediaType"), "application/vnd.dev.sigstore.bundle.v0.3+json");
  const std::string& statement = receipt_.statement.statement;
  EXPECT_EQ(bytes_at(*bundle, {"messageSignature", "messageDigest", "digest"}),
            view_of(crypto::sha256(statement)));
  EXPECT_TRUE(log_.statement_key.public_key().verifies(
      statement, bytes_at(*bundle, {"messageSignature", "signature"})));
  EXPECT_EQ(bytes_at(*bundle, {"verificationMaterial", "publicKey", "hint"}),
            view_of(crypto::sha256(log_.statement_key.public_key().spki_der())));

  const json::Value& entry =
      bundle->find("verificationMaterial")->find("tlogEntries")->as_array().at(0);
  EXPECT_EQ(bytes_at(entry, {"canonicalizedBody"}), log_.entries[at_]);
  EXPECT_EQ(entry.string_or("logIndex"), "1");
  const json::Value& proof = *entry.find("inclusionProof");
  EXPECT_EQ(proof.string_or("logIndex"), "1");
  EXPECT_EQ(proof.string_or("treeSize"), "3");
  EXPECT_EQ(proof.find("hashes")->as_array().size(), 2U);
  EXPECT_EQ(bytes_at(proof, {"rootHash"}), view_of(merkle::oracle::root(log_.entries)));
  EXPECT_EQ(proof.find("checkpoint")->string_or("envelope"), receipt_.checkpoint);
}

TEST_F(Exports, AsSigstoreBundleNameTheLogAsItsTrustedRootDoes) {
  const auto bundle = json::parse(*sigstore_bundle(receipt_));
  const merkle::VerifierKey key = log_.log_vkey();
  const auto root = json::parse(trusted_root({&key, 1}, test_time(0)));
  ASSERT_TRUE(root);
  const json::Value& log = root->find("tlogs")->as_array().at(0);
  const std::string id = bytes_at(log, {"logId", "keyId"});
  EXPECT_EQ(id.size(), 32U);
  EXPECT_EQ(to_hex(id.substr(0, 4)), fmt::format("{:08x}", key.id)) << "the note's key id";
  EXPECT_EQ(bytes_at(*bundle, {"verificationMaterial", "tlogEntries", "", "logId", "keyId"}), id);
  EXPECT_EQ(log.string_or("baseUrl"), "https://log.example.com");
  const std::string spki = "-----BEGIN PUBLIC KEY-----\n" +
                           log.find("publicKey")->string_or("rawBytes") +
                           "\n-----END PUBLIC KEY-----\n";
  EXPECT_EQ(spki, log_.log_key.public_key().spki_pem()) << "libcrypto's encoding of the key";
  EXPECT_EQ(log.find("publicKey")->find("validFor")->string_or("start"),
            "2026-11-21T20:59:00.000Z");
}

TEST_F(Exports, AsSigstoreBundleNeedASignatureOfTheLog) {
  auto note = *merkle::Note::parse(receipt_.checkpoint);
  note.signatures.erase(note.signatures.begin());
  receipt_.checkpoint = note.format();
  EXPECT_EQ(sigstore_bundle(receipt_).error().code, Code::kInvalidArgument);
}

// The oracle of the next test: the bytes of RFC 9942's structures put together by hand.
TEST_F(Exports, AsCoseReceiptSignTheRootWithThePathBesideIt) {
  const auto receipt = cose_receipt(receipt_, kTestOrigin, signer());
  ASSERT_TRUE(receipt);
  const std::string subject = "rcpt_" + receipt_.id.ulid();  // 31 characters
  ASSERT_EQ(subject.size(), 31U);
  const std::string header = std::string("\xA3\x01\x27\x0F\xA2\x01\x6F", 7) +
                             std::string(kTestOrigin) + std::string("\x02\x78\x1F", 3) + subject +
                             std::string("\x19\x01\x8B\x01", 4);
  const auto path = merkle::oracle::path(at_, log_.entries);
  ASSERT_EQ(path.size(), 2U);
  const std::string proof = std::string("\x83\x03\x01\x82", 4) + "\x58\x20" +
                            std::string(view_of(path[0])) + "\x58\x20" +
                            std::string(view_of(path[1]));
  const auto root = merkle::oracle::root(log_.entries);
  const std::string to_sign = "\x84\x6ASignature1\x58" +
                              std::string(1, static_cast<char>(header.size())) + header +
                              "\x40\x58\x20" + std::string(view_of(root));
  EXPECT_EQ(to_hex(signed_), to_hex(to_sign));
  const std::string before = "\xD2\x84\x58" + std::string(1, static_cast<char>(header.size())) +
                             header + std::string("\xA1\x19\x01\x8C\xA1\x20\x81\x58", 8) +
                             std::string(1, static_cast<char>(proof.size())) + proof +
                             "\xF6\x58\x40";
  ASSERT_EQ(receipt->size(), before.size() + 64);
  EXPECT_EQ(to_hex(receipt->substr(0, before.size())), to_hex(before));
  EXPECT_TRUE(log_.log_key.public_key().verifies(to_sign, receipt->substr(before.size())));
}

// Numbers and lengths from RFC 8949, appendix A.
TEST(Cbor, WritesTheShortestHeads) {
  const auto hex_of = [](std::uint64_t n) {
    CborWriter writer;
    return to_hex(writer.unsigned_number(n).str());
  };
  EXPECT_EQ(hex_of(0), "00");
  EXPECT_EQ(hex_of(23), "17");
  EXPECT_EQ(hex_of(24), "1818");
  EXPECT_EQ(hex_of(255), "18ff");
  EXPECT_EQ(hex_of(256), "190100");
  EXPECT_EQ(hex_of(65536), "1a00010000");
  EXPECT_EQ(hex_of(1000000), "1a000f4240");
  EXPECT_EQ(hex_of(1000000000000), "1b000000e8d4a51000");
  EXPECT_EQ(hex_of(18446744073709551615U), "1bffffffffffffffff");
  CborWriter writer;
  writer.number(-1).number(-100).number(-1000).bytes("\x01\x02").text("ü").tag(18).null();
  EXPECT_EQ(to_hex(writer.str()), "2038633903e742010262c3bcd2f6");
}

}  // namespace
}  // namespace avow::provenance
