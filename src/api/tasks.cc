// SPDX-License-Identifier: Apache-2.0
// Workers: POST /v1/agents/{id}/tasks/poll, POST /v1/tasks/{task_id}/complete, /fail, /heartbeat.
#include <charconv>

#include "api/agent_directory.h"
#include "api/orchestration_view.h"
#include "api/route.h"
#include "auth/fields.h"
#include "base/bytes.h"
#include "crypto/sha256.h"

namespace avow::api {
namespace {

constexpr std::int64_t kWaitSecondsMax = 30;
constexpr std::int64_t kTasksMax = 100;

/// A task's id as workers see it: "<run ULID>.<step>.<attempt>", of an item of for_each "<run
/// ULID>.<step>.i<item>.<attempt>"; no part can hold a dot.
struct TaskRef {
  RunId run;
  engine::TaskName name;
};

std::string task_id(const engine::TaskGrant& grant) {
  std::string unit = grant.step;
  std::replace(unit.begin(), unit.end(), '/', '.');
  return fmt::format("{}.{}.{}", grant.run.ulid(), unit, grant.attempt);
}

Result<TaskRef> parse_task_id(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t last = text.rfind('.');
  const auto bad = [&text] {
    return failure(Code::kInvalidArgument, "\"{}\" is not a task_id", shown(text));
  };
  if (first == std::string_view::npos || first == last) return bad();
  const auto run = parse_id(text.substr(0, first));
  const std::string_view attempt = text.substr(last + 1);
  TaskRef ref;
  const auto [end, error] =
      std::from_chars(attempt.data(), attempt.data() + attempt.size(), ref.name.attempt);
  if (!run || error != std::errc() || end != attempt.data() + attempt.size()) return bad();
  ref.run = RunId{*run};
  ref.name.step = text.substr(first + 1, last - first - 1);
  std::replace(ref.name.step.begin(), ref.name.step.end(), '.', '/');
  return ref;
}

json::Value render_task(const engine::TakenTask& task) {
  const engine::TaskGrant& grant = task.grant;
  json::Value out = json::Object{{"task_id", task_id(grant)},
                                 {"run_id", run_name(grant.run)},
                                 {"step", grant.step.substr(0, grant.step.find('/'))}};
  if (grant.item) out.set("item", static_cast<std::int64_t>(*grant.item));
  out.set("attempt", static_cast<std::int64_t>(grant.attempt));
  out.set("action", grant.action);
  out.set("parameters", grant.parameters);
  out.set("input", grant.input);
  out.set("idempotency_key", engine::CallId{grant.run, grant.step, 1}.key());
  out.set("lease_token", task.lease_token);
  out.set("lease_expires_at", format_time(grant.lease_expires_at));
  return out;
}

std::int64_t integer(auth::Fields& fields, std::string_view name, std::int64_t min,
                     std::int64_t max, std::int64_t fallback) {
  const json::Value* value = fields.any(name);
  if (value == nullptr) return fallback;
  const std::string pointer = fmt::format("/{}", name);
  if (!value->is_int()) {
    fields.fault(auth::FaultKind::kMalformed, pointer, "WRONG_TYPE", "must be a whole number");
    return fallback;
  }
  if (value->as_int() < min || value->as_int() > max) {
    fields.fault(auth::FaultKind::kInvalid, pointer, "OUT_OF_RANGE",
                 fmt::format("must be from {} to {}", min, max));
  }
  return value->as_int();
}

Reply poll_tasks(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  std::vector<auth::Fault> faults;
  auth::Fields fields(call.body, faults);
  const std::int64_t wait = integer(fields, "wait", 0, kWaitSecondsMax, 0);
  const std::int64_t max = integer(fields, "max", 1, kTasksMax, 1);
  fields.refuse_unknown();
  if (!faults.empty()) return problem_of(faults);
  const AgentId agent_id{*id};
  const auto agent = call.services.agents.get(call.caller.tenant, agent_id);
  if (!agent) return problem_of(agent.error());
  if (!call.caller.may_act_as(agent_id))
    return problem(403, "this key may not work for that agent");
  if (!(*agent)->is_active(call.now))
    return problem(403, "the agent is not active: it was suspended or revoked, or has expired");
  net::Later later;
  later.start = [services = &call.services, agent_id, max,
                 until = call.now + std::chrono::seconds(wait), actor = call.caller.principal,
                 gone = call.request.cancelled](net::Responder respond) {
    services->engine.poll_tasks(
        agent_id, static_cast<std::size_t>(max), until, actor, gone,
        [respond](const std::vector<engine::TakenTask>& taken) {
          json::Array tasks;
          for (const engine::TakenTask& task : taken) tasks.push_back(render_task(task));
          respond(json_response(200, json::Object{{"tasks", std::move(tasks)}}));
        });
  };
  return later;
}

/// Reads what all three ends of a task share, and checks that its run is the caller's.
struct HeldTask {
  TaskRef ref;
  std::string token_hash;
};

std::variant<HeldTask, Problem> held_task(Call& call, auth::Fields& fields,
                                          std::vector<auth::Fault>& faults) {
  auto ref = parse_task_id(call.path.find("task_id")->second);
  if (!ref) return problem_of(ref.error());
  const auto token = fields.text("lease_token", {.characters_min = 1, .characters_max = 256});
  const bool has_token = fields.any("lease_token") != nullptr;
  if (!has_token)
    fields.fault(auth::FaultKind::kMalformed, "/lease_token", "MISSING", "lease_token is required");
  fields.refuse_unknown();
  if (!faults.empty()) return problem_of(faults);
  const auto row = call.services.store.get_run(ref->run);
  if (!row && row.error().code != Code::kNotFound) return problem_of(row.error());
  if (!row || row->tenant != call.caller.tenant) return problem(404, "no such task");
  ref->name.agents = call.caller.agent_ids;
  return HeldTask{std::move(*ref), to_hex(view_of(crypto::sha256(*token)))};
}

/// Tells the run; answers 200 with `answer` (and the lease's new end, where there is one).
Reply tell(Call& call, RunId run, engine::Input input, json::Value answer) {
  auto kept = call.kept(json_response(200, answer), run);
  net::Later later;
  later.start = [services = &call.services, run,
                 input = std::make_shared<engine::Input>(std::move(input)), kept, answer,
                 trace_id = call.trace_id](net::Responder respond) {
    services->engine.tell(run, std::move(*input), kept,
                          [respond, answer, trace_id](const Result<engine::Outcome>& done) {
                            if (!done) return respond(render(problem_of(done.error()), trace_id));
                            json::Value body = answer;
                            if (done->grant)
                              body.set("lease_expires_at",
                                       format_time(done->grant->lease_expires_at));
                            respond(json_response(200, body));
                          });
  };
  return later;
}

Reply complete_task(Call& call) {
  std::vector<auth::Fault> faults;
  auth::Fields fields(call.body, faults);
  const json::Value* result = fields.any("result");
  auto held = held_task(call, fields, faults);
  if (auto* refusal = std::get_if<Problem>(&held)) return std::move(*refusal);
  auto& task = std::get<HeldTask>(held);
  engine::TaskFinished finished{task.ref.name, task.token_hash,
                                result == nullptr ? json::Value() : *result};
  return tell(call, task.ref.run, std::move(finished), json::Object{{"status", "completed"}});
}

Reply fail_task(Call& call) {
  std::vector<auth::Fault> faults;
  auth::Fields fields(call.body, faults);
  engine::TaskError error{.code = "WORKER_FAILED", .message = {}, .is_retryable = false};
  if (const json::Value* given = fields.any("error")) {
    std::vector<auth::Fault> inner;
    auth::Fields members(*given, inner);
    error.code =
        members.text("code", {.characters_min = 1, .characters_max = 64}).value_or(error.code);
    error.message =
        members.text("message", {.characters_max = 4096, .is_one_line = false}).value_or("");
    members.refuse_unknown();
    const bool is_code =
        error.code.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == std::string::npos;
    if (!is_code)
      members.fault(auth::FaultKind::kInvalid, "/code", "INVALID_VALUE",
                    "an error code has the letters A-Z, digits and _");
    for (auth::Fault& fault : inner) {
      fault.pointer = "/error" + fault.pointer;
      faults.push_back(std::move(fault));
    }
  }
  if (const json::Value* retryable = fields.any("retryable")) {
    if (retryable->is_bool()) {
      error.is_retryable = retryable->as_bool();
    } else {
      fields.fault(auth::FaultKind::kMalformed, "/retryable", "WRONG_TYPE",
                   "must be true or false");
    }
  }
  auto held = held_task(call, fields, faults);
  if (auto* refusal = std::get_if<Problem>(&held)) return std::move(*refusal);
  auto& task = std::get<HeldTask>(held);
  return tell(call, task.ref.run,
              engine::TaskFinished{task.ref.name, task.token_hash, std::move(error)},
              json::Object{{"status", "failed"}});
}

Reply heartbeat_task(Call& call) {
  std::vector<auth::Fault> faults;
  auth::Fields fields(call.body, faults);
  auto held = held_task(call, fields, faults);
  if (auto* refusal = std::get_if<Problem>(&held)) return std::move(*refusal);
  auto& task = std::get<HeldTask>(held);
  return tell(call, task.ref.run, engine::TaskRenewed{task.ref.name, task.token_hash},
              json::Object{{"status", "running"}});
}

}  // namespace

std::vector<Route> task_routes() {
  constexpr Access kWork = scope(auth::Scope::kTasksWork);
  return {
      {"POST", "/v1/agents/{id}/tasks/poll", kWork, poll_tasks, "pollTasks"},
      {"POST", "/v1/tasks/{task_id}/complete", kWork, complete_task, "completeTask"},
      {"POST", "/v1/tasks/{task_id}/fail", kWork, fail_task, "failTask"},
      {"POST", "/v1/tasks/{task_id}/heartbeat", kWork, heartbeat_task, "heartbeatTask"},
  };
}

}  // namespace avow::api
