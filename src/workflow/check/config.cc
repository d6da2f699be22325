// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/config.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "json/pointer.h"
#include "workflow/check/config_reader.h"
#include "workflow/check/names.h"
#include "workflow/check/outbound.h"
#include "workflow/segments.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kCasesMax = 100;
constexpr std::size_t kLabelMax = 256;
constexpr std::size_t kNameMax = 256;
constexpr std::size_t kToolsMax = 64;
constexpr std::size_t kFallbackModelsMax = 8;
constexpr std::size_t kHeadersMax = 64;
constexpr std::size_t kMessagesMax = 1000;
constexpr std::int64_t kMaxTokensMax = 100'000'000;
constexpr std::int64_t kToolRoundsMax = 50;
constexpr std::int64_t kToolRoundsDefault = 8;
constexpr std::int64_t kWaitSecondsMax = 2'592'000;  // 30 days, as a run's timeout_seconds
constexpr std::size_t kApproversMax = 64;

constexpr auto kTransform = std::to_array<std::string_view>({"output"});
constexpr auto kDecision =
    std::to_array<std::string_view>({"cases", "default", "model", "prompt", "choices", "branches"});
constexpr auto kLlmInference = std::to_array<std::string_view>(
    {"model", "fallback_models", "system", "prompt", "messages", "temperature", "max_tokens",
     "response_schema", "tools", "max_tool_rounds"});
constexpr auto kToolCall = std::to_array<std::string_view>({"tool", "arguments"});
constexpr auto kGuardrailCheck =
    std::to_array<std::string_view>({"content", "rules", "on_violation"});
constexpr auto kWebhook = std::to_array<std::string_view>(
    {"url", "method", "headers", "body", "secret", "expect_status"});
constexpr auto kAgent = std::to_array<std::string_view>({"action", "parameters"});
constexpr auto kWait = std::to_array<std::string_view>({"seconds", "until"});
constexpr auto kOrchestration =
    std::to_array<std::string_view>({"workflow", "version", "input", "parameters"});
constexpr auto kApproval =
    std::to_array<std::string_view>({"prompt", "approvers", "quorum", "allow_self",
                                     "timeout_seconds", "on_timeout", "escalate", "on_reject"});

constexpr auto kCase = std::to_array<std::string_view>({"when", "then"});
constexpr auto kChoice = std::to_array<std::string_view>({"label", "description"});
constexpr auto kMessage = std::to_array<std::string_view>({"role", "content"});
constexpr auto kRoles = std::to_array<std::string_view>({"system", "user", "assistant"});
constexpr auto kOnViolation = std::to_array<std::string_view>({"fail", "flag", "redact"});
constexpr auto kEscalate =
    std::to_array<std::string_view>({"approvers", "quorum", "timeout_seconds", "on_timeout"});
constexpr auto kOnTimeout =
    std::to_array<std::string_view>({"fail", "reject", "approve", "escalate"});
constexpr auto kOnLastTimeout = std::to_array<std::string_view>({"fail", "reject", "approve"});
constexpr auto kOnReject = std::to_array<std::string_view>({"fail", "continue"});

Names names_of(StepType type) {
  switch (type) {
    case StepType::kTransform:
      return kTransform;
    case StepType::kDecision:
      return kDecision;
    case StepType::kLlmInference:
      return kLlmInference;
    case StepType::kToolCall:
      return kToolCall;
    case StepType::kGuardrailCheck:
      return kGuardrailCheck;
    case StepType::kWebhook:
      return kWebhook;
    case StepType::kAgent:
      return kAgent;
    case StepType::kWait:
      return kWait;
    case StepType::kOrchestration:
      return kOrchestration;
    case StepType::kApproval:
      return kApproval;
  }
  return {};
}

/// Members that are not part of the template, because they are compiled on their own.
constexpr auto kCompiledOfDecision =
    std::to_array<std::string_view>({"cases", "default", "choices", "branches"});
constexpr auto kCompiledOfGuardrail = std::to_array<std::string_view>({"rules"});

Names compiled_names_of(StepType type) {
  if (type == StepType::kDecision) return kCompiledOfDecision;
  if (type == StepType::kGuardrailCheck) return kCompiledOfGuardrail;
  return {};
}

/// Accepts what a rendered config names: whether it exists was checked with the definition.
class AnyCatalog : public Catalog {
 public:
  [[nodiscard]] bool has_agent(AgentId /*id*/) const override { return true; }
  [[nodiscard]] bool agent_has_model(AgentId /*id*/) const override { return true; }
  [[nodiscard]] const json::Value* find_tool(std::string_view /*name*/) const override {
    return &any_;
  }
  [[nodiscard]] bool has_model(std::string_view /*name*/) const override { return true; }
  [[nodiscard]] bool has_secret(std::string_view /*name*/) const override { return true; }

 private:
  json::Value any_;
};

class ConfigChecker {
 public:
  ConfigChecker(StepType type, const json::Value& config, const std::string& pointer,
                ConfigReader::Mode mode, const Catalog& catalog, Faults& faults)
      : config_(config, pointer, names_of(type), mode, faults),
        members_(config_.members),
        catalog_(catalog),
        faults_(faults) {}

  CheckedConfig check(StepType type) {
    switch (type) {
      case StepType::kTransform:
        members_.require("output");
        break;
      case StepType::kDecision:
        check_decision();
        break;
      case StepType::kLlmInference:
        check_llm_inference();
        break;
      case StepType::kToolCall:
        check_tool_call();
        break;
      case StepType::kGuardrailCheck:
        check_guardrail();
        break;
      case StepType::kWebhook:
        check_webhook();
        break;
      case StepType::kAgent:
        check_agent();
        break;
      case StepType::kWait:
        check_wait();
        break;
      case StepType::kOrchestration:
        check_orchestration();
        break;
      case StepType::kApproval:
        check_approval();
        break;
    }
    out_.normalised = members_.in_order(defaults_);
    for (const std::string_view name : empty_) out_.normalised.mutable_object().erase(name);
    for (const auto& [name, value] : replaced_) out_.normalised.set(name, value);
    return std::move(out_);
  }

 private:
  // ---- decision

  void check_decision() {
    const bool by_model =
        members_.has("choices") || members_.has("prompt") || members_.has("model");
    out_.calls_outside = by_model;
    if (by_model) {
      for (const char* name : {"cases", "default"}) {
        if (members_.has(name)) {
          members_.fault(name, "INVALID_VALUE",
                         "a decision has \"cases\" and \"default\", or \"prompt\" and \"choices\"");
        }
      }
      check_model("model");
      members_.require("prompt");
      config_.text("prompt");
      if (config_.is_source()) check_choices();
    } else if (config_.is_source()) {
      check_cases();
    }
    if (config_.is_source()) check_branches();
  }

  void check_cases() {
    if (auto label = label_of(members_, "default")) labels_.insert(*label);
    members_.require("cases");
    const json::Value* cases = list_of("cases", kCasesMax);
    if (cases == nullptr) return;
    for (std::size_t i = 0; i < cases->as_array().size(); ++i) {
      Members one(cases->as_array()[i], json::join(members_.at("cases"), i), kCase, faults_);
      if (one.require("when")) {
        check_expression(*one.find("when"), one.at("when"), out_.references, faults_);
      }
      one.require("then");
      if (auto label = label_of(one, "then")) labels_.insert(*label);
    }
  }

  void check_choices() {
    members_.require("choices");
    const json::Value* choices = list_of("choices", kCasesMax);
    if (choices == nullptr) return;
    for (std::size_t i = 0; i < choices->as_array().size(); ++i) {
      Members one(choices->as_array()[i], json::join(members_.at("choices"), i), kChoice, faults_);
      one.require("label");
      one.text("description", 0, 4096);
      const auto label = label_of(one, "label");
      if (label && !labels_.insert(*label).second) {
        one.fault("label", "DUPLICATE",
                  fmt::format("\"{}\" is the label of an earlier choice", shown(*label)));
      }
    }
  }

  void check_branches() {
    const json::Value* branches = members_.typed("branches", json::Type::kObject);
    if (branches == nullptr) return;
    if (branches->as_object().empty()) empty_.push_back("branches");
    if (branches->as_object().size() > kCasesMax + 1) {
      return members_.fault("branches", "OUT_OF_RANGE",
                            fmt::format("must have at most {} members", kCasesMax + 1));
    }
    const std::vector<std::string_view> known(labels_.begin(), labels_.end());
    for (const auto& [label, steps] : branches->as_object()) {
      const std::string pointer = json::join(members_.at("branches"), label);
      if (!labels_.contains(label)) {
        fault(pointer, "INVALID_VALUE",
              fmt::format("\"{}\" is no label of this decision{}{} its labels: {}", shown(label),
                          suggestion(label, known), nearest(label, known) ? "" : ";",
                          listed(known, "and")));
      }
      if (!steps.is_array()) {
        fault(pointer, "WRONG_TYPE",
              fmt::format("must be a list of step names, not {}", with_article(steps.type())));
        continue;
      }
      if (steps.as_array().size() > kStepsMax) {
        fault(pointer, "OUT_OF_RANGE", fmt::format("must have at most {} elements", kStepsMax));
        continue;
      }
      for (std::size_t i = 0; i < steps.as_array().size(); ++i) {
        const json::Value& step = steps.as_array()[i];
        if (step.is_string()) {
          out_.branches.push_back({label, step.as_string(), json::join(pointer, i)});
        } else {
          fault(json::join(pointer, i), "WRONG_TYPE", "must be the name of a step");
        }
      }
    }
  }

  static std::optional<std::string> label_of(Members& members, std::string_view name) {
    return members.text(name, 1, kLabelMax);
  }

  /// The member as a list of 1 to `max` elements.
  const json::Value* list_of(std::string_view name, std::size_t max) {
    const json::Value* list = members_.typed(name, json::Type::kArray);
    if (list == nullptr) return nullptr;
    if (!list->as_array().empty() && list->as_array().size() <= max) return list;
    members_.fault(name, "OUT_OF_RANGE", fmt::format("must have 1 to {} elements", max));
    return nullptr;
  }

  // ---- llm_inference

  void check_llm_inference() {
    out_.calls_outside = true;
    check_model("model");
    const auto fallbacks = config_.fixed_texts("fallback_models", kFallbackModelsMax);
    for (std::size_t i = 0; i < fallbacks.size(); ++i) {
      check_model_name(fallbacks[i], json::join(members_.at("fallback_models"), i));
    }
    if (members_.has("fallback_models") && fallbacks.empty()) empty_.push_back("fallback_models");
    config_.text("system");
    check_prompt();
    config_.number("temperature", 0, 2);
    config_.integer("max_tokens", 1, kMaxTokensMax);
    config_.fixed_schema("response_schema");
    const auto tools = config_.fixed_texts("tools", kToolsMax);
    for (std::size_t i = 0; i < tools.size(); ++i) {
      check_tool_name(tools[i], json::join(members_.at("tools"), i));
    }
    if (members_.has("tools") && tools.empty()) empty_.push_back("tools");
    members_.integer("max_tool_rounds", 1, kToolRoundsMax);
    defaults_.set("max_tool_rounds", kToolRoundsDefault);
  }

  void check_prompt() {
    const bool has_prompt = members_.has("prompt");
    const bool has_messages = members_.has("messages");
    if (!has_prompt && !has_messages && members_.is_object()) {
      fault(members_.pointer(), "MISSING_FIELD", "needs \"prompt\" or \"messages\"");
    }
    if (has_prompt && has_messages) {
      members_.fault("messages", "INVALID_VALUE", "say \"prompt\" or \"messages\", not both");
    }
    config_.text("prompt");
    if (config_.is_dynamic("messages")) return;
    const json::Value* messages = list_of("messages", kMessagesMax);
    if (messages == nullptr) return;
    for (std::size_t i = 0; i < messages->as_array().size(); ++i) {
      const json::Value& message = messages->as_array()[i];
      if (config_.is_source() && message.is_string() && is_whole_expression(message.as_string())) {
        continue;
      }
      Members one(message, json::join(members_.at("messages"), i), kMessage, faults_);
      one.require("role");
      one.one_of("role", kRoles);
      one.require("content");
      one.typed("content", json::Type::kString);
    }
  }

  void check_model(std::string_view name) {
    if (const auto model = config_.text(name)) check_model_name(*model, members_.at(name));
  }

  void check_model_name(const std::string& model, const std::string& pointer) {
    if (model.empty()) {
      fault(pointer, "OUT_OF_RANGE", "must not be empty");
    } else if (!catalog_.has_model(model)) {
      fault(pointer, "UNKNOWN_MODEL", fmt::format("no model \"{}\" is configured", shown(model)));
    }
  }

  // ---- tool_call and agent

  void check_tool_call() {
    out_.calls_outside = true;
    members_.require("tool");
    if (const auto tool = config_.fixed_text("tool", 1, 256)) {
      check_tool_name(*tool, members_.at("tool"));
    }
    config_.typed("arguments", json::Type::kObject);
    defaults_.set("arguments", json::Object());
  }

  void check_tool_name(const std::string& tool, const std::string& pointer) {
    if (catalog_.find_tool(tool) == nullptr && !tool.empty()) {
      fault(pointer, "UNKNOWN_TOOL", fmt::format("no tool \"{}\" is registered", shown(tool)));
    }
  }

  void check_agent() {
    out_.calls_outside = true;
    members_.require("action");
    config_.fixed_text("action", 1, 128);
    config_.typed("parameters", json::Type::kObject);
    defaults_.set("parameters", json::Object());
  }

  // ---- guardrail_check

  void check_guardrail() {
    members_.require("content");
    members_.one_of("on_violation", kOnViolation);
    defaults_.set("on_violation", "fail");
    if (!config_.is_source() || !members_.require("rules")) return;
    std::vector<guard::RuleFault> found;
    if (guard::Rules::compile(*members_.find("rules"), &found)) return;
    for (guard::RuleFault& rule_fault : found) {
      faults_.push_back({members_.at("rules") + rule_fault.pointer, "BAD_RULE",
                         std::move(rule_fault.message), rule_fault.line, rule_fault.column});
    }
  }

  // ---- webhook

  void check_webhook() {
    out_.calls_outside = true;
    members_.require("url");
    const json::Value* url = members_.typed("url", json::Type::kString);
    if (url != nullptr) {
      const auto wrong =
          config_.is_source() ? check_url_template(url->as_string()) : check_url(url->as_string());
      if (wrong) members_.fault("url", "BAD_URL", *wrong);
    }
    members_.one_of("method", kWebhookMethods);
    defaults_.set("method", "POST");
    check_headers();
    if (const json::Value* secret = members_.typed("secret", json::Type::kString)) {
      if (secret_name(secret->as_string()).empty()) {
        members_.fault("secret", "SECRET_REQUIRED", "must be a secret: \"${{ secrets.NAME }}\"");
      }
    }
    check_expect_status();
  }

  void check_headers() {
    const json::Value* headers = members_.typed("headers", json::Type::kObject);
    if (headers == nullptr) return;
    if (headers->as_object().empty()) empty_.push_back("headers");
    if (headers->as_object().size() > kHeadersMax) {
      return members_.fault("headers", "OUT_OF_RANGE",
                            fmt::format("must have at most {} members", kHeadersMax));
    }
    std::set<std::string> seen;
    for (const auto& [name, value] : headers->as_object()) {
      const std::string pointer = json::join(members_.at("headers"), name);
      if (const auto wrong = check_header_name(name)) fault(pointer, "BAD_HEADER", *wrong);
      if (!seen.insert(lower_case(name)).second) {
        fault(pointer, "DUPLICATE", "the same header is there twice");
      }
      if (!value.is_string()) {
        fault(pointer, "WRONG_TYPE",
              fmt::format("must be a string, not {}", with_article(value.type())));
      } else if (is_credential_header(name)) {
        if (secret_name(value.as_string()).empty()) {
          fault(
              pointer, "SECRET_REQUIRED",
              "carries a credential, so it must be a secret: \"${{ secrets.NAME }}\" and no more");
        }
      } else if (const auto wrong = check_header_value(value.as_string())) {
        fault(pointer, "BAD_HEADER", *wrong);
      }
    }
  }

  void check_expect_status() {
    const json::Value* status = members_.find("expect_status");
    if (status == nullptr) return;
    const json::Array list = status->is_array() ? status->as_array() : json::Array{*status};
    const auto is_status = [](const json::Value& value) {
      return value.is_int() && value.as_int() >= 100 && value.as_int() <= 599;
    };
    if (list.empty() || !std::all_of(list.begin(), list.end(), is_status)) {
      members_.fault("expect_status", status->is_int() ? "OUT_OF_RANGE" : "WRONG_TYPE",
                     "must be a status from 100 to 599, or a list of those");
      return;
    }
    std::set<std::int64_t> sorted;
    for (const json::Value& value : list) sorted.insert(value.as_int());
    replaced_.set("expect_status", json::Array(sorted.begin(), sorted.end()));
  }

  // ---- wait

  void check_wait() {
    const bool has_until = members_.has("until");
    if (!has_until && !members_.has("seconds") && members_.is_object()) {
      fault(members_.pointer(), "MISSING_FIELD", "needs \"seconds\" or \"until\"");
    }
    if (has_until && members_.has("seconds")) {
      members_.fault("until", "INVALID_VALUE", "say \"seconds\" or \"until\", not both");
    }
    if (const auto until = config_.text("until"); until && !parse_time(*until)) {
      members_.fault("until", "INVALID_VALUE",
                     "must be a time by RFC 3339, such as 2026-12-24T08:00:00Z");
    }
    out_.waits_long = has_until;
    const auto seconds = config_.number("seconds", 0, static_cast<double>(kWaitSecondsMax));
    if (!seconds) return;
    if (*seconds <= 0) members_.fault("seconds", "OUT_OF_RANGE", "must be more than 0");
    out_.waits_long = out_.waits_long || *seconds > static_cast<double>(kLongWaitSeconds);
  }

  // ---- orchestration

  /// Which workflow runs is written out: no data may choose it. Whether there is one is seen when
  /// the step starts, since workflows of one tenant may be written in any order.
  void check_orchestration() {
    members_.require("workflow");
    const auto workflow = config_.fixed_text("workflow", 1, kNameMax);
    const auto version = config_.fixed_text("version", 1, kNameMax);
    if (version && !is_version(*version)) {
      members_.fault("version", "BAD_VERSION", "must be a semantic version such as \"1.0.0\"");
    }
    if (version && workflow && parse_id(*workflow)) {
      members_.fault("version", "INVALID_VALUE",
                     "goes with a workflow's name: an id names one version already");
    }
    config_.typed("input", json::Type::kObject);
    config_.typed("parameters", json::Type::kObject);
    defaults_.set("input", json::Object());
  }

  // ---- approval

  /// All but the prompt is fixed: who may decide must not depend on what a run works on.
  void check_approval() {
    out_.waits_long = true;
    members_.require("prompt");
    config_.text("prompt");
    if (!config_.is_source()) return;
    const auto approvers = check_round(members_, kOnTimeout);
    if (approvers.empty() && members_.has("approvers")) empty_.push_back("approvers");
    if (!approvers.empty()) replaced_.set("approvers", approvers);
    members_.boolean("allow_self");
    members_.one_of("on_reject", kOnReject);
    defaults_ = {
        {"quorum", 1}, {"allow_self", false}, {"on_timeout", "fail"}, {"on_reject", "fail"}};
    const bool escalates = members_.find("on_timeout") != nullptr &&
                           *members_.find("on_timeout") == json::Value("escalate");
    if (escalates) members_.require("escalate");
    if (!members_.has("escalate")) return;
    if (!escalates) {
      members_.fault("escalate", "INVALID_VALUE",
                     "is for \"on_timeout\": \"escalate\", which is not said");
    }
    Members escalate(*members_.find("escalate"), members_.at("escalate"), kEscalate, faults_);
    if (!escalate.is_object()) return;
    if (escalate.require("approvers") && escalate.find("approvers")->is_array() &&
        escalate.find("approvers")->as_array().empty()) {
      escalate.fault("approvers", "OUT_OF_RANGE", "must name somebody");
    }
    json::Array others = check_round(escalate, kOnLastTimeout);
    json::Value normalised = escalate.in_order({{"quorum", 1}, {"on_timeout", "fail"}});
    normalised.set("approvers", std::move(others));
    replaced_.set("escalate", std::move(normalised));
  }

  /// What both rounds of an approval have in common; its approvers as they stand in journals.
  json::Array check_round(Members& round, Names on_timeout) {
    json::Array approvers = check_approvers(round);
    const auto quorum = round.integer("quorum", 1, kApproversMax);
    if (quorum && !approvers.empty() && static_cast<std::size_t>(*quorum) > approvers.size()) {
      round.fault("quorum", "OUT_OF_RANGE",
                  fmt::format("must be at most {}, the number of \"approvers\"", approvers.size()));
    }
    round.integer("timeout_seconds", 1, kWaitSecondsMax);
    const auto what = round.one_of("on_timeout", on_timeout);
    if (what && *what != "fail" && !round.has("timeout_seconds")) {
      round.fault("on_timeout", "MISSING_FIELD", "needs \"timeout_seconds\" beside it");
    }
    return approvers;
  }

  json::Array check_approvers(Members& round) {
    const json::Value* list = round.typed("approvers", json::Type::kArray);
    if (list == nullptr) return {};
    if (list->as_array().size() > kApproversMax) {
      round.fault("approvers", "OUT_OF_RANGE",
                  fmt::format("must have at most {} elements", kApproversMax));
      return {};
    }
    std::set<std::string> principals;  // their order means nothing
    for (std::size_t i = 0; i < list->as_array().size(); ++i) {
      const json::Value& one = list->as_array()[i];
      const std::string pointer = json::join(round.at("approvers"), i);
      const auto principal = one.is_string() ? principal_of(one.as_string()) : std::nullopt;
      if (!principal) {
        fault(pointer, one.is_string() ? "INVALID_VALUE" : "WRONG_TYPE",
              "must be \"key:\" and the id of an API key, or \"jwt:\" and 32 hex digits");
      } else if (!principals.insert(*principal).second) {
        fault(pointer, "DUPLICATE", fmt::format("\"{}\" is there twice", *principal));
      }
    }
    return {principals.begin(), principals.end()};
  }

  /// As auth::Caller::principal writes it; nothing if `text` is no principal.
  static std::optional<std::string> principal_of(std::string_view text) {
    constexpr std::string_view kKey = "key:";
    constexpr std::string_view kToken = "jwt:";
    if (text.starts_with(kKey)) {
      const auto id = parse_id(text.substr(kKey.size()));
      return id ? std::optional("key:" + id->uuid()) : std::nullopt;
    }
    const std::string hex = text.starts_with(kToken) ? lower_case(text.substr(kToken.size())) : "";
    const bool is_hash =
        hex.size() == 32 && hex.find_first_not_of("0123456789abcdef") == std::string::npos;
    return is_hash ? std::optional("jwt:" + hex) : std::nullopt;
  }

  void fault(std::string pointer, std::string_view code, std::string message) {
    members_.fault_at(std::move(pointer), code, std::move(message));
  }

  ConfigReader config_;
  Members& members_;
  const Catalog& catalog_;
  Faults& faults_;
  CheckedConfig out_;
  json::Object defaults_;
  json::Object replaced_;
  std::vector<std::string_view> empty_;  ///< Members that mean the same as their absence.
  std::set<std::string, std::less<>> labels_;
};

}  // namespace

bool may_use_secrets(StepType type) {
  return type == StepType::kToolCall || type == StepType::kWebhook ||
         type == StepType::kLlmInference;
}

json::Value templated_part(StepType type, const json::Value& config) {
  json::Value out = config;
  for (const std::string_view name : compiled_names_of(type)) out.mutable_object().erase(name);
  return out;
}

std::optional<cel::Expression> check_expression(const json::Value& source,
                                                const std::string& pointer,
                                                std::vector<TemplateReference>& references,
                                                Faults& faults) {
  if (!source.is_string()) {
    faults.push_back(
        {pointer, "WRONG_TYPE",
         fmt::format("must be a CEL expression as a string, not {}", with_article(source.type()))});
    return std::nullopt;
  }
  if (source.as_string().find("${{") != std::string::npos) {
    faults.push_back(
        {pointer, "BAD_EXPRESSION", "write the bare expression here, without \"${{\"", 1, 1});
    return std::nullopt;
  }
  std::vector<cel::Fault> found;
  auto expression = cel::Expression::parse(source.as_string(), &found);
  if (expression) {
    found = expression->check();
  } else if (found.empty()) {
    found.push_back({expression.error().message, 1, 1});
  }
  for (cel::Fault& fault : found) {
    faults.push_back(
        {pointer, "BAD_EXPRESSION", std::move(fault.message), fault.line, fault.column});
  }
  if (!expression) return std::nullopt;
  for (const auto& reference : expression->references()) references.push_back({reference, pointer});
  return std::move(*expression);
}

CheckedConfig check_config(StepType type, const json::Value& config, const std::string& pointer,
                           const Catalog& catalog, Faults& faults) {
  CheckedConfig out =
      ConfigChecker(type, config, pointer, ConfigReader::Mode::kSource, catalog, faults)
          .check(type);
  const Template compiled = Template::compile(templated_part(type, out.normalised), pointer,
                                              may_use_secrets(type), faults);
  for (TemplateReference& reference : compiled.references()) {
    reference.pointer = pointer + reference.pointer;
    out.references.push_back(std::move(reference));
  }
  for (const SecretUse& use : compiled.secrets()) {
    if (!catalog.has_secret(use.name)) {
      faults.push_back({pointer + use.pointer, "UNKNOWN_SECRET",
                        fmt::format("no secret \"{}\" is configured", shown(use.name))});
    }
  }
  out.secrets = compiled.secrets();
  return out;
}

Faults check_rendered(StepType type, const json::Value& config) {
  Faults faults;
  const AnyCatalog catalog;
  ConfigChecker(type, config, "", ConfigReader::Mode::kRendered, catalog, faults).check(type);
  return faults;
}

}  // namespace avow::workflow
