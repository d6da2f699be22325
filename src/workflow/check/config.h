// SPDX-License-Identifier: Apache-2.0
// workflow/check/config.h: the `config` of a step of each type (the table of DESIGN.md section 3).
// Pure; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "workflow/definition.h"
#include "workflow/plan.h"

namespace avow::workflow {

/// That a decision's branch `label` names `step`.
struct BranchUse {
  std::string label;
  std::string step;
  std::string pointer;
};

struct CheckedConfig {
  json::Value normalised;                     ///< An object, every default written out.
  std::vector<TemplateReference> references;  ///< Pointers from the root of the definition.
  std::vector<SecretUse> secrets;             ///< Pointers from the root of the config.
  std::vector<BranchUse> branches;            ///< Of a decision.
  bool calls_outside = false;  ///< Its effect leaves the process: retried by default.
  bool waits_long = false;     ///< Longer than kLongWaitSeconds, or for a person.
};

/// Longer waits need a time limit of the run (CONTRACT.md section 3).
inline constexpr std::int64_t kLongWaitSeconds = 300;

/// Checks and normalises; `pointer` is the config's. What templates make of a value is checked when
/// they are rendered, by check_rendered().
CheckedConfig check_config(StepType type, const json::Value& config, const std::string& pointer,
                           const Catalog& catalog, Faults& faults);

/// What Step::config is compiled from: the config without the members that are compiled otherwise.
json::Value templated_part(StepType type, const json::Value& config);

/// Whether the config may name secrets.
bool may_use_secrets(StepType type);

/// Parses and checks the bare CEL expression `source`; its references go to `references`.
std::optional<cel::Expression> check_expression(const json::Value& source,
                                                const std::string& pointer,
                                                std::vector<TemplateReference>& references,
                                                Faults& faults);

}  // namespace avow::workflow
