// SPDX-License-Identifier: Apache-2.0
#include "api/erasure_reach.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>

#include "api/run_links.h"

namespace avow::api {
namespace {

struct Node {
  store::RunRow row;
  std::set<std::string> quoted;  ///< Commitments that some `from` of it names.
  RunLinks links;
  Taking taking;
  Taken taken;
};

std::set<std::string> quoted_in(const std::vector<provenance::Event>& events) {
  std::set<std::string> out;
  for (const provenance::Event& event : events) {
    const json::Value* from = event.data.find("from");
    if (from == nullptr || !from->is_array()) continue;
    for (const json::Value& one : from->as_array()) out.insert(one.string_or("commitment"));
  }
  return out;
}

/// The runs as far as they were looked at, and what the erasure takes of each.
class Reach {
 public:
  Reach(store::Store& store, TenantId tenant, Time now)
      : store_(store), tenant_(tenant), now_(now) {}

  std::optional<Problem> follow(RunId root, const Taking& taking) {
    auto found = node(root);
    if (auto* refusal = std::get_if<Problem>(&found)) return std::move(*refusal);
    Node* first = std::get<Node*>(found);
    if (first == nullptr) return problem(404, "no such orchestration");
    first->taking = taking;
    // A run joins the queue again whenever more of it is taken; what can be taken is bounded.
    std::deque<RunId> queue{root};
    while (!queue.empty()) {
      const RunId run = queue.front();
      queue.pop_front();
      if (auto refusal = visit(run, queue)) return refusal;
    }
    return std::nullopt;
  }

  std::vector<ReachedRun> runs(RunId root) {
    std::vector<ReachedRun> out;
    for (auto& [id, node] : nodes_) {
      if (!node || id == root || node->taking.is_nothing()) continue;
      out.push_back({id, node->row.version, std::move(node->taken)});
    }
    Node& last = *nodes_.find(root)->second;
    out.push_back({root, last.row.version, std::move(last.taken)});
    return out;
  }

 private:
  /// Null pointer: there is no such run.
  std::variant<Node*, Problem> node(RunId run) {
    const auto known = nodes_.find(run);
    if (known != nodes_.end()) return known->second ? &*known->second : nullptr;
    if (nodes_.size() >= kRunsReachedMax) {
      return problem(422,
                     fmt::format("more than {} runs have to do with this one; erase those that "
                                 "copied from it first",
                                 kRunsReachedMax));
    }
    std::optional<Node>& added = nodes_[run];
    const auto row = store_.get_run(run);
    if (!row && row.error().code != Code::kNotFound) return problem_of(row.error());
    if (!row || row->tenant != tenant_) return nullptr;
    const auto events = events_of(run);
    if (!events) return problem_of(events.error());
    added.emplace();
    added->row = *row;
    added->quoted = quoted_in(*events);
    added->links = links_of(*row, *events);
    return &*added;
  }

  Result<std::vector<provenance::Event>> events_of(RunId run) {
    ASSIGN_OR_RETURN(const auto journal, store_.read_journal(run, 0, store::kSeqMax));
    return events_in(journal);
  }

  std::optional<Problem> visit(RunId run, std::deque<RunId>& queue) {
    Node& at = *nodes_.find(run)->second;
    if (!is_over(at.row)) {
      return problem(409,
                     fmt::format("orchestration {} is running: only what has ended can be erased",
                                 run.uuid()));
    }
    // Read once more rather than kept: there can be thousands.
    const auto events = events_of(run);
    if (!events) return problem_of(events.error());
    auto taken = taken_of(*events, at.taking);
    if (!taken && taken.error().code == Code::kInvalidArgument)
      return problem_at(422, "/scope", taken.error().message);
    if (!taken) return problem_of(taken.error());
    at.taken = std::move(*taken);
    const RunLinks& links = at.links;
    if (links.parent) {
      if (auto refusal = pass_to_parent(at, *links.parent, queue)) return refusal;
    }
    for (const RunId child : links.children) {
      if (is_only_through(at, child)) continue;
      if (auto refusal = pass(at, child, queue)) return refusal;
    }
    for (const RunId rerun : links.reruns) {
      if (auto refusal = pass_to_rerun(at, rerun, queue)) return refusal;
    }
    return std::nullopt;
  }

  /// What `at` loses goes from `run` too, as far as that took it.
  std::optional<Problem> pass(const Node& at, RunId run, std::deque<RunId>& queue) {
    auto found = node(run);
    if (auto* refusal = std::get_if<Problem>(&found)) return std::move(*refusal);
    Node* to = std::get<Node*>(found);
    if (to == nullptr) return std::nullopt;
    std::set<std::string> sources;
    std::set_intersection(at.taken.commitments.begin(), at.taken.commitments.end(),
                          to->quoted.begin(), to->quoted.end(),
                          std::inserter(sources, sources.end()));
    const std::size_t before = to->taking.sources.size();
    to->taking.sources.merge(sources);
    if (to->taking.sources.size() > before) queue.push_back(run);
    return std::nullopt;
  }

  /// Whether all that is taken of `at` came out of that child: what the child was asked did not.
  bool is_only_through(const Node& at, RunId child) const {
    const auto known = nodes_.find(child);
    if (known == nodes_.end() || !known->second || at.taking.is_all || !at.taking.names.empty())
      return false;
    const std::set<std::string>& theirs = known->second->taken.commitments;
    return std::includes(theirs.begin(), theirs.end(), at.taking.sources.begin(),
                         at.taking.sources.end());
  }

  /// One that goes on may be about to take its child's output.
  std::optional<Problem> pass_to_parent(const Node& at, RunId parent, std::deque<RunId>& queue) {
    auto found = node(parent);
    if (auto* refusal = std::get_if<Problem>(&found)) return std::move(*refusal);
    const Node* to = std::get<Node*>(found);
    if (to != nullptr && !is_over(to->row)) {
      return problem(409,
                     fmt::format("orchestration {}, which started {}, is running: only what has "
                                 "ended can be erased",
                                 parent.uuid(), at.row.id.uuid()));
    }
    return pass(at, parent, queue);
  }

  /// One that was noted and is not there began never, or is about to.
  std::optional<Problem> pass_to_rerun(const Node& at, RunId rerun, std::deque<RunId>& queue) {
    auto found = node(rerun);
    if (auto* refusal = std::get_if<Problem>(&found)) return std::move(*refusal);
    const Time noted{Duration(static_cast<std::int64_t>(rerun.value.high >> 16))};  // UUIDv7
    if (std::get<Node*>(found) == nullptr && now_ < noted + kRerunBeginsWithin) {
      return problem(409,
                     fmt::format("orchestration {}, a rerun, is about to begin; ask again in a "
                                 "minute",
                                 rerun.uuid()));
    }
    // A rerun has the plan of the run before it, and with any erasure goes a run's own plan.
    if (Node* to = std::get<Node*>(found); to != nullptr && !to->taking.is_plan_copied) {
      to->taking.is_plan_copied = true;
      queue.push_back(rerun);
    }
    return pass(at, rerun, queue);
  }

  static bool is_over(const store::RunRow& row) { return row.status != store::RunStatus::kRunning; }

  store::Store& store_;
  const TenantId tenant_;
  const Time now_;
  std::map<RunId, std::optional<Node>> nodes_;  ///< Without a node: there is no such run.
};

}  // namespace

std::variant<std::vector<ReachedRun>, Problem> reached_runs(store::Store& store, TenantId tenant,
                                                            RunId run, const Taking& taking,
                                                            Time now) {
  Reach reach(store, tenant, now);
  if (auto refusal = reach.follow(run, taking)) return std::move(*refusal);
  return reach.runs(run);
}

}  // namespace avow::api
