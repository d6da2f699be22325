// SPDX-License-Identifier: Apache-2.0
// engine/new_run.h: a run that is to start, and who makes one for a step that starts a child.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "engine/machine.h"
#include "store/store.h"

namespace avow::engine {

struct NewRun {
  RunId id;
  TenantId tenant;
  std::shared_ptr<const PlanIndex> plan;
  bool has_own_plan = false;  ///< Else the plan is that of start.workflow.
  Start start;
  store::Labels labels;
  std::optional<store::IdempotentAnswer> answer;  ///< Written in the same transaction.
};

/// A run that a step of the type `orchestration` asks for.
struct ChildRequest {
  RunId id;  ///< Drawn before; the same however often the run is asked for.
  TenantId tenant;
  Time at;
  std::string actor;
  std::optional<AgentId>
      fallback;  ///< Runs it where neither the request nor the workflow says who.
  std::string traceparent;
  json::Value
      request;  ///< {"workflow": name or id, "version"?, "input", "parameters"?, "agent_id"?}
  ParentLink parent;
};

/// Why there can be no such run.
struct ChildRefused {
  std::string code;  ///< docs/errors: "WORKFLOW_UNKNOWN", "WORKFLOW_NOT_PUBLISHED" ...
  std::string message;
};

/// Knows the workflows. May read the store; any thread that may block.
class ChildSource {
 public:
  virtual ~ChildSource() = default;
  /// The run, of a published workflow, checked like one that a caller starts; the engine gives it
  /// its id and its parent. Errors: only what may pass; the engine asks again.
  virtual Result<std::variant<NewRun, ChildRefused>> prepare_child(const ChildRequest& request) = 0;
};

}  // namespace avow::engine
