// SPDX-License-Identifier: Apache-2.0
// What must hold of every run at every moment, whatever happened to it.
#pragma once
#include <algorithm>
#include <map>
#include <set>

#include "promise.h"

namespace avow::engine {

inline bool is_run_end(std::string_view type) {
  return type == "run.completed" || type == "run.failed" || type == "run.cancelled";
}
inline bool is_step_end(std::string_view type) {
  return type == "step.completed" || type == "step.failed" || type == "step.skipped" ||
         type == "step.cancelled";
}

/// Of the step that an event is about, or of its item: as in the key of its calls.
inline std::string unit_of(const Event& event) {
  const json::Value* item = event.data.find("item");
  return item == nullptr ? event.step : fmt::format("{}/i{}", event.step, item->as_int());
}
/// What the plan says of a step, of what undoes one, or of an item.
inline const workflow::Step& planned(const Plan& plan, std::string_view unit) {
  const std::size_t i = plan.find(unit.substr(0, unit.find('/')));
  return i < plan.steps.size() ? plan.steps[i] : plan.compensations[i - plan.steps.size()];
}
/// Whether it is about a step that was there from the start, not about an item or what undoes one.
inline bool is_of_step(const RunState& state, const Event& event) {
  if (event.step.empty() || event.data.find("item") != nullptr) return false;
  return state.is_agent_run || state.plan().find(event.step) < state.plan().steps.size();
}

inline bool ends_pause(const Event& event) {
  return event.type == "run.resumed" || event.type == "run.cancel_requested";
}

class EndsAtMostOnce : public RunPromise {
 public:
  EndsAtMostOnce() : RunPromise("a run ends at most once, and nothing comes after its end") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    for (std::size_t i = 0; i + 1 < run.events.size(); ++i) {
      if (is_run_end(run.events[i].type))
        return fmt::format("{} came after {}", run.events[i + 1].type, run.events[i].type);
    }
    return std::nullopt;
  }
};

class SeqAndTimeNeverGoBack : public RunPromise {
 public:
  SeqAndTimeNeverGoBack() : RunPromise("events are numbered from 1, and time never goes back") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    for (std::size_t i = 0; i < run.events.size(); ++i) {
      if (run.events[i].seq != i + 1)
        return fmt::format("seq {} where {} is next", run.events[i].seq, i + 1);
      if (i > 0 && run.events[i].time < run.events[i - 1].time)
        return fmt::format("event {} is older than the one before", i + 1);
    }
    return std::nullopt;
  }
};

class EachStepStartsAndEndsAtMostOnce : public RunPromise {
 public:
  EachStepStartsAndEndsAtMostOnce()
      : RunPromise("a step starts and ends at most once, and not after its end") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::set<std::string> started;
    std::set<std::string> ended;
    for (const Event& event : run.events) {
      if (event.type == "step.started") {
        const std::string unit = unit_of(event);
        if (ended.contains(event.step)) return unit + " started after its step's end";
        if (event.attempt == 1 && !started.insert(unit).second) return unit + " started twice";
      }
      if (is_step_end(event.type) && !ended.insert(event.step).second)
        return event.step + " ended twice";
    }
    return std::nullopt;
  }
};

class StepsWaitForWhatTheyDependOn : public RunPromise {
 public:
  StepsWaitForWhatTheyDependOn()
      : RunPromise("a step starts only when all that it depends on has ended") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    if (run.state.is_agent_run) return std::nullopt;
    const Plan& plan = run.state.plan();
    std::set<std::string> ended;
    for (const Event& event : run.events) {
      if (is_step_end(event.type)) ended.insert(event.step);
      if (event.type != "step.started" && event.type != "step.skipped") continue;
      if (!is_of_step(run.state, event)) continue;
      for (const std::size_t dependency : plan.steps[plan.find(event.step)].dependencies) {
        const std::string& parent = plan.steps[dependency].name;
        if (!ended.contains(parent))
          return fmt::format("{} did not wait for {}", event.step, parent);
      }
    }
    return std::nullopt;
  }
};

/// DESIGN.md, section 3, word for word.
class SkipsWhatStandsOnNothing : public RunPromise {
 public:
  SkipsWhatStandsOnNothing()
      : RunPromise(
            "a step is skipped if all of its dependencies were, or if it stands only on branches "
            "that were not taken; without a condition, only then") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    if (run.state.is_agent_run) return std::nullopt;
    for (std::size_t i = 0; i < run.state.steps.size(); ++i) {
      const StepState& step = run.state.steps[i];
      if (!is_terminal(step.status)) continue;  // its turn has not come, or the run ended before
      const bool is_skipped = step.status == StepStatus::kSkipped;
      if (must_skip(run.state, i) != is_skipped &&
          (!is_skipped || !run.state.plan().steps[i].condition)) {
        return fmt::format("{} is {}", step.name, step_status_name(step.status));
      }
    }
    return std::nullopt;
  }

 private:
  static bool must_skip(const RunState& state, std::size_t i) {
    const workflow::Step& plan = state.plan().steps[i];
    const auto was_skipped = [&state](std::size_t dependency) {
      return state.steps[dependency].status == StepStatus::kSkipped;
    };
    const auto is_taken = [&state](const workflow::BranchGate& gate) {
      const StepState& decision = state.steps[gate.decision];
      return decision.status == StepStatus::kCompleted && decision.decision == gate.label;
    };
    if (!plan.gates.empty() && std::none_of(plan.gates.begin(), plan.gates.end(), is_taken))
      return true;
    return !plan.dependencies.empty() &&
           std::all_of(plan.dependencies.begin(), plan.dependencies.end(), was_skipped);
  }
};

class CompletesOnlyOverAllowedFailures : public RunPromise {
 public:
  CompletesOnlyOverAllowedFailures()
      : RunPromise("a run completes when all has ended, over no failure but an allowed one") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    if (run.state.status != RunStatus::kCompleted) return std::nullopt;
    for (std::size_t i = 0; i < run.state.steps.size(); ++i) {
      const StepState& step = run.state.steps[i];
      if (!is_terminal(step.status)) return step.name + " has not ended";
      if (step.status != StepStatus::kFailed) continue;
      const bool is_allowed = run.state.is_agent_run ? step.type == StepType::kToolCall
                                                     : run.state.plan().steps[i].on_failure !=
                                                           workflow::OnFailure::kAbort;
      if (!is_allowed) return step.name + " failed, and must not";
    }
    return std::nullopt;
  }
};

class KeepsToMaxSteps : public RunPromise {
 public:
  KeepsToMaxSteps() : RunPromise("a run starts no more steps than it may") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    const auto starts =
        std::count_if(run.events.begin(), run.events.end(), [&run](const Event& event) {
          return event.type == "step.started" && event.attempt == 1 && is_of_step(run.state, event);
        });
    if (starts <= run.asked.max_steps) return std::nullopt;
    return fmt::format("{} steps started, of at most {}", starts, run.asked.max_steps);
  }
};

class KeepsToMaxAttempts : public RunPromise {
 public:
  KeepsToMaxAttempts() : RunPromise("no call is attempted more often than its policy says") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::map<std::string, int> retries;
    for (const Event& event : run.events) {
      const std::string unit = unit_of(event);
      // Another call; but an orchestration's next attempt is another run, and no other call.
      if (event.type == "effect.started" && event.data.string_or("kind") != "run")
        retries[unit] = 0;
      if (event.type == "step.retrying" && ++retries[unit] >= most(run.state, unit))
        return fmt::format("{} was tried again {} times", unit, retries[unit]);
    }
    return std::nullopt;
  }

 private:
  static int most(const RunState& state, const std::string& step) {
    return state.is_agent_run ? 3 : planned(state.plan(), step).retry.max_attempts;
  }
};

/// docs/workflows.md, approvals.
class ApprovalsAreDecidedByWhoMay : public RunPromise {
 public:
  ApprovalsAreDecidedByWhoMay()
      : RunPromise(
            "an approval is what its quorum of different approvers, one rejection, or its time "
            "made of it; the starter has no say unless allowed, and nobody after its time") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::map<std::string, Asked> approvals;
    std::optional<Time> paused_at;
    for (const Event& event : run.events) {
      if (event.type == "run.paused") paused_at = event.time;
      if (ends_pause(event) && paused_at) {
        for (auto& [step, asked] : approvals) {
          if (asked.deadline) *asked.deadline += event.time - *paused_at;
        }
        paused_at.reset();
      }
      Asked& asked = approvals[event.step];
      Fault fault;
      if (event.type == "approval.requested") asked = read(event);
      if (event.type == "approval.decided")
        fault = decide(run, event, asked, paused_at.value_or(event.time));
      if (event.type == "approval.expired") {
        if (!asked.is_open || !asked.deadline || event.time < *asked.deadline)
          fault = "it expired before its time";
        asked.expired = event.data.string_or("on_timeout");
      }
      if (asked.is_open && (event.type == "step.retrying" || is_step_end(event.type))) {
        fault = end(run, event, asked);
        asked.is_open = false;
      }
      if (fault) return event.step + ": " + *fault;
    }
    return std::nullopt;
  }

 private:
  struct Asked {
    std::int64_t quorum = 0;
    std::string subject;
    std::optional<Time> deadline;
    std::set<std::string> approvers;
    std::set<std::string> approved_by;
    bool is_open = false;
    bool is_rejected = false;
    std::string expired;  ///< What its end in time does; empty: it has not ended so.
  };

  static Asked read(const Event& event) {
    Asked asked;
    asked.is_open = true;
    asked.quorum = event.data.int_or("quorum", 0);
    asked.subject = event.data.string_or("subject");
    if (const json::Value* until = event.data.find("deadline"))
      asked.deadline = *parse_time(until->as_string());
    if (const json::Value* approvers = event.data.find("approvers")) {
      for (const json::Value& one : approvers->as_array()) asked.approvers.insert(one.as_string());
    }
    return asked;
  }

  static Fault decide(const RunStory& run, const Event& event, Asked& asked, Time now) {
    if (!asked.is_open) return "it was decided and not asked for";
    if (!asked.approvers.empty() && !asked.approvers.contains(event.actor))
      return event.actor + " was not asked";
    if (asked.approved_by.contains(event.actor)) return event.actor + " counts twice";
    if (asked.deadline && now >= *asked.deadline) return "it was decided after its time";
    if (event.data.string_or("subject") != asked.subject) return "another subject was decided";
    const json::Value& config =
        run.state.plan().steps[run.state.index_of(event.step)].config.source();
    if (event.actor == run.state.actor && !config.bool_or("allow_self", false))
      return "who started the run decided";
    asked.is_rejected = event.data.string_or("decision") != "approve";
    if (!asked.is_rejected) asked.approved_by.insert(event.actor);
    return std::nullopt;
  }

  static Fault end(const RunStory& run, const Event& event, const Asked& asked) {
    const auto approvals = static_cast<std::int64_t>(asked.approved_by.size());
    const bool is_rejected = asked.is_rejected || asked.expired == "reject";
    const bool is_approved =
        !is_rejected && (approvals >= asked.quorum || asked.expired == "approve");
    if (event.type == "step.completed") {
      const json::Value* result = run.contents.find({event.seq, "output"});
      if (!is_approved && !is_rejected) return "it ended undecided";
      if (result == nullptr || result->bool_or("approved", !is_approved) != is_approved)
        return "its result says something else";
    }
    const std::string code = event.data.string_or("code");
    if (code == "APPROVAL_REJECTED" && !is_rejected) return "nobody rejected it";
    if (code == "APPROVAL_TIMEOUT" && asked.expired != "fail") return "its time is not over";
    return std::nullopt;
  }
};

/// docs/workflows.md, pausing.
class NothingBeginsWhilePaused : public RunPromise {
 public:
  NothingBeginsWhilePaused()
      : RunPromise("while a run is paused nothing begins, and no time counts") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    static const std::set<std::string> kBeginnings = {
        "step.started",       "effect.started",   "task.offered", "task.claimed",
        "approval.requested", "approval.expired", "timer.armed",  "run.completed"};
    Time deadline = run.asked.deadline;
    std::optional<Time> paused_at;
    for (const Event& event : run.events) {
      const bool is_pause = event.type == "run.paused";
      if (is_pause || event.type == "run.resumed") {
        if (is_pause == paused_at.has_value()) return event.type + " twice";
        if (is_pause) paused_at = event.time;
      }
      if (ends_pause(event) && paused_at) {
        deadline += event.time - *paused_at;
        paused_at.reset();
      }
      if (paused_at && kBeginnings.contains(event.type)) return event.type + " while paused";
      const bool is_timeout = event.type == "run.failed" && event.data.find("step") == nullptr &&
                              event.data.string_or("code") == "TIMEOUT";
      if (is_timeout && (paused_at || event.time < deadline)) return "its time was not over";
      if (paused_at && event.type == "step.completed" && is_wait(run.state, event.step))
        return event.step + " waited on while paused";
    }
    return std::nullopt;
  }

 private:
  static bool is_wait(const RunState& state, const std::string& step) {
    return !state.is_agent_run && state.plan().steps[state.index_of(step)].type == StepType::kWait;
  }
};

/// DESIGN.md, promise 2.
class AKeyStandsForOneRequest : public RunPromise {
 public:
  AKeyStandsForOneRequest() : RunPromise("every attempt under one key is the same request") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::map<CallId, const json::Value*> requests;
    for (const Departure& departure : run.departures) {
      const Call& call = departure.call;
      const auto [first, is_new] = requests.emplace(call.id, &call.request);
      if (!is_new && *first->second != call.request) return call.id.key() + " changed its request";
    }
    return std::nullopt;
  }
};

class AnAttemptIsRepeatedOnlyAfterACrash : public RunPromise {
 public:
  AnAttemptIsRepeatedOnlyAfterACrash()
      : RunPromise("an attempt leaves again only from another process, and where it may") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::map<std::pair<CallId, std::uint32_t>, std::size_t> last_process;
    for (const Departure& departure : run.departures) {
      const Call& call = departure.call;
      const auto [last, is_first] =
          last_process.emplace(std::pair{call.id, call.attempt}, departure.process);
      if (is_first) continue;
      if (last->second >= departure.process)
        return fmt::format("{} attempt {} left twice from one process", call.id.key(),
                           call.attempt);
      last->second = departure.process;
      if (!may_repeat(run.state, call.id.step)) return call.id.key() + " was made again";
    }
    return std::nullopt;
  }

 private:
  static bool may_repeat(const RunState& state, const std::string& step) {
    return state.is_agent_run || planned(state.plan(), step).on_crash == workflow::OnCrash::kRetry;
  }
};

class NoCallLeavesWithoutATrace : public RunPromise {
 public:
  NoCallLeavesWithoutATrace() : RunPromise("nothing leaves that the journal does not name") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::set<std::pair<std::string, std::int64_t>> traced;
    for (const Event& event : run.events) {
      if (event.type == "effect.started")
        traced.emplace(unit_of(event), event.data.int_or("call", 0));
    }
    for (const Departure& departure : run.departures) {
      const CallId& id = departure.call.id;
      if (!traced.contains({id.step, id.number})) return id.key() + " left without a trace";
    }
    return std::nullopt;
  }
};

class AnEffectIsCompletedAtMostOnce : public RunPromise {
 public:
  AnEffectIsCompletedAtMostOnce()
      : RunPromise("an effect key is completed at most once, and only after it was started") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::set<std::pair<std::string, std::int64_t>> started;
    std::set<std::pair<std::string, std::int64_t>> completed;
    for (const Event& event : run.events) {
      const std::pair key(unit_of(event), event.data.int_or("call", 0));
      if (event.type == "effect.started" && !started.insert(key).second)
        return fmt::format("call {} of {} was started twice", key.second, key.first);
      if (event.type != "llm.called" && event.type != "tool.called") continue;
      // A tool that was refused has a number, and never left.
      if (event.type == "llm.called" && !started.contains(key))
        return fmt::format("call {} of {} was completed unstarted", key.second, key.first);
      if (!completed.insert(key).second)
        return fmt::format("call {} of {} was completed twice", key.second, key.first);
    }
    return std::nullopt;
  }
};

/// What is on record is what a peer said, and it is what the step then gives.
class TheRecordedResultIsTheOneUsed : public RunPromise {
 public:
  TheRecordedResultIsTheOneUsed()
      : RunPromise("the recorded result of a key is one that its peer gave, and the one used") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    for (std::size_t i = 0; i < run.state.unit_count(); ++i) {
      const StepState& step = run.state.unit(i);
      if (step.status != StepStatus::kCompleted || step.calls.empty()) continue;
      const json::Value* output = run.contents.find(step.output.ref);
      if (output == nullptr) return step.name + " has no output on record";
      for (const CallState& call : step.calls) {
        const bool is_webhook = call.kind == CallKind::kWebhook;
        const json::Value* result = is_webhook ? output : run.contents.find(call.result);
        const std::string key = CallId{run.state.id, step.name, call.number}.key();
        if (result != nullptr && was_asked(run, key) && !was_given(run, key, *result))
          return key + " has a result on record that nobody gave";
        const bool is_its_result = is_webhook || step.type == StepType::kToolCall;
        if (is_its_result && (result == nullptr || *result != *output))
          return key + " has another result on record than the step";
      }
    }
    return std::nullopt;
  }

 private:
  /// A tool that was refused has a number and no request.
  static bool was_asked(const RunStory& run, const std::string& key) {
    return std::any_of(
        run.departures.begin(), run.departures.end(),
        [&key](const Departure& departure) { return departure.call.id.key() == key; });
  }
  static bool was_given(const RunStory& run, const std::string& key, const json::Value& result) {
    if (result.find("error") != nullptr) return true;  // a failure, put in words for a model
    const auto at = run.answers.find(key);
    return at != run.answers.end() &&
           std::find(at->second.begin(), at->second.end(), result) != at->second.end();
  }
};

/// An item ends once, so many are open at once as may be, and the step's list is what they gave.
class ItemsAreDoneOnceAndInTheirPlace : public RunPromise {
 public:
  ItemsAreDoneOnceAndInTheirPlace()
      : RunPromise("each item ends at most once, no more are open than may be, each in its place") {
  }
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    std::map<std::string, Seen> seen;
    for (const Event& event : run.events) {
      if (event.step.empty() || run.state.is_agent_run) continue;
      Seen& step = seen[event.step];
      const workflow::Step& plan = planned(run.state.plan(), event.step);
      if (event.type == "step.started" && event.data.find("item") != nullptr &&
          event.attempt == 1 && ++step.open > plan.max_parallel) {
        return fmt::format("{} has {} items open", event.step, step.open);
      }
      if (event.type == "items.completed") {
        if (const Fault fault = take(run, event, step)) return fault;
      }
      if (event.type == "step.completed" && plan.for_each) {
        const json::Value* list = run.contents.find({event.seq, "output"});
        if (list == nullptr || list->as_array().size() != step.given.size())
          return event.step + " has a list of another length";
        for (const auto& [item, value] : step.given) {
          if (value && list->as_array()[item] != *value)
            return fmt::format("item {} of {} is not in its place", item, event.step);
        }
      }
    }
    return std::nullopt;
  }

 private:
  struct Seen {
    std::size_t open = 0;
    std::map<std::size_t, std::optional<json::Value>> given;  ///< None: it failed.
  };

  static Fault take(const RunStory& run, const Event& event, Seen& step) {
    const json::Array& items = event.data.find("items")->as_array();
    const json::Value* failed = event.data.find("failed");
    const json::Value* output = run.contents.find({event.seq, "output"});
    if (items.size() > kItemsPerEventMax) return event.step + " ended too many items at once";
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto item = static_cast<std::size_t>(items[i].as_int());
      const bool is_failed = failed != nullptr && failed->find(std::to_string(item)) != nullptr;
      const auto given = is_failed ? std::optional<json::Value>() : output->as_array()[i];
      if (!step.given.emplace(item, given).second)
        return fmt::format("item {} of {} ended twice", item, event.step);
      if (step.open > 0) --step.open;
    }
    return std::nullopt;
  }
};

/// Only steps that completed, only when the run ends, each once, the last one first.
class StepsAreUndoneInReverse : public RunPromise {
 public:
  StepsAreUndoneInReverse()
      : RunPromise("a run that fails or is cancelled undoes what completed, the last one first") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    if (run.state.is_agent_run) return std::nullopt;
    const Plan& plan = run.state.plan();
    std::vector<std::string> to_undo;  // by completion
    bool is_ending = false;
    std::string at_work;
    for (const Event& event : run.events) {
      is_ending = is_ending || event.type == "run.compensating" ||
                  event.type == "run.cancel_requested" || is_abort(run.state, event);
      if (is_run_end(event.type)) {
        if (event.type != "run.completed" && !to_undo.empty())
          return to_undo.back() + " was left to do when the run ended";
        if (!at_work.empty()) return at_work + " was at work when the run ended";
      }
      if (event.step.empty()) continue;
      const std::size_t i = plan.find(event.step);
      const bool is_undoing = i >= plan.steps.size();
      if (!is_undoing && event.type == "step.completed" && plan.steps[i].compensation)
        to_undo.push_back(plan.compensations[*plan.steps[i].compensation].name);
      if (!is_undoing) continue;
      if (event.type == "step.started" && event.attempt == 1) {
        if (!is_ending) return event.step + " began in a run that goes on";
        if (!at_work.empty()) return event.step + " began beside " + at_work;
        at_work = event.step;
      }
      if (!is_step_end(event.type)) continue;
      if (to_undo.empty() || to_undo.back() != event.step)
        return event.step + " was not the next to undo";
      to_undo.pop_back();
      at_work.clear();
    }
    return std::nullopt;
  }

 private:
  static bool is_abort(const RunState& state, const Event& event) {
    return event.type == "step.failed" && is_of_step(state, event) &&
           planned(state.plan(), event.step).on_failure == workflow::OnFailure::kAbort;
  }
};

/// What calls came to, and may still come to at the worst.
class KeepsToItsBudget : public RunPromise {
 public:
  KeepsToItsBudget() : RunPromise("a run's calls can never come to more than its budget") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    const workflow::Budget& budget = run.state.plan().budget;
    if (!budget.is_limited()) return std::nullopt;
    std::map<std::string, std::int64_t> reserved;
    std::int64_t used = 0;
    for (const Event& event : run.events) {
      if (!event.step.empty() && run.state.plan().find(event.step) >= run.state.plan().steps.size())
        continue;  // what undoes steps counts in no limit
      const std::string unit = unit_of(event);
      if (event.type == "effect.started") reserved[unit] = event.data.int_or("reserved_tokens", 0);
      if (event.type == "llm.called") {
        used += event.data.int_or("input_tokens", 0) + event.data.int_or("output_tokens", 0);
        reserved.erase(unit);
      }
      if (is_step_end(event.type)) {
        std::erase_if(reserved, [&event](const auto& one) {
          return one.first == event.step || one.first.starts_with(event.step + "/");
        });
      }
      if (event.type == "items.completed") {
        for (const json::Value& item : event.data.find("items")->as_array())
          reserved.erase(fmt::format("{}/i{}", event.step, item.as_int()));
      }
      std::int64_t sum = used;
      for (const auto& [name, tokens] : reserved) sum += tokens;
      if (budget.tokens_max && sum > *budget.tokens_max)
        return fmt::format("event {}: {} tokens of {}", event.seq, sum, *budget.tokens_max);
    }
    return std::nullopt;
  }
};

/// A run that a step starts is that step's, and the step tells of it as it was.
class ChildrenAreTheirParents : public Promise {
 public:
  ChildrenAreTheirParents()
      : Promise("a child is of the step that named it, and its end is told as it was") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    std::map<std::string, const RunStory*> runs;
    for (const RunStory& run : story.runs) runs.emplace(run.row.id.uuid(), &run);
    for (const RunStory& run : story.runs) {
      std::set<std::string> named;
      std::set<std::string> told;
      for (const Event& event : run.events) {
        const std::string child = event.data.string_or("child");
        if (child.empty()) continue;
        const auto at = runs.find(child);
        const RunStory* const its = at == runs.end() ? nullptr : at->second;
        if (event.type == "effect.started") {
          if (!named.insert(child).second) return child + " is named twice";
          if (its != nullptr && !is_child(*its, run, event)) return child + " is another's";
          if (its != nullptr && story.calm_since && !is_run_end(its->events.back().type))
            return child + " goes on, and its parent is over";
        } else if (event.type == "child.finished") {
          if (!named.contains(child)) return child + " ended and was not asked for";
          if (!told.insert(child).second) return child + " ended twice";
          if (its == nullptr) return child + " ended and is not there";
          if (!is_told_as_it_was(*its, event)) return child + " ended otherwise";
        }
      }
    }
    if (!story.strangers.empty()) return story.strangers.front().ulid() + " is nobody's run";
    return std::nullopt;
  }

 private:
  static constexpr std::int64_t kDepthMax = 8;

  static bool is_child(const RunStory& child, const RunStory& parent, const Event& start) {
    const json::Value& data = child.events.front().data;
    const std::int64_t depth = data.int_or("depth", 0);
    return child.row.tenant == parent.row.tenant &&
           data.string_or("parent") == parent.row.id.uuid() &&
           data.string_or("parent_step") == unit_of(start) &&
           depth == parent.state.start_facts.int_or("depth", 0) + 1 && depth <= kDepthMax &&
           data.find("from")->as_array().front().string_or("commitment") ==
               start.data.string_or("request");
  }

  static bool is_told_as_it_was(const RunStory& child, const Event& told) {
    const RunState& state = child.state;
    return told.data.string_or("status") == run_status_name(state.status) &&
           told.data.string_or("code") == state.error_code &&
           told.data.int_or("events", 0) == state.seq &&
           told.data.string_or("root_digest") == to_hex(view_of(child.root)) &&
           told.data.int_or("input_tokens", 0) == state.usage.input_tokens &&
           told.data.int_or("output_tokens", 0) == state.usage.output_tokens;
  }
};

/// Of steps that start a run and have no items.
class AStepGivesWhatItsChildGave : public Promise {
 public:
  AStepGivesWhatItsChildGave() : Promise("a step that starts a run gives what that run gave") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    std::map<RunId, const RunStory*> runs;
    for (const RunStory& run : story.runs) runs.emplace(run.row.id, &run);
    for (const RunStory& run : story.runs) {
      for (const StepState& step : run.state.steps) {
        const bool is_one = step.type == StepType::kOrchestration && !step.calls.empty() &&
                            step.status == StepStatus::kCompleted;
        if (!is_one) continue;
        const auto child = runs.find(step.calls.back().child);
        if (child == runs.end()) return step.name + " has a result of a run that is not there";
        const json::Value* given = child->second->contents.find(child->second->state.output.ref);
        if (given == nullptr || *given != *run.contents.find(step.output.ref))
          return fmt::format("{} of {} gave something else", step.name, run.row.id.ulid());
      }
    }
    return std::nullopt;
  }
};

class TheRowIsWhatTheJournalSays : public RunPromise {
 public:
  TheRowIsWhatTheJournalSays() : RunPromise("the replayed journal is the stored state") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    const RunState& state = run.state;
    if (run.row.status != state.status) return "the row has another status";
    if (run.row.tenant != run.asked.tenant) return "the row has another tenant";
    const auto summary = json::parse(run.row.summary);
    if (!summary) return "the row has no summary";
    if (summary->int_or("events", 0) != static_cast<std::int64_t>(run.bytes.size()))
      return "the row has another number of events";
    if (!is_terminal(state.status)) return std::nullopt;
    if (run.row.wake_at || run.row.is_parked) return "a run that is over waits for something";
    if (summary->string_or("root") != to_hex(view_of(run.root))) return "the row has another root";
    if (summary->string_or("completed_at") != format_time(*state.completed_at))
      return "the row ended at another time";
    const json::Value* error = summary->find("error");
    if ((error == nullptr ? "" : error->string_or("code")) != state.error_code)
      return "the row failed for another reason";
    return std::nullopt;
  }
};

class TheEngineHadWhatTheStoreHas : public RunPromise {
 public:
  TheEngineHadWhatTheStoreHas()
      : RunPromise("who watched a run's end saw what the store has of it") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    if (run.had == nullptr) return std::nullopt;
    const Machine& machine = run.had->history.machine;
    if (machine.state().status != run.state.status) return "the run ended otherwise";
    if (machine.tree().root() != run.root) return "the journal was another";
    const auto& seen = run.had->history.contents.all();
    const auto& stored = run.contents.all();
    const auto is_same = [](const Content& a, const Content& b) {
      return a.ref.seq == b.ref.seq && a.ref.member == b.ref.member && a.value == b.value;
    };
    if (!std::equal(seen.begin(), seen.end(), stored.begin(), stored.end(), is_same))
      return "the contents were others";
    if (run.had->row.version != run.row.version) return "the row was another";
    return std::nullopt;
  }
};

class WhoFollowsIsToldWhatIsDurable : public RunPromise {
 public:
  WhoFollowsIsToldWhatIsDurable()
      : RunPromise("who follows a run is told of what the store has by then, each time of more") {}
  [[nodiscard]] Fault judge_run(const RunStory& run) const override {
    const Told* before = nullptr;
    for (const Told& told : run.told) {
      if (told.seq != told.stored)
        return fmt::format("told of {} events, stored were {}", told.seq, told.stored);
      if (told.is_over != told.has_ended) return "told of another end";
      const bool is_same_process = before != nullptr && before->process == told.process;
      if (is_same_process && told.seq <= before->seq)
        return fmt::format("told of event {} after event {}", told.seq, before->seq);
      before = &told;
    }
    return std::nullopt;
  }
};

class NothingAcknowledgedIsLost : public Promise {
 public:
  NothingAcknowledgedIsLost() : Promise("nothing acknowledged is lost") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    for (const Asked& asked : story.asked) {
      const bool is_missing =
          std::find(story.missing.begin(), story.missing.end(), asked.run) != story.missing.end();
      if (asked.is_acknowledged && is_missing) return asked.run.ulid() + " is lost";
    }
    std::map<RunId, const RunStory*> runs;
    for (const RunStory& run : story.runs) runs.emplace(run.row.id, &run);
    for (const Acknowledged& one : story.acknowledged) {
      const auto at = runs.find(one.run);
      if (at == runs.end() || !holds(*at->second, one))
        return fmt::format("version {} of {} is lost", one.version, one.run.ulid());
    }
    return std::nullopt;
  }

 private:
  static bool holds(const RunStory& run, const Acknowledged& one) {
    if (run.row.version < one.version) return false;
    if (one.journal.count == 0) return true;
    const auto events = events_in({one.journal});
    const std::size_t first = one.journal.first_seq - 1;
    return first + events.size() <= run.bytes.size() &&
           std::equal(events.begin(), events.end(),
                      run.bytes.begin() + static_cast<std::ptrdiff_t>(first));
  }
};

/// What a crash left in doubt was under way before, and is called again.
class KeepsToItsSlots : public Promise {
 public:
  KeepsToItsSlots()
      : Promise("never are more calls under way than may be, of a tenant or in all") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    for (const RunStory& run : story.runs) {
      for (const Departure& departure : run.departures) {
        if (departure.is_after_doubt) continue;
        if (departure.under_way > story.limits.steps_in_flight_max)
          return fmt::format("{} left as one of {} calls", departure.call.id.key(),
                             departure.under_way);
        if (departure.under_way_of_tenant > story.limits.steps_in_flight_per_tenant_max)
          return fmt::format("{} left as one of {} calls of its tenant", departure.call.id.key(),
                             departure.under_way_of_tenant);
      }
    }
    return std::nullopt;
  }
};

/// A minute more than its time: a store that failed again and again is asked again after as long.
class EveryRunEndsInTime : public Promise {
 public:
  EveryRunEndsInTime() : Promise("when faults stop, every run ends in bounded time") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    if (!story.calm_since) return std::nullopt;
    for (const RunStory& run : story.runs) {
      if (!is_run_end(run.events.back().type))
        return fmt::format("{} did not end; its last event is {}", run.row.id.ulid(),
                           run.events.back().type);
      if (run.events.back().time >
          std::max(run.asked.deadline + paused(run), *story.calm_since) + kMore + time_to_undo(run))
        return fmt::format("{} ended at {}", run.row.id.ulid(),
                           format_time(run.events.back().time));
    }
    return std::nullopt;
  }

 private:
  static constexpr Duration kMore = std::chrono::seconds(61);

  /// What undoes steps has time of its own, one after the other.
  static Duration time_to_undo(const RunStory& run) {
    Duration sum{};
    for (const workflow::Step& undo : run.state.plan().compensations)
      sum += (*undo.timeout + undo.retry.max_delay) * undo.retry.max_attempts;
    return sum;
  }

  static Duration paused(const RunStory& run) {
    Duration sum{0};
    std::optional<Time> since;
    for (const Event& event : run.events) {
      if (event.type == "run.paused") since = event.time;
      if (!ends_pause(event) || !since) continue;
      sum += event.time - *since;
      since.reset();
    }
    return sum;
  }
};

class NothingIsLeftOver : public Promise {
 public:
  NothingIsLeftOver() : Promise("nothing is left in memory of runs that ended") {}
  [[nodiscard]] Fault judge(const Story& story) const override {
    if (!story.calm_since) return std::nullopt;
    if (story.left.tasks > 0) return "a task outlived its run";
    if (story.left.calls_in_flight > 0) return "a slot leaked";
    if (story.left.runs_waiting_for_slots > 0) return "a wait leaked";
    if (story.left.runs_loaded > 0) return "an ended run stayed in memory";
    return std::nullopt;
  }
};

}  // namespace avow::engine
