// SPDX-License-Identifier: Apache-2.0
#include "engine/lane.h"

#include <tuple>

#include "base/log.h"
#include "json/write.h"
#include "tlog/sequencer.h"

namespace avow::engine {
namespace {

constexpr std::size_t kInputsPerCommitMax = 64;
/// A store that takes nothing is asked less and less often: there may be thousands of runs.
struct Delays {
  Duration first;
  Duration longest;
  [[nodiscard]] Duration after(int failures) const {
    return std::min(longest, first * (1 << std::clamp(failures - 1, 0, 10)));
  }
};
/// Before a run is read back, for which callers may wait.
constexpr Delays kReload{Duration(200), Duration(10'000)};
/// A run that could not be read back so often: the engine starts without knowing its calls.
constexpr int kReadsWaitedFor = 3;
/// Before its statement is tried again.
constexpr Delays kStateAgain{Duration(1'000), Duration(60'000)};

}  // namespace

// ------------------------------------------------------------------------------- from other
// threads

void Lane::start_run(NewRun run, Engine::Done done) {
  strand_.post([this, run = std::make_shared<NewRun>(std::move(run)), done = std::move(done)] {
    if (is_stopped_) return done(failure(Code::kUnavailable, "the server is stopping"));
    // A child that is asked for again, while its first commit's answer is lost.
    if (find(run->id) != nullptr) return done(failure(Code::kConflict, "the run is there already"));
    Actor& actor = add(run->id, run->tenant);
    actor.machine.emplace(run->id, run->tenant, run->plan);
    actor.row.id = run->id;
    actor.row.tenant = run->tenant;
    actor.row.workflow = run->start.workflow;
    actor.row.agent = run->start.agent;
    actor.row.created_at = run->start.at;
    actor.labels = std::move(run->labels);
    if (run->has_own_plan) actor.own_plan = json::write(run->plan->plan->source);
    enqueue(actor, {std::move(run->start), std::move(run->answer), done});
  });
}

void Lane::tell(RunId run, Input input, std::optional<store::IdempotentAnswer> answer,
                Engine::Done done) {
  strand_.post([this, run,
                queued = std::make_shared<Queued>(
                    Queued{std::move(input), std::move(answer), std::move(done)})] {
    if (is_stopped_) {
      if (queued->done) queued->done(failure(Code::kUnavailable, "the server is stopping"));
      return;
    }
    Actor* actor = find(run);
    // A run with calls under way stays in memory: this one's end was recorded without it.
    if (actor == nullptr && std::holds_alternative<CallFinished>(queued->input)) return;
    if (actor == nullptr) actor = &add(run, {});
    enqueue(*actor, std::move(*queued));
  });
}

void Lane::recover(RunId run, TenantId tenant) {
  strand_.post([this, run, tenant] {
    if (is_stopped_) return;
    Actor* actor = find(run);
    const bool is_known = actor != nullptr && actor->machine;
    if (is_known) engine_.recovered();
    if (actor == nullptr) actor = &add(run, tenant);
    actor->is_recovering = !is_known;
    actor->must_rejoin = true;
    enqueue(*actor, {Continue{}, {}, {}});
  });
}

void Lane::arm(RunId run, TenantId tenant, Time wake_at) {
  strand_.post([this, run, tenant, wake_at] {
    if (!is_stopped_) arm_on_strand(run, tenant, wake_at);
  });
}

void Lane::stop(std::function<void()> done) {
  strand_.post([this, done = std::move(done)] {
    is_stopped_ = true;
    for (auto& [id, actor] : actors_) {
      for (Queued& queued : actor->queue) {
        if (queued.done) queued.done(failure(Code::kUnavailable, "the server is stopping"));
      }
      actor->queue.clear();
    }
    done();
  });
}

// -------------------------------------------------------------------------------- runs in memory

Lane::Actor* Lane::find(RunId run) {
  const auto at = actors_.find(run);
  return at == actors_.end() ? nullptr : at->second.get();
}

Lane::Actor& Lane::add(RunId run, TenantId tenant) {
  auto actor = std::make_unique<Actor>();
  actor->id = run;
  actor->tenant = tenant;
  ++engine_.runs_loaded_;
  return *actors_.emplace(run, std::move(actor)).first->second;
}

void Lane::remove(RunId run) {
  Actor* actor = find(run);
  if (actor == nullptr) return;
  engine_.slots_.release(actor->tenant, actor->slots);
  if (actor->machine && !is_terminal(actor->machine->state().status)) {
    if (const auto at = actor->machine->wake_at(engine_.clock_.now(), actor->waits_for_slot))
      arm_on_strand(run, actor->tenant, *at);
  }
  state_at(*actor, std::nullopt);
  recovered(*actor);
  --engine_.runs_loaded_;
  actors_.erase(run);
}

void Lane::enqueue(Actor& actor, Queued queued) {
  if (actor.queue.size() >= kInputsQueuedMax && queued.done) {
    queued.done(
        failure(Code::kResourceExhausted, "{} inputs of this run wait already", kInputsQueuedMax));
    return;
  }
  actor.queue.push_back(std::move(queued));
  if (actor.machine) {
    process(actor);
  } else if (!actor.is_loading) {
    load(actor);
  }
}

void Lane::load(Actor& actor) {
  actor.is_loading = true;
  reader_.post([this, run = actor.id] {
    const auto read = [&]() -> Result<std::unique_ptr<Actor>> {
      ASSIGN_OR_RETURN(const store::RunRecord record, engine_.store_.read_run(run));
      ASSIGN_OR_RETURN(History history, read_history(record, engine_.plans_));
      auto fresh = std::make_unique<Actor>();
      fresh->id = run;
      fresh->tenant = record.row.tenant;
      fresh->row = record.row;
      fresh->stated = Stated::in(record.row.summary);
      fresh->machine.emplace(std::move(history.machine));
      fresh->contents = std::move(history.contents);
      fresh->contents_bytes = history.contents_bytes;
      return fresh;
    };
    auto result = std::make_shared<Result<std::unique_ptr<Actor>>>(read());
    strand_.post([this, run, result] { loaded(run, std::move(*result)); });
  });
}

void Lane::load_later(Actor& actor) {
  actor.is_loading = true;
  const Duration delay = kReload.after(actor.commits_failed + actor.reads_failed);
  strand_.post_at(engine_.clock_.now() + delay, [this, run = actor.id] {
    if (Actor* waiting = find(run); waiting != nullptr && !is_stopped_) load(*waiting);
  });
}

void Lane::loaded(RunId run, Result<std::unique_ptr<Actor>> read) {
  Actor* actor = find(run);
  if (actor == nullptr || is_stopped_) return;
  actor->is_loading = false;
  if (!read) return load_failed(*actor, read.error());
  actor->reads_failed = 0;
  Actor& fresh = **read;
  actor->tenant = fresh.tenant;
  actor->row = std::move(fresh.row);
  actor->stated = fresh.stated;
  actor->machine = std::move(fresh.machine);
  actor->contents = std::move(fresh.contents);
  actor->contents_bytes = fresh.contents_bytes;
  const std::size_t held = actor->machine->slots_held();
  if (held > actor->slots) engine_.slots_.adopt(actor->tenant, held - actor->slots);
  actor->slots = std::max(actor->slots, held);
  recovered(*actor);
  if (const auto failed = std::exchange(actor->failed, nullptr)) {
    const bool is_durable = failed->is_outcome_unknown && actor->row.version == failed->version;
    if (is_durable) return go_on(*actor, *failed);
    give_again(*actor, *failed);
  }
  // A call under way that this process did not make: the one that made it is gone.
  const auto calls = actor->machine->calls_in_flight(actor->contents);
  const auto is_lost = [actor](const Call& call) {
    return call.kind != CallKind::kRun && !actor->dispatched.contains({call.id, call.attempt});
  };
  if (std::any_of(calls.begin(), calls.end(), is_lost)) {
    actor->queue.push_front({Recovered{}, {}, {}});
    const MutexLock lock(engine_.mutex_);
    engine_.figures_.in_doubt += held;
  }
  process(*actor);
}

/// The slots that it holds are known, or will not be soon.
void Lane::recovered(Actor& actor) {
  if (std::exchange(actor.is_recovering, false)) engine_.recovered();
}

/// Puts the inputs of a commit that was not written back in front: callers were told, but what came
/// from outside calls and timers must not be lost.
void Lane::give_again(Actor& actor, Pending& pending) {
  for (auto input = pending.inputs.rbegin(); input != pending.inputs.rend(); ++input) {
    if (input->done || std::holds_alternative<Recovered>(input->input)) continue;
    if (const auto* finished = std::get_if<CallFinished>(&input->input))
      actor.dispatched.insert({finished->id, finished->attempt});
    actor.queue.push_front(std::move(*input));
  }
}

void Lane::load_failed(Actor& actor, const Error& error) {
  const bool may_pass = is_retryable(error.code);
  if (error.code != Code::kNotFound && actor.reads_failed == 0)
    log::error("run {}: read back: {}", actor.id.ulid(), error.message);
  ++actor.reads_failed;
  if (actor.reads_failed >= kReadsWaitedFor) recovered(actor);
  std::deque<Queued> kept;
  for (Queued& queued : actor.queue) {
    // Callers are told; what came from outside calls must not be lost.
    if (queued.done) {
      queued.done(error);
    } else if (may_pass) {
      kept.push_back(std::move(queued));
    }
  }
  actor.queue = std::move(kept);
  if (actor.queue.empty()) {
    remove(actor.id);
    return;
  }
  load_later(actor);
}

// --------------------------------------------------------------------------------------- one turn

void Lane::process(Actor& actor) {
  if (!actor.machine || actor.is_loading || actor.is_committing || is_stopped_) return;
  if (std::exchange(actor.must_rejoin, false)) rejoin(actor);
  if (actor.queue.empty()) return rest(actor);
  Machine& machine = *actor.machine;
  auto pending = std::make_shared<Pending>();
  std::vector<std::string> events;
  std::vector<Content> contents;
  std::optional<store::IdempotentAnswer> answer;
  const std::uint32_t first_seq = machine.state().seq + 1;
  const bool is_new = machine.state().seq == 0;
  const std::size_t held_before = machine.slots_held();
  actor.slots += engine_.slots_.acquire(actor.tenant, machine.slots_usable());
  while (!actor.queue.empty() && pending->inputs.size() < kInputsPerCommitMax) {
    // One answer a commit: it belongs to its change alone.
    if (answer && actor.queue.front().answer) break;
    Queued queued = std::move(actor.queue.front());
    actor.queue.pop_front();
    if (const auto* finished = std::get_if<CallFinished>(&queued.input)) {
      actor.dispatched.erase({finished->id, finished->attempt});
    }
    // What a crash left is put on record before anything of it goes on.
    if (std::holds_alternative<Recovered>(queued.input)) pending->must_state = true;
    const Turn turn{.now = engine_.clock_.now(),
                    .random = engine_.rng_.bytes32(),
                    .contents = actor.contents,
                    .contents_bytes = actor.contents_bytes,
                    .slots = actor.slots - std::min(actor.slots, machine.slots_held()),
                    .directory = engine_.directory_,
                    .runner = engine_.runner_};
    Reaction reaction = machine.react(queued.input, turn);
    // An answer is kept with the change that it tells of, and only then.
    if (queued.answer && !reaction.events.empty()) answer = queued.answer;
    if (reaction.refusal) {
      if (queued.done) queued.done(*reaction.refusal);
      continue;
    }
    std::move(reaction.events.begin(), reaction.events.end(), std::back_inserter(events));
    std::move(reaction.contents.begin(), reaction.contents.end(), std::back_inserter(contents));
    take_calls(reaction, *pending);
    std::move(reaction.tasks.begin(), reaction.tasks.end(), std::back_inserter(pending->tasks));
    pending->wants_more = reaction.wants_more;
    pending->wants_slots = reaction.wants_slots;
    pending->answers.emplace_back(queued.done,
                                  Outcome{machine.state().status, std::move(reaction.grant)});
    pending->inputs.push_back(std::move(queued));
  }
  // Until it is durable that a call has ended, a crash leaves it under way: it keeps its slot.
  keep_slots(actor, std::max(held_before, machine.slots_held()));
  if (events.empty() && pending->tasks.empty() && !answer) {
    // Nothing happened: nothing to make durable.
    for (auto& [done, outcome] : pending->answers) {
      if (done) done(std::move(outcome));
    }
    if (pending->wants_slots) wait_for_slot(actor);
    // The timer that fired may have been one of several.
    const bool is_known = machine.state().seq > 0;
    const auto at = is_known ? machine.wake_at(engine_.clock_.now(), pending->wants_slots)
                             : std::optional<Time>();
    if (at) arm_on_strand(actor.id, actor.tenant, *at);
    return process(actor);
  }

  std::string contents_bytes = contents.empty() ? "" : provenance::encode_contents(contents);
  actor.contents_bytes += contents_bytes.size();
  store::Commit commit = transition(actor, *pending, pending->wants_slots);
  commit.answer = std::move(answer);
  commit.tasks = pending->tasks;
  store::RunChange& change = *commit.run;
  const auto count = static_cast<std::uint32_t>(events.size());
  if (!events.empty())
    change.journal = store::Segment{first_seq, count, provenance::encode_journal(events)};
  if (!contents.empty())
    change.contents = store::Segment{first_seq, count, std::move(contents_bytes)};
  if (is_new) {
    change.plan = std::exchange(actor.own_plan, std::nullopt);
    change.labels = std::exchange(actor.labels, {});
  }
  pending->events = events.size();
  this->commit(actor, std::move(commit), std::move(pending));
}

/// A call that the same commit cancels does not leave.
void Lane::take_calls(Reaction& reaction, Pending& pending) {
  const auto is_cancelled = [&reaction](const Call& call) {
    return std::find(reaction.cancels.begin(), reaction.cancels.end(), call.id) !=
           reaction.cancels.end();
  };
  std::erase_if(pending.calls, is_cancelled);
  std::erase_if(reaction.calls, is_cancelled);
  std::move(reaction.calls.begin(), reaction.calls.end(), std::back_inserter(pending.calls));
  std::move(reaction.cancels.begin(), reaction.cancels.end(), std::back_inserter(pending.cancels));
  std::move(reaction.stopped_children.begin(), reaction.stopped_children.end(),
            std::back_inserter(pending.stopped_children));
}

bool Lane::may_leave(const Actor& actor, bool waits_for_slot) const {
  const bool is_idle = is_terminal(actor.machine->state().status) || actor.machine->is_parked();
  return is_idle && actor.starting.empty() &&
         (!waits_for_slot || engine_.runs_loaded_ > engine_.options_.runs_loaded_max);
}

/// The row as it is now, and the statement that is due with it.
store::Commit Lane::transition(Actor& actor, Pending& pending, bool waits_for_slot) {
  const Machine& machine = *actor.machine;
  const Time now = engine_.clock_.now();
  store::Commit commit;
  store::RunChange& change = commit.run.emplace();
  change.expected_version = actor.row.version;
  actor.row.version += 1;
  actor.row.status = machine.state().status;
  actor.row.wake_at = machine.wake_at(now, waits_for_slot);
  actor.row.is_parked =
      machine.is_parked() && !pending.wants_more && !waits_for_slot && !machine.has_kin();
  const auto due = statement_due(machine.state(), actor.row.created_at, actor.stated, now);
  const bool leaves = !pending.wants_more && may_leave(actor, waits_for_slot);
  std::optional<Bytes32> root;
  if (due && (*due <= now || leaves || pending.must_state)) {
    const auto statement = run_statement(machine, actor.row, actor.stated, engine_.rng_.bytes32());
    root = statement.root;
    commit.statements.push_back(tlog::queued(statement));
    actor.stated = {machine.state().seq, now};
  }
  actor.row.summary = json::write(summary(actor, waits_for_slot, root));
  change.row = actor.row;
  pending.version = actor.row.version;
  return commit;
}

/// Nothing is to be done for it: it leaves memory if it may, but not before all of it is stated;
/// one that stays is stated when that is due.
void Lane::rest(Actor& actor) {
  const RunState& state = actor.machine->state();
  const bool leaves = may_leave(actor, actor.waits_for_slot);
  const Time now = engine_.clock_.now();
  auto due = statement_due(state, actor.row.created_at, actor.stated, now);
  if (!due || is_terminal(state.status)) {
    state_at(actor, std::nullopt);
    if (leaves) remove(actor.id);
    return;
  }
  due = std::max(leaves ? now : *due, actor.state_from);
  if (*due > now) return state_at(actor, due);
  auto pending = std::make_shared<Pending>();
  pending->must_state = true;
  pending->before.emplace(actor.row, actor.stated);
  commit(actor, transition(actor, *pending, actor.waits_for_slot), pending);
}

void Lane::commit(Actor& actor, store::Commit commit, std::shared_ptr<Pending> pending) {
  actor.is_committing = true;
  // Commit before dispatch. If we stop in between, recovery derives the calls from the run's state
  // and makes them again under the same key; the other order could act without a trace.
  engine_.store_.commit(std::move(commit), [this, run = actor.id, pending](Result<void> done) {
    strand_.post([this, run, pending, done = std::move(done)] { committed(run, done, pending); });
  });
}

void Lane::committed(RunId run, const Result<void>& done, const std::shared_ptr<Pending>& pending) {
  Actor* actor = find(run);
  CHECK(actor != nullptr);
  actor->is_committing = false;
  if (!done) return commit_failed(*actor, done.error(), pending);
  failing_.clear();
  go_on(*actor, *pending);
}

/// What was decided is durable: lets it happen.
void Lane::go_on(Actor& actor, Pending& pending) {
  const RunId run = actor.id;
  actor.commits_failed = 0;
  keep_slots(actor, actor.machine->slots_held());
  {
    const MutexLock lock(engine_.mutex_);
    engine_.figures_.events += pending.events;
    engine_.figures_.calls += pending.calls.size();
  }
  for (const store::TaskChange& task : pending.tasks) engine_.board_.apply(task);
  const RunStatus status = actor.machine->state().status;
  if (pending.events > 0) {
    for (const auto& follower : engine_.followers(run))
      follower->on_events(actor.machine->state().seq, is_terminal(status));
  }
  // Whoever waits for the end is told first, then the caller: the other order would let a caller
  // miss it.
  if (is_terminal(status)) {
    disarm(run);
    tell_parent(actor);
    engine_.run_ended(run, actor.tenant, status, [&actor] {
      return std::make_shared<const EndedRun>(
          EndedRun{actor.row, History{*actor.machine, actor.contents, actor.contents_bytes}});
    });
  }
  for (auto& [answer, outcome] : pending.answers) {
    if (answer) answer(std::move(outcome));
  }
  if (is_stopped_) return;
  // What is cancelled gave its slot to what leaves now.
  for (const CallId& cancel : pending.cancels) engine_.runner_.cancel(cancel);
  for (const RunId& child : pending.stopped_children) stop_child(actor, child);
  for (Call& call : pending.calls) dispatch(actor, std::move(call));
  if (!is_terminal(status)) {
    if (actor.row.wake_at) arm_on_strand(run, actor.tenant, *actor.row.wake_at);
    if (pending.wants_slots) wait_for_slot(actor);
    if (pending.wants_more) actor.queue.push_front({Continue{}, {}, {}});
  }
  process(actor);
}

/// The machine has gone on and the store has not (or may not have): forget it and read it back. A
/// statement alone moves no machine: where it was not written, it is as if it had not been tried.
void Lane::commit_failed(Actor& actor, const Error& error,
                         const std::shared_ptr<Pending>& pending) {
  if (failing_.insert(error.code).second) {
    log::warning("run {}: commit: {} (said once until one is written)", actor.id.ulid(),
                 error.message);
  }
  ++actor.commits_failed;
  actor.state_from = engine_.clock_.now() + kStateAgain.after(actor.commits_failed);
  const bool is_not_written =
      error.code == Code::kResourceExhausted || error.code == Code::kUnavailable;
  if (is_not_written && pending->before) {
    std::tie(actor.row, actor.stated) = std::move(*pending->before);
    return process(actor);
  }
  // A store that is full takes it later: for a caller that is no limit of his.
  const bool is_full = error.code == Code::kResourceExhausted;
  const Error told = is_full ? Error{Code::kUnavailable, error.message} : error;
  for (auto& [done, outcome] : pending->answers) {
    if (done) done(told);
  }
  pending->answers.clear();
  pending->is_outcome_unknown = error.code == Code::kOutcomeUnknown;
  actor.machine.reset();
  actor.contents = {};
  if (pending->version == 1 && !pending->is_outcome_unknown) {
    // It never began. Nobody else knows of it.
    for (Queued& queued : actor.queue) {
      if (queued.done) queued.done(told);
    }
    remove(actor.id);
    return;
  }
  actor.failed = pending;
  actor.queue.push_back({Continue{}, {}, {}});
  load_later(actor);
}

void Lane::dispatch(Actor& actor, Call call) {
  if (call.kind == CallKind::kRun) return start_child(actor, std::move(call));
  const CallId id = call.id;
  const std::uint32_t attempt = call.attempt;
  actor.dispatched.insert({id, attempt});
  if (call.kind == CallKind::kModel) {
    call.on_text = [this, id, attempt](std::string_view text) {
      for (const auto& follower : engine_.followers(id.run))
        follower->on_text({id, attempt, std::string(text)});
    };
  }
  engine_.runner_.start(std::move(call), [this, id, attempt](CallOutcome outcome) {
    tell(id.run, CallFinished{id, attempt, std::move(outcome)}, {}, {});
  });
}

// ---------------------------------------------------------------------------------------- slots

/// Gives the others back.
void Lane::keep_slots(Actor& actor, std::size_t count) {
  if (actor.slots <= count) return;
  engine_.slots_.release(actor.tenant, actor.slots - count);
  actor.slots = count;
}

void Lane::wait_for_slot(Actor& actor) {
  if (actor.waits_for_slot) return;
  actor.waits_for_slot = true;
  const int priority = actor.machine->state().priority;
  engine_.slots_.wait(actor.tenant, priority, [this, run = actor.id, tenant = actor.tenant] {
    strand_.post([this, run, tenant] {
      if (is_stopped_) return;
      Actor* waiting = find(run);
      if (waiting == nullptr) waiting = &add(run, tenant);  // it had left memory
      waiting->waits_for_slot = false;
      ++waiting->slots;
      enqueue(*waiting, {Continue{}, {}, {}});
    });
  });
}

// ---------------------------------------------------------------------------------------- timers

void Lane::arm_on_strand(RunId run, TenantId tenant, Time wake_at) {
  disarm(run);
  timers_[run] = {wake_at, tenant};
  due_.emplace(wake_at, run);
  check_in_time();
}

/// Sees to it that timers and statements are looked at when the first of them is due. Tasks on the
/// executor cannot be taken back: only a moment before all those that are planned gets one of its
/// own.
void Lane::check_in_time() {
  if (due_.empty() && to_state_.empty()) return;
  Time at = Time::max();
  if (!due_.empty()) at = due_.begin()->first;
  if (!to_state_.empty()) at = std::min(at, to_state_.begin()->first);
  if (!checks_.empty() && *checks_.begin() <= at) return;
  checks_.insert(at);
  strand_.post_at(at, [this, at] {
    checks_.erase(at);
    if (is_stopped_) return;
    check_timers();
    check_statements();
    check_in_time();
  });
}

void Lane::disarm(RunId run) {
  const auto at = timers_.find(run);
  if (at == timers_.end()) return;
  due_.erase({at->second.wake_at, run});
  timers_.erase(at);
}

void Lane::check_timers() {
  const Time now = engine_.clock_.now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const RunId run = due_.begin()->second;
    const TenantId tenant = timers_[run].tenant;
    disarm(run);
    Actor* actor = find(run);
    if (actor == nullptr) actor = &add(run, tenant);
    enqueue(*actor, {TimerFired{}, {}, {}});
  }
}

/// From now on the run is looked at at `time`, and at no other.
void Lane::state_at(Actor& actor, std::optional<Time> time) {
  if (actor.state_at == time) return;
  if (actor.state_at) to_state_.erase({*actor.state_at, actor.id});
  actor.state_at = time;
  if (!time) return;
  to_state_.emplace(*time, actor.id);
  check_in_time();
}

void Lane::check_statements() {
  const Time now = engine_.clock_.now();
  while (!to_state_.empty() && to_state_.begin()->first <= now) {
    Actor* actor = find(to_state_.begin()->second);
    CHECK(actor != nullptr);
    state_at(*actor, std::nullopt);
    process(*actor);
  }
}

// --------------------------------------------------------------------------------------- summary

/// What lists show of the run, and what only its row knows.
/// `root`: of all its events, where it has been computed already.
json::Value Lane::summary(const Actor& actor, bool waits_for_slot,
                          const std::optional<Bytes32>& root) {
  const RunState& state = actor.machine->state();
  json::Value out = json::Object();
  for (const auto& [member, committed] :
       {std::pair{"name", &state.name}, std::pair{"labels", &state.labels}}) {
    if (const json::Value* value = actor.contents.find(committed->ref)) out.set(member, *value);
  }
  for (const std::string_view fact : {"workflow_version", "workflow_digest"}) {
    if (const json::Value* value = state.start_facts.find(fact)) out.set(fact, *value);
  }
  const bool lacks_slot = waits_for_slot && !state.paused_at;
  const std::string_view waiting = lacks_slot ? "capacity" : actor.machine->waiting_for();
  if (!is_terminal(state.status) && !waiting.empty()) out.set("waiting_for", waiting);
  if (state.status == RunStatus::kFailed) {
    json::Value error = json::Object{{"code", state.error_code}};
    if (const json::Value* message = actor.contents.find(state.error_message.ref))
      error.set("message", *message);
    if (!state.error_step.empty()) error.set("step", state.error_step);
    out.set("error", std::move(error));
  }
  if (state.cost != 0)
    out.set("total_cost_cents", json::Value::number(static_cast<double>(state.cost) / 1e6));
  if (state.usage.input_tokens + state.usage.output_tokens != 0) {
    out.set("usage", json::Object{{"input_tokens", state.usage.input_tokens},
                                  {"output_tokens", state.usage.output_tokens}});
  }
  if (state.completed_at) out.set("completed_at", format_time(*state.completed_at));
  out.set("events", static_cast<std::int64_t>(state.seq));
  if (actor.stated.seq != 0) out.set("stated", actor.stated.to_json());
  out.set("contents_bytes", static_cast<std::int64_t>(actor.contents_bytes));
  if (is_terminal(state.status))
    out.set("root", to_hex(view_of(root ? *root : actor.machine->tree().root())));
  return out;
}

}  // namespace avow::engine
