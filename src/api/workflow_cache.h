// SPDX-License-Identifier: Apache-2.0
// api/workflow_cache.h: published workflows as they are run: read once, compiled once. Any thread.
#pragma once
#include <list>
#include <map>
#include <memory>
#include <unordered_map>

#include "base/mutex.h"
#include "engine/engine.h"
#include "json/schema.h"
#include "store/store.h"
#include "workflow/definition.h"

namespace avow::api {

/// A workflow record, read. Immutable.
struct StoredWorkflow {
  WorkflowId id;
  TenantId tenant;
  std::string status;  ///< draft, published or archived.
  std::uint64_t record_version = 0;
  workflow::Definition definition;
  json::Value shown;                              ///< The workflow object of CONTRACT.md section 2.
  std::shared_ptr<const engine::PlanIndex> plan;  ///< Null for a draft.
  std::optional<json::Schema> input_schema;
  std::vector<AgentId> agents;  ///< Those that steps name.
  bool needs_snapshot = false;  ///< Its plan must carry agents or tools: each run has its own.
};

class WorkflowCache : public engine::PlanSource {
 public:
  /// `bytes_max`: of the records that are remembered, which take many times as much compiled.
  explicit WorkflowCache(store::Store& store, std::size_t workflows_max = 1'000,
                         std::size_t bytes_max = std::size_t{16} << 20)
      : store_(store), workflows_max_(workflows_max), bytes_max_(bytes_max) {}

  /// Errors: kNotFound, also for a workflow of another tenant; those of the store.
  Result<std::shared_ptr<const StoredWorkflow>> get(TenantId tenant, WorkflowId id);
  /// The published workflow of that name with the highest version. Errors: as get()
  Result<std::shared_ptr<const StoredWorkflow>> newest(TenantId tenant, const std::string& name);
  /// The workflow of that name and version. Errors: as get()
  Result<std::shared_ptr<const StoredWorkflow>> version(TenantId tenant, std::string_view name,
                                                        std::string_view version);
  /// Call when a change of the workflow is durable.
  void forget(WorkflowId id);

  Result<std::shared_ptr<const engine::PlanIndex>> workflow_plan(WorkflowId id) override;

 private:
  Result<std::shared_ptr<const StoredWorkflow>> find(WorkflowId id);
  Result<std::optional<WorkflowId>> find_newest(TenantId tenant, const std::string& name);

  store::Store& store_;
  const std::size_t workflows_max_;
  const std::size_t bytes_max_;
  Mutex mutex_;
  struct Entry {
    std::shared_ptr<const StoredWorkflow> workflow;
    std::list<WorkflowId>::iterator place;
    std::size_t bytes;
  };
  void drop(WorkflowId id) REQUIRES(mutex_);
  std::unordered_map<WorkflowId, Entry> entries_ GUARDED_BY(mutex_);
  std::list<WorkflowId> recent_ GUARDED_BY(mutex_);  ///< Newest first.
  std::size_t bytes_ GUARDED_BY(mutex_) = 0;
  /// The ids that newest() found; forgotten as a whole.
  std::map<std::pair<TenantId, std::string>, WorkflowId> newest_ GUARDED_BY(mutex_);
  std::uint64_t forgettings_ GUARDED_BY(mutex_) = 0;  ///< What was read before one is not kept.
};

/// unique_key of a workflow's record.
std::string workflow_key(TenantId tenant, std::string_view name, std::string_view version);

/// A workflow record to and from the store; the body is {"definition", "shown", "uses_secrets"}.
store::RecordChange to_change(const StoredWorkflow& workflow);
/// Errors: kCorruption
Result<std::shared_ptr<const StoredWorkflow>> workflow_from(const store::Record& record);

}  // namespace avow::api
