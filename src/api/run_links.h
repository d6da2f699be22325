// SPDX-License-Identifier: Apache-2.0
// api/run_links.h: which runs took contents from a run: its parent, its children, its reruns.
// The first two stand in its journal; a rerun is noted in its row before it begins. Values.
#pragma once
#include <vector>

#include "provenance/event.h"
#include "store/store.h"

namespace avow::api {

/// A run has as many reruns; each can be run again itself.
inline constexpr std::size_t kRerunsMax = 100;

/// The change that notes `rerun` in the row of the ended run. Errors: kResourceExhausted
Result<store::RunChange> with_rerun(const store::RunRow& row, RunId rerun);

struct RunLinks {
  std::optional<RunId> parent;
  std::vector<RunId> children;  ///< That were to begin; not all of them need to have.
  std::vector<RunId> reruns;    ///< The same.
};
/// `events`: all of the run's.
RunLinks links_of(const store::RunRow& row, const std::vector<provenance::Event>& events);

}  // namespace avow::api
