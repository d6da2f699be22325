// SPDX-License-Identifier: Apache-2.0
#include "api/openapi.h"

#include <algorithm>
#include <array>

#include "json/write.h"

namespace avow::api {
namespace {

/// One answer of an operation: the schema of its body, by name. Not JSON where `media` says so.
struct Answer {
  int status;
  std::string_view schema;
  std::string_view media = "application/json";
};

/// What the document says of a route beyond its method, path and access.
struct Operation {
  std::string_view id;
  std::string_view tag;
  std::string_view summary;
  std::string_view request;  ///< The schema of its body; empty: it takes none.
  std::vector<Answer> answers;
  std::vector<int> refusals = {};  ///< Beyond those that every route of its kind has.
  std::vector<std::string_view> parameters = {};
};

using Names = std::vector<std::string_view>;

const Names& page() {
  static const Names names = {"limit", "cursor"};
  return names;
}
Names page_and(Names more) {
  more.insert(more.end(), page().begin(), page().end());
  return more;
}

std::vector<Operation> workflow_operations() {
  constexpr std::string_view kTag = "Workflows";
  return {
      {"createWorkflow",
       kTag,
       "Create a draft, in either dialect",
       "CreateWorkflow",
       {{201, "Workflow"}},
       {404, 409, 422}},
      {"listWorkflows",
       kTag,
       "List workflows, newest first",
       "",
       {{200, "WorkflowList"}},
       {},
       page_and({"name", "status"})},
      {"validateWorkflow",
       kTag,
       "Check a definition and store nothing",
       "CreateWorkflow",
       {{200, "WorkflowCheck"}}},
      {"getWorkflow", kTag, "Read a workflow", "", {{200, "Workflow"}}},
      {"replaceWorkflow",
       kTag,
       "Replace a draft",
       "CreateWorkflow",
       {{200, "Workflow"}},
       {409, 422},
       {"If-Match"}},
      {"publishWorkflow",
       kTag,
       "Make a draft executable; it never changes again",
       "Nothing",
       {{200, "Workflow"}},
       {409, 422}},
      {"archiveWorkflow",
       kTag,
       "Execute it no more; running runs go on",
       "Nothing",
       {{200, "Workflow"}},
       {409}},
      {"createWorkflowVersion",
       kTag,
       "A new draft of the same name, with what is sent replaced",
       "CreateWorkflowVersion",
       {{201, "Workflow"}},
       {409, 422}},
      {"executeWorkflow",
       kTag,
       "Start a run of a published workflow",
       "ExecuteWorkflow",
       {{202, "Orchestration"}, {200, "ExecutedNow"}},
       {409, 422},
       {"wait", "Prefer"}},
  };
}

std::vector<Operation> orchestration_operations() {
  constexpr std::string_view kTag = "Orchestrations";
  return {
      {"executeOrchestration",
       kTag,
       "Start a run of an agent, a workflow or inline steps",
       "ExecuteOrchestration",
       {{202, "Orchestration"}, {200, "ExecutedNow"}},
       {404, 409, 422},
       {"wait", "Prefer"}},
      {"listOrchestrations",
       kTag,
       "List runs, newest first; label.<key>=<value> selects by a label",
       "",
       {{200, "OrchestrationItemList"}},
       {},
       page_and({"status", "name", "workflow_id", "agent_id", "created_after", "created_before"})},
      {"getOrchestration",
       kTag,
       "Read a run, or wait for its end",
       "",
       {{200, "Orchestration"}},
       {},
       {"wait", "Prefer"}},
      {"cancelOrchestration",
       kTag,
       "Cancel a run",
       "CancelOrchestration",
       {{200, "Orchestration"}},
       {409, 422}},
      {"pauseOrchestration",
       kTag,
       "Let nothing new start in a run; its time limits stand still",
       "Reason",
       {{200, "Orchestration"}},
       {409, 422}},
      {"resumeOrchestration",
       kTag,
       "Let a paused run go on",
       "Reason",
       {{200, "Orchestration"}},
       {409, 422}},
      {"decideApproval",
       kTag,
       "Approve or reject what a step asks for",
       "DecideApproval",
       {{200, "Orchestration"}},
       {409, 422}},
      {"listOrchestrationEvents",
       kTag,
       "The run's journal, oldest first; as text/event-stream it goes on while the run does",
       "",
       {{200, "EventList"}, {200, "Text", "text/event-stream"}, {204, ""}},
       {},
       page_and({"Last-Event-ID"})},
      {"getOrchestrationContent", kTag, "One content of a run", "", {{200, "AnyValue"}}},
      {"rerunOrchestration",
       kTag,
       "Run what has ended once more, all of it or from one step on",
       "RerunOrchestration",
       {{202, "Orchestration"}, {200, "Orchestration"}},
       {409, 422},
       {"wait", "Prefer"}},
      {"eraseOrchestration",
       kTag,
       "Erase contents of a run that has ended, for good",
       "EraseOrchestration",
       {{200, "Erasure"}},
       {409, 422}},
      {"listOrchestrationReceipts",
       kTag,
       "What receipts there are of a run: its own, then those of its steps",
       "",
       {{200, "ReceiptItemList"}}},
  };
}

std::vector<Operation> proof_operations() {
  constexpr std::string_view kReceipts = "Receipts";
  constexpr std::string_view kLog = "Log";
  return {
      {"getReceipt",
       kReceipts,
       "A receipt, by its own id or its run's; 409 while the log does not have it yet",
       "",
       {{200, "AnyObject"},
        {200, "Text", "text/plain"},
        {200, "AnyObject", "application/vnd.dev.sigstore.bundle.v0.3+json"},
        {200, "Text", "application/cose"}},
       {409, 413},
       {"format", "witnessed", "reveal"}},
      {"getBundle",
       kReceipts,
       "A run's receipt with all its events, and its contents for who may see them",
       "",
       {{200, "AnyObject"}},
       {409, 413},
       {"contents"}},
      {"verifyReceipt",
       kReceipts,
       "Check a receipt or bundle against the keys of this deployment's logs",
       "AnyObject",
       {{200, "Verification"}},
       {429}},
      {"listStatements",
       kReceipts,
       "The tenant's statements; of administration, if no type is asked for",
       "",
       {{200, "StatementItemList"}},
       {},
       page_and({"type", "order", "after"})},
      {"getCheckpoint",
       kLog,
       "The newest signed checkpoint (C2SP tlog-checkpoint)",
       "",
       {{200, "Text", "text/plain"}},
       {404}},
      {"getTile",
       kLog,
       "A tile: <L>/<N>[.p/<W>], or entries/<N>[.p/<W>] (C2SP tlog-tiles)",
       "",
       {{200, "Text", "application/octet-stream"}}},
      {"getLogKeys", kLog, "The keys of the log", "", {{200, "LogKeys"}}},
  };
}

std::vector<Operation> agent_operations() {
  constexpr std::string_view kTag = "Agents";
  constexpr std::string_view kTasks = "Tasks";
  return {
      {"registerAgent",
       kTag,
       "Register an agent",
       "RegisterAgent",
       {{201, "RegisteredAgent"}},
       {409, 422}},
      {"listAgents",
       kTag,
       "List agents, newest first",
       "",
       {{200, "AgentList"}},
       {},
       page_and({"name", "status"})},
      {"getAgent", kTag, "Read an agent", "", {{200, "Agent"}}},
      {"patchAgent",
       kTag,
       "Change an agent (RFC 7396)",
       "PatchAgent",
       {{200, "Agent"}},
       {409, 422}},
      {"suspendAgent", kTag, "Suspend an agent", "Reason", {{200, "Agent"}}, {409, 422}},
      {"resumeAgent",
       kTag,
       "Let a suspended agent work again",
       "Reason",
       {{200, "Agent"}},
       {409, 422}},
      {"revokeAgent", kTag, "Revoke an agent for ever", "Reason", {{200, "Agent"}}, {409, 422}},
      {"killAgent",
       kTag,
       "Revoke an agent and cancel its runs",
       "KillAgent",
       {{200, "Agent"}},
       {409, 422}},
      {"pollTasks",
       kTasks,
       "Take tasks of an agent under a lease",
       "PollTasks",
       {{200, "TaskList"}},
       {422}},
      {"completeTask",
       kTasks,
       "Give a task's result",
       "CompleteTask",
       {{200, "TaskState"}},
       {409, 422}},
      {"failTask", kTasks, "Say that a task failed", "FailTask", {{200, "TaskState"}}, {409, 422}},
      {"heartbeatTask",
       kTasks,
       "Extend a task's lease",
       "HeartbeatTask",
       {{200, "TaskState"}},
       {409, 422}},
  };
}

std::vector<Operation> other_operations() {
  constexpr std::string_view kTools = "Tools";
  constexpr std::string_view kKeys = "Tenants and keys";
  constexpr std::string_view kService = "Service";
  return {
      {"registerTool",
       kTools,
       "Register an HTTP tool",
       "RegisterTool",
       {{201, "Tool"}},
       {409, 422}},
      {"listTools",
       kTools,
       "List tools, newest first",
       "",
       {{200, "ToolList"}},
       {},
       page_and({"name"})},
      {"getTool", kTools, "Read a tool", "", {{200, "Tool"}}},
      {"checkGuardrails",
       "Guardrails",
       "Apply rules to a piece of content",
       "CheckGuardrails",
       {{200, "GuardrailVerdict"}},
       {404, 422}},
      {"createTenant", kKeys, "Create a tenant", "CreateTenant", {{201, "Tenant"}}, {409, 422}},
      {"patchTenant",
       kKeys,
       "Change a tenant's name, weight and limits (merge patch)",
       "PatchTenant",
       {{200, "Tenant"}},
       {409, 422}},
      {"createApiKey",
       kKeys,
       "Create an API key; its text is shown once",
       "CreateApiKey",
       {{201, "NewApiKey"}},
       {404, 409, 422}},
      {"listApiKeys",
       kKeys,
       "List API keys, newest first",
       "",
       {{200, "ApiKeyList"}},
       {404},
       page_and({"name", "status"})},
      {"revokeApiKey", kKeys, "Revoke an API key at once", "", {{204, ""}}, {409}},
      {"getLive", kService, "Whether the process runs", "", {{200, "Health"}}},
      {"getReady", kService, "Whether work can be taken", "", {{200, "Health"}}},
      {"getMetrics", kService, "Figures for Prometheus", "", {{200, "Text", "text/plain"}}},
      {"getOpenApi", kService, "This document", "", {{200, "AnyObject"}}},
      {"getFrontPage", kService, "A page for people", "", {{200, "Text", "text/html"}}},
  };
}

const Operation& operation_of(std::string_view id) {
  static const std::vector<Operation> all = [] {
    std::vector<Operation> out = workflow_operations();
    for (auto part :
         {orchestration_operations(), proof_operations(), agent_operations(), other_operations()}) {
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [id](const Operation& operation) { return operation.id == id; });
  CHECK(found != all.end());
  return *found;
}

json::Value reference(std::string_view schema) {
  return json::Object{{"$ref", fmt::format("#/components/schemas/{}", schema)}};
}

json::Value integer(std::int64_t min, std::int64_t max) {
  return json::Object{{"type", "integer"}, {"minimum", min}, {"maximum", max}};
}

/// A header or query parameter of that name.
json::Value parameter(std::string_view name) {
  json::Value schema = json::Object{{"type", "string"}};
  if (name == "limit") schema = integer(1, 200);
  if (name == "wait") schema = integer(0, 60);
  if (name.ends_with("_id")) schema = reference("AnyId");
  if (name.starts_with("created_")) schema.set("format", "date-time");
  if (name == "after") schema = integer(0, json::kSafeIntegerMax);
  if (name == "format") schema.set("enum", json::Array{"avow", "tlog-proof", "sigstore", "cose"});
  if (name == "order") schema.set("enum", json::Array{"desc", "asc"});
  if (name == "witnessed" || name == "contents") schema = json::Object{{"type", "boolean"}};
  const bool is_header = name.front() >= 'A' && name.front() <= 'Z';
  return json::Object{
      {"name", name}, {"in", is_header ? "header" : "query"}, {"schema", std::move(schema)}};
}

/// The parameters in `path`, as "{id}".
json::Array path_parameters(std::string_view path) {
  json::Array out;
  while (true) {
    const std::size_t begin = path.find('{');
    if (begin == std::string_view::npos) return out;
    const std::size_t end = path.find('}', begin);
    std::string_view name = path.substr(begin + 1, end - begin - 1);
    name = name.substr(0, name.find("..."));
    json::Value schema = json::Object{{"type", "string"}};
    if (name == "id") schema = reference("AnyId");
    if (name == "seq") schema = integer(1, 1'048'575);
    out.emplace_back(json::Object{
        {"name", name}, {"in", "path"}, {"required", true}, {"schema", std::move(schema)}});
    path.remove_prefix(end);
  }
}

std::string access_text(const Access& access) {
  if (access.kind == Access::Kind::kPublic) return "public";
  if (access.kind == Access::Kind::kPlatform) return "platform";
  return std::string(auth::scope_name(access.scope));
}

json::Value security(const Access& access) {
  if (access.kind == Access::Kind::kPublic) return json::Array();
  json::Array needed;
  if (access.kind == Access::Kind::kScope) needed.emplace_back(access_text(access));
  json::Array out = {json::Object{{"ApiKey", needed}}};
  if (access.kind == Access::Kind::kScope) out.emplace_back(json::Object{{"Bearer", needed}});
  return out;
}

/// Every status that a route can refuse with.
std::vector<int> refusals_of(const Route& route, const Operation& operation) {
  std::vector<int> out = operation.refusals;
  out.insert(out.end(), {400, 500, 503});
  if (route.access.kind != Access::Kind::kPublic) out.insert(out.end(), {401, 403, 429});
  if (!operation.request.empty()) out.insert(out.end(), {408, 413, 415});
  if (route.path.find('{') != std::string_view::npos) out.push_back(404);
  if (route.method == "POST" && route.access.kind != Access::Kind::kPublic) out.push_back(409);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

json::Value content(std::string_view media, std::string_view schema) {
  return json::Object{{std::string(media), json::Object{{"schema", reference(schema)}}}};
}

json::Value responses(const Route& route, const Operation& operation) {
  json::Object out;
  for (const Answer& answer : operation.answers) {
    const std::string status = std::to_string(answer.status);
    json::Value one = json::Object{{"description", net::reason_phrase(answer.status)}};
    if (const json::Value* known = out.find(status)) one = *known;  // in another media type
    if (!answer.schema.empty()) {
      json::Value forms = json::Object();
      if (const json::Value* known = one.find("content")) forms = *known;
      forms.set(answer.media, json::Object{{"schema", reference(answer.schema)}});
      one.set("content", std::move(forms));
    }
    out.set(status, std::move(one));
  }
  for (const int status : refusals_of(route, operation)) {
    out.set(std::to_string(status),
            json::Object{{"description", net::reason_phrase(status)},
                         {"content", content("application/json", "Problem")}});
  }
  return out;
}

json::Value describe(const Route& route, const Operation& operation) {
  json::Object out{{"operationId", operation.id},
                   {"tags", json::Array{operation.tag}},
                   {"summary", operation.summary},
                   {"x-scope", access_text(route.access)},
                   {"security", security(route.access)}};
  json::Array parameters = path_parameters(route.path);
  for (const std::string_view name : operation.parameters) parameters.push_back(parameter(name));
  if (route.access.kind != Access::Kind::kPublic) parameters.push_back(parameter("X-Tenant-ID"));
  if (route.method == "POST" && route.access.kind != Access::Kind::kPublic) {
    parameters.push_back(parameter("Idempotency-Key"));
  }
  if (!parameters.empty()) out.set("parameters", std::move(parameters));
  if (!operation.request.empty()) {
    out.set("requestBody",
            json::Object{{"content", content("application/json", operation.request)}});
  }
  out.set("responses", responses(route, operation));
  return out;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

json::Value security_schemes() {
  return json::Object{
      {"ApiKey", json::Object{{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
      {"Bearer", json::Object{{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}}};
}

}  // namespace

std::string documented_path(std::string_view path) {
  std::string out(path);
  if (out.ends_with("...}")) out.replace(out.size() - 4, 4, "}");
  return out;
}

json::Value openapi_of(const std::vector<Route>& routes) {
  json::Value paths = json::Object();
  for (const Route& route : routes) {
    const std::string path = documented_path(route.path);
    const json::Value* known = paths.find(path);
    json::Value item = known == nullptr ? json::Value(json::Object()) : *known;
    item.set(lower(route.method), describe(route, operation_of(route.operation_id)));
    paths.set(path, std::move(item));
  }
  return json::Object{
      {"openapi", "3.1.0"},
      {"info", json::Object{{"title", "Avow"},
                            {"version", "1"},
                            {"description",
                             "Runs the work of AI agents and can prove what they "
                             "did."},
                            {"license",
                             json::Object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}}}},
      {"servers", json::Array{json::Object{{"url", "/"}}}},
      {"paths", std::move(paths)},
      {"components",
       json::Object{{"securitySchemes", security_schemes()}, {"schemas", openapi_schemas()}}}};
}

std::string openapi_document() { return json::write(openapi_of(all_routes())); }

}  // namespace avow::api
