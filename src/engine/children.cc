// SPDX-License-Identifier: Apache-2.0
// Runs that come of runs: what a step of the type orchestration asks for and what becomes of it,
// and what a rerun takes over from the run before it.
#include "engine/reactor.h"

namespace avow::engine {

void Reactor::start_orchestration(std::size_t i, const json::Value& config) {
  if (state_.depth >= kDepthMax) {
    fail_step(i, "DEPTH_EXCEEDED",
              fmt::format("runs start runs at most {} deep, and this one is there", kDepthMax));
    return;
  }
  json::Value request = config;
  if (const auto agent = planned(i).agent) request.set("agent_id", agent->uuid());
  start_child(i, std::move(request));
}

/// Names the child before it is: whoever finds this event starts it under that id, once.
void Reactor::start_child(std::size_t i, json::Value request) {
  begin_call(i, CallKind::kRun, std::move(request),
             json::Object{{"child", draw_id("child").uuid()}});
}

void Reactor::on(const ChildEnded& ended) {
  const std::size_t i = state_.index_of(ended.step);
  if (i >= state_.unit_count()) return;
  // It was told before, or the step is over or has started another: nobody waits for this one.
  if (!unit(i).waits_for_child() || unit(i).calls.back().child != ended.child) return;
  Event event = begin("child.finished", i);
  event.attempt = unit(i).attempt;
  json::Object& data = event.data.mutable_object();
  data.set("child", ended.child.uuid());
  data.set("status", run_status_name(ended.status));
  if (!ended.code.empty()) data.set("code", ended.code);
  data.set("events", static_cast<std::int64_t>(ended.events));
  data.set("root_digest", to_hex(view_of(ended.root)));
  data.set("input_tokens", ended.usage.input_tokens);
  data.set("output_tokens", ended.usage.output_tokens);
  data.set("cost_cents", json::Value::number(static_cast<double>(ended.cost) / 1e6));
  if (!ended.commitment.empty()) {
    data.set("from", json::Array{json::Object{{"commitment", ended.commitment},
                                              {"run", ended.child.uuid()}}});
  }
  emit(std::move(event));
  if (ended.status == RunStatus::kCompleted) return complete_step(i, ended.output);
  // The child's own message is content of the child and stays there.
  const bool is_cancelled = ended.status == RunStatus::kCancelled;
  fail_or_retry(
      i, CallError{.code = is_cancelled ? "CHILD_CANCELLED" : "CHILD_FAILED",
                   .message = is_cancelled ? fmt::format("run {} was cancelled", ended.child.uuid())
                                           : fmt::format("run {} failed: {}", ended.child.uuid(),
                                                         ended.code),
                   .retry_class = {},
                   .retry_after = {},
                   .detail = {}});
}

/// Steps that ended in the run before end here as they did there, without having begun.
void Reactor::take_over(const RerunLink& rerun) {
  for (const ReusedStep& reused : rerun.reused) {
    const bool is_failed = reused.status == StepStatus::kFailed;
    const bool is_skipped = reused.status == StepStatus::kSkipped;
    Event event = begin(is_failed    ? "step.failed"
                        : is_skipped ? "step.skipped"
                                     : "step.completed",
                        reused.step);
    event.data.set("reused_from", rerun.run.uuid());
    if (is_failed) event.data.set("code", reused.code);
    if (!reused.decision.empty()) event.data.set("decision", reused.decision);
    if (!is_skipped) {
      event.data.set("from", json::Array{json::Object{{"commitment", reused.commitment},
                                                      {"run", rerun.run.uuid()},
                                                      {"step", reused.step}}});
      commit(event, is_failed ? "message" : "output", reused.value);
    }
    emit(std::move(event));
  }
}

}  // namespace avow::engine
