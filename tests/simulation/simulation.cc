// SPDX-License-Identifier: Apache-2.0
#include "simulation.h"

#include "crypto/sha256.h"
#include "promises.h"
#include "random_plans.h"

namespace avow::engine {
namespace {

using testing::EngineWorld;

constexpr int kRuns = 5;
constexpr std::uint64_t kTenants = 3;
constexpr std::int64_t kRunTimeoutSeconds = 600;

EngineOptions with_more(EngineOptions limits, std::size_t slots) {
  limits.steps_in_flight_max += slots;
  limits.steps_in_flight_per_tenant_max += slots;
  return limits;
}

}  // namespace

Simulation::Simulation(std::uint64_t seed, Bug bug)
    : seed_(seed),
      bug_(std::move(bug)),
      has_faults_(seed % 2 == 0),
      limits_{.steps_in_flight_per_tenant_max = 1 + static_cast<std::size_t>(seed % 5),
              .steps_in_flight_max = 1 + static_cast<std::size_t>(seed % 8)},
      chance_(seed * 13 + 5),
      outside_(seed * 7 + 1) {
  world_ = std::make_unique<EngineWorld>(
      [this](const Call& call) {
        depart(call);
        return outside_.answer(call);
      },
      seed_, with_more(limits_, bug_.more_slots));
  // More than any call of this world comes to.
  world_->runner.worst = [](const json::Value&) { return WorstCase{40, 0}; };
  write_child_workflows();
  if (has_faults_) {
    world_->children.is_unavailable = [this] { return outside_.refuses_read(); };
    world_->faults.script = [this](const store::Commit&) { return outside_.commit(); };
    world_->faults.is_read_refused = [this] { return outside_.refuses_read(); };
  }
  world_->faults.acknowledged = [this](const store::Commit& commit) {
    if (!commit.run) return;
    acknowledged_.push_back({commit.run->row.id, commit.run->row.version,
                             commit.run->journal.value_or(store::Segment())});
  };
  if (bug_.in_the_world) bug_.in_the_world(*world_);
}

std::vector<Broken> Simulation::live() {
  for (int i = 0; i < kRuns; ++i) start_run();
  for (std::uint64_t kills = chance_.below(6); kills > 0; --kills) {
    live_until_the_kill();
    kill();
    if (auto broken = judge({}); !broken.empty()) return broken;
  }
  live_until_the_kill();
  if (world_->crash_points.is_dead()) kill();
  world_->crash_points.begin_anew();
  const Time calm_since = world_->scheduler.now();
  calm_down();
  return judge(calm_since);
}

/// Workflows that steps of random plans start; "nobody" is none.
void Simulation::write_child_workflows() {
  auto& plans = world_->children.plans;
  plans["pure"] = testing::plan_of(
      R"([{"name":"t","type":"transform","config":{"output":{"was":"${{ input.v }}"}}}])");
  plans["slow"] = testing::plan_of(R"([{"name":"w","type":"wait","config":{"seconds":9}}])");
  plans["again"] = testing::plan_of(
      R"([{"name":"a","type":"orchestration","config":{"workflow":"again"},"on_failure":"skip"}])");
  plans["random"] = RandomPlan(chance_, world_->agent, true).make();
}

/// The runs that were started, and those that came of them.
std::vector<Asked> Simulation::all_asked() {
  std::vector<Asked> all = asked_;
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (Asked& child : children_of(*world_, Asked(all[i]))) all.push_back(std::move(child));
  }
  return all;
}

void Simulation::start_run() {
  const json::Value plan = chance_.below(4) == 0 ? random_agent_run(chance_, world_->agent)
                                                 : RandomPlan(chance_, world_->agent).make();
  Asked asked{.run = {},
              .tenant = TenantId{Id{1 + chance_.below(kTenants), 1 << 20}},
              .max_steps = chance_.below(5) == 0 ? 3 : 30,
              .deadline = world_->scheduler.now() + std::chrono::seconds(kRunTimeoutSeconds)};
  runs_.push_back(world_->start(
      plan,
      [&](Start& start) {
        start.timeout_seconds = kRunTimeoutSeconds;
        start.actor = person(chance_.below(kPersons));
        start.max_steps = asked.max_steps + bug_.more_steps;
        start.input = json::Object{{"n", static_cast<std::int64_t>(chance_.below(10))},
                                   {"list", json::Array{1, 4, 7, 9, 11}}};
      },
      asked.tenant));
  asked.run = runs_.back().id;
  asked_.push_back(asked);
  watch_runs();
}

void Simulation::live_until_the_kill() {
  // Beside a commit, a call or an answer; or between two tasks of one moment, where a commit may be
  // written and its answer under way; or at any time.
  const std::uint64_t way = chance_.below(3);
  if (way == 0) world_->crash_points.kill_at(1 + chance_.below(60));
  const auto any_run = [this] { return runs_[chance_.below(runs_.size())].id; };
  work_for_a_while();
  decide_for_a_while();
  if (way == 1) {
    for (std::uint64_t tasks = chance_.below(40);
         tasks > 0 && world_->scheduler.step(world_->scheduler.now() + std::chrono::seconds(5));
         --tasks) {
    }
  } else {
    world_->scheduler.run_for(Duration(static_cast<std::int64_t>(chance_.below(15'000))));
  }
  if (chance_.below(3) == 0) world_->tell(any_run(), PauseRequested{"key:test", "look at it"});
  if (chance_.below(3) == 0) world_->tell(any_run(), ResumeRequested{"key:test", ""});
  if (chance_.below(4) == 0) {
    const auto all = all_asked();
    world_->tell(all[chance_.below(all.size())].run, CancelRequested{"key:test", "enough"});
    world_->scheduler.run_for(Duration(static_cast<std::int64_t>(chance_.below(3))));
  }
  if (!has_faults_ && !world_->crash_points.is_dead()) look_at_rest();
}

void Simulation::kill() {
  outside_.begin_process();
  world_->crash_and_restart();
  std::erase_if(had_, [](const auto& one) { return one.second == nullptr; });
  watch_runs();
}

void Simulation::calm_down() {
  outside_.is_calm = true;
  // A statement that failed again and again is tried again after a minute at most.
  const int quiet_from = has_faults_ ? 31 : 0;  // of two seconds
  for (int i = 0; i < 400; ++i) {
    work_for_a_while();
    if (i < 40) resume_what_is_paused();
    if (chance_.below(16) == 0) decide_for_a_while();
    world_->scheduler.run_for(std::chrono::seconds(2));
    if (i >= quiet_from && i < quiet_from + 20) look_at_rest();
  }
}

/// An agent's worker, which may die or fail.
void Simulation::work_for_a_while() {
  EngineWorld& world = *world_;
  world.engine->poll_tasks(
      world.agent, 5, world.scheduler.now() + std::chrono::seconds(1), "key:worker", {},
      [&world](const std::vector<TakenTask>& taken) {
        for (const TakenTask& task : taken) {
          const std::string hash = to_hex(view_of(crypto::sha256(task.lease_token)));
          const TaskName name{task.grant.step, task.grant.attempt, {}};
          if (world.scheduler.chance().below(4) == 0) continue;
          if (world.scheduler.chance().below(5) == 0) {
            world.tell(task.grant.run,
                       TaskFinished{name, hash, TaskError{"WORKER_FAILED", "no", true}});
          } else {
            world.tell(task.grant.run, TaskFinished{name, hash, json::Value("worked")});
          }
        }
      });
}

bool Simulation::waits_for(RunId run, std::string_view what) {
  const auto row = world_->store.get_run(run);
  return row && row->summary.find(fmt::format(R"("waiting_for":"{}")", what)) != std::string::npos;
}

void Simulation::resume_what_is_paused() {
  for (const auto& run : runs_) {
    if (waits_for(run.id, "paused")) world_->tell(run.id, ResumeRequested{"key:test", ""});
  }
}

/// People look at what waits for them; some say nothing, some what they said before, some decide
/// about what they were not shown, or what is not theirs to decide.
void Simulation::decide_for_a_while() {
  SeededRng& chance = world_->scheduler.chance();
  for (const auto& run : runs_) {
    if (!waits_for(run.id, "approval")) continue;
    const History history = world_->history(run.id);
    for (const StepState& step : history.machine.state().steps) {
      if (!step.approval || chance.below(3) == 0) continue;
      std::string digest = step.approval->subject.commitment;
      if (chance.below(3) == 0) digest = chance.below(3) == 0 ? std::string(64, '0') : "";
      world_->tell(run.id, ApprovalDecided{.step = step.name,
                                           .actor = person(chance.below(kPersons)),
                                           .agents = {},
                                           .approves = chance.below(4) > 0,
                                           .comment = chance.below(2) == 0 ? "so be it" : "",
                                           .subject_digest = std::move(digest)});
    }
  }
}

// ----------------------------------------------------------------------------------- witnesses

/// Notes what it is told of one run, and what the store has then.
class Simulation::Witness : public Follower {
 public:
  Witness(Simulation& simulation, RunId run) : simulation_(simulation), run_(run) {}
  void on_events(std::uint32_t seq, bool is_over) override {
    testing::EngineWorld& world = *simulation_.world_;
    const auto journal = world.store.read_journal(run_, 0, store::kSeqMax);
    std::uint32_t stored = 0;
    for (const store::Segment& segment : *journal) stored += segment.count;
    simulation_.told_[run_].push_back(
        {.process = world.made_before.size(),
         .seq = seq,
         .is_over = is_over,
         .stored = stored,
         .has_ended = is_terminal(world.store.get_run(run_)->status)});
  }
  void on_text(const SpokenText&) override {}
  void on_stop() override {}

 private:
  Simulation& simulation_;
  const RunId run_;
};

/// Watches and followers go with their process.
void Simulation::watch_runs() {
  for (const auto& run : runs_) {
    if (followed_.emplace(run.id, world_->made_before.size()).second)
      world_->engine->follow(run.id, std::make_shared<Witness>(*this, run.id));
    if (had_.contains(run.id)) continue;
    had_.emplace(run.id, nullptr);
    world_->engine->watch(
        run.id,
        [this, id = run.id](const std::shared_ptr<const EndedRun>& ended) { had_[id] = ended; });
  }
}

void Simulation::depart(const Call& call) {
  EngineWorld& world = *world_;
  // A model's call then ends in a run that is paused.
  if (call.kind == CallKind::kModel && !outside_.is_calm && chance_.below(8) == 0)
    world.tell(call.id.run, PauseRequested{"key:test", "while it thinks"});
  Departure departure{.call = call,
                      .process = world.made_before.size(),
                      .under_way_of_tenant = world.runner.under_way(call.tenant) + 1,
                      .under_way = world.runner.under_way() + 1};
  if (departure.process > 0) {
    const auto events = events_in(*world.store.read_journal(call.id.run, 0, store::kSeqMax));
    for (std::size_t i = 0; i < events.size(); ++i) {
      // Decodes no other event: there are many calls.
      if (!events[i].ends_with(R"("type":"effect.in_doubt","v":1})")) continue;
      departure.doubt_at = static_cast<std::uint32_t>(i + 1);
      const Event doubt = decoded({events[i]}).front();
      departure.is_after_doubt = unit_of(doubt) == call.id.step && doubt.attempt == call.attempt &&
                                 doubt.data.int_or("call", 0) == call.id.number;
    }
    const auto newest = world.store.find_statement(call.id.run.value);
    if (newest) departure.stated = provenance::decode_statement(newest->statement)->events;
  }
  departures_[call.id.run].push_back(std::move(departure));
}

/// Where no fault delays a commit.
void Simulation::look_at_rest() {
  world_->scheduler.run_due();
  for (const auto& run : runs_) {
    const auto row = world_->store.get_run(run.id);
    if (!row) continue;
    rests_.push_back({.run = run.id,
                      .created_at = row->created_at,
                      .at = world_->scheduler.now(),
                      .is_stated = world_->store.find_statement(run.id.value).has_value()});
  }
}

std::vector<store::RunRow> Simulation::runs_of(TenantId tenant) {
  store::RunQuery query;
  query.tenant = tenant;
  query.limit = 10'000;
  auto rows = world_->store.list_runs(query);
  CHECK(rows.has_value());
  return std::move(*rows);
}

std::vector<Broken> Simulation::judge(std::optional<Time> calm_since) {
  for (std::size_t i = 0; i < runs_.size(); ++i)
    asked_[i].is_acknowledged = runs_[i].is_acknowledged();
  Story story = read_story(*world_, all_asked());
  for (std::uint64_t tenant = 1; tenant <= kTenants; ++tenant) {
    for (const store::RunRow& row : runs_of(TenantId{Id{tenant, 1 << 20}})) {
      const auto is_it = [&row](const Asked& asked) { return asked.run == row.id; };
      if (std::none_of(story.asked.begin(), story.asked.end(), is_it))
        story.strangers.push_back(row.id);
    }
  }
  story.acknowledged = acknowledged_;
  story.rests = rests_;
  story.limits = limits_;
  story.calm_since = calm_since;
  story.left = world_->engine->figures();
  for (RunStory& run : story.runs) {
    run.departures = departures_[run.row.id];
    run.answers = outside_.given(run.row.id);
    run.told = told_[run.row.id];
    run.had = had_[run.row.id];
    for (const Event& event : run.events) event_types_.insert(event.type);
  }
  if (bug_.in_the_story) bug_.in_the_story(story);
  std::vector<Broken> broken;
  for (const auto& promise : specification()) {
    if (auto fault = promise->judge(story))
      broken.push_back({promise->sentence(), std::move(*fault)});
  }
  return broken;
}

}  // namespace avow::engine
