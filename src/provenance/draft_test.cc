// SPDX-License-Identifier: Apache-2.0
#include "provenance/draft.h"

#include <gtest/gtest.h>

#include "provenance/log_for_tests.h"

namespace avow::provenance {
namespace {

/// One of each type that has a draft, with as few members as it may have and with all.
std::vector<Statement> all_kinds() {
  Statement s;
  s.tenant = TenantId{test_id(2)};
  s.id = test_id(1);
  s.created_at = test_time(0);
  s.nonce = filled(6);
  std::vector<Statement> all;
  const auto add = [&](StatementType type, const auto& require, const auto& widen) {
    Statement one = s;
    one.type = type;
    require(one);
    all.push_back(one);
    widen(one);
    all.push_back(one);
  };
  for (const auto type :
       {StatementType::kRunFinished, StatementType::kRunOpen, StatementType::kRunProgress}) {
    add(
        type,
        [&](Statement& one) {
          one.status = type == StatementType::kRunFinished ? "failed" : "running";
          one.plan = filled(7);
          one.events = 5;
          one.root = filled(8);
          one.started_at = test_time(1);
          if (type == StatementType::kRunFinished) one.completed_at = test_time(5);
        },
        [](Statement& one) {
          one.agent = AgentId{test_id(3)};
          one.workflow_digest = filled(9);
        });
  }
  // Text that looks like the members that are cut out, where it may stand.
  const auto widen_change = [](Statement& one) {
    one.actor = R"(","prev":"x","tenant_seq":7)";
    one.record = filled(3);
  };
  add(
      StatementType::kWorkflowPublished,
      [](Statement& one) {
        one.version = R"(\"prev":")";
        one.workflow_digest = filled(9);
      },
      [](Statement& one) { one.actor = R"("tenant_seq":)"; });
  add(
      StatementType::kAgentChanged,
      [](Statement& one) {
        one.status = "active";
        one.change = "prev";
      },
      widen_change);
  add(
      StatementType::kAdminChanged,
      [](Statement& one) {
        one.subject = "tenant_seq";
        one.change = "created";
      },
      widen_change);
  add(
      StatementType::kContentErased,
      [](Statement& one) { one.erased = {{RunId{test_id(1)}, 3, R"("prev":")"}}; },
      [](Statement& one) {
        one.actor = "key:1";
        one.reason = filled(3);
      });
  add(
      StatementType::kJournalRetired,
      [](Statement& one) {
        one.events = 5;
        one.root = filled(8);
      },
      [](Statement&) {});
  return all;
}

// The oracle is encode() of the whole statement.
TEST(Draft, OfEveryTypeIsNumberedAsTheWholeStatementIsWritten) {
  for (Statement statement : all_kinds()) {
    const auto draft = Draft::decode(Draft(statement).encode());
    ASSERT_TRUE(draft);
    for (const std::uint64_t seq :
         {1ULL, 2ULL, 10ULL, 4'294'967'296ULL, 9'007'199'254'740'991ULL}) {
      statement.tenant_seq = seq;
      statement.prev.reset();
      if (seq > 1) statement.prev = filled(static_cast<std::uint8_t>(seq));
      const std::string whole = encode(statement);
      EXPECT_EQ(draft->numbered(seq, statement.prev), whole);
      EXPECT_TRUE(decode_statement(whole)) << whole;
    }
  }
}

TEST(Draft, HasNothingOfThePlaceThatItsStatementHadBefore) {
  for (Statement statement : all_kinds()) {
    const std::string first = Draft(statement).encode();
    statement.tenant_seq = 77;
    statement.prev = filled(5);
    EXPECT_EQ(Draft(statement).encode(), first);
  }
}

TEST(Draft, CutShortIsRefused) {
  const std::string bytes = Draft(all_kinds().front()).encode();
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto draft = Draft::decode(std::string_view(bytes).substr(0, size));
    if (draft) continue;
    EXPECT_EQ(draft.error().code, Code::kCorruption);
    ++refused;
  }
  EXPECT_GT(refused, 100U);
}

}  // namespace
}  // namespace avow::provenance
