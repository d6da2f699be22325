// SPDX-License-Identifier: Apache-2.0
// cel/internal/program.h: a parsed expression as the evaluator walks it. Nodes refer to each other
// by number, children stand before their parents, and the last node is the root: no recursion to
// destroy.
#pragma once
#include <re2/re2.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cel/expression.h"
#include "cel/internal/functions.h"
#include "cel/internal/value.h"

namespace avow::cel {

enum class Op : std::uint8_t {
  kLiteral,       ///< operand: place in literals
  kLocal,         ///< operand: slot of a macro's variable
  kReference,     ///< operand: place in references
  kHasReference,  ///< the same, has() of its last member
  kSelect,        ///< operand: place in names; child: the map
  kHas,           ///< the same, has()
  kIndex,         ///< children: list or map, index
  kNot,
  kNegate,
  kMultiply,
  kDivide,
  kModulo,
  kAdd,
  kSubtract,
  kLess,
  kLessEqual,
  kGreater,
  kGreaterEqual,
  kEqual,
  kNotEqual,
  kIn,
  kAnd,  ///< any number of children
  kOr,   ///< any number of children
  kConditional,
  kList,
  kMap,            ///< children: key, value, key, value ...
  kCall,           ///< operand: place in calls; children: target first
  kComprehension,  ///< operand: place in comprehensions; children: range, [filter,] body
};

struct Node {
  Op op = Op::kLiteral;
  std::uint32_t operand = 0;
  std::uint32_t first_child = 0;  ///< In Program::children.
  std::uint32_t child_count = 0;
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

struct Call {
  std::string name;
  const Function* function = nullptr;  ///< Null: unknown, an error when it is evaluated.
  bool member = false;
  std::shared_ptr<const RE2> pattern;  ///< Of matches() with a literal, compiled once.
};

enum class Macro : std::uint8_t {
  kAll,
  kExists,
  kExistsOne,
  kMap,
  kFilter,
  kTransformList,
  kTransformMap,
  kTransformMapEntry,
};

struct Comprehension {
  Macro macro = Macro::kAll;
  bool two_variables = false;  ///< Index and element, or key and value.
  bool filtered = false;       ///< The second child decides which elements count.

  std::uint32_t slot = 0;  ///< Of the first variable; the second has the next one.
};

/// Two variables on each level.
inline constexpr std::size_t kSlots = 2 * kComprehensionDepthMax;

struct Program {
  std::string source;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> children;
  std::vector<Value> literals;
  Arena strings;  ///< Of the literals.
  std::vector<std::string> names;
  std::vector<Reference> references;
  std::vector<Call> calls;
  std::vector<Comprehension> comprehensions;

  [[nodiscard]] std::span<const std::uint32_t> children_of(const Node& node) const {
    return std::span(children).subspan(node.first_child, node.child_count);
  }
};

/// Reads `source` into `program`; false with the first `fault`.
bool parse_program(std::string_view source, Program& program, Fault& fault);

/// Evaluates `program` within `fuel`.
std::variant<json::Value, EvalError> evaluate_program(const Program& program,
                                                      const Environment& env, Fuel& fuel);

}  // namespace avow::cel
