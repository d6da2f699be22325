// SPDX-License-Identifier: Apache-2.0
// Approvals: people are asked, decide, or let the time pass.
#include <algorithm>

#include "engine/reactor.h"

namespace avow::engine {
namespace {

std::string_view on_timeout_name(workflow::OnTimeout what) {
  switch (what) {
    case workflow::OnTimeout::kFail:
      return "fail";
    case workflow::OnTimeout::kReject:
      return "reject";
    case workflow::OnTimeout::kApprove:
      return "approve";
    case workflow::OnTimeout::kEscalate:
      return "escalate";
  }
  return "fail";
}

/// What `who` said in this round; null pointer if nothing.
const ApprovalDecision* decision_of(const ApprovalState& approval, std::string_view who) {
  const auto found = std::find_if(
      approval.decisions.begin() + static_cast<std::ptrdiff_t>(approval.first_of_round),
      approval.decisions.end(),
      [who](const ApprovalDecision& decision) { return decision.by == who; });
  return found == approval.decisions.end() ? nullptr : &*found;
}

CallError approval_error(std::string code, std::string message) {
  return {.code = std::move(code),
          .message = std::move(message),
          .retry_class = {},
          .retry_after = {},
          .detail = {}};
}

}  // namespace

void Reactor::request_approval(std::size_t i, std::size_t round) {
  const workflow::ApprovalRound& asked = planned(i).approval->rounds[round - 1];
  const auto quorum = static_cast<std::int64_t>(asked.quorum);
  // What a digest in a decision stands for: the words, and under which terms they were shown.
  json::Value subject = json::Object{{"prompt", value_of(unit(i).input).string_or("prompt")},
                                     {"round", static_cast<std::int64_t>(round)},
                                     {"quorum", quorum}};
  Event event = begin("approval.requested", i);
  event.attempt = unit(i).attempt;
  event.data.set("round", static_cast<std::int64_t>(round));
  event.data.set("quorum", quorum);
  if (!asked.approvers.empty()) {
    const json::Array approvers(asked.approvers.begin(), asked.approvers.end());
    event.data.set("approvers", approvers);
    subject.set("approvers", approvers);
  }
  // One that would end with the run or after it ends with the run: TIMEOUT.
  if (asked.timeout && turn_.now + *asked.timeout < state_.deadline)
    event.data.set("deadline", format_time(turn_.now + *asked.timeout));
  commit(event, "subject", std::move(subject));
  emit(std::move(event));
}

void Reactor::on(const ApprovalDecided& decided) {
  const std::size_t i = state_.index_of(decided.step);
  if (i >= state_.unit_count()) {
    reaction_.refusal =
        failure(Code::kNotFound, "the orchestration has no step \"{}\"", shown(decided.step));
    return;
  }
  if (const auto checked = check_decision(i, decided); !checked) {
    reaction_.refusal = checked.error();
    return;
  }
  const ApprovalState& approval = *unit(i).approval;
  if (decision_of(approval, decided.actor) != nullptr) return;  // the same again
  Event event = begin("approval.decided", i);
  event.attempt = unit(i).attempt;
  event.actor = decided.actor;
  event.data.set("decision", decided.approves ? "approve" : "reject");
  event.data.set("round", static_cast<std::int64_t>(approval.round));
  event.data.set("subject", approval.subject.commitment);
  if (!decided.comment.empty()) commit(event, "comment", decided.comment);
  emit(std::move(event));
  const std::size_t approvals = approval.decisions.size() - approval.first_of_round;
  if (!decided.approves) {
    settle_approval(i, false);
  } else if (approvals >= planned(i).approval->rounds[approval.round - 1].quorum) {
    settle_approval(i, true);
  }
}

/// Whether the decision may be made; also where it was made before in the same words.
Result<void> Reactor::check_decision(std::size_t i, const ApprovalDecided& decided) const {
  const StepState& step = unit(i);
  if (!step.approval) {
    return failure(Code::kConflict, "the step \"{}\" does not wait for an approval", step.name);
  }
  const workflow::Approval& plan = *planned(i).approval;
  const std::vector<std::string>& approvers = plan.rounds[step.approval->round - 1].approvers;
  if (!approvers.empty() &&
      std::find(approvers.begin(), approvers.end(), decided.actor) == approvers.end()) {
    return failure(Code::kPermissionDenied, "{} is not among the approvers of the step",
                   decided.actor);
  }
  if (!plan.allow_self && has_part_in_run(decided)) {
    return failure(Code::kPermissionDenied,
                   "who started the run, or works in it, may not decide about it: allow_self is "
                   "false");
  }
  if (!decided.subject_digest.empty() &&
      decided.subject_digest != step.approval->subject.commitment) {
    return failure(Code::kConflict,
                   "the step asks for something else by now: read it again, then decide");
  }
  if (const ApprovalDecision* earlier = decision_of(*step.approval, decided.actor)) {
    if (earlier->approves == decided.approves) return {};
    return failure(Code::kConflict, "{} has decided otherwise already", decided.actor);
  }
  if (step.status != StepStatus::kWaiting || is_ending()) {
    return failure(Code::kConflict, "the step \"{}\" does not wait for an approval any more",
                   step.name);
  }
  const Time until = std::min({step.wake_at.value_or(state_.deadline),
                               step.deadline.value_or(state_.deadline), state_.deadline});
  if (now() >= until) return failure(Code::kConflict, "the time to decide is over");
  return {};
}

/// Whether he started the run, or his key is bound to an agent that may work in it.
bool Reactor::has_part_in_run(const ApprovalDecided& decided) const {
  if (decided.actor == state_.actor) return true;
  if (!decided.agents) return false;
  std::vector<AgentId> working;
  if (state_.agent) working.push_back(*state_.agent);
  for (const workflow::Step& step : plan().steps) {
    if (step.agent) working.push_back(*step.agent);
  }
  const json::Value* named = state_.start_facts.find("agents");
  const auto works = [&](AgentId agent) {
    if (std::find(working.begin(), working.end(), agent) != working.end()) return true;
    return named != nullptr && std::find(named->as_array().begin(), named->as_array().end(),
                                         json::Value(agent.uuid())) != named->as_array().end();
  };
  return std::any_of(decided.agents->begin(), decided.agents->end(), works);
}

void Reactor::expire_approval(std::size_t i) {
  const std::size_t round = unit(i).approval->round;
  const workflow::OnTimeout what = planned(i).approval->rounds[round - 1].on_timeout;
  Event event = begin("approval.expired", i);
  event.attempt = unit(i).attempt;
  event.data.set("round", static_cast<std::int64_t>(round));
  event.data.set("on_timeout", on_timeout_name(what));
  emit(std::move(event));
  switch (what) {
    case workflow::OnTimeout::kFail:
      return fail_or_retry(i, approval_error("APPROVAL_TIMEOUT",
                                             "nobody rejected it, and too few approved in time"));
    case workflow::OnTimeout::kReject:
      return settle_approval(i, false);
    case workflow::OnTimeout::kApprove:
      return settle_approval(i, true);
    case workflow::OnTimeout::kEscalate:
      return request_approval(i, round + 1);
  }
}

void Reactor::settle_approval(std::size_t i, bool is_approved) {
  const std::vector<ApprovalDecision>& made = unit(i).approval->decisions;
  if (!is_approved && !planned(i).approval->continues_on_reject) {
    const bool by_somebody = !made.empty() && !made.back().approves;
    std::string why =
        by_somebody ? "rejected by " + made.back().by : std::string("too few approved in time");
    if (by_somebody && made.back().comment.exists())
      why += ": " + value_of(made.back().comment).as_string();
    return fail_or_retry(i, approval_error("APPROVAL_REJECTED", std::move(why)));
  }
  json::Array decisions;
  for (const ApprovalDecision& decision : made) {
    json::Object one{{"by", decision.by}, {"decision", decision.approves ? "approve" : "reject"}};
    if (decision.comment.exists()) one.set("comment", value_of(decision.comment));
    one.set("at", format_time(decision.at));
    decisions.emplace_back(std::move(one));
  }
  complete_step(i, json::Object{{"approved", is_approved}, {"decisions", std::move(decisions)}});
}

}  // namespace avow::engine
