// SPDX-License-Identifier: Apache-2.0
// workflow/check/step.h: one step by itself; what concerns other steps is in references.h.
// Pure; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "workflow/check/config.h"

namespace avow::workflow {

struct CheckedStep {
  std::string pointer;
  std::string name;  ///< Empty: absent or ill formed.
  std::optional<StepType> type;
  json::Value normalised;  ///< As sent but for depends_on's order, which needs the other steps.
  struct Dependency {
    std::string name;
    std::string pointer;
  };
  std::vector<Dependency> depends_on;
  std::vector<TemplateReference> references;  ///< Of condition and for_each.
  std::vector<TemplateReference> config_references;
  std::vector<BranchUse> branches;
  bool continues = false;  ///< on_failure is "continue": its error can be read.
  bool uses_secrets = false;
  bool waits_long = false;
  bool has_items = false;  ///< It has for_each: its config may speak of item and index.
  std::vector<CheckedStep> compensation;  ///< At most one.
};

CheckedStep check_step(const json::Value& step, const std::string& pointer, const Catalog& catalog,
                       Faults& faults);

/// The agent id that is the member `name` of an object at `pointer`, as a UUID. ILL_FORMED_ID,
/// NOT_FOUND.
std::optional<std::string> check_agent_id(const json::Value& id, const std::string& pointer,
                                          const Catalog& catalog, Faults& faults);

}  // namespace avow::workflow
