// SPDX-License-Identifier: Apache-2.0
// api/orchestration_view.h: a run as CONTRACT.md section 3 shows it ("The orchestration object").
// Pure; safe from any thread.
#pragma once
#include "api/erasures.h"
#include "engine/history.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::api {

inline constexpr std::size_t kAnswerBytesMax = std::size_t{8} << 20;
inline constexpr std::size_t kInlineValueMax = std::size_t{64} << 10;  ///< Larger: by reference.

/// The whole object. A value above kInlineValueMax (or less, where the answer would exceed
/// kAnswerBytesMax) stands as {"$content": url, "bytes": n}, an erased one as
/// {"$erased": receipt_id}.
json::Value render_run(const store::RunRow& row, const engine::History& history,
                       const Erasures& erasures = {});

/// What a list shows: without steps, results, parameters, input and output.
json::Value render_list_item(const store::RunRow& row);

/// The object as it is created: running, every step pending. `start` must be complete. Values above
/// `inline_max` stand by reference.
json::Value render_created(RunId id, const engine::PlanIndex& plan, const engine::Start& start,
                           std::size_t inline_max = kInlineValueMax);

std::string run_name(RunId id);      ///< "maip-orch:<ULID>"
std::string agent_name(AgentId id);  ///< "maip-agent:<ULID>"
std::string receipt_name(Id id);     ///< "rcpt_<ULID>"

}  // namespace avow::api
