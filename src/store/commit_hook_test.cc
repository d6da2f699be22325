// SPDX-License-Identifier: Apache-2.0
// The hook in every transaction, and the log that it writes: one suite over every store.
#include "store/commit_hook.h"

#include <gtest/gtest.h>

#include "store/store_test_support.h"

namespace avow::store {
namespace {

Commit with_statements(Commit commit, std::vector<QueuedStatement> statements) {
  commit.statements = std::move(statements);
  return commit;
}

Commit with_statement(Commit commit, std::string draft) {
  return with_statements(std::move(commit), {statement_of(std::move(draft))});
}

class CommitHookContract : public ::testing::TestWithParam<const char*> {
 protected:
  FakeLog log_;  // before the store, which stops in its destructor
  Bench bench_{GetParam(), std::size_t{1} << 20};
  Store& store_ = bench_.store();

  void SetUp() override { store_.set_hook(log_); }
  std::string taken_calls() { return std::exchange(log_.calls, ""); }
  bool has_run(std::uint64_t n) { return store_.get_run(run_id(n)).has_value(); }
  std::vector<std::uint64_t> seqs(const StatementQuery& query) {
    std::vector<std::uint64_t> out;
    for (const auto& entry : *store_.list_statements(query)) out.push_back(entry.tenant_seq);
    return out;
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, CommitHookContract, ::testing::Values("memory", "sqlite"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(CommitHookContract, SeesEveryTransactionInOrder) {
  ASSERT_TRUE(write(store_, with_statement(creation(run_id(1)), "a")));
  EXPECT_EQ(taken_calls(), "begin add:a integrate committed ");
  ASSERT_TRUE(write(store_, creation(run_id(2))));
  EXPECT_EQ(taken_calls(), "begin committed ");
  ASSERT_TRUE(write(store_, with_statements({}, {statement_of("b"), statement_of("c")})));
  EXPECT_EQ(taken_calls(), "begin add:b:c integrate committed ");
  ASSERT_TRUE(store_.put_meta("name", "value"));
  EXPECT_EQ(taken_calls(), "begin committed ");
}

TEST_P(CommitHookContract, NeverSeesStatementsOfARefusedCommit) {
  ASSERT_TRUE(write(store_, creation(run_id(1))));
  taken_calls();
  EXPECT_EQ(code_of(write(store_, with_statement(creation(run_id(1)), "a"))), Code::kConflict);
  EXPECT_EQ(taken_calls(), "begin committed ");
  EXPECT_EQ(code_of(store_.newest_log_head()), Code::kNotFound);
}

TEST_P(CommitHookContract, FailsTheWholeTransactionWhereItFails) {
  const auto refused = failure(Code::kUnavailable, "scripted");
  log_.begin_fails = refused;
  EXPECT_EQ(code_of(write(store_, with_statement(creation(run_id(1)), "a"))), Code::kUnavailable);
  EXPECT_EQ(code_of(store_.put_meta("name", "value")), Code::kUnavailable);
  EXPECT_EQ(taken_calls(), "begin begin ");
  log_.begin_fails.reset();
  log_.add_fails = refused;
  EXPECT_EQ(code_of(write(store_, with_statement(creation(run_id(1)), "a"))), Code::kUnavailable);
  EXPECT_EQ(taken_calls(), "begin add:a rolled_back ");
  log_.add_fails.reset();
  log_.integrate_fails = refused;
  EXPECT_EQ(code_of(write(store_, with_statement(creation(run_id(1)), "a"))), Code::kUnavailable);
  EXPECT_EQ(taken_calls(), "begin add:a integrate rolled_back ");
  log_.integrate_fails.reset();

  EXPECT_FALSE(has_run(1));
  EXPECT_TRUE(store_.read_log(1, 0, 9)->empty());
  EXPECT_EQ(code_of(store_.newest_log_head()), Code::kNotFound);
  ASSERT_TRUE(write(store_, with_statement(creation(run_id(1)), "b")));
  EXPECT_EQ(store_.read_log(1, 0, 9)->at(0).statement, "b after none");
}

TEST_P(CommitHookContract, LeavesNothingOfRecordsTasksAndAnswersWhereItFails) {
  Commit commit = record_commit(record_of(1, "key"), 0);
  commit.tasks.push_back({{TaskId{{1, 1}}, kTenant, {}, run_id(1), "s", 1, {}, {}, ""}, false});
  commit.answer = answer_of("k", "a", at(9), at(0));
  commit.statements = {statement_of("a")};
  log_.integrate_fails = failure(Code::kUnavailable, "scripted");
  EXPECT_EQ(code_of(write(store_, commit)), Code::kUnavailable);
  EXPECT_EQ(code_of(store_.find_record(RecordKind::kWorkflow, "key")), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_task(TaskId{{1, 1}})), Code::kNotFound);
  EXPECT_EQ(code_of(store_.find_answer("k", at(1))), Code::kNotFound);
  log_.integrate_fails.reset();
  EXPECT_TRUE(write(store_, commit));
}

TEST_P(CommitHookContract, ATakenPlaceOrNumberIsNoFaultOfTheCommit) {
  ASSERT_TRUE(write(store_, with_statement({}, "a")));
  log_.index = 0;
  EXPECT_EQ(code_of(write(store_, with_statement({}, "b"))), Code::kInternal);
  log_.index.reset();
  log_.tenant_seq = 1;
  EXPECT_EQ(code_of(write(store_, with_statement({}, "c"))), Code::kInternal);
  // By another of the same transaction, but not by one of another tenant.
  log_.tenant_seq = 2;
  const Commit twice = with_statements({}, {statement_of("d"), statement_of("e")});
  EXPECT_EQ(code_of(write(store_, twice)), Code::kInternal);
  const Commit others = with_statements({}, {statement_of("f"), statement_of("g", tenant_id(2))});
  EXPECT_TRUE(write(store_, others));
  EXPECT_EQ(store_.read_log(1, 0, 9)->size(), 3U);
}

TEST_P(CommitHookContract, ATenantsHeadHasTheStatementsOfTheSameTransaction) {
  ASSERT_TRUE(write(store_, with_statement({}, "a")));
  ASSERT_TRUE(
      write(store_, with_statements({}, {statement_of("b"), statement_of("other", tenant_id(2)),
                                         statement_of("c")})));
  const auto entries = *store_.list_statements({kTenant, {}, 0, {}, false, 50});
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[1].statement, "b after a after none");
  EXPECT_EQ(entries[2].statement, "c after b after a after none");
  EXPECT_EQ(entries[2].tenant_seq, 3U);
  EXPECT_EQ(entries[2].index, 3U);
}

TEST_P(CommitHookContract, EntriesTilesAndHeadsAreReadBackAsTheyWereWritten) {
  QueuedStatement queued = statement_of("a", kTenant, {5, 6}, 200);
  queued.contents = std::string("c\0x", 3);
  ASSERT_TRUE(write(store_, with_statements({}, {queued})));
  for (const char* draft : {"b", "c", "d", "e"}) {
    ASSERT_TRUE(write(store_, with_statement({}, draft)));
  }
  LogEntry wanted{1, 0, kTenant, 1, {5, 6}, 200, "a after none", "entry of a", queued.contents};
  EXPECT_EQ(text_of(store_.read_log(1, 0, 1)->at(0)), text_of(wanted));
  EXPECT_EQ(text_of(store_.find_statement({5, 6})), text_of(wanted));
  EXPECT_EQ(store_.read_log(1, 3, 9)->size(), 2U);
  EXPECT_EQ(store_.read_log(1, 3, 9)->at(0).index, 3U);
  EXPECT_TRUE(store_.read_log(1, 5, 9)->empty());
  EXPECT_TRUE(store_.read_log(1, UINT64_MAX, 9)->empty());
  EXPECT_TRUE(store_.read_log(UINT32_MAX, 0, 9)->empty());
  EXPECT_EQ(text_of(store_.get_log_tile(1, 0, 0)), text_of(LogTile{1, 0, 0, "tile d"}));
  EXPECT_EQ(code_of(store_.get_log_tile(1, 0, 1)), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_log_tile(1, 1, 0)), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_log_tile(1, -1, UINT64_MAX)), Code::kNotFound);
  EXPECT_EQ(text_of(store_.get_log_head(1)), text_of(LogHead{1, 5, "nodes", "head 5", 3}));
  EXPECT_EQ(text_of(store_.newest_log_head()), text_of(store_.get_log_head(1)));
  EXPECT_EQ(code_of(store_.get_log_head(2)), Code::kNotFound);
}

TEST_P(CommitHookContract, FindsTheNewestStatementAboutAnId) {
  ASSERT_TRUE(write(
      store_, with_statements(
                  {}, {statement_of("a", kTenant, {1, 1}), statement_of("b", kTenant, {1, 2}),
                       statement_of("c", kTenant, {1, 1}), statement_of("d", kTenant, {0, 9})})));
  EXPECT_EQ(store_.find_statement({1, 1})->entry, "entry of c");
  EXPECT_EQ(store_.find_statement({1, 2})->entry, "entry of b");
  EXPECT_EQ(code_of(store_.find_statement({1, 3})), Code::kNotFound);
  EXPECT_EQ(code_of(store_.find_statement({0, 0})), Code::kNotFound);
}

TEST_P(CommitHookContract, ListsATenantsStatements) {
  std::vector<QueuedStatement> statements;
  for (int i = 1; i <= 9; ++i) {
    const auto kind = static_cast<std::uint8_t>(i % 3);
    statements.push_back(statement_of("x", kTenant, {8, 8}, kind));
    statements.push_back(statement_of("y", tenant_id(2), {8, 8}, kind));
  }
  ASSERT_TRUE(write(store_, with_statements({}, std::move(statements))));
  using Seqs = std::vector<std::uint64_t>;
  const StatementQuery all{kTenant, {}, 0, {}, false, 50};
  EXPECT_EQ(seqs(all), (Seqs{1, 2, 3, 4, 5, 6, 7, 8, 9}));
  StatementQuery query = all;
  query.limit = 3;
  EXPECT_EQ(seqs(query), (Seqs{1, 2, 3}));
  query.after = 3;
  EXPECT_EQ(seqs(query), (Seqs{4, 5, 6}));
  query.is_newest_first = true;
  EXPECT_EQ(seqs(query), (Seqs{9, 8, 7}));
  query.before = 7;
  EXPECT_EQ(seqs(query), (Seqs{6, 5, 4}));
  query.kind = 2;
  EXPECT_EQ(seqs(query), (Seqs{5}));
  query.after = 0;
  EXPECT_EQ(seqs(query), (Seqs{5, 2}));
  query.before = 1;
  EXPECT_EQ(seqs(query), Seqs{});
  query.before = UINT64_MAX;
  EXPECT_EQ(seqs(query), (Seqs{8, 5, 2}));
  query.after = UINT64_MAX;
  EXPECT_EQ(seqs(query), Seqs{});
  EXPECT_EQ(seqs({tenant_id(3), {}, 0, {}, false, 50}), Seqs{});
}

TEST_P(CommitHookContract, ListsEveryKindByItself) {
  std::vector<QueuedStatement> statements;
  for (std::uint8_t kind = 1; kind <= 12; ++kind) {
    for (const TenantId tenant : {kTenant, tenant_id(2)}) {
      statements.push_back(statement_of("first", tenant, {8, 8}, kind));
      statements.push_back(statement_of("second", tenant, {8, 8}, kind));
    }
  }
  ASSERT_TRUE(write(store_, with_statements({}, std::move(statements))));
  for (std::uint8_t kind = 1; kind <= 12; ++kind) {
    const std::uint64_t second = 2 * std::uint64_t{kind};
    EXPECT_EQ(seqs({kTenant, kind, 0, {}, false, 50}), (std::vector{second - 1, second}));
    EXPECT_EQ(seqs({kTenant, kind, 0, second, true, 50}), (std::vector{second - 1}));
    EXPECT_EQ(seqs({kTenant, kind, second - 1, {}, true, 1}), (std::vector{second}));
  }
}

TEST_P(CommitHookContract, TwoLogsStandSideBySide) {
  ASSERT_TRUE(write(store_, with_statements({}, {statement_of("a"), statement_of("b")})));
  const auto first = text_of(store_.read_log(1, 0, 9));
  FakeLog second(2);
  store_.set_hook(second);
  ASSERT_TRUE(write(store_, with_statement({}, "c")));
  EXPECT_EQ(text_of(store_.read_log(1, 0, 9)), first);
  EXPECT_EQ(store_.read_log(2, 0, 9)->size(), 1U);
  EXPECT_EQ(store_.read_log(2, 0, 9)->at(0).tenant_seq, 3U);  // through all logs
  EXPECT_EQ(store_.newest_log_head()->log, 2U);
  EXPECT_EQ(store_.get_log_head(1)->size, 2U);
  EXPECT_EQ(store_.find_statement({8, 8})->log, 2U);
  store_.set_hook(log_);
}

TEST_P(CommitHookContract, MayReadTheStoreOutsideOfTheTransactionsRows) {
  class Reading : public FakeLog {
   public:
    explicit Reading(Store& store) : store_(store) {}
    Result<void> begin() override {
      RETURN_IF_ERROR(code_of(store_.get_run(run_id(1))) == Code::kNotFound
                          ? Result<void>()
                          : failure(Code::kInternal, "it is there before its transaction"));
      return FakeLog::begin();
    }
    void committed() override {
      calls += store_.get_run(run_id(1)) ? "seen " : "unseen ";
      FakeLog::committed();
    }

   private:
    Store& store_;
  };
  Reading log(store_);
  store_.set_hook(log);
  ASSERT_TRUE(write(store_, with_statement(creation(run_id(1)), "a")));
  EXPECT_EQ(log.calls, "begin add:a integrate seen committed ");
  store_.set_hook(log_);
}

}  // namespace
}  // namespace avow::store
