// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/config_reader.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/pointer.h"
#include "workflow/segments.h"

namespace avow::workflow {
namespace {

constexpr const char* kNoTemplate = "must be written out: no \"${{\" here";

bool mentions_template(const json::Value& value) {
  if (value.is_string()) return value.as_string().find("${{") != std::string::npos;
  if (value.is_array()) {
    return std::any_of(value.as_array().begin(), value.as_array().end(), mentions_template);
  }
  if (value.is_object()) {
    return std::any_of(value.as_object().begin(), value.as_object().end(),
                       [](const json::Member& member) { return mentions_template(member.value); });
  }
  return false;
}

}  // namespace

bool ConfigReader::is_dynamic(std::string_view name) const {
  const json::Value* member = members.find(name);
  return is_source() && member != nullptr && member->is_string() &&
         is_whole_expression(member->as_string());
}

const json::Value* ConfigReader::typed(std::string_view name, json::Type type) {
  return is_dynamic(name) ? nullptr : members.typed(name, type);
}

std::optional<std::int64_t> ConfigReader::integer(std::string_view name, std::int64_t min,
                                                  std::int64_t max) {
  return is_dynamic(name) ? std::nullopt : members.integer(name, min, max);
}

std::optional<double> ConfigReader::number(std::string_view name, double min, double max) {
  return is_dynamic(name) ? std::nullopt : members.number(name, min, max);
}

std::optional<std::string> ConfigReader::text(std::string_view name) {
  const json::Value* member = members.typed(name, json::Type::kString);
  if (member == nullptr) return std::nullopt;
  if (is_source() && has_expression(member->as_string())) return std::nullopt;
  return member->as_string();
}

std::optional<std::string> ConfigReader::fixed_text(std::string_view name, std::size_t min,
                                                    std::size_t max) {
  auto text = members.text(name, min, max);
  if (!text || !is_source() || text->find("${{") == std::string::npos) return text;
  members.fault(name, "TEMPLATE_NOT_ALLOWED", kNoTemplate);
  return std::nullopt;
}

std::vector<std::string> ConfigReader::fixed_texts(std::string_view name, std::size_t count_max) {
  const json::Value* list = members.typed(name, json::Type::kArray);
  if (list == nullptr) return {};
  if (list->as_array().size() > count_max) {
    members.fault(name, "OUT_OF_RANGE", fmt::format("must have at most {} elements", count_max));
    return {};
  }
  std::vector<std::string> out;
  for (std::size_t i = 0; i < list->as_array().size(); ++i) {
    const json::Value& element = list->as_array()[i];
    const std::string place = json::join(members.at(name), i);
    if (!element.is_string() || element.as_string().empty()) {
      members.fault_at(
          place, "WRONG_TYPE",
          fmt::format("must be a string that is not empty, not {}",
                      element.is_string() ? "an empty one" : with_article(element.type())));
    } else if (mentions_template(element)) {
      members.fault_at(place, "TEMPLATE_NOT_ALLOWED", kNoTemplate);
    } else if (std::find(out.begin(), out.end(), element.as_string()) != out.end()) {
      members.fault_at(place, "DUPLICATE",
                       fmt::format("\"{}\" is there twice", shown(element.as_string())));
    }
    out.push_back(element.is_string() ? element.as_string() : std::string());
  }
  return out;
}

void ConfigReader::fixed_schema(std::string_view name) {
  const json::Value* schema = members.schema(name);
  if (schema != nullptr && is_source() && mentions_template(*schema)) {
    members.fault(name, "TEMPLATE_NOT_ALLOWED", kNoTemplate);
  }
}

}  // namespace avow::workflow
