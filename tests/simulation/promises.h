// SPDX-License-Identifier: Apache-2.0
// What must hold of every run that is over, whatever happened to it: judged from its journal and
// from the calls that left, by rules written apart from the engine's own.
#pragma once
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "testing/engine_world.h"

namespace avow::engine {

inline bool is_run_end(std::string_view type) {
  return type == "run.completed" || type == "run.failed" || type == "run.cancelled";
}
inline bool is_step_end(std::string_view type) {
  return type == "step.completed" || type == "step.failed" || type == "step.skipped" ||
         type == "step.cancelled";
}

inline void ends_once(const std::vector<Event>& events) {
  const auto ends = std::count_if(events.begin(), events.end(),
                                  [](const Event& event) { return is_run_end(event.type); });
  EXPECT_EQ(ends, 1);
  EXPECT_TRUE(is_run_end(events.back().type)) << events.back().type << " came after the end";
}

inline void seq_and_time_never_go_back(const std::vector<Event>& events) {
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].seq, i + 1);
    if (i > 0) {
      EXPECT_GE(events[i].time, events[i - 1].time);
    }
  }
}

inline void each_step_starts_and_ends_at_most_once(const std::vector<Event>& events) {
  std::map<std::string, int> starts;
  std::map<std::string, int> ends;
  for (const Event& event : events) {
    if (event.type == "step.started" && event.attempt == 1) ++starts[event.step];
    if (is_step_end(event.type)) ++ends[event.step];
    if (event.type == "step.started") {
      EXPECT_EQ(ends[event.step], 0) << event.step << " started after its end";
    }
  }
  for (const auto& [step, count] : starts) EXPECT_EQ(count, 1) << step;
  for (const auto& [step, count] : ends) EXPECT_EQ(count, 1) << step;
}

inline void each_step_starts_after_what_it_depends_on(const std::vector<Event>& events,
                                                      const Plan& plan) {
  std::set<std::string> ended;
  for (const Event& event : events) {
    if (is_step_end(event.type)) ended.insert(event.step);
    if (event.type != "step.started" && event.type != "step.skipped") continue;
    for (const std::size_t dependency : plan.steps[plan.find(event.step)].dependencies) {
      EXPECT_TRUE(ended.contains(plan.steps[dependency].name))
          << event.step << " did not wait for " << plan.steps[dependency].name;
    }
  }
}

/// DESIGN.md, section 3, word for word: skipped if all of its dependencies were, or if it stands
/// only on branches that were not taken.
inline void skips_what_stands_on_nothing(const RunState& state) {
  for (std::size_t i = 0; i < state.steps.size(); ++i) {
    const StepState& step = state.steps[i];
    const workflow::Step& plan = state.plan().steps[i];
    if (step.status == StepStatus::kPending) continue;  // the run ended before its turn
    std::size_t skipped = 0;
    for (const std::size_t d : plan.dependencies)
      skipped += state.steps[d].status == StepStatus::kSkipped ? 1 : 0;
    bool is_taken = plan.gates.empty();
    for (const workflow::BranchGate& gate : plan.gates) {
      const StepState& decision = state.steps[gate.decision];
      is_taken = is_taken ||
                 (decision.status == StepStatus::kCompleted && decision.decision == gate.label);
    }
    const bool must_skip =
        !is_taken || (!plan.dependencies.empty() && skipped == plan.dependencies.size());
    if (must_skip) {
      EXPECT_EQ(step.status, StepStatus::kSkipped) << step.name;
    } else if (!plan.condition) {
      EXPECT_NE(step.status, StepStatus::kSkipped) << step.name;
    }
  }
}

inline void a_run_completes_only_over_failures_that_are_allowed(const RunState& state) {
  if (state.status != RunStatus::kCompleted) return;
  for (std::size_t i = 0; i < state.steps.size(); ++i) {
    EXPECT_TRUE(is_terminal(state.steps[i].status)) << state.steps[i].name;
    if (state.steps[i].status != StepStatus::kFailed) continue;
    if (state.is_agent_run) {
      EXPECT_EQ(state.steps[i].type, StepType::kToolCall) << state.steps[i].name;
    } else {
      EXPECT_NE(state.plan().steps[i].on_failure, workflow::OnFailure::kAbort)
          << state.steps[i].name;
    }
  }
}

inline void keeps_to_max_steps(const std::vector<Event>& events, const RunState& state) {
  const auto starts = std::count_if(events.begin(), events.end(), [](const Event& event) {
    return event.type == "step.started" && event.attempt == 1;
  });
  EXPECT_LE(starts, state.max_steps);
}

/// No call is attempted more often than its policy says.
inline void keeps_to_max_attempts(const std::vector<Event>& events, const RunState& state) {
  std::map<std::string, int> retries;
  for (const Event& event : events) {
    // Another call; but an orchestration's next attempt is another run, and no other call.
    if (event.type == "effect.started" && event.data.string_or("kind") != "run")
      retries[event.step] = 0;
    if (event.type != "step.retrying") continue;
    const int most =
        state.is_agent_run ? 3 : state.plan().steps[state.index_of(event.step)].retry.max_attempts;
    EXPECT_LT(++retries[event.step], most) << event.step;
  }
}

/// The calls of one run as they left, with the process that made each.
struct MadeCall {
  const Call* call;
  std::size_t process;
};
inline std::vector<MadeCall> calls_of(const testing::EngineWorld& world, RunId run) {
  std::vector<MadeCall> out;
  std::size_t process = 0;
  for (std::size_t i = 0; i < world.runner.made.size(); ++i) {
    while (process < world.made_before.size() && i >= world.made_before[process]) ++process;
    if (world.runner.made[i].id.run == run) out.push_back({&world.runner.made[i], process});
  }
  return out;
}

/// DESIGN.md, promise 2: the same request under the same key at every attempt; an attempt is made
/// again only by another process, and never where on_crash is "fail".
inline void calls_leave_as_promised(const std::vector<MadeCall>& calls, const RunState& state) {
  std::map<CallId, json::Value> requests;
  std::map<std::pair<CallId, std::uint32_t>, std::size_t> last_process;
  for (const auto& [call, process] : calls) {
    const auto [at, is_new] = requests.emplace(call->id, call->request);
    EXPECT_TRUE(is_new || at->second == call->request) << call->id.key() << " changed its request";
    const auto [before, is_first] =
        last_process.emplace(std::pair{call->id, call->attempt}, process);
    if (is_first) continue;
    EXPECT_LT(before->second, process)
        << call->id.key() << " attempt " << call->attempt << " left twice from one process";
    before->second = process;
    if (state.is_agent_run) continue;
    EXPECT_EQ(state.plan().steps[state.index_of(call->id.step)].on_crash, workflow::OnCrash::kRetry)
        << call->id.key() << " was made again and must not be";
  }
}

/// Nothing leaves that the journal does not name.
inline void no_call_leaves_without_a_trace(const std::vector<MadeCall>& calls,
                                           const std::vector<Event>& events) {
  std::set<std::pair<std::string, std::int64_t>> traced;
  for (const Event& event : events) {
    if (event.type == "effect.started") traced.emplace(event.step, event.data.int_or("call", 0));
  }
  for (const auto& [call, process] : calls)
    EXPECT_TRUE(traced.contains({call->id.step, call->id.number})) << call->id.key();
}

/// The run of that id was started by `start`, an event of `parent`, and by nobody else.
inline void a_child_is_of_its_parent(testing::EngineWorld& world, RunId child,
                                     const RunState& parent, const Event& start) {
  const auto row = world.store.get_run(child);
  if (!row) return;  // the parent was over, or the process, before it began
  const auto events = world.events(child);
  const json::Value& data = events.front().data;
  EXPECT_EQ(row->tenant, parent.tenant);
  EXPECT_EQ(data.string_or("parent"), parent.id.uuid());
  EXPECT_EQ(data.string_or("parent_step"), start.step);
  EXPECT_EQ(data.int_or("depth", 0), parent.start_facts.int_or("depth", 0) + 1);
  EXPECT_LE(data.int_or("depth", 0), 8);
  EXPECT_EQ(data.find("from")->as_array().front().string_or("commitment"),
            start.data.string_or("request"));
  EXPECT_TRUE(is_run_end(events.back().type)) << "the parent is over and its child goes on";
}

/// What the parent was told of the child is what the child's own journal says.
inline void a_childs_end_is_told_as_it_was(testing::EngineWorld& world, const History& parent,
                                           const std::vector<Event>& events, std::size_t told) {
  const Event& finished = events[told];
  const RunId child{*parse_id(finished.data.string_or("child"))};
  ASSERT_TRUE(world.store.get_run(child)) << "an end of a run that is not there";
  const History theirs = world.history(child);
  const RunState& state = theirs.machine.state();
  EXPECT_EQ(finished.data.string_or("status"), run_status_name(state.status));
  EXPECT_EQ(finished.data.string_or("code"), state.error_code);
  EXPECT_EQ(finished.data.int_or("events", 0), state.seq);
  EXPECT_EQ(finished.data.string_or("root_digest"), to_hex(view_of(theirs.machine.tree().root())));
  EXPECT_EQ(finished.data.int_or("input_tokens", 0), state.usage.input_tokens);
  EXPECT_EQ(finished.data.int_or("output_tokens", 0), state.usage.output_tokens);
  const auto is_end = [&finished](const Event& event) {
    return event.step == finished.step && event.type == "step.completed";
  };
  const auto end =
      std::find_if(events.begin() + static_cast<std::ptrdiff_t>(told), events.end(), is_end);
  if (state.status != RunStatus::kCompleted || end == events.end()) return;
  EXPECT_EQ(*parent.contents.find({end->seq, "output"}), *theirs.contents.find(state.output.ref));
}

inline void children_are_as_promised(testing::EngineWorld& world, const History& history,
                                     const std::vector<Event>& events) {
  std::set<std::string> named;
  std::set<std::string> told;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const std::string child = events[i].data.string_or("child");
    if (events[i].type == "effect.started" && !child.empty()) {
      EXPECT_TRUE(named.insert(child).second) << child << " is named twice";
      a_child_is_of_its_parent(world, RunId{*parse_id(child)}, history.machine.state(), events[i]);
    }
    if (events[i].type == "child.finished") {
      EXPECT_TRUE(named.contains(child)) << child << " ended and was not asked for";
      EXPECT_TRUE(told.insert(child).second) << child << " ended twice";
      a_childs_end_is_told_as_it_was(world, history, events, i);
    }
  }
}

/// `events`: those of the run's journal.
inline void every_promise_holds(testing::EngineWorld& world, RunId run,
                                const std::vector<Event>& events) {
  const History history = world.history(run);
  const RunState& state = history.machine.state();
  EXPECT_EQ(world.store.get_run(run)->status, state.status) << "the row and the journal differ";
  ends_once(events);
  seq_and_time_never_go_back(events);
  each_step_starts_and_ends_at_most_once(events);
  if (!state.is_agent_run) {
    each_step_starts_after_what_it_depends_on(events, state.plan());
    skips_what_stands_on_nothing(state);
  }
  a_run_completes_only_over_failures_that_are_allowed(state);
  keeps_to_max_steps(events, state);
  keeps_to_max_attempts(events, state);
  const auto calls = calls_of(world, run);
  calls_leave_as_promised(calls, state);
  no_call_leaves_without_a_trace(calls, events);
  children_are_as_promised(world, history, events);
}

}  // namespace avow::engine
