// SPDX-License-Identifier: Apache-2.0
// POST /v1/guardrails/check: rules over a piece of content, outside of any run (CONTRACT.md section
// 4).
#include "api/agent_directory.h"
#include "api/route.h"
#include "auth/fields.h"
#include "guard/rules.h"

namespace avow::api {
namespace {

constexpr std::int64_t kFuel = 1'000'000;  // of one check, as of one expression
constexpr std::size_t kContextBytesMax = std::size_t{256} << 10;

struct Check {
  std::optional<AgentId> agent;
  json::Value content;
  json::Value context = json::Object();
  json::Value rules;
};

std::variant<Check, Problem> read_check(const json::Value& body) {
  std::vector<auth::Fault> faults;
  auth::Fields fields(body, faults);
  const auto malformed = [&](std::string pointer, std::string code, std::string message) {
    fields.fault(auth::FaultKind::kMalformed, std::move(pointer), std::move(code),
                 std::move(message));
  };
  Check check;
  if (const auto text = fields.text("agent_id", {})) {
    const auto id = parse_id(*text);
    if (id) check.agent = AgentId{*id};
    if (!id) malformed("/agent_id", "ILL_FORMED_ID", "is neither a UUID nor a ULID");
  }
  const json::Value* const content = fields.any("content");
  const auto action = fields.text("action_type", {.characters_min = 1});
  const bool has_action = fields.any("action_type") != nullptr;
  if ((content != nullptr) == has_action) {
    malformed("", "MISSING", "send either content or action_type");
  }
  if (content != nullptr) check.content = *content;
  if (action) check.content = *action;
  check.context = fields.object("context", kContextBytesMax).value_or(json::Object());
  if (fields.any("ruleset") != nullptr) {
    fields.fault(auth::FaultKind::kInvalid, "/ruleset", "NOT_SUPPORTED",
                 "\"ruleset\" is not supported yet; send the rules");
  } else if (const json::Value* const rules = fields.any("rules"); rules == nullptr) {
    malformed("/rules", "MISSING", "is required: a list of rules");
  } else if (!rules->is_array()) {
    malformed("/rules", "WRONG_TYPE", "must be an array");
  } else {
    check.rules = *rules;
  }
  (void)fields.any("rules");
  fields.refuse_unknown();
  if (!faults.empty()) return problem_of(faults);
  return check;
}

Problem bad_rules(const std::vector<guard::RuleFault>& found) {
  workflow::Faults faults;
  for (const guard::RuleFault& fault : found) {
    faults.push_back({fault.pointer, "BAD_RULE", fault.message, fault.line, fault.column});
  }
  return problem_of(faults, "/rules");
}

json::Value shown_violation(const guard::Violation& violation) {
  json::Object out{{"rule_id", violation.rule_id},
                   {"severity", violation.severity},
                   {"message", violation.message}};
  if (!violation.pointer.empty()) out.set("pointer", violation.pointer);
  return out;
}

Reply check(Call& call) {
  auto read = read_check(call.body);
  if (auto* const refused = std::get_if<Problem>(&read)) return std::move(*refused);
  const Check& asked = std::get<Check>(read);
  std::vector<guard::RuleFault> faults;
  const auto rules = guard::Rules::compile(asked.rules, &faults);
  if (!rules && faults.empty()) return problem_at(422, "/rules", rules.error().message);
  if (!rules) return bad_rules(faults);
  if (asked.agent) {
    const auto agent = call.services.agents.get(call.caller.tenant, *asked.agent);
    if (!agent) return problem_of(agent.error());
  }
  std::int64_t fuel = kFuel;
  const auto verdict = rules->check(asked.content, asked.context, fuel);
  if (!verdict) return problem(422, verdict.error().message);
  json::Array violations;
  for (const guard::Violation& violation : verdict->violations) {
    violations.push_back(shown_violation(violation));
  }
  // Breakers open on failures of runs; there are none to open yet.
  return json_response(200, json::Object{{"allowed", verdict->allowed},
                                         {"violations", std::move(violations)},
                                         {"circuit_breaker_status", "closed"}});
}

}  // namespace

std::vector<Route> guardrail_routes() {
  return {{"POST", "/v1/guardrails/check", scope(auth::Scope::kGuardrailsCheck), check,
           "checkGuardrails"}};
}

}  // namespace avow::api
