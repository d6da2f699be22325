// SPDX-License-Identifier: Apache-2.0
// workflow/fault.h: one thing that is wrong in a definition, an override or an input.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace avow::workflow {

struct Fault {
  std::string pointer;  ///< RFC 6901, into what the caller sent.
  std::string code;  ///< Upper case and stable: "CYCLE", "UNKNOWN_STEP"; docs/errors/ lists them.
  std::string message;     ///< What is wrong and what is allowed.
  std::size_t line = 0;    ///< Of an expression, from 1; 0: no expression.
  std::size_t column = 0;  ///< In characters, from 1.
};

using Faults = std::vector<Fault>;

}  // namespace avow::workflow
