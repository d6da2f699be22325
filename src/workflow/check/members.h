// SPDX-License-Identifier: Apache-2.0
// workflow/check/members.h: reads the members of one untrusted object and writes down what is wrong
// with them, so that a checker goes on to the next fault. A member that is null counts as absent.
// Pure; one thread at a time.
#pragma once
#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "json/schema.h"
#include "json/value.h"
#include "workflow/fault.h"

namespace avow::workflow {

using Names = std::span<const std::string_view>;

class Members {
 public:
  /// `value`, `faults` and `allowed` (for constants) outlive this. If `value` is no object that is
  /// a fault (WRONG_TYPE) and every member is absent; the first 20 members not in `allowed` are
  /// faults (UNKNOWN_FIELD).
  Members(const json::Value& value, std::string pointer, Names allowed, Faults& faults);

  [[nodiscard]] bool is_object() const { return value_.is_object(); }
  [[nodiscard]] const json::Value* find(std::string_view name) const;
  [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
  [[nodiscard]] const std::string& pointer() const { return pointer_; }
  [[nodiscard]] std::string at(std::string_view name) const;

  void fault(std::string_view name, std::string_view code, std::string message);
  void fault_at(std::string pointer, std::string_view code, std::string message);
  /// MISSING_FIELD on the object itself, unless the member is there. Returns whether it is.
  bool require(std::string_view name);
  /// NOT_SUPPORTED if the member is there.
  void refuse(std::string_view name, std::string_view what);

  // Each returns nothing if the member is absent; WRONG_TYPE or OUT_OF_RANGE is a fault, and
  // nothing.
  const json::Value* typed(std::string_view name, json::Type type);
  std::optional<std::string> text(std::string_view name, std::size_t min, std::size_t max);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  std::optional<bool> boolean(std::string_view name);
  std::optional<std::string> one_of(std::string_view name, Names words);
  /// A JSON Schema that compiles (BAD_SCHEMA for each fault in it).
  const json::Value* schema(std::string_view name);

  /// The members in the order of `allowed`; where one is absent, the one of `defaults`.
  [[nodiscard]] json::Value in_order(const json::Object& defaults) const;

 private:
  const json::Value& value_;
  std::string pointer_;
  Names allowed_;
  Faults& faults_;
};

/// How many code points `text` has.
std::size_t characters_of(std::string_view text);
/// "an object", "a string", ...: for messages.
std::string_view with_article(json::Type type);

}  // namespace avow::workflow
