// SPDX-License-Identifier: Apache-2.0
#include "engine/run_statement.h"

#include "json/parse.h"
#include "provenance/members.h"

namespace avow::engine {
namespace {

std::optional<Bytes32> digest_in(const json::Value& facts, std::string_view member) {
  Bytes32 digest{};
  if (!provenance::read_digest(facts.find(member), digest)) return std::nullopt;
  return digest;
}

}  // namespace

Stated Stated::in(std::string_view summary) {
  const auto parsed = json::parse(summary);
  const json::Value* newest = parsed ? parsed->find("stated") : nullptr;
  if (newest == nullptr) return {};
  return {static_cast<std::uint32_t>(newest->int_or("seq", 0)),
          Time(Duration(newest->int_or("at", 0)))};
}

json::Value Stated::to_json() const {
  return json::Object{{"seq", static_cast<std::int64_t>(seq)},
                      {"at", static_cast<std::int64_t>(at.time_since_epoch().count())}};
}

std::optional<Time> statement_due(const RunState& state, Time created_at, const Stated& newest,
                                  Time now) {
  if (state.seq == newest.seq) return std::nullopt;
  // Not a time of the run's own: those may lie ahead of a clock that was set back.
  constexpr Time kAtOnce = Time::min();
  if (is_terminal(state.status)) return kAtOnce;
  if (now < (newest.seq == 0 ? created_at : newest.at)) return kAtOnce;
  if (newest.seq == 0) return created_at + kOpenAfter;
  return state.seq - newest.seq >= kProgressEvents ? kAtOnce : newest.at + kProgressAfter;
}

provenance::Statement run_statement(const Machine& machine, const store::RunRow& row,
                                    const Stated& newest, const Bytes32& nonce) {
  using provenance::StatementType;
  const RunState& state = machine.state();
  provenance::Statement statement;
  if (is_terminal(state.status)) {
    statement.type = StatementType::kRunFinished;
  } else {
    statement.type = newest.seq == 0 ? StatementType::kRunOpen : StatementType::kRunProgress;
  }
  statement.tenant = row.tenant;
  statement.id = row.id.value;
  statement.created_at = row.created_at;
  statement.nonce = nonce;
  statement.status = run_status_name(state.status);
  statement.workflow_digest = digest_in(state.start_facts, "workflow_digest");
  statement.plan = digest_in(state.start_facts, "plan");
  statement.agent = state.agent;
  statement.events = state.seq;
  statement.root = machine.tree().root();
  statement.started_at = state.started_at;
  statement.completed_at = state.completed_at;
  return statement;
}

}  // namespace avow::engine
