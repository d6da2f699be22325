// SPDX-License-Identifier: Apache-2.0
// engine/limits.h: the engine's bounds (DESIGN.md section 6) and where each is felt.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/time.h"

namespace avow::engine {

inline constexpr std::size_t kResultBytesMax = std::size_t{4} << 20;  ///< RESULT_TOO_LARGE
inline constexpr std::size_t kResultDepthMax = 128;                   ///< RESULT_TOO_LARGE
inline constexpr std::size_t kContentsBytesMax = std::size_t{256}
                                                 << 20;  ///< CONTENTS_LIMIT, of a run
inline constexpr std::uint32_t kEventsMax = 1'048'575;   ///< EVENTS_LIMIT, of a run
inline constexpr std::uint32_t kEventsKeptForEnding = 4'096;
inline constexpr std::int64_t kRunFuel = 50'000'000;  ///< EXPRESSION_LIMIT
inline constexpr std::size_t kToolCallsPerAnswerMax =
    128;                                            ///< TOOL_CALLS_LIMIT, of one answer of a model
inline constexpr std::size_t kInlineStepsMax = 64;  ///< Of one turn; then it commits.
inline constexpr std::int64_t kInlineFuelMax = 200'000;
inline constexpr int kDepthMax = 8;     ///< DEPTH_EXCEEDED, of a child of a child ...
inline constexpr int kCrashesMax = 10;  ///< CRASH_LOOP
inline constexpr Duration kTaskLease{60'000};
inline constexpr Duration kCallTimeoutDefault{
    60'000};                            ///< Of one attempt where the step sets none.
inline constexpr int kPriorityMax = 9;  ///< Of a run among its tenant's, from 0.
inline constexpr int kPriorityDefault = 5;
inline constexpr std::size_t kInputsQueuedMax = 1'024;  ///< Of one run.
inline constexpr std::size_t kItemsMax = 10'000;        ///< ITEMS_LIMIT, of one for_each.
inline constexpr std::size_t kItemsPerEventMax = 256;   ///< Of one items.completed.
inline constexpr std::int64_t kBudgetedTokens = 4'096;  ///< max_tokens of a call that sets none.
inline constexpr Duration kOpenAfter{1'000};            ///< A run as old as this has a statement.
/// Its next one comes with as many newer events, or when it is as old as this and there are any.
inline constexpr std::uint32_t kProgressEvents = 256;
inline constexpr Duration kProgressAfter{60'000};

}  // namespace avow::engine
