// SPDX-License-Identifier: Apache-2.0
#include "provenance/members.h"

#include <algorithm>
#include <limits>

namespace avow::provenance {
namespace {

bool read_bytes32(std::string_view bytes, Bytes32& out) {
  if (bytes.size() != out.size()) return false;
  std::ranges::transform(bytes, out.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return true;
}

bool is_string(const json::Value* value) {
  return value != nullptr && value->is_string() && !value->as_string().empty();
}

}  // namespace

bool has_only(const json::Value& value, std::initializer_list<std::string_view> names) {
  return value.is_object() && std::ranges::all_of(value.as_object(), [&](const auto& member) {
           return std::ranges::find(names, member.key) != names.end();
         });
}

bool read_string(const json::Value* value, std::string& out) {
  if (!is_string(value)) return false;
  out = value->as_string();
  return true;
}

bool read_strings(const json::Value* value, std::vector<std::string>& out) {
  if (value == nullptr || !value->is_array() || value->as_array().empty()) return false;
  return std::ranges::all_of(value->as_array(), [&](const json::Value& one) {
    return read_string(&one, out.emplace_back());
  });
}

bool read_count(const json::Value* value, std::uint64_t& out) {
  if (value == nullptr || !value->is_int() || value->as_int() < 0) return false;
  out = static_cast<std::uint64_t>(value->as_int());
  return true;
}

bool read_count(const json::Value* value, std::uint32_t& out) {
  std::uint64_t wide = 0;
  if (!read_count(value, wide) || wide > std::numeric_limits<std::uint32_t>::max()) return false;
  out = static_cast<std::uint32_t>(wide);
  return true;
}

bool read_id(const json::Value* value, Id& out) {
  if (!is_string(value)) return false;
  const auto id = parse_id(value->as_string());
  if (!id) return false;
  out = *id;
  return true;
}

bool read_time(const json::Value* value, Time& out) {
  if (!is_string(value)) return false;
  const auto time = parse_time(value->as_string());
  if (!time) return false;
  out = *time;
  return true;
}

bool read_digest(const json::Value* value, Bytes32& out) {
  if (!is_string(value)) return false;
  const auto bytes = from_hex(value->as_string());
  return bytes && read_bytes32(*bytes, out) && to_hex(*bytes) == value->as_string();
}

bool read_base64(const json::Value* value, std::string& out) {
  if (!is_string(value)) return false;
  auto bytes = from_base64(value->as_string());
  if (!bytes) return false;
  out = *std::move(bytes);
  return true;
}

bool read_base64(const json::Value* value, Bytes32& out) {
  std::string bytes;
  return read_base64(value, bytes) && read_bytes32(bytes, out);
}

bool read_hashes(const json::Value* value, std::vector<Bytes32>& out) {
  if (value == nullptr || !value->is_array()) return false;
  return std::ranges::all_of(value->as_array(), [&](const json::Value& one) {
    return read_base64(&one, out.emplace_back());
  });
}

}  // namespace avow::provenance
