// SPDX-License-Identifier: Apache-2.0
// POST /v1/orchestrations/{id}/rerun: a run that has ended once more, as a new run, from its
// beginning or from one of its steps on.
#include "api/route.h"
#include "api/run_links.h"
#include "api/start.h"
#include "json/parse.h"
#include "json/pointer.h"

namespace avow::api {
namespace {

/// Of one change of the earlier run's row, if others of it come first.
constexpr int kTriesMax = 8;

/// What it takes to note the new run with the earlier one, and then to start it.
struct Rerunning {
  Services& services;
  const RunId earlier;
  const json::Value erasures;  ///< Of the earlier run, when its contents were read.
  const std::shared_ptr<engine::NewRun> run;
  const Begun begun;
  int tries = 0;
};

json::Value erasures_in(const std::string& summary) {
  const auto parsed = json::parse(summary);
  const json::Value* erasures = parsed ? parsed->find("erasures") : nullptr;
  return erasures == nullptr ? json::Value() : *erasures;
}

/// An erasure of the earlier run that comes from now on finds the new one. One that came since its
/// contents were read makes the version another, and then this is looked at again.
std::variant<store::Commit, Problem> noted(const Rerunning& rerunning) {
  const auto row = rerunning.services.store.get_run(rerunning.earlier);
  if (!row) return problem_of(row.error());
  if (!(erasures_in(row->summary) == rerunning.erasures)) {
    return problem(409, "contents of the orchestration were erased meanwhile; ask again");
  }
  auto change = with_rerun(*row, rerunning.run->id);
  if (!change) return problem(409, change.error().message);
  store::Commit commit;
  commit.run = std::move(*change);
  return commit;
}

void note_and_begin(const std::shared_ptr<Rerunning>& rerunning) {
  auto commit = noted(*rerunning);
  if (auto* refusal = std::get_if<Problem>(&commit)) return rerunning->begun(std::move(*refusal));
  ++rerunning->tries;
  rerunning->services.store.commit(
      std::get<store::Commit>(std::move(commit)), [rerunning](const Result<void>& done) {
        if (done) {
          return begin_run(rerunning->services, std::move(*rerunning->run), rerunning->begun);
        }
        const bool was_late = done.error().code == Code::kConflict;
        if (was_late && rerunning->tries < kTriesMax &&
            rerunning->services.pool.try_post([rerunning] { note_and_begin(rerunning); })) {
          return;
        }
        // The store's own limits are the server's, not the caller's.
        rerunning->begun(problem_of(Error{Code::kUnavailable, done.error().message}));
      });
}

std::variant<std::string, Problem> read_from_step(const json::Value& body) {
  std::string from_step;
  for (const auto& [key, value] : body.as_object()) {
    if (key != "from_step") {
      return problem_at(400, json::join("", key), "unknown field; allowed: from_step");
    }
    if (value.is_null()) continue;
    if (!value.is_string() || value.as_string().empty()) {
      return problem_at(400, "/from_step", "must be the name of a step");
    }
    from_step = value.as_string();
  }
  return from_step;
}

Reply rerun(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  auto from_step = read_from_step(call.body);
  if (auto* refusal = std::get_if<Problem>(&from_step)) return std::move(*refusal);
  const auto record = call.services.store.read_run(RunId{*id});
  if (!record && record.error().code != Code::kNotFound) return problem_of(record.error());
  if (!record || record->row.tenant != call.caller.tenant) {
    return problem(404, "no such orchestration");
  }
  if (!engine::is_terminal(record->row.status)) {
    return problem(409, "the orchestration is running: only what has ended can run again");
  }
  const auto history = engine::read_history(*record, call.services.workflows);
  if (!history) return problem_of(history.error());
  auto prepared =
      prepare_rerun(starter_of(call), *record, *history, std::get<std::string>(from_step));
  if (auto* refusal = std::get_if<Problem>(&prepared)) return std::move(*refusal);
  return start_run(call, std::get<PreparedRun>(std::move(prepared)),
                   [&services = call.services, earlier = record->row.id,
                    erasures = erasures_in(record->row.summary)](
                       const std::shared_ptr<engine::NewRun>& run, Begun begun) {
                     note_and_begin(std::make_shared<Rerunning>(
                         Rerunning{services, earlier, erasures, run, std::move(begun)}));
                   });
}

}  // namespace

std::vector<Route> rerun_routes() {
  return {{"POST", "/v1/orchestrations/{id}/rerun", scope(auth::Scope::kOrchestrationsWrite), rerun,
           "rerunOrchestration"}};
}

}  // namespace avow::api
