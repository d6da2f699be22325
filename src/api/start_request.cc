// SPDX-License-Identifier: Apache-2.0
// The members of both execute requests, each with its type and range.
#include <algorithm>

#include "api/start.h"
#include "auth/fields.h"
#include "json/pointer.h"

namespace avow::api {
namespace {

constexpr std::size_t kAgentsMax = 64;
constexpr std::size_t kLabelsMax = 16;
constexpr std::size_t kLabelKeyMax = 64;
constexpr std::size_t kLabelValueMax = 256;
constexpr std::int64_t kMaxStepsMax = 1000;
constexpr std::int64_t kTimeoutSecondsMax = 2'592'000;

using auth::FaultKind;
using auth::Fields;

class Reader {
 public:
  explicit Reader(const json::Value& body) : fields_(body, faults_) {}

  void wrong_type(std::string pointer, std::string_view allowed) {
    fields_.fault(FaultKind::kMalformed, std::move(pointer), "WRONG_TYPE",
                  fmt::format("must be {}", allowed));
  }

  std::optional<Id> id(std::string_view name) {
    const json::Value* value = fields_.any(name);
    return value == nullptr ? std::nullopt : id_at(*value, json::join("", name));
  }

  std::vector<Id> ids(std::string_view name, bool& is_there) {
    std::vector<Id> out;
    const json::Value* value = fields_.any(name);
    is_there = value != nullptr;
    if (value == nullptr) return out;
    const std::string pointer = json::join("", name);
    if (!value->is_array()) {
      wrong_type(pointer, "a list of agent ids");
      return out;
    }
    for (std::size_t i = 0; i < value->as_array().size(); ++i) {
      const auto id = id_at(value->as_array()[i], json::join(pointer, i));
      if (id && std::find(out.begin(), out.end(), *id) == out.end()) out.push_back(*id);
    }
    if (out.size() > kAgentsMax) {
      fields_.fault(FaultKind::kInvalid, pointer, "TOO_MANY",
                    fmt::format("may name at most {} agents", kAgentsMax));
    }
    return out;
  }

  std::optional<json::Value> object(std::string_view name) {
    const json::Value* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_object()) return *value;
    wrong_type(json::join("", name), "an object");
    return std::nullopt;
  }

  std::optional<json::Value> array(std::string_view name) {
    const json::Value* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_array()) return *value;
    wrong_type(json::join("", name), "a list");
    return std::nullopt;
  }

  bool boolean(std::string_view name) {
    const json::Value* value = fields_.any(name);
    if (value == nullptr) return false;
    if (value->is_bool()) return value->as_bool();
    wrong_type(json::join("", name), "true or false");
    return false;
  }

  std::optional<std::int64_t> integer(std::string_view name, std::int64_t max,
                                      std::int64_t min = 1) {
    const json::Value* value = fields_.any(name);
    if (value == nullptr) return std::nullopt;
    const std::string pointer = json::join("", name);
    if (!value->is_int()) {
      wrong_type(pointer, "a whole number");
      return std::nullopt;
    }
    if (value->as_int() < min || value->as_int() > max) {
      fields_.fault(FaultKind::kInvalid, pointer, "OUT_OF_RANGE",
                    fmt::format("must be from {} to {}", min, max));
    }
    return value->as_int();
  }

  std::string text(std::string_view name, std::size_t characters_max) {
    return fields_.text(name, {.characters_min = 1, .characters_max = characters_max}).value_or("");
  }

  std::vector<std::pair<std::string, std::string>> labels() {
    std::vector<std::pair<std::string, std::string>> out;
    const auto value = object("labels");
    if (!value) return out;
    if (value->as_object().size() > kLabelsMax) {
      fields_.fault(FaultKind::kInvalid, "/labels", "TOO_MANY",
                    fmt::format("may have at most {} members", kLabelsMax));
    }
    for (const auto& [key, label] : value->as_object()) {
      const std::string pointer = json::join("/labels", key);
      if (!label.is_string()) {
        wrong_type(pointer, "a string");
      } else if (key.empty() || key.size() > kLabelKeyMax ||
                 label.as_string().size() > kLabelValueMax) {
        fields_.fault(FaultKind::kInvalid, pointer, "TOO_LONG",
                      fmt::format("a label's name has 1 to {} bytes and its value at most {}",
                                  kLabelKeyMax, kLabelValueMax));
      } else {
        out.emplace_back(key, label.as_string());
      }
    }
    return out;
  }

  std::vector<auth::Fault>& finish() {
    fields_.refuse_unknown();
    return faults_;
  }

 private:
  std::optional<Id> id_at(const json::Value& value, const std::string& pointer) {
    if (!value.is_string()) {
      wrong_type(pointer, "an id: a UUID, or a ULID with or without its prefix");
      return std::nullopt;
    }
    const auto id = parse_id(value.as_string());
    if (id) return *id;
    fields_.fault(FaultKind::kMalformed, pointer, "INVALID_ID", id.error().message);
    return std::nullopt;
  }

  std::vector<auth::Fault> faults_;
  Fields fields_;
};

}  // namespace

std::variant<StartRequest, Problem> read_start_request(const json::Value& body, StartKind kind) {
  Reader reader(body);
  StartRequest request;
  if (const auto id = reader.id("agent_id")) request.agent = AgentId{*id};
  request.input = reader.object("input");
  request.parameters = reader.object("parameters").value_or(json::Object());
  request.is_dry_run = reader.boolean("dry_run");
  request.timeout_seconds = reader.integer("timeout_seconds", kTimeoutSecondsMax);
  request.max_steps = reader.integer("max_steps", kMaxStepsMax);
  request.priority = reader.integer("priority", engine::kPriorityMax, 0);
  request.labels = reader.labels();
  if (kind == StartKind::kOrchestration) {
    for (const Id& id : reader.ids("agents", request.has_agents))
      request.agents.push_back(AgentId{id});
    if (const auto id = reader.id("workflow_id")) request.workflow = WorkflowId{*id};
    request.model = reader.text("model", 256);
    request.name = reader.text("name", 256);
    request.steps = reader.array("steps");
  }
  const auto& faults = reader.finish();
  if (!faults.empty()) return problem_of(faults);
  return request;
}

}  // namespace avow::api
