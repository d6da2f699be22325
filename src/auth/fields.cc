// SPDX-License-Identifier: Apache-2.0
#include "auth/fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "json/pointer.h"
#include "json/write.h"

namespace avow::auth {
namespace {

/// Unknown members told of one request: a body could hold half a million.
constexpr std::size_t kUnknownShown = 20;

/// Code points of well-formed UTF-8: the bytes that do not continue one.
std::size_t characters_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

bool has_control(std::string_view text, bool is_one_line) {
  return std::any_of(text.begin(), text.end(), [is_one_line](char c) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_white = c == '\t' || c == '\n' || c == '\r';
    return (byte < 0x20 || byte == 0x7F) && (is_one_line || !is_white);
  });
}

}  // namespace

Fields::Fields(const json::Value& body, std::vector<Fault>& faults) : body_(body), faults_(faults) {
  if (!body.is_object()) {
    fault(FaultKind::kMalformed, "", "WRONG_TYPE",
          fmt::format("must be an object, is {}", json::type_name(body.type())));
  }
}

void Fields::fault(FaultKind kind, std::string pointer, std::string code, std::string message) {
  faults_.push_back({kind, std::move(pointer), std::move(code), std::move(message)});
}

const json::Value* Fields::any(std::string_view name) {
  asked_.emplace(name);
  const json::Value* value = body_.find(name);
  return value == nullptr || value->is_null() ? nullptr : value;
}

const json::Value* Fields::typed(std::string_view name, json::Type type) {
  const json::Value* value = any(name);
  if (value == nullptr || value->type() == type) return value;
  fault(FaultKind::kMalformed, json::join("", name), "WRONG_TYPE",
        fmt::format("must be {}, is {}", json::type_name(type), json::type_name(value->type())));
  return nullptr;
}

bool Fields::is_within(const std::string& text, const TextBounds& bounds,
                       const std::string& pointer) {
  const std::size_t characters = characters_of(text);
  if (characters < bounds.characters_min || characters > bounds.characters_max) {
    fault(FaultKind::kInvalid, pointer,
          characters < bounds.characters_min ? "TOO_SHORT" : "TOO_LONG",
          fmt::format("has {} characters, allowed are {} to {}", characters, bounds.characters_min,
                      bounds.characters_max));
    return false;
  }
  if (has_control(text, bounds.is_one_line)) {
    fault(FaultKind::kInvalid, pointer, "INVALID_VALUE", "has control characters");
    return false;
  }
  return true;
}

std::optional<std::string> Fields::text(std::string_view name, const TextBounds& bounds) {
  const json::Value* value = typed(name, json::Type::kString);
  if (value == nullptr || !is_within(value->as_string(), bounds, json::join("", name))) return {};
  return value->as_string();
}

std::optional<std::vector<std::string>> Fields::texts(std::string_view name, std::size_t items_max,
                                                      const TextBounds& each) {
  const json::Value* value = typed(name, json::Type::kArray);
  if (value == nullptr) return {};
  const std::string pointer = json::join("", name);
  const json::Array& items = value->as_array();
  if (items.size() > items_max) {
    fault(FaultKind::kInvalid, pointer, "TOO_LONG",
          fmt::format("has {} items, at most {} are allowed", items.size(), items_max));
    return {};
  }
  const std::size_t faults_before = faults_.size();
  std::vector<std::string> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i].is_string()) {
      fault(FaultKind::kMalformed, json::join(pointer, i), "WRONG_TYPE",
            fmt::format("must be string, is {}", json::type_name(items[i].type())));
    } else if (is_within(items[i].as_string(), each, json::join(pointer, i))) {
      out.push_back(items[i].as_string());
    }
  }
  if (faults_.size() != faults_before) return {};
  return out;
}

std::optional<Time> Fields::time_after(std::string_view name, Time now) {
  const json::Value* value = typed(name, json::Type::kString);
  if (value == nullptr) return {};
  const auto time = parse_time(value->as_string());
  if (!time) {
    fault(FaultKind::kMalformed, json::join("", name), "INVALID_VALUE",
          "must be a time of RFC 3339, as 2030-01-31T23:59:59Z");
    return {};
  }
  if (*time <= now) {
    fault(FaultKind::kInvalid, json::join("", name), "INVALID_VALUE", "lies in the past");
    return {};
  }
  return *time;
}

std::optional<json::Value> Fields::object(std::string_view name, std::size_t bytes_max) {
  const json::Value* value = typed(name, json::Type::kObject);
  if (value == nullptr) return {};
  const std::size_t bytes = json::write(*value).size();
  if (bytes > bytes_max) {
    fault(FaultKind::kInvalid, json::join("", name), "TOO_LONG",
          fmt::format("has {} bytes as compact JSON, at most {} are allowed", bytes, bytes_max));
    return {};
  }
  return *value;
}

void Fields::refuse_unknown() {
  if (!body_.is_object()) return;
  std::size_t unknown = 0;
  for (const json::Member& member : body_.as_object()) {
    if (asked_.contains(member.key)) continue;
    if (++unknown > kUnknownShown) return;
    fault(FaultKind::kMalformed, json::join("", member.key), "UNKNOWN_FIELD",
          fmt::format("\"{}\" is not known here; known are {}", shown(member.key),
                      fmt::join(asked_, ", ")));
  }
}

}  // namespace avow::auth
