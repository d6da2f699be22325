// SPDX-License-Identifier: Apache-2.0
// GET /v1/orchestrations and what is below it: runs as they are, their journals and contents,
// cancel, pause, resume.
#include "api/orchestrations.h"

#include <charconv>

#include "api/live_view.h"
#include "api/orchestration_view.h"
#include "api/route.h"
#include "api/start.h"
#include "api/workflow_cache.h"
#include "json/parse.h"
#include "json/pointer.h"
#include "json/write.h"
#include "provenance/event.h"

namespace avow::api {
namespace {

constexpr std::size_t kReasonMax = 1024;

/// The run's row, if it is of the caller's tenant.
Result<store::RunRow> own_run(Services& services, const auth::Caller& caller, RunId id) {
  auto row = services.store.get_run(id);
  if (row && row->tenant == caller.tenant) return row;
  if (!row && row.error().code != Code::kNotFound) return row;
  return failure(Code::kNotFound, "no such orchestration");
}

/// All of it; the same errors.
Result<store::RunRecord> own_record(Services& services, const auth::Caller& caller, RunId id) {
  auto record = services.store.read_run(id);
  if (record && record->row.tenant == caller.tenant) return record;
  if (!record && record.error().code != Code::kNotFound) return record;
  return failure(Code::kNotFound, "no such orchestration");
}

Result<RunId> path_run(const Call& call) {
  ASSIGN_OR_RETURN(const Id id, call.path_id("id"));
  return RunId{id};
}

/// 202 is for a run that goes on.
net::Response run_response(int status, const store::RunRow& row, const engine::History& history,
                           const Erasures& erasures = {}) {
  if (status == 202 && engine::is_terminal(row.status)) status = 200;
  net::Response response = json_response(status, render_run(row, history, erasures));
  if (status == 202) response.headers.set("Location", "/v1/orchestrations/" + row.id.uuid());
  return response;
}

/// Answers once, whichever comes first: the end of the run, what stopped it, or the deadline.
/// Lives as long as the request waits. The watch goes with it, not before: it holds a Responder,
/// and dropping the last one of those is an answer too.
struct Wait {
  Wait(const Call& call, RunId waited_for, int status)
      : services(call.services),
        caller(call.caller),
        run(waited_for),
        trace_id(call.trace_id),
        status_if_running(status) {}
  ~Wait() { services.engine.unwatch(run, watch); }
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

  Services& services;
  const auth::Caller caller;
  const RunId run;
  const std::string trace_id;
  const int status_if_running;
  std::uint64_t watch = 0;  ///< Set once, before anybody else has this.

  net::Response answer(int status) const {
    auto shown = show_run(services, caller, status, run);
    return shown ? std::move(*shown) : render(problem_of(shown.error()), trace_id);
  }
};

Reply get_orchestration(Call& call) {
  const auto id = path_run(call);
  if (!id) return problem_of(id.error());
  const auto wait = call.wait();
  if (!wait) return problem_of(wait.error());
  const auto row = own_run(call.services, call.caller, *id);
  if (!row) return problem_of(row.error());
  if (*wait && **wait > std::chrono::seconds(0) && !engine::is_terminal(row->status)) {
    return wait_for_run(call, *id, **wait, 200, {});
  }
  auto shown = show_run(call.services, call.caller, 200, *id);
  if (!shown) return problem_of(shown.error());
  return std::move(*shown);
}

Result<std::optional<Time>> time_filter(const Call& call, std::string_view name) {
  const std::string* text = call.request.query_value(name);
  if (text == nullptr) return std::optional<Time>();
  auto time = parse_time(*text);
  if (!time) return time.error().in(name);
  return std::optional(*time);
}

Result<std::optional<Id>> id_filter(const Call& call, std::string_view name) {
  const std::string* text = call.request.query_value(name);
  if (text == nullptr) return std::optional<Id>();
  auto id = parse_id(*text);
  if (!id) return id.error().in(name);
  return std::optional(*id);
}

Result<store::RunQuery> run_query(const Call& call) {
  constexpr std::string_view kLabel = "label.";
  store::RunQuery query;
  query.tenant = call.caller.tenant;
  for (const auto& [name, value] : call.request.query) {
    if (name.starts_with(kLabel) && name.size() > kLabel.size()) {
      query.labels.emplace_back(name.substr(kLabel.size()), value);
      if (query.labels.size() > workflow::kLabelsMax) {
        return failure(Code::kInvalidArgument, "at most {} labels can be asked for",
                       workflow::kLabelsMax);
      }
    } else if (name == "name") {
      query.labels.emplace_back(kNameLabel, value);
    } else if (name != "status" && name != "workflow_id" && name != "agent_id" &&
               name != "created_after" && name != "created_before" && name != "limit" &&
               name != "cursor") {
      return failure(
          Code::kInvalidArgument,
          "unknown query parameter \"{}\"; allowed: status, name, workflow_id, agent_id, "
          "created_after, created_before, label.<key>, limit, cursor",
          shown(name));
    }
  }
  const std::string* status = call.request.query_value("status");
  if (status != nullptr && *status != "pending") {
    using store::RunStatus;
    for (const RunStatus one :
         {RunStatus::kRunning, RunStatus::kCompleted, RunStatus::kFailed, RunStatus::kCancelled}) {
      if (engine::run_status_name(one) == *status) query.status = one;
    }
    if (!query.status) {
      return failure(Code::kInvalidArgument,
                     "status: \"{}\" is none of pending, running, completed, failed, cancelled",
                     shown(*status));
    }
  }
  ASSIGN_OR_RETURN(const auto workflow, id_filter(call, "workflow_id"));
  if (workflow) query.workflow = WorkflowId{*workflow};
  ASSIGN_OR_RETURN(const auto agent, id_filter(call, "agent_id"));
  if (agent) query.agent = AgentId{*agent};
  ASSIGN_OR_RETURN(query.created_after, time_filter(call, "created_after"));
  ASSIGN_OR_RETURN(query.created_before, time_filter(call, "created_before"));
  ASSIGN_OR_RETURN(const Page page, page_of(call));
  query.limit = page.limit;
  if (page.before) query.before = RunId{*page.before};
  return query;
}

Reply list_orchestrations(Call& call) {
  auto query = run_query(call);
  if (!query) return problem_of(query.error());
  // Only a dry run is pending, and none is stored.
  const std::string* status = call.request.query_value("status");
  if (status != nullptr && *status == "pending") return json_response(200, list_of({}, {}));
  const std::size_t limit = query->limit;
  query->limit = limit + 1;  // one more tells whether there is another page
  const auto rows = call.services.store.list_runs(*query);
  if (!rows) return problem_of(rows.error());
  json::Array items;
  for (std::size_t i = 0; i < rows->size() && i < limit; ++i)
    items.push_back(render_list_item((*rows)[i]));
  const bool has_more = rows->size() > limit;
  return json_response(
      200, list_of(std::move(items),
                   has_more ? std::optional((*rows)[limit - 1].id.value) : std::nullopt));
}

/// The whole of `text` as the seq of an event; nothing if it is none.
std::optional<std::uint32_t> seq_in(std::string_view text) {
  std::uint32_t seq = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seq);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return seq;
}

/// The number after which to go on: the cursor of an event list is the seq of its last event.
Result<std::uint32_t> seq_cursor(const Call& call) {
  const std::string* cursor = call.request.query_value("cursor");
  if (cursor == nullptr) return std::uint32_t{0};
  if (const auto seq = seq_in(*cursor)) return *seq;
  return failure(Code::kInvalidArgument, "cursor: take it from next_cursor of the page before");
}

/// The same of a live view: what the client says that it has seen counts before the URL, which a
/// browser that resumes leaves as it was.
Result<std::uint32_t> last_event_id(const Call& call) {
  const std::string* seen = call.request.headers.find("Last-Event-ID");
  if (seen == nullptr || seen->empty()) return seq_cursor(call);
  if (const auto seq = seq_in(*seen)) return *seq;
  return failure(Code::kInvalidArgument, "Last-Event-ID must be the id of an event of this stream");
}

/// The journal as it grows.
Reply follow_events(Call& call, RunId id) {
  const auto after = last_event_id(call);
  if (!after) return problem_of(after.error());
  const auto row = own_run(call.services, call.caller, id);
  if (!row) return problem_of(row.error());
  if (engine::is_terminal(row->status)) {
    // Nothing to come: 204 is what keeps a browser from asking for ever.
    const auto rest = call.services.store.read_journal(id, *after, 1);
    if (!rest) return problem_of(rest.error());
    if (rest->empty()) return net::Response{.status = 204};
  }
  return live_view(call, id, *after);
}

Reply list_events(Call& call) {
  const auto id = path_run(call);
  if (!id) return problem_of(id.error());
  if (wants_live_view(call.request)) return follow_events(call, *id);
  const auto asked = limit_of(call);
  if (!asked) return problem_of(asked.error());
  const std::size_t limit = *asked;
  const auto after = seq_cursor(call);
  if (!after) return problem_of(after.error());
  const auto row = own_run(call.services, call.caller, *id);
  if (!row) return problem_of(row.error());
  const auto segments = call.services.store.read_journal(*id, *after, limit + 1);
  if (!segments) return problem_of(segments.error());
  json::Array items;
  std::uint32_t last = 0;
  bool has_more = false;
  for (const store::Segment& segment : *segments) {
    const auto events = provenance::decode_journal(segment.bytes);
    if (!events) return problem_of(events.error());
    for (std::uint32_t n = 0; n < events->size(); ++n) {
      const std::uint32_t seq = segment.first_seq + n;
      if (seq <= *after) continue;
      has_more = items.size() == limit;
      if (has_more) break;
      auto event =
          json::parse((*events)[n], {.depth_max = 256, .bytes_max = std::size_t{16} << 20});
      if (!event)
        return problem_of(failure(Code::kCorruption, "event {}: {}", seq, event.error().message));
      items.push_back(std::move(*event));
      last = seq;
    }
    if (has_more) break;
  }
  json::Value out = json::Object{{"items", std::move(items)}};
  out.set("next_cursor", has_more ? json::Value(std::to_string(last)) : json::Value());
  return json_response(200, out);
}

Reply get_content(Call& call) {
  const auto id = path_run(call);
  if (!id) return problem_of(id.error());
  const std::string& seq_text = call.path.find("seq")->second;
  const auto named = seq_in(seq_text);
  if (!named) return problem(400, "seq must be the number of an event");
  const std::uint32_t seq = *named;
  const auto record = own_record(call.services, call.caller, *id);
  if (!record) return problem_of(record.error());
  const std::string& member = call.path.find("member")->second;
  for (const store::Segment& segment : record->contents) {
    if (seq < segment.first_seq || seq >= segment.first_seq + segment.count) continue;
    const auto contents = provenance::decode_contents(segment.bytes);
    if (!contents) return problem_of(contents.error());
    for (const provenance::Content& content : *contents) {
      const bool is_plan = content.ref.seq == 1 && content.ref.member == "plan";
      if (content.ref == provenance::ContentRef{seq, member} && !is_plan)
        return json_response(200, content.value);
    }
  }
  const auto erasures = Erasures::read(call.services.store, record->row);
  if (!erasures) return problem_of(erasures.error());
  if (const Id* erasure = erasures->find({seq, member})) {
    return problem(404, fmt::format("the contents were erased: see {}", receipt_name(*erasure)));
  }
  return problem(404, "no such content");
}

/// The only member of a body; empty if it is absent.
std::variant<std::string, Problem> reason_in(const json::Value& body) {
  std::string reason;
  for (const auto& [key, value] : body.as_object()) {
    if (key != "reason")
      return problem_at(400, json::join("", key), "unknown field; allowed: reason");
    if (!value.is_string()) return problem_at(400, "/reason", "must be a string");
    if (value.as_string().size() > kReasonMax) {
      return problem_at(422, "/reason", fmt::format("may have at most {} bytes", kReasonMax));
    }
    reason = value.as_string();
  }
  return reason;
}

/// Has the run stand still, or go on.
template <class Request>
Reply pause_or_resume(Call& call) {
  const auto id = path_run(call);
  if (!id) return problem_of(id.error());
  auto reason = reason_in(call.body);
  if (auto* refusal = std::get_if<Problem>(&reason)) return std::move(*refusal);
  return tell_run(call, *id, Request{call.caller.principal, std::get<std::string>(reason)});
}

Reply cancel_orchestration(Call& call) {
  const auto id = path_run(call);
  if (!id) return problem_of(id.error());
  auto read = reason_in(call.body);
  if (auto* refusal = std::get_if<Problem>(&read)) return std::move(*refusal);
  const std::string reason = std::get<std::string>(std::move(read));
  const auto row = own_run(call.services, call.caller, *id);
  if (!row) return problem_of(row.error());
  const auto conflict = [](store::RunStatus status) {
    return problem(409,
                   fmt::format("the orchestration is {} already", engine::run_status_name(status)));
  };
  if (row->status == store::RunStatus::kCompleted || row->status == store::RunStatus::kFailed)
    return conflict(row->status);
  if (row->status == store::RunStatus::kCancelled) {
    auto shown = show_run(call.services, call.caller, 200, *id);
    if (!shown) return problem_of(shown.error());
    return std::move(*shown);
  }
  net::Later later;
  later.start = [services = &call.services, caller = call.caller, run = *id, reason,
                 trace_id = call.trace_id, kept = call.kept_run(200, *id),
                 conflict](net::Responder respond) {
    services->engine.tell(
        run, engine::CancelRequested{caller.principal, reason}, kept,
        [services, caller, run, trace_id, respond, conflict](const Result<engine::Outcome>& done) {
          const auto answer = [services, caller, run, trace_id, respond, conflict, done] {
            if (!done) return respond(render(problem_of(done.error()), trace_id));
            // One whose steps are undone first is still running.
            if (done->status == store::RunStatus::kCompleted ||
                done->status == store::RunStatus::kFailed) {
              return respond(render(conflict(done->status), trace_id));
            }
            const auto shown = show_run(*services, caller, 200, run);
            respond(shown ? *shown : render(problem_of(shown.error()), trace_id));
          };
          if (!services->pool.try_post(answer))
            respond(render(problem(503, "the server is busy"), trace_id));
        });
  };
  return later;
}

}  // namespace

Result<net::Response> show_run(Services& services, const auth::Caller& caller, int status,
                               RunId run) {
  ASSIGN_OR_RETURN(const store::RunRecord record, own_record(services, caller, run));
  ASSIGN_OR_RETURN(const engine::History history, engine::read_history(record, services.workflows));
  ASSIGN_OR_RETURN(const Erasures erasures, Erasures::read(services.store, record.row));
  return run_response(status, record.row, history, erasures);
}

Result<engine::History> read_own_run(Services& services, const auth::Caller& caller, RunId run) {
  ASSIGN_OR_RETURN(const store::RunRecord record, own_record(services, caller, run));
  return engine::read_history(record, services.workflows);
}

Reply tell_run(const Call& call, RunId run, engine::Input input) {
  const auto row = own_run(call.services, call.caller, run);
  if (!row) return problem_of(row.error());
  net::Later later;
  later.start = [services = &call.services, caller = call.caller, run,
                 input = std::make_shared<engine::Input>(std::move(input)),
                 trace_id = call.trace_id,
                 kept = call.kept_run(200, run)](const net::Responder& respond) {
    services->engine.tell(
        run, std::move(*input), kept,
        [services, caller, run, trace_id, respond](const Result<engine::Outcome>& done) {
          if (!done) return respond(render(problem_of(done.error()), trace_id));
          const auto answer = [services, caller, run, trace_id, respond] {
            const auto shown = show_run(*services, caller, 200, run);
            respond(shown ? *shown : render(problem_of(shown.error()), trace_id));
          };
          if (!services->pool.try_post(answer))
            respond(render(problem(503, "the server is busy"), trace_id));
        });
  };
  return later;
}

net::Later wait_for_run(const Call& call, RunId run, std::chrono::seconds wait,
                        int status_if_running, std::function<void(Begun)> begin) {
  auto waiting = std::make_shared<Wait>(call, run, status_if_running);
  net::Later later;
  later.deadline = call.now + wait;
  later.at_deadline = [waiting] { return waiting->answer(waiting->status_if_running); };
  later.start = [waiting, begin = std::move(begin)](net::Responder respond) {
    // Of a run that ended while the request waited, what is shown is in memory; else it is read.
    const auto answer = [weak = std::weak_ptr<Wait>(waiting),
                         respond](const std::shared_ptr<const engine::EndedRun>& ended) {
      const auto self = weak.lock();
      if (!self) return;
      const bool is_posted = self->services.pool.try_post([self, respond, ended] {
        respond(ended ? run_response(200, ended->row, ended->history) : self->answer(200));
      });
      if (!is_posted) {
        respond(render(problem(503, "the server is busy"), self->trace_id));
      }
    };
    // Watch first: what ends between the two is not missed.
    waiting->watch = waiting->services.engine.watch(waiting->run, answer);
    if (begin) {
      begin([waiting, respond](const std::optional<Problem>& refusal) {
        if (refusal) respond(render(*refusal, waiting->trace_id));
      });
      return;
    }
    const auto row = waiting->services.store.get_run(waiting->run);
    if (!row || engine::is_terminal(row->status)) answer(nullptr);
  };
  return later;
}

std::vector<Route> orchestration_routes() {
  return {
      {"GET", "/v1/orchestrations", scope(auth::Scope::kOrchestrationsRead), list_orchestrations,
       "listOrchestrations"},
      {"GET", "/v1/orchestrations/{id}", scope(auth::Scope::kOrchestrationsRead), get_orchestration,
       "getOrchestration"},
      {"POST", "/v1/orchestrations/{id}/cancel", scope(auth::Scope::kOrchestrationsWrite),
       cancel_orchestration, "cancelOrchestration"},
      {"POST", "/v1/orchestrations/{id}/pause", scope(auth::Scope::kOrchestrationsWrite),
       pause_or_resume<engine::PauseRequested>, "pauseOrchestration"},
      {"POST", "/v1/orchestrations/{id}/resume", scope(auth::Scope::kOrchestrationsWrite),
       pause_or_resume<engine::ResumeRequested>, "resumeOrchestration"},
      {"GET", "/v1/orchestrations/{id}/events", scope(auth::Scope::kOrchestrationsRead),
       list_events, "listOrchestrationEvents"},
      {"GET", "/v1/orchestrations/{id}/contents/{seq}/{member}", scope(auth::Scope::kContentsRead),
       get_content, "getOrchestrationContent"},
  };
}

}  // namespace avow::api
