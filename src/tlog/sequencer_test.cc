// SPDX-License-Identifier: Apache-2.0
#include "tlog/sequencer.h"

#include <atomic>
#include <future>
#include <thread>

#include "store/store_test_support.h"
#include "tlog/sequencer_for_tests.h"

namespace avow::tlog {
namespace {

using provenance::StatementType;

std::vector<store::LogEntry> all_entries(store::Store& store, std::uint32_t log = 1) {
  return *store.read_log(log, 0, 100'000);
}

TEST(Sequencer, BeginsALogWithItsGenesis) {
  LogWorld world;
  EXPECT_EQ(world.sequencer->head(), nullptr);
  world.grow(1);
  const auto entries = all_entries(world.store);
  ASSERT_EQ(entries.size(), 2U);
  const auto genesis = provenance::decode_statement(entries[0].statement);
  ASSERT_TRUE(genesis);
  EXPECT_EQ(genesis->type, StatementType::kLogGenesis);
  EXPECT_TRUE(genesis->tenant.is_zero());
  EXPECT_EQ(genesis->origin, kOrigin);
  EXPECT_EQ(genesis->log_keys, world.keys.log_keys());
  EXPECT_TRUE(provenance::has_valid_signatures(*genesis));
  EXPECT_EQ(genesis->keys, (std::vector<provenance::StatementKey>{
                               {0, {}, world.keys.statements.public_key().spki_der()}}));
  EXPECT_EQ(genesis->created_at, world.scheduler.now());
  EXPECT_FALSE(genesis->old_head);
  EXPECT_EQ(world.sequencer->head()->keys_index, 0U);
  EXPECT_EQ(*newest_origin(world.store), kOrigin);
}

TEST(Sequencer, GivesEveryTypeItsOwnNumber) {
  std::set<std::uint8_t> numbers;
  for (int type = 0; type <= static_cast<int>(StatementType::kJournalRetired); ++type) {
    numbers.insert(kind_of(static_cast<StatementType>(type)));
  }
  EXPECT_EQ(numbers.size(), 10U);
}

// The oracle is RFC 6962's recursive tree over the entries that were stored.
TEST(Sequencer, MakesTheTreeOfEverySizeUpTo600) {
  LogWorld world;
  for (std::uint64_t size = 2; size <= 600; ++size) {
    world.grow(1);
    const auto head = world.sequencer->head();
    ASSERT_EQ(head->checkpoint.size, size);
    expect_right_tree(world.store, *head, world.keys.log_keys());
    if (::testing::Test::HasFailure()) return;
  }
  expect_right_chains(all_entries(world.store), 0);
}

TEST(Sequencer, MakesTheSameTreeInTransactionsOfAnySizeAndAfterAnyStart) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    LogWorld world;
    SeededRng chance(seed);
    while (world.sequencer->head() == nullptr || world.sequencer->head()->checkpoint.size < 600) {
      world.grow(1 + chance.below(seed * 60));
      if (chance.below(3) == 0) {
        const auto before = world.sequencer->head();
        world.open(static_cast<int>(chance.below(3)));
        const auto after = world.sequencer->head();
        ASSERT_FALSE(world.sequencer->sealed()) << *world.sequencer->sealed();
        ASSERT_NE(after, nullptr);
        EXPECT_EQ(after->checkpoint, before->checkpoint);
        EXPECT_EQ(after->note, before->note);
        EXPECT_EQ(after->keys_index, before->keys_index);
        EXPECT_EQ(after->edge, before->edge);
        EXPECT_EQ(after->range.nodes(), before->range.nodes());
      }
      expect_right_tree(world.store, *world.sequencer->head(), world.keys.log_keys());
      if (::testing::Test::HasFailure()) return;
    }
    expect_right_chains(all_entries(world.store), 0);
  }
}

TEST(Sequencer, LeavesNoTraceOfTransactionsThatFailedOrWereRefused) {
  LogWorld world;
  SeededRng chance(17);
  std::size_t expected = 1;  // the genesis
  for (int round = 0; round < 120; ++round) {
    const auto before = world.sequencer->head();
    const std::uint64_t kind = chance.below(3);
    const std::uint64_t count = 1 + chance.below(9);
    store::Commit commit;
    for (std::uint64_t i = 0; i < count; ++i) {
      commit.statements.push_back(
          queued(change(chance.below(5), static_cast<std::uint64_t>(round))));
    }
    if (kind == 0) world.hook->failures = 1;
    if (kind == 1) {  // a version that is not there, with statements
      commit = store::creation(store::run_id(static_cast<std::uint64_t>(round)));
      commit.run->expected_version = 7;
      commit.run->row.version = 8;
      commit.statements = {queued(change(1, 1))};
    }
    const auto done = world.commit(std::move(commit));
    if (kind == 2) {
      ASSERT_TRUE(done) << done.error().message;
      expected += count;
    } else {
      EXPECT_FALSE(done);
      EXPECT_EQ(world.sequencer->head(), before);
    }
    const auto entries = all_entries(world.store);
    EXPECT_EQ(entries.size(), world.sequencer->head() == nullptr ? 0 : expected);
  }
  expect_right_tree(world.store, *world.sequencer->head(), world.keys.log_keys());
  expect_right_chains(all_entries(world.store), 0);
}

TEST(Sequencer, KeepsWhatStandsBesideAStatement) {
  LogWorld world;
  provenance::Content content{{0, "record"}, provenance::filled(3), json::Value("secret")};
  provenance::Statement s = change(1, 1);
  s.record = provenance::commitment(content.value, content.salt);
  ASSERT_TRUE(world.commit({queued(s, {content})}));
  const auto found = world.store.find_statement(s.id);
  ASSERT_TRUE(found);
  const auto contents = provenance::decode_contents(found->contents);
  ASSERT_TRUE(contents);
  ASSERT_EQ(contents->size(), 1U);
  EXPECT_EQ(contents->at(0).ref.member, "record");
  EXPECT_EQ(contents->at(0).value, content.value);
}

TEST(Sequencer, MakesEntriesWhoseReceiptsAreValid) {
  LogWorld world;
  for (int i = 0; i < 9; ++i) {
    world.grow(1 + static_cast<std::uint64_t>(i) * 7);
    const auto entries = all_entries(world.store);
    const auto head = world.sequencer->head();
    for (std::uint64_t index = 0; index < entries.size(); index += 1 + index / 2) {
      const auto verified = provenance::verify(receipt_of(entries, index, *head),
                                               provenance::Trust{world.keys.log_keys(), {}});
      EXPECT_EQ(verified.verdict, provenance::Verdict::kValid) << index;
      const auto other = provenance::verify(receipt_of(entries, index, *head),
                                            provenance::Trust{test_keys(2).log_keys(), {}});
      EXPECT_EQ(other.verdict, provenance::Verdict::kKeyUntrusted);
    }
  }
}

TEST(Sequencer, HasANewHeadExactlyWhereStatementsWereCommitted) {
  LogWorld world;
  world.grow(2);
  const auto first = world.sequencer->head();
  EXPECT_EQ(first->checkpoint.size, 3U);
  ASSERT_TRUE(world.commit(store::creation(store::run_id(1))));  // no statement, no head
  EXPECT_EQ(world.sequencer->head(), first);
  world.hook->failures = 1;
  EXPECT_FALSE(world.commit({queued(change(1, 1))}));
  EXPECT_EQ(world.sequencer->head(), first);
  world.grow(3);
  EXPECT_EQ(world.sequencer->head()->checkpoint.size, 6U);
}

TEST(Sequencer, SealedSignsNothingAndLetsNothingBeWritten) {
  LogWorld world;
  world.grow(3);
  const auto before = world.sequencer->head();
  world.sequencer->seal("an old copy");
  world.sequencer->seal("something else");
  EXPECT_EQ(world.sequencer->sealed(), "an old copy");
  for (auto commit : {store::creation(store::run_id(1)), store::Commit{}}) {
    commit.statements = {queued(change(1, 1))};
    const auto done = world.commit(std::move(commit));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::kUnavailable);
    EXPECT_NE(done.error().message.find("an old copy"), std::string::npos);
  }
  EXPECT_FALSE(world.commit(store::creation(store::run_id(2))));  // nor without a statement
  EXPECT_EQ(world.sequencer->head(), before);
  EXPECT_EQ(all_entries(world.store).size(), 4U);
  EXPECT_FALSE(world.store.get_run(store::run_id(1)));
}

TEST(Sequencer, WhosePlaceInTheLogIsTakenByAnotherIsSealed) {
  LogWorld world;
  world.grow(2);
  const auto stale = std::move(world.sequencer);
  world.open();
  world.grow(2);
  world.store.set_hook(*stale);
  const auto done = world.commit({queued(change(7, 1))});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_TRUE(stale->sealed());
  EXPECT_EQ(all_entries(world.store).size(), 5U);
}

// Real threads, and a store that commits in groups: for the thread sanitizer too.
TEST(Sequencer, KnowsStatementsAboutRunsByTheNumbersThatStoresListApart) {
  using provenance::StatementType;
  const std::array<std::uint8_t, 3> of_runs = {kind_of(StatementType::kRunFinished),
                                               kind_of(StatementType::kRunOpen),
                                               kind_of(StatementType::kRunProgress)};
  EXPECT_EQ(of_runs, store::kFrequentKinds);
}

TEST(Sequencer, IsReadWhileManyCommit) {
  store::Bench bench("sqlite", std::size_t{64} << 20);
  SystemClock clock;
  SystemRng rng;
  const LogKeys keys = test_keys();
  auto opened = Sequencer::open(bench.store(), keys, clock, rng, {.signing_threads = 3});
  ASSERT_TRUE(opened);
  Sequencer& sequencer = **opened;
  bench.store().set_hook(sequencer);
  constexpr std::uint64_t kThreads = 4;
  constexpr std::uint64_t kEach = 60;
  std::atomic<bool> is_over = false;
  std::thread reader([&] {
    std::uint64_t size = 0;
    while (!is_over) {
      const auto head = sequencer.head();
      if (head == nullptr) continue;
      EXPECT_GE(head->checkpoint.size, size);
      size = head->checkpoint.size;
      EXPECT_EQ(head->range.root(), head->checkpoint.root);
      EXPECT_FALSE(sequencer.sealed());
    }
  });
  std::vector<std::thread> writers;
  writers.reserve(kThreads);
  for (std::uint64_t t = 0; t < kThreads; ++t) {
    writers.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kEach; ++i) {
        store::Commit commit;
        commit.statements = {queued(change(i % 7, t * kEach + i + 1))};
        EXPECT_TRUE(store::write(bench.store(), std::move(commit)));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  is_over = true;
  reader.join();
  const auto head = sequencer.head();
  EXPECT_EQ(head->checkpoint.size, 1 + kThreads * kEach);
  expect_right_tree(bench.store(), *head, keys.log_keys());
  expect_right_chains(all_entries(bench.store()), 0);
  bench.store().stop();
}

}  // namespace
}  // namespace avow::tlog
