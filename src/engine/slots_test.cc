// SPDX-License-Identifier: Apache-2.0
#include "engine/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/rng.h"

namespace avow::engine {
namespace {

using ::testing::ElementsAre;

TenantId tenant(std::uint64_t n) { return TenantId{Id{n, 1}}; }

/// The rule as slots.h tells it, in the slowest way: a list of who waits, looked through each time.
class Model {
 public:
  struct Waiter {
    std::uint64_t tenant;
    int priority;
    int name;
  };
  Model(std::size_t per_tenant, std::size_t in_all) : per_tenant_(per_tenant), in_all_(in_all) {}

  std::size_t free_for(std::uint64_t t) {
    const std::size_t most = limits_.contains(t) ? limits_[t] : per_tenant_;
    std::size_t all = 0;
    for (const auto& [one, count] : in_use_) all += count;
    return std::min(most - std::min(most, in_use_[t]), in_all_ - std::min(in_all_, all));
  }
  std::size_t acquire(std::uint64_t t, std::size_t wanted) {
    const std::size_t got = std::min(wanted, free_for(t));
    in_use_[t] += got;
    return got;
  }
  std::vector<int> wait(const Waiter& waiter) {
    if (free_for(waiter.tenant) > 0) {
      ++in_use_[waiter.tenant];
      return {waiter.name};
    }
    waiting_.push_back(waiter);
    return {};
  }
  std::vector<int> release(std::uint64_t t, std::size_t count) {
    in_use_[t] -= count;
    std::vector<int> out = serve();
    const bool is_waiting = std::any_of(waiting_.begin(), waiting_.end(),
                                        [t](const Waiter& one) { return one.tenant == t; });
    if (in_use_[t] == 0 && !is_waiting) served_.erase(t);  // it begins anew
    return out;
  }
  std::vector<int> set_terms(std::uint64_t t, std::uint32_t weight, std::size_t limit) {
    weights_[t] = weight;
    limits_[t] = limit;
    return serve();
  }
  std::size_t in_use(std::uint64_t t) { return in_use_[t]; }
  std::size_t waiting() const { return waiting_.size(); }

 private:
  bool can_be_served(std::uint64_t t) {
    return free_for(t) > 0 && std::any_of(waiting_.begin(), waiting_.end(),
                                          [t](const Waiter& one) { return one.tenant == t; });
  }

  std::vector<int> serve() {
    std::vector<int> out;
    while (true) {
      std::set<std::uint64_t> able;
      for (const Waiter& one : waiting_) {
        if (can_be_served(one.tenant)) able.insert(one.tenant);
      }
      if (able.empty()) return out;
      if (left_ == 0 || !able.contains(turn_)) {
        const auto next = able.upper_bound(turn_);
        turn_ = next == able.end() ? *able.begin() : *next;
        left_ = weights_.contains(turn_) ? weights_[turn_] : 1;
      }
      --left_;
      out.push_back(take_one(turn_));
    }
  }

  int take_one(std::uint64_t t) {
    auto best = waiting_.end();
    const bool is_oldest_due = ++served_[t] % 8 == 0;
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
      if (at->tenant != t) continue;
      if (best == waiting_.end() || (!is_oldest_due && at->priority > best->priority)) best = at;
    }
    const int name = best->name;
    waiting_.erase(best);
    ++in_use_[t];
    return name;
  }

  const std::size_t per_tenant_;
  const std::size_t in_all_;
  std::map<std::uint64_t, std::size_t> in_use_;
  std::map<std::uint64_t, std::size_t> limits_;
  std::map<std::uint64_t, std::uint32_t> weights_;
  std::map<std::uint64_t, std::uint64_t> served_;
  std::vector<Waiter> waiting_;  ///< In order of coming.
  std::uint64_t turn_ = 0;
  std::uint32_t left_ = 0;
};

TEST(SlotPool, ServesAsItsModelDoes) {
  constexpr std::uint64_t kTenants = 4;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SeededRng rng(seed);
    const std::size_t per_tenant = 1 + rng.below(4);
    const std::size_t in_all = 1 + rng.below(8);
    SlotPool pool(per_tenant, in_all);
    Model model(per_tenant, in_all);
    std::vector<int> woken;
    for (int step = 0; step < 200; ++step) {
      woken.clear();
      std::vector<int> expected;
      const std::uint64_t t = 1 + rng.below(kTenants);
      const std::uint64_t what = rng.below(20);
      if (what < 10) {
        const int priority = static_cast<int>(rng.below(3)) * 4;
        expected = model.wait({t, priority, step});
        pool.wait(tenant(t), priority, [&woken, step] { woken.push_back(step); });
      } else if (what < 12) {
        const std::size_t wanted = rng.below(3);
        ASSERT_EQ(pool.acquire(tenant(t), wanted), model.acquire(t, wanted)) << "seed " << seed;
      } else if (what == 12) {
        const auto weight = static_cast<std::uint32_t>(1 + rng.below(3));
        const std::size_t limit = 1 + rng.below(4);
        expected = model.set_terms(t, weight, limit);
        pool.set_terms(tenant(t), {weight, limit});
      } else if (model.in_use(t) > 0) {
        const std::size_t count = 1 + rng.below(model.in_use(t));
        expected = model.release(t, count);
        pool.release(tenant(t), count);
      }
      ASSERT_EQ(woken, expected) << "seed " << seed << ", step " << step;
      ASSERT_EQ(pool.waiting(), model.waiting()) << "seed " << seed << ", step " << step;
    }
  }
}

/// A pool whose slots all come back one after another, and who got them.
class Busy {
 public:
  Busy(std::size_t per_tenant, std::size_t in_all) : pool(per_tenant, in_all) {}

  void wait(std::uint64_t t, int count, int priority = 5) {
    for (int i = 0; i < count; ++i)
      pool.wait(tenant(t), priority, [this, t, priority] { served.emplace_back(t, priority); });
  }
  /// The one served first gives its slot back first.
  void give_back(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) pool.release(tenant(served[returned++].first), 1);
  }
  /// How many of the slots from `from` on went to `t`.
  [[nodiscard]] std::ptrdiff_t share(std::uint64_t t, std::size_t from) const {
    return std::count_if(served.begin() + static_cast<std::ptrdiff_t>(from), served.end(),
                         [t](const auto& one) { return one.first == t; });
  }

  SlotPool pool;
  std::vector<std::pair<std::uint64_t, int>> served;
  std::size_t returned = 0;
};

TEST(SlotPool, GivesATenantItsShareWhateverAnotherOneWants) {
  Busy busy(100, 10);
  busy.wait(1, 5'000);  // the flood
  EXPECT_EQ(busy.served.size(), 10U);
  busy.wait(2, 100);
  const std::size_t from = busy.served.size();
  busy.give_back(100);
  EXPECT_EQ(busy.share(2, from), 50);
  busy.give_back(200);
  EXPECT_EQ(busy.share(2, from), 100);
  EXPECT_EQ(busy.share(1, from), 200);  // who is alone gets all
}

TEST(SlotPool, SharesAsTheWeightsSay) {
  Busy busy(100, 6);
  busy.pool.set_terms(tenant(2), {.weight = 3});
  busy.pool.set_terms(tenant(3), {.weight = 6});
  for (const std::uint64_t t : {1, 2, 3}) busy.wait(t, 1'000);
  const std::size_t from = busy.served.size();
  busy.give_back(400);
  EXPECT_EQ(busy.share(1, from), 40);
  EXPECT_EQ(busy.share(2, from), 120);
  EXPECT_EQ(busy.share(3, from), 240);
}

TEST(SlotPool, HoldsATenantToItsOwnLimitAndWakesItWhenThatGrows) {
  Busy busy(5, 100);
  busy.pool.set_terms(tenant(1), {.steps_in_flight = 2});
  busy.wait(1, 8);
  EXPECT_EQ(busy.served.size(), 2U);
  busy.pool.set_terms(tenant(1), {.steps_in_flight = 6});
  EXPECT_EQ(busy.served.size(), 6U);
  busy.pool.set_terms(tenant(1), {});
  EXPECT_EQ(busy.served.size(), 6U);
  busy.give_back(1);
  EXPECT_EQ(busy.served.size(), 6U);  // six were in use, one more than five
  busy.give_back(1);
  EXPECT_EQ(busy.served.size(), 7U);
}

TEST(SlotPool, ServesThePriorityFirstAndEveryEighthTimeTheOldest) {
  Busy busy(1, 1);
  busy.wait(1, 1);
  busy.wait(1, 3, 0);
  busy.wait(1, 100, 9);
  busy.give_back(24);
  std::vector<std::size_t> low;
  for (std::size_t i = 1; i < busy.served.size(); ++i) {
    if (busy.served[i].second == 0) low.push_back(i);
  }
  EXPECT_THAT(low, ElementsAre(8U, 16U, 24U));
}

TEST(SlotPool, GivesNobodyASlotWhileDraining) {
  Busy busy(4, 4);
  busy.wait(1, 6);
  busy.pool.drain();
  busy.give_back(4);
  EXPECT_EQ(busy.served.size(), 4U);
  EXPECT_EQ(busy.pool.acquire(tenant(1), 1), 0U);
  EXPECT_EQ(busy.pool.in_use(), 0U);
}

}  // namespace
}  // namespace avow::engine
