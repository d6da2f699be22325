// SPDX-License-Identifier: Apache-2.0
// api/erasure_reach.h: how far an erasure goes: along `from`, into every run that took what it
// takes (docs/decisions). Reads rows and journals, no contents.
#pragma once
#include <variant>
#include <vector>

#include "api/erasures.h"
#include "api/problem.h"
#include "store/store.h"

namespace avow::api {

/// Looked at for one erasure: a run with a child for each of 10 000 items can be erased.
inline constexpr std::size_t kRunsReachedMax = 20'000;
/// A rerun that was noted and is not there may still begin for so long.
inline constexpr Duration kRerunBeginsWithin{60'000};

struct ReachedRun {
  RunId run;
  std::uint64_t version = 0;  ///< Of its row, when this was found out.
  Taken taken;
};

/// The runs that an erasure of `taking` in `run` reaches, those that copied first and `run` last.
/// Problem: 404; 409 where one of them goes on, or may yet begin; 422 for a name that no event has,
/// and for too many runs.
std::variant<std::vector<ReachedRun>, Problem> reached_runs(store::Store& store, TenantId tenant,
                                                            RunId run, const Taking& taking,
                                                            Time now);

}  // namespace avow::api
