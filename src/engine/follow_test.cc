// SPDX-License-Identifier: Apache-2.0
// Who follows a run: told of what is durable, and of nothing else.
#include <gtest/gtest.h>

#include "testing/engine_world.h"

namespace avow::engine {
namespace {

using testing::CommitFault;
using testing::EngineWorld;
using testing::parsed;
using testing::plan_of;
using testing::ScriptedRunner;
using testing::succeed;

/// Notes what it is told, and holds it against the store at that very moment.
class Notebook : public Follower {
 public:
  Notebook(EngineWorld& world, RunId run) : world_(world), run_(run) {}

  void on_events(std::uint32_t seq, bool is_over) override {
    EXPECT_EQ(world_.history(run_).machine.state().seq, seq);
    EXPECT_EQ(is_over, is_terminal(world_.store.get_run(run_)->status));
    EXPECT_GT(seq, last);
    last = seq;
    ends += is_over ? 1 : 0;
    notes.push_back(fmt::format("up to {}", seq));
  }
  void on_text(const SpokenText& spoken) override {
    notes.push_back(fmt::format("{} {}: {}", spoken.call.step, spoken.attempt, spoken.text));
  }
  void on_stop() override { ++stops; }

  std::uint32_t last = 0;
  int ends = 0;
  int stops = 0;
  std::vector<std::string> notes;

 private:
  EngineWorld& world_;
  const RunId run_;
};

constexpr const char* kModel =
    R"([{"name":"say","type":"llm_inference","config":{"model":"m","prompt":"hi"}},
        {"name":"after","type":"transform","depends_on":["say"],"config":{"output":1}}])";

ScriptedRunner::Answer speak(const Call& call) {
  call.on_text("Hel");
  call.on_text("lo");
  return succeed(json::Object{{"text", "Hello"}, {"finish_reason", "stop"}}, Duration(1'000));
}

TEST(Follow, IsToldOfEventsAndTextInTheOrderInWhichTheyHappen) {
  EngineWorld world(speak);
  const auto run = world.start(plan_of(kModel));
  const auto notebook = std::make_shared<Notebook>(world, run.id);
  const std::uint64_t follow = world.engine->follow(run.id, notebook);
  world.scheduler.run_due();
  ASSERT_EQ(notebook->notes.size(), 3U);
  EXPECT_EQ(notebook->notes[1], "say 1: Hel");
  EXPECT_EQ(notebook->notes[2], "say 1: lo");
  world.scheduler.run_for(Duration(2'000));
  EXPECT_EQ(notebook->last, world.history(run.id).machine.state().seq);
  EXPECT_EQ(notebook->ends, 1);
  world.engine->unfollow(run.id, follow);
  world.engine->unfollow(run.id, follow);
  EXPECT_EQ(notebook.use_count(), 1);
}

// The first attempts at every commit are refused, or their answers are lost.
TEST(Follow, IsToldNothingThatIsNotWritten) {
  for (const CommitFault fault :
       {CommitFault::kRefused, CommitFault::kFull, CommitFault::kLost, CommitFault::kLostButDone}) {
    EngineWorld world(speak);
    const auto run = world.start(plan_of(kModel));
    world.scheduler.run_due();
    const auto notebook = std::make_shared<Notebook>(world, run.id);
    world.engine->follow(run.id, notebook);
    int refused = 0;
    world.faults.script = [&](const store::Commit&) {
      return ++refused <= 3 ? fault : CommitFault::kNone;
    };
    const std::size_t told_before = notebook->notes.size();
    world.scheduler.run_for(Duration(1'050));
    if (fault != CommitFault::kLostButDone) {
      EXPECT_EQ(notebook->notes.size(), told_before);
    }
    world.scheduler.run_for(Duration(60'000));
    EXPECT_EQ(notebook->ends, 1);
    EXPECT_EQ(notebook->last, world.history(run.id).machine.state().seq);
  }
}

TEST(Follow, IsForTheRunThatWasNamedAndEndsWithTheEngine) {
  EngineWorld world(speak);
  const auto run = world.start(plan_of(kModel));
  const auto other = std::make_shared<Notebook>(world, RunId{Id{7, 7}});
  world.engine->follow(RunId{Id{7, 7}}, other);
  world.scheduler.run_for(Duration(5'000));
  EXPECT_TRUE(run.is_acknowledged());
  EXPECT_TRUE(other->notes.empty());
  world.crash_and_restart();
  EXPECT_EQ(other->stops, 0);  // there was nobody left to say so
  EXPECT_EQ(other.use_count(), 1);
}

}  // namespace
}  // namespace avow::engine
