// SPDX-License-Identifier: Apache-2.0
// The engine in a hostile world: random workflows, calls that fail, answer late or not at all, and
// a process that is killed at any moment. Afterwards the faults stop, and every promise is checked.
// Reproduce a failure with AVOW_SIMULATION_SEED=<seed>.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "base/log.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"
#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::EngineWorld;
using testing::ScriptedRunner;

constexpr std::uint64_t kSeeds = 2'000;

/// A workflow of 1 to 8 steps of every type that the engine has, with random options and
/// dependencies.
json::Value random_plan(SeededRng& chance, AgentId agent) {
  json::Array steps;
  const std::size_t count = 1 + chance.below(8);
  for (std::size_t i = 0; i < count; ++i) {
    json::Object step{{"name", "s" + std::to_string(i)}};
    json::Array dependencies;
    for (std::size_t d = 0; d < i; ++d) {
      if (chance.below(3) == 0) dependencies.emplace_back("s" + std::to_string(d));
    }
    const std::string value = dependencies.empty()
                                  ? "${{ input }}"
                                  : "${{ steps." + dependencies.back().as_string() + ".status }}";
    switch (chance.below(7)) {
      case 0:
      case 1:
        step.set("type", "webhook");
        step.set("config", json::Object{{"url", "https://example.com/"}, {"body", value}});
        if (chance.below(4) == 0) step.set("on_crash", "fail");
        if (chance.below(3) == 0)
          step.set("timeout_seconds", static_cast<std::int64_t>(1 + chance.below(20)));
        break;
      case 2:
        step.set("type", "llm_inference");
        step.set("config",
                 json::Object{{"model", "m"}, {"prompt", value}, {"tools", json::Array{"look"}}});
        break;
      case 3:
        step.set("type", "agent");
        step.set("agent_id", agent.uuid());
        step.set("config",
                 json::Object{{"action", "work"}, {"parameters", json::Object{{"v", value}}}});
        break;
      case 4:
        step.set("type", "wait");
        step.set("config",
                 json::Object{{"seconds", static_cast<std::int64_t>(1 + chance.below(30))}});
        break;
      default:
        step.set("type", "transform");
        step.set("config", json::Object{{"output", value}});
        break;
    }
    if (chance.below(5) == 0 && !dependencies.empty()) {
      step.set("condition", "steps." + dependencies.front().as_string() + ".status == 'completed'");
    }
    if (chance.below(4) == 0) step.set("on_failure", chance.below(2) == 0 ? "skip" : "continue");
    step.set("depends_on", std::move(dependencies));
    steps.emplace_back(std::move(step));
  }
  auto normalised = workflow::normalise(
      json::Object{{"name", "random"}, {"steps", std::move(steps)}}, testing::AnythingGoes());
  CHECK(std::holds_alternative<workflow::Definition>(normalised));
  return workflow::make_plan(std::get<workflow::Definition>(normalised).body, json::Object(),
                             json::Object{{"look", json::Object{{"name", "look"}}}});
}

/// Answers calls by chance until `is_calm`.
class HostileWorld {
 public:
  explicit HostileWorld(std::uint64_t seed) : chance_(seed) {}

  ScriptedRunner::Answer operator()(const Call& call) {
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
      if (chance_.below(3) == 0) {
        value.set("tool_calls", json::Array{json::Object{
                                    {"id", "1"}, {"name", "look"}, {"arguments", json::Object()}}});
      }
    }
    return testing::succeed(std::move(value), delay);
  }

  bool is_calm = false;

 private:
  SeededRng chance_;
};

// -------------------------------------------------------------------------------------- checkers

void at_most_one_end(const std::vector<Event>& events) {
  std::size_t ends = 0;
  for (const Event& event : events) {
    if (event.type == "run.completed" || event.type == "run.failed" ||
        event.type == "run.cancelled")
      ++ends;
  }
  EXPECT_EQ(ends, 1U);
  EXPECT_TRUE(events.back().type.starts_with("run."))
      << events.back().type << " came after the end";
}

void seq_and_time_never_go_back(const std::vector<Event>& events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].seq, i + 1);
    if (i > 0) {
      EXPECT_GE(events[i].time, events[i - 1].time);
    }
  }
}

void each_step_ends_once_and_starts_after_what_it_depends_on(const std::vector<Event>& events,
                                                             const Plan& plan) {
  std::map<std::string, int> starts;
  std::map<std::string, int> ends;
  for (const Event& event : events) {
    if (event.type == "step.started" && event.attempt == 1) {
      ++starts[event.step];
      for (const std::size_t dependency : plan.steps[plan.find(event.step)].dependencies) {
        EXPECT_EQ(ends[plan.steps[dependency].name], 1)
            << event.step << " started before " << plan.steps[dependency].name << " ended";
      }
    }
    if (event.type == "step.completed" || event.type == "step.failed" ||
        event.type == "step.skipped" || event.type == "step.cancelled") {
      ++ends[event.step];
    }
  }
  for (const auto& [step, count] : starts) EXPECT_EQ(count, 1) << step;
  for (const auto& [step, count] : ends) EXPECT_EQ(count, 1) << step;
}

void no_call_leaves_after_its_result_is_recorded(const std::vector<Call>& made,
                                                 const RunState& state) {
  // A call whose result is recorded is the last of its number: the journal holds one result for it,
  // and every time it left it was the same request under the same key.
  std::map<CallId, json::Value> requests;
  for (const Call& call : made) {
    if (call.id.run != state.id) continue;
    const auto [at, is_new] = requests.emplace(call.id, call.request);
    if (!is_new) {
      EXPECT_TRUE(at->second == call.request) << call.id.key() << " changed its request";
    }
  }
  for (const StepState& step : state.steps) {
    std::set<std::uint32_t> numbers;
    for (const CallState& call : step.calls)
      EXPECT_TRUE(numbers.insert(call.number).second) << step.name;
  }
}

// ------------------------------------------------------------------------------------- one seed

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

void simulate(std::uint64_t seed) {
  HostileWorld outside(seed * 7 + 1);
  EngineWorld world([&outside](const Call& call) { return outside(call); }, seed,
                    {.steps_in_flight_per_tenant_max = 1 + static_cast<std::size_t>(seed % 5),
                     .steps_in_flight_max = 8});
  SeededRng chance(seed * 13 + 5);
  std::vector<EngineWorld::Started> runs;
  for (int i = 0; i < 4; ++i) {
    runs.push_back(world.start(random_plan(chance, world.agent),
                               [](Start& start) { start.timeout_seconds = 600; }));
  }
  const int kills = static_cast<int>(chance.below(6));
  for (int kill = 0; kill < kills; ++kill) {
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
      world.tell(runs[chance.below(runs.size())].id, CancelRequested{"key:test", "enough"});
      world.scheduler.run_for(Duration(static_cast<std::int64_t>(chance.below(3))));
    }
    world.crash_and_restart();
  }
  outside.is_calm = true;
  for (int i = 0; i < 400; ++i) {
    work_for_a_while(world);
    world.scheduler.run_for(std::chrono::seconds(2));
  }
  for (const auto& run : runs) {
    if (!world.store.get_run(run.id)) {
      EXPECT_FALSE(run.is_acknowledged()) << "an acknowledged run is lost";
      continue;
    }
    const History history = world.history(run.id);
    const auto events = world.events(run.id);
    ASSERT_TRUE(is_terminal(history.machine.state().status))
        << run.id.ulid() << " did not end; last event " << events.back().type;
    EXPECT_EQ(world.store.get_run(run.id)->status, history.machine.state().status)
        << "the row and the journal differ";
    for (const Event& event : events) seen().insert(event.type);
    at_most_one_end(events);
    seq_and_time_never_go_back(events);
    each_step_ends_once_and_starts_after_what_it_depends_on(events, history.machine.state().plan());
    no_call_leaves_after_its_result_is_recorded(world.runner.made, history.machine.state());
  }
  EXPECT_EQ(world.engine->figures().tasks, 0U) << "a task outlived its run";
  EXPECT_EQ(world.engine->figures().calls_in_flight, 0U) << "a slot leaked";
  EXPECT_EQ(world.engine->figures().runs_loaded, 0U) << "an ended run stayed in memory";
}

TEST(Simulation, EveryPromiseHoldsForEverySeed) {
  log::start(log::Level::kError);
  if (const char* one = std::getenv("AVOW_SIMULATION_SEED")) {
    simulate(std::strtoull(one, nullptr, 10));
    return;
  }
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    simulate(seed);
    if (HasFailure()) FAIL() << "AVOW_SIMULATION_SEED=" << seed;
  }
  for (const char* type :
       {"run.started", "step.started", "effect.started", "llm.called", "tool.called",
        "effect.in_doubt", "timer.armed", "task.offered", "task.claimed", "step.retrying",
        "step.completed", "step.failed", "step.skipped", "step.cancelled", "run.cancel_requested",
        "run.completed", "run.failed", "run.cancelled"}) {
    EXPECT_TRUE(seen().contains(type)) << type << " never happened";
  }
}

}  // namespace
}  // namespace avow::engine
