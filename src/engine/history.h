// SPDX-License-Identifier: Apache-2.0
// engine/history.h: a run as its journal tells it: read back from the store and applied event by
// event. Pure but for the PlanSource; safe from any thread.
#pragma once
#include "engine/machine.h"
#include "store/store.h"

namespace avow::engine {

/// Resolves the plan of a run that shares its workflow's: definitions live with the workflows.
class PlanSource {
 public:
  virtual ~PlanSource() = default;
  /// The plan of a published workflow, compiled once. May read the store; any thread.
  virtual Result<std::shared_ptr<const PlanIndex>> workflow_plan(WorkflowId workflow) = 0;
};

struct History {
  Machine machine;
  Contents contents;
  std::size_t contents_bytes = 0;  ///< As stored.
};

/// Errors: kCorruption   the record does not hold together
///         kUnavailable  written by a newer program, or the plan cannot be read now
Result<History> read_history(const store::RunRecord& record, PlanSource& plans);

}  // namespace avow::engine
