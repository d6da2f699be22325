// SPDX-License-Identifier: Apache-2.0
#include "json/pointer.h"

#include <charconv>
#include <optional>

namespace avow::json {
namespace {

/// `token` with ~1 and ~0 read; nothing if a "~" stands before something else.
std::optional<std::string> unescaped(std::string_view token) {
  std::string text;
  text.reserve(token.size());
  for (std::size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~') {
      text += token[i];
      continue;
    }
    if (++i == token.size() || (token[i] != '0' && token[i] != '1')) return std::nullopt;
    text += token[i] == '0' ? '~' : '/';
  }
  return text;
}

/// The place that `token` names in an array of `size`; nothing if it is none (RFC 6901, section 4:
/// no leading zeros; "-" is behind the last).
std::optional<std::size_t> index_in(std::size_t size, std::string_view token) {
  std::size_t index = 0;
  const char* end = token.data() + token.size();
  const auto read = std::from_chars(token.data(), end, index);
  if (read.ec != std::errc() || read.ptr != end || index >= size) return std::nullopt;
  if (token.size() > 1 && token[0] == '0') return std::nullopt;
  return index;
}

const Value* child(const Value& value, std::string_view token) {
  if (!value.is_array()) return value.find(token);
  const auto index = index_in(value.as_array().size(), token);
  return index ? &value.as_array()[*index] : nullptr;
}

}  // namespace

std::string join(std::string_view pointer, std::string_view token) {
  std::string joined(pointer);
  joined.reserve(pointer.size() + token.size() + 1);
  joined += '/';
  for (const char c : token) {
    if (c == '~') {
      joined += "~0";
    } else if (c == '/') {
      joined += "~1";
    } else {
      joined += c;
    }
  }
  return joined;
}

std::string join(std::string_view pointer, std::size_t index) {
  return fmt::format("{}/{}", pointer, index);
}

Result<std::vector<std::string>> tokens(std::string_view pointer) {
  std::vector<std::string> found;
  if (pointer.empty()) return found;
  if (pointer[0] != '/') return failure(Code::kInvalidArgument, "a JSON pointer begins with \"/\"");
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string_view token = pointer.substr(0, pointer.find('/'));
    auto text = unescaped(token);
    if (!text) {
      return failure(Code::kInvalidArgument, "\"~\" in a JSON pointer needs 0 or 1 behind it");
    }
    found.push_back(std::move(*text));
    pointer.remove_prefix(token.size());
  }
  return found;
}

const Value* at(const Value& root, std::string_view pointer) {
  const auto path = tokens(pointer);
  if (!path) return nullptr;
  const Value* value = &root;
  for (const std::string& token : *path) {
    value = child(*value, token);
    if (value == nullptr) return nullptr;
  }
  return value;
}

Result<void> replace(Value& root, std::string_view pointer, Value value) {
  ASSIGN_OR_RETURN(const auto path, tokens(pointer));
  // Looked up first, because going down for writing clones what is shared.
  if (at(root, pointer) == nullptr) return failure(Code::kNotFound, "no value at \"{}\"", pointer);
  Value* place = &root;
  for (const std::string& token : path) {
    place = place->is_array() ? &place->mutable_array()[*index_in(place->as_array().size(), token)]
                              : place->mutable_object().find(token);
  }
  *place = std::move(value);
  return {};
}

}  // namespace avow::json
