// SPDX-License-Identifier: Apache-2.0
#include "net/thread_pool.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"

namespace avow::net {
namespace {

using Task = std::function<void()>;

/// After so many tasks a strand goes to the end of the queue, so that a busy one starves nobody.
constexpr int kStrandTurnMax = 32;
/// No single wait is longer, so that no clock can overflow the arithmetic of waiting.
constexpr Duration kWaitMax = std::chrono::hours(1);

void name_this_thread(const std::string& name) {
  // Linux takes 15 bytes; more is refused, not cut.
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

struct Timer {
  Time time;
  std::uint64_t number;  ///< Timers of one instant fire in the order of post_at.
  Task post;             ///< Puts the task into its strand.
};

/// For the heap functions, which keep the greatest in front.
bool fires_later(const Timer& a, const Timer& b) {
  return a.time != b.time ? a.time > b.time : a.number > b.number;
}

}  // namespace

struct ThreadPool::Core {
  enum class Origin { kBounded, kNewStrand, kRunningStrand };
  class StrandTasks;
  class Strand;

  Core(Clock& c, std::size_t max) : clock(c), queue_max(max) {}

  bool push(Task task, Origin origin);
  bool claim_sleeper();
  void push_timer(Time time, Task post);
  void run_worker();
  void run_timers();

  Clock& clock;
  const std::size_t queue_max;
  std::atomic<bool> is_stopping{false};

  // The workers' queue.
  struct Entry {
    Task task;
    bool is_bounded;
  };
  std::mutex mutex;
  std::condition_variable work;
  std::deque<Entry> ready;
  std::size_t bounded_waiting = 0;  ///< Of `ready`, those that count against queue_max.
  int sleepers = 0;                 ///< Workers that nobody has woken yet.
  bool is_waking = false;           ///< One was woken and has not noticed yet.

  // The timers, a heap.
  std::mutex timer_mutex;
  std::condition_variable timer_changed;
  std::vector<Timer> timers;
  std::uint64_t timer_count = 0;

  // The owner's.
  std::vector<std::thread> threads;
  bool is_stopped = false;
};

bool ThreadPool::Core::push(Task task, Origin origin) {
  const bool is_bounded = origin == Origin::kBounded;
  {
    const std::lock_guard lock(mutex);
    if (is_stopping && origin != Origin::kRunningStrand) return false;
    if (is_bounded && bounded_waiting >= queue_max) return false;
    if (is_bounded) ++bounded_waiting;
    ready.push_back(Entry{std::move(task), is_bounded});
    if (!claim_sleeper()) return true;
  }
  work.notify_one();
  return true;
}

bool ThreadPool::Core::claim_sleeper() {
  // One wake-up at a time: who wakes and finds more than one task wakes the next. A burst of short
  // tasks is then done by few threads, instead of by all of them in each other's way.
  if (sleepers == 0 || is_waking) return false;
  --sleepers;
  is_waking = true;
  return true;
}

void ThreadPool::Core::run_worker() {
  std::unique_lock lock(mutex);
  for (;;) {
    if (!ready.empty()) {
      Task task = std::move(ready.front().task);
      if (ready.front().is_bounded) --bounded_waiting;
      ready.pop_front();
      const bool needs_help = !ready.empty() && claim_sleeper();
      lock.unlock();
      if (needs_help) work.notify_one();
      task();
      task = nullptr;  // its captures go before the lock comes back
      lock.lock();
    } else if (is_stopping) {
      return;
    } else {
      ++sleepers;
      work.wait(lock, [this] { return is_waking || is_stopping; });
      is_waking = false;
    }
  }
}

void ThreadPool::Core::push_timer(Time time, Task post) {
  const std::lock_guard lock(timer_mutex);
  if (is_stopping) return;
  const bool is_first = timers.empty() || time < timers.front().time;
  timers.push_back(Timer{time, timer_count++, std::move(post)});
  std::push_heap(timers.begin(), timers.end(), fires_later);
  if (is_first) timer_changed.notify_one();
}

void ThreadPool::Core::run_timers() {
  std::unique_lock lock(timer_mutex);
  while (!is_stopping) {
    if (timers.empty()) {
      timer_changed.wait(lock);
      continue;
    }
    const Time now = clock.now();
    if (timers.front().time > now) {
      // The clock may run a little slower than the wait: the loop looks again.
      timer_changed.wait_for(lock, std::min<Duration>(timers.front().time - now, kWaitMax));
      continue;
    }
    std::pop_heap(timers.begin(), timers.end(), fires_later);
    Task post = std::move(timers.back().post);
    timers.pop_back();
    lock.unlock();
    post();
    post = nullptr;
    lock.lock();
  }
}

/// The tasks of one strand. At most one worker runs them at a time: the one for which
/// `is_scheduled_` was set.
class ThreadPool::Core::StrandTasks : public std::enable_shared_from_this<StrandTasks> {
 public:
  explicit StrandTasks(std::shared_ptr<Core> core) : core_(std::move(core)) {}

  void post(Task task) {
    if (core_->is_stopping) return;
    {
      const MutexLock lock(mutex_);
      tasks_.push_back(std::move(task));
      if (is_scheduled_) return;
      is_scheduled_ = true;
    }
    schedule(Origin::kNewStrand);
  }

  void post_at(Time time, Task task) {
    core_->push_timer(time, [self = shared_from_this(), run = std::move(task)]() mutable {
      self->post(std::move(run));
    });
  }

 private:
  void schedule(Origin origin) {
    if (core_->push([self = shared_from_this()] { self->run(); }, origin)) return;
    std::deque<Task> dropped;  // outside the lock: captures may do anything when they go
    const MutexLock lock(mutex_);
    dropped.swap(tasks_);
  }

  void run() {
    for (int i = 0; i < kStrandTurnMax; ++i) {
      Task task;
      {
        const MutexLock lock(mutex_);
        if (tasks_.empty()) {
          is_scheduled_ = false;
          return;
        }
        task = std::move(tasks_.front());
        tasks_.pop_front();
      }
      task();
    }
    schedule(Origin::kRunningStrand);
  }

  const std::shared_ptr<Core> core_;
  Mutex mutex_;
  std::deque<Task> tasks_ GUARDED_BY(mutex_);
  bool is_scheduled_ GUARDED_BY(mutex_) = false;
};

class ThreadPool::Core::Strand : public Executor {
 public:
  explicit Strand(std::shared_ptr<Core> core)
      : tasks_(std::make_shared<StrandTasks>(std::move(core))) {}
  void post(Task task) override { tasks_->post(std::move(task)); }
  void post_at(Time time, Task task) override { tasks_->post_at(time, std::move(task)); }

 private:
  std::shared_ptr<StrandTasks> tasks_;
};

ThreadPool::ThreadPool(std::string name, int threads, Clock& clock, std::size_t queue_max)
    : core_(std::make_shared<Core>(clock, queue_max)) {
  CHECK(threads >= 1);
  for (int i = 0; i < threads; ++i) {
    core_->threads.emplace_back([core = core_.get(), label = fmt::format("{}-{}", name, i)] {
      name_this_thread(label);
      core->run_worker();
    });
  }
  core_->threads.emplace_back([core = core_.get(), label = name + "-timer"] {
    name_this_thread(label);
    core->run_timers();
  });
}

ThreadPool::~ThreadPool() { CHECK(core_->is_stopped); }

bool ThreadPool::try_post(std::function<void()> task) {
  return core_->push(std::move(task), Core::Origin::kBounded);
}

std::unique_ptr<Executor> ThreadPool::make_strand() {
  return std::make_unique<Core::Strand>(core_);
}

void ThreadPool::stop() {
  CHECK(!core_->is_stopped);
  {
    // Both locks, so that nobody checks the flag just before and sleeps just after.
    const std::scoped_lock locks(core_->mutex, core_->timer_mutex);
    core_->is_stopping = true;
  }
  core_->timer_changed.notify_one();
  core_->work.notify_all();
  for (std::thread& thread : core_->threads) thread.join();
  // Timers hold strands, and strands the core: without this the three would keep each other alive.
  const std::vector<Timer> dropped = std::move(core_->timers);
  core_->is_stopped = true;
}

}  // namespace avow::net
