// SPDX-License-Identifier: Apache-2.0
// One suite over every store: what it says is the contract of store.h.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <mutex>
#include <thread>

#include "store/store_test_support.h"

namespace avow::store {
namespace {

class StoreContract : public ::testing::TestWithParam<const char*> {
 protected:
  static constexpr std::size_t kQueueBytesMax = std::size_t{1} << 20;
  Bench bench_{GetParam(), kQueueBytesMax};
  Store& store_ = bench_.store();

  std::vector<RunId> listed(const RunQuery& query) {
    auto rows = store_.list_runs(query);
    std::vector<RunId> ids;
    if (!rows) {
      ADD_FAILURE() << rows.error().message;
      return ids;
    }
    for (const auto& row : *rows) ids.push_back(row.id);
    return ids;
  }
};
INSTANTIATE_TEST_SUITE_P(Stores, StoreContract, ::testing::Values("memory", "sqlite"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST_P(StoreContract, ARunIsReadBackAsItWasWritten) {
  Commit commit = creation(run_id(1));
  RunChange& change = *commit.run;
  change.row.workflow = WorkflowId{{4, 5}};
  change.row.agent = AgentId{{6, 7}};
  change.row.wake_at = at(5'000);
  change.row.is_parked = true;
  change.row.summary = std::string("s\0x", 3);
  std::string every_byte;
  for (int i = 0; i < 3 * 256; ++i) every_byte.push_back(static_cast<char>(i));
  change.journal = Segment{1, 3, every_byte};
  change.contents = Segment{2, 1, std::string(100'000, 'c')};
  change.plan = "the plan";
  change.labels = {{"b", "2"}, {"a", ""}, {"a\nb", "\xf0\x9f\x98\x80"}};
  RunRecord wanted;
  wanted.row = change.row;
  wanted.journal = {*change.journal};
  wanted.contents = {*change.contents};
  wanted.plan = change.plan;
  wanted.labels = change.labels;

  ASSERT_TRUE(write(store_, commit));
  EXPECT_EQ(text_of(store_.read_run(run_id(1))), text_of(wanted));
  EXPECT_EQ(text_of(store_.get_run(run_id(1))), text_of(wanted.row));
}

TEST_P(StoreContract, ARunWithoutAnythingIsReadBackWithoutAnything) {
  ASSERT_TRUE(write(store_, creation(run_id(1))));
  const auto run = store_.read_run(run_id(1));
  ASSERT_TRUE(run);
  EXPECT_FALSE(run->plan || run->row.workflow || run->row.agent || run->row.wake_at);
  EXPECT_TRUE(run->labels.empty() && run->journal.empty() && run->contents.empty());
}

TEST_P(StoreContract, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(code_of(store_.get_run(run_id(1))), Code::kNotFound);
  EXPECT_EQ(code_of(store_.read_run(run_id(1))), Code::kNotFound);
  EXPECT_EQ(code_of(store_.read_journal(run_id(1), 0, 10)), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_record(RecordKind::kAgent, {1, 1})), Code::kNotFound);
  EXPECT_EQ(code_of(store_.find_record(RecordKind::kAgent, "k")), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_task(TaskId{{1, 1}})), Code::kNotFound);
  EXPECT_EQ(code_of(store_.find_answer("k", at(0))), Code::kNotFound);
  EXPECT_EQ(code_of(store_.get_meta("origin")), Code::kNotFound);
}

TEST_P(StoreContract, AChangeNeedsTheVersionBeforeIt) {
  ASSERT_TRUE(write(store_, creation(run_id(1))));
  EXPECT_EQ(code_of(write(store_, creation(run_id(1)))), Code::kConflict);
  RunRow row = *store_.get_run(run_id(1));
  const Commit second = change_of(row, [](RunRow& r) { r.status = RunStatus::kCompleted; });
  EXPECT_TRUE(write(store_, second));
  EXPECT_EQ(code_of(write(store_, second)), Code::kConflict);
  RunRow unknown = row;
  unknown.id = run_id(2);
  EXPECT_EQ(code_of(write(store_, change_of(unknown, [](RunRow&) {}))), Code::kConflict);
  EXPECT_EQ(text_of(store_.get_run(run_id(1))), text_of(row));
}

TEST_P(StoreContract, WhatARunWasCreatedWithStays) {
  Commit commit = creation(run_id(1));
  commit.run->row.workflow = WorkflowId{{4, 5}};
  ASSERT_TRUE(write(store_, commit));
  const RunRow first = commit.run->row;
  RunRow row = first;
  ASSERT_TRUE(write(store_, change_of(row, [](RunRow& r) {
                      r.tenant = tenant_id(9);
                      r.workflow.reset();
                      r.agent = AgentId{{1, 1}};
                      r.created_at = at(9);
                    })));
  const auto found = store_.get_run(run_id(1));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->tenant, first.tenant);
  EXPECT_EQ(found->workflow, first.workflow);
  EXPECT_EQ(found->agent, first.agent);
  EXPECT_EQ(found->created_at, first.created_at);
}

TEST_P(StoreContract, AJournalHasNoGapAndNoOverlap) {
  Commit commit = creation(run_id(1));
  commit.run->journal = Segment{1, 2, "a"};
  ASSERT_TRUE(write(store_, commit));
  RunRow row = commit.run->row;
  for (const std::uint32_t seq : {1U, 2U, 4U}) {
    RunRow next = row;
    Commit wrong = change_of(next, [](RunRow&) {});
    wrong.run->journal = Segment{seq, 1, "b"};
    EXPECT_EQ(code_of(write(store_, wrong)), Code::kConflict) << seq;
  }
  Commit quiet = change_of(row, [](RunRow&) {});
  ASSERT_TRUE(write(store_, quiet));
  Commit right = change_of(row, [](RunRow&) {});
  right.run->journal = Segment{3, 1, "b"};
  EXPECT_TRUE(write(store_, right));
}

TEST_P(StoreContract, ReadsOfAJournalBeginBehindASeq) {
  ASSERT_TRUE(write(store_, creation(run_id(2))));
  Commit commit = creation(run_id(1));
  commit.run->journal = Segment{1, 2, "1-2"};
  commit.run->contents = Segment{2, 1, "c2"};
  ASSERT_TRUE(write(store_, commit));
  RunRow row = commit.run->row;
  for (const Segment& segment : {Segment{3, 3, "3-5"}, Segment{6, 1, "6-6"}}) {
    Commit next = change_of(row, [](RunRow&) {});
    next.run->journal = segment;
    next.run->contents = Segment{segment.first_seq, 1, "c"};
    ASSERT_TRUE(write(store_, next));
  }
  // The oracle is in the bytes: a segment "a-b" holds events after `seq` if b > seq.
  const std::vector<std::pair<std::uint32_t, std::string>> segments = {
      {2, "1-2"}, {5, "3-5"}, {6, "6-6"}};
  for (std::uint32_t seq = 0; seq <= 7; ++seq) {
    for (std::size_t limit = 0; limit <= 4; ++limit) {
      std::vector<std::string> wanted;
      for (const auto& [last, bytes] : segments) {
        if (last > seq && wanted.size() < limit) wanted.push_back(bytes);
      }
      const auto found = store_.read_journal(run_id(1), seq, limit);
      ASSERT_TRUE(found);
      std::vector<std::string> got;
      for (const auto& segment : *found) got.push_back(segment.bytes);
      EXPECT_EQ(got, wanted) << "after " << seq << ", at most " << limit;
    }
  }
  EXPECT_TRUE(store_.read_journal(run_id(1), UINT32_MAX, 10)->empty());
}

TEST_P(StoreContract, TheLastSeqOfAJournalCanBeReached) {
  Commit commit = creation(run_id(1));
  commit.run->journal = Segment{1, kSeqMax, "all"};
  commit.run->contents = Segment{kSeqMax, 1, "last"};
  ASSERT_TRUE(write(store_, commit));
  ASSERT_TRUE(write(store_, creation(run_id(2))));
  const auto run = store_.read_run(run_id(1));
  ASSERT_TRUE(run);
  EXPECT_EQ(text_of(run->journal), text_of(std::vector{*commit.run->journal}));
  EXPECT_EQ(text_of(run->contents), text_of(std::vector{*commit.run->contents}));
  EXPECT_EQ(store_.read_journal(run_id(1), kSeqMax - 1, 10)->size(), 1U);
  EXPECT_TRUE(store_.read_run(run_id(2))->contents.empty());
}

TEST_P(StoreContract, ACommitThatBreaksARuleOfFormIsTheCallersMistake) {
  std::vector<Commit> wrong;
  wrong.push_back(creation(RunId{}));
  wrong.push_back(creation(run_id(1)));
  wrong.back().run->row.version = 2;
  for (const Segment& segment : {Segment{0, 1, ""}, Segment{1, 0, ""}, Segment{kSeqMax, 2, ""},
                                 Segment{2, UINT32_MAX, ""}}) {
    wrong.push_back(creation(run_id(1)));
    wrong.back().run->journal = segment;
  }
  wrong.push_back(creation(run_id(1)));
  wrong.back().run->contents = Segment{1, 1, ""};
  wrong.push_back(creation(run_id(1)));
  wrong.back().run->journal = Segment{1, 2, ""};
  wrong.back().run->contents = Segment{3, 1, ""};
  RunRow row = creation(run_id(1)).run->row;
  wrong.push_back(change_of(row, [](RunRow&) {}));
  wrong.back().run->plan = "late";
  wrong.push_back(record_commit(record_of(1, "a"), 0));
  wrong.back().records[0].record.version = 3;
  wrong.push_back(erasure(RecordKind::kAgent, {1, 1}, 0));
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    EXPECT_EQ(code_of(write(store_, wrong[i])), Code::kInvalidArgument) << "commit " << i;
  }
}

TEST_P(StoreContract, ARefusedCommitLeavesNothing) {
  ASSERT_TRUE(write(store_, record_commit(record_of(1, "taken"), 0)));
  Commit kept;
  kept.answer = answer_of("kept", "first", at(100), at(0));
  ASSERT_TRUE(write(store_, kept));
  // All that a commit can hold, refused by one of its parts at a time.
  const auto whole = [] {
    Commit commit = creation(run_id(1));
    commit.run->labels = {{"a", "b"}};
    commit.records = record_commit(record_of(2, "free"), 0).records;
    commit.tasks.emplace_back().row.id = TaskId{{8, 8}};
    commit.answer = answer_of("new", "second", at(100), at(0));
    return commit;
  };
  std::vector<Commit> refused(4, whole());
  refused[0].run->expected_version = 1;
  refused[0].run->row.version = 2;
  refused[0].run->labels.clear();
  refused[1].records.push_back(record_commit(record_of(3, "taken"), 0).records[0]);
  refused[2].records.push_back(record_commit(record_of(1, "taken"), 5).records[0]);
  refused[3].answer->key = "kept";
  for (std::size_t i = 0; i < refused.size(); ++i) {
    EXPECT_EQ(code_of(write(store_, refused[i])), Code::kConflict) << "commit " << i;
    EXPECT_EQ(code_of(store_.get_run(run_id(1))), Code::kNotFound) << "commit " << i;
    EXPECT_EQ(code_of(store_.find_record(RecordKind::kWorkflow, "free")), Code::kNotFound);
    EXPECT_EQ(code_of(store_.get_task(TaskId{{8, 8}})), Code::kNotFound) << "commit " << i;
    EXPECT_EQ(code_of(store_.find_answer("new", at(1))), Code::kNotFound) << "commit " << i;
  }
  EXPECT_EQ(store_.find_answer("kept", at(1))->answer, "first");
  EXPECT_TRUE(write(store_, whole()));
}

TEST_P(StoreContract, ListsOfRunsAreTheNewestFirstOfOneTenant) {
  for (std::uint64_t n = 1; n <= 6; ++n) {
    Commit commit = creation(run_id(n), tenant_id(1 + n % 2));
    commit.run->row.created_at = at(static_cast<std::int64_t>(n) * 100);
    commit.run->row.status = n == 4 ? RunStatus::kFailed : RunStatus::kCompleted;
    if (n == 6) commit.run->row.workflow = WorkflowId{{1, 1}};
    if (n == 2) commit.run->row.agent = AgentId{{2, 2}};
    ASSERT_TRUE(write(store_, commit));
  }
  using Ids = std::vector<RunId>;
  RunQuery query;
  query.tenant = tenant_id(1);
  EXPECT_EQ(listed(query), (Ids{run_id(6), run_id(4), run_id(2)}));
  query.limit = 2;
  EXPECT_EQ(listed(query), (Ids{run_id(6), run_id(4)}));
  query.before = run_id(4);
  EXPECT_EQ(listed(query), (Ids{run_id(2)}));
  query = {};
  query.tenant = tenant_id(1);
  query.status = RunStatus::kFailed;
  EXPECT_EQ(listed(query), (Ids{run_id(4)}));
  query.status.reset();
  query.workflow = WorkflowId{{1, 1}};
  EXPECT_EQ(listed(query), (Ids{run_id(6)}));
  query.workflow.reset();
  query.agent = AgentId{{2, 2}};
  EXPECT_EQ(listed(query), (Ids{run_id(2)}));
  query.agent.reset();
  query.created_after = at(200);
  query.created_before = at(600);
  EXPECT_EQ(listed(query), (Ids{run_id(4)}));
  query = {};
  query.tenant = tenant_id(3);
  EXPECT_EQ(listed(query), Ids{});
}

TEST_P(StoreContract, ListsByLabelsGiveTheRunsThatHaveAllOfThem) {
  const std::vector<Labels> labels = {{{"env", "prod"}},
                                      {{"env", "prod"}, {"team", "a"}},
                                      {{"team", "a"}},
                                      {{"env", "test"}},
                                      {{"env", "prod"}, {"env", "prod"}}};
  for (std::size_t i = 0; i < labels.size(); ++i) {
    Commit commit = creation(run_id(i + 1));
    commit.run->labels = labels[i];
    if (i == 0) commit.run->row.status = RunStatus::kCancelled;
    ASSERT_TRUE(write(store_, commit));
    Commit foreign = creation(run_id(i + 100), tenant_id(2));
    foreign.run->labels = labels[i];
    ASSERT_TRUE(write(store_, foreign));
  }
  using Ids = std::vector<RunId>;
  RunQuery query;
  query.tenant = kTenant;
  query.labels = {{"env", "prod"}};
  EXPECT_EQ(listed(query), (Ids{run_id(5), run_id(2), run_id(1)}));
  query.before = run_id(5);
  query.limit = 1;
  EXPECT_EQ(listed(query), (Ids{run_id(2)}));
  query = {};
  query.tenant = kTenant;
  query.labels = {{"env", "prod"}, {"team", "a"}};
  EXPECT_EQ(listed(query), (Ids{run_id(2)}));
  query.labels = {{"env", "prod"}};
  query.status = RunStatus::kCancelled;
  EXPECT_EQ(listed(query), (Ids{run_id(1)}));
  query.labels = {{"env", "none"}};
  EXPECT_EQ(listed(query), Ids{});
}

TEST_P(StoreContract, ActiveRunsAreThoseThatRunAndAreNotParked) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    Commit commit = creation(run_id(n));
    commit.run->row.is_parked = n == 2;
    if (n == 4) commit.run->row.status = RunStatus::kFailed;
    ASSERT_TRUE(write(store_, commit));
  }
  const auto ids = [this](std::optional<RunId> after, std::size_t limit) {
    std::vector<std::uint64_t> out;
    const auto rows = store_.active_runs(after, limit);
    for (const auto& row : *rows) out.push_back(row.id.value.high);
    return out;
  };
  using Numbers = std::vector<std::uint64_t>;
  EXPECT_EQ(ids({}, 10), (Numbers{1, 3, 5}));
  EXPECT_EQ(ids({}, 2), (Numbers{1, 3}));
  EXPECT_EQ(ids(run_id(1), 10), (Numbers{3, 5}));
  RunRow parked = *store_.get_run(run_id(2));
  ASSERT_TRUE(write(store_, change_of(parked, [](RunRow& row) { row.is_parked = false; })));
  RunRow ended = *store_.get_run(run_id(3));
  ASSERT_TRUE(
      write(store_, change_of(ended, [](RunRow& row) { row.status = RunStatus::kCompleted; })));
  EXPECT_EQ(ids({}, 10), (Numbers{1, 2, 5}));
}

TEST_P(StoreContract, TimersComeInTheOrderOfTheirTime) {
  const std::vector<std::int64_t> wakes = {50, 30, 30, -5, 40};
  for (std::size_t i = 0; i < wakes.size(); ++i) {
    Commit commit = creation(run_id(i + 1));
    commit.run->row.wake_at = at(wakes[i]);
    commit.run->row.is_parked = i % 2 == 0;
    ASSERT_TRUE(write(store_, commit));
  }
  ASSERT_TRUE(write(store_, creation(run_id(9))));
  RunRow ended = *store_.get_run(run_id(5));
  ASSERT_TRUE(
      write(store_, change_of(ended, [](RunRow& row) { row.status = RunStatus::kFailed; })));
  const auto first = store_.timers({}, 2);
  ASSERT_TRUE(first);
  EXPECT_EQ(text_of(*first), text_of(std::vector<Store::TimerRow>{{at(-5), run_id(4), kTenant},
                                                                  {at(30), run_id(2), kTenant}}));
  EXPECT_EQ(text_of(store_.timers(first->back(), 9)),
            text_of(std::vector<Store::TimerRow>{{at(30), run_id(3), kTenant},
                                                 {at(50), run_id(1), kTenant}}));
  RunRow moved = *store_.get_run(run_id(1));
  ASSERT_TRUE(write(store_, change_of(moved, [](RunRow& row) { row.wake_at.reset(); })));
  EXPECT_EQ(store_.timers({}, 9)->size(), 3U);
}

TEST_P(StoreContract, ARecordIsCreatedChangedAndErasedAgainstItsVersion) {
  Record record = record_of(1, std::string("k\0y", 3));
  ASSERT_TRUE(write(store_, record_commit(record, 0)));
  EXPECT_EQ(code_of(write(store_, record_commit(record, 0))), Code::kConflict);
  record.version = 1;
  EXPECT_EQ(text_of(store_.get_record(record.kind, record.id)), text_of(record));
  EXPECT_EQ(text_of(store_.find_record(record.kind, record.unique_key)), text_of(record));

  const std::string old_key = std::exchange(record.unique_key, "moved");
  record.status = "active";
  ASSERT_TRUE(write(store_, record_commit(record, 1)));
  record.version = 2;
  EXPECT_EQ(code_of(store_.find_record(record.kind, old_key)), Code::kNotFound);
  EXPECT_EQ(text_of(store_.find_record(record.kind, "moved")), text_of(record));

  EXPECT_EQ(code_of(write(store_, erasure(record.kind, record.id, 1))), Code::kConflict);
  EXPECT_TRUE(write(store_, erasure(record.kind, record.id, 2)));
  EXPECT_EQ(code_of(store_.get_record(record.kind, record.id)), Code::kNotFound);
  EXPECT_EQ(code_of(store_.find_record(record.kind, "moved")), Code::kNotFound);
}

TEST_P(StoreContract, AUniqueKeyIsTakenWithinItsKindOnly) {
  ASSERT_TRUE(write(store_, record_commit(record_of(1, "key"), 0)));
  EXPECT_EQ(code_of(write(store_, record_commit(record_of(2, "key", tenant_id(2)), 0))),
            Code::kConflict);
  Record other_kind = record_of(1, "key");
  other_kind.kind = RecordKind::kAgent;
  EXPECT_TRUE(write(store_, record_commit(other_kind, 0)));
}

TEST_P(StoreContract, ChangesOfRecordsInOneCommitHappenInTheirOrder) {
  ASSERT_TRUE(write(store_, record_commit(record_of(1, "key"), 0)));
  // The second may have the key because the first gives it up; the other way round it may not.
  Commit wrong = record_commit(record_of(2, "key"), 0);
  wrong.records.push_back(erasure(RecordKind::kWorkflow, record_of(1, "").id, 1).records[0]);
  EXPECT_EQ(code_of(write(store_, wrong)), Code::kConflict);
  Commit right = wrong;
  std::swap(right.records[0], right.records[1]);
  EXPECT_TRUE(write(store_, right));
  EXPECT_EQ(store_.find_record(RecordKind::kWorkflow, "key")->id, record_of(2, "").id);
}

TEST_P(StoreContract, ListsOfRecordsAreTheNewestFirstWithFilters) {
  for (std::uint64_t n = 1; n <= 5; ++n) {
    Record record = record_of(n, fmt::format("key {}", n), tenant_id(n == 5 ? 2 : 1));
    record.name = n % 2 == 0 ? "even" : "odd";
    record.status = n == 4 ? "active" : "draft";
    ASSERT_TRUE(write(store_, record_commit(record, 0)));
  }
  const auto numbers = [this](const RecordQuery& query) {
    std::vector<std::uint64_t> out;
    const auto records = store_.list_records(query);
    for (const auto& record : *records) out.push_back(record.id.high);
    return out;
  };
  using Numbers = std::vector<std::uint64_t>;
  RecordQuery query;
  query.kind = RecordKind::kWorkflow;
  query.tenant = kTenant;
  EXPECT_EQ(numbers(query), (Numbers{4, 3, 2, 1}));
  query.limit = 2;
  query.before = Id{4, 3};
  EXPECT_EQ(numbers(query), (Numbers{3, 2}));
  query = {};
  query.kind = RecordKind::kWorkflow;
  query.tenant = kTenant;
  query.name = "even";
  EXPECT_EQ(numbers(query), (Numbers{4, 2}));
  query.status = "draft";
  EXPECT_EQ(numbers(query), (Numbers{2}));
  query.kind = RecordKind::kAgent;
  EXPECT_EQ(numbers(query), Numbers{});
}

TEST_P(StoreContract, TasksAreReplacedErasedAndListedOldestFirst) {
  Commit commit;
  for (std::uint64_t n = 3; n >= 1; --n) {
    TaskRow& row = commit.tasks.emplace_back().row;
    row = {TaskId{{n, 0}}, kTenant, AgentId{{1, n}}, run_id(n), "step", 2, at(7), {}, ""};
  }
  ASSERT_TRUE(write(store_, commit));
  TaskRow claimed = commit.tasks[1].row;
  claimed.lease_expires_at = at(99);
  claimed.lease_token_hash = std::string(32, '\0');
  Commit next;
  next.tasks.push_back({claimed, false});
  next.tasks.push_back({TaskRow{}, true});
  next.tasks.back().row.id = TaskId{{1, 0}};
  next.tasks.push_back({TaskRow{}, true});
  next.tasks.back().row.id = TaskId{{77, 0}};  // is not there: nothing to do
  ASSERT_TRUE(write(store_, next));
  EXPECT_EQ(text_of(store_.get_task(claimed.id)), text_of(claimed));
  EXPECT_EQ(text_of(store_.tasks({}, 9)), text_of(std::vector{claimed, commit.tasks[0].row}));
  EXPECT_EQ(text_of(store_.tasks({}, 1)), text_of(std::vector{claimed}));
  EXPECT_EQ(text_of(store_.tasks(claimed.id, 9)), text_of(std::vector{commit.tasks[0].row}));
}

TEST_P(StoreContract, AnAnswerIsKeptUntilItExpires) {
  const auto keep = [this](std::string text, Time expires_at, Time stored_at) {
    Commit commit;
    commit.answer = answer_of(std::string(32, '\0'), std::move(text), expires_at, stored_at);
    return write(store_, commit);
  };
  const std::string key(32, '\0');
  ASSERT_TRUE(keep("first", at(100), at(1)));
  EXPECT_EQ(code_of(keep("second", at(200), at(99))), Code::kConflict);
  EXPECT_EQ(store_.find_answer(key, at(99))->answer, "first");
  EXPECT_EQ(code_of(store_.find_answer(key, at(100))), Code::kNotFound);
  ASSERT_TRUE(keep("second", at(200), at(100)));
  EXPECT_EQ(store_.find_answer(key, at(100))->answer, "second");
  EXPECT_EQ(*store_.drop_expired_answers(at(199), 10), 0U);
  EXPECT_EQ(*store_.drop_expired_answers(at(200), 10), 1U);
  ASSERT_TRUE(keep("third", at(300), Time{}));
}

TEST_P(StoreContract, ExpiredAnswersAreDroppedAFewAtATime) {
  for (int i = 0; i < 5; ++i) {
    Commit commit;
    commit.answer = answer_of(fmt::format("key {}", i), "", at(i), Time{});
    ASSERT_TRUE(write(store_, commit));
  }
  EXPECT_EQ(*store_.drop_expired_answers(at(3), 3), 3U);
  EXPECT_EQ(*store_.drop_expired_answers(at(3), 3), 1U);
  EXPECT_EQ(*store_.drop_expired_answers(at(3), 3), 0U);
  EXPECT_TRUE(store_.find_answer("key 4", at(0)));
}

TEST_P(StoreContract, AFactIsWrittenOnce) {
  ASSERT_TRUE(store_.put_meta("origin", "avow.local"));
  EXPECT_TRUE(store_.put_meta("origin", "avow.local"));
  EXPECT_EQ(code_of(store_.put_meta("origin", "other")), Code::kConflict);
  EXPECT_EQ(*store_.get_meta("origin"), "avow.local");
}

TEST_P(StoreContract, DoneIsNeverCalledInsideCommit) {
  // Were it, this thread would wait for itself: the mutex is not recursive.
  std::mutex mutex;
  std::promise<void> all;
  int answers = 0;
  const auto done = [&](const Result<void>&) {
    const std::lock_guard lock(mutex);
    if (++answers == 3) all.set_value();
  };
  {
    const std::lock_guard lock(mutex);
    store_.commit(creation(run_id(1)), done);
    store_.commit(creation(RunId{}), done);  // refused for its form
    Commit large = creation(run_id(2));
    large.run->row.summary.resize(2 * kQueueBytesMax);  // refused for its size
    store_.commit(std::move(large), done);
  }
  all.get_future().wait();
}

TEST_P(StoreContract, TheQueueIsBoundedInBytes) {
  // The first commit's `done` holds up the store, so that what follows must wait in the queue.
  std::promise<void> entered;
  std::promise<void> release;
  store_.commit(creation(run_id(1)), [&](const Result<void>& done) {
    EXPECT_TRUE(done);
    entered.set_value();
    release.get_future().wait();
  });
  entered.get_future().wait();
  std::vector<std::promise<Result<void>>> promises(3);
  for (std::size_t i = 0; i < promises.size(); ++i) {
    Commit commit = creation(run_id(10 + i));
    commit.run->row.summary.resize(kQueueBytesMax * 2 / 5);
    store_.commit(std::move(commit),
                  [&, i](Result<void> done) { promises[i].set_value(std::move(done)); });
  }
  EXPECT_GT(store_.figures().queue_bytes, kQueueBytesMax / 2);
  EXPECT_LE(store_.figures().queue_bytes, kQueueBytesMax);
  release.set_value();
  EXPECT_TRUE(promises[0].get_future().get());
  EXPECT_TRUE(promises[1].get_future().get());
  EXPECT_EQ(code_of(promises[2].get_future().get()), Code::kResourceExhausted);
  EXPECT_TRUE(write(store_, creation(run_id(12))));
  EXPECT_EQ(store_.figures().queue_bytes, 0U);
}

TEST_P(StoreContract, StopWritesWhatWaitsAndRefusesMore) {
  std::atomic<int> written = 0;
  for (std::uint64_t n = 1; n <= 100; ++n) {
    store_.commit(creation(run_id(n)), [&](const Result<void>& done) { written += done ? 1 : 0; });
  }
  store_.stop();
  EXPECT_EQ(written, 100);
  EXPECT_EQ(store_.figures().commits, 100U);
  EXPECT_EQ(code_of(write(store_, creation(run_id(200)))), Code::kUnavailable);
  EXPECT_EQ(code_of(store_.put_meta("a", "b")), Code::kUnavailable);
  EXPECT_EQ(code_of(store_.health()), Code::kUnavailable);
  store_.stop();
}

TEST_P(StoreContract, AStoreThatCanBeWrittenIsHealthy) { EXPECT_TRUE(store_.health()); }

// Each run's two segments are written together; so no reader may see one of them alone, nor a
// version that does not fit.
TEST_P(StoreContract, ManyThreadsSeeEachCommitWholeOrNotAtAll) {
  constexpr std::uint64_t kWriters = 4;
  constexpr std::uint32_t kCommits = 60;
  std::atomic<std::uint64_t> running = kWriters;
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 1; writer <= kWriters; ++writer) {
    threads.emplace_back([&, writer] {
      RunRow row = creation(run_id(writer)).run->row;
      row.version = 0;
      for (std::uint32_t seq = 1; seq <= kCommits; ++seq) {
        Commit commit = change_of(row, [](RunRow&) {});
        commit.run->journal = Segment{seq, 1, fmt::format("j{}", seq)};
        commit.run->contents = Segment{seq, 1, fmt::format("c{}", seq)};
        EXPECT_TRUE(write(store_, std::move(commit)));
        EXPECT_EQ(store_.get_run(run_id(writer))->version, seq);  // reads its own write
      }
      --running;
    });
  }
  for (int reader = 0; reader < 3; ++reader) {
    threads.emplace_back([&] {
      while (running > 0) {
        for (std::uint64_t writer = 1; writer <= kWriters; ++writer) {
          const auto run = store_.read_run(run_id(writer));
          if (!run) continue;
          EXPECT_EQ(run->row.version, run->journal.size());
          EXPECT_EQ(run->row.version, run->contents.size());
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(store_.figures().commits, kWriters * kCommits);
}

}  // namespace
}  // namespace avow::store
