// SPDX-License-Identifier: Apache-2.0
// cel/expression.h: expressions in the Common Expression Language over JSON (docs/expressions.md).
// Parse once, evaluate often. Pure: no clock, no chance, no I/O; nothing here throws.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "json/value.h"

namespace avow::cel {

// Bounds. A source that exceeds one of the first four does not parse; the others end an evaluation
// with EvalError::Kind::kLimit.
inline constexpr std::size_t kSourceBytesMax = 8 * 1024;
inline constexpr std::size_t kNodesMax = 1000;
inline constexpr std::size_t kDepthMax = 64;              ///< Nesting of sub-expressions.
inline constexpr std::size_t kComprehensionDepthMax = 2;  ///< A macro in the body of a macro.
inline constexpr std::int64_t kFuelMax = 1'000'000;       ///< One evaluation, see evaluate().
inline constexpr std::size_t kValueBytesMax = std::size_t{4} << 20;  ///< A string, or the result.
inline constexpr std::size_t kValueDepthMax = 128;  ///< Nested arrays and objects in the result.

/// What is wrong with a source, and where. Line and column count from 1, the column in characters.
struct Fault {
  std::string message;
  std::size_t line = 1;
  std::size_t column = 1;
};

/// Why an evaluation gave no value.
struct EvalError {
  enum class Kind {
    kError,  ///< EXPRESSION_ERROR: a missing key, wrong types, overflow, a result that is not JSON.
    kLimit,  ///< EXPRESSION_LIMIT: fuel, or the size or depth of a value.
  };
  Kind kind = Kind::kError;
  std::string message;  ///< May quote keys and names of the data, never whole values.
};

/// Where the free names of an expression come from.
class Environment {
 public:
  virtual ~Environment() = default;
  /// Resolves `root` followed by the members `path`. Returns a value and sets `used` to how many
  /// elements of `path` that value already stands for (the evaluator selects the rest in it), so
  /// that `steps.a.result.x` can be answered with the value of `steps.a.result` and used = 2,
  /// without ever building an object of all steps. Null pointer: this name is unknown, which is an
  /// evaluation error. `path` may be empty and never holds more than what stands literally in the
  /// source. The value must stay unchanged until evaluate() returns. Called on the thread of
  /// evaluate().
  virtual const json::Value* find(std::string_view root, std::span<const std::string> path,
                                  std::size_t& used) const = 0;
};

/// One use of a name that no macro binds, with the members selected from it by literals:
/// `steps.a.result.x` and `steps["a"].result["x"]` are root "steps", path {"a", "result", "x"}.
/// The path ends before a call, an int index (`input.items[0].id` is {"items"}) and a computed
/// index.
struct Reference {
  std::string root;
  std::vector<std::string> path;
  bool dynamic = false;  ///< A computed index follows the path, as in `steps[input.name]`.
  std::size_t line = 1;
  std::size_t column = 1;
};

struct Program;  // cel/internal/program.h

/// A parsed expression. Immutable; copies share it and may be used by any thread at any time.
class Expression {
 public:
  /// Reads `source`, which is untrusted: syntax, the bounds above, well-formed UTF-8.
  /// Errors: kInvalidArgument  message with line and column; the same is appended to `faults`
  static Result<Expression> parse(std::string_view source, std::vector<Fault>* faults = nullptr);

  [[nodiscard]] const std::string& source() const;
  /// In the order of the source.
  [[nodiscard]] const std::vector<Reference>& references() const;
  /// What evaluation would stumble over whatever the data: unknown functions, a wrong number of
  /// arguments, malformed literal patterns of matches(). In the order of the source.
  [[nodiscard]] std::vector<Fault> check() const;
  /// Evaluates to JSON. Takes at most min(fuel, kFuelMax) and writes back what is left: one unit
  /// for each node evaluated, each element and each 16 bytes touched. A non-positive `fuel` is
  /// kLimit at once. Ints beyond json::kSafeIntegerMax become doubles. Recursion is bounded by
  /// kNodesMax.
  [[nodiscard]] std::variant<json::Value, EvalError> evaluate(const Environment& env,
                                                              std::int64_t& fuel) const;

 private:
  explicit Expression(std::shared_ptr<const Program> program) : program_(std::move(program)) {}
  std::shared_ptr<const Program> program_;
};

/// Whether `word` is a keyword or reserved word of CEL, which cannot be an identifier.
bool is_reserved_word(std::string_view word);

}  // namespace avow::cel
