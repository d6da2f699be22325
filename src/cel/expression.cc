// SPDX-License-Identifier: Apache-2.0
#include "cel/expression.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "cel/internal/program.h"

namespace avow::cel {
namespace {

/// Keywords first, then the words that CEL reserves.
constexpr std::array<std::string_view, 21> kReservedWords = {
    "false",    "in",      "null",      "true",     "as",  "break",  "const",
    "continue", "else",    "for",       "function", "if",  "import", "let",
    "loop",     "package", "namespace", "return",   "var", "void",   "while"};

/// What is wrong with a call whatever its arguments are; empty if nothing is.
std::string fault_of(const Call& call, std::size_t arguments) {
  if (call.function == nullptr) {
    if (find_function(call.name, !call.member) == nullptr) {
      return fmt::format("unknown function '{}'", shown(call.name));
    }
    return call.member ? fmt::format("{0}() is no member: write {0}(x)", call.name)
                       : fmt::format("{0}() is called on a value: write x.{0}(...)", call.name);
  }
  const std::size_t target = call.member ? 1 : 0;  // does not count as an argument for the reader
  const std::size_t least = call.function->arguments_min - target;
  const std::size_t most = call.function->arguments_max - target;
  arguments -= target;
  if (arguments < least || arguments > most) {
    const std::string wanted =
        least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
    return fmt::format("{}() takes {} arguments, not {}", call.name, wanted, arguments);
  }
  if (call.pattern != nullptr && !call.pattern->ok()) {
    return fmt::format("bad pattern: {}", shown(call.pattern->error(), 200));
  }
  return {};
}

}  // namespace

Result<Expression> Expression::parse(std::string_view source, std::vector<Fault>* faults) {
  auto program = std::make_shared<Program>();
  Fault fault;
  if (parse_program(source, *program, fault)) return Expression(std::move(program));
  if (faults != nullptr) faults->push_back(fault);
  return failure(Code::kInvalidArgument, "line {}, column {}: {}", fault.line, fault.column,
                 fault.message);
}

const std::string& Expression::source() const { return program_->source; }
const std::vector<Reference>& Expression::references() const { return program_->references; }

std::vector<Fault> Expression::check() const {
  std::vector<Fault> faults;
  for (const Node& node : program_->nodes) {
    if (node.op != Op::kCall) continue;
    std::string message = fault_of(program_->calls[node.operand], node.child_count);
    if (!message.empty()) faults.push_back({std::move(message), node.line, node.column});
  }
  std::stable_sort(faults.begin(), faults.end(), [](const Fault& a, const Fault& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  return faults;
}

std::variant<json::Value, EvalError> Expression::evaluate(const Environment& env,
                                                          std::int64_t& fuel) const {
  const std::int64_t allowance = std::min(fuel, kFuelMax);
  if (allowance <= 0) return EvalError{EvalError::Kind::kLimit, "fuel is used up"};
  Fuel tank(allowance);
  auto result = evaluate_program(*program_, env, tank);
  fuel -= allowance - tank.left();
  return result;
}

bool is_reserved_word(std::string_view word) {
  return std::find(kReservedWords.begin(), kReservedWords.end(), word) != kReservedWords.end();
}

}  // namespace avow::cel
