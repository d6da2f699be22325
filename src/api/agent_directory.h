// SPDX-License-Identifier: Apache-2.0
// api/agent_directory.h: agents by id, remembered. Any thread.
#pragma once
#include <memory>
#include <unordered_map>

#include "auth/agent.h"
#include "base/mutex.h"
#include "engine/machine.h"
#include "store/store.h"

namespace avow::api {

class AgentDirectory : public engine::Directory {
 public:
  /// `bytes_max`: of the records that are remembered.
  AgentDirectory(Clock& clock, store::Store& store, std::size_t agents_max = 10'000,
                 std::size_t bytes_max = std::size_t{64} << 20)
      : clock_(clock), store_(store), agents_max_(agents_max), bytes_max_(bytes_max) {}

  /// Errors: kNotFound, also for an agent of another tenant; those of the store.
  Result<std::shared_ptr<const auth::Agent>> get(TenantId tenant, AgentId id);
  /// Call when a change of the agent is durable.
  void forget(AgentId id);

  /// False also where the agent cannot be read now.
  [[nodiscard]] bool is_agent_active(TenantId tenant, AgentId id) const override;

 private:
  Result<std::shared_ptr<const auth::Agent>> find(AgentId id) const;

  Clock& clock_;
  store::Store& store_;
  const std::size_t agents_max_;
  const std::size_t bytes_max_;
  mutable Mutex mutex_;
  mutable std::unordered_map<AgentId, std::shared_ptr<const auth::Agent>> agents_
      GUARDED_BY(mutex_);
  mutable std::size_t bytes_ GUARDED_BY(mutex_) = 0;  ///< Read since the last new beginning.
  std::uint64_t forgettings_ GUARDED_BY(mutex_) = 0;
};

}  // namespace avow::api
