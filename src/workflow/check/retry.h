// SPDX-License-Identifier: Apache-2.0
// workflow/check/retry.h: a step's `retry`. Pure; safe from any thread.
#pragma once
#include <string>

#include "json/value.h"
#include "workflow/fault.h"

namespace avow::workflow {

/// `retry` (null pointer: absent) with its defaults written out: three attempts for an effect that
/// leaves the process, else one.
json::Value check_retry(const json::Value* retry, bool calls_outside, const std::string& pointer,
                        Faults& faults);

}  // namespace avow::workflow
