// SPDX-License-Identifier: Apache-2.0
// Work that an agent's worker does: offered as a task, claimed under a lease, renewed, finished.
#include <algorithm>

#include "engine/reactor.h"

namespace avow::engine {

void Reactor::offer_task(std::size_t i) {
  Event event = begin("task.offered", i);
  event.attempt = unit(i).attempt;
  event.agent = agent_of(i);
  event.data.set("task", draw_id("task").uuid());
  emit(std::move(event));
  reaction_.tasks.push_back({task_row(i), false});
}

/// Whether a worker has the task of `step` now.
bool Reactor::is_held(const StepState& step) const {
  return step.task && step.task->lease_expires_at && *step.task->lease_expires_at > turn_.now;
}

/// Takes the task of a step that ends, or must not begin, off the board, if there is one.
void Reactor::withdraw_task(const StepState& step) {
  if (!step.task) return;
  store::TaskChange change;
  change.row.id = step.task->id;
  change.erase = true;
  reaction_.tasks.push_back(std::move(change));
}

store::TaskRow Reactor::task_row(std::size_t i) const {
  const StepState& step = unit(i);
  return {.id = step.task->id,
          .tenant = state_.tenant,
          .agent = *agent_of(i),
          .run = state_.id,
          .step = step.name,
          .attempt = step.attempt,
          .created_at = *step.started_at,
          .lease_expires_at = step.task->lease_expires_at,
          .lease_token_hash = step.task->token_hash};
}

Result<std::size_t> Reactor::find_task(const TaskName& name) const {
  const std::size_t i = state_.index_of(name.step);
  if (i >= state_.unit_count() || !unit(i).task || unit(i).attempt != name.attempt) {
    return failure(Code::kConflict, "the lease is lost: the task is over");
  }
  if (name.agents &&
      std::find(name.agents->begin(), name.agents->end(), *agent_of(i)) == name.agents->end()) {
    return failure(Code::kPermissionDenied, "this key may not work for the agent of the task");
  }
  return i;
}

Result<std::size_t> Reactor::find_held_task(const TaskName& name,
                                            std::string_view token_hash) const {
  ASSIGN_OR_RETURN(const std::size_t i, find_task(name));
  const TaskState& task = *unit(i).task;
  if (task.token_hash.empty() || task.token_hash != token_hash ||
      task.lease_expires_at <= turn_.now) {
    return failure(Code::kConflict,
                   "the lease is lost: it ended, or another worker holds the task");
  }
  return i;
}

void Reactor::on(const TaskClaimed& claim) {
  const auto found = find_task(claim.task);
  if (!found) {
    reaction_.refusal = found.error();
    return;
  }
  const std::size_t i = *found;
  const StepState& step = unit(i);
  if (is_held(step)) {
    reaction_.refusal = failure(Code::kConflict, "another worker holds the task");
    return;
  }
  if (is_paused()) return withdraw_task(step);  // its lease ended meanwhile; resuming offers it
  if (step.task->claims >= kCrashesMax) {
    fail_step(i, "CRASH_LOOP",
              fmt::format("{} workers took the task and lost their lease", step.task->claims));
    return;
  }
  Event event = begin("task.claimed", i);
  event.attempt = step.attempt;
  event.agent = agent_of(i);
  event.actor = claim.actor;
  event.data.set("claim", step.task->claims + 1);
  event.data.set("lease_expires_at", format_time(turn_.now + kTaskLease));
  event.data.set("token", claim.token_hash);
  emit(std::move(event));
  reaction_.tasks.push_back({task_row(i), false});
  const json::Value config = value_of(step.input);
  const json::Value* parameters = config.find("parameters");
  reaction_.grant =
      TaskGrant{.run = state_.id,
                .step = step.name,
                .item = step.item,
                .attempt = step.attempt,
                .action = state_.is_agent_run ? "run" : planned(i).action,
                .parameters = parameters == nullptr ? json::Value(json::Object()) : *parameters,
                .input = value_of(state_.input),
                .lease_expires_at = turn_.now + kTaskLease};
}

void Reactor::on(const TaskRenewed& renewal) {
  const auto found = find_held_task(renewal.task, renewal.token_hash);
  if (!found) {
    reaction_.refusal = found.error();
    return;
  }
  const StepState& step = unit(*found);
  Event event = begin("task.renewed", *found);
  event.attempt = step.attempt;
  event.data.set("claim", step.task->claims);
  event.data.set("lease_expires_at", format_time(turn_.now + kTaskLease));
  emit(std::move(event));
  reaction_.tasks.push_back({task_row(*found), false});
  reaction_.grant = TaskGrant{.run = state_.id,
                              .step = step.name,
                              .item = step.item,
                              .attempt = step.attempt,
                              .action = {},
                              .parameters = {},
                              .input = {},
                              .lease_expires_at = turn_.now + kTaskLease};
}

void Reactor::on(const TaskFinished& finished) {
  const auto found = find_held_task(finished.task, finished.token_hash);
  if (!found) {
    reaction_.refusal = found.error();
    return;
  }
  if (const auto* result = std::get_if<json::Value>(&finished.outcome)) {
    complete_step(*found, *result);
    return;
  }
  const auto& error = std::get<TaskError>(finished.outcome);
  if (!error.is_retryable) {
    fail_step(*found, error.code, error.message);
    return;
  }
  // The worker says that another attempt may succeed: that counts whatever classes retry_on lists.
  const workflow::RetryPolicy& policy = retry_policy(*found);
  fail_or_retry(*found, CallError{.code = error.code,
                                  .message = error.message,
                                  .retry_class = policy.retry_on.empty() ? std::string()
                                                                         : policy.retry_on.front(),
                                  .retry_after = {},
                                  .detail = {}});
}

void Reactor::on(const AgentStopped& stopped) {
  for (std::size_t i = 0; i < state_.unit_count(); ++i) {
    if (!unit(i).task || agent_of(i) != stopped.agent) continue;
    fail_step(i, "AGENT_INACTIVE", fmt::format("agent {} was stopped", stopped.agent.uuid()));
  }
}

}  // namespace avow::engine
