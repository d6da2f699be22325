// SPDX-License-Identifier: Apache-2.0
// base/check.h: invariants, on in release too. A crash is the safe answer: recovery is tested
// daily.
#pragma once

namespace avow {
/// Prints "CHECK failed: <expression> at <file>:<line>" to stderr and aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}  // namespace avow

/// Ours to fix if it fails. Never on data that came from outside the process.
#define CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::avow::check_failed(#condition, __FILE__, __LINE__))
