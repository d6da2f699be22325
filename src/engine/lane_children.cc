// SPDX-License-Identifier: Apache-2.0
// How a lane starts the children of its runs, stops them, and tells a parent how its child ended.
// All of it may be done again: a child is known by its id, which its parent's journal named before.
#include "base/log.h"
#include "engine/lane.h"

namespace avow::engine {
namespace {

/// Before a store that could not be asked is asked again.
constexpr Duration kAskAgain{1'000};

ChildEnded end_of(const Machine& machine, const Contents& contents) {
  const RunState& state = machine.state();
  const json::Value* output = contents.find(state.output.ref);
  return {.child = state.id,
          .step = state.parent_step,
          .status = state.status,
          .code = state.error_code,
          .events = state.seq,
          .root = machine.tree().root(),
          .usage = state.usage,
          .cost = state.cost,
          .output = output == nullptr ? json::Value() : *output,
          .commitment = state.output.commitment};
}

/// The call of `state` that `id` names; null pointer: it has none such.
const CallState* find_call(const RunState& state, const CallId& id) {
  const std::size_t i = state.index_of(id.step);
  if (i >= state.unit_count()) return nullptr;
  for (const CallState& call : state.unit(i).calls) {
    if (call.number == id.number) return &call;
  }
  return nullptr;
}

}  // namespace

// ------------------------------------------------------------------------------ a parent's
// children

/// Starts the child that the call names, or finds out what became of it.
void Lane::start_child(Actor& actor, Call call) {
  const RunState& state = actor.machine->state();
  const CallState* known = find_call(state, call.id);
  CHECK(known != nullptr);
  if (!actor.starting.insert(known->child).second) return;
  auto asked = std::make_shared<AskedChild>();
  asked->call = call.id;
  asked->attempt = call.attempt;
  asked->request = {.id = known->child,
                    .tenant = actor.tenant,
                    .at = engine_.clock_.now(),
                    .actor = state.actor,
                    .fallback = state.agent,
                    .traceparent = state.traceparent,
                    .request = std::move(call.request),
                    .parent = {.run = actor.id,
                               .step = call.id.step,
                               .request = known->request_commitment,
                               .depth = state.depth + 1}};
  ask_for_child(asked);
}

void Lane::ask_for_child(const std::shared_ptr<AskedChild>& asked) {
  reader_.post([this, asked] {
    auto found = std::make_shared<Result<FoundChild>>(find_child(asked->request));
    strand_.post([this, asked, found] { child_found(asked, std::move(*found)); });
  });
}

/// On the reader.
Result<Lane::FoundChild> Lane::find_child(const ChildRequest& request) const {
  const auto row = engine_.store_.get_run(request.id);
  if (!row && row.error().code != Code::kNotFound) return row.error();
  if (!row) {
    ASSIGN_OR_RETURN(auto prepared, engine_.children_.prepare_child(request));
    if (auto* refused = std::get_if<ChildRefused>(&prepared))
      return FoundChild(std::move(*refused));
    return FoundChild(std::get<NewRun>(std::move(prepared)));
  }
  if (!is_terminal(row->status)) return FoundChild(UnderWay{});
  ASSIGN_OR_RETURN(const store::RunRecord record, engine_.store_.read_run(request.id));
  ASSIGN_OR_RETURN(const History history, read_history(record, engine_.plans_));
  return FoundChild(end_of(history.machine, history.contents));
}

void Lane::child_found(const std::shared_ptr<AskedChild>& asked, Result<FoundChild> found) {
  Actor* actor = find(asked->request.parent.run);
  const RunId child = asked->request.id;
  // It was cancelled before it began.
  if (actor == nullptr || is_stopped_ || !actor->starting.contains(child)) return;
  if (!found) return ask_again(asked, found.error());
  if (auto* run = std::get_if<NewRun>(&*found)) {
    run->id = child;
    run->start.parent = asked->request.parent;
    engine_.start_run(std::move(*run), [this, asked](Result<Outcome> done) {
      strand_.post([this, asked, done = std::move(done)] {
        if (done) return child_is_known(asked->request);
        // It may be there all the same: another try began it, or its commit's answer was lost.
        Actor* waiting = find(asked->request.parent.run);
        if (waiting != nullptr && waiting->starting.contains(asked->request.id))
          ask_again(asked, done.error());
      });
    });
    return;
  }
  actor->starting.erase(child);
  if (auto* ended = std::get_if<ChildEnded>(&*found)) {
    enqueue(*actor, {std::move(*ended), {}, {}});
  } else if (auto* refused = std::get_if<ChildRefused>(&*found)) {
    CallError error{.code = std::move(refused->code),
                    .message = std::move(refused->message),
                    .retry_class = {},
                    .retry_after = {},
                    .detail = {}};
    enqueue(*actor, {CallFinished{asked->call, asked->attempt, std::move(error)}, {}, {}});
  } else {
    process(*actor);
  }
}

/// The parent may leave memory: its child is durable, and tells it when it has ended.
void Lane::child_is_known(const ChildRequest& request) {
  Actor* actor = find(request.parent.run);
  if (actor == nullptr || is_stopped_ || actor->starting.erase(request.id) == 0) return;
  process(*actor);
}

void Lane::ask_again(const std::shared_ptr<AskedChild>& asked, const Error& error) {
  if (asked->tries++ == 0) {
    log::warning("run {}: start of its child {}: {} (said once)", asked->request.parent.run.ulid(),
                 asked->request.id.ulid(), error.message);
  }
  strand_.post_at(engine_.clock_.now() + kAskAgain, [this, asked] {
    Actor* actor = find(asked->request.parent.run);
    if (actor == nullptr || is_stopped_ || !actor->starting.contains(asked->request.id)) return;
    ask_for_child(asked);
  });
}

/// A child that is only about to begin does not, or hears it first: both come to its lane in this
/// order.
void Lane::stop_child(Actor& actor, RunId child) {
  actor.starting.erase(child);
  engine_.tell(child, CancelRequested{"run:" + actor.id.uuid(), "the step that started it is over"},
               {}, {});
}

// --------------------------------------------------------------------------- a child and its
// parent

void Lane::tell_parent(const Actor& actor) {
  const RunState& state = actor.machine->state();
  if (state.parent) engine_.tell(*state.parent, end_of(*actor.machine, actor.contents), {}, {});
}

/// After a start of the process, in which what kin had to tell may have been lost: a run asks after
/// the children that it waits for, and a child whether its parent still waits.
void Lane::rejoin(Actor& actor) {
  for (Call& call : actor.machine->calls_in_flight(actor.contents)) {
    if (call.kind == CallKind::kRun) start_child(actor, std::move(call));
  }
  const RunState& state = actor.machine->state();
  if (state.parent && !is_terminal(state.status)) {
    ask_parent({.child = actor.id, .parent = *state.parent, .step = state.parent_step});
  }
}

void Lane::ask_parent(const ParentOf& kin) {
  reader_.post([this, kin] {
    const auto waits = is_awaited(kin);
    strand_.post([this, kin, waits] {
      if (is_stopped_ || (waits && *waits)) return;
      if (!waits && is_retryable(waits.error().code)) {
        strand_.post_at(engine_.clock_.now() + kAskAgain, [this, kin] {
          if (!is_stopped_) ask_parent(kin);
        });
        return;
      }
      tell(kin.child,
           CancelRequested{"run:" + kin.parent.uuid(), "the step that started it is over"}, {}, {});
    });
  });
}

/// On the reader: whether the parent still waits for the child.
Result<bool> Lane::is_awaited(const ParentOf& kin) const {
  ASSIGN_OR_RETURN(const store::RunRecord record, engine_.store_.read_run(kin.parent));
  if (is_terminal(record.row.status)) return false;
  ASSIGN_OR_RETURN(const History history, read_history(record, engine_.plans_));
  const RunState& state = history.machine.state();
  const std::size_t i = state.index_of(kin.step);
  return i < state.unit_count() && state.unit(i).waits_for_child() &&
         state.unit(i).calls.back().child == kin.child;
}

}  // namespace avow::engine
