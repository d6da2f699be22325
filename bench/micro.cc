// SPDX-License-Identifier: Apache-2.0
// avow_micro: what the pieces of a run cost by themselves. Kept to those that decide something:
// where a run of pure steps spends its time (docs/performance.md).
#include <benchmark/benchmark.h>

#include "cel/expression.h"
#include "engine/machine.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/content.h"
#include "provenance/draft.h"
#include "provenance/event.h"
#include "provenance/log_for_tests.h"
#include "testing/engine_world.h"
#include "workflow/definition.h"
#include "workflow/plan.h"

namespace avow {
namespace {

constexpr std::string_view kDocument =
    R"({"id":"0192f0c1-7a3b-7c4d-8e5f-60718293a400","name":"Jürgen","tags":["a","b","c"],)"
    R"("amount":1234.5,"count":42,"nested":{"ok":true,"none":null,"text":"two\nlines"}})";

const json::Value& document() {
  static const json::Value value = json::parse(kDocument).value();
  return value;
}

void json_parse(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(json::parse(kDocument));
}
BENCHMARK(json_parse);

void json_write(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(json::write(document()));
}
BENCHMARK(json_write);

void json_write_canonical(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(json::write_canonical(document()));
}
BENCHMARK(json_write_canonical);

void content_commitment(benchmark::State& state) {
  const Bytes32 salt{1, 2, 3};
  for (auto _ : state) benchmark::DoNotOptimize(provenance::commitment(document(), salt));
}
BENCHMARK(content_commitment);

provenance::Event some_event() {
  provenance::Event event;
  event.seq = 3;
  event.type = "step.completed";
  event.step = "s1";
  event.data = json::Object{{"output", std::string(64, 'a')}};
  return event;
}

void event_encode(benchmark::State& state) {
  const provenance::Event event = some_event();
  for (auto _ : state) benchmark::DoNotOptimize(provenance::encode(event));
}
BENCHMARK(event_encode);

void event_decode(benchmark::State& state) {
  const std::string bytes = provenance::encode(some_event());
  for (auto _ : state) benchmark::DoNotOptimize(provenance::decode(bytes));
}
BENCHMARK(event_decode);

void statement_is_signed(benchmark::State& state) {
  const auto key = crypto::P256PrivateKey::generate();
  const std::string statement(600, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(provenance::encode(provenance::make_entry(statement, key)));
  }
}
BENCHMARK(statement_is_signed);

void statement_is_drafted_and_numbered(benchmark::State& state) {
  const provenance::Statement statement = provenance::TestRun().statement();
  for (auto _ : state) {
    const provenance::Draft draft(statement);
    benchmark::DoNotOptimize(draft.numbered(7, Bytes32{1}));
  }
}
BENCHMARK(statement_is_drafted_and_numbered);

void checkpoint_is_signed(benchmark::State& state) {
  const auto key = crypto::Ed25519PrivateKey::from_seed(Bytes32{1});
  const std::string text =
      "log.example.com\n123456\nqINS1GRFhWHwdkUeqLEoP4yEMkTBBzxBkGwGQlVlVcs=\n";
  for (auto _ : state) {
    benchmark::DoNotOptimize(merkle::sign_note(text, "log.example.com", key));
  }
}
BENCHMARK(checkpoint_is_signed);

/// A run's receipt in a log of 1 000 entries, three witnesses' cosignatures among what is checked.
void receipt_is_verified(benchmark::State& state) {
  provenance::TestLog log;
  const auto index = log.add(provenance::encode(provenance::TestRun().statement()));
  while (log.entries.size() < 1'000) log.add("filler " + std::to_string(log.entries.size()));
  const std::string file = provenance::encode(log.receipt(index));
  const provenance::Trust trust = log.policy(2);
  for (auto _ : state) {
    const auto found = provenance::verify(file, trust);
    CHECK(found.verdict == provenance::Verdict::kValid);
  }
  state.counters["bytes"] = static_cast<double>(file.size());
}
BENCHMARK(receipt_is_verified);

class DocumentAsInput : public cel::Environment {
 public:
  const json::Value* find(std::string_view root, std::span<const std::string>,
                          std::size_t& used) const override {
    used = 0;
    return root == "input" ? &document() : nullptr;
  }
};

void cel_evaluate(benchmark::State& state) {
  const auto expression =
      cel::Expression::parse("input.amount > 1000 && input.tags.exists(t, t == 'c')").value();
  for (auto _ : state) {
    std::int64_t fuel = 1'000'000;
    benchmark::DoNotOptimize(expression.evaluate(DocumentAsInput(), fuel));
  }
}
BENCHMARK(cel_evaluate);

class Everybody : public engine::Directory {
 public:
  [[nodiscard]] bool is_agent_active(TenantId, AgentId) const override { return true; }
};

class NoCalls : public engine::EffectRunner {
 public:
  [[nodiscard]] Result<json::Value> render(TenantId, const engine::CallSpec&) const override {
    return failure(Code::kInternal, "a run of pure steps makes no call");
  }
  void start(engine::Call, std::function<void(engine::CallOutcome)>) override { CHECK(false); }
  void cancel(const engine::CallId&) override { CHECK(false); }
};

/// Five transforms, each of which gives on what the one before gave.
std::shared_ptr<const engine::PlanIndex> five_steps() {
  constexpr std::string_view kDefinition = R"({"name":"bench","steps":[
    {"name":"s1","type":"transform","config":{"output":"${{ input }}"}},
    {"name":"s2","type":"transform","depends_on":["s1"],"config":{"output":"${{ steps.s1.result }}"}},
    {"name":"s3","type":"transform","depends_on":["s2"],"config":{"output":"${{ steps.s2.result }}"}},
    {"name":"s4","type":"transform","depends_on":["s3"],"config":{"output":"${{ steps.s3.result }}"}},
    {"name":"s5","type":"transform","depends_on":["s4"],"config":{"output":"${{ steps.s4.result }}"}}]})";
  const auto normalised =
      workflow::normalise(json::parse(kDefinition).value(), testing::AnythingGoes());
  const auto& definition = std::get<workflow::Definition>(normalised);
  auto plan =
      workflow::Plan::compile(workflow::make_plan(definition.body, json::Object(), json::Object()));
  return std::make_shared<const engine::PlanIndex>(plan.value());
}

constexpr std::int64_t kNow = 1'760'000'000'000;
const RunId kRun{Id{1, 1 << 20}};

/// One turn from Start to the end of the run, without a store.
engine::Reaction run_five_steps(engine::Machine& machine, engine::Contents& contents) {
  const Everybody everybody;
  const NoCalls runner;
  engine::Start start;
  start.at = Time(Duration(kNow));
  start.actor = "key:bench";
  start.max_steps = 10;
  start.timeout_seconds = 300;
  start.input = json::Object{{"q", "hello"}, {"n", 1}};
  start.parameters = json::Object();
  const engine::Turn turn{.now = start.at,
                          .random = Bytes32{1, 2, 3},
                          .contents = contents,
                          .directory = everybody,
                          .runner = runner};
  return machine.react(start, turn);
}

void machine_runs_five_pure_steps(benchmark::State& state) {
  const auto plan = five_steps();
  for (auto _ : state) {
    engine::Machine machine(kRun, {}, plan);
    engine::Contents contents;
    benchmark::DoNotOptimize(run_five_steps(machine, contents));
    CHECK(engine::is_terminal(machine.state().status));
  }
}
BENCHMARK(machine_runs_five_pure_steps);

/// What an answer about a stored run begins with.
void machine_replays_five_pure_steps(benchmark::State& state) {
  const auto plan = five_steps();
  engine::Machine machine(kRun, {}, plan);
  engine::Contents contents;
  const engine::Reaction reaction = run_five_steps(machine, contents);
  for (auto _ : state) {
    engine::Machine again(kRun, {}, plan);
    for (const std::string& bytes : reaction.events) {
      CHECK(again.replay(provenance::decode(bytes).value(), bytes).has_value());
    }
    benchmark::DoNotOptimize(again);
  }
}
BENCHMARK(machine_replays_five_pure_steps);

}  // namespace
}  // namespace avow
