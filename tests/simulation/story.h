// SPDX-License-Identifier: Apache-2.0
// What happened in a world, as far as anybody outside of the engine can know: what the store holds,
// what was acknowledged, which calls left when. Promises are judged from a story and from nothing
// else; one that was changed by hand is judged like any other.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "testing/engine_world.h"

namespace avow::engine {

using provenance::Statement;
using provenance::StatementType;

/// A call as it left, in a world of several processes.
struct Departure {
  Call call;
  std::size_t process = 0;              ///< From 0.
  std::size_t under_way_of_tenant = 0;  ///< Calls, this one among them.
  std::size_t under_way = 0;            ///< The same of all tenants.
  /// What a crash left in doubt is called again; it was under way before.
  bool is_after_doubt = false;
  std::uint32_t doubt_at = 0;  ///< The last event of its run that says so; 0: none.
  std::uint32_t stated = 0;    ///< How many of its run's events the log had a statement of.
};

/// A commit whose success the engine was told of.
struct Acknowledged {
  RunId run;
  std::uint64_t version = 0;
  store::Segment journal;  ///< Empty: it had none.
};

/// A run that was looked at while nothing was under way.
struct Rest {
  RunId run;
  Time created_at;
  Time at;
  bool is_stated = false;
};

/// What was asked for at the start of a run.
struct Asked {
  RunId run;
  TenantId tenant;
  std::int64_t max_steps = 0;
  Time deadline;
  bool is_acknowledged = false;
};

/// What who followed a run was told of its journal.
struct Told {
  std::size_t process = 0;  ///< From 0.
  std::uint32_t seq = 0;    ///< Up to here.
  bool is_over = false;
  std::uint32_t stored = 0;  ///< The last event that the store had at that very moment,
  bool has_ended = false;    ///< and whether it was the run's last.
};

/// A run of which the store has something.
struct RunStory {
  Asked asked;
  store::RunRow row;
  std::vector<std::string> bytes;     ///< Of its events, exactly.
  std::vector<Event> events;          ///< The same, read.
  RunState state;                     ///< What they come to, applied by a machine of their own.
  Bytes32 root;                       ///< That machine's.
  Contents contents;                  ///< As the store has them.
  std::vector<Statement> statements;  ///< In the order of the log.
  std::vector<Departure> departures;  ///< In the order of time.
  /// What peers answered with success, by effect key, whether or not it arrived.
  std::map<std::string, std::vector<json::Value>> answers;
  std::vector<Told> told;               ///< In the order of time.
  std::shared_ptr<const EndedRun> had;  ///< As the engine had it when it ended; null: never told.
};

struct Story {
  std::vector<RunStory> runs;
  std::vector<RunId> missing;  ///< Were asked for, and the store has nothing of them.
  std::vector<Asked> asked;
  std::vector<RunId> strangers;  ///< In the store, and neither asked for nor a child of such a run.
  std::vector<Acknowledged> acknowledged;
  std::vector<Rest> rests;
  std::vector<store::LogEntry> log;
  std::optional<store::LogHead> head;
  EngineOptions limits;
  /// Only of a world in which no fault has happened for long; else absent.
  std::optional<Time> calm_since;
  Engine::Figures left;  ///< Of the engine, then.
};

/// The exact bytes of a journal, from the first event.
inline std::vector<std::string> events_in(const std::vector<store::Segment>& journal) {
  std::vector<std::string> out;
  for (const store::Segment& segment : journal) {
    auto events = provenance::decode_journal(segment.bytes);
    CHECK(events.has_value());
    std::move(events->begin(), events->end(), std::back_inserter(out));
  }
  return out;
}

inline std::vector<Event> decoded(const std::vector<std::string>& bytes) {
  std::vector<Event> out;
  for (const std::string& one : bytes) {
    auto event = provenance::decode(one);
    CHECK(event.has_value());
    out.push_back(std::move(*event));
  }
  return out;
}

/// The runs that `events` ask for, as children of `parent`.
inline std::vector<Asked> children_of(testing::EngineWorld& world, const Asked& parent) {
  std::vector<Asked> out;
  if (!world.store.get_run(parent.run)) return out;
  for (const Event& event : world.events(parent.run)) {
    if (event.type != "effect.started" || event.data.string_or("kind") != "run") continue;
    Asked child;
    child.run = RunId{*parse_id(event.data.string_or("child"))};
    child.tenant = parent.tenant;
    if (world.store.get_run(child.run)) {
      const Event start = world.events(child.run).front();
      child.max_steps = start.data.int_or("max_steps", 0);
      child.deadline = start.time + std::chrono::seconds(start.data.int_or("timeout_seconds", 0));
    }
    out.push_back(child);
  }
  return out;
}

/// What the store has of the runs in `asked`, and the whole log. What only witnesses can know
/// (departures, answers, acknowledgements, rests) is theirs to add.
inline Story read_story(testing::EngineWorld& world, std::vector<Asked> asked) {
  Story story;
  story.log = world.log();
  if (auto head = world.store.newest_log_head()) story.head = std::move(*head);
  std::map<Id, std::vector<Statement>> statements;
  for (const store::LogEntry& entry : story.log)
    statements[entry.id].push_back(*provenance::decode_statement(entry.statement));
  for (const Asked& one : asked) {
    const auto record = world.store.read_run(one.run);
    if (!record) {
      story.missing.push_back(one.run);
      continue;
    }
    History history = *read_history(*record, world.plans);
    const auto bytes = events_in(record->journal);
    story.runs.push_back({.asked = one,
                          .row = record->row,
                          .bytes = bytes,
                          .events = decoded(bytes),
                          .state = history.machine.state(),
                          .root = history.machine.tree().root(),
                          .contents = std::move(history.contents),
                          .statements = statements[one.run.value],
                          .departures = {},
                          .answers = {},
                          .told = {},
                          .had = nullptr});
  }
  story.asked = std::move(asked);
  return story;
}

}  // namespace avow::engine
