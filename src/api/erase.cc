// SPDX-License-Identifier: Apache-2.0
// POST /v1/orchestrations/{id}/erase: contents of a run that has ended go for good; its events, and
// what was proved of them, stay (CONTRACT.md section 3, docs/api.md "Erasing").
#include "api/change_statements.h"
#include "api/erasures.h"
#include "api/orchestration_view.h"
#include "api/orchestrations.h"
#include "api/route.h"
#include "auth/fields.h"
#include "json/pointer.h"
#include "json/write.h"

namespace avow::api {
namespace {

using auth::FaultKind;

constexpr std::size_t kReasonMax = 1024;
/// What a statement can list one by one.
constexpr std::size_t kListedMax = 5'000;
constexpr std::size_t kNamesMax = 1'000;

struct Request {
  std::string reason;
  std::optional<std::vector<ContentName>> names;  ///< Absent: everything.
};

std::vector<ContentName> read_names(const json::Array& list, auth::Fields& fields) {
  std::vector<ContentName> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string pointer = json::join("/scope", i);
    ContentName& name = out.emplace_back();
    bool is_good = list[i].is_object();
    for (std::size_t n = 0; is_good && n < list[i].as_object().size(); ++n) {
      const json::Member& member = list[i].as_object().begin()[static_cast<std::ptrdiff_t>(n)];
      is_good = (member.key == "step" || member.key == "member") && member.value.is_string();
    }
    if (!is_good) {
      fields.fault(FaultKind::kMalformed, pointer, "WRONG_TYPE",
                   "must be {\"step\", \"member\"}, strings; without step: the run's own");
      continue;
    }
    name = {list[i].string_or("step"), list[i].string_or("member")};
    if (name.member.empty()) {
      fields.fault(FaultKind::kMalformed, pointer + "/member", "MISSING", "member is required");
    }
  }
  return out;
}

auth::Checked<Request> read_request(const json::Value& body) {
  std::vector<auth::Fault> faults;
  auth::Fields fields(body, faults);
  Request out;
  const auto reason = fields.text(
      "reason", {.characters_min = 1, .characters_max = kReasonMax, .is_one_line = false});
  if (reason) {
    out.reason = *reason;
  } else if (body.find("reason") == nullptr) {
    fields.fault(FaultKind::kMalformed, "/reason", "MISSING", "reason is required");
  }
  if (const json::Value* scope = fields.any("scope"); scope == nullptr) {
    // Everything.
  } else if (scope->is_array()) {
    if (scope->as_array().empty() || scope->as_array().size() > kNamesMax) {
      fields.fault(FaultKind::kInvalid, "/scope", "TOO_MANY",
                   fmt::format("must have 1 to {} items", kNamesMax));
    }
    out.names = read_names(scope->as_array(), fields);
  } else if (!(*scope == json::Value("all"))) {
    fields.fault(FaultKind::kMalformed, "/scope", "INVALID_VALUE",
                 "must be \"all\" or a list of contents");
  }
  fields.refuse_unknown();
  if (!faults.empty()) return faults;
  return out;
}

/// {"erasure_id", "receipt_id", "erased", "contents"?}
json::Value answer_of(const Id& erasure, const Erased& erased, bool is_partial) {
  json::Value out = json::Object{{"erasure_id", erasure.uuid()},
                                 {"receipt_id", receipt_name(erasure)},
                                 {"erased", static_cast<std::int64_t>(erased.gone.size())}};
  if (!is_partial) return out;
  json::Array contents;
  for (const provenance::ContentRef& ref : erased.gone) {
    contents.emplace_back(
        json::Object{{"seq", static_cast<std::int64_t>(ref.seq)}, {"member", ref.member}});
  }
  out.set("contents", std::move(contents));
  return out;
}

store::QueuedStatement statement_of(const Call& call, const Id& id, RunId run,
                                    const Request& request, const Erased& erased) {
  provenance::Statement statement;
  statement.type = provenance::StatementType::kContentErased;
  statement.tenant = call.caller.tenant;
  statement.id = id;
  if (!request.names) statement.erased.push_back({run, 0, {}});
  for (std::size_t i = 0; request.names && i < erased.gone.size(); ++i) {
    statement.erased.push_back({run, erased.gone[i].seq, erased.gone[i].member});
  }
  return stated(call, std::move(statement), &provenance::Statement::reason, "reason",
                request.reason);
}

Reply erase(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  const auto request = read_request(call.body);
  if (!request.value) return problem_of(request.faults);
  auto record = call.services.store.read_run(RunId{*id});
  if (!record && record.error().code != Code::kNotFound) return problem_of(record.error());
  if (!record || record->row.tenant != call.caller.tenant) {
    return problem(404, "no such orchestration");
  }
  if (!engine::is_terminal(record->row.status)) {
    return problem(409, "the orchestration is running: only what has ended can be erased");
  }
  auto erased = erase_contents(*record, request.value->names);
  if (!erased && erased.error().code == Code::kInvalidArgument) {
    return problem_at(422, "/scope", erased.error().message);
  }
  if (!erased) return problem_of(erased.error());
  const bool is_partial = request.value->names.has_value();
  if (erased->gone.empty()) {
    const auto before = Erasures::read(call.services.store, record->row);
    if (!before) return problem_of(before.error());
    if (before->last() == nullptr) return problem(409, "the orchestration has no contents");
    return json_response(200, answer_of(*before->last(), *erased, is_partial));
  }
  if (is_partial && erased->gone.size() > kListedMax) {
    return problem_at(422, "/scope",
                      fmt::format("that comes to {} contents; more than {} can only go with all",
                                  erased->gone.size(), kListedMax));
  }

  const Id erasure = make_id(call.now, call.services.rng.bytes8());
  json::Value erasures = json::Array();
  if (const json::Value* known = erased->summary.find("erasures")) erasures = *known;
  erasures.push_back(erasure.uuid());
  erased->summary.set("erasures", std::move(erasures));
  const net::Response response = json_response(200, answer_of(erasure, *erased, is_partial));
  store::Commit commit;
  commit.answer = call.kept(response);
  commit.statements = {statement_of(call, erasure, record->row.id, *request.value, *erased)};
  store::RunChange& change = commit.run.emplace();
  change.row = record->row;
  change.row.version += 1;
  change.row.summary = json::write(erased->summary);
  change.expected_version = record->row.version;
  change.plan = std::move(erased->plan);
  change.replaced = std::move(erased->left);
  return commit_then_answer(call, std::move(commit), response);
}

}  // namespace

std::vector<Route> erasure_routes() {
  return {{"POST", "/v1/orchestrations/{id}/erase", scope(auth::Scope::kReceiptsErase), erase,
           "eraseOrchestration"}};
}

}  // namespace avow::api
