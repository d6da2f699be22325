// SPDX-License-Identifier: Apache-2.0
// POST /v1/orchestrations/{id}/erase: contents of a run that has ended go for good; its events, and
// what was proved of them, stay (CONTRACT.md section 3, docs/api.md "Erasing").
#include "api/change_statements.h"
#include "api/erasure_reach.h"
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

/// What an erasure needs to go on after its request has gone.
struct Erasing {
  Services& services;
  const auth::Caller caller;
  const std::string trace_id;
  const Time now;
  const RunId run;
  const Request request;
  int tries = 0;
  std::vector<ReachedRun> runs{};  ///< Found out at each try; the last one is `run`.
  std::size_t next = 0;            ///< Of `runs`.
  json::Array copies{};            ///< What the answer says of the others.
};

/// The erasure of one run.
struct Attempt {
  store::Commit commit;
  json::Value answer;  ///< Once it is written; null: nothing was to be done.
};
/// The run is not what it was when it was found out what to take.
struct Changed {};

store::QueuedStatement statement_of(const Erasing& erasing, RunId run, const Id& id,
                                    const Erased& erased, bool is_partial) {
  provenance::Statement statement;
  statement.type = provenance::StatementType::kContentErased;
  statement.tenant = erasing.caller.tenant;
  statement.id = id;
  if (!is_partial) statement.erased.push_back({run, 0, {}});
  for (std::size_t i = 0; is_partial && i < erased.gone.size(); ++i) {
    statement.erased.push_back({run, erased.gone[i].seq, erased.gone[i].member});
  }
  return stated({erasing.services.rng, erasing.caller, erasing.now}, std::move(statement),
                &provenance::Statement::reason, "reason", erasing.request.reason);
}

std::optional<Problem> find_runs(Erasing& erasing) {
  Taking taking;
  taking.is_all = !erasing.request.names;
  if (erasing.request.names) taking.names = *erasing.request.names;
  auto found =
      reached_runs(erasing.services.store, erasing.caller.tenant, erasing.run, taking, erasing.now);
  if (auto* refusal = std::get_if<Problem>(&found)) return std::move(*refusal);
  erasing.runs = std::get<std::vector<ReachedRun>>(std::move(found));
  erasing.next = 0;
  return std::nullopt;
}

/// How many erasures its summary names.
std::size_t erasures_of(const Erased& erased) {
  const json::Value* known = erased.summary.find("erasures");
  return known != nullptr && known->is_array() ? known->as_array().size() : 0;
}

/// Whether an erasure of a part of the run can still be recorded as such. Problem: 409, 422
std::optional<Problem> check_partial(const Erased& erased) {
  if (!erased.gone.empty() && erasures_of(erased) >= kPartialMax) {
    return problem(409, fmt::format("the orchestration was erased in part {} times: what is left "
                                    "can only go with all",
                                    kPartialMax));
  }
  if (erased.gone.size() > kListedMax) {
    return problem_at(422, "/scope",
                      fmt::format("that comes to {} contents; more than {} can only go with all",
                                  erased.gone.size(), kListedMax));
  }
  return std::nullopt;
}

/// The next run as it is now, without what is to go. Nothing left to take is written too: an
/// earlier erasure whose outcome nobody knows may have left bytes in a file, and 200 says they are
/// gone.
std::variant<Attempt, Changed, Problem> prepared(const Erasing& erasing) {
  store::Store& store = erasing.services.store;
  const ReachedRun& reached = erasing.runs[erasing.next];
  const bool is_copy = reached.run != erasing.run;
  const auto record = store.read_run(reached.run);
  if (!record) return problem_of(record.error());
  if (record->row.version != reached.version) return Changed{};
  bool is_partial = !reached.taken.is_all;
  auto erased = erase_contents(*record, reached.taken);
  if (!erased) return problem_of(erased.error());
  if (is_partial) {
    auto refusal = check_partial(*erased);
    if (refusal && !is_copy) return std::move(*refusal);
    if (refusal) {
      // Nobody named a part of this one: it goes whole.
      is_partial = false;
      erased = erase_contents(*record, {.is_all = true, .refs = {}, .commitments = {}});
      if (!erased) return problem_of(erased.error());
    }
  }

  Attempt out;
  Id erasure;
  if (erased->gone.empty()) {
    const auto before = Erasures::read(store, record->row);
    if (!before) return problem_of(before.error());
    if (before->last() == nullptr && is_copy) return out;
    if (before->last() == nullptr) return problem(409, "the orchestration has no contents");
    erasure = *before->last();
  } else {
    erasure = make_id(erasing.now, erasing.services.rng.bytes8());
    json::Value erasures =
        erasures_of(*erased) > 0 ? *erased->summary.find("erasures") : json::Value(json::Array());
    erasures.push_back(erasure.uuid());
    erased->summary.set("erasures", std::move(erasures));
    out.commit.statements = {statement_of(erasing, reached.run, erasure, *erased, is_partial)};
  }
  out.answer = answer_of(erasure, *erased, is_partial);
  store::RunChange& change = out.commit.run.emplace();
  change.row = record->row;
  change.row.version += 1;
  change.row.summary = json::write(erased->summary);
  change.expected_version = record->row.version;
  change.plan = std::move(erased->plan);
  change.replaced = std::move(erased->left);
  return out;
}

net::Response too_busy(const Erasing& erasing) {
  return render(problem_of(failure(Code::kUnavailable, "too busy")), erasing.trace_id);
}

void go_on(const std::shared_ptr<Erasing>& erasing, const net::Responder& respond);

/// On a thread that may read the store.
void go_on_later(const std::shared_ptr<Erasing>& erasing, const net::Responder& respond) {
  if (erasing->services.pool.try_post([erasing, respond] { go_on(erasing, respond); })) return;
  respond(too_busy(*erasing));
}

/// A run was changed, by another erasure or a rerun: looks at all of them anew.
std::optional<Problem> begin_again(Erasing& erasing) {
  if (++erasing.tries >= kTriesMax) {
    return problem_of(failure(Code::kUnavailable, "others change these runs all the time"));
  }
  return find_runs(erasing);
}

/// What was written of one run is told: of a copy in the answer, of the run itself as the answer.
void written(const std::shared_ptr<Erasing>& erasing, json::Value answer,
             const net::Responder& respond) {
  const RunId run = erasing->runs[erasing->next].run;
  if (run != erasing->run) {
    if (!answer.is_null()) {
      answer.mutable_object().erase("contents");
      answer.set("orchestration_id", run.uuid());
      erasing->copies.push_back(std::move(answer));
    }
    ++erasing->next;
    return go_on_later(erasing, respond);
  }
  if (!erasing->copies.empty()) answer.set("copies", erasing->copies);
  respond(json_response(200, answer));
}

void go_on(const std::shared_ptr<Erasing>& erasing, const net::Responder& respond) {
  auto next = prepared(*erasing);
  while (std::holds_alternative<Changed>(next)) {
    if (auto refusal = begin_again(*erasing)) return respond(render(*refusal, erasing->trace_id));
    next = prepared(*erasing);
  }
  if (const auto* refused = std::get_if<Problem>(&next)) {
    return respond(render(*refused, erasing->trace_id));
  }
  auto& attempt = std::get<Attempt>(next);
  if (attempt.answer.is_null()) return written(erasing, {}, respond);
  erasing->services.store.commit(
      std::move(attempt.commit),
      [erasing, respond, answer = std::move(attempt.answer)](const Result<void>& done) {
        if (done) return written(erasing, answer, respond);
        // Another was faster: seen, and looked at, when the run is read again.
        if (done.error().code == Code::kConflict && ++erasing->tries < kTriesMax)
          return go_on_later(erasing, respond);
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
  net::Later later;
  // No answer is kept for the Idempotency-Key: one would say "gone" again without looking.
  later.start = [erasing](const net::Responder& respond) {
    const bool is_posted = erasing->services.pool.try_post([erasing, respond] {
      if (const auto refused = find_runs(*erasing))
        return respond(render(*refused, erasing->trace_id));
      go_on(erasing, respond);
    });
    if (!is_posted) respond(too_busy(*erasing));
  };
  return later;
}

}  // namespace

std::vector<Route> erasure_routes() {
  return {{"POST", "/v1/orchestrations/{id}/erase", scope(auth::Scope::kReceiptsErase), erase,
           "eraseOrchestration"}};
}

}  // namespace avow::api
