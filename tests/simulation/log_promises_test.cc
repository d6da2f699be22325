// SPDX-License-Identifier: Apache-2.0
// The rules of log_promises.h hold of what a real engine left, and each finds what was changed in
// it: a rule that cannot fail proves nothing.
#include "log_promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace avow::engine {
namespace {

using testing::EngineWorld;
using testing::plan_of;
using testing::succeed;

/// Three runs, each with a call of two seconds: stated when they are a second old and at their end.
class LogPromises : public ::testing::Test {
 protected:
  LogPromises()
      : world_([](const Call&) {
          return succeed(json::Object{{"status", 200}}, std::chrono::seconds(2));
        }) {
    const json::Value plan =
        plan_of(R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])");
    std::vector<EngineWorld::Started> runs;
    for (std::uint64_t tenant : {1, 2, 1})
      runs.push_back(world_.start(plan, {}, TenantId{Id{tenant, 1 << 20}}));
    world_.scheduler.run_for(std::chrono::seconds(5));
    run_ = told_runs(world_, runs).at(2);
    log_ = world_.log();
    head_ = *world_.store.newest_log_head();
  }

  EngineWorld world_;
  ToldRun run_;
  std::vector<store::LogEntry> log_;
  store::LogHead head_;
};

TEST_F(LogPromises, HoldOfWhatTheEngineLeft) {
  EXPECT_EQ(run_.statements.size(), 2U);
  EXPECT_EQ(log_.size(), 7U);
  EXPECT_EQ(a_finished_run_has_one_proof(run_), std::nullopt);
  EXPECT_EQ(statements_only_grow(run_), std::nullopt);
  EXPECT_EQ(every_tenant_has_one_chain(log_), std::nullopt);
  EXPECT_EQ(the_head_is_the_tree(head_, log_), std::nullopt);
}

TEST_F(LogPromises, FindAFinishedRunWithoutItsOneProof) {
  ToldRun none = run_;
  none.statements.pop_back();
  EXPECT_NE(a_finished_run_has_one_proof(none), std::nullopt);
  ToldRun twice = run_;
  twice.statements.push_back(twice.statements.back());
  EXPECT_NE(a_finished_run_has_one_proof(twice), std::nullopt);
  ToldRun other_root = run_;
  other_root.statements.back().root->front() ^= 1;
  EXPECT_NE(a_finished_run_has_one_proof(other_root), std::nullopt);
  ToldRun other_journal = run_;
  other_journal.events[1] += ' ';
  EXPECT_NE(a_finished_run_has_one_proof(other_journal), std::nullopt);
  ToldRun more_events = run_;
  more_events.events.push_back("{}");
  EXPECT_NE(a_finished_run_has_one_proof(more_events), std::nullopt);
  ToldRun other_status = run_;
  other_status.row.status = RunStatus::kFailed;
  EXPECT_NE(a_finished_run_has_one_proof(other_status), std::nullopt);
  ToldRun too_early = run_;
  too_early.row.status = RunStatus::kRunning;
  EXPECT_NE(a_finished_run_has_one_proof(too_early), std::nullopt);
}

TEST_F(LogPromises, FindAStatementThatTakesBackOrRepeats) {
  ToldRun other_root = run_;
  other_root.statements.front().root->front() ^= 1;
  EXPECT_NE(statements_only_grow(other_root), std::nullopt);
  ToldRun turned = run_;
  std::ranges::reverse(turned.statements);
  EXPECT_NE(statements_only_grow(turned), std::nullopt);
  ToldRun repeated = run_;
  repeated.statements.insert(repeated.statements.begin(), repeated.statements.front());
  EXPECT_NE(statements_only_grow(repeated), std::nullopt);
  ToldRun unopened = run_;
  unopened.statements.front().type = StatementType::kRunProgress;
  EXPECT_NE(statements_only_grow(unopened), std::nullopt);
}

TEST_F(LogPromises, FindARunThatIsOldAndUnstated) {
  const Time second = run_.row.created_at + Duration(1'000);
  EXPECT_EQ(a_run_of_a_second_is_stated(run_.row, false, second - Duration(1)), std::nullopt);
  EXPECT_NE(a_run_of_a_second_is_stated(run_.row, false, second), std::nullopt);
  EXPECT_EQ(a_run_of_a_second_is_stated(run_.row, true, second), std::nullopt);
}

TEST_F(LogPromises, FindACallThatLeftInDoubt) {
  const auto run = world_.start(
      plan_of(R"([{"name":"call","type":"webhook","config":{"url":"https://example.com/"}}])"));
  world_.scheduler.run_for(Duration(10));
  world_.crash_and_restart();
  world_.scheduler.run_for(Duration(10));
  ASSERT_EQ(world_.events(run.id).back().type, "effect.in_doubt");
  const auto events = events_in(world_.store.read_run(run.id)->journal);
  const auto doubt_at = static_cast<std::uint32_t>(events.size());
  EXPECT_EQ(doubt_is_stated(events, doubt_at), std::nullopt);
  EXPECT_NE(doubt_is_stated(events, doubt_at - 1), std::nullopt);
  EXPECT_NE(doubt_is_stated(events, 0), std::nullopt);
}

TEST_F(LogPromises, FindAStatementThatIsMissingOrMoved) {
  for (std::size_t i = 0; i + 1 < log_.size(); ++i) {
    auto missing = log_;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    const bool is_last_of_its_tenant = std::ranges::none_of(
        std::span(log_).subspan(i + 1),
        [&](const store::LogEntry& entry) { return entry.tenant == log_[i].tenant; });
    EXPECT_EQ(every_tenant_has_one_chain(missing) == std::nullopt, is_last_of_its_tenant) << i;
    EXPECT_NE(the_head_is_the_tree(head_, missing), std::nullopt) << i;
  }
  auto swapped = log_;
  std::swap(swapped[1].entry, swapped[2].entry);
  EXPECT_NE(the_head_is_the_tree(head_, swapped), std::nullopt);
  auto cut = log_;
  cut.pop_back();
  EXPECT_NE(the_head_is_the_tree(head_, cut), std::nullopt);
  // Another text of one statement: its successor names another digest.
  auto statement = *provenance::decode_statement(log_[1].statement);
  statement.nonce.front() ^= 1;
  log_[1].statement = provenance::encode(statement);
  EXPECT_NE(every_tenant_has_one_chain(log_), std::nullopt);
}

}  // namespace
}  // namespace avow::engine
