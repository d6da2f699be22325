// SPDX-License-Identifier: Apache-2.0
// The engine on real threads, for the thread sanitizer: many runs, callers and answers at once.
#include <gtest/gtest.h>

#include <latch>
#include <thread>

#include "json/parse.h"
#include "testing/engine_world.h"
#include "testing/thread_executor.h"

namespace avow::engine {
namespace {

/// Answers every call at once, from a thread of its own.
class InstantRunner : public EffectRunner {
 public:
  explicit InstantRunner(Clock& clock) : thread_(clock) {}
  [[nodiscard]] Result<json::Value> render(TenantId, const CallSpec& spec) const override {
    return spec.value;
  }
  void start(Call, std::function<void(CallOutcome)> done) override {
    thread_.post(
        [done = std::move(done)] { done(CallResult{json::Object{{"status", 200}}, {}, 0, {}}); });
  }
  void cancel(const CallId&) override {}
  void stop() { thread_.stop(); }

 private:
  testing::ThreadExecutor thread_;
};

TEST(EngineThreads, FinishEveryRunThatManyCallersStart) {
  constexpr int kCallers = 4;
  constexpr int kRunsEach = 25;
  constexpr int kLanes = 4;
  SystemClock clock;
  SystemRng rng;
  testing::ThreadExecutor store_thread(clock);
  store::MemoryStore store(store_thread);
  InstantRunner runner(clock);
  testing::EverybodyActive directory;
  testing::OwnPlansOnly plans;
  testing::NamedPlans children;
  children.plans["child"] = testing::plan_of(
      R"([{"name":"a","type":"webhook","config":{"url":"https://example.com/"}}])");
  std::vector<Engine::LaneExecutors> lanes;
  std::vector<testing::ThreadExecutor*> threads;
  for (int i = 0; i < kLanes; ++i) {
    auto strand = std::make_unique<testing::ThreadExecutor>(clock);
    auto reader = std::make_unique<testing::ThreadExecutor>(clock);
    threads.push_back(strand.get());
    threads.push_back(reader.get());
    lanes.push_back({std::move(strand), std::move(reader)});
  }
  const auto body = json::parse(R"({"name":"w","steps":[
    {"name":"a","type":"transform","depends_on":[],"config":{"output":"${{ input }}"}},
    {"name":"b","type":"webhook","depends_on":["a"],"config":{"url":"https://example.com/"}},
    {"name":"c","type":"webhook","depends_on":["a"],"config":{"url":"https://example.com/"}},
    {"name":"k","type":"orchestration","depends_on":["a"],"config":{"workflow":"child"}},
    {"name":"d","type":"transform","depends_on":["b","c","k"],"config":{"output":"${{ steps.b.result }}"}}]})");
  const auto definition = workflow::normalise(*body, testing::AnythingGoes());
  const auto plan = workflow::Plan::compile(workflow::make_plan(
      std::get<workflow::Definition>(definition).body, json::Object(), json::Object()));
  const auto index = std::make_shared<PlanIndex>(*plan);

  Engine engine(clock, rng, std::move(lanes), store, runner, directory, plans, children,
                {.steps_in_flight_per_tenant_max = 5, .steps_in_flight_max = 8});
  ASSERT_TRUE(engine.start().has_value());
  std::latch ended(kCallers * kRunsEach);
  std::vector<std::thread> callers;
  for (int c = 0; c < kCallers; ++c) {
    callers.emplace_back([&] {
      for (int i = 0; i < kRunsEach; ++i) {
        NewRun run;
        run.id = RunId{make_id(clock.now(), rng.bytes8())};
        run.tenant = TenantId{Id{static_cast<std::uint64_t>(1 + i % 3), 0}};
        run.plan = index;
        run.has_own_plan = true;
        run.start.at = clock.now();
        engine.watch(run.id, [&ended](const auto&) { ended.count_down(); });
        engine.start_run(std::move(run),
                         [](const Result<Outcome>& done) { EXPECT_TRUE(done.has_value()); });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  ended.wait();
  engine.stop(std::chrono::seconds(1));
  for (testing::ThreadExecutor* thread : threads) thread->stop();
  runner.stop();
  store_thread.stop();
  EXPECT_EQ(engine.figures().runs_completed, static_cast<std::uint64_t>(2 * kCallers * kRunsEach))
      << "each has a child";
}

}  // namespace
}  // namespace avow::engine
