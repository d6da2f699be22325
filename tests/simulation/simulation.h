// SPDX-License-Identifier: Apache-2.0
// One seed: a hostile world in which five runs of several tenants are started, worked on, decided
// about, paused, cancelled and killed with their process; then the faults stop. After every
// process, and at the end, every promise is judged. One thread; the same seed is the same story.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostile_world.h"
#include "specification.h"

namespace avow::engine {

/// A promise that did not hold.
struct Broken {
  std::string_view promise;
  std::string fault;
};

/// A bug that is planted, so that a promise is broken. What is empty does nothing.
struct Bug {
  std::function<void(testing::EngineWorld&)> in_the_world;  ///< Before anything happens.
  std::function<void(Story&)> in_the_story;                 ///< Before it is judged.
  std::size_t more_slots = 0;   ///< The engine may use so many more than was promised.
  std::int64_t more_steps = 0;  ///< The same of max_steps.
};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed, Bug bug = {});

  /// Once. Ends where a promise did not hold; gives all those that did not, then.
  std::vector<Broken> live();

  /// The types of all events there were.
  [[nodiscard]] const std::set<std::string>& event_types() const { return event_types_; }
  [[nodiscard]] const testing::CrashPoints& crash_points() const { return world_->crash_points; }

 private:
  class Witness;

  void write_child_workflows();
  [[nodiscard]] std::vector<Asked> all_asked();
  [[nodiscard]] std::vector<store::RunRow> runs_of(TenantId tenant);
  void start_run();
  void live_until_the_kill();
  void kill();
  void calm_down();
  void work_for_a_while();
  void decide_for_a_while();
  void resume_what_is_paused();
  [[nodiscard]] bool waits_for(RunId run, std::string_view what);
  void watch_runs();
  void depart(const Call& call);
  void look_at_rest();
  std::vector<Broken> judge(std::optional<Time> calm_since);

  const std::uint64_t seed_;
  const Bug bug_;
  const bool has_faults_;
  const EngineOptions limits_;
  SeededRng chance_;
  HostileWorld outside_;
  std::unique_ptr<testing::EngineWorld> world_;
  std::vector<testing::EngineWorld::Started> runs_;

  // What witnesses saw.
  std::vector<Asked> asked_;
  std::vector<Acknowledged> acknowledged_;
  std::vector<Rest> rests_;
  std::map<RunId, std::vector<Departure>> departures_;
  std::map<RunId, std::shared_ptr<const EndedRun>> had_;
  std::set<std::pair<RunId, std::size_t>> followed_;  ///< In which process.
  std::map<RunId, std::vector<Told>> told_;
  std::set<std::string> event_types_;
};

}  // namespace avow::engine
