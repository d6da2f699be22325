// SPDX-License-Identifier: Apache-2.0
#include "api/request_body.h"

#include <algorithm>

#include "json/parse.h"

namespace avow::api {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_utf8_charset(std::string_view parameter) {
  parameter = trimmed(parameter);
  const std::size_t equals = parameter.find('=');
  if (equals == std::string_view::npos) return parameter.empty();
  std::string_view value = parameter.substr(equals + 1);
  if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"')) {
    value = value.substr(1, value.size() - 2);
  }
  return net::equal_ignoring_case(parameter.substr(0, equals), "charset") &&
         net::equal_ignoring_case(value, "utf-8");
}

bool is_json(const net::Headers& headers) {
  const auto types = headers.all("Content-Type");
  if (types.size() != 1) return false;
  std::string_view rest = types[0];
  const std::size_t end = std::min(rest.find(';'), rest.size());
  if (!net::equal_ignoring_case(trimmed(rest.substr(0, end)), "application/json")) return false;
  rest.remove_prefix(end);
  return rest.empty() || is_utf8_charset(rest.substr(1));
}

bool is_encoded(const net::Headers& headers) {
  const auto encodings = headers.all("Content-Encoding");
  return std::any_of(encodings.begin(), encodings.end(), [](std::string_view encoding) {
    return !net::equal_ignoring_case(encoding, "identity");
  });
}

Problem not_json(const json::ParseFault& fault) {
  if (fault.error.code == Code::kResourceExhausted) return problem(413, fault.error.message);
  Problem out =
      problem_at(400, fault.pointer, "the body is not valid JSON: " + fault.error.message);
  out.details.set("error_id", "BAD_JSON");
  out.details.set("errors", json::Array{json::Object{{"pointer", fault.pointer},
                                                     {"code", "BAD_JSON"},
                                                     {"message", fault.error.message},
                                                     {"line", fault.line},
                                                     {"column", fault.column}}});
  return out;
}

json::Value without_nulls(const json::Value& body) {
  json::Object out;
  for (const json::Member& member : body.as_object()) {
    if (!member.value.is_null()) out.add(member.key, member.value);
  }
  return out;
}

}  // namespace

std::optional<Problem> refuse_media_type(const net::Request& request) {
  if (!is_json(request.headers)) {
    return problem(415, "the body must be JSON: send Content-Type: application/json");
  }
  if (is_encoded(request.headers)) return problem(415, "an encoded body is not accepted");
  return {};
}

std::variant<json::Value, Problem> read_body(const net::Request& request) {
  const bool has_none = request.method == "GET" || request.method == "DELETE";
  if (has_none || request.body.empty()) return json::Value(json::Object());
  if (auto refused = refuse_media_type(request)) return std::move(*refused);
  json::ParseFault fault;
  auto body = json::parse(request.body, {}, fault);
  if (!body) return not_json(fault);
  if (!body->is_object()) {
    return problem_at(
        400, "", fmt::format("the body must be an object, is {}", json::type_name(body->type())));
  }
  if (request.method == "PATCH") return std::move(*body);
  return without_nulls(*body);
}

}  // namespace avow::api
