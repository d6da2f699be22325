// SPDX-License-Identifier: Apache-2.0
#include "api/agent_directory.h"

#include "base/log.h"

namespace avow::api {

Result<std::shared_ptr<const auth::Agent>> AgentDirectory::get(TenantId tenant, AgentId id) {
  auto agent = find(id);
  if (!agent && agent.error().code != Code::kNotFound) return agent.error();
  if (!agent || (*agent)->tenant != tenant) {
    return failure(Code::kNotFound, "no agent {}", id.uuid());
  }
  return agent;
}

void AgentDirectory::forget(AgentId id) {
  const MutexLock lock(mutex_);
  ++forgettings_;
  agents_.erase(id);
}

bool AgentDirectory::is_agent_active(TenantId tenant, AgentId id) const {
  const auto agent = find(id);
  if (!agent && agent.error().code != Code::kNotFound) {
    log::warning("agent {} cannot be read: {}", id.uuid(), agent.error().message);
  }
  return agent && (*agent)->tenant == tenant && (*agent)->is_active(clock_.now());
}

Result<std::shared_ptr<const auth::Agent>> AgentDirectory::find(AgentId id) const {
  std::uint64_t forgettings_before = 0;
  {
    const MutexLock lock(mutex_);
    const auto known = agents_.find(id);
    if (known != agents_.end()) return known->second;
    forgettings_before = forgettings_;
  }
  ASSIGN_OR_RETURN(const store::Record record,
                   store_.get_record(store::RecordKind::kAgent, id.value));
  ASSIGN_OR_RETURN(auth::Agent read, auth::agent_from(record));
  auto agent = std::make_shared<const auth::Agent>(std::move(read));
  const MutexLock lock(mutex_);
  // What was read before a change became durable must not be remembered after it.
  if (forgettings_ == forgettings_before) {
    // Full: begin again. What is in use comes back with one read each.
    if (agents_.size() >= agents_max_ || bytes_ > bytes_max_) {
      agents_.clear();
      bytes_ = 0;
    }
    if (agents_.emplace(id, agent).second) bytes_ += record.body.size();
  }
  return agent;
}

}  // namespace avow::api
