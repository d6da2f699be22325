// SPDX-License-Identifier: Apache-2.0
// workflow/check/names.h: names of steps and parameters, and what a misspelt one was meant to be.
// Pure; safe from any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace avow::workflow {

/// What is wrong with `name` as a step's or parameter's name (DESIGN.md section 3).
struct NameFault {
  std::string code;  ///< ILL_FORMED_NAME or RESERVED_NAME
  std::string message;
};
std::optional<NameFault> check_name(std::string_view name);

/// The one of `candidates` that is nearest to `word`, if it is near enough to be what was meant.
std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates);

/// `; did you mean "x"?`, or nothing.
std::string suggestion(std::string_view word, std::span<const std::string_view> candidates);

/// "a, b or c"; `conjunction` is "or" or "and".
std::string listed(std::span<const std::string_view> words, std::string_view conjunction = "or");

}  // namespace avow::workflow
