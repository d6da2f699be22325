// SPDX-License-Identifier: Apache-2.0
#include "api/orchestration_view.h"

#include <algorithm>
#include <numeric>

#include "engine/run_statement.h"
#include "json/parse.h"
#include "json/write.h"
#include "provenance/receipt.h"

namespace avow::api {
namespace {

using engine::RunState;
using engine::StepState;
using engine::StepStatus;

json::Value as_object(json::Value value) {
  if (value.is_object()) return value;
  if (value.is_null()) return json::Object();
  return json::Object{{"value", std::move(value)}};
}

json::Value cents(engine::Cost cost) {
  return json::Value::number(static_cast<double>(cost) / 1e6);
}

json::Value usage_json(const engine::Usage& usage) {
  return json::Object{{"input_tokens", usage.input_tokens}, {"output_tokens", usage.output_tokens}};
}

/// True where no text of `value` can be longer than `bytes`, without writing it.
bool is_surely_below(const json::Value& value, std::size_t bytes) {
  constexpr std::size_t kEscapeMax = 6;  // "\u0000": what one byte can grow to
  return engine::approximate_bytes(value) * kEscapeMax <= bytes;
}

/// How long `value` is as text, if that is more than `inline_max`; else nothing.
std::optional<std::size_t> too_long(const json::Value& value, std::size_t inline_max) {
  if (is_surely_below(value, inline_max)) return std::nullopt;
  const std::size_t bytes = json::write(value).size();
  if (bytes <= inline_max) return std::nullopt;
  return bytes;
}

json::Value inline_or_reference(const json::Value& value, RunId run, const engine::ContentRef& ref,
                                std::size_t inline_max) {
  const auto bytes = too_long(value, inline_max);
  if (!bytes) return value;
  return json::Object{{"$content", fmt::format("/v1/orchestrations/{}/contents/{}/{}", run.uuid(),
                                               ref.seq, ref.member)},
                      {"bytes", static_cast<std::int64_t>(*bytes)}};
}

json::Value items_of(const engine::ItemsState& items) {
  const auto failed = std::count_if(items.outcomes.begin(), items.outcomes.end(),
                                    [](const engine::ItemOutcome& one) { return one.is_failed; });
  return json::Object{{"count", static_cast<std::int64_t>(items.count)},
                      {"completed", static_cast<std::int64_t>(items.over) - failed},
                      {"failed", static_cast<std::int64_t>(failed)},
                      {"running", static_cast<std::int64_t>(items.open)}};
}

/// One rendering of a run, with values above `inline_max` by reference.
class Rendering {
 public:
  Rendering(const store::RunRow& row, const engine::History& history, const Erasures& erasures,
            std::size_t inline_max)
      : row_(row),
        state_(history.machine.state()),
        contents_(history.contents),
        erasures_(erasures),
        stated_(engine::Stated::in(row.summary).seq),
        inline_max_(inline_max) {}

  json::Value run() const;

 private:
  json::Value value(const engine::ContentRef& ref) const;
  json::Value waiting_for() const;
  bool has_receipt(const StepState& step) const {
    return step.ended_seq != 0 && step.ended_seq <= stated_;
  }
  /// Of the run, then of its steps in the order of the plan.
  json::Array receipts() const;
  /// The units that are shown as steps, in order: the plan's, then what undid them, where it began.
  std::vector<std::size_t> shown() const;
  json::Value step(std::size_t number, std::size_t i) const;
  /// What an approver is shown, and what was decided.
  json::Value approval(const StepState& step, const workflow::Approval& plan) const;
  StepStatus status_of(const StepState& step) const;
  /// What the step worked on, out of its config, which stands at `ref`.
  json::Value input_of(const StepState& step, const engine::ContentRef& ref) const;

  const store::RunRow& row_;
  const RunState& state_;
  const engine::Contents& contents_;
  const Erasures& erasures_;
  const std::uint32_t stated_;  ///< The last event that a receipt can show.
  const std::size_t inline_max_;
};

json::Value Rendering::value(const engine::ContentRef& ref) const {
  const json::Value* found = contents_.find(ref);
  if (found == nullptr) {
    const Id* const erasure = ref.seq == 0 ? nullptr : erasures_.find(ref);
    if (erasure == nullptr) return {};
    return json::Object{{"$erased", receipt_name(*erasure)}};
  }
  return inline_or_reference(*found, state_.id, ref, inline_max_);
}

/// A step that never began is over when its run is.
StepStatus Rendering::status_of(const StepState& step) const {
  if (step.status != StepStatus::kPending || !engine::is_terminal(state_.status))
    return step.status;
  return state_.status == store::RunStatus::kCancelled ? StepStatus::kCancelled
                                                       : StepStatus::kSkipped;
}

json::Value Rendering::input_of(const StepState& step, const engine::ContentRef& ref) const {
  std::string_view member;
  if (step.type == engine::StepType::kAgent) member = "parameters";
  if (step.type == engine::StepType::kToolCall) member = "arguments";
  if (step.type == engine::StepType::kGuardrailCheck) member = "content";
  if (step.type == engine::StepType::kWebhook) member = "body";
  if (step.type == engine::StepType::kOrchestration) member = "input";
  const json::Value* config = contents_.find(ref);
  if (member.empty() || config == nullptr) return value(ref);
  const json::Value* found = config->find(member);
  if (found == nullptr) return json::Object();
  // Only the whole config has a place to be read at.
  return too_long(*found, inline_max_) ? value(ref) : *found;
}

/// Only the row knows it of a run that has no slot; null if there is nothing to wait for.
json::Value Rendering::waiting_for() const {
  if (engine::is_terminal(state_.status)) return {};
  const auto summary = json::parse(row_.summary);
  const json::Value* const waiting = summary ? summary->find("waiting_for") : nullptr;
  return waiting == nullptr ? json::Value() : *waiting;
}

json::Value Rendering::approval(const StepState& step, const workflow::Approval& plan) const {
  const engine::ApprovalState& asked = *step.approval;
  const workflow::ApprovalRound& round = plan.rounds[asked.round - 1];
  const json::Value* subject = contents_.find(asked.subject.ref);
  const json::Value* prompt = subject == nullptr ? nullptr : subject->find("prompt");
  // Only the whole subject has a place to be read at.
  const bool is_shown = prompt != nullptr && !too_long(*prompt, inline_max_);
  json::Object out;
  out.set("subject_digest", asked.subject.commitment);
  out.set("prompt", is_shown ? *prompt : value(asked.subject.ref));
  out.set("round", static_cast<std::int64_t>(asked.round));
  if (!round.approvers.empty())
    out.set("approvers", json::Array(round.approvers.begin(), round.approvers.end()));
  out.set("quorum", static_cast<std::int64_t>(round.quorum));
  json::Array decisions;
  for (const engine::ApprovalDecision& decision : asked.decisions) {
    json::Object one{{"by", decision.by}, {"decision", decision.approves ? "approve" : "reject"}};
    if (decision.comment.exists()) one.set("comment", value(decision.comment.ref));
    one.set("at", format_time(decision.at));
    decisions.emplace_back(std::move(one));
  }
  out.set("decisions", std::move(decisions));
  // Of a paused run nobody knows when it will be.
  if (step.status == StepStatus::kWaiting && !state_.paused_at) {
    out.set("deadline", format_time(std::min(step.wake_at.value_or(state_.deadline),
                                             step.deadline.value_or(state_.deadline))));
  }
  return out;
}

std::vector<std::size_t> Rendering::shown() const {
  std::vector<std::size_t> out(state_.steps.size());
  std::iota(out.begin(), out.end(), std::size_t{0});
  for (std::size_t n = 0; n < state_.compensations.size(); ++n) {
    if (state_.compensations[n].status != StepStatus::kPending)
      out.push_back(state_.steps.size() + n);
  }
  std::stable_sort(out.begin() + static_cast<std::ptrdiff_t>(state_.steps.size()), out.end(),
                   [this](std::size_t a, std::size_t b) {
                     return state_.unit(a).started_at < state_.unit(b).started_at;
                   });
  return out;
}

/// The steps of a run of which one is undone by the compensation `n`.
const workflow::Step& undone_by(const workflow::Plan& plan, std::size_t n) {
  const auto found = std::find_if(plan.steps.begin(), plan.steps.end(),
                                  [n](const workflow::Step& one) { return one.compensation == n; });
  CHECK(found != plan.steps.end());
  return *found;
}

json::Value Rendering::step(std::size_t number, std::size_t i) const {
  const StepState& step = state_.unit(i);
  const workflow::Plan& plan = state_.plan();
  const bool is_undoing = state_.is_compensation(i);
  const workflow::Step* planned = state_.is_agent_run ? nullptr
                                  : is_undoing        ? &plan.compensations[i - state_.steps.size()]
                                                      : &plan.steps[i];
  json::Object out;
  out.set("step_id", state_.id.ulid() + "/" + step.name);
  out.set("step_number", static_cast<std::int64_t>(number));
  out.set("name", step.name);
  out.set("type", workflow::step_type_name(step.type));
  if (is_undoing) out.set("compensates", undone_by(plan, i - state_.steps.size()).name);
  const std::string_view own_action =
      step.type == engine::StepType::kAgent ? "run" : workflow::step_type_name(step.type);
  const bool has_action = planned != nullptr && !planned->action.empty();
  out.set("action", has_action ? std::string_view(planned->action) : own_action);
  std::optional<AgentId> agent = step.agent;
  if (!agent && planned != nullptr) agent = planned->agent;
  if (!agent) agent = state_.agent;
  if (agent) out.set("agent_id", agent->uuid());
  out.set("status", engine::step_status_name(status_of(step)));
  out.set("attempts", static_cast<std::int64_t>(step.attempt));
  if (step.input.exists()) {
    out.set("config", value(step.input.ref));
    out.set("input", input_of(step, step.input.ref));
  } else if (planned != nullptr && !too_long(planned->config.source(), inline_max_)) {
    out.set("config", planned->config.source());
  }
  if (step.items) {
    out.set("input", json::Object{{"items", value(step.items->list.ref)}});
    out.set("items", items_of(*step.items));
  }
  if (step.approval) out.set("approval", approval(step, *planned->approval));
  out.set("result", as_object(value(step.output.ref)));
  if (step.status == StepStatus::kFailed) {
    out.set("error",
            json::Object{{"code", step.error_code}, {"message", value(step.error_message.ref)}});
  }
  if (step.usage.input_tokens + step.usage.output_tokens > 0) {
    out.set("usage", usage_json(step.usage));
    out.set("cost_cents", cents(step.cost));
  }
  // Of several attempts, the child of the last.
  if (!step.calls.empty() && step.calls.back().kind == engine::CallKind::kRun)
    out.set("child_orchestration_id", step.calls.back().child.uuid());
  if (step.reused_from) out.set("reused_from", step.reused_from->uuid());
  if (step.started_at) out.set("started_at", format_time(*step.started_at));
  if (step.completed_at && step.started_at) {
    out.set("completed_at", format_time(*step.completed_at));
    out.set("duration_ms",
            static_cast<std::int64_t>((*step.completed_at - *step.started_at).count()));
  }
  if (has_receipt(step)) {
    out.set("receipt_id", receipt_name(provenance::receipt_id(state_.id.value, step.ended_seq)));
  }
  return out;
}

json::Array Rendering::receipts() const {
  json::Array out;
  if (stated_ == 0) return out;
  out.emplace_back(state_.id.uuid());
  for (const std::size_t i : shown()) {
    const StepState& step = state_.unit(i);
    if (!has_receipt(step)) continue;
    out.emplace_back(provenance::receipt_id(state_.id.value, step.ended_seq).uuid());
  }
  return out;
}

json::Value Rendering::run() const {
  const json::Value& facts = state_.start_facts;
  json::Object out;
  out.set("id", run_name(state_.id));
  out.set("orchestration_id", state_.id.uuid());
  out.set("run_id", run_name(state_.id));
  out.set("execution_id", state_.id.uuid());
  if (state_.name.exists()) out.set("name", value(state_.name.ref));
  if (state_.labels.exists()) out.set("labels", value(state_.labels.ref));
  if (row_.workflow) {
    out.set("workflow_id", row_.workflow->uuid());
    out.set("workflow_version", facts.string_or("workflow_version"));
    out.set("workflow_digest", facts.string_or("workflow_digest"));
  }
  if (state_.agent) out.set("agent_id", agent_name(*state_.agent));
  if (state_.parent) {
    out.set("parent", json::Object{{"orchestration_id", state_.parent->uuid()},
                                   {"step", state_.parent_step}});
  }
  if (const json::Value* earlier = facts.find("rerun_of")) out.set("rerun_of", *earlier);
  const json::Value* agents = facts.find("agents");
  out.set("agents", agents == nullptr ? json::Value(json::Array()) : *agents);
  out.set("priority", state_.priority);
  out.set("parameters", value(state_.parameters.ref));
  out.set("input", value(state_.input.ref));
  out.set("status", engine::run_status_name(state_.status));
  out.set("waiting_for", waiting_for());
  json::Array steps;
  json::Object results;
  for (const std::size_t i : shown()) {
    steps.push_back(step(steps.size() + 1, i));
    const StepState& one = state_.unit(i);
    if (one.status == StepStatus::kCompleted) results.set(one.name, value(one.output.ref));
  }
  out.set("steps", std::move(steps));
  out.set("results", std::move(results));
  if (state_.output.exists()) {
    const json::Value* whole = contents_.find(state_.output.ref);
    const bool is_object =
        whole == nullptr || whole->is_object();  // one that is erased is shown so
    const json::Value shown = value(state_.output.ref);
    out.set("output", is_object ? shown : json::Value(json::Object{{"value", shown}}));
  }
  out.set("total_cost_cents", cents(state_.cost));
  out.set("usage", usage_json(state_.usage));
  if (stated_ != 0) out.set("receipt_id", receipt_name(state_.id.value));
  out.set("receipts", receipts());
  if (state_.status == store::RunStatus::kFailed) {
    json::Value error =
        json::Object{{"code", state_.error_code}, {"message", value(state_.error_message.ref)}};
    if (!state_.error_step.empty()) error.set("step", state_.error_step);
    out.set("error", std::move(error));
  }
  out.set("created_at", format_time(row_.created_at));
  out.set("started_at", format_time(state_.started_at));
  if (state_.completed_at) out.set("completed_at", format_time(*state_.completed_at));
  return out;
}

/// The steps whose ends a rerun takes over have them from its first moment on.
void show_reused(RunId id, const engine::RerunLink& rerun, const engine::PlanIndex& plan,
                 std::size_t inline_max, json::Array& steps, json::Value& results) {
  std::uint32_t seq = 1;  // of run.started; the ends follow it
  for (const engine::ReusedStep& reused : rerun.reused) {
    ++seq;
    json::Value& shown = steps[plan.plan->find(reused.step)];
    shown.set("status", engine::step_status_name(reused.status));
    shown.set("reused_from", rerun.run.uuid());
    if (reused.status == StepStatus::kFailed) {
      const json::Value message =
          inline_or_reference(reused.value, id, {seq, "message"}, inline_max);
      shown.set("error", json::Object{{"code", reused.code}, {"message", message}});
    }
    if (reused.status != StepStatus::kCompleted) continue;
    const json::Value value = inline_or_reference(reused.value, id, {seq, "output"}, inline_max);
    shown.set("result", as_object(value));
    results.set(reused.step, value);
  }
}

}  // namespace

std::string run_name(RunId id) { return "maip-orch:" + id.ulid(); }
std::string agent_name(AgentId id) { return "maip-agent:" + id.ulid(); }

std::string receipt_name(Id id) { return "rcpt_" + id.ulid(); }

json::Value render_run(const store::RunRow& row, const engine::History& history,
                       const Erasures& erasures) {
  // Values move out of the answer, the largest first, until it fits.
  for (std::size_t inline_max = kInlineValueMax; true; inline_max /= 8) {
    json::Value out = Rendering(row, history, erasures, inline_max).run();
    if (inline_max < 64 || is_surely_below(out, kAnswerBytesMax) ||
        json::write(out).size() <= kAnswerBytesMax) {
      return out;
    }
  }
}

json::Value render_list_item(const store::RunRow& row) {
  const auto parsed = json::parse(row.summary);
  const json::Value summary = parsed ? *parsed : json::Value(json::Object());
  json::Object out;
  out.set("id", run_name(row.id));
  out.set("orchestration_id", row.id.uuid());
  out.set("run_id", run_name(row.id));
  out.set("execution_id", row.id.uuid());
  for (const std::string_view member : {"name", "labels", "workflow_version", "workflow_digest"}) {
    if (const json::Value* value = summary.find(member)) out.set(member, *value);
  }
  if (row.workflow) out.set("workflow_id", row.workflow->uuid());
  if (row.agent) out.set("agent_id", agent_name(*row.agent));
  out.set("status", engine::run_status_name(row.status));
  const json::Value* waiting = summary.find("waiting_for");
  out.set("waiting_for", waiting == nullptr ? json::Value() : *waiting);
  const json::Value* cost = summary.find("total_cost_cents");
  out.set("total_cost_cents", cost == nullptr ? json::Value(0) : *cost);
  const json::Value* usage = summary.find("usage");
  out.set("usage", usage == nullptr ? usage_json({}) : *usage);
  if (const json::Value* error = summary.find("error")) out.set("error", *error);
  out.set("created_at", format_time(row.created_at));
  out.set("started_at", format_time(row.created_at));
  if (const json::Value* time = summary.find("completed_at")) out.set("completed_at", *time);
  return out;
}

json::Value render_created(RunId id, const engine::PlanIndex& plan, const engine::Start& start,
                           std::size_t inline_max) {
  constexpr std::uint32_t kFirst = 1;  // the event that commits to what the run was started with
  json::Object out;
  out.set("id", run_name(id));
  out.set("orchestration_id", id.uuid());
  out.set("run_id", run_name(id));
  out.set("execution_id", id.uuid());
  if (!start.name.empty()) out.set("name", start.name);
  if (!start.labels.as_object().empty()) out.set("labels", start.labels);
  if (start.workflow) {
    out.set("workflow_id", start.workflow->uuid());
    out.set("workflow_version", start.workflow_version);
    out.set("workflow_digest", start.workflow_digest);
  }
  if (start.agent) out.set("agent_id", agent_name(*start.agent));
  json::Array agents;
  for (const AgentId& agent : start.agents) agents.emplace_back(agent.uuid());
  out.set("agents", std::move(agents));
  out.set("priority", start.priority);
  out.set("parameters",
          inline_or_reference(start.parameters, id, {kFirst, "parameters"}, inline_max));
  out.set("input", inline_or_reference(start.input, id, {kFirst, "input"}, inline_max));
  out.set("status", "running");
  out.set("waiting_for", nullptr);
  json::Array steps;
  for (const workflow::Step& step : plan.plan->steps) {
    json::Object one;
    one.set("step_id", id.ulid() + "/" + step.name);
    one.set("step_number", static_cast<std::int64_t>(steps.size() + 1));
    one.set("name", step.name);
    one.set("type", workflow::step_type_name(step.type));
    one.set("action", step.action);
    const std::optional<AgentId> agent = step.agent ? step.agent : start.agent;
    if (agent) one.set("agent_id", agent->uuid());
    one.set("status", "pending");
    one.set("attempts", 0);
    // As in any step that has not begun: what it will be is not known yet.
    if (!too_long(step.config.source(), inline_max)) one.set("config", step.config.source());
    one.set("result", json::Object());
    steps.emplace_back(std::move(one));
  }
  json::Value results = json::Object();
  if (start.rerun) show_reused(id, *start.rerun, plan, inline_max, steps, results);
  out.set("steps", std::move(steps));
  out.set("results", std::move(results));
  if (start.rerun) out.set("rerun_of", start.rerun->run.uuid());
  out.set("total_cost_cents", 0);
  out.set("usage", usage_json({}));
  out.set("receipts", json::Array());
  out.set("created_at", format_time(start.at));
  out.set("started_at", format_time(start.at));
  return out;
}

}  // namespace avow::api
