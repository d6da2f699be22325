// SPDX-License-Identifier: Apache-2.0
// testing/engine_world.h: the real engine over the memory store and the real log, with a virtual
// clock and an outside world that follows a script. The process can be killed between any two
// tasks, and at every crash point. One thread.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "base/log.h"
#include "engine/engine.h"
#include "json/parse.h"
#include "store/memory/memory_store.h"
#include "testing/crash_points.h"
#include "testing/faulty_store.h"
#include "testing/scheduler.h"
#include "tlog/sequencer.h"
#include "workflow/definition.h"

namespace avow::testing {

/// The outside world: answers calls by a script, and remembers what reached it.
class ScriptedRunner : public engine::EffectRunner {
 public:
  struct Answer {
    engine::CallOutcome outcome;
    Duration delay{1};
    bool is_told_twice = false;  ///< Once more as long after, which no runner may do.
  };
  using Script = std::function<Answer(const engine::Call&)>;

  ScriptedRunner(Scheduler& scheduler, CrashPoints& crash_points, Script script)
      : executor_(scheduler.make_executor()),
        scheduler_(scheduler),
        crash_points_(crash_points),
        script_(std::move(script)) {}

  [[nodiscard]] Result<json::Value> render(TenantId, const engine::CallSpec& spec) const override {
    return json::Value(
        json::Object{{"kind", engine::call_kind_name(spec.kind)}, {"spec", spec.value}});
  }

  [[nodiscard]] engine::WorstCase worst_case(const json::Value& request) const override {
    return worst ? worst(request) : engine::WorstCase();
  }

  void start(engine::Call call, std::function<void(engine::CallOutcome)> done) override {
    if (!crash_points_.passes(CrashPoint::kBeforeCall)) return;
    made.push_back(call);
    Answer answer = script_(call);
    if (!crash_points_.passes(CrashPoint::kAfterCall)) return;
    pending_[call.id] = {call.tenant, done};
    const Duration delay = answer.delay;
    executor_->post_at(scheduler_.now() + delay,
                       [this, id = call.id, done, answer = std::move(answer)] {
                         if (pending_.erase(id) == 0) return;
                         if (!crash_points_.passes(CrashPoint::kBeforeAnswer)) return;
                         done(answer.outcome);
                         if (!crash_points_.passes(CrashPoint::kAfterAnswer)) return;
                         if (!answer.is_told_twice) return;
                         executor_->post_at(scheduler_.now() + answer.delay,
                                            [done, outcome = answer.outcome] { done(outcome); });
                       });
  }

  void cancel(const engine::CallId& id) override {
    const auto at = pending_.find(id);
    if (at == pending_.end()) return;
    cancelled.push_back(id);
    const auto done = std::move(at->second.done);
    pending_.erase(at);
    done(engine::CallError{
        .code = "CANCELLED", .message = {}, .retry_class = {}, .retry_after = {}, .detail = {}});
  }

  /// The process is gone: its calls will tell nobody.
  void forget_pending() { pending_.clear(); }

  /// Calls under way, of one tenant or of all.
  [[nodiscard]] std::size_t under_way(std::optional<TenantId> tenant = {}) const {
    return static_cast<std::size_t>(std::count_if(
        pending_.begin(), pending_.end(),
        [tenant](const auto& one) { return !tenant || one.second.tenant == *tenant; }));
  }

  std::function<engine::WorstCase(const json::Value&)> worst;  ///< Empty: calls cost nothing.
  std::vector<engine::Call> made;
  std::vector<engine::CallId> cancelled;

 private:
  struct Pending {
    TenantId tenant;
    std::function<void(engine::CallOutcome)> done;
  };

  std::unique_ptr<Executor> executor_;
  Scheduler& scheduler_;
  CrashPoints& crash_points_;
  Script script_;
  std::map<engine::CallId, Pending> pending_;
};

inline ScriptedRunner::Answer succeed(json::Value value, Duration delay = Duration(1)) {
  return {engine::CallResult{std::move(value), {}, 0, {}}, delay};
}
inline ScriptedRunner::Answer fail(std::string code, std::string retry_class,
                                   Duration delay = Duration(1)) {
  return {engine::CallError{std::move(code), "scripted", std::move(retry_class), {}, {}}, delay};
}

class EverybodyActive : public engine::Directory {
 public:
  [[nodiscard]] bool is_agent_active(TenantId, AgentId agent) const override {
    return !inactive.contains(agent);
  }
  std::set<AgentId> inactive;
};

class OwnPlansOnly : public engine::PlanSource {
 public:
  Result<std::shared_ptr<const engine::PlanIndex>> workflow_plan(WorkflowId) override {
    return failure(Code::kNotFound, "every run in this world has a plan of its own");
  }
};

/// Child runs by the name of their workflow, which is the plan given here.
class NamedPlans : public engine::ChildSource {
 public:
  Result<std::variant<engine::NewRun, engine::ChildRefused>> prepare_child(
      const engine::ChildRequest& request) override {
    if (is_unavailable && is_unavailable()) return failure(Code::kUnavailable, "not now");
    const auto plan = plans.find(request.request.string_or("workflow"));
    if (plan == plans.end())
      return std::variant<engine::NewRun, engine::ChildRefused>(
          engine::ChildRefused{"WORKFLOW_UNKNOWN", "no such workflow"});
    auto compiled = workflow::Plan::compile(plan->second);
    CHECK(compiled.has_value());
    engine::NewRun run;
    run.tenant = request.tenant;
    run.plan = std::make_shared<engine::PlanIndex>(*compiled);
    run.has_own_plan = true;
    run.start.at = request.at;
    run.start.actor = request.actor;
    run.start.agent = request.fallback;
    run.start.max_steps = 1000;
    run.start.timeout_seconds = timeout_seconds;
    if (const json::Value* input = request.request.find("input")) run.start.input = *input;
    return std::variant<engine::NewRun, engine::ChildRefused>(std::move(run));
  }
  std::map<std::string, json::Value, std::less<>> plans;
  std::int64_t timeout_seconds = 300;
  std::function<bool()> is_unavailable;  ///< Whether to refuse for now.
};

/// The keys of every log in this program.
inline tlog::LogKeys test_log_keys() {
  static const auto statements = crypto::P256PrivateKey::generate();
  return {.origin = "log.example.com",
          .log = crypto::Ed25519PrivateKey::from_seed(Bytes32{1}),
          .old_log = {},
          .statements = statements};
}

class EngineWorld {
 public:
  explicit EngineWorld(ScriptedRunner::Script script, std::uint64_t seed = 1,
                       engine::EngineOptions options = {})
      : scheduler(seed),
        crash_points(scheduler),
        rng(seed),
        store_executor_(scheduler.make_executor()),
        store(*store_executor_),
        faults(store, *store_executor_),
        runner(scheduler, crash_points, std::move(script)),
        options_(options) {
    faults.crash_points = &crash_points;
    boot();
  }
  ~EngineWorld() { engine->crash(); }

  /// Kills the process and starts another on the same store, whose log must be whole.
  void crash_and_restart() {
    kill();
    boot();
  }

  /// Kills the process: there is no engine.
  void kill() {
    made_before.push_back(runner.made.size());
    engine->crash();
    scheduler.drop_all();
    crash_points.begin_anew();
    store.crash();
    runner.forget_pending();
    engine.reset();
  }

  /// An engine that is not started.
  void make_engine() {
    constexpr int kLanes = 4;
    std::vector<engine::Engine::LaneExecutors> lanes;
    for (int i = 0; i < kLanes; ++i)
      lanes.push_back({scheduler.make_executor(), scheduler.make_executor()});
    engine = std::make_unique<engine::Engine>(scheduler, rng, std::move(lanes), faults, runner,
                                              directory, plans, children, options_);
  }

  struct Started {
    RunId id;
    std::shared_ptr<std::optional<Result<engine::Outcome>>> answer;
    [[nodiscard]] bool is_acknowledged() const {
      return answer->has_value() && (*answer)->has_value();
    }
  };

  /// Starts a run of `plan`; `change` may set what the test cares about.
  Started start(const json::Value& plan, const std::function<void(engine::Start&)>& change = {},
                std::optional<TenantId> as = {}) {
    auto compiled = workflow::Plan::compile(plan);
    CHECK(compiled.has_value());
    engine::NewRun run;
    run.id = RunId{make_id(scheduler.now(), rng.bytes8())};
    run.tenant = as.value_or(tenant);
    run.plan = std::make_shared<engine::PlanIndex>(*compiled);
    run.has_own_plan = true;
    run.start.at = scheduler.now();
    run.start.actor = "key:test";
    run.start.agent = agent;
    run.start.max_steps = 1000;
    if (change) change(run.start);
    Started started{run.id, std::make_shared<std::optional<Result<engine::Outcome>>>()};
    engine->start_run(std::move(run), [answer = started.answer](Result<engine::Outcome> done) {
      *answer = std::move(done);
    });
    return started;
  }

  std::shared_ptr<std::optional<Result<engine::Outcome>>> tell(RunId run, engine::Input input) {
    auto answer = std::make_shared<std::optional<Result<engine::Outcome>>>();
    engine->tell(run, std::move(input), {},
                 [answer](Result<engine::Outcome> done) { *answer = std::move(done); });
    return answer;
  }

  /// The run as its journal tells it.
  engine::History history(RunId run) {
    const auto record = store.read_run(run);
    CHECK(record.has_value());
    auto history = engine::read_history(*record, plans);
    CHECK(history.has_value());
    return std::move(*history);
  }

  /// The types of a run's events, in order.
  std::vector<std::string> event_types(RunId run) {
    std::vector<std::string> types;
    for (const engine::Event& event : events(run))
      types.push_back(event.step.empty() ? event.type : event.type + " " + event.step);
    return types;
  }

  std::vector<engine::Event> events(RunId run) {
    std::vector<engine::Event> out;
    const auto record = store.read_run(run);
    CHECK(record.has_value());
    for (const store::Segment& segment : record->journal) {
      const auto decoded = provenance::decode_journal(segment.bytes);
      CHECK(decoded.has_value());
      for (const std::string& bytes : *decoded) {
        auto event = provenance::decode(bytes);
        CHECK(event.has_value());
        out.push_back(std::move(*event));
      }
    }
    return out;
  }

  /// The whole log, in order.
  std::vector<store::LogEntry> log() {
    constexpr std::size_t kPage = 1000;
    std::vector<store::LogEntry> entries;
    const auto head = store.newest_log_head();
    while (head && entries.size() < head->size) {
      auto page = store.read_log(head->log, entries.size(), kPage);
      CHECK(page.has_value() && !page->empty());
      std::move(page->begin(), page->end(), std::back_inserter(entries));
    }
    return entries;
  }

  /// What the log holds of `run`, oldest first.
  std::vector<provenance::Statement> statements(RunId run) {
    std::vector<provenance::Statement> out;
    for (const store::LogEntry& entry : log()) {
      if (entry.id != run.value) continue;
      auto statement = provenance::decode_statement(entry.statement);
      CHECK(statement.has_value());
      out.push_back(std::move(*statement));
    }
    return out;
  }

  Scheduler scheduler;
  CrashPoints crash_points;
  SeededRng rng;

 private:
  std::unique_ptr<Executor> store_executor_;

 public:
  store::MemoryStore store;
  FaultyStore faults;                    ///< Between the engine and `store`.
  std::vector<std::size_t> made_before;  ///< Of each crash: how many of runner.made came before it.
  ScriptedRunner runner;
  EverybodyActive directory;
  OwnPlansOnly plans;
  NamedPlans children;
  std::unique_ptr<tlog::Sequencer> sequencer;
  std::unique_ptr<engine::Engine> engine;
  const TenantId tenant{Id{1, 1 << 20}};
  const AgentId agent{Id{2, 2 << 20}};

 private:
  void boot() {
    auto opened =
        tlog::Sequencer::open(store, test_log_keys(), scheduler, rng, {.signing_threads = 0});
    CHECK(opened.has_value() && !(*opened)->sealed());
    store.set_hook(**opened);
    sequencer = std::move(*opened);
    make_engine();
    const auto started = engine->start();
    CHECK(started.has_value());
  }

  const engine::EngineOptions options_;
};

/// What a definition may refer to here: everything.
class AnythingGoes : public workflow::Catalog {
 public:
  [[nodiscard]] bool has_agent(AgentId) const override { return true; }
  [[nodiscard]] bool agent_has_model(AgentId) const override { return false; }
  [[nodiscard]] const json::Value* find_tool(std::string_view) const override { return &tool_; }
  [[nodiscard]] bool has_model(std::string_view) const override { return true; }
  [[nodiscard]] bool has_secret(std::string_view) const override { return true; }

 private:
  json::Value tool_ = json::Object();
};

inline json::Value parsed(std::string_view text) {
  auto value = json::parse(text);
  CHECK(value.has_value());
  return *value;
}

/// The plan of a workflow with these steps (JSON array), agents and tools.
inline json::Value plan_of(std::string_view steps, std::string_view rest = "{}",
                           std::string_view agents = "{}", std::string_view tools = "{}") {
  json::Value body = parsed(rest);
  body.set("name", "test");
  body.set("steps", parsed(steps));
  const auto normalised = workflow::normalise(body, AnythingGoes());
  if (const auto* faults = std::get_if<workflow::Faults>(&normalised)) {
    for (const auto& fault : *faults) log::error("{} {}", fault.pointer, fault.message);
    CHECK(faults->empty());
  }
  return workflow::make_plan(std::get<workflow::Definition>(normalised).body, parsed(agents),
                             parsed(tools));
}

}  // namespace avow::testing
