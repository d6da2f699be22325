// SPDX-License-Identifier: Apache-2.0
#include "connectors/tools.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "connectors/url_template.h"
#include "json/pointer.h"
#include "json/schema.h"
#include "json/write.h"
#include "net/http.h"
#include "workflow/check/members.h"
#include "workflow/segments.h"
#include "workflow/template.h"

namespace avow::connectors {
namespace {

using workflow::Fault;
using workflow::Faults;
using workflow::Members;
using workflow::Template;

constexpr std::array<std::string_view, 7> kToolMembers = {
    "name", "description", "input_schema", "output_schema", "scope", "risk_level", "http"};
constexpr std::array<std::string_view, 4> kHttpMembers = {"method", "url", "headers", "body"};
constexpr std::array<std::string_view, 4> kRiskLevels = {"low", "medium", "high", "critical"};
constexpr std::array<std::string_view, 5> kMethods = {"GET", "POST", "PUT", "PATCH", "DELETE"};
/// A literal in one of these would be a credential in the store and in every record.
constexpr std::array<std::string_view, 5> kCredentialHeaders = {
    "authorization", "cookie", "x-api-key", "api-key", "x-auth-token"};

constexpr std::size_t kToolNameMax = 64;  // what model providers accept
constexpr std::int64_t kRenderFuel = 1'000'000;

/// A definition compiled: what a call is made with.
struct Tool {
  std::string method;
  UrlTemplate url;
  Template parts;  ///< {"headers", "body"?}
  bool has_body = false;
};

bool is_tool_name(std::string_view name) {
  return !name.empty() && name.size() <= kToolNameMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-';
         });
}

bool is_credential_header(std::string_view name) {
  return std::any_of(kCredentialHeaders.begin(), kCredentialHeaders.end(),
                     [&](std::string_view one) { return net::equal_ignoring_case(one, name); });
}

void check_headers(const json::Value& headers, Faults& faults) {
  for (const auto& [name, value] : headers.as_object()) {
    const std::string pointer = json::join("/http/headers", name);
    if (!value.is_string()) {
      faults.push_back({pointer, "WRONG_TYPE", "a header must be a string"});
      continue;
    }
    const bool is_secret = !workflow::secret_name(value.as_string()).empty();
    const std::string fault = header_fault(name, value.as_string());
    if (!fault.empty()) faults.push_back({pointer, "BAD_HEADER", "this header " + fault});
    if (is_credential_header(name) && !is_secret) {
      faults.push_back(
          {pointer, "SECRET_REQUIRED", "a credential must be a secret: \"${{ secrets.NAME }}\""});
    }
  }
}

/// Compiles `http`, an object whose members have the right types; nothing if anything is wrong.
std::optional<Tool> compile_tool(const json::Value& http, Faults& faults) {
  const std::size_t faults_before = faults.size();
  auto url = UrlTemplate::compile(http.string_or("url"), "/http/url", faults);
  json::Object parts;
  if (const json::Value* const headers = http.find("headers")) parts.set("headers", *headers);
  if (const json::Value* const body = http.find("body")) parts.set("body", *body);
  const bool has_body = parts.contains("body");
  Template compiled = Template::compile(std::move(parts), "/http", true, faults);
  for (const workflow::TemplateReference& use : compiled.references()) {
    if (use.reference.root == "arguments") continue;
    faults.push_back({"/http" + use.pointer, "UNKNOWN_NAME",
                      fmt::format("a tool knows only `arguments`, not `{}`", use.reference.root),
                      use.reference.line, use.reference.column});
  }
  if (!url || faults.size() != faults_before) return std::nullopt;
  return Tool{http.string_or("method"), std::move(*url), std::move(compiled), has_body};
}

void check_secrets(TenantId tenant, const Tool& tool, const SecretStore& secrets, Faults& faults) {
  for (const auto& [pointer, name] : tool.parts.secrets()) {
    const auto checked = secrets.check(tenant, name, tool.url.base());
    if (!checked) faults.push_back({"/http" + pointer, "UNKNOWN_SECRET", checked.error().message});
  }
}

/// `http` with its defaults; checks what compile_tool() takes for granted.
json::Value normalise_http(TenantId tenant, const json::Value& value, const SecretStore& secrets,
                           Faults& faults) {
  const std::size_t faults_before = faults.size();
  Members http(value, "/http", kHttpMembers, faults);
  http.one_of("method", kMethods);
  if (http.is_object() && http.require("url")) http.text("url", 1, kUrlBytesMax);
  if (const json::Value* const headers = http.typed("headers", json::Type::kObject)) {
    check_headers(*headers, faults);
  }
  if (http.has("body") && value.string_or("method") == "GET") {
    http.fault("body", "NOT_ALLOWED", "a GET has no body");
  }
  json::Value out = http.in_order({{"method", "POST"}, {"headers", json::Object()}});
  if (faults.size() != faults_before) return out;
  if (const auto tool = compile_tool(out, faults)) check_secrets(tenant, *tool, secrets, faults);
  return out;
}

/// Providers demand that a tool's input is an object; a schema that leaves it open gets the type.
void complete_input_schema(json::Value& tool, Faults& faults) {
  json::Value schema =
      tool.find("input_schema") ? *tool.find("input_schema") : json::Value(json::Object());
  const json::Value* const type = schema.find("type");
  if (!schema.is_object()) {
    faults.push_back({"/input_schema", "BAD_SCHEMA", "a tool's input_schema must be an object"});
  } else if (type == nullptr) {
    schema.set("type", "object");
    tool.set("input_schema", std::move(schema));
  } else if (!(*type == json::Value("object"))) {
    faults.push_back({"/input_schema/type", "BAD_SCHEMA",
                      "a tool's arguments are an object: type must be \"object\""});
  }
}

std::string faults_text(const std::vector<json::SchemaFault>& faults) {
  std::string out;
  for (const json::SchemaFault& fault : faults) {
    if (!out.empty()) out += "; ";
    out +=
        fmt::format("{}: {}", fault.pointer.empty() ? "the whole" : fault.pointer, fault.message);
  }
  return out;
}

/// Errors: kInvalidArgument  every fault, with its pointer; kResourceExhausted  too much work
Result<void> check_against(const json::Value* schema, const json::Value& value) {
  if (schema == nullptr) return {};
  ASSIGN_OR_RETURN(const json::Schema compiled, json::Schema::compile(*schema));
  ASSIGN_OR_RETURN(const auto faults, compiled.validate(value));
  if (faults.empty()) return {};
  return failure(Code::kInvalidArgument, "{}", faults_text(faults));
}

/// A secret in the arguments can be followed only where they are the body as they stand: anything
/// that an expression makes of the placeholder would be sent as the placeholder's text.
Result<void> add_argument_secrets(const engine::CallSpec& spec, const Tool& tool,
                                  RequestBuilder& request) {
  constexpr std::string_view kArguments = "/arguments";
  for (const auto& [pointer, name] : spec.secrets) {
    const bool is_sent_as_is = pointer.starts_with("/arguments/") && !tool.has_body &&
                               tool.url.is_constant() && tool.parts.is_constant();
    if (!is_sent_as_is) {
      return failure(Code::kPermissionDenied,
                     "secret {} at \"{}\": a secret among a tool's arguments needs a tool without "
                     "templates that sends them as its body",
                     name, shown(pointer));
    }
    request.secret("/body" + pointer.substr(kArguments.size()), name);
  }
  return {};
}

bool sends_arguments(const Tool& tool) {
  return !tool.has_body && tool.method != "GET" && tool.method != "DELETE";
}

Result<void> add_parts(const workflow::Rendered& parts, RequestBuilder& request) {
  if (const json::Value* const headers = parts.value.find("headers");
      headers && headers->is_object()) {
    for (const auto& [name, value] : headers->as_object()) {
      if (value.is_null() || value.is_array() || value.is_object()) {
        return failure(Code::kInvalidArgument, "header {}: only text, numbers and booleans fit",
                       shown(name));
      }
      request.header(name, value.is_string() ? value.as_string() : json::write_canonical(value));
    }
  }
  if (const json::Value* const body = parts.value.find("body")) request.body(*body);
  for (const auto& [pointer, name] : parts.secrets) request.secret(pointer, name);
  return {};
}

}  // namespace

std::variant<json::Value, Faults> normalise_tool(TenantId tenant, const json::Value& body,
                                                 const SecretStore& secrets) {
  Faults faults;
  Members tool(body, "", kToolMembers, faults);
  if (!tool.is_object()) return faults;
  if (tool.require("name")) {
    const auto name = tool.text("name", 1, kToolNameMax);
    if (name && !is_tool_name(*name)) {
      tool.fault("name", "ILL_FORMED_NAME",
                 "a tool's name has up to 64 letters, digits, \"_\" or \"-\"");
    }
  }
  tool.text("description", 0, 2048);
  tool.text("scope", 1, 128);
  tool.one_of("risk_level", kRiskLevels);
  const json::Value* const input_schema = tool.schema("input_schema");
  tool.schema("output_schema");
  json::Value out = tool.in_order({{"description", ""}, {"risk_level", "medium"}});
  if (input_schema != nullptr || !tool.has("input_schema")) complete_input_schema(out, faults);
  if (tool.require("http")) {
    out.set("http", normalise_http(tenant, *tool.find("http"), secrets, faults));
  }
  if (!faults.empty()) return faults;
  return out;
}

Result<json::Value> render_tool(TenantId tenant, const engine::CallSpec& spec,
                                const SecretStore& secrets) {
  const json::Value* const definition = spec.value.find("tool");
  const json::Value* const http = definition == nullptr ? nullptr : definition->find("http");
  if (http == nullptr) return failure(Code::kInvalidArgument, "the call names no tool");
  const json::Value* const given = spec.value.find("arguments");
  const json::Value arguments = given == nullptr || given->is_null() ? json::Object() : *given;
  const auto fits = check_against(definition->find("input_schema"), arguments);
  if (!fits) return fits.error().in("arguments");

  Faults faults;
  const auto tool = compile_tool(*http, faults);
  if (!tool) {
    return failure(Code::kInvalidArgument, "tool: {}: {}", faults.front().pointer,
                   faults.front().message);
  }
  std::int64_t fuel = kRenderFuel;
  ASSIGN_OR_RETURN(const std::string url, tool->url.render(arguments, fuel));
  const auto rendered = tool->parts.render(ArgumentsEnvironment(arguments), fuel);
  if (const auto* const error = std::get_if<cel::EvalError>(&rendered)) {
    return failure(Code::kInvalidArgument, "{}", error->message);
  }
  RequestBuilder request("tool", tool->method, url);
  RETURN_IF_ERROR(add_parts(std::get<workflow::Rendered>(rendered), request));
  RETURN_IF_ERROR(add_argument_secrets(spec, *tool, request));
  if (sends_arguments(*tool)) request.body(arguments);
  request.member("tool", definition->string_or("name"));
  if (const json::Value* const schema = definition->find("output_schema")) {
    request.member("output_schema", *schema);
  }
  return std::move(request).finish(tenant, secrets);
}

engine::CallOutcome read_tool(const json::Value& request, const net::ClientResponse& response,
                              const Redactor& redactor) {
  const auto refuse = [&](const std::string& why) {
    engine::CallError error;
    error.code = "TOOL_OUTPUT_INVALID";
    error.message = why;
    error.detail =
        json::Object{{"status", response.status}, {"body", readable_body(response, redactor)}};
    return error;
  };
  const auto body = body_value(response);
  if (!body) return refuse(body.error().message);
  engine::CallResult result;
  result.value = redactor.value(*body);
  const auto fits = check_against(request.find("output_schema"), result.value);
  if (!fits) return refuse(fits.error().in("output").message);
  return result;
}

}  // namespace avow::connectors
