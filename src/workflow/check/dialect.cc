// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/dialect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "json/pointer.h"
#include "workflow/check/step_types.h"

namespace avow::workflow {
namespace {

/// Null counts as absent.
bool has(const json::Value& step, std::string_view name) {
  const json::Value* member = step.find(name);
  return member != nullptr && !member->is_null();
}

bool is_openapi_step(const json::Value& step) { return has(step, "action") && !has(step, "type"); }

class Adapter {
 public:
  Adapter(bool may_say_input, Adapted& out, Faults& faults)
      : may_say_input_(may_say_input), out_(out), faults_(faults) {}

  json::Value adapt(const json::Value& step, std::size_t index) {
    sent_ = json::join("/steps", index);
    const bool is_agent_action = !step_type_of(step.string_or("action"));
    json::Object result;
    for (const auto& [key, value] : step.as_object()) {
      const bool becomes_config =
          key == "action" || key == "parameters" || (may_say_input_ && key == "input");
      if (key == "config" && !value.is_null()) {
        faults_.push_back({sent_ + "/config", "UNKNOWN_FIELD",
                           "a step with \"action\" has \"parameters\", not \"config\""});
      } else if (!becomes_config) {
        result.set(key, value);
      }
    }
    if (!has(step, "name")) {
      result.set("name", fmt::format("step_{}", index + 1));
      move("/name", "");
    }
    const std::string parameters = parameters_member(step);
    if (is_agent_action) {
      result.set("type", "agent");
      json::Object config{{"action", *step.find("action")}};
      if (!parameters.empty()) config.set("parameters", *step.find(parameters));
      result.set("config", std::move(config));
      move("/config", "");
      move("/config/action", "/action");
      move("/config/parameters", "/" + parameters);
    } else {
      result.set("type", *step.find("action"));
      if (!parameters.empty()) result.set("config", *step.find(parameters));
      move("/config", parameters.empty() ? "" : "/" + parameters);
    }
    move("/type", "/action");
    return result;
  }

 private:
  /// What the step calls its parameters; empty if it has none.
  std::string parameters_member(const json::Value& step) {
    const bool has_parameters = has(step, "parameters");
    const bool has_input = may_say_input_ && has(step, "input");
    if (has_parameters && has_input) {
      faults_.push_back({sent_ + "/input", "INVALID_VALUE",
                         "\"input\" and \"parameters\" of a step are the same; say one of them"});
    }
    if (has_parameters) return "parameters";
    return has_input ? "input" : "";
  }

  void move(std::string_view narrative, std::string_view sent) {
    out_.moved.push_back({fmt::format("{}{}", sent_, narrative), fmt::format("{}{}", sent_, sent)});
  }

  bool may_say_input_;
  Adapted& out_;
  Faults& faults_;
  std::string sent_;  ///< Pointer of the step in hand.
};

}  // namespace

Adapted to_narrative(const json::Value& body, bool may_say_input, Faults& faults) {
  Adapted out{body, {}};
  const json::Value* steps = body.find("steps");
  if (steps == nullptr || !steps->is_array()) return out;
  const json::Array& sent = steps->as_array();
  if (std::none_of(sent.begin(), sent.end(), is_openapi_step)) return out;

  // If no step says what it depends on, the order of the list does.
  const bool in_list_order = std::none_of(
      sent.begin(), sent.end(), [](const json::Value& step) { return has(step, "depends_on"); });
  Adapter adapter(may_say_input, out, faults);
  json::Array adapted;
  for (std::size_t i = 0; i < sent.size(); ++i) {
    json::Value step = is_openapi_step(sent[i]) ? adapter.adapt(sent[i], i) : sent[i];
    if (in_list_order && i > 0 && step.is_object()) {
      const json::Value* before = adapted[i - 1].find("name");
      if (before != nullptr && before->is_string()) {
        step.set("depends_on", json::Array{*before});
        const std::string pointer = json::join("/steps", i);
        out.moved.push_back({pointer + "/depends_on", pointer});
      }
    }
    adapted.push_back(std::move(step));
  }
  out.body.set("steps", std::move(adapted));
  return out;
}

void point_back(const std::vector<Moved>& moved, Faults& faults) {
  for (Fault& fault : faults) {
    const Moved* best = nullptr;
    for (const Moved& move : moved) {
      const bool is_below = fault.pointer.starts_with(move.narrative) &&
                            (fault.pointer.size() == move.narrative.size() ||
                             fault.pointer[move.narrative.size()] == '/');
      if (is_below && (best == nullptr || move.narrative.size() > best->narrative.size()))
        best = &move;
    }
    if (best != nullptr) fault.pointer = best->sent + fault.pointer.substr(best->narrative.size());
  }
}

}  // namespace avow::workflow
