// SPDX-License-Identifier: Apache-2.0
#include "engine/contents.h"

namespace avow::engine {

std::size_t approximate_bytes(const json::Value& value) {
  switch (value.type()) {
    case json::Type::kString:
      return value.as_string().size() + 2;
    case json::Type::kArray: {
      std::size_t bytes = 2;
      for (const json::Value& item : value.as_array()) bytes += approximate_bytes(item) + 1;
      return bytes;
    }
    case json::Type::kObject: {
      std::size_t bytes = 2;
      for (const auto& [key, member] : value.as_object())
        bytes += key.size() + 4 + approximate_bytes(member);
      return bytes;
    }
    default:
      return 8;
  }
}

std::size_t depth_of(const json::Value& value) {
  std::size_t deepest = 0;
  if (value.is_array()) {
    for (const json::Value& item : value.as_array()) deepest = std::max(deepest, depth_of(item));
  } else if (value.is_object()) {
    for (const auto& [key, member] : value.as_object())
      deepest = std::max(deepest, depth_of(member));
  } else {
    return 0;
  }
  return deepest + 1;
}

}  // namespace avow::engine
