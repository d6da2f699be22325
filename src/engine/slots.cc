// SPDX-License-Identifier: Apache-2.0
#include "engine/slots.h"

#include <algorithm>

namespace avow::engine {

TenantTerms SlotPool::terms_of(TenantId tenant) const {
  const auto at = terms_.find(tenant);
  return at == terms_.end() ? TenantTerms() : at->second;
}

std::size_t SlotPool::free_for(TenantId id, const Tenant& tenant) const {
  if (is_held_ || is_draining_) return 0;
  const std::size_t most = terms_of(id).steps_in_flight.value_or(per_tenant_max_);
  const std::size_t own = most - std::min(tenant.in_use, most);
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
  const std::size_t granted = std::min(wanted, free_for(tenant, entry));
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
  Wakes wakes;
  {
    const MutexLock lock(mutex_);
    Tenant& entry = tenants_[tenant];
    CHECK(entry.in_use >= count && in_use_ >= count);
    entry.in_use -= count;
    in_use_ -= count;
    wakes = next_in_turn();
    if (entry.in_use == 0 && entry.waiting_count == 0) tenants_.erase(tenant);
  }
  for (const auto& wake : wakes) wake();
}

/// Those that wait and now get a slot, one tenant after the other, each with its slot taken.
SlotPool::Wakes SlotPool::next_in_turn() {
  Wakes wakes;
  while (waiting_ > 0 && in_use_ < in_all_max_) {
    auto at = tenants_.find(turn_of_);
    if (turn_left_ == 0 || at == tenants_.end() || !can_be_served(at->first, at->second)) {
      at = next_to_serve();
      if (at == tenants_.end()) break;
      turn_of_ = at->first;
      turn_left_ = terms_of(turn_of_).weight;
    }
    take(at->second, 1);
    wakes.push_back(next_of(at->second));
    --turn_left_;
  }
  return wakes;
}

bool SlotPool::can_be_served(TenantId id, const Tenant& tenant) const {
  return tenant.waiting_count > 0 && free_for(id, tenant) > 0;
}

/// The first tenant behind the one whose turn it was that can be served; the end if there is none.
SlotPool::Tenants::iterator SlotPool::next_to_serve() {
  auto at = tenants_.upper_bound(turn_of_);
  for (std::size_t looked_at = 0; looked_at < tenants_.size(); ++looked_at, ++at) {
    if (at == tenants_.end()) at = tenants_.begin();
    if (can_be_served(at->first, at->second)) return at;
  }
  return tenants_.end();
}

/// Takes the next of its runs out of those that wait: there is one.
std::function<void()> SlotPool::next_of(Tenant& tenant) {
  auto from = tenant.waiting.begin();
  if (++tenant.served % kAgingTurn == 0) {
    from = std::min_element(tenant.waiting.begin(), tenant.waiting.end(),
                            [](const auto& a, const auto& b) {
                              return a.second.front().number < b.second.front().number;
                            });
  }
  auto wake = std::move(from->second.front().wake);
  from->second.pop_front();
  if (from->second.empty()) tenant.waiting.erase(from);
  --tenant.waiting_count;
  --waiting_;
  return wake;
}

void SlotPool::wait(TenantId tenant, int priority, std::function<void()> wake) {
  {
    const MutexLock lock(mutex_);
    Tenant& entry = tenants_[tenant];
    if (free_for(tenant, entry) == 0) {
      entry.waiting[priority].push_back({next_number_++, std::move(wake)});
      ++entry.waiting_count;
      ++waiting_;
      return;
    }
    take(entry, 1);
  }
  wake();
}

void SlotPool::set_terms(TenantId tenant, TenantTerms terms) {
  Wakes wakes;
  {
    const MutexLock lock(mutex_);
    terms_[tenant] = terms;
    wakes = next_in_turn();
  }
  for (const auto& wake : wakes) wake();
}

void SlotPool::hold() {
  const MutexLock lock(mutex_);
  is_held_ = true;
}

void SlotPool::open() {
  Wakes wakes;
  {
    const MutexLock lock(mutex_);
    is_held_ = false;
    wakes = next_in_turn();
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
  return waiting_;
}

std::size_t SlotPool::waiting(TenantId tenant) const {
  const MutexLock lock(mutex_);
  const auto at = tenants_.find(tenant);
  return at == tenants_.end() ? 0 : at->second.waiting_count;
}

}  // namespace avow::engine
