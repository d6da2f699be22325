// SPDX-License-Identifier: Apache-2.0
// workflow/check/step_types.h: the built-in step types by their names. Pure; safe from any thread.
#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "workflow/plan.h"

namespace avow::workflow {

inline constexpr std::array<std::string_view, 10> kStepTypeNames = {
    "transform", "decision", "llm_inference", "tool_call",     "guardrail_check",
    "webhook",   "agent",    "wait",          "orchestration", "approval"};

std::optional<StepType> step_type_of(std::string_view name);

}  // namespace avow::workflow
