// SPDX-License-Identifier: Apache-2.0
// The memory store as the oracle of the others, which share no code with it but the check of form.
#include <gtest/gtest.h>

#include "base/rng.h"
#include "store/store_test_support.h"

namespace avow::store {
namespace {

/// Random commits and reads over few ids and keys, so that they often meet.
class Deck {
 public:
  explicit Deck(std::uint64_t seed) : rng_(seed) {}

  Commit commit(Store& model) {
    Commit commit;
    if (one_in(2)) commit.run = run_change(model);
    while (one_in(4)) commit.records.push_back(record_change(model));
    while (one_in(4)) {
      commit.tasks.push_back(
          {{TaskId{{1 + rng_.below(6), 0}}, tenant(), AgentId{{1, 1}}, run_id(1 + rng_.below(5)),
            word(), static_cast<std::uint32_t>(rng_.below(9)), time(), maybe_time(), word()},
           one_in(3)});
    }
    if (one_in(5)) {
      commit.answer = answer_of(word(), word(), time(), time());
      if (one_in(2)) commit.answer->run = run_id(1 + rng_.below(20));
    }
    while (one_in(3)) {
      commit.statements.push_back(statement_of(word(), tenant(), Id{1 + rng_.below(6), 0},
                                               static_cast<std::uint8_t>(rng_.below(3))));
      if (one_in(3)) commit.statements.back().contents = word();
    }
    return commit;
  }

  /// What both stores answer to the same questions; `salt` draws them.
  std::string view(Store& store, std::uint64_t salt) {
    SeededRng rng(salt);
    std::swap(rng, rng_);
    std::string out;
    const auto add = [&out](const auto& result) { out += text_of(result) + "\n--\n"; };
    RunQuery runs;
    runs.tenant = tenant();
    if (one_in(3)) runs.status = static_cast<RunStatus>(1 + rng_.below(4));
    if (one_in(3)) runs.workflow = WorkflowId{{rng_.below(2), 1}};
    if (one_in(3)) runs.agent = AgentId{{rng_.below(2), 1}};
    if (one_in(3)) runs.created_after = time();
    if (one_in(3)) runs.created_before = time();
    if (one_in(3)) runs.before = run_id(1 + rng_.below(20));
    while (one_in(3)) runs.labels.emplace_back(word(), word());
    runs.limit = rng_.below(6);
    add(store.list_runs(runs));
    RecordQuery records;
    records.kind = static_cast<RecordKind>(1 + rng_.below(2));
    records.tenant = tenant();
    if (one_in(3)) records.name = word();
    if (one_in(3)) records.status = word();
    if (one_in(3)) records.before = Id{1 + rng_.below(6), 0};
    records.limit = rng_.below(6);
    add(store.list_records(records));
    add(store.find_record(records.kind, word()));
    const RunId run = run_id(1 + rng_.below(20));
    add(store.read_run(run));
    add(store.read_journal(run, static_cast<std::uint32_t>(rng_.below(8)), rng_.below(4)));
    add(store.active_runs(run, rng_.below(9)));
    add(store.timers({}, 100));
    add(store.timers(Store::TimerRow{time(), run, tenant()}, rng_.below(5)));
    add(store.tasks(TaskId{{rng_.below(4), 0}}, rng_.below(5)));
    add(store.find_answer(word(), time()));
    StatementQuery statements;
    statements.tenant = tenant();
    if (one_in(3)) statements.kind = static_cast<std::uint8_t>(rng_.below(3));
    statements.after = rng_.below(20);
    if (one_in(3)) statements.before = rng_.below(40);
    statements.is_newest_first = one_in(2);
    statements.limit = rng_.below(6);
    add(store.list_statements(statements));
    add(store.find_statement(Id{1 + rng_.below(6), 0}));
    add(store.read_log(1, rng_.below(40), rng_.below(6)));
    add(store.get_log_tile(1, 0, rng_.below(9)));
    add(store.newest_log_head());
    std::swap(rng, rng_);
    return out;
  }

  bool one_in(std::uint64_t n) { return rng_.below(n) == 0; }
  std::uint64_t next() { return rng_.next(); }
  Time time() { return at(static_cast<std::int64_t>(rng_.below(10))); }

 private:
  std::string word() { return std::string(1, static_cast<char>('a' + rng_.below(5))); }
  TenantId tenant() { return tenant_id(1 + rng_.below(2)); }
  std::optional<Time> maybe_time() {
    if (one_in(2)) return std::nullopt;
    return time();
  }

  RunChange run_change(Store& model) {
    RunChange change;
    RunRow& row = change.row;
    row.id = run_id(1 + rng_.below(20));
    const auto found = model.read_run(row.id);
    change.expected_version = found ? found->row.version : 0;
    if (one_in(10)) change.expected_version += rng_.below(2);
    row.version = change.expected_version + 1;
    row.tenant = tenant();
    row.status = one_in(2) ? RunStatus::kRunning : static_cast<RunStatus>(1 + rng_.below(4));
    if (one_in(2)) row.workflow = WorkflowId{{rng_.below(2), 1}};
    if (one_in(2)) row.agent = AgentId{{rng_.below(2), 1}};
    row.created_at = time();
    row.wake_at = maybe_time();
    row.is_parked = one_in(3);
    row.summary = word();
    if (change.expected_version == 0) {
      if (one_in(2)) change.plan = word();
      while (one_in(2)) change.labels.emplace_back(word(), word());
    }
    if (found && (found->row.status != RunStatus::kRunning || one_in(10)) && one_in(2)) {
      change.replaced.emplace();
      if (one_in(2)) change.replaced->push_back({1, 1, word()});
      if (one_in(2)) change.plan = word();
      if (!one_in(10)) row.status = found->row.status;
      return change;
    }
    if (one_in(2)) {
      std::uint32_t next = 1;
      if (found && !found->journal.empty()) {
        next = found->journal.back().first_seq + found->journal.back().count;
      }
      if (one_in(10)) ++next;
      change.journal = Segment{next, static_cast<std::uint32_t>(1 + rng_.below(3)), word()};
      if (one_in(2)) change.contents = Segment{next, 1, word()};
    }
    return change;
  }

  RecordChange record_change(Store& model) {
    RecordChange change;
    Record& record = change.record;
    record.kind = static_cast<RecordKind>(1 + rng_.below(2));
    record.id = {1 + rng_.below(6), 0};
    const auto found = model.get_record(record.kind, record.id);
    change.expected_version = found ? found->version : 0;
    if (one_in(10)) change.expected_version += rng_.below(2);
    record.version = change.expected_version + 1;
    record.tenant = tenant();
    record.unique_key = word();
    record.name = word();
    record.status = word();
    record.body = word();
    change.erase = one_in(5);
    return change;
  }

  SeededRng rng_;
};

TEST(Stores, AnswerAlikeWhateverIsWritten) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    FakeLog memory_log;
    FakeLog sqlite_log;
    Bench memory("memory", std::size_t{1} << 20);
    Bench sqlite("sqlite", std::size_t{1} << 20);
    memory.store().set_hook(memory_log);
    sqlite.store().set_hook(sqlite_log);
    Deck deck(seed);
    int refused = 0;
    for (int i = 0; i < 100; ++i) {
      SCOPED_TRACE(fmt::format("operation {}", i));
      const Commit commit = deck.commit(memory.store());
      const auto modelled = write(memory.store(), commit);
      const auto written = write(sqlite.store(), commit);
      ASSERT_EQ(modelled.has_value(), written.has_value());
      if (!modelled) {
        ASSERT_EQ(modelled.error().code, written.error().code);
      }
      refused += modelled ? 0 : 1;
      if (deck.one_in(10)) {
        const Time now = deck.time();
        ASSERT_EQ(*memory.store().drop_expired_answers(now, 100),
                  *sqlite.store().drop_expired_answers(now, 100));
      }
      const std::uint64_t salt = deck.next();
      ASSERT_EQ(deck.view(memory.store(), salt), deck.view(sqlite.store(), salt));
    }
    EXPECT_EQ(memory_log.calls, sqlite_log.calls);
    EXPECT_GT(refused, 5);
    EXPECT_LT(refused, 80);
  }
}

}  // namespace
}  // namespace avow::store
