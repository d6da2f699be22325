// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/members.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/pointer.h"
#include "workflow/check/names.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kUnknownShown = 20;  // of one object

}  // namespace

std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

std::string_view with_article(json::Type type) {
  switch (type) {
    case json::Type::kNull:
      return "null";
    case json::Type::kBool:
      return "a boolean";
    case json::Type::kInt:
    case json::Type::kDouble:
      return "a number";
    case json::Type::kString:
      return "a string";
    case json::Type::kArray:
      return "a list";
    case json::Type::kObject:
      return "an object";
  }
  return "";
}

Members::Members(const json::Value& value, std::string pointer, Names allowed, Faults& faults)
    : value_(value), pointer_(std::move(pointer)), allowed_(allowed), faults_(faults) {
  if (!value_.is_object()) {
    faults_.push_back({pointer_, "WRONG_TYPE",
                       fmt::format("must be an object, not {}", with_article(value_.type()))});
    return;
  }
  std::size_t unknown = 0;
  for (const auto& [key, member] : value_.as_object()) {
    if (std::find(allowed_.begin(), allowed_.end(), key) != allowed_.end()) continue;
    if (++unknown > kUnknownShown) return;
    fault(
        key, "UNKNOWN_FIELD",
        fmt::format("unknown member \"{}\"{}{} allowed: {}", shown(key), suggestion(key, allowed_),
                    nearest(key, allowed_) ? "" : ";", listed(allowed_, "and")));
  }
}

const json::Value* Members::find(std::string_view name) const {
  const json::Value* member = value_.find(name);
  return member == nullptr || member->is_null() ? nullptr : member;
}

std::string Members::at(std::string_view name) const { return json::join(pointer_, name); }

void Members::fault(std::string_view name, std::string_view code, std::string message) {
  fault_at(at(name), code, std::move(message));
}

void Members::fault_at(std::string pointer, std::string_view code, std::string message) {
  faults_.push_back({std::move(pointer), std::string(code), std::move(message)});
}

bool Members::require(std::string_view name) {
  if (has(name)) return true;
  if (is_object()) {
    faults_.push_back({pointer_, "MISSING_FIELD", fmt::format("needs the member \"{}\"", name)});
  }
  return false;
}

void Members::refuse(std::string_view name, std::string_view what) {
  if (has(name)) fault(name, "NOT_SUPPORTED", fmt::format("{} is not supported yet", what));
}

const json::Value* Members::typed(std::string_view name, json::Type type) {
  const json::Value* member = find(name);
  if (member == nullptr || member->type() == type) return member;
  fault(name, "WRONG_TYPE",
        fmt::format("must be {}, not {}", with_article(type), with_article(member->type())));
  return nullptr;
}

std::optional<std::string> Members::text(std::string_view name, std::size_t min, std::size_t max) {
  const json::Value* member = typed(name, json::Type::kString);
  if (member == nullptr) return std::nullopt;
  const std::size_t characters = characters_of(member->as_string());
  if (characters >= min && characters <= max) return member->as_string();
  fault(name, "OUT_OF_RANGE",
        fmt::format("must have {} to {} characters, not {}", min, max, characters));
  return std::nullopt;
}

std::optional<std::int64_t> Members::integer(std::string_view name, std::int64_t min,
                                             std::int64_t max) {
  const json::Value* member = find(name);
  if (member == nullptr) return std::nullopt;
  if (!member->is_number()) {
    fault(name, "WRONG_TYPE",
          fmt::format("must be an integer from {} to {}, not {}", min, max,
                      with_article(member->type())));
    return std::nullopt;
  }
  if (member->is_int() && member->as_int() >= min && member->as_int() <= max) {
    return member->as_int();
  }
  fault(name, "OUT_OF_RANGE", fmt::format("must be an integer from {} to {}", min, max));
  return std::nullopt;
}

std::optional<double> Members::number(std::string_view name, double min, double max) {
  const json::Value* member = find(name);
  if (member == nullptr) return std::nullopt;
  if (!member->is_number()) {
    fault(name, "WRONG_TYPE",
          fmt::format("must be a number from {} to {}, not {}", min, max,
                      with_article(member->type())));
    return std::nullopt;
  }
  if (member->as_double() >= min && member->as_double() <= max) return member->as_double();
  fault(name, "OUT_OF_RANGE", fmt::format("must be a number from {} to {}", min, max));
  return std::nullopt;
}

std::optional<bool> Members::boolean(std::string_view name) {
  const json::Value* member = typed(name, json::Type::kBool);
  return member == nullptr ? std::nullopt : std::optional(member->as_bool());
}

std::optional<std::string> Members::one_of(std::string_view name, Names words) {
  const json::Value* member = typed(name, json::Type::kString);
  if (member == nullptr) return std::nullopt;
  if (std::find(words.begin(), words.end(), member->as_string()) != words.end()) {
    return member->as_string();
  }
  fault(name, "INVALID_VALUE",
        fmt::format("\"{}\" is not known here{}{} allowed: {}", shown(member->as_string()),
                    suggestion(member->as_string(), words),
                    nearest(member->as_string(), words) ? "" : ";", listed(words)));
  return std::nullopt;
}

const json::Value* Members::schema(std::string_view name) {
  const json::Value* member = find(name);
  if (member == nullptr) return nullptr;
  if (!member->is_object() && !member->is_bool()) {
    fault(name, "WRONG_TYPE",
          fmt::format("must be a JSON Schema (an object or a boolean), not {}",
                      with_article(member->type())));
    return nullptr;
  }
  std::vector<json::SchemaFault> found;
  const auto compiled = json::Schema::compile(*member, {}, &found);
  if (compiled) return member;
  if (found.empty()) found.push_back({"", "", compiled.error().message});
  for (const json::SchemaFault& schema_fault : found) {
    // A fault may stand on a member that is absent; the nearest thing that was sent is shown.
    std::string within = schema_fault.pointer;
    while (!within.empty() && json::at(*member, within) == nullptr) {
      within.resize(within.find_last_of("/") == within.npos ? 0 : within.find_last_of("/"));
    }
    faults_.push_back({at(name) + within, "BAD_SCHEMA", schema_fault.message});
  }
  return nullptr;
}

json::Value Members::in_order(const json::Object& defaults) const {
  json::Value out = json::Object();
  for (const std::string_view name : allowed_) {
    if (const json::Value* member = find(name)) {
      out.set(name, *member);
    } else if (const json::Value* fallback = defaults.find(name)) {
      out.set(name, *fallback);
    }
  }
  return out;
}

}  // namespace avow::workflow
