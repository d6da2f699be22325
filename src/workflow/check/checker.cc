// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/checker.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/pointer.h"
#include "json/write.h"
#include "workflow/check/cron.h"
#include "workflow/check/members.h"
#include "workflow/check/names.h"
#include "workflow/check/references.h"
#include "workflow/check/time_zones.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kWorkflowNameMax = 256;
constexpr std::size_t kDescriptionMax = 4096;
constexpr std::size_t kParametersMax = 100;
constexpr std::size_t kLabelKeyMax = 64;
constexpr std::size_t kLabelValueMax = 256;
constexpr double kCostCentsMax = 1e9;  // ten million dollars
constexpr std::int64_t kTokensMax = 1'000'000'000'000;

constexpr auto kTop = std::to_array<std::string_view>(
    {"name", "version", "description", "agent_id", "input_schema", "parameters", "model",
     "timeout_seconds", "max_steps", "budget", "steps", "output", "triggers", "labels"});
constexpr auto kInlineTop = std::to_array<std::string_view>({"parameters", "steps"});
constexpr auto kBudget = std::to_array<std::string_view>({"max_cost_cents", "max_tokens"});
constexpr auto kTriggers = std::to_array<std::string_view>({"cron", "time_zone", "active"});

class Checker {
 public:
  Checker(const json::Value& body, Kind kind, const Catalog& catalog, Faults& faults)
      : kind_(kind),
        members_(body, "", kind == Kind::kInline ? Names(kInlineTop) : Names(kTop), faults),
        catalog_(catalog),
        faults_(faults) {}

  Definition check() {
    if (kind_ != Kind::kInline) check_about();
    check_parameters();
    check_steps();
    const json::Object defaults =
        kind_ == Kind::kInline ? json::Object{{"parameters", json::Object()}}
                               : json::Object{{"version", "1.0.0"}, {"parameters", json::Object()}};
    Definition out;
    out.body = members_.in_order(defaults);
    for (const auto& [name, value] : replaced_) out.body.set(name, value);
    const json::Value* labels = out.body.find("labels");
    if (labels != nullptr && labels->is_object() && labels->as_object().empty()) {
      out.body.mutable_object().erase("labels");
    }
    out.name = out.body.string_or("name");
    out.version = out.body.string_or("version");
    out.uses_secrets = uses_secrets_;
    out.needs_timeout = needs_timeout_;
    out.digest = to_hex(view_of(crypto::sha256(json::write_canonical(out.body))));
    return out;
  }

 private:
  void check_about() {
    members_.require("name");
    members_.text("name", 1, kWorkflowNameMax);
    const json::Value* version = members_.typed("version", json::Type::kString);
    if (version != nullptr && !is_version(version->as_string())) {
      members_.fault("version", "BAD_VERSION",
                     "must be a semantic version of at most 64 characters, like 1.4.0");
    }
    members_.text("description", 0, kDescriptionMax);
    if (const json::Value* id = members_.find("agent_id")) {
      const auto uuid = check_agent_id(*id, "/agent_id", catalog_, faults_);
      if (uuid) replaced_.set("agent_id", *uuid);
    }
    members_.schema("input_schema");
    if (const auto model = members_.text("model", 1, 256); model && !catalog_.has_model(*model)) {
      members_.fault("model", "UNKNOWN_MODEL",
                     fmt::format("no model \"{}\" is configured", shown(*model)));
    }
    members_.integer("timeout_seconds", 1, kTimeoutSecondsMax);
    members_.integer("max_steps", 1, kMaxStepsMax);
    check_budget();
    check_labels();
    check_triggers();
  }

  void check_budget() {
    const json::Value* sent = members_.find("budget");
    if (sent == nullptr) return;
    Members budget(*sent, "/budget", kBudget, faults_);
    budget.number("max_cost_cents", 0, kCostCentsMax);
    budget.integer("max_tokens", 1, kTokensMax);
    if (budget.is_object() && !budget.has("max_cost_cents") && !budget.has("max_tokens")) {
      members_.fault("budget", "MISSING_FIELD", "needs \"max_cost_cents\" or \"max_tokens\"");
    }
    replaced_.set("budget", budget.in_order({}));
  }

  void check_labels() {
    const json::Value* labels = members_.typed("labels", json::Type::kObject);
    if (labels == nullptr) return;
    if (labels->as_object().size() > kLabelsMax) {
      return members_.fault("labels", "OUT_OF_RANGE",
                            fmt::format("must be at most {} labels", kLabelsMax));
    }
    for (const auto& [key, value] : labels->as_object()) {
      const std::string pointer = json::join("/labels", key);
      if (key.empty() || characters_of(key) > kLabelKeyMax) {
        members_.fault_at(
            pointer, "OUT_OF_RANGE",
            fmt::format("the name of a label must have 1 to {} characters", kLabelKeyMax));
      }
      if (!value.is_string()) {
        members_.fault_at(pointer, "WRONG_TYPE",
                          fmt::format("must be a string, not {}", with_article(value.type())));
      } else if (characters_of(value.as_string()) > kLabelValueMax) {
        members_.fault_at(pointer, "OUT_OF_RANGE",
                          fmt::format("must have at most {} characters", kLabelValueMax));
      }
    }
  }

  /// Kept for the day when something fires them; until then they say that they do not.
  void check_triggers() {
    const json::Value* sent = members_.find("triggers");
    if (sent == nullptr) return;
    Members triggers(*sent, "/triggers", kTriggers, faults_);
    triggers.require("cron");
    if (const json::Value* cron = triggers.typed("cron", json::Type::kString)) {
      if (const auto wrong = check_cron(cron->as_string()))
        triggers.fault("cron", "BAD_CRON", *wrong);
    }
    if (const json::Value* zone = triggers.typed("time_zone", json::Type::kString)) {
      if (!is_time_zone(zone->as_string())) {
        triggers.fault(
            "time_zone", "BAD_TIME_ZONE",
            fmt::format("\"{}\" is no time zone of the IANA database{}", shown(zone->as_string()),
                        suggestion(zone->as_string(), time_zones())));
      }
    }
    if (triggers.boolean("active").value_or(false)) triggers.refuse("active", "firing a trigger");
    json::Value kept = triggers.in_order({{"time_zone", "UTC"}});
    kept.set("active", false);
    replaced_.set("triggers", std::move(kept));
  }

  void check_parameters() {
    const json::Value* parameters = members_.typed("parameters", json::Type::kObject);
    if (parameters == nullptr) return;
    if (parameters->as_object().size() > kParametersMax) {
      return members_.fault("parameters", "OUT_OF_RANGE",
                            fmt::format("must be at most {} parameters", kParametersMax));
    }
    for (const auto& member : parameters->as_object()) {
      if (const auto wrong = check_name(member.key)) {
        members_.fault_at(json::join("/parameters", member.key), wrong->code, wrong->message);
      }
    }
    if (!parameters->as_object().empty()) declared_ = parameters;
  }

  void check_steps() {
    members_.require("steps");
    const json::Value* list = members_.typed("steps", json::Type::kArray);
    std::vector<CheckedStep> steps;
    if (list != nullptr) {
      const std::size_t count = list->as_array().size();
      if (count < 1 || count > kStepsMax) {
        members_.fault("steps", "OUT_OF_RANGE",
                       fmt::format("must be 1 to {} steps, not {}", kStepsMax, count));
      }
      // Beyond the limit nothing is looked at: what is reported must stay bounded too.
      for (std::size_t i = 0; i < std::min(count, kStepsMax); ++i) {
        steps.push_back(
            check_step(list->as_array()[i], json::join("/steps", i), catalog_, faults_));
      }
    }
    check_together(steps);
  }

  void check_together(std::vector<CheckedStep>& steps) {
    const References references(steps, declared_, faults_);
    json::Array normalised;
    for (std::size_t i = 0; i < steps.size(); ++i) {
      references.check_step(i, faults_);
      check_clash(steps[i]);
      check_wait(steps[i]);
      uses_secrets_ = uses_secrets_ || steps[i].uses_secrets;
      json::Value step = steps[i].normalised;
      step.set("depends_on", references.depends_on(i));
      normalised.push_back(std::move(step));
    }
    replaced_.set("steps", std::move(normalised));
    if (const json::Value* output = members_.find("output"); output != nullptr) {
      const Template compiled = Template::compile(*output, "/output", false, faults_);
      std::vector<TemplateReference> uses = compiled.references();
      for (TemplateReference& use : uses) use.pointer.insert(0, "/output");
      references.check_output(uses, faults_);
    }
  }

  void check_clash(const CheckedStep& step) {
    if (declared_ == nullptr || step.name.empty() || declared_->find(step.name) == nullptr) return;
    members_.fault_at(json::join("/parameters", step.name), "NAME_CLASH",
                      fmt::format("\"{}\" is the name of a step; a key of an execute request could "
                                  "mean either",
                                  step.name));
  }

  void check_wait(const CheckedStep& step) {
    if (!step.waits_long || members_.has("timeout_seconds")) return;
    needs_timeout_ = true;
    if (kind_ != Kind::kWorkflow) return;
    const json::Value* config = step.normalised.find("config");
    const bool is_until = config->find("until") != nullptr;
    const bool is_wait = step.type == StepType::kWait;
    const char* const member = is_until ? "/config/until" : is_wait ? "/config/seconds" : "/type";
    members_.fault_at(step.pointer + member, "TIMEOUT_REQUIRED",
                      fmt::format("{} needs \"timeout_seconds\" at the top of the definition",
                                  is_wait ? fmt::format("a wait longer than {} s, or until a time,",
                                                        kLongWaitSeconds)
                                          : std::string("an approval")));
  }

  Kind kind_;
  Members members_;
  const Catalog& catalog_;
  Faults& faults_;
  const json::Value* declared_ = nullptr;  ///< The parameters, if there are any.
  json::Object replaced_;  ///< Members whose normalised form differs from what was sent.
  bool uses_secrets_ = false;
  bool needs_timeout_ = false;
};

}  // namespace

Definition check_definition(const json::Value& body, Kind kind, const Catalog& catalog,
                            Faults& faults) {
  return Checker(body, kind, catalog, faults).check();
}

}  // namespace avow::workflow
