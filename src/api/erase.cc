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
/// Of one run: with the one of all that may follow, what a bundle can name
/// (docs/formats/receipt.md).
constexpr std::size_t kPartialMax = 63;
/// Of one erasure, if others of the same run come first.
constexpr int kTriesMax = 8;

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
    const std::size_t count = scope->as_array().size();
    if (count == 0 || count > kNamesMax) {
      fields.fault(FaultKind::kInvalid, "/scope", count == 0 ? "TOO_SHORT" : "TOO_MANY",
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

/// What an erasure needs to be tried again after its request has gone.
struct Erasing {
  Services& services;
  const auth::Caller caller;
  const std::string trace_id;
  const Time now;
  const RunId run;
  const Request request;
  int tries = 0;
};

struct Attempt {
  store::Commit commit;
  net::Response response;  ///< Once it is written.
};

store::QueuedStatement statement_of(const Erasing& erasing, const Id& id, const Erased& erased) {
  provenance::Statement statement;
  statement.type = provenance::StatementType::kContentErased;
  statement.tenant = erasing.caller.tenant;
  statement.id = id;
  if (!erasing.request.names) statement.erased.push_back({erasing.run, 0, {}});
  for (std::size_t i = 0; erasing.request.names && i < erased.gone.size(); ++i) {
    statement.erased.push_back({erasing.run, erased.gone[i].seq, erased.gone[i].member});
  }
  return stated({erasing.services.rng, erasing.caller, erasing.now}, std::move(statement),
                &provenance::Statement::reason, "reason", erasing.request.reason);
}

/// The run as it is now, without what is to go. Nothing left to take is written too: an earlier
/// erasure whose outcome nobody knows may have left bytes in a file, and 200 says they are gone.
std::variant<Attempt, Problem> prepared(const Erasing& erasing) {
  store::Store& store = erasing.services.store;
  auto record = store.read_run(erasing.run);
  if (!record && record.error().code != Code::kNotFound) return problem_of(record.error());
  if (!record || record->row.tenant != erasing.caller.tenant) {
    return problem(404, "no such orchestration");
  }
  if (!engine::is_terminal(record->row.status)) {
    return problem(409, "the orchestration is running: only what has ended can be erased");
  }
  auto erased = erase_contents(*record, erasing.request.names);
  if (!erased && erased.error().code == Code::kInvalidArgument) {
    return problem_at(422, "/scope", erased.error().message);
  }
  if (!erased) return problem_of(erased.error());
  const bool is_partial = erasing.request.names.has_value();
  const json::Value* const known = erased->summary.find("erasures");
  const bool is_known = known != nullptr && known->is_array();
  json::Value erasures = is_known ? *known : json::Value(json::Array());
  if (is_partial && !erased->gone.empty() && erasures.as_array().size() >= kPartialMax) {
    return problem(409, fmt::format("the orchestration was erased in part {} times: what is left "
                                    "can only go with all",
                                    kPartialMax));
  }
  if (is_partial && erased->gone.size() > kListedMax) {
    return problem_at(422, "/scope",
                      fmt::format("that comes to {} contents; more than {} can only go with all",
                                  erased->gone.size(), kListedMax));
  }

  Attempt out;
  Id erasure;
  if (erased->gone.empty()) {
    const auto before = Erasures::read(store, record->row);
    if (!before) return problem_of(before.error());
    if (before->last() == nullptr) return problem(409, "the orchestration has no contents");
    erasure = *before->last();
  } else {
    erasure = make_id(erasing.now, erasing.services.rng.bytes8());
    erasures.push_back(erasure.uuid());
    erased->summary.set("erasures", std::move(erasures));
    out.commit.statements = {statement_of(erasing, erasure, *erased)};
  }
  out.response = json_response(200, answer_of(erasure, *erased, is_partial));
  store::RunChange& change = out.commit.run.emplace();
  change.row = record->row;
  change.row.version += 1;
  change.row.summary = json::write(erased->summary);
  change.expected_version = record->row.version;
  change.plan = std::move(erased->plan);
  change.replaced = std::move(erased->left);
  return out;
}

void write(const std::shared_ptr<Erasing>& erasing, Attempt attempt, const net::Responder& respond);

/// Another erasure of the run was faster: looks at what that one left.
void try_again(const std::shared_ptr<Erasing>& erasing, const net::Responder& respond) {
  const bool is_posted = erasing->services.pool.try_post([erasing, respond] {
    auto next = prepared(*erasing);
    if (const auto* refused = std::get_if<Problem>(&next)) {
      return respond(render(*refused, erasing->trace_id));
    }
    write(erasing, std::get<Attempt>(std::move(next)), respond);
  });
  if (is_posted) return;
  respond(render(problem_of(failure(Code::kUnavailable, "too busy")), erasing->trace_id));
}

void write(const std::shared_ptr<Erasing>& erasing, Attempt attempt,
           const net::Responder& respond) {
  ++erasing->tries;
  erasing->services.store.commit(
      std::move(attempt.commit),
      [erasing, respond, response = std::move(attempt.response)](const Result<void>& done) {
        if (done) return respond(response);
        const bool was_late = done.error().code == Code::kConflict;
        if (was_late && erasing->tries < kTriesMax) return try_again(erasing, respond);
        Error error = done.error();
        // The store's own limits are the server's, not the caller's.
        if (error.code == Code::kResourceExhausted) error.code = Code::kUnavailable;
        respond(render(problem_of(error), erasing->trace_id));
      });
}

Reply erase(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  auto request = read_request(call.body);
  if (!request.value) return problem_of(request.faults);
  const auto erasing = std::make_shared<Erasing>(Erasing{.services = call.services,
                                                         .caller = call.caller,
                                                         .trace_id = call.trace_id,
                                                         .now = call.now,
                                                         .run = RunId{*id},
                                                         .request = std::move(*request.value)});
  auto first = prepared(*erasing);
  if (auto* refused = std::get_if<Problem>(&first)) return std::move(*refused);
  net::Later later;
  // Shared, since a std::function copies: the contents that an erasure leaves can be many.
  // No answer is kept for the Idempotency-Key: one would say "gone" again without looking.
  later.start = [erasing, attempt = std::make_shared<Attempt>(std::get<Attempt>(std::move(first)))](
                    const net::Responder& respond) {
    write(erasing, std::move(*attempt), respond);
  };
  return later;
}

}  // namespace

std::vector<Route> erasure_routes() {
  return {{"POST", "/v1/orchestrations/{id}/erase", scope(auth::Scope::kReceiptsErase), erase,
           "eraseOrchestration"}};
}

}  // namespace avow::api
