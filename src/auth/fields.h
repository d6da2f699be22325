// SPDX-License-Identifier: Apache-2.0
// auth/fields.h: reads the members of a request's object, each with its type and bounds, and
// collects everything that is wrong. One thread; the value and the list of faults must outlive it.
#pragma once
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "auth/fault.h"
#include "base/time.h"
#include "json/value.h"

namespace avow::auth {

class Fields {
 public:
  struct TextBounds {
    std::size_t characters_min = 0;
    std::size_t characters_max = 256;
    bool is_one_line = true;  ///< No control characters; else only tab, CR and LF.
  };

  /// `body` is untrusted; one that is no object is a fault, and then has no members.
  Fields(const json::Value& body, std::vector<Fault>& faults);

  /// The member, as it is; null pointer where it is absent or null, which means the same.
  const json::Value* any(std::string_view name);
  /// The rest: nothing where the member is absent, or after its fault was noted.
  std::optional<std::string> text(std::string_view name, const TextBounds& bounds);
  std::optional<std::vector<std::string>> texts(std::string_view name, std::size_t items_max,
                                                const TextBounds& each);
  std::optional<Time> time_after(std::string_view name, Time now);
  std::optional<json::Value> object(std::string_view name, std::size_t bytes_max);

  void fault(FaultKind kind, std::string pointer, std::string code, std::string message);
  /// Every member that nobody asked for is a fault. Call it last.
  void refuse_unknown();

 private:
  const json::Value* typed(std::string_view name, json::Type type);
  bool is_within(const std::string& text, const TextBounds& bounds, const std::string& pointer);

  const json::Value& body_;
  std::vector<Fault>& faults_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace avow::auth
