// SPDX-License-Identifier: Apache-2.0
// workflow/check/checker.h: a whole definition in the narrative dialect. Pure; safe from any
// thread.
#pragma once
#include "workflow/definition.h"

namespace avow::workflow {

enum class Kind {
  kWorkflow,  ///< A body of Create Workflow.
  kInline,    ///< {"steps": ...} of Execute Orchestration: no name, and the request sets the time
              ///< limit.
  kMerged,    ///< A stored definition with overrides: the request sets the time limit.
};

/// Checks and normalises `body`; what is returned means something only if no fault was added.
/// Pointers are into `body`.
Definition check_definition(const json::Value& body, Kind kind, const Catalog& catalog,
                            Faults& faults);

}  // namespace avow::workflow
