// SPDX-License-Identifier: Apache-2.0
#include "engine/task_board.h"

#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "crypto/sha256.h"

namespace avow::engine {

TaskBoard::TaskBoard(Clock& clock, Rng& rng, Executor& executor, Claim claim)
    : clock_(clock), rng_(rng), executor_(executor), claim_(std::move(claim)) {}

void TaskBoard::apply(const store::TaskChange& change) {
  AgentId agent = change.row.agent;
  {
    const MutexLock lock(mutex_);
    if (change.erase) {
      const auto known = agents_.find(change.row.id);
      if (known == agents_.end()) return;
      agent = known->second;
      agents_.erase(known);
      auto queue = queues_.find(agent);
      if (queue == queues_.end()) return;
      queue->second.tasks.erase(change.row.id);
      if (queue->second.tasks.empty() && queue->second.pollers.empty()) queues_.erase(queue);
      return;
    }
    agents_[change.row.id] = agent;
    queues_[agent].tasks[change.row.id] = change.row;
  }
  // A task whose lease ends is free again.
  if (change.row.lease_expires_at) {
    executor_.post_at(*change.row.lease_expires_at + Duration(1), [this, agent] { serve(agent); });
  } else {
    executor_.post([this, agent] { serve(agent); });
  }
}

void TaskBoard::poll(AgentId agent, std::size_t max, Time deadline, std::string actor,
                     std::stop_token gone, Done done) {
  {
    const MutexLock lock(mutex_);
    if (!is_stopped_) {
      queues_[agent].pollers.push_back(std::make_shared<Poller>(
          Poller{max, deadline, std::move(actor), std::move(gone), std::move(done)}));
      done = nullptr;
    }
  }
  if (done) return done({});
  serve(agent);
  executor_.post_at(deadline, [this, agent] { serve(agent); });
}

void TaskBoard::stop() {
  std::vector<std::shared_ptr<Poller>> waiting;
  {
    const MutexLock lock(mutex_);
    is_stopped_ = true;
    for (auto& [agent, queue] : queues_) {
      waiting.insert(waiting.end(), queue.pollers.begin(), queue.pollers.end());
      queue.pollers.clear();
    }
  }
  for (const auto& poller : waiting) poller->done({});
}

/// Gives free tasks to the workers that wait, first come first served, and sends home those whose
/// time is over.
void TaskBoard::serve(AgentId agent) {
  const Time now = clock_.now();
  std::vector<std::shared_ptr<Poller>> late;
  std::vector<std::pair<std::shared_ptr<Poller>, std::vector<store::TaskRow>>> served;
  {
    const MutexLock lock(mutex_);
    const auto at = queues_.find(agent);
    if (at == queues_.end()) return;
    Queue& queue = at->second;
    std::erase_if(queue.pollers, [&late](const std::shared_ptr<Poller>& poller) {
      const bool is_over = poller->gone.stop_requested();
      if (is_over) late.push_back(poller);
      return is_over;
    });
    auto task = queue.tasks.begin();
    while (!queue.pollers.empty()) {
      std::vector<store::TaskRow> taken;
      for (; task != queue.tasks.end() && taken.size() < queue.pollers.front()->max; ++task) {
        const bool is_leased =
            task->second.lease_expires_at && *task->second.lease_expires_at > now;
        if (is_leased || in_claim_.contains(task->first)) continue;
        in_claim_[task->first] = true;
        taken.push_back(task->second);
      }
      if (taken.empty()) break;
      served.emplace_back(queue.pollers.front(), std::move(taken));
      queue.pollers.pop_front();
    }
    std::erase_if(queue.pollers, [&late, now](const std::shared_ptr<Poller>& poller) {
      if (poller->deadline > now) return false;
      late.push_back(poller);
      return true;
    });
    if (queue.tasks.empty() && queue.pollers.empty()) queues_.erase(at);
  }
  for (const auto& poller : late) poller->done({});
  for (auto& [poller, tasks] : served) claim(agent, std::move(tasks), poller);
}

void TaskBoard::claim(AgentId agent, std::vector<store::TaskRow> tasks,
                      std::shared_ptr<Poller> poller) {
  struct Gathering {
    Mutex mutex;
    std::vector<TakenTask> taken GUARDED_BY(mutex);
    std::size_t open GUARDED_BY(mutex) = 0;
  };
  auto gathering = std::make_shared<Gathering>();
  {
    const MutexLock lock(gathering->mutex);
    gathering->open = tasks.size();
  }
  for (const store::TaskRow& task : tasks) {
    const Bytes32 secret = rng_.bytes32();
    const std::string token = to_base62(view_of(secret));
    claim_(task, to_hex(view_of(crypto::sha256(token))), poller->actor,
           [this, gathering, agent, id = task.id, token, poller](Result<TaskGrant> grant) {
             {
               const MutexLock lock(mutex_);
               in_claim_.erase(id);
             }
             std::vector<TakenTask> all;
             {
               const MutexLock lock(gathering->mutex);
               if (grant) gathering->taken.push_back({std::move(*grant), token});
               if (--gathering->open > 0) return;
               all = std::move(gathering->taken);
             }
             if (!all.empty() || poller->deadline <= clock_.now()) {
               poller->done(std::move(all));
               return;
             }
             // Every claim was refused: the board was behind. The worker goes on waiting.
             bool is_over = false;
             {
               const MutexLock lock(mutex_);
               is_over = is_stopped_;
               if (!is_over) queues_[agent].pollers.push_back(poller);
             }
             if (is_over) return poller->done({});
             executor_.post_at(clock_.now() + Duration(50), [this, agent] { serve(agent); });
           });
  }
}

std::vector<RunId> TaskBoard::runs_of(AgentId agent) const {
  const MutexLock lock(mutex_);
  std::set<RunId> runs;
  if (const auto queue = queues_.find(agent); queue != queues_.end()) {
    for (const auto& [id, task] : queue->second.tasks) runs.insert(task.run);
  }
  return {runs.begin(), runs.end()};
}

std::size_t TaskBoard::size() const {
  const MutexLock lock(mutex_);
  return agents_.size();
}

}  // namespace avow::engine
