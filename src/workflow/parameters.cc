// SPDX-License-Identifier: Apache-2.0
// What the `parameters` of an execute request may change (CONTRACT.md section 2, Execute Workflow).
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "json/merge_patch.h"
#include "json/pointer.h"
#include "workflow/check/checker.h"
#include "workflow/check/config.h"
#include "workflow/check/dialect.h"
#include "workflow/check/members.h"
#include "workflow/check/names.h"
#include "workflow/check/step_types.h"

namespace avow::workflow {
namespace {

constexpr auto kEverything = std::to_array<std::string_view>({""});
constexpr auto kOfWebhook =
    std::to_array<std::string_view>({"/url", "/method", "/headers", "/secret"});
constexpr auto kOfToolCall = std::to_array<std::string_view>({"/tool"});
constexpr auto kOfOrchestration = std::to_array<std::string_view>({"/workflow", "/version"});
constexpr auto kOfLlmInference = std::to_array<std::string_view>({"/system", "/tools"});

/// Pointers into the config of a step of `type` that only the definition may set.
Names protected_pointers(StepType type) {
  switch (type) {
    case StepType::kWebhook:
      return kOfWebhook;
    case StepType::kToolCall:
      return kOfToolCall;
    case StepType::kLlmInference:
      return kOfLlmInference;
    case StepType::kGuardrailCheck:
    case StepType::kDecision:
    case StepType::kApproval:
      return kEverything;
    case StepType::kOrchestration:
      return kOfOrchestration;
    case StepType::kTransform:
    case StepType::kAgent:
    case StepType::kWait:
      return {};
  }
  return {};
}

bool is_at_or_below(std::string_view pointer, std::string_view base) {
  return pointer.starts_with(base) &&
         (pointer.size() == base.size() || pointer[base.size()] == '/');
}

/// Where a merge patch changes something: its leaves, and objects without members.
void collect_leaves(const json::Value& patch, const std::string& pointer,
                    std::vector<std::string>& out) {
  if (!patch.is_object() || (patch.as_object().empty() && !pointer.empty())) {
    out.push_back(pointer);
    return;
  }
  for (const auto& [key, value] : patch.as_object()) {
    collect_leaves(value, json::join(pointer, key), out);
  }
}

/// Messages of the role "system" in an override: another way to set what "system" says.
std::vector<std::string> system_messages(const json::Value& patch) {
  std::vector<std::string> out;
  const json::Value* messages = patch.find("messages");
  if (messages == nullptr || !messages->is_array()) return out;
  for (std::size_t i = 0; i < messages->as_array().size(); ++i) {
    if (messages->as_array()[i].string_or("role") == "system") {
      out.push_back(json::join("/messages", i) + "/role");
    }
  }
  return out;
}

/// Leaves of `patch` that `step` (normalised) does not let a request change.
std::vector<std::string> forbidden_leaves(const json::Value& step, StepType type,
                                          const json::Value& patch) {
  const json::Value none = json::Object();
  const json::Value* config = step.find("config");
  Faults ignored;  // of a definition that was checked before
  const Template compiled = Template::compile(
      templated_part(type, config == nullptr ? none : *config), "", may_use_secrets(type), ignored);
  const json::Value* overridable = step.find("overridable");
  const auto is_allowed = [&](const std::string& leaf) {
    return overridable != nullptr &&
           std::any_of(
               overridable->as_array().begin(), overridable->as_array().end(),
               [&](const json::Value& base) { return is_at_or_below(leaf, base.as_string()); });
  };
  const auto touches = [](const std::string& leaf, std::string_view base) {
    // A leaf above `base` replaces or removes it.
    return is_at_or_below(leaf, base) || is_at_or_below(base, leaf);
  };
  const auto is_protected = [&](const std::string& leaf) {
    const Names bases = protected_pointers(type);
    return std::any_of(bases.begin(), bases.end(),
                       [&](std::string_view base) { return touches(leaf, base); }) ||
           std::any_of(compiled.secrets().begin(), compiled.secrets().end(),
                       [&](const SecretUse& use) { return touches(leaf, use.pointer); });
  };
  std::vector<std::string> leaves;
  collect_leaves(patch, "", leaves);
  std::vector<std::string> system_roles;
  if (type == StepType::kLlmInference && !is_allowed("/system")) {
    system_roles = system_messages(patch);
  }
  std::erase_if(leaves,
                [&](const std::string& leaf) { return is_allowed(leaf) || !is_protected(leaf); });
  for (const std::string& pointer : system_roles) {
    if (!is_allowed(pointer)) leaves.push_back(pointer);
  }
  return leaves;
}

class Applier {
 public:
  Applier(const Definition& definition, const json::Value& parameters, const Catalog& catalog)
      : definition_(definition), sent_(parameters), catalog_(catalog) {}

  std::variant<Overrides, Faults> apply() {
    out_.definition = definition_.body;
    out_.needs_timeout = definition_.needs_timeout;
    const json::Value* declared = definition_.body.find("parameters");
    out_.parameters = declared == nullptr ? json::Value(json::Object()) : *declared;
    const bool any_allowed = out_.parameters.as_object().empty();
    std::vector<std::string_view> known;
    if (declared != nullptr) {
      for (const auto& member : declared->as_object()) known.push_back(member.key);
    }
    for (const auto& [key, value] : sent_.as_object()) {
      if (const auto index = step_named(key)) {
        override_step(*index, key, value);
      } else if (any_allowed || std::find(known.begin(), known.end(), key) != known.end()) {
        out_.parameters.set(key, value);
      } else {
        fault(json::join("", key), "UNDECLARED_PARAMETER",
              fmt::format("\"{}\" is no step and no declared parameter{}", shown(key),
                          suggestion(key, known)));
      }
    }
    // Who may not change a thing is not told what else would be wrong with it.
    const bool is_forbidden = std::any_of(faults_.begin(), faults_.end(), [](const Fault& found) {
      return found.code == "OVERRIDE_FORBIDDEN";
    });
    if (out_.changed_steps && !is_forbidden) check_merged();
    if (!faults_.empty()) return std::move(faults_);
    return std::move(out_);
  }

 private:
  [[nodiscard]] const json::Array& steps() const {
    return definition_.body.find("steps")->as_array();
  }

  [[nodiscard]] std::optional<std::size_t> step_named(std::string_view name) const {
    for (std::size_t i = 0; i < steps().size(); ++i) {
      if (steps()[i].string_or("name") == name) return i;
    }
    return std::nullopt;
  }

  void override_step(std::size_t index, const std::string& name, const json::Value& patch) {
    const std::string pointer = json::join("", name);
    if (!patch.is_object()) {
      fault(pointer, "WRONG_TYPE",
            fmt::format(
                "\"{}\" is a step, so this must be an object to merge over its config, not {}",
                name, with_article(patch.type())));
      return;
    }
    const json::Value& step = steps()[index];
    const auto type = step_type_of(step.string_or("type"));
    CHECK(type.has_value());  // the definition was checked
    for (const std::string& leaf : forbidden_leaves(step, *type, patch)) {
      fault(
          pointer + leaf, "OVERRIDE_FORBIDDEN",
          fmt::format("a request may not change {} of the step \"{}\", unless the step lists it in "
                      "\"overridable\"",
                      leaf, name));
    }
    // An override is data: what looks like a template in it is literal text.
    json::Value& merged = out_.definition.mutable_object().find("steps")->mutable_array()[index];
    merged.set("config", json::merge_patch(*step.find("config"), escape_template(patch)));
    moved_.push_back({json::join("/steps", index) + "/config", "/parameters" + pointer});
    out_.changed_steps = true;
  }

  void check_merged() {
    Faults found;
    const Kind kind = definition_.name.empty() ? Kind::kInline : Kind::kMerged;
    Definition merged = check_definition(out_.definition, kind, catalog_, found);
    // What is wrong elsewhere is not this request's doing.
    std::erase_if(found, [&](const Fault& f) {
      return std::none_of(moved_.begin(), moved_.end(), [&](const Moved& move) {
        return is_at_or_below(f.pointer, move.narrative);
      });
    });
    point_back(moved_, found);
    for (Fault& f : found) {
      // The nearest thing that was sent.
      constexpr std::size_t kPrefix = std::string_view("/parameters").size();
      while (json::at(sent_, f.pointer.substr(kPrefix)) == nullptr) {
        f.pointer.resize(f.pointer.rfind('/'));
      }
      faults_.push_back(std::move(f));
    }
    out_.definition = std::move(merged.body);
    out_.needs_timeout = merged.needs_timeout;
  }

  void fault(const std::string& pointer, std::string_view code, std::string message) {
    faults_.push_back({"/parameters" + pointer, std::string(code), std::move(message)});
  }

  const Definition& definition_;
  const json::Value& sent_;
  const Catalog& catalog_;
  Overrides out_;
  std::vector<Moved> moved_;
  Faults faults_;
};

}  // namespace

std::variant<Overrides, Faults> apply_parameters(const Definition& definition,
                                                 const json::Value& parameters,
                                                 const Catalog& catalog) {
  const json::Value none = json::Object();
  const json::Value& sent = parameters.is_null() ? none : parameters;
  if (!sent.is_object()) {
    return Faults{{"/parameters", "WRONG_TYPE",
                   fmt::format("must be an object, not {}", with_article(sent.type()))}};
  }
  return Applier(definition, sent, catalog).apply();
}

}  // namespace avow::workflow
