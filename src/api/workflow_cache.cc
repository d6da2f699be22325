// SPDX-License-Identifier: Apache-2.0
#include "api/workflow_cache.h"

#include <algorithm>
#include <array>

#include "json/parse.h"
#include "json/write.h"
#include "workflow/plan.h"

namespace avow::api {
namespace {

/// Types of step that need to know agents or tools as they are when the run starts.
constexpr std::array<std::string_view, 3> kNeedsSnapshot = {"agent", "tool_call", "llm_inference"};

bool needs_snapshot(const json::Value& step) {
  const std::string type = step.string_or("type");
  const json::Value* config = step.find("config");
  const bool asks_model = type == "decision" && config != nullptr && config->find("choices");
  return asks_model ||
         std::find(kNeedsSnapshot.begin(), kNeedsSnapshot.end(), type) != kNeedsSnapshot.end();
}

/// What is derived from the definition. Errors: kCorruption, kUnavailable (a newer program's plan)
Result<void> compile(StoredWorkflow& workflow) {
  const json::Value& body = workflow.definition.body;
  const json::Value* steps = body.find("steps");
  if (steps == nullptr || !steps->is_array()) {
    return failure(Code::kCorruption, "the definition has no steps");
  }
  std::vector<const json::Value*> all;
  for (const json::Value& step : steps->as_array()) {
    all.push_back(&step);
    if (const json::Value* undo = step.find("compensate")) all.push_back(undo);
  }
  for (const json::Value* one : all) {
    const json::Value& step = *one;
    workflow.needs_snapshot = workflow.needs_snapshot || needs_snapshot(step);
    if (step.find("agent_id") == nullptr) continue;
    ASSIGN_OR_RETURN(const Id agent, parse_id(step.string_or("agent_id")));
    if (std::find(workflow.agents.begin(), workflow.agents.end(), AgentId{agent}) ==
        workflow.agents.end()) {
      workflow.agents.push_back({agent});
    }
  }
  if (const json::Value* schema = body.find("input_schema")) {
    ASSIGN_OR_RETURN(workflow.input_schema, json::Schema::compile(*schema));
  }
  if (workflow.status == "draft") return {};
  ASSIGN_OR_RETURN(auto plan, workflow::Plan::compile(
                                  workflow::make_plan(body, json::Object(), json::Object())));
  workflow.plan = std::make_shared<const engine::PlanIndex>(std::move(plan));
  return {};
}

}  // namespace

std::string workflow_key(TenantId tenant, std::string_view name, std::string_view version) {
  // A version has no "@", so the last one divides.
  return fmt::format("{}/{}@{}", tenant.uuid(), name, version);
}

store::RecordChange to_change(const StoredWorkflow& workflow) {
  const workflow::Definition& definition = workflow.definition;
  store::RecordChange change;
  change.expected_version = workflow.record_version;
  change.record = {.kind = store::RecordKind::kWorkflow,
                   .tenant = workflow.tenant,
                   .id = workflow.id.value,
                   .unique_key = workflow_key(workflow.tenant, definition.name, definition.version),
                   .name = definition.name,
                   .status = workflow.status,
                   .version = workflow.record_version + 1,
                   .body = json::write(json::Object{{"definition", definition.body},
                                                    {"shown", workflow.shown},
                                                    {"uses_secrets", definition.uses_secrets}})};
  return change;
}

Result<std::shared_ptr<const StoredWorkflow>> workflow_from(const store::Record& record) {
  const auto corrupt = [&record](std::string_view why) {
    return failure(Code::kCorruption, "workflow record {}: {}", record.id.uuid(), why);
  };
  const auto body = json::parse(record.body);
  const json::Value* shown = body ? body->find("shown") : nullptr;
  if (shown == nullptr || !shown->is_object()) return corrupt("is not what was written");
  auto workflow = std::make_shared<StoredWorkflow>();
  workflow->id = {record.id};
  workflow->tenant = record.tenant;
  workflow->status = record.status;
  workflow->record_version = record.version;
  workflow->shown = *shown;
  workflow->definition.body = workflow::definition_of_record(*body);
  workflow->definition.digest = shown->string_or("digest");
  workflow->definition.name = shown->string_or("name");
  workflow->definition.version = shown->string_or("version");
  workflow->definition.uses_secrets = body->bool_or("uses_secrets", false);
  if (const auto compiled = compile(*workflow); !compiled) {
    if (compiled.error().code == Code::kUnavailable) return compiled.error();
    return corrupt(compiled.error().message);
  }
  return std::shared_ptr<const StoredWorkflow>(std::move(workflow));
}

Result<std::shared_ptr<const StoredWorkflow>> WorkflowCache::get(TenantId tenant, WorkflowId id) {
  auto workflow = find(id);
  if (!workflow && workflow.error().code != Code::kNotFound) return workflow.error();
  if (!workflow || (*workflow)->tenant != tenant) {
    return failure(Code::kNotFound, "no workflow {}", id.uuid());
  }
  return workflow;
}

void WorkflowCache::forget(WorkflowId id) {
  const MutexLock lock(mutex_);
  ++forgettings_;
  newest_.clear();
  drop(id);
}

Result<std::shared_ptr<const StoredWorkflow>> WorkflowCache::version(TenantId tenant,
                                                                     std::string_view name,
                                                                     std::string_view version) {
  ASSIGN_OR_RETURN(
      const store::Record record,
      store_.find_record(store::RecordKind::kWorkflow, workflow_key(tenant, name, version)));
  return get(tenant, WorkflowId{record.id});
}

Result<std::shared_ptr<const StoredWorkflow>> WorkflowCache::newest(TenantId tenant,
                                                                    const std::string& name) {
  const std::pair key{tenant, name};
  std::optional<WorkflowId> newest;
  std::uint64_t forgettings_before = 0;
  {
    const MutexLock lock(mutex_);
    forgettings_before = forgettings_;
    if (const auto known = newest_.find(key); known != newest_.end()) newest = known->second;
  }
  if (newest) return get(tenant, *newest);
  ASSIGN_OR_RETURN(newest, find_newest(tenant, name));
  if (!newest) return failure(Code::kNotFound, "no workflow of that name is published");
  {
    const MutexLock lock(mutex_);
    if (newest_.size() >= workflows_max_) newest_.clear();
    if (forgettings_ == forgettings_before) newest_.emplace(key, *newest);
  }
  return get(tenant, *newest);
}

Result<std::optional<WorkflowId>> WorkflowCache::find_newest(TenantId tenant,
                                                             const std::string& name) {
  constexpr std::size_t kPage = 20;  // each with its whole definition
  std::optional<WorkflowId> newest;
  std::string highest;
  store::RecordQuery query{.kind = store::RecordKind::kWorkflow,
                           .tenant = tenant,
                           .name = name,
                           .status = "published",
                           .before = {},
                           .limit = kPage};
  while (true) {
    ASSIGN_OR_RETURN(const auto page, store_.list_records(query));
    for (const store::Record& record : page) {
      const std::string version = record.unique_key.substr(record.unique_key.rfind('@') + 1);
      if (newest && workflow::compare_versions(version, highest) <= 0) continue;
      newest = WorkflowId{record.id};
      highest = version;
    }
    if (page.size() < kPage) return newest;
    query.before = page.back().id;
  }
}

void WorkflowCache::drop(WorkflowId id) {
  const auto known = entries_.find(id);
  if (known == entries_.end()) return;
  bytes_ -= known->second.bytes;
  recent_.erase(known->second.place);
  entries_.erase(known);
}

Result<std::shared_ptr<const engine::PlanIndex>> WorkflowCache::workflow_plan(WorkflowId id) {
  ASSIGN_OR_RETURN(const auto workflow, find(id));
  if (workflow->plan == nullptr) {
    return failure(Code::kCorruption, "workflow {} has a run, but is a draft", id.uuid());
  }
  return workflow->plan;
}

Result<std::shared_ptr<const StoredWorkflow>> WorkflowCache::find(WorkflowId id) {
  std::uint64_t forgettings_before = 0;
  {
    const MutexLock lock(mutex_);
    const auto known = entries_.find(id);
    if (known != entries_.end()) {
      recent_.splice(recent_.begin(), recent_, known->second.place);
      return known->second.workflow;
    }
    forgettings_before = forgettings_;
  }
  ASSIGN_OR_RETURN(const store::Record record,
                   store_.get_record(store::RecordKind::kWorkflow, id.value));
  ASSIGN_OR_RETURN(const auto workflow, workflow_from(record));
  const MutexLock lock(mutex_);
  // What was read before a change became durable must not be remembered after it.
  if (forgettings_ != forgettings_before || entries_.contains(id)) return workflow;
  recent_.push_front(id);
  entries_.emplace(id, Entry{workflow, recent_.begin(), record.body.size()});
  bytes_ += record.body.size();
  while (entries_.size() > workflows_max_ || (bytes_ > bytes_max_ && entries_.size() > 1)) {
    drop(WorkflowId{recent_.back()});
  }
  return workflow;
}

}  // namespace avow::api
