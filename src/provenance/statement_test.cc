// SPDX-License-Identifier: Apache-2.0
#include "provenance/statement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "json/write.h"
#include "provenance/log_for_tests.h"

namespace avow::provenance {
namespace {

constexpr std::string_view kFinished =
    R"({"agent":"0192f0c1-7a3b-7c4d-8000-000000300000",)"
    R"("completed_at":"2026-11-21T20:59:05.000Z","created_at":"2026-11-21T20:59:00.000Z",)"
    R"("events":5,"id":"0192f0c1-7a3b-7c4d-8000-000000100000",)"
    R"("nonce":"0606060606060606060606060606060606060606060606060606060606060606",)"
    R"("plan":"0707070707070707070707070707070707070707070707070707070707070707",)"
    R"("prev":"0505050505050505050505050505050505050505050505050505050505050505",)"
    R"("root":"0808080808080808080808080808080808080808080808080808080808080808",)"
    R"("started_at":"2026-11-21T20:59:01.000Z","status":"completed",)"
    R"("tenant":"0192f0c1-7a3b-7c4d-8000-000000200000","tenant_seq":2,"type":"run.finished","v":1,)"
    R"("workflow_digest":"0909090909090909090909090909090909090909090909090909090909090909"})";

Statement common(StatementType type) {
  Statement s;
  s.type = type;
  s.tenant = TenantId{test_id(2)};
  s.id = test_id(1);
  s.tenant_seq = 2;
  s.prev = filled(5);
  s.created_at = test_time(0);
  s.nonce = filled(6);
  return s;
}

Statement finished() {
  Statement s = common(StatementType::kRunFinished);
  s.status = "completed";
  s.workflow_digest = filled(9);
  s.plan = filled(7);
  s.agent = AgentId{test_id(3)};
  s.events = 5;
  s.root = filled(8);
  s.started_at = test_time(1);
  s.completed_at = test_time(5);
  return s;
}

Statement about_keys(StatementType type) {
  Statement s = common(type);
  s.tenant = {};
  if (type == StatementType::kLogGenesis) {
    s.tenant_seq = 1;
    s.prev.reset();
    s.old_head = {"old.example.com", 17, filled(4)};
  }
  s.origin = kTestOrigin;
  const auto key = crypto::Ed25519PrivateKey::from_seed(filled(1));
  s.log_keys = {
      merkle::VerifierKey::ed25519(s.origin, merkle::SignatureType::kEd25519, key.public_key())};
  s.keys = {{0, 17, "old key"}, {17, {}, "new key"}};
  sign_keys(s, {&key, 1});
  return s;
}

/// One of each type, with every member that it may have.
std::vector<Statement> all_kinds() {
  std::vector<Statement> all = {about_keys(StatementType::kLogGenesis),
                                about_keys(StatementType::kKeyRotated), finished()};
  for (const auto type : {StatementType::kRunOpen, StatementType::kRunProgress}) {
    Statement s = finished();
    s.type = type;
    s.status = "running";
    s.completed_at.reset();
    all.push_back(s);
  }
  Statement published = common(StatementType::kWorkflowPublished);
  published.actor = "key:1";
  published.version = "1.2.0";
  published.workflow_digest = filled(9);
  all.push_back(published);
  Statement agent = common(StatementType::kAgentChanged);
  agent.status = "suspended";
  agent.change = "suspended";
  agent.record = filled(3);
  all.push_back(agent);
  Statement admin = common(StatementType::kAdminChanged);
  admin.subject = "api_key";
  admin.change = "created";
  admin.actor = "key:1";
  admin.record = filled(3);
  all.push_back(admin);
  Statement erased = common(StatementType::kContentErased);
  erased.erased = {{RunId{test_id(1)}, 3, "output"}, {RunId{test_id(4)}, 0, {}}};
  erased.reason = filled(3);
  all.push_back(erased);
  Statement retired = common(StatementType::kJournalRetired);
  retired.events = 5;
  retired.root = filled(8);
  all.push_back(retired);
  return all;
}

std::string with(std::string text, std::string_view what, std::string_view instead) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), instead);
}

TEST(Statement, IsWrittenCanonically) { EXPECT_EQ(encode(finished()), kFinished); }

TEST(Statement, OfEveryTypeComesBackFromItsBytes) {
  std::vector<std::string_view> names;
  for (const Statement& statement : all_kinds()) {
    const std::string bytes = encode(statement);
    const auto back = decode_statement(bytes);
    ASSERT_TRUE(back) << back.error().message << " " << bytes;
    EXPECT_EQ(back->type, statement.type);
    EXPECT_EQ(back->erased, statement.erased);
    EXPECT_EQ(back->keys, statement.keys);
    EXPECT_EQ(back->old_head, statement.old_head);
    EXPECT_EQ(back->log_keys, statement.log_keys);
    EXPECT_EQ(back->signatures, statement.signatures);
    EXPECT_EQ(encode(*back), bytes);
    names.push_back(statement_type_name(statement.type));
  }
  std::ranges::sort(names);
  EXPECT_EQ(std::ranges::unique(names).begin(), names.end());
  EXPECT_EQ(names.size(), 10U);
}

// Every member of every type is taken out in turn: what is left is refused, or it is one of the
// members that may be absent.
TEST(Statement, WithoutOneOfItsMembersIsCorruptUnlessThatMayBeAbsent) {
  const std::vector<std::string_view> optional = {"agent",  "workflow_digest", "actor",
                                                  "record", "reason",          "old_head"};
  for (const Statement& statement : all_kinds()) {
    const json::Value whole = *json::parse(encode(statement));
    for (const auto& member : whole.as_object()) {
      json::Value part = whole;
      part.mutable_object().erase(member.key);
      const auto decoded = decode_statement(json::write_canonical(part));
      const bool is_optional =
          std::ranges::find(optional, member.key) != optional.end() &&
          !(statement.type == StatementType::kWorkflowPublished && member.key == "workflow_digest");
      EXPECT_EQ(decoded.has_value(), is_optional)
          << statement_type_name(statement.type) << " without " << member.key;
    }
  }
}

TEST(Statement, WithAMemberOfAnotherTypeIsCorrupt) {
  const auto all = all_kinds();
  for (const Statement& statement : all) {
    const json::Value whole = *json::parse(encode(statement));
    for (const Statement& other : all) {
      const json::Value others = *json::parse(encode(other));
      for (const auto& member : others.as_object()) {
        if (whole.find(member.key) != nullptr) continue;
        json::Value more = whole;
        more.set(member.key, member.value);
        // Two that these types may have, though not all_kinds() gives them both.
        const bool may = member.key == "actor" && statement.type != StatementType::kRunFinished &&
                         statement.type != StatementType::kRunOpen &&
                         statement.type != StatementType::kRunProgress &&
                         statement.type != StatementType::kLogGenesis &&
                         statement.type != StatementType::kJournalRetired;
        EXPECT_EQ(decode_statement(json::write_canonical(more)).has_value(), may)
            << statement_type_name(statement.type) << " with " << member.key;
      }
    }
  }
}

TEST(Statement, WithAnythingWrongOrMoreIsCorrupt) {
  const std::string good(kFinished);
  const std::string erased = encode(all_kinds()[8]);
  const std::string genesis = encode(all_kinds()[0]);
  const std::vector<std::string> bad = {
      "",
      "[]",
      "{}",
      good + "\n",
      with(good, "\"v\":1", "\"v\":0"),
      with(good, "\"v\":1", "\"v\":1,\"w\":1"),
      with(good, "run.finished", "run.ended"),
      with(good, "\"completed\"", "\"running\""),
      with(good, "\"completed\"", "\"\""),
      with(good, "\"events\":5", "\"events\":0"),
      with(good, "\"events\":5", "\"events\":-5"),
      with(good, "\"events\":5", "\"events\":1048576"),
      with(good, "\"events\":5", "\"events\":\"5\""),
      with(good, "\"tenant_seq\":2", "\"tenant_seq\":1"),  // the first one has no prev
      with(good, "\"tenant_seq\":2", "\"tenant_seq\":0"),
      with(good, "000000100000", "000000100001"),  // there is no room for a seq in this id
      with(good, "0707", "07"),
      with(good, "0707", "0x07"),
      with(good, "59:05.000Z", "59:65.000Z"),
      with(good, "\"run.finished\"", "null"),
      with(erased, "\"seq\":3", "\"seq\":0"),
      with(erased, "\"member\":\"output\",", ""),
      with(erased, "000000400000", "000000000000"),  // not in ascending order
      with(genesis, "\"to\":17", "\"to\":0"),
      with(genesis, "\"from\":17", "\"from\":-1"),
      with(genesis, "\"log.example.com\"", "\"log.example.org\""),  // the keys are another log's
      with(genesis, "\"signatures\":[", "\"signatures\":[\"AAAA\","),
      with(genesis, "00000000-0000-0000-0000-000000000000", "0192f0c1-7a3b-7c4d-8000-000000200000"),
  };
  for (const std::string& text : bad) {
    const auto decoded = decode_statement(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, Code::kCorruption) << text;
  }
}

TEST(Statement, InAnotherSpellingIsCorrupt) {
  const std::string good(kFinished);
  for (const std::string& text : {
           with(good, "\"events\":5", "\"events\": 5"),
           with(good, "\"events\":5", "\"events\":5.0"),
           with(good, "59:05.000Z", "59:05Z"),
           with(good, "0192f0c1", "0192F0C1"),
           with(good, "completed\"", "complete\\u0064\""),
           with(good, R"("events":5,"id")", R"("id")") + ",\"events\":5",
           with(encode(all_kinds()[5]), "\"key:1\"", "\"key\\u003a1\""),
       }) {
    ASSERT_FALSE(decode_statement(text)) << text;
    EXPECT_EQ(decode_statement(text).error().code, Code::kCorruption) << text;
  }
}

TEST(Statement, OfANewerVersionIsNotGuessedAt) {
  EXPECT_EQ(decode_statement(with(std::string(kFinished), "\"v\":1", "\"v\":2")).error().code,
            Code::kUnavailable);
}

TEST(StatementOfKeys, IsSignedByEachLogKeyOverTheRest) {
  Statement s = about_keys(StatementType::kKeyRotated);
  const auto first = crypto::Ed25519PrivateKey::from_seed(filled(1));
  const auto second = crypto::Ed25519PrivateKey::from_seed(filled(2));
  s.log_keys.push_back(
      merkle::VerifierKey::ed25519(s.origin, merkle::SignatureType::kEd25519, second.public_key()));
  EXPECT_FALSE(has_valid_signatures(s));
  sign_keys(s, std::vector{first, second});
  EXPECT_TRUE(has_valid_signatures(s));
  EXPECT_EQ(signed_part(s).find("signatures"), std::string::npos);
  EXPECT_EQ(signed_part(s).find('\n'), std::string::npos);
  Statement changed = s;
  changed.keys[0].to = 18;
  EXPECT_FALSE(has_valid_signatures(changed));
  changed = s;
  std::swap(changed.signatures[0], changed.signatures[1]);
  EXPECT_FALSE(has_valid_signatures(changed));
}

TEST(StatementOfKeys, NamesAKeyOnlyForItsIndexes) {
  const Statement s = about_keys(StatementType::kKeyRotated);
  EXPECT_TRUE(names_key(s, "old key", 0));
  EXPECT_TRUE(names_key(s, "old key", 16));
  EXPECT_FALSE(names_key(s, "old key", 17));
  EXPECT_FALSE(names_key(s, "new key", 16));
  EXPECT_TRUE(names_key(s, "new key", 17));
  EXPECT_TRUE(names_key(s, "new key", ~std::uint64_t{0}));
  EXPECT_FALSE(names_key(s, "", 0));
}

}  // namespace
}  // namespace avow::provenance
