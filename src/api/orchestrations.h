// SPDX-License-Identifier: Apache-2.0
// api/orchestrations.h: showing runs, also later: what both execute endpoints and GET share.
#pragma once
#include "api/call.h"

namespace avow::api {

/// The run as it is, as an answer with `status`. Errors: kNotFound, also for a run of another
/// tenant.
Result<net::Response> show_run(Services& services, const auth::Caller& caller, int status,
                               RunId run);

/// The run with its journal applied. Errors: as show_run().
Result<engine::History> read_own_run(Services& services, const auth::Caller& caller, RunId run);

/// Tells the caller's `run` something, and answers 200 with the run as it is then, or why it did
/// not take it; 404 for a run of another tenant.
Reply tell_run(const Call& call, RunId run, engine::Input input);

/// Waits for the end of `run`, up to `wait`, without a thread: 200 when it has ended, else
/// `status_if_running` with its state. `begin`, if given, starts the run; it must call its argument
/// once, with nothing or with what stopped it, and the wait begins before it is called.
using Begun = std::function<void(std::optional<Problem>)>;
net::Later wait_for_run(const Call& call, RunId run, std::chrono::seconds wait,
                        int status_if_running, std::function<void(Begun)> begin);

}  // namespace avow::api
