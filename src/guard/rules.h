// SPDX-License-Identifier: Apache-2.0
// guard/rules.h: guardrail rules over a piece of content: regex, keywords, max_length, json_schema,
// pii (e-mail, card numbers by Luhn, IBAN by ISO 7064, US SSN) and cel.
// Pure; a compiled Rules is immutable and safe from any thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "json/value.h"

namespace avow::guard {

inline constexpr std::size_t kRulesMax = 100;
inline constexpr std::size_t kKeywordsMax = 1000;      ///< Of one rule.
inline constexpr std::size_t kPatternBytesMax = 4096;  ///< Of one regex.
inline constexpr std::size_t kContentBytesMax = std::size_t{4} << 20;
inline constexpr std::size_t kViolationsMax = 100;  ///< Reported; redaction goes on.

struct RuleFault {
  std::string pointer;  ///< Into the rules array.
  std::string message;
  std::size_t line = 0;
  std::size_t column = 0;
};

struct Violation {
  std::string rule_id;
  std::string severity;  ///< low, medium, high or critical.
  std::string message;   ///< Says what kind of thing was found, never the thing.
  std::string pointer;   ///< RFC 6901 into the content; empty: the whole.
};

struct Verdict {
  bool allowed = true;  ///< No violations.
  std::vector<Violation> violations;
  json::Value redacted;  ///< The content with every match replaced by "[REDACTED:<rule_id>]".
};

class Rules {
 public:
  /// Compiles the array `rules`; every member is an object {id, type, severity?, ...} as
  /// docs/guardrails.md says. All faults at once. Errors: kInvalidArgument (the first fault)
  static Result<Rules> compile(const json::Value& rules, std::vector<RuleFault>* faults = nullptr);

  /// Applies every rule to `content` (a string, or every string, number and member name in a tree).
  /// `context` is `context` in cel rules, the content is `content`. Takes from `fuel` one unit for
  /// each text and each 16 bytes of it that a rule looks at. Errors: kResourceExhausted (fuel, or
  /// content above kContentBytesMax)
  ///         kInvalidArgument (a cel rule gave an error, or no boolean)
  [[nodiscard]] Result<Verdict> check(const json::Value& content, const json::Value& context,
                                      std::int64_t& fuel) const;

 private:
  struct Compiled;
  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace avow::guard
