// SPDX-License-Identifier: Apache-2.0
// The engine in a hostile world: random workflows and agents of several tenants, calls that fail,
// answer late or not at all, a store that refuses commits or loses their answers, and a process
// that is killed at any moment. Afterwards the faults stop, and every promise is checked.
// Reproduce a failure with AVOW_SIMULATION_SEED=<seed>.
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "base/log.h"
#include "crypto/sha256.h"
#include "log_promises.h"
#include "promises.h"
#include "random_plans.h"

namespace avow::engine {
namespace {

using testing::CommitFault;
using testing::EngineWorld;
using testing::ScriptedRunner;

constexpr std::uint64_t kSeeds = 2'000;
constexpr std::uint64_t kTenants = 3;

/// Answers calls, and commits, by chance until `is_calm`.
class HostileWorld {
 public:
  explicit HostileWorld(std::uint64_t seed) : chance_(seed) {}

  ScriptedRunner::Answer answer(const Call& call) {
    const Duration delay(is_calm ? 5 : static_cast<std::int64_t>(1 + chance_.below(20'000)));
    if (!is_calm && chance_.below(4) == 0) {
      static const std::pair<const char*, const char*> kErrors[] = {
          {"HTTP_503", "5xx"},
          {"HTTP_400", ""},
          {"TRANSPORT_ERROR", "transport"},
          {"HTTP_429", "429"}};
      const auto& [code, retry_class] = kErrors[chance_.below(4)];
      return testing::fail(code, retry_class, delay);
    }
    json::Value value = json::Object{{"status", 200}, {"body", call.id.key()}};
    if (call.kind == CallKind::kModel) {
      value = json::Object{{"text", "words"}, {"finish_reason", "stop"}};
      if (chance_.below(3) == 0) value.set("tool_calls", asked_tools());
      if (chance_.below(2) == 0)
        value.set("json", json::Object{{"decision", chance_.below(2) == 0 ? "high" : "odd"},
                                       {"reason", "so"}});
    }
    return testing::succeed(std::move(value), delay);
  }

  CommitFault commit() {
    if (is_calm || chance_.below(12) > 0) return CommitFault::kNone;
    static constexpr CommitFault kFaults[] = {CommitFault::kRefused, CommitFault::kFull,
                                              CommitFault::kLost, CommitFault::kLostButDone};
    return kFaults[chance_.below(4)];
  }

  bool refuses_read() { return !is_calm && chance_.below(10) == 0; }

  bool is_calm = false;

 private:
  json::Array asked_tools() {
    json::Array asked;
    const std::uint64_t count = 1 + chance_.below(3);
    for (std::uint64_t i = 0; i < count; ++i) {
      asked.emplace_back(json::Object{{"id", std::to_string(i)},
                                      {"name", chance_.below(4) == 0 ? "nothing" : "look"},
                                      {"arguments", json::Object()}});
    }
    return asked;
  }

  SeededRng chance_;
};

void work_for_a_while(EngineWorld& world) {
  world.engine->poll_tasks(
      world.agent, 5, world.scheduler.now() + std::chrono::seconds(1), "key:worker", {},
      [&world](const std::vector<TakenTask>& taken) {
        for (const TakenTask& task : taken) {
          const std::string hash = to_hex(view_of(crypto::sha256(task.lease_token)));
          const TaskName name{task.grant.step, task.grant.attempt, {}};
          if (world.scheduler.chance().below(4) == 0) continue;  // this worker dies
          if (world.scheduler.chance().below(5) == 0) {
            world.tell(task.grant.run,
                       TaskFinished{name, hash, TaskError{"WORKER_FAILED", "no", true}});
          } else {
            world.tell(task.grant.run, TaskFinished{name, hash, json::Value("worked")});
          }
        }
      });
}

/// Event types seen over all seeds: the world must be hostile enough to bring about each of them.
std::set<std::string>& seen() {
  static std::set<std::string> types;
  return types;
}

/// The runs, and those that came of them.
std::vector<EngineWorld::Started> with_children(EngineWorld& world,
                                                std::vector<EngineWorld::Started> runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!world.store.get_run(runs[i].id)) continue;
    for (const Event& event : world.events(runs[i].id)) {
      if (event.type != "effect.started" || event.data.string_or("kind") != "run") continue;
      runs.push_back({RunId{*parse_id(event.data.string_or("child"))},
                      std::make_shared<std::optional<Result<Outcome>>>()});
    }
  }
  return runs;
}

void no_run_is_nobodys(EngineWorld& world, const std::vector<EngineWorld::Started>& runs) {
  std::set<RunId> known;
  for (const auto& run : runs) known.insert(run.id);
  for (std::uint64_t tenant = 1; tenant <= kTenants; ++tenant) {
    store::RunQuery query;
    query.tenant = TenantId{Id{tenant, 1 << 20}};
    query.limit = 10'000;
    const auto rows = world.store.list_runs(query);
    ASSERT_TRUE(rows);
    for (const store::RunRow& row : *rows) EXPECT_TRUE(known.contains(row.id)) << row.id.ulid();
  }
}

/// Workflows that steps of random plans start; "nobody" is none.
void write_child_workflows(EngineWorld& world, SeededRng& chance) {
  auto& plans = world.children.plans;
  plans["pure"] = testing::plan_of(
      R"([{"name":"t","type":"transform","config":{"output":{"was":"${{ input.v }}"}}}])");
  plans["slow"] = testing::plan_of(R"([{"name":"w","type":"wait","config":{"seconds":9}}])");
  plans["again"] = testing::plan_of(
      R"([{"name":"a","type":"orchestration","config":{"workflow":"again"},"on_failure":"skip"}])");
  plans["random"] = RandomPlan(chance, world.agent, true).make();
}

EngineWorld::Started start_one(EngineWorld& world, SeededRng& chance) {
  const json::Value plan = chance.below(4) == 0 ? random_agent_run(chance, world.agent)
                                                : RandomPlan(chance, world.agent).make();
  const TenantId tenant{Id{1 + chance.below(kTenants), 1 << 20}};
  return world.start(
      plan,
      [&chance](Start& start) {
        start.timeout_seconds = 600;
        start.max_steps = chance.below(5) == 0 ? 3 : 30;
        start.input = json::Object{{"n", static_cast<std::int64_t>(chance.below(10))}};
      },
      tenant);
}

void live_until_the_kill(EngineWorld& world, SeededRng& chance,
                         const std::vector<EngineWorld::Started>& runs) {
  work_for_a_while(world);
  if (chance.below(3) == 0) {
    // Between two tasks of one moment: a commit may be written and its answer lost.
    for (std::uint64_t tasks = chance.below(40);
         tasks > 0 && world.scheduler.step(world.scheduler.now() + std::chrono::seconds(5));
         --tasks) {
    }
  } else {
    world.scheduler.run_for(Duration(static_cast<std::int64_t>(chance.below(15'000))));
  }
  if (chance.below(4) == 0) {
    const auto all = with_children(world, runs);
    world.tell(all[chance.below(all.size())].id, CancelRequested{"key:test", "enough"});
    world.scheduler.run_for(Duration(static_cast<std::int64_t>(chance.below(3))));
  }
}

/// What the log was told from the first moment on: nothing of it is ever taken back.
void the_log_is_sound(EngineWorld& world, const std::vector<EngineWorld::Started>& runs) {
  for (const ToldRun& run : told_runs(world, runs)) {
    EXPECT_EQ(a_finished_run_has_one_proof(run), std::nullopt) << run.row.id.ulid();
    EXPECT_EQ(statements_only_grow(run), std::nullopt) << run.row.id.ulid();
  }
  const auto log = world.log();
  EXPECT_EQ(every_tenant_has_one_chain(log), std::nullopt);
  if (const auto head = world.store.newest_log_head()) {
    EXPECT_EQ(the_head_is_the_tree(*head, log), std::nullopt);
  }
}

/// Where no fault delays a commit.
void no_old_run_is_unstated(EngineWorld& world, const std::vector<EngineWorld::Started>& runs) {
  world.scheduler.run_due();
  for (const auto& run : runs) {
    const auto row = world.store.get_run(run.id);
    if (!row) continue;
    const bool is_stated = world.store.find_statement(run.id.value).has_value();
    EXPECT_EQ(a_run_of_a_second_is_stated(*row, is_stated, world.scheduler.now()), std::nullopt)
        << run.id.ulid();
  }
}

/// Where a call leaves a process that is not the first.
void what_is_in_doubt_is_stated(EngineWorld& world, RunId run) {
  const auto newest = world.store.find_statement(run.value);
  const auto statement = newest ? provenance::decode_statement(newest->statement) : newest.error();
  const auto journal = world.store.read_journal(run, 0, store::kSeqMax);
  ASSERT_TRUE(journal);
  EXPECT_EQ(doubt_is_stated(events_in(*journal), statement ? statement->events : 0), std::nullopt)
      << run.ulid();
}

void simulate(std::uint64_t seed) {
  HostileWorld outside(seed * 7 + 1);
  EngineWorld* its = nullptr;
  EngineWorld world(
      [&](const Call& call) {
        if (!its->made_before.empty()) what_is_in_doubt_is_stated(*its, call.id.run);
        return outside.answer(call);
      },
      seed,
      {.steps_in_flight_per_tenant_max = 1 + static_cast<std::size_t>(seed % 5),
       .steps_in_flight_max = 1 + static_cast<std::size_t>(seed % 8)});
  its = &world;
  SeededRng chance(seed * 13 + 5);
  const bool has_faults = seed % 2 == 0;
  if (has_faults) {
    world.faults.script = [&outside](const store::Commit&) { return outside.commit(); };
    world.faults.is_read_refused = [&outside] { return outside.refuses_read(); };
    world.children.is_unavailable = [&outside] { return outside.refuses_read(); };
  }
  write_child_workflows(world, chance);
  std::vector<EngineWorld::Started> runs;
  for (int i = 0; i < 5; ++i) runs.push_back(start_one(world, chance));
  for (std::uint64_t kills = chance.below(6); kills > 0; --kills) {
    live_until_the_kill(world, chance, runs);
    if (!has_faults) no_old_run_is_unstated(world, with_children(world, runs));
    world.crash_and_restart();
  }
  live_until_the_kill(world, chance, runs);
  outside.is_calm = true;
  const int calm = has_faults ? 31 : 0;  // of two seconds
  for (int i = 0; i < 400; ++i) {
    work_for_a_while(world);
    world.scheduler.run_for(std::chrono::seconds(2));
    // A statement that failed again and again is tried again after a minute at most.
    if (i >= calm && i < calm + 20) no_old_run_is_unstated(world, runs);
  }
  runs = with_children(world, std::move(runs));
  no_run_is_nobodys(world, runs);
  the_log_is_sound(world, runs);
  for (const auto& run : runs) {
    if (!world.store.get_run(run.id)) {
      EXPECT_FALSE(run.is_acknowledged()) << "an acknowledged run is lost";
      continue;
    }
    const auto events = world.events(run.id);
    ASSERT_TRUE(is_run_end(events.back().type))
        << run.id.ulid() << " did not end; last event " << events.back().type;
    for (const Event& event : events) seen().insert(event.type);
    every_promise_holds(world, run.id, events);
  }
  EXPECT_EQ(world.engine->figures().tasks, 0U) << "a task outlived its run";
  EXPECT_EQ(world.engine->figures().calls_in_flight, 0U) << "a slot leaked";
  EXPECT_EQ(world.engine->figures().runs_waiting_for_slots, 0U) << "a wait leaked";
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U) << "an ended run stayed in memory";
}

TEST(Simulation, EveryPromiseHoldsForEverySeed) {
  log::start(log::Level::kOff);
  if (const char* one = std::getenv("AVOW_SIMULATION_SEED")) {
    simulate(std::strtoull(one, nullptr, 10));
    return;
  }
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    simulate(seed);
    if (HasFailure()) FAIL() << "AVOW_SIMULATION_SEED=" << seed;
  }
  for (const char* type :
       {"run.started",    "step.started",         "effect.started",    "llm.called",
        "tool.called",    "decision.made",        "guardrail.checked", "effect.in_doubt",
        "timer.armed",    "task.offered",         "task.claimed",      "step.retrying",
        "step.completed", "step.failed",          "step.skipped",      "step.cancelled",
        "child.finished", "run.cancel_requested", "run.completed",     "run.failed",
        "run.cancelled"}) {
    EXPECT_TRUE(seen().contains(type)) << type << " never happened";
  }
}

}  // namespace
}  // namespace avow::engine
