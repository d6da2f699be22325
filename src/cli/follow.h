// SPDX-License-Identifier: Apache-2.0
// cli/follow.h: watches a run until it ends. One thread; blocks.
#pragma once
#include "cli/session.h"

namespace avow::cli {

/// Prints what happens in the run as it happens (nothing with --json), then the run as it ended.
/// Returns kOk if it completed, kRefused if it failed or was cancelled, else why it could not go
/// on.
int follow_run(Session& session, const std::string& run_id);

/// Prints what happens in the run, and what its models say, when it happens, to the run's end (with
/// --json the events themselves, a line each). Returns as follow_run().
int watch_run(Session& session, const std::string& run_id);

}  // namespace avow::cli
