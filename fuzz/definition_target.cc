// SPDX-License-Identifier: Apache-2.0
#include "fuzz/targets.h"
#include "json/parse.h"
#include "json/write.h"
#include "workflow/definition.h"
#include "workflow/plan.h"

namespace avow::fuzz {
namespace {

/// A tenant that has every agent, model and secret, and one tool, "lookup".
class Everything : public workflow::Catalog {
 public:
  [[nodiscard]] bool has_agent(AgentId) const override { return true; }
  [[nodiscard]] bool agent_has_model(AgentId) const override { return false; }
  [[nodiscard]] const json::Value* find_tool(std::string_view name) const override {
    return name == "lookup" ? &tool_ : nullptr;
  }
  [[nodiscard]] bool has_model(std::string_view) const override { return true; }
  [[nodiscard]] bool has_secret(std::string_view) const override { return true; }

 private:
  json::Value tool_ =
      json::Object{{"name", "lookup"},
                   {"description", "looks a thing up"},
                   {"input_schema", json::Object{{"type", "object"}}},
                   {"http", json::Object{{"method", "GET"}, {"url", "https://example.com/{id}"}}}};
};

void compile_as_stored(const json::Value& plan) {
  const auto compiled = workflow::Plan::compile(plan);
  CHECK(compiled);
  const std::size_t count = (*compiled)->steps.size();
  for (const workflow::Step& step : (*compiled)->steps) {
    for (const std::size_t dependency : step.dependencies) CHECK(dependency < count);
    for (const std::size_t dependent : step.dependents) CHECK(dependent < count);
  }
}

}  // namespace

void fuzz_definition(std::string_view bytes) {
  static const Everything kCatalog;
  const auto body = json::parse(bytes, {.bytes_max = 2 * workflow::kDefinitionBytesMax});
  if (!body) return;
  (void)workflow::Plan::compile(*body).has_value();  // hostile as a plan, too

  const auto normalised = workflow::normalise(*body, kCatalog);
  if (const auto* faults = std::get_if<workflow::Faults>(&normalised)) {
    CHECK(!faults->empty());
    for (const workflow::Fault& fault : *faults)
      CHECK(!fault.code.empty() && !fault.message.empty());
    return;
  }
  const auto& definition = std::get<workflow::Definition>(normalised);
  const auto again = workflow::normalise(definition.body, kCatalog);
  const auto* twice = std::get_if<workflow::Definition>(&again);
  CHECK(twice != nullptr);
  CHECK(twice->digest == definition.digest);
  compile_as_stored(workflow::make_plan(definition.body, json::Object(), json::Object()));
}

}  // namespace avow::fuzz
