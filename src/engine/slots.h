// SPDX-License-Identifier: Apache-2.0
// engine/slots.h: how many calls may be under way, per tenant and in all, and who is next. Any
// thread.
//
// Between tenants that wait: weighted round robin, as many slots a turn as the tenant's weight, so
// one with much to do cannot starve another. Within a tenant: the highest priority first, in order
// of coming within one; but every kAgingTurn-th slot goes to who has waited for longest, so with n
// before it nobody waits for more than kAgingTurn * (n + 1) slots of its tenant.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/id.h"
#include "base/mutex.h"

namespace avow::engine {

/// What one tenant may have, where it is not what all have.
struct TenantTerms {
  std::uint32_t weight = 1;                      ///< From 1.
  std::optional<std::size_t> steps_in_flight{};  ///< Absent: as many as any tenant.
};

class SlotPool {
 public:
  static constexpr std::uint64_t kAgingTurn = 8;

  SlotPool(std::size_t per_tenant_max, std::size_t in_all_max)
      : per_tenant_max_(per_tenant_max), in_all_max_(in_all_max) {}

  /// Takes up to `wanted` slots; says how many. None while held or draining.
  std::size_t acquire(TenantId tenant, std::size_t wanted);
  /// Takes `count` slots that are in use whatever the limits say: calls found at recovery.
  void adopt(TenantId tenant, std::size_t count);
  /// Gives slots back: to the runs that wait, one each, else to whoever asks next.
  void release(TenantId tenant, std::size_t count);
  /// Calls `wake` once, with a slot taken for `tenant`: nobody who comes later gets it, and who no
  /// longer wants it gives it back. On the thread that gives the slot back: brief. The higher
  /// `priority` the sooner.
  void wait(TenantId tenant, int priority, std::function<void()> wake);
  /// From now on. Slots in use beyond a smaller limit stay in use.
  void set_terms(TenantId tenant, TenantTerms terms);

  /// Nobody gets a slot until open(): what others hold is not known yet.
  void hold();
  void open();
  /// From now on nobody gets a slot.
  void drain();
  [[nodiscard]] std::size_t in_use() const;
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t waiting(TenantId tenant) const;

 private:
  struct Waiter {
    std::uint64_t number;  ///< In order of coming.
    std::function<void()> wake;
  };
  struct Tenant {
    std::size_t in_use = 0;
    std::size_t waiting_count = 0;
    std::uint64_t served = 0;                                   ///< Of those that waited.
    std::map<int, std::deque<Waiter>, std::greater<>> waiting;  ///< By priority; none is empty.
  };
  using Tenants = std::map<TenantId, Tenant>;
  using Wakes = std::vector<std::function<void()>>;

  [[nodiscard]] std::size_t free_for(TenantId id, const Tenant& tenant) const REQUIRES(mutex_);
  [[nodiscard]] TenantTerms terms_of(TenantId tenant) const REQUIRES(mutex_);
  void take(Tenant& tenant, std::size_t count) REQUIRES(mutex_);
  Wakes next_in_turn() REQUIRES(mutex_);
  [[nodiscard]] bool can_be_served(TenantId id, const Tenant& tenant) const REQUIRES(mutex_);
  Tenants::iterator next_to_serve() REQUIRES(mutex_);
  std::function<void()> next_of(Tenant& tenant) REQUIRES(mutex_);

  const std::size_t per_tenant_max_;
  const std::size_t in_all_max_;
  mutable Mutex mutex_;
  Tenants tenants_ GUARDED_BY(mutex_);
  std::unordered_map<TenantId, TenantTerms> terms_ GUARDED_BY(mutex_);
  TenantId turn_of_ GUARDED_BY(mutex_);             ///< Whose turn it is,
  std::uint32_t turn_left_ GUARDED_BY(mutex_) = 0;  ///< and how many slots it may still get.
  std::uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  std::size_t in_use_ GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  bool is_held_ GUARDED_BY(mutex_) = false;
  bool is_draining_ GUARDED_BY(mutex_) = false;
};

}  // namespace avow::engine
