// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/retry.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "json/pointer.h"
#include "workflow/check/members.h"
#include "workflow/check/names.h"

namespace avow::workflow {
namespace {

constexpr std::int64_t kAttemptsMax = 100;
constexpr std::int64_t kDelayMsMax = 86'400'000;  // a day
constexpr double kMultiplierMax = 100;
constexpr std::size_t kCodesMax = 32;

constexpr auto kRetry = std::to_array<std::string_view>(
    {"max_attempts", "initial_delay_ms", "multiplier", "max_delay_ms", "retry_on"});
// Sorted, as every normalised retry_on.
constexpr auto kClasses =
    std::to_array<std::string_view>({"408", "429", "5xx", "timeout", "transport"});

/// As the engine, tools and workers write error codes: EXPRESSION_ERROR.
bool is_error_code(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] >= 'A' && text[0] <= 'Z' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

/// Sorted, each once: their order means nothing.
json::Value check_retry_on(Members& members) {
  const json::Value* list = members.typed("retry_on", json::Type::kArray);
  if (list == nullptr) return json::Array(kClasses.begin(), kClasses.end());
  if (list->as_array().size() > kCodesMax) {
    members.fault("retry_on", "OUT_OF_RANGE",
                  fmt::format("must have at most {} elements", kCodesMax));
  }
  std::set<std::string> codes;
  for (std::size_t i = 0; i < list->as_array().size(); ++i) {
    const json::Value& code = list->as_array()[i];
    const bool good = code.is_string() && (std::find(kClasses.begin(), kClasses.end(),
                                                     code.as_string()) != kClasses.end() ||
                                           is_error_code(code.as_string()));
    if (good) {
      codes.insert(code.as_string());
    } else {
      members.fault_at(json::join(members.at("retry_on"), i),
                       code.is_string() ? "INVALID_VALUE" : "WRONG_TYPE",
                       fmt::format("must be one of {}, or an error code like TOOL_FAILED",
                                   listed(kClasses, "or")));
    }
  }
  return json::Array(codes.begin(), codes.end());
}

}  // namespace

json::Value check_retry(const json::Value* retry, bool calls_outside, const std::string& pointer,
                        Faults& faults) {
  const json::Value none = json::Object();
  Members members(retry == nullptr ? none : *retry, pointer, kRetry, faults);
  members.integer("max_attempts", 1, kAttemptsMax);
  members.integer("initial_delay_ms", 0, kDelayMsMax);
  members.number("multiplier", 1, kMultiplierMax);
  members.integer("max_delay_ms", 0, kDelayMsMax);
  json::Value out = members.in_order({{"max_attempts", calls_outside ? 3 : 1},
                                      {"initial_delay_ms", 500},
                                      {"multiplier", 2},
                                      {"max_delay_ms", 30'000}});
  out.set("retry_on", check_retry_on(members));
  return out;
}

}  // namespace avow::workflow
