// SPDX-License-Identifier: Apache-2.0
// workflow/check/config_reader.h: Members whose values may be templates. In a rendered config
// nothing is a template any more. Pure; one thread at a time.
#pragma once
#include "workflow/check/members.h"

namespace avow::workflow {

class ConfigReader {
 public:
  enum class Mode { kSource, kRendered };
  ConfigReader(const json::Value& config, std::string pointer, Names allowed, Mode mode,
               Faults& faults)
      : members(config, std::move(pointer), allowed, faults), mode_(mode) {}

  Members members;

  [[nodiscard]] bool is_source() const { return mode_ == Mode::kSource; }
  /// Whether the member is a template as a whole, of a type that is not known yet.
  [[nodiscard]] bool is_dynamic(std::string_view name) const;

  // Of members that may be templates: nothing where they are one (or absent, or at fault).
  const json::Value* typed(std::string_view name, json::Type type);
  std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  std::optional<double> number(std::string_view name, double min, double max);
  /// A string, with expressions or without. Its text only if it is without.
  std::optional<std::string> text(std::string_view name);
  /// A string that must not hold an expression (TEMPLATE_NOT_ALLOWED).
  std::optional<std::string> fixed_text(std::string_view name, std::size_t min, std::size_t max);
  /// A list of such strings, each once, at most `count_max`: its elements.
  std::vector<std::string> fixed_texts(std::string_view name, std::size_t count_max);
  /// A JSON Schema, which must not hold an expression anywhere.
  void fixed_schema(std::string_view name);

 private:
  Mode mode_;
};

}  // namespace avow::workflow
