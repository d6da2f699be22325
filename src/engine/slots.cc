// SPDX-License-Identifier: Apache-2.0
#include "engine/slots.h"

#include <algorithm>

namespace avow::engine {

std::size_t SlotPool::free_for(const Tenant& tenant) const {
  if (is_held_ || is_draining_) return 0;
  const std::size_t own = per_tenant_max_ - std::min(tenant.in_use, per_tenant_max_);
  const std::size_t all = in_all_max_ - std::min(in_use_, in_all_max_);
  return std::min(own, all);
}

void SlotPool::take(Tenant& tenant, std::size_t count) {
  tenant.in_use += count;
  in_use_ += count;
}

std::size_t SlotPool::acquire(TenantId tenant, std::size_t wanted) {
  if (wanted == 0) return 0;
  const MutexLock lock(mutex_);
  Tenant& entry = tenants_[tenant];
  const std::size_t granted = std::min(wanted, free_for(entry));
  take(entry, granted);
  return granted;
}

void SlotPool::adopt(TenantId tenant, std::size_t count) {
  if (count == 0) return;
  const MutexLock lock(mutex_);
  take(tenants_[tenant], count);
}

void SlotPool::release(TenantId tenant, std::size_t count) {
  if (count == 0) return;
  std::vector<std::function<void()>> wakes;
  {
    const MutexLock lock(mutex_);
    Tenant& entry = tenants_[tenant];
    CHECK(entry.in_use >= count && in_use_ >= count);
    entry.in_use -= count;
    in_use_ -= count;
    wakes = next_in_turn(count);
    if (entry.in_use == 0 && entry.waiting.empty()) tenants_.erase(tenant);
  }
  for (const auto& wake : wakes) wake();
}

/// The next `count` runs that wait, one tenant after the other, each with its slot taken.
std::vector<std::function<void()>> SlotPool::next_in_turn(std::size_t count) {
  std::vector<std::function<void()>> wakes;
  for (std::size_t looked_at = 0; wakes.size() < count && looked_at <= tenants_.size();
       ++looked_at) {
    auto at = tenants_.upper_bound(last_served_);
    if (at == tenants_.end()) at = tenants_.begin();
    if (at == tenants_.end()) break;
    last_served_ = at->first;
    if (at->second.waiting.empty() || free_for(at->second) == 0) continue;
    take(at->second, 1);
    wakes.push_back(std::move(at->second.waiting.front()));
    at->second.waiting.pop_front();
    looked_at = 0;
  }
  return wakes;
}

void SlotPool::wait(TenantId tenant, std::function<void()> wake) {
  {
    const MutexLock lock(mutex_);
    Tenant& entry = tenants_[tenant];
    if (free_for(entry) == 0) {
      entry.waiting.push_back(std::move(wake));
      return;
    }
    take(entry, 1);
  }
  wake();
}

void SlotPool::hold() {
  const MutexLock lock(mutex_);
  is_held_ = true;
}

void SlotPool::open() {
  std::vector<std::function<void()>> wakes;
  {
    const MutexLock lock(mutex_);
    is_held_ = false;
    wakes = next_in_turn(in_all_max_);
  }
  for (const auto& wake : wakes) wake();
}

void SlotPool::drain() {
  const MutexLock lock(mutex_);
  is_draining_ = true;
}

std::size_t SlotPool::in_use() const {
  const MutexLock lock(mutex_);
  return in_use_;
}

std::size_t SlotPool::waiting() const {
  const MutexLock lock(mutex_);
  std::size_t count = 0;
  for (const auto& [tenant, entry] : tenants_) count += entry.waiting.size();
  return count;
}

std::size_t SlotPool::waiting(TenantId tenant) const {
  const MutexLock lock(mutex_);
  const auto at = tenants_.find(tenant);
  return at == tenants_.end() ? 0 : at->second.waiting.size();
}

}  // namespace avow::engine
