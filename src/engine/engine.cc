// SPDX-License-Identifier: Apache-2.0
#include "engine/engine.h"

#include <condition_variable>
#include <latch>
#include <thread>

#include "base/log.h"
#include "engine/lane.h"

namespace avow::engine {
namespace {
constexpr std::size_t kPage = 1'000;

/// Where nothing may be written no engine is started, and no run of the store is touched.
Error not_started() {
  return failure(Code::kUnavailable, "no run goes on here now: /health/ready says why");
}
}  // namespace

Engine::Engine(Clock& clock, Rng& rng, std::vector<LaneExecutors> lanes, store::Store& store,
               EffectRunner& runner, const Directory& directory, PlanSource& plans,
               ChildSource& children, EngineOptions options)
    : clock_(clock),
      rng_(rng),
      store_(store),
      runner_(runner),
      directory_(directory),
      plans_(plans),
      children_(children),
      options_(options),
      slots_(options.steps_in_flight_per_tenant_max, options.steps_in_flight_max),
      executors_(std::move(lanes)),
      board_(clock, rng, *executors_.front().reader,
             [this](const store::TaskRow& task, std::string token_hash, std::string actor,
                    std::function<void(Result<TaskGrant>)> done) {
               TaskClaimed claim{
                   {task.step, task.attempt, {}}, std::move(token_hash), std::move(actor)};
               tell(task.run, std::move(claim), {},
                    [done = std::move(done)](Result<Outcome> outcome) {
                      if (!outcome) return done(outcome.error());
                      if (!outcome->grant)
                        return done(failure(Code::kConflict, "the task is over"));
                      done(std::move(*outcome->grant));
                    });
             }) {
  for (LaneExecutors& lane : executors_) {
    lanes_.push_back(std::make_unique<Lane>(*this, *lane.strand, *lane.reader));
  }
}

Engine::~Engine() {
  CHECK(!is_started_ || is_stopped_);
  // What a watch holds may call unwatch() when it goes, which needs this object whole.
  std::unordered_map<RunId, std::map<std::uint64_t, Ended>> dropped;
  Followers unfollowed;
  const MutexLock lock(mutex_);
  dropped.swap(watches_);
  unfollowed.swap(followers_);
}

Lane& Engine::lane_of(RunId run) const { return *lanes_[std::hash<RunId>()(run) % lanes_.size()]; }

/// One run less of which it is not known how many slots it holds.
void Engine::recovered() {
  if (--recovering_ == 0) slots_.open();
}

Result<void> Engine::start() {
  is_started_ = true;
  // Calls that were under way count from the first moment on: nobody gets a slot that is theirs.
  slots_.hold();
  recovering_ = 1;
  std::size_t resumed = 0;
  std::optional<TaskId> task;
  while (true) {
    ASSIGN_OR_RETURN(const auto rows, store_.tasks(task, kPage));
    for (const store::TaskRow& row : rows) board_.apply({row, false});
    if (rows.size() < kPage) break;
    task = rows.back().id;
  }
  std::optional<store::Store::TimerRow> timer;
  while (true) {
    ASSIGN_OR_RETURN(const auto rows, store_.timers(timer, kPage));
    for (const auto& row : rows) {
      {
        const MutexLock lock(mutex_);
        ++unfinished_[row.tenant];  // each run that has not ended has a timer, if only its deadline
      }
      lane_of(row.run).arm(row.run, row.tenant, row.wake_at);
    }
    if (rows.size() < kPage) break;
    timer = rows.back();
  }
  std::optional<RunId> after;
  while (true) {
    ASSIGN_OR_RETURN(const auto rows, store_.active_runs(after, kPage));
    recovering_ += rows.size();
    for (const store::RunRow& row : rows) lane_of(row.id).recover(row.id, row.tenant);
    resumed += rows.size();
    if (rows.size() < kPage) break;
    after = rows.back().id;
  }
  recovered();
  if (resumed > 0) log::info("resuming {} runs", resumed);
  return {};
}

void Engine::stop(Duration grace) {
  CHECK(is_started_ && !is_stopped_);
  {
    const MutexLock lock(mutex_);
    is_stopping_ = true;
  }
  slots_.drain();
  board_.stop();
  // Calls under way get their time; what they bring is still recorded.
  const Time until = clock_.now() + grace;
  while (slots_.in_use() > 0 && clock_.now() < until) std::this_thread::sleep_for(Duration(10));
  if (slots_.in_use() > 0)
    log::warning("{} calls are still under way; they will be in doubt", slots_.in_use());
  std::latch stopped(static_cast<std::ptrdiff_t>(lanes_.size()));
  for (const auto& lane : lanes_) lane->stop([&stopped] { stopped.count_down(); });
  stopped.wait();
  is_stopped_ = true;
  Followers left;
  {
    const MutexLock lock(mutex_);
    left = followers_;
  }
  for (const auto& [run, followers] : left) {
    for (const auto& [id, follower] : followers) follower->on_stop();
  }
}

void Engine::start_run(NewRun run, Done done) {
  if (!is_started_) return done(not_started());
  const auto refusal = [&]() -> std::optional<Error> {
    const MutexLock lock(mutex_);
    if (is_stopping_) return failure(Code::kUnavailable, "the server is stopping");
    if (slots_.waiting(run.tenant) >= options_.runs_waiting_per_tenant_max) {
      return failure(Code::kResourceExhausted, "{} runs of this tenant wait for capacity already",
                     options_.runs_waiting_per_tenant_max);
    }
    std::size_t& unfinished = unfinished_[run.tenant];
    if (unfinished >= options_.runs_unfinished_per_tenant_max) {
      return failure(Code::kResourceExhausted, "{} runs of this tenant have not ended",
                     options_.runs_unfinished_per_tenant_max);
    }
    ++unfinished;
    ++figures_.runs_started;
    return std::nullopt;
  }();
  if (refusal) return done(*refusal);
  done = [this, tenant = run.tenant, done = std::move(done)](Result<Outcome> outcome) {
    // One whose commit's outcome is not known counts until it ends, or until the next start.
    if (!outcome && outcome.error().code != Code::kOutcomeUnknown) {
      const MutexLock lock(mutex_);
      forget_unfinished(tenant);
    }
    done(std::move(outcome));
  };
  Lane& lane = lane_of(run.id);
  lane.start_run(std::move(run), std::move(done));
}

void Engine::tell(RunId run, Input input, std::optional<store::IdempotentAnswer> answer,
                  Done done) {
  if (!is_started_) {
    if (done) done(not_started());
    return;
  }
  lane_of(run).tell(run, std::move(input), std::move(answer), std::move(done));
}

std::uint64_t Engine::watch(RunId run, Ended ended) {
  const MutexLock lock(mutex_);
  const std::uint64_t id = next_watch_++;
  watches_[run].emplace(id, std::move(ended));
  return id;
}

void Engine::unwatch(RunId run, std::uint64_t watch) {
  Ended dropped;  // outlives the lock: what it holds may do anything when it goes
  const MutexLock lock(mutex_);
  const auto at = watches_.find(run);
  if (at == watches_.end()) return;
  if (const auto one = at->second.find(watch); one != at->second.end()) {
    dropped = std::move(one->second);
    at->second.erase(one);
  }
  if (at->second.empty()) watches_.erase(at);
}

std::uint64_t Engine::follow(RunId run, std::shared_ptr<Follower> follower) {
  const MutexLock lock(mutex_);
  const std::uint64_t id = next_watch_++;
  followers_[run].emplace(id, std::move(follower));
  return id;
}

void Engine::unfollow(RunId run, std::uint64_t follower) {
  std::shared_ptr<Follower> dropped;  // outlives the lock, as above
  const MutexLock lock(mutex_);
  const auto at = followers_.find(run);
  if (at == followers_.end()) return;
  if (const auto one = at->second.find(follower); one != at->second.end()) {
    dropped = std::move(one->second);
    at->second.erase(one);
  }
  if (at->second.empty()) followers_.erase(at);
}

std::vector<std::shared_ptr<Follower>> Engine::followers(RunId run) const {
  std::vector<std::shared_ptr<Follower>> out;
  const MutexLock lock(mutex_);
  const auto at = followers_.find(run);
  if (at == followers_.end()) return out;
  for (const auto& [id, follower] : at->second) out.push_back(follower);
  return out;
}

void Engine::forget_unfinished(TenantId tenant) {
  const auto at = unfinished_.find(tenant);
  if (at != unfinished_.end() && --at->second == 0) unfinished_.erase(at);
}

/// `describe` is called only if somebody watches.
void Engine::run_ended(RunId run, TenantId tenant, RunStatus status,
                       const std::function<std::shared_ptr<const EndedRun>()>& describe) {
  std::map<std::uint64_t, Ended> watches;
  {
    const MutexLock lock(mutex_);
    if (status == RunStatus::kCompleted) ++figures_.runs_completed;
    if (status == RunStatus::kFailed) ++figures_.runs_failed;
    if (status == RunStatus::kCancelled) ++figures_.runs_cancelled;
    forget_unfinished(tenant);
    const auto at = watches_.find(run);
    if (at != watches_.end()) {
      watches = std::move(at->second);
      watches_.erase(at);
    }
  }
  if (watches.empty()) return;
  const std::shared_ptr<const EndedRun> end = describe();
  for (const auto& [id, ended] : watches) ended(end);
}

Engine::Figures Engine::figures() const {
  Figures figures;
  {
    const MutexLock lock(mutex_);
    figures = figures_;
  }
  figures.runs_loaded = runs_loaded_;
  figures.calls_in_flight = slots_.in_use();
  figures.runs_waiting_for_slots = slots_.waiting();
  figures.tasks = board_.size();
  return figures;
}

}  // namespace avow::engine
