// SPDX-License-Identifier: Apache-2.0
// workflow/check/step_types.h: the built-in step types by their names. Pure; safe from any thread.
#pragma once
#include <array>
#include <optional>
#include <string_view>

#include "workflow/plan.h"

namespace avow::workflow {

inline constexpr std::array<std::string_view, 9> kStepTypeNames = {
    "transform", "decision", "llm_inference", "tool_call", "guardrail_check",
    "webhook",   "agent",    "wait",          "approval"};

/// Of the types that the language names and this version refuses.
inline constexpr std::array<std::string_view, 1> kUnsupportedStepTypes = {"orchestration"};

std::optional<StepType> step_type_of(std::string_view name);
/// Whether `name` is a built-in type, supported or not.
bool names_step_type(std::string_view name);

}  // namespace avow::workflow
