// SPDX-License-Identifier: Apache-2.0
// connectors/url_template.h: a tool's URL with `${{ arguments.x }}` in its path and query.
// Immutable after compile(); safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cel/expression.h"
#include "connectors/url.h"
#include "workflow/fault.h"

namespace avow::connectors {

/// Makes `arguments` known to expressions, and nothing else.
class ArgumentsEnvironment : public cel::Environment {
 public:
  explicit ArgumentsEnvironment(const json::Value& arguments) : arguments_(arguments) {}
  const json::Value* find(std::string_view root, std::span<const std::string> path,
                          std::size_t& used) const override;

 private:
  const json::Value& arguments_;
};

class UrlTemplate {
 public:
  /// Reads `text`; scheme, host and port must be literal. Faults (at `pointer`): BAD_URL,
  /// BAD_EXPRESSION, UNKNOWN_NAME. Nothing if there is any.
  static std::optional<UrlTemplate> compile(std::string_view text, const std::string& pointer,
                                            workflow::Faults& faults);

  /// The URL with each value percent-encoded, so that it can neither leave its path segment nor its
  /// place in the query. A value is text, a number or a boolean; one that makes a segment empty,
  /// "." or ".." is refused. Errors: kInvalidArgument
  Result<std::string> render(const json::Value& arguments, std::int64_t& fuel) const;

  /// Where it leads; in the target an "x" stands for every value.
  [[nodiscard]] const Url& base() const { return base_; }
  [[nodiscard]] bool is_constant() const { return parts_.size() == 1; }

 private:
  using Part = std::variant<std::string, cel::Expression>;
  Url base_;
  std::vector<Part> parts_;
};

}  // namespace avow::connectors
