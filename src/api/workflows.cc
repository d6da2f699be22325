// SPDX-License-Identifier: Apache-2.0
// Workflows from draft to archive (CONTRACT.md section 2).
#include <array>

#include "api/change_statements.h"
#include "api/record_list.h"
#include "api/route.h"
#include "api/tenant_catalog.h"
#include "api/workflow_cache.h"
#include "base/bytes.h"
#include "json/pointer.h"

namespace avow::api {
namespace {

using StoredPtr = std::shared_ptr<const StoredWorkflow>;

/// Members of the workflow object that come first, in this order; the others follow as defined.
constexpr std::array<std::string_view, 3> kFirst = {"name", "description", "version"};

json::Value shown_workflow(const StoredWorkflow& workflow, std::string_view created_at,
                           std::string_view published_at) {
  const json::Value& body = workflow.definition.body;
  json::Object out{{"id", workflow.id.uuid()}, {"workflow_id", workflow.id.uuid()}};
  for (const std::string_view name : kFirst) {
    if (const json::Value* value = body.find(name)) out.set(name, *value);
  }
  out.set("status", workflow.status);
  for (const json::Member& member : body.as_object()) out.set(member.key, member.value);
  out.set("digest", workflow.definition.digest);
  out.set("created_at", created_at);
  if (!published_at.empty()) out.set("published_at", published_at);
  return out;
}

net::Response workflow_response(int status, const json::Value& shown) {
  net::Response out = json_response(status, shown);
  out.headers.set("ETag", fmt::format("\"{}\"", shown.string_or("digest")));
  if (status == 201) out.headers.set("Location", "/v1/workflows/" + shown.string_or("id"));
  return out;
}

/// Writes `workflow` and answers with it.
Reply commit_workflow(const Call& call, int status, const StoredWorkflow& workflow,
                      std::vector<store::QueuedStatement> statements = {}) {
  const net::Response response = workflow_response(status, workflow.shown);
  return commit_then_answer(
      call,
      {.run = {},
       .records = {to_change(workflow)},
       .tasks = {},
       .answer = call.kept(response),
       .statements = std::move(statements)},
      response, [&cache = call.services.workflows, id = workflow.id] { cache.forget(id); });
}

/// A key for some agents writes no workflow in which others work: starting it would be a way to be
/// them. Problem: 403
std::optional<Problem> names_others_agent(const auth::Caller& caller, const json::Value& body) {
  const auto is_others = [&caller](const json::Value& member) {
    const auto id = parse_id(member.string_or("agent_id"));
    return id && !caller.may_act_as(AgentId{*id});
  };
  const auto refused = [](const std::string& pointer) {
    return problem_at(403, pointer + "/agent_id", "this key may not let that agent work");
  };
  if (is_others(body)) return refused("");
  const json::Array& steps = body.find("steps")->as_array();
  // The workflow that an orchestration starts may name any agent, now or in a later version.
  const auto is_anybodys = [&caller](const json::Value& step) {
    return caller.agent_ids && step.string_or("type") == "orchestration" &&
           step.find("agent_id") == nullptr;
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (is_others(steps[i])) return refused(json::join("/steps", i));
    if (is_anybodys(steps[i])) {
      return problem_at(403, json::join("/steps", i) + "/agent_id",
                        "this key must name the agent that the step starts a run as");
    }
  }
  return {};
}

std::variant<workflow::Definition, Problem> normalised(const Call& call, const json::Value& body) {
  const TenantCatalog catalog(call.services, call.caller.tenant);
  auto checked = workflow::normalise(body, catalog);
  if (catalog.failed()) return problem_of(*catalog.failed());
  if (const auto* faults = std::get_if<workflow::Faults>(&checked)) return problem_of(*faults);
  auto& definition = std::get<workflow::Definition>(checked);
  if (auto refused = names_others_agent(call.caller, definition.body)) return std::move(*refused);
  return std::move(definition);
}

/// Whether another workflow has the name and version of `definition`. Problem: 409, 503
std::optional<Problem> taken(const Call& call, const workflow::Definition& definition) {
  const auto record = call.services.store.find_record(
      store::RecordKind::kWorkflow,
      workflow_key(call.caller.tenant, definition.name, definition.version));
  if (!record && record.error().code == Code::kNotFound) return {};
  if (!record) return problem_of(record.error());
  return problem(409, fmt::format("a workflow \"{}\" of version {} exists: {}",
                                  shown(definition.name), definition.version, record->id.uuid()));
}

/// Answers with a new draft of `body`.
Reply create_draft(const Call& call, const json::Value& body) {
  auto checked = normalised(call, body);
  if (auto* const refused = std::get_if<Problem>(&checked)) return std::move(*refused);
  StoredWorkflow workflow;
  workflow.definition = std::get<workflow::Definition>(std::move(checked));
  if (auto refused = taken(call, workflow.definition)) return *refused;
  workflow.id = {make_id(call.now, call.services.rng.bytes8())};
  workflow.tenant = call.caller.tenant;
  workflow.status = "draft";
  workflow.shown = shown_workflow(workflow, format_time(call.now), "");
  return commit_workflow(call, 201, workflow);
}

/// The workflow that the path names.
Result<StoredPtr> workflow_of(const Call& call) {
  ASSIGN_OR_RETURN(const Id id, call.path_id("id"));
  return call.services.workflows.get(call.caller.tenant, WorkflowId{id});
}

Reply create(Call& call) { return create_draft(call, call.body); }

Reply validate(Call& call) {
  const TenantCatalog catalog(call.services, call.caller.tenant);
  const auto checked = workflow::normalise(call.body, catalog);
  if (catalog.failed()) return problem_of(*catalog.failed());
  if (const auto* faults = std::get_if<workflow::Faults>(&checked)) {
    return json_response(200, json::Object{{"valid", false}, {"errors", shown_faults(*faults)}});
  }
  const auto& definition = std::get<workflow::Definition>(checked);
  return json_response(
      200, json::Object{
               {"valid", true}, {"definition", definition.body}, {"digest", definition.digest}});
}

Reply list(Call& call) {
  return list_records(call, store::RecordKind::kWorkflow, {"draft", "published", "archived"},
                      [](const store::Record& record) -> Result<json::Value> {
                        ASSIGN_OR_RETURN(const StoredPtr workflow, workflow_from(record));
                        return workflow->shown;
                      });
}

Reply get(Call& call) {
  const auto workflow = workflow_of(call);
  if (!workflow) return problem_of(workflow.error());
  return workflow_response(200, (*workflow)->shown);
}

/// Whether If-Match, if it is there, names the digest. CONTRACT.md has no 412: it is a conflict.
std::optional<Problem> mismatch(const Call& call, const std::string& digest) {
  const auto given = call.request.headers.all("If-Match");
  if (given.empty()) return {};
  for (const std::string_view line : given) {
    if (line == "*" || line == digest || line == fmt::format("\"{}\"", digest)) return {};
  }
  return problem(409, fmt::format("the workflow has changed; its digest is now {}", digest));
}

Reply replace(Call& call) {
  const auto old = workflow_of(call);
  if (!old) return problem_of(old.error());
  if ((*old)->status != "draft") {
    return problem(409, fmt::format("the workflow is {}: only a draft can change; make a new "
                                    "version with POST /v1/workflows/{}/versions",
                                    (*old)->status, (*old)->id.uuid()));
  }
  if (auto refused = mismatch(call, (*old)->definition.digest)) return *refused;
  auto checked = normalised(call, call.body);
  if (auto* const refused = std::get_if<Problem>(&checked)) return std::move(*refused);
  StoredWorkflow workflow = **old;
  workflow.definition = std::get<workflow::Definition>(std::move(checked));
  const bool is_renamed = workflow.definition.name != (*old)->definition.name ||
                          workflow.definition.version != (*old)->definition.version;
  if (is_renamed) {
    if (auto refused = taken(call, workflow.definition)) return *refused;
  }
  workflow.shown = shown_workflow(workflow, (*old)->shown.string_or("created_at"), "");
  return commit_workflow(call, 200, workflow);
}

std::optional<Problem> refuse_members(const Call& call) {
  if (call.body.as_object().empty()) return {};
  const std::string& name = call.body.as_object().begin()->key;
  Problem out =
      problem(400, fmt::format("unknown field \"{}\": none is expected here", shown(name)));
  out.details.set("pointer", json::join("", name));
  out.details.set("error_id", "UNKNOWN_FIELD");
  return out;
}

Reply publish(Call& call) {
  if (auto refused = refuse_members(call)) return *refused;
  const auto draft = workflow_of(call);
  if (!draft) return problem_of(draft.error());
  if ((*draft)->status != "draft") {
    return problem(409, fmt::format("the workflow is {} already", (*draft)->status));
  }
  // What it refers to may have changed since it was written.
  auto checked = normalised(call, (*draft)->definition.body);
  if (auto* const refused = std::get_if<Problem>(&checked)) return std::move(*refused);
  StoredWorkflow workflow = **draft;
  workflow.status = "published";
  workflow.shown =
      shown_workflow(workflow, (*draft)->shown.string_or("created_at"), format_time(call.now));
  return commit_workflow(call, 200, workflow, {workflow_published(call, workflow)});
}

Reply archive(Call& call) {
  if (auto refused = refuse_members(call)) return *refused;
  const auto published = workflow_of(call);
  if (!published) return problem_of(published.error());
  if ((*published)->status != "published") {
    return problem(409, fmt::format("the workflow is {}: only a published one can be archived",
                                    (*published)->status));
  }
  StoredWorkflow workflow = **published;
  workflow.status = "archived";
  workflow.shown.set("status", workflow.status);
  return commit_workflow(call, 200, workflow);
}

/// The highest version of the workflows of that name.
Result<std::string> highest_version(const Call& call, const std::string& name) {
  std::string highest;
  store::RecordQuery query{.kind = store::RecordKind::kWorkflow,
                           .tenant = call.caller.tenant,
                           .name = name,
                           .status = {},
                           .before = {},
                           .limit = 100};
  while (true) {
    ASSIGN_OR_RETURN(const auto records, call.services.store.list_records(query));
    for (const store::Record& record : records) {
      const std::string version = record.unique_key.substr(record.unique_key.rfind('@') + 1);
      if (highest.empty() || workflow::compare_versions(version, highest) > 0) highest = version;
    }
    if (records.size() < query.limit) return highest;
    query.before = records.back().id;
  }
}

/// The next minor version: 1.4.2 becomes 1.5.0.
std::string next_version(const std::string& version) {
  const std::size_t first = version.find('.');
  const std::size_t second = version.find('.', first + 1);
  std::string minor = version.substr(first + 1, second - first - 1);
  // Digit by digit, since semver has no largest number.
  std::size_t at = minor.size();
  while (at > 0 && minor[at - 1] == '9') minor[--at] = '0';
  if (at == 0) {
    minor.insert(minor.begin(), '1');
  } else {
    ++minor[at - 1];
  }
  return fmt::format("{}.{}.0", version.substr(0, first), minor);
}

/// A new draft: the members of the old one, those of the request in their place.
Reply new_version(Call& call) {
  const auto old = workflow_of(call);
  if (!old) return problem_of(old.error());
  const workflow::Definition& definition = (*old)->definition;
  const json::Value* name = call.body.find("name");
  if (name != nullptr && !(*name == json::Value(definition.name))) {
    return problem_at(422, "/name", "a version has the name of its workflow; leave it out");
  }
  const auto highest = highest_version(call, definition.name);
  if (!highest) return problem_of(highest.error());
  json::Value body = definition.body;
  body.set("version", next_version(*highest));
  for (const json::Member& member : call.body.as_object()) body.set(member.key, member.value);
  const std::string version = body.string_or("version");
  if (workflow::is_version(version) && workflow::compare_versions(version, *highest) <= 0) {
    return problem_at(422, "/version",
                      fmt::format("must be higher than {}, the highest there is", *highest));
  }
  return create_draft(call, body);
}

}  // namespace

std::vector<Route> workflow_routes() {
  constexpr Access kRead = scope(auth::Scope::kWorkflowsRead);
  constexpr Access kWrite = scope(auth::Scope::kWorkflowsWrite);
  return {
      {"POST", "/v1/workflows", kWrite, create, "createWorkflow"},
      {"GET", "/v1/workflows", kRead, list, "listWorkflows"},
      {"POST", "/v1/workflows/validate", kWrite, validate, "validateWorkflow"},
      {"GET", "/v1/workflows/{id}", kRead, get, "getWorkflow"},
      {"PUT", "/v1/workflows/{id}", kWrite, replace, "replaceWorkflow"},
      {"POST", "/v1/workflows/{id}/publish", kWrite, publish, "publishWorkflow"},
      {"POST", "/v1/workflows/{id}/archive", kWrite, archive, "archiveWorkflow"},
      {"POST", "/v1/workflows/{id}/versions", kWrite, new_version, "createWorkflowVersion"},
  };
}

}  // namespace avow::api
