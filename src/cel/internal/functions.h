// SPDX-License-Identifier: Apache-2.0
// cel/internal/functions.h: the functions an expression can call. Pure; safe from any thread.
#pragma once
#include <re2/re2.h>

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "cel/expression.h"
#include "cel/internal/value.h"

namespace avow::cel {

/// What a function may use of the evaluation that calls it.
struct Context {
  Arena& arena;
  Fuel& fuel;
  EvalError& error;
  std::shared_ptr<const RE2> last_pattern = nullptr;  ///< Of matches() with a computed pattern.

  /// Each records why and returns false.
  bool fail(std::string message);
  bool limit(std::string message);
  /// Pays for work; on false the evaluation has reached its limit.
  bool pay(std::size_t units);
  bool pay_bytes(std::size_t bytes);
  /// Pays for `text`, keeps it and makes it the result.
  bool keep(std::string text, Value& out);
};

/// Text under construction, at most kValueBytesMax long.
class TextBuilder {
 public:
  explicit TextBuilder(Context& context) : context_(context) {}
  bool append(std::string_view text);
  std::string take() { return std::move(text_); }

 private:
  Context& context_;
  std::string text_;
};

struct Function {
  /// Of the whole call; a member call's target is the first argument.
  using Run = bool (*)(Context&, std::span<const Value> arguments, Value& out);

  std::string_view name;
  bool member = false;  ///< x.f(y), else f(x, y).
  std::size_t arguments_min = 1;
  std::size_t arguments_max = 1;
  Run run = nullptr;
};

/// Null if there is none of that name and form.
const Function* find_function(std::string_view name, bool member);
/// The functions over strings, in strings.cc; find_function() searches them too.
std::span<const Function> string_functions();

/// Compiles for matches(), to at most some 4000 instructions. Never null; ask `ok()`.
std::shared_ptr<const RE2> compile_pattern(std::string_view pattern);
/// x.matches(pattern) with the pattern compiled.
bool match(Context& context, std::span<const Value> arguments, const RE2& pattern, Value& out);

/// string(value) of a number, as JSON writes it; "NaN", "Infinity", "-Infinity".
std::string number_text(const Value& number);

/// format.cc: "...".format([...]).
bool format_text(Context& context, std::span<const Value> arguments, Value& out);

/// The error of arguments that a function does not take.
bool no_overload(Context& context, std::string_view function, std::span<const Value> arguments);

}  // namespace avow::cel
