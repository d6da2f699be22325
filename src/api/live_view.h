// SPDX-License-Identifier: Apache-2.0
// api/live_view.h: a run's journal as it grows, as server-sent events.
#pragma once
#include "api/call.h"

namespace avow::api {

/// Whether the caller asks for server-sent events (Accept: text/event-stream).
bool wants_live_view(const net::Request& request);

/// The events of `run` after `after`, then each new one when it is durable, to the run's last; and,
/// for who may read contents, what its models say while they say it. Ends at once when the caller's
/// key is revoked or expires. No thread waits for it. `call` may read the run.
///
/// An event is "id: <seq>", "event: <type>", "data: <the journal's exact bytes>"; a model's text is
/// "event: llm.delta", "data: {step, attempt, call, text}", without an id.
net::Stream live_view(const Call& call, RunId run, std::uint32_t after);

}  // namespace avow::api
