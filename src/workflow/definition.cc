// SPDX-License-Identifier: Apache-2.0
#include "workflow/definition.h"

#include "json/schema.h"
#include "json/write.h"
#include "workflow/check/checker.h"
#include "workflow/check/dialect.h"

namespace avow::workflow {
namespace {

std::variant<Definition, Faults> normalise_as(Kind kind, const json::Value& body,
                                              const Catalog& catalog) {
  if (json::write(body).size() > kDefinitionBytesMax) {
    return Faults{{kind == Kind::kInline ? "/steps" : "", "TOO_LARGE",
                   fmt::format("a definition has at most {} bytes", kDefinitionBytesMax)}};
  }
  Faults of_dialect;
  const Adapted adapted = to_narrative(body, kind == Kind::kInline, of_dialect);
  Faults faults;
  Definition definition = check_definition(adapted.body, kind, catalog, faults);
  point_back(adapted.moved, faults);
  faults.insert(faults.end(), of_dialect.begin(), of_dialect.end());
  if (faults.empty()) return definition;
  if (faults.size() > kFaultsMax) faults.resize(kFaultsMax);
  return faults;
}

}  // namespace

std::variant<Definition, Faults> normalise(const json::Value& body, const Catalog& catalog) {
  return normalise_as(Kind::kWorkflow, body, catalog);
}

std::variant<Definition, Faults> normalise_steps(const json::Value& steps, const Catalog& catalog) {
  return normalise_as(Kind::kInline, json::Object{{"steps", steps}}, catalog);
}

Faults check_input(const json::Value& definition, const json::Value& input) {
  const json::Value* source = definition.find("input_schema");
  if (source == nullptr) return {};
  const auto schema = json::Schema::compile(*source);
  const auto found =
      schema ? schema->validate(input) : Result<std::vector<json::SchemaFault>>(schema.error());
  if (!found) return {{"/input", "LIMIT_EXCEEDED", found.error().message}};
  Faults faults;
  for (const json::SchemaFault& fault : *found) {
    faults.push_back({"/input" + fault.pointer, "SCHEMA_MISMATCH", fault.message});
  }
  return faults;
}

json::Value definition_of_record(const json::Value& record_body) {
  const json::Value* definition = record_body.find("definition");
  return definition == nullptr ? json::Value() : *definition;
}

}  // namespace avow::workflow
