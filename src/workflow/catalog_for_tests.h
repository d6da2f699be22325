// SPDX-License-Identifier: Apache-2.0
// workflow/catalog_for_tests.h: a tenant's agents, tools, models and secrets, and readers that fail
// the test where a text is not what it should be. Only *_test.cc include this.
#pragma once
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "json/parse.h"
#include "json/write.h"
#include "workflow/definition.h"

namespace avow::workflow {

inline constexpr const char* kAgentUuid = "0192f0c1-7a3b-7c4d-8e5f-607182900000";
inline constexpr const char* kForeignAgentUuid = "0192f0c1-7a3b-7c4d-8e5f-607182a00000";

inline json::Value read(std::string_view text) {
  auto parsed = json::parse(text);
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().message) << "\n" << text;
  return parsed ? *parsed : json::Value();
}

class CatalogForTests : public Catalog {
 public:
  [[nodiscard]] bool has_agent(AgentId id) const override { return id.uuid() == kAgentUuid; }
  [[nodiscard]] bool agent_has_model(AgentId /*id*/) const override { return false; }
  [[nodiscard]] const json::Value* find_tool(std::string_view name) const override {
    return name == "search_cases" || name == "file_report" ? &tool_ : nullptr;
  }
  [[nodiscard]] bool has_model(std::string_view name) const override {
    return name == "avow/echo" || name == "openai/gpt-4o";
  }
  [[nodiscard]] bool has_secret(std::string_view name) const override {
    return name == "NOTIFY_KEY" || name == "SIGNING_KEY" || name == "SHOP_TOKEN";
  }

 private:
  json::Value tool_ = json::Object();
};

inline std::string shown_faults(const Faults& faults) {
  std::string out;
  for (const Fault& f : faults) {
    out += f.pointer + " " + f.code + " " + std::to_string(f.line) + ":" +
           std::to_string(f.column) + " " + f.message + "\n";
  }
  return out;
}

/// "POINTER CODE" of each fault.
inline std::multiset<std::string> codes(const Faults& faults) {
  std::multiset<std::string> out;
  for (const Fault& fault : faults) out.insert(fault.pointer + " " + fault.code);
  return out;
}

inline Definition normalised(const json::Value& body) {
  auto outcome = normalise(body, CatalogForTests());
  if (auto* faults = std::get_if<Faults>(&outcome)) {
    ADD_FAILURE() << shown_faults(*faults) << json::write(body);
    return {};
  }
  return std::get<Definition>(std::move(outcome));
}

inline Faults faults_of(const json::Value& body) {
  auto outcome = normalise(body, CatalogForTests());
  auto* faults = std::get_if<Faults>(&outcome);
  return faults == nullptr ? Faults() : std::move(*faults);
}

/// Document review for KYC, with one step of nearly every type: what a team might really write.
inline json::Value review_definition() {
  return read(R"json({
    "name": "kyc-document-review",
    "version": "2.1.0",
    "description": "Extract, check, decide, tell.",
    "agent_id": "maip-agent:01JBRC2YHVFH6RWQV0E6190000",
    "model": "avow/echo",
    "input_schema": {"type": "object", "required": ["document"],
                     "properties": {"document": {"type": "string"}, "risk": {"type": "number"}}},
    "parameters": {"threshold": 0.7, "language": "en"},
    "timeout_seconds": 900,
    "max_steps": 20,
    "labels": {"team": "compliance"},
    "triggers": {"cron": "0 6 * * MON-FRI", "time_zone": "Europe/Zurich"},
    "steps": [
      {"name": "extract", "type": "llm_inference",
       "config": {"model": "openai/gpt-4o", "fallback_models": ["avow/echo"],
                  "system": "You extract fields from documents.",
                  "prompt": "Extract from: ${{ input.document }}", "temperature": 0,
                  "max_tokens": 800, "response_schema": {"type": "object"},
                  "tools": ["search_cases"]},
       "output_schema": {"type": "object"}, "timeout_seconds": 60},
      {"name": "screen", "type": "guardrail_check", "depends_on": ["extract"],
       "config": {"content": "${{ steps.extract.result.text }}", "on_violation": "redact",
                  "rules": [{"id": "no-cards", "type": "pii", "kinds": ["credit_card"]},
                            {"id": "short", "type": "max_length", "max": 10000}]}},
      {"name": "known", "type": "tool_call", "depends_on": ["extract"], "on_failure": "continue",
       "config": {"tool": "search_cases",
                  "arguments": {"name": "${{ steps.extract.result.json.name }}", "limit": 5}}},
      {"name": "decide", "type": "decision", "depends_on": ["screen", "known"],
       "config": {"cases": [{"when": "steps.known.error == null && input.risk < parameters.threshold",
                             "then": "accept"}],
                  "default": "escalate",
                  "branches": {"accept": ["tell"], "escalate": ["cool_down", "ask"]}}},
      {"name": "tell", "type": "webhook", "depends_on": ["decide"],
       "config": {"url": "https://hooks.example.com/kyc/${{ run.id }}",
                  "headers": {"Authorization": "${{ secrets.NOTIFY_KEY }}", "X-Team": "kyc"},
                  "body": {"decision": "${{ steps.decide.result.decision }}"},
                  "secret": "${{ secrets.SIGNING_KEY }}", "expect_status": [202, 200]}},
      {"name": "cool_down", "type": "wait", "depends_on": ["decide"], "config": {"seconds": 400}},
      {"name": "ask", "type": "agent", "depends_on": ["cool_down"],
       "agent_id": "0192f0c1-7a3b-7c4d-8e5f-607182900000",
       "condition": "parameters.language == 'en'", "on_failure": "skip", "on_crash": "fail",
       "retry": {"max_attempts": 5, "retry_on": ["timeout", "TOOL_FAILED"]},
       "config": {"action": "review", "parameters": {"case": "${{ steps.extract.result.json }}"}}},
      {"name": "report", "type": "transform", "depends_on": ["tell", "ask"],
       "config": {"output": {"decision": "${{ steps.decide.result.decision }}",
                             "summary": "${{ steps.decide.result.decision }} in run ${{ run.id }}"}}}
    ],
    "output": {"report": "${{ steps.report.result }}"}
  })json");
}

}  // namespace avow::workflow
