// SPDX-License-Identifier: Apache-2.0
// The promises of log_promises.h hold of what a real engine left, and each finds whatever is
// changed in it.
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
    std::vector<Asked> asked;
    asked.reserve(runs.size());
    for (const auto& run : runs) asked.push_back({run.id, {}, 0, {}, false});
    story_ = read_story(world_, asked);
  }

  RunStory& run() { return story_.runs.at(2); }

  EngineWorld world_;
  Story story_;
  const AFinishedRunHasOneProof has_one_proof_;
  const StatementsOnlyGrow only_grow_;
  const EveryTenantHasOneChain one_chain_;
  const TheHeadIsTheTree head_is_tree_;
};

TEST_F(LogPromises, HoldOfWhatTheEngineLeft) {
  EXPECT_EQ(run().statements.size(), 2U);
  EXPECT_EQ(story_.log.size(), 7U);
  EXPECT_EQ(has_one_proof_.judge(story_), std::nullopt);
  EXPECT_EQ(only_grow_.judge(story_), std::nullopt);
  EXPECT_EQ(one_chain_.judge(story_), std::nullopt);
  EXPECT_EQ(head_is_tree_.judge(story_), std::nullopt);
}

TEST_F(LogPromises, FindAFinishedRunWithoutItsOneProof) {
  RunStory none = run();
  none.statements.pop_back();
  EXPECT_NE(has_one_proof_.judge_run(none), std::nullopt);
  RunStory twice = run();
  twice.statements.push_back(twice.statements.back());
  EXPECT_NE(has_one_proof_.judge_run(twice), std::nullopt);
  RunStory other_root = run();
  other_root.statements.back().root->front() ^= 1;
  EXPECT_NE(has_one_proof_.judge_run(other_root), std::nullopt);
  RunStory other_journal = run();
  other_journal.bytes[1] += ' ';
  EXPECT_NE(has_one_proof_.judge_run(other_journal), std::nullopt);
  RunStory more_events = run();
  more_events.bytes.push_back("{}");
  EXPECT_NE(has_one_proof_.judge_run(more_events), std::nullopt);
  RunStory other_status = run();
  other_status.row.status = RunStatus::kFailed;
  EXPECT_NE(has_one_proof_.judge_run(other_status), std::nullopt);
  RunStory too_early = run();
  too_early.row.status = RunStatus::kRunning;
  EXPECT_NE(has_one_proof_.judge_run(too_early), std::nullopt);
}

TEST_F(LogPromises, FindAStatementThatTakesBackOrRepeats) {
  RunStory other_root = run();
  other_root.statements.front().root->front() ^= 1;
  EXPECT_NE(only_grow_.judge_run(other_root), std::nullopt);
  RunStory turned = run();
  std::ranges::reverse(turned.statements);
  EXPECT_NE(only_grow_.judge_run(turned), std::nullopt);
  RunStory repeated = run();
  repeated.statements.insert(repeated.statements.begin(), repeated.statements.front());
  EXPECT_NE(only_grow_.judge_run(repeated), std::nullopt);
  RunStory unopened = run();
  unopened.statements.front().type = StatementType::kRunProgress;
  EXPECT_NE(only_grow_.judge_run(unopened), std::nullopt);
}

TEST_F(LogPromises, FindARunThatIsOldAndUnstated) {
  const ARunOfASecondIsStated is_stated;
  const Time created = run().row.created_at;
  Rest& rest = story_.rests.emplace_back(
      Rest{.run = run().row.id, .created_at = created, .at = created + Duration(999)});
  EXPECT_EQ(is_stated.judge(story_), std::nullopt);
  rest.at += Duration(1);
  EXPECT_NE(is_stated.judge(story_), std::nullopt);
  rest.is_stated = true;
  EXPECT_EQ(is_stated.judge(story_), std::nullopt);
}

TEST_F(LogPromises, FindACallThatLeftInDoubt) {
  const DoubtIsStatedBeforeACallLeaves is_stated;
  Departure& departure = run().departures.emplace_back();
  EXPECT_EQ(is_stated.judge(story_), std::nullopt);
  departure.doubt_at = 4;
  EXPECT_NE(is_stated.judge(story_), std::nullopt);
  departure.stated = 3;
  EXPECT_NE(is_stated.judge(story_), std::nullopt);
  departure.stated = 4;
  EXPECT_EQ(is_stated.judge(story_), std::nullopt);
}

TEST_F(LogPromises, FindAStatementThatIsMissingOrMoved) {
  const auto log = story_.log;
  for (std::size_t i = 0; i + 1 < log.size(); ++i) {
    story_.log = log;
    story_.log.erase(story_.log.begin() + static_cast<std::ptrdiff_t>(i));
    const bool is_last_of_its_tenant = std::ranges::none_of(
        std::span(log).subspan(i + 1),
        [&](const store::LogEntry& entry) { return entry.tenant == log[i].tenant; });
    EXPECT_EQ(one_chain_.judge(story_) == std::nullopt, is_last_of_its_tenant) << i;
    EXPECT_NE(head_is_tree_.judge(story_), std::nullopt) << i;
  }
  story_.log = log;
  std::swap(story_.log[1].entry, story_.log[2].entry);
  EXPECT_NE(head_is_tree_.judge(story_), std::nullopt);
  story_.log = log;
  story_.log.pop_back();
  EXPECT_NE(head_is_tree_.judge(story_), std::nullopt);
  // Another text of one statement: its successor names another digest.
  story_.log = log;
  auto statement = *provenance::decode_statement(log[1].statement);
  statement.nonce.front() ^= 1;
  story_.log[1].statement = provenance::encode(statement);
  EXPECT_NE(one_chain_.judge(story_), std::nullopt);
}

}  // namespace
}  // namespace avow::engine
