// SPDX-License-Identifier: Apache-2.0
// engine/slots.h: how many calls may be under way, per tenant and in all, and who is next.
// Tenants that wait are served in turn, so one with much to do cannot starve another. Any thread.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/id.h"
#include "base/mutex.h"

namespace avow::engine {

class SlotPool {
 public:
  SlotPool(std::size_t per_tenant_max, std::size_t in_all_max)
      : per_tenant_max_(per_tenant_max), in_all_max_(in_all_max) {}

  /// Takes up to `wanted` slots; says how many. None while held or draining.
  std::size_t acquire(TenantId tenant, std::size_t wanted);
  /// Takes `count` slots that are in use whatever the limits say: calls found at recovery.
  void adopt(TenantId tenant, std::size_t count);
  /// Gives slots back: to the runs that wait, one each, else to whoever asks next.
  void release(TenantId tenant, std::size_t count);
  /// Calls `wake` once, with a slot taken for `tenant`: nobody who comes later gets it, and who no
  /// longer wants it gives it back. On the thread that gives the slot back: brief.
  void wait(TenantId tenant, std::function<void()> wake);

  /// Nobody gets a slot until open(): what others hold is not known yet.
  void hold();
  void open();
  /// From now on nobody gets a slot.
  void drain();
  [[nodiscard]] std::size_t in_use() const;
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t waiting(TenantId tenant) const;

 private:
  struct Tenant {
    std::size_t in_use = 0;
    std::deque<std::function<void()>> waiting;
  };
  [[nodiscard]] std::size_t free_for(const Tenant& tenant) const REQUIRES(mutex_);
  void take(Tenant& tenant, std::size_t count) REQUIRES(mutex_);
  std::vector<std::function<void()>> next_in_turn(std::size_t count) REQUIRES(mutex_);

  const std::size_t per_tenant_max_;
  const std::size_t in_all_max_;
  mutable Mutex mutex_;
  std::map<TenantId, Tenant> tenants_ GUARDED_BY(mutex_);
  TenantId last_served_ GUARDED_BY(mutex_);
  std::size_t in_use_ GUARDED_BY(mutex_) = 0;
  bool is_held_ GUARDED_BY(mutex_) = false;
  bool is_draining_ GUARDED_BY(mutex_) = false;
};

}  // namespace avow::engine
