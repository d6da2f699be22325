// SPDX-License-Identifier: Apache-2.0
#include "cli/tenant_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "provenance/log_for_tests.h"

namespace avow::cli {
namespace {

using provenance::Statement;
using provenance::StatementType;
using ::testing::HasSubstr;

/// A tenant's statements as a log numbers and chains them.
class Statements {
 public:
  Statements& add(Statement statement) {
    statement.tenant_seq = all_.size() + 1;
    statement.prev.reset();
    if (!all_.empty()) statement.prev = provenance::statement_digest(all_.back());
    all_.push_back(provenance::encode(statement));
    return *this;
  }
  Statements& add_run(StatementType type, std::uint64_t id) {
    provenance::TestRun run;
    run.id = RunId{provenance::test_id(id)};
    return add(run.statement(type));
  }
  std::vector<std::string>& all() { return all_; }

 private:
  std::vector<std::string> all_;
};

Result<void> audit(TenantAudit& audit, const std::vector<std::string>& statements) {
  for (const std::string& statement : statements) RETURN_IF_ERROR(audit.add(statement));
  return {};
}

std::string refusal(const std::vector<std::string>& statements) {
  TenantAudit fresh;
  const auto done = audit(fresh, statements);
  return done ? "accepted" : done.error().message;
}

Statements three_runs() {
  Statements statements;
  statements.add_run(StatementType::kRunOpen, 1)
      .add_run(StatementType::kRunFinished, 2)
      .add_run(StatementType::kRunFinished, 1)
      .add_run(StatementType::kRunProgress, 3);
  return statements;
}

TEST(TenantAudit, KnowsWhichRunsFinishedAndWhichAreOpen) {
  TenantAudit fresh;
  const auto done = audit(fresh, three_runs().all());
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(fresh.size(), 4U);
  ASSERT_EQ(fresh.runs().size(), 3U);
  EXPECT_TRUE(fresh.runs().at(provenance::test_id(1)).is_finished);
  EXPECT_TRUE(fresh.runs().at(provenance::test_id(2)).is_finished);
  EXPECT_FALSE(fresh.runs().at(provenance::test_id(3)).is_finished);
  EXPECT_EQ(fresh.newest(), provenance::test_id(3));
}

TEST(TenantAudit, FindsEachStatementThatIsMissing) {
  const auto all = three_runs().all();
  for (std::size_t missing = 0; missing + 1 < all.size(); ++missing) {
    auto rest = all;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(missing));
    EXPECT_THAT(refusal(rest), HasSubstr(fmt::format("statement {}: it is missing", missing + 1)));
  }
}

TEST(TenantAudit, FindsAStatementThatWasReplacedByWhatFollowsIt) {
  const auto all = three_runs().all();
  for (std::size_t at = 0; at + 1 < all.size(); ++at) {
    auto changed = all;
    Statement other = *provenance::decode_statement(all[at]);
    other.nonce = provenance::filled(77);
    changed[at] = provenance::encode(other);
    EXPECT_THAT(refusal(changed),
                HasSubstr(fmt::format("statement {}: it does not follow", at + 2)));
  }
}

TEST(TenantAudit, RefusesAnotherTenantsStatementASecondEndAndWhatIsNoStatement) {
  auto foreign = three_runs();
  Statement other = *provenance::decode_statement(foreign.all().back());
  other.tenant = TenantId{provenance::test_id(55)};
  foreign.add(other);
  EXPECT_THAT(refusal(foreign.all()), HasSubstr("statement 5: it is another tenant's"));

  auto twice = three_runs();
  twice.add_run(StatementType::kRunFinished, 2);
  EXPECT_THAT(refusal(twice.all()), HasSubstr("had finished already"));
  auto opened = three_runs();
  opened.add_run(StatementType::kRunProgress, 1);
  EXPECT_THAT(refusal(opened.all()), HasSubstr("had finished already"));

  EXPECT_THAT(refusal({"{}"}), HasSubstr("statement 1: "));
  EXPECT_THAT(refusal({""}), HasSubstr("statement 1: "));
}

}  // namespace
}  // namespace avow::cli
