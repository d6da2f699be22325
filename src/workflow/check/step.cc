// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/step.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "json/pointer.h"
#include "workflow/check/members.h"
#include "workflow/check/names.h"
#include "workflow/check/retry.h"
#include "workflow/check/step_types.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kOverridableMax = 32;

constexpr auto kStep = std::to_array<std::string_view>(
    {"name", "type", "config", "depends_on", "agent_id", "condition", "timeout_seconds", "retry",
     "on_failure", "on_crash", "output_schema", "overridable", "for_each", "max_parallel",
     "compensate"});
constexpr auto kCompensation =
    std::to_array<std::string_view>({"name", "type", "config", "agent_id", "timeout_seconds",
                                     "retry", "on_crash", "output_schema"});
constexpr std::int64_t kParallelMax = 256;
constexpr std::int64_t kParallelDefault = 10;
constexpr std::int64_t kCompensationSeconds = 60;

/// What has no items: a step that others stand on branches of, or that is a wait itself.
constexpr auto kWithoutItems =
    std::to_array<StepType>({StepType::kDecision, StepType::kWait, StepType::kApproval});
/// What can undo: it acts, or makes a value, and waits for no person.
constexpr auto kUndoing =
    std::to_array<StepType>({StepType::kTransform, StepType::kLlmInference, StepType::kToolCall,
                             StepType::kWebhook, StepType::kAgent});

template <std::size_t N>
bool is_among(const std::array<StepType, N>& types, StepType type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

constexpr auto kOnFailure = std::to_array<std::string_view>({"abort", "skip", "continue"});
constexpr auto kOnCrash = std::to_array<std::string_view>({"retry", "fail"});

class StepChecker {
 public:
  /// `undone`: the name of the step that this one compensates; none: it is a step itself.
  StepChecker(const json::Value& step, const std::string& pointer, const Catalog& catalog,
              Faults& faults, std::optional<std::string> undone = {})
      : members_(step, pointer, undone ? Names(kCompensation) : Names(kStep), faults),
        catalog_(catalog),
        faults_(faults),
        undone_(std::move(undone)) {
    out_.pointer = pointer;
  }

  CheckedStep check() {
    if (undone_ && !members_.has("name")) {
      name_undoing();
    } else {
      check_own_name();
    }
    check_type();
    bool calls_outside = false;
    json::Value config = json::Object();
    if (out_.type) {
      const json::Value none = json::Object();
      const json::Value* sent = members_.find("config");
      // What an absent config lacks is missing where the step stands.
      CheckedConfig checked =
          sent == nullptr
              ? check_config(*out_.type, none, members_.pointer(), catalog_, faults_)
              : check_config(*out_.type, *sent, members_.at("config"), catalog_, faults_);
      config = std::move(checked.normalised);
      calls_outside = checked.calls_outside;
      out_.config_references = std::move(checked.references);
      out_.branches = std::move(checked.branches);
      out_.uses_secrets = !checked.secrets.empty();
      out_.waits_long = checked.waits_long;
    }
    if (!undone_) check_depends_on();
    check_options();
    write_out(std::move(config), calls_outside);
    return std::move(out_);
  }

 private:
  void check_own_name() {
    if (!members_.require("name")) return;
    const json::Value* name = members_.typed("name", json::Type::kString);
    if (name == nullptr) return;
    if (const auto wrong = check_name(name->as_string())) {
      members_.fault("name", wrong->code, wrong->message);
    } else {
      out_.name = name->as_string();
    }
  }

  void name_undoing() {
    if (undone_->empty()) return;
    out_.name = "compensate_" + *undone_;
    if (const auto wrong = check_name(out_.name)) {
      members_.fault("name", wrong->code,
                     fmt::format("the name \"{}\" that it would get is none: {}; give it one",
                                 shown(out_.name), wrong->message));
    }
  }

  void check_type() {
    if (!members_.require("type")) return;
    const json::Value* type = members_.typed("type", json::Type::kString);
    if (type == nullptr) return;
    out_.type = step_type_of(type->as_string());
    if (out_.type && undone_ && !is_among(kUndoing, *out_.type)) {
      members_.fault("type", "INVALID_VALUE",
                     fmt::format("\"{}\" cannot compensate; allowed: transform, llm_inference, "
                                 "tool_call, webhook, agent",
                                 type->as_string()));
    }
    if (out_.type) return;
    members_.fault(
        "type", "UNKNOWN_TYPE",
        fmt::format("no step type \"{}\"{}{} allowed: {}", shown(type->as_string()),
                    suggestion(type->as_string(), kStepTypeNames),
                    nearest(type->as_string(), kStepTypeNames) ? "" : ";", listed(kStepTypeNames)));
  }

  void check_depends_on() {
    const json::Value* list = members_.typed("depends_on", json::Type::kArray);
    if (list == nullptr) return;
    if (list->as_array().size() >= kStepsMax) {
      return members_.fault("depends_on", "OUT_OF_RANGE",
                            fmt::format("must have fewer than {} elements", kStepsMax));
    }
    std::set<std::string> seen;
    for (std::size_t i = 0; i < list->as_array().size(); ++i) {
      const json::Value& name = list->as_array()[i];
      const std::string pointer = json::join(members_.at("depends_on"), i);
      if (!name.is_string()) {
        members_.fault_at(pointer, "WRONG_TYPE", "must be the name of a step");
      } else if (!seen.insert(name.as_string()).second) {
        members_.fault_at(pointer, "DUPLICATE",
                          fmt::format("\"{}\" is there twice", shown(name.as_string())));
      } else {
        out_.depends_on.push_back({name.as_string(), pointer});
      }
    }
  }

  void check_options() {
    check_items();
    if (const json::Value* undo = members_.find("compensate")) {
      out_.compensation.push_back(
          StepChecker(*undo, members_.at("compensate"), catalog_, faults_, out_.name).check());
      out_.uses_secrets = out_.uses_secrets || out_.compensation.front().uses_secrets;
    }
    if (const json::Value* condition = members_.find("condition")) {
      check_expression(*condition, members_.at("condition"), out_.references, faults_);
    }
    members_.integer("timeout_seconds", 1, kTimeoutSecondsMax);
    out_.continues = members_.one_of("on_failure", kOnFailure) == "continue";
    members_.one_of("on_crash", kOnCrash);
    members_.schema("output_schema");
    check_overridable();
  }

  void check_items() {
    const json::Value* items = members_.find("for_each");
    members_.integer("max_parallel", 1, kParallelMax);
    if (items == nullptr) {
      if (members_.has("max_parallel")) {
        members_.fault("max_parallel", "INVALID_VALUE", "goes only with \"for_each\"");
      }
      return;
    }
    out_.has_items = true;
    check_expression(*items, members_.at("for_each"), out_.references, faults_);
    if (!out_.type || !is_among(kWithoutItems, *out_.type)) return;
    members_.fault("for_each", "INVALID_VALUE",
                   fmt::format("a step of the type \"{}\" cannot have \"for_each\"",
                               step_type_name(*out_.type)));
  }

  void check_overridable() {
    const json::Value* list = members_.typed("overridable", json::Type::kArray);
    if (list == nullptr) return;
    if (list->as_array().size() > kOverridableMax) {
      return members_.fault("overridable", "OUT_OF_RANGE",
                            fmt::format("must have at most {} elements", kOverridableMax));
    }
    for (std::size_t i = 0; i < list->as_array().size(); ++i) {
      const json::Value& pointer = list->as_array()[i];
      const bool good = pointer.is_string() && pointer.as_string().starts_with('/') &&
                        json::tokens(pointer.as_string()).has_value();
      if (good) continue;
      members_.fault_at(json::join(members_.at("overridable"), i),
                        pointer.is_string() ? "INVALID_VALUE" : "WRONG_TYPE",
                        "must be a JSON Pointer into the step's config, such as \"/url\"");
    }
  }

  void write_out(json::Value config, bool calls_outside) {
    json::Object defaults{
        {"config", json::Object()}, {"retry", json::Object()}, {"on_crash", "retry"}};
    if (undone_) {
      if (!out_.name.empty()) defaults.set("name", out_.name);
      defaults.set("timeout_seconds", kCompensationSeconds);
    } else {
      defaults.set("depends_on", json::Array());
      defaults.set("on_failure", "abort");
    }
    if (out_.has_items) defaults.set("max_parallel", kParallelDefault);
    out_.normalised = members_.in_order(defaults);
    out_.normalised.set("config", std::move(config));
    if (!out_.compensation.empty()) {
      out_.normalised.set("compensate", out_.compensation.front().normalised);
    }
    out_.normalised.set(
        "retry", check_retry(members_.find("retry"), calls_outside, members_.at("retry"), faults_));
    if (const json::Value* id = members_.find("agent_id")) {
      const auto uuid = check_agent_id(*id, members_.at("agent_id"), catalog_, faults_);
      if (uuid) out_.normalised.set("agent_id", *uuid);
    }
    if (const json::Value* list = out_.normalised.find("overridable");
        list != nullptr && list->is_array()) {
      // A set: neither order nor repetition means anything.
      std::set<std::string> pointers;
      for (const json::Value& pointer : list->as_array()) {
        if (pointer.is_string()) pointers.insert(pointer.as_string());
      }
      if (pointers.empty()) {
        out_.normalised.mutable_object().erase("overridable");
      } else {
        out_.normalised.set("overridable", json::Array(pointers.begin(), pointers.end()));
      }
    }
  }

  Members members_;
  const Catalog& catalog_;
  Faults& faults_;
  const std::optional<std::string> undone_;
  CheckedStep out_;
};

}  // namespace

CheckedStep check_step(const json::Value& step, const std::string& pointer, const Catalog& catalog,
                       Faults& faults) {
  return StepChecker(step, pointer, catalog, faults).check();
}

std::optional<std::string> check_agent_id(const json::Value& id, const std::string& pointer,
                                          const Catalog& catalog, Faults& faults) {
  const auto parsed = id.is_string() ? parse_id(id.as_string())
                                     : Result<Id>(failure(Code::kInvalidArgument, "no string"));
  if (!parsed) {
    faults.push_back({pointer, id.is_string() ? "ILL_FORMED_ID" : "WRONG_TYPE",
                      "must be an agent's id: a UUID, or \"maip-agent:\" with a ULID"});
    return std::nullopt;
  }
  if (!catalog.has_agent(AgentId{*parsed})) {
    faults.push_back({pointer, "NOT_FOUND", fmt::format("no agent {}", parsed->uuid())});
  }
  return parsed->uuid();
}

}  // namespace avow::workflow
