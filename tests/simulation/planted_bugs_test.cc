// SPDX-License-Identifier: Apache-2.0
// A checker that cannot fail proves nothing. For each promise a bug is planted, in what surrounds
// the engine where it can be, else in what is told of it; the promise must find it within as many
// seeds as `make test` runs.
#include <gtest/gtest.h>

#include "base/log.h"
#include "simulation.h"

namespace avow::engine {
namespace {

using testing::CommitFault;
using testing::EngineWorld;

constexpr std::uint64_t kSeeds = 2'000;

/// The first seed that finds it; 0: none does.
template <class P>
std::uint64_t found_by(const Bug& bug) {
  log::start(log::Level::kOff);
  const P promise;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    for (const Broken& broken : Simulation(seed, bug).live()) {
      if (broken.promise == promise.sentence()) return seed;
    }
  }
  return 0;
}

/// Every promise that a test here has shown to fail.
std::set<std::string_view>& shown() {
  static std::set<std::string_view> sentences;
  return sentences;
}

template <class P>
void expect_found(const Bug& bug) {
  EXPECT_NE(found_by<P>(bug), 0U);
  shown().insert(P().sentence());
}

/// A bug in what is told of runs. `change` says whether there was something to change: one a story.
Bug in_a_run(std::function<bool(RunStory&)> change) {
  return {.in_the_world = {},
          .in_the_story =
              [change = std::move(change)](Story& story) {
                for (RunStory& run : story.runs) {
                  if (change(run)) return;
                }
              },
          .more_slots = 0,
          .more_steps = 0};
}

/// The place of the first event for which `is` holds; of all, if of none.
template <class Is>
std::size_t find_event(const RunStory& run, Is is) {
  return static_cast<std::size_t>(std::find_if(run.events.begin(), run.events.end(), is) -
                                  run.events.begin());
}

/// Tells the first event of that type twice.
Bug doubled(std::string_view type) {
  return in_a_run([type](RunStory& run) {
    const std::size_t i =
        find_event(run, [type](const Event& event) { return event.type == type; });
    if (i == run.events.size()) return false;
    Event again = run.events[i];
    run.events.insert(run.events.begin() + static_cast<std::ptrdiff_t>(i), std::move(again));
    return true;
  });
}

void two_ends() { expect_found<EndsAtMostOnce>(doubled("run.completed")); }

void time_that_goes_back() {
  expect_found<SeqAndTimeNeverGoBack>(in_a_run([](RunStory& run) {
    run.events.back().time = run.events.front().time - Duration(1);
    return run.events.size() > 1;
  }));
}

void an_event_that_is_left_out() {
  expect_found<SeqAndTimeNeverGoBack>(in_a_run([](RunStory& run) {
    run.events.erase(run.events.begin());
    return true;
  }));
}

void a_step_that_ends_twice() {
  expect_found<EachStepStartsAndEndsAtMostOnce>(doubled("step.completed"));
}

void a_step_that_does_not_wait() {
  expect_found<StepsWaitForWhatTheyDependOn>(in_a_run([](RunStory& run) {
    if (run.state.is_agent_run) return false;
    const Plan& plan = run.state.plan();
    const std::size_t i = find_event(run, [&run, &plan](const Event& event) {
      return event.type == "step.started" && is_of_step(run.state, event) &&
             !planned(plan, event.step).dependencies.empty();
    });
    if (i == run.events.size()) return false;
    std::rotate(run.events.begin() + 1, run.events.begin() + static_cast<std::ptrdiff_t>(i),
                run.events.begin() + static_cast<std::ptrdiff_t>(i + 1));
    return true;
  }));
}

void a_step_that_is_skipped_for_nothing() {
  expect_found<SkipsWhatStandsOnNothing>(in_a_run([](RunStory& run) {
    for (StepState& step : run.state.steps) {
      if (step.status == StepStatus::kCompleted) step.status = StepStatus::kSkipped;
    }
    return true;
  }));
}

void a_run_that_completes_over_a_failure() {
  expect_found<CompletesOnlyOverAllowedFailures>(in_a_run([](RunStory& run) {
    for (StepState& step : run.state.steps) step.status = StepStatus::kFailed;
    return run.state.status == RunStatus::kCompleted;
  }));
}

void too_many_steps() {
  Bug bug;
  bug.more_steps = 1;
  expect_found<KeepsToMaxSteps>(bug);
}

void too_many_attempts() {
  expect_found<KeepsToMaxAttempts>(in_a_run([](RunStory& run) {
    const std::size_t i =
        find_event(run, [](const Event& event) { return event.type == "step.retrying"; });
    if (i == run.events.size()) return false;
    const Event retry = run.events[i];
    run.events.insert(run.events.begin() + static_cast<std::ptrdiff_t>(i), 4, retry);
    return true;
  }));
}

void a_slot_too_many() {
  Bug bug;
  bug.more_slots = 1;
  expect_found<KeepsToItsSlots>(bug);
}

void an_approval_that_nobody_gave() {
  expect_found<ApprovalsAreDecidedByWhoMay>(in_a_run([](RunStory& run) {
    return std::erase_if(run.events,
                         [](const Event& event) { return event.type == "approval.decided"; }) > 0;
  }));
}

void an_approver_who_counts_twice() {
  expect_found<ApprovalsAreDecidedByWhoMay>(doubled("approval.decided"));
}

void a_step_that_starts_in_a_pause() {
  expect_found<NothingBeginsWhilePaused>(in_a_run([](RunStory& run) {
    const std::size_t i =
        find_event(run, [](const Event& event) { return event.type == "run.paused"; });
    if (i == run.events.size()) return false;
    Event start = run.events[i];
    start.type = "step.started";
    run.events.insert(run.events.begin() + static_cast<std::ptrdiff_t>(i + 1), std::move(start));
    return true;
  }));
}

void a_request_that_changes() {
  expect_found<AKeyStandsForOneRequest>(in_a_run([](RunStory& run) {
    std::set<CallId> seen;
    for (Departure& departure : run.departures) {
      if (seen.insert(departure.call.id).second) continue;
      departure.call.request.set("more", true);
      return true;
    }
    return false;
  }));
}

void a_call_that_leaves_twice() {
  expect_found<AnAttemptIsRepeatedOnlyAfterACrash>(in_a_run([](RunStory& run) {
    if (run.departures.empty()) return false;
    run.departures.push_back(run.departures.back());
    return true;
  }));
}

void a_call_that_is_repeated_where_it_must_not() {
  expect_found<AnAttemptIsRepeatedOnlyAfterACrash>(in_a_run([](RunStory& run) {
    for (const Departure& departure : run.departures) {
      const std::string& step = departure.call.id.step;
      if (run.state.is_agent_run ||
          planned(run.state.plan(), step).on_crash != workflow::OnCrash::kFail)
        continue;
      Departure again = departure;
      ++again.process;
      run.departures.push_back(std::move(again));
      return true;
    }
    return false;
  }));
}

void a_call_that_leaves_before_its_commit() {
  expect_found<NoCallLeavesWithoutATrace>(in_a_run([](RunStory& run) {
    std::erase_if(run.events, [](const Event& event) { return event.type == "effect.started"; });
    return !run.departures.empty();
  }));
}

void an_answer_that_is_recorded_twice() {
  expect_found<AnEffectIsCompletedAtMostOnce>(doubled("llm.called"));
  expect_found<AnEffectIsCompletedAtMostOnce>(doubled("tool.called"));
}

void a_result_that_nobody_gave() {
  expect_found<TheRecordedResultIsTheOneUsed>(in_a_run([](RunStory& run) {
    for (auto& [key, values] : run.answers) {
      for (json::Value& value : values) value.set("number", -1);
    }
    return !run.answers.empty();
  }));
}

void an_item_that_ends_twice() {
  expect_found<ItemsAreDoneOnceAndInTheirPlace>(doubled("items.completed"));
}

void an_item_out_of_its_place() {
  expect_found<ItemsAreDoneOnceAndInTheirPlace>(in_a_run([](RunStory& run) {
    for (const Event& event : run.events) {
      const json::Value* list = run.contents.find({event.seq, "output"});
      const bool is_list = event.type == "step.completed" && !run.state.is_agent_run &&
                           planned(run.state.plan(), event.step).for_each;
      if (!is_list || list->as_array().size() < 2 ||
          list->as_array().front() == list->as_array().back())
        continue;
      json::Array turned(list->as_array().rbegin(), list->as_array().rend());
      Contents changed;
      for (const Content& content : run.contents.all()) {
        const bool is_it = content.ref == ContentRef{event.seq, "output"};
        changed.add({content.ref, content.salt, is_it ? json::Value(turned) : content.value});
      }
      run.contents = std::move(changed);
      return true;
    }
    return false;
  }));
}

void too_many_items_at_once() {
  expect_found<ItemsAreDoneOnceAndInTheirPlace>(in_a_run([](RunStory& run) {
    const std::size_t i =
        find_event(run, [](const Event& event) { return event.data.find("item") != nullptr; });
    if (i == run.events.size()) return false;
    const Event item = run.events[i];
    run.events.insert(run.events.begin() + static_cast<std::ptrdiff_t>(i), 4, item);
    return true;
  }));
}

/// Takes the events of the first step that undoes one away.
void a_step_that_is_not_undone() {
  expect_found<StepsAreUndoneInReverse>(in_a_run([](RunStory& run) {
    if (run.state.is_agent_run || !is_terminal(run.state.status)) return false;
    return std::erase_if(run.events, [&run](const Event& event) {
             return !event.step.empty() &&
                    run.state.plan().find(event.step) >= run.state.plan().steps.size();
           }) > 0;
  }));
}

void a_step_that_is_undone_in_a_run_that_goes_on() {
  expect_found<StepsAreUndoneInReverse>(in_a_run([](RunStory& run) {
    return std::erase_if(run.events, [](const Event& event) {
             return event.type == "run.compensating" || event.type == "run.cancel_requested";
           }) > 0;
  }));
}

void a_call_that_is_not_in_the_budget() {
  Bug bug;
  // It says that calls come to less than they do.
  bug.in_the_world = [](EngineWorld& world) {
    world.runner.worst = [](const json::Value&) { return WorstCase{1, 0}; };
  };
  expect_found<KeepsToItsBudget>(bug);
}

void a_child_that_nobody_named() {
  Bug bug;
  bug.in_the_story = [](Story& story) { story.strangers.emplace_back(); };
  expect_found<ChildrenAreTheirParents>(bug);
}

void a_child_whose_end_is_told_otherwise() {
  expect_found<ChildrenAreTheirParents>(in_a_run([](RunStory& run) {
    const std::size_t i =
        find_event(run, [](const Event& event) { return event.type == "child.finished"; });
    if (i == run.events.size()) return false;
    run.events[i].data.set("events", 1);
    return true;
  }));
}

void a_child_that_gave_something_else() {
  expect_found<AStepGivesWhatItsChildGave>(in_a_run([](RunStory& run) {
    if (!run.state.parent || !run.state.output.exists()) return false;
    Contents changed;
    for (const Content& content : run.contents.all()) {
      const bool is_it = content.ref == run.state.output.ref;
      changed.add({content.ref, content.salt, is_it ? json::Value("other") : content.value});
    }
    run.contents = std::move(changed);
    return true;
  }));
}

void a_store_that_forgets_a_commit() {
  Bug bug;
  bug.in_the_world = [](EngineWorld& world) {
    world.faults.script = [&world](const store::Commit&) {
      return world.scheduler.chance().below(50) == 0 ? CommitFault::kForgotten : CommitFault::kNone;
    };
  };
  expect_found<NothingAcknowledgedIsLost>(bug);
}

void a_run_that_is_lost() {
  Bug bug;
  bug.in_the_story = [](Story& story) {
    story.acknowledged.clear();
    story.missing.push_back(story.asked.front().run);
  };
  expect_found<NothingAcknowledgedIsLost>(bug);
}

void a_row_that_stays_behind() {
  expect_found<TheRowIsWhatTheJournalSays>(in_a_run([](RunStory& run) {
    run.bytes.emplace_back();
    return true;
  }));
  expect_found<TheRowIsWhatTheJournalSays>(in_a_run([](RunStory& run) {
    run.row.status = RunStatus::kRunning;
    return is_terminal(run.state.status);
  }));
}

void an_engine_that_had_another_run() {
  expect_found<TheEngineHadWhatTheStoreHas>(in_a_run([](RunStory& run) {
    run.contents.add(Content{});
    return run.had != nullptr;
  }));
}

void a_follower_who_is_told_too_early() {
  expect_found<WhoFollowsIsToldWhatIsDurable>(in_a_run([](RunStory& run) {
    if (run.told.empty()) return false;
    ++run.told.front().seq;
    return true;
  }));
}

void a_recovery_that_forgets_runs() {
  Bug bug;
  bug.in_the_world = [](EngineWorld& world) { world.faults.hides_open_runs = true; };
  expect_found<EveryRunEndsInTime>(bug);
}

void a_slot_that_leaks() {
  Bug bug;
  bug.in_the_story = [](Story& story) { ++story.left.calls_in_flight; };
  expect_found<NothingIsLeftOver>(bug);
}

void an_end_without_a_proof() {
  expect_found<AFinishedRunHasOneProof>(in_a_run([](RunStory& run) {
    if (!is_terminal(run.row.status)) return false;
    run.statements.pop_back();
    return true;
  }));
}

void a_statement_that_is_made_twice() {
  expect_found<StatementsOnlyGrow>(in_a_run([](RunStory& run) {
    if (run.statements.empty()) return false;
    run.statements.push_back(run.statements.back());
    return true;
  }));
}

void a_root_that_is_not_the_journals() {
  expect_found<StatementsOnlyGrow>(in_a_run([](RunStory& run) {
    if (run.statements.empty()) return false;
    run.bytes.front() += ' ';
    return true;
  }));
}

void an_old_run_that_the_log_does_not_know() {
  Bug bug;
  bug.in_the_story = [](Story& story) {
    for (Rest& rest : story.rests) rest.is_stated = false;
  };
  expect_found<ARunOfASecondIsStated>(bug);
}

void a_doubt_that_is_not_stated() {
  expect_found<DoubtIsStatedBeforeACallLeaves>(in_a_run([](RunStory& run) {
    for (Departure& departure : run.departures) departure.stated = 0;
    return false;
  }));
}

void a_statement_that_is_left_out() {
  Bug bug;
  bug.in_the_story = [](Story& story) {
    if (story.log.size() > 1) story.log.erase(story.log.begin() + 1);
  };
  expect_found<EveryTenantHasOneChain>(bug);
  expect_found<TheHeadIsTheTree>(bug);
}

TEST(PlantedBugs, AreFoundForEveryPromise) {
  const std::pair<const char*, void (*)()> bugs[] = {
      {"two ends", two_ends},
      {"time that goes back", time_that_goes_back},
      {"an event that is left out", an_event_that_is_left_out},
      {"a step that ends twice", a_step_that_ends_twice},
      {"a step that does not wait", a_step_that_does_not_wait},
      {"a step that is skipped for nothing", a_step_that_is_skipped_for_nothing},
      {"a run that completes over a failure", a_run_that_completes_over_a_failure},
      {"too many steps", too_many_steps},
      {"too many attempts", too_many_attempts},
      {"a slot too many", a_slot_too_many},
      {"an approval that nobody gave", an_approval_that_nobody_gave},
      {"an approver who counts twice", an_approver_who_counts_twice},
      {"a step that starts in a pause", a_step_that_starts_in_a_pause},
      {"a request that changes", a_request_that_changes},
      {"a call that leaves twice", a_call_that_leaves_twice},
      {"a call that is repeated where it must not", a_call_that_is_repeated_where_it_must_not},
      {"a call that leaves before its commit", a_call_that_leaves_before_its_commit},
      {"an answer that is recorded twice", an_answer_that_is_recorded_twice},
      {"a result that nobody gave", a_result_that_nobody_gave},
      {"an item that ends twice", an_item_that_ends_twice},
      {"an item out of its place", an_item_out_of_its_place},
      {"too many items at once", too_many_items_at_once},
      {"a step that is not undone", a_step_that_is_not_undone},
      {"a step that is undone in a run that goes on", a_step_that_is_undone_in_a_run_that_goes_on},
      {"a call that is not in the budget", a_call_that_is_not_in_the_budget},
      {"a child that nobody named", a_child_that_nobody_named},
      {"a child whose end is told otherwise", a_child_whose_end_is_told_otherwise},
      {"a child that gave something else", a_child_that_gave_something_else},
      {"a store that forgets a commit", a_store_that_forgets_a_commit},
      {"a run that is lost", a_run_that_is_lost},
      {"a row that stays behind", a_row_that_stays_behind},
      {"an engine that had another run", an_engine_that_had_another_run},
      {"a follower who is told too early", a_follower_who_is_told_too_early},
      {"a recovery that forgets runs", a_recovery_that_forgets_runs},
      {"a slot that leaks", a_slot_that_leaks},
      {"an end without a proof", an_end_without_a_proof},
      {"a statement that is made twice", a_statement_that_is_made_twice},
      {"a root that is not the journals", a_root_that_is_not_the_journals},
      {"an old run that the log does not know", an_old_run_that_the_log_does_not_know},
      {"a doubt that is not stated", a_doubt_that_is_not_stated},
      {"a statement that is left out", a_statement_that_is_left_out}};
  for (const auto& [name, plant] : bugs) {
    SCOPED_TRACE(name);
    plant();
  }
  for (const auto& promise : specification()) {
    EXPECT_TRUE(shown().contains(promise->sentence()))
        << "no bug is planted that breaks \"" << promise->sentence() << "\"";
  }
}

}  // namespace
}  // namespace avow::engine
