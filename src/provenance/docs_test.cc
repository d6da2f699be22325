// SPDX-License-Identifier: Apache-2.0
// What docs/formats shows must be so. Run from the root of the repository, as CTest does.
#include <gtest/gtest.h>

#include <fstream>
#include <optional>

#include "provenance/entry.h"
#include "provenance/verify.h"

namespace avow::provenance {
namespace {

/// The blocks of a page that are fenced as `kind`.
std::vector<std::string> blocks_of(const std::string& page, const std::string& kind) {
  std::ifstream file("docs/formats/" + page);
  EXPECT_TRUE(file.is_open()) << page << ": run this from the root of the repository";
  std::vector<std::string> blocks;
  bool is_inside = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("```")) {
      is_inside = line == "```" + kind;
      if (is_inside) blocks.emplace_back();
    } else if (is_inside) {
      blocks.back() += (blocks.back().empty() ? "" : "\n") + line;
    }
  }
  return blocks;
}

class Docs : public ::testing::Test {
 protected:
  Docs()
      : statements_(blocks_of("statement.md", "json")),
        entries_(blocks_of("entry.md", "json")),
        receipts_(blocks_of("receipt.md", "json")),
        keys_(blocks_of("receipt.md", "vkey")) {}
  void SetUp() override {
    ASSERT_EQ(statements_.size(), 2U);
    ASSERT_EQ(entries_.size(), 1U);
    ASSERT_EQ(receipts_.size(), 1U);
    ASSERT_EQ(keys_.size(), 1U);
  }

  std::vector<std::string> statements_;
  std::vector<std::string> entries_;
  std::vector<std::string> receipts_;
  std::vector<std::string> keys_;
};

TEST_F(Docs, ShowStatementsThatAreRead) {
  const auto genesis = decode_statement(statements_[0]);
  ASSERT_TRUE(genesis) << genesis.error().message;
  EXPECT_EQ(genesis->type, StatementType::kLogGenesis);
  EXPECT_TRUE(has_valid_signatures(*genesis));
  const auto finished = decode_statement(statements_[1]);
  ASSERT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(finished->type, StatementType::kRunFinished);
  EXPECT_EQ(to_hex(view_of(statement_digest(statements_[1]))),
            "49aa2db7295021a7dbbc10a92e955c2d892952091122df106d2a8ccba8d46973");
}

TEST_F(Docs, ShowTheEntryOfThatStatement) {
  const auto entry = decode_entry(entries_[0]);
  ASSERT_TRUE(entry) << entry.error().message;
  EXPECT_EQ(entry->digest, statement_digest(statements_[1]));
  const auto key = crypto::P256PublicKey::from_spki_der(entry->public_key);
  ASSERT_TRUE(key);
  EXPECT_TRUE(key->verifies(statements_[1], entry->signature));
}

TEST_F(Docs, ShowAReceiptThatIsValid) {
  const auto key = merkle::VerifierKey::parse(keys_[0]);
  ASSERT_TRUE(key) << key.error().message;
  EXPECT_EQ(verify(receipts_[0], {{*key}, {}}).verdict, Verdict::kValid);
  const auto receipt = decode_receipt(receipts_[0]);
  ASSERT_TRUE(receipt);
  EXPECT_EQ(receipt->statement.statement, statements_[1]);
  EXPECT_EQ(receipt->statement.entry, entries_[0]);
  EXPECT_EQ(receipt->keys.statement, statements_[0]);
}

}  // namespace
}  // namespace avow::provenance
