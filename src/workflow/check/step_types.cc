// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/step_types.h"

#include <algorithm>

namespace avow::workflow {

std::string_view step_type_name(StepType type) {
  return kStepTypeNames[static_cast<std::size_t>(type)];
}

std::optional<StepType> step_type_of(std::string_view name) {
  const auto* found = std::find(kStepTypeNames.begin(), kStepTypeNames.end(), name);
  if (found == kStepTypeNames.end()) return std::nullopt;
  return static_cast<StepType>(found - kStepTypeNames.begin());
}

}  // namespace avow::workflow
