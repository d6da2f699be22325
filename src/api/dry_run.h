// SPDX-License-Identifier: Apache-2.0
// api/dry_run.h: what a run would do, as far as it can be said before it does it.
#pragma once
#include "api/start.h"

namespace avow::api {

/// The plan: steps in execution order with their level and with everything evaluated that depends
/// on the input, the parameters and the run alone. Nothing is stored.
json::Value render_dry_run(const PreparedRun& prepared);

}  // namespace avow::api
