// SPDX-License-Identifier: Apache-2.0
#include "cel/internal/functions.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "json/write.h"

namespace avow::cel {

bool Context::fail(std::string message) {
  error = {EvalError::Kind::kError, std::move(message)};
  return false;
}

bool Context::limit(std::string message) {
  error = {EvalError::Kind::kLimit, std::move(message)};
  return false;
}

bool Context::pay(std::size_t units) { return fuel.take(units) || limit("fuel is used up"); }
bool Context::pay_bytes(std::size_t bytes) { return pay(bytes / 16); }

bool Context::keep(std::string text, Value& out) {
  if (!pay_bytes(text.size())) return false;
  out = arena.keep(std::move(text));
  return true;
}

bool TextBuilder::append(std::string_view text) {
  if (text_.size() + text.size() > kValueBytesMax) {
    return context_.limit("a string is longer than 4 MiB");
  }
  text_ += text;
  return true;
}

bool no_overload(Context& context, std::string_view function, std::span<const Value> arguments) {
  std::string kinds;
  for (const Value& argument : arguments) {
    kinds += fmt::format("{}{}", kinds.empty() ? "" : ", ", kind_name(argument.kind()));
  }
  return context.fail(fmt::format("{}() is not defined for {}", function, kinds));
}

std::string number_text(const Value& number) {
  if (const auto* n = number.get<std::int64_t>()) return fmt::format("{}", *n);
  const double d = number.real();
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d > 0 ? "Infinity" : "-Infinity";
  return json::write(json::Value::number(d));
}

std::shared_ptr<const RE2> compile_pattern(std::string_view pattern) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(std::int64_t{1} << 18U);
  return std::make_shared<const RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
}

bool match(Context& context, std::span<const Value> arguments, const RE2& pattern, Value& out) {
  const auto* text = arguments[0].get<std::string_view>();
  if (text == nullptr) return no_overload(context, "matches", arguments);
  if (!pattern.ok())
    return context.fail(fmt::format("bad pattern: {}", shown(pattern.error(), 200)));
  // RE2 is linear in the text, but at worst (no DFA) each byte visits each instruction.
  const std::size_t instructions = static_cast<std::size_t>(pattern.ProgramSize());
  if (!context.pay(text->size() * (1 + instructions / 64) / 8)) return false;
  out = RE2::PartialMatch(re2::StringPiece(text->data(), text->size()), pattern);
  return true;
}

namespace {

bool run_matches(Context& context, std::span<const Value> arguments, Value& out) {
  const auto* pattern = arguments[1].get<std::string_view>();
  if (pattern == nullptr) return no_overload(context, "matches", arguments);
  if (context.last_pattern == nullptr || context.last_pattern->pattern() != *pattern) {
    if (!context.pay(2000 + 16 * pattern->size()))
      return false;  // compiling takes up to a millisecond
    context.last_pattern = compile_pattern(*pattern);
  }
  return match(context, arguments, *context.last_pattern, out);
}

bool run_size(Context& context, std::span<const Value> arguments, Value& out) {
  const Value& value = arguments[0];
  if (const auto* text = value.get<std::string_view>()) {
    if (!context.pay_bytes(text->size())) return false;
    out = static_cast<std::int64_t>(std::count_if(text->begin(), text->end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
    }));
    return true;
  }
  if (value.kind() != Kind::kList && value.kind() != Kind::kMap) {
    return no_overload(context, "size", arguments);
  }
  out = static_cast<std::int64_t>(value.size());
  return true;
}

bool run_type(Context&, std::span<const Value> arguments, Value& out) {
  out = arguments[0].kind();
  return true;
}

bool run_dyn(Context&, std::span<const Value> arguments, Value& out) {
  out = arguments[0];
  return true;
}

bool run_bool(Context& context, std::span<const Value> arguments, Value& out) {
  if (arguments[0].is<bool>()) {
    out = arguments[0];
    return true;
  }
  const auto* text = arguments[0].get<std::string_view>();
  if (text == nullptr) return no_overload(context, "bool", arguments);
  constexpr std::array<std::string_view, 5> kTrue = {"true", "True", "TRUE", "t", "1"};
  constexpr std::array<std::string_view, 5> kFalse = {"false", "False", "FALSE", "f", "0"};
  out = std::find(kTrue.begin(), kTrue.end(), *text) != kTrue.end();
  if (*out.get<bool>() || std::find(kFalse.begin(), kFalse.end(), *text) != kFalse.end())
    return true;
  return context.fail(fmt::format("'{}' is not a bool", shown(*text)));
}

/// The number that is the whole of `text`, with at most one sign.
template <class T>
bool read_number(std::string_view text, T& number) {
  if (text.starts_with('+')) {
    text.remove_prefix(1);
    if (text.starts_with('-')) return false;
  }
  if (text.find('(') != std::string_view::npos) return false;  // from_chars knows "nan(...)"
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && stop == text.data() + text.size();
}

bool run_int(Context& context, std::span<const Value> arguments, Value& out) {
  const Value& value = arguments[0];
  if (value.is<std::int64_t>()) {
    out = value;
    return true;
  }
  if (const auto* d = value.get<double>()) {
    // The ends of the range are refused: as doubles they stand for numbers beyond it too.
    constexpr double kTwoTo63 = 9223372036854775808.0;
    if (!(*d > -kTwoTo63 && *d < kTwoTo63))
      return context.fail("double is out of the range of int");
    out = static_cast<std::int64_t>(*d);
    return true;
  }
  const auto* text = value.get<std::string_view>();
  if (text == nullptr) return no_overload(context, "int", arguments);
  std::int64_t n = 0;
  if (!read_number(*text, n)) return context.fail(fmt::format("'{}' is not an int", shown(*text)));
  out = n;
  return true;
}

bool run_double(Context& context, std::span<const Value> arguments, Value& out) {
  const Value& value = arguments[0];
  if (value.is_number()) {
    out = value.real();
    return true;
  }
  const auto* text = value.get<std::string_view>();
  if (text == nullptr) return no_overload(context, "double", arguments);
  double d = 0;
  if (!context.pay_bytes(text->size())) return false;
  if (!read_number(*text, d))
    return context.fail(fmt::format("'{}' is not a double", shown(*text)));
  out = d;
  return true;
}

bool run_string(Context& context, std::span<const Value> arguments, Value& out) {
  const Value& value = arguments[0];
  if (value.is<std::string_view>()) {
    out = value;
    return true;
  }
  if (value.is_number()) return context.keep(number_text(value), out);
  const auto* b = value.get<bool>();
  if (b == nullptr) return no_overload(context, "string", arguments);
  out = std::string_view(*b ? "true" : "false");
  return true;
}

constexpr std::array<Function, 10> kFunctions = {{
    {"size", true, 1, 1, run_size},
    {"size", false, 1, 1, run_size},
    {"matches", true, 2, 2, run_matches},
    {"matches", false, 2, 2, run_matches},
    {"type", false, 1, 1, run_type},
    {"dyn", false, 1, 1, run_dyn},
    {"bool", false, 1, 1, run_bool},
    {"int", false, 1, 1, run_int},
    {"double", false, 1, 1, run_double},
    {"string", false, 1, 1, run_string},
}};

}  // namespace

const Function* find_function(std::string_view name, bool member) {
  for (const std::span<const Function> table :
       {std::span<const Function>(kFunctions), string_functions()}) {
    const auto found = std::find_if(table.begin(), table.end(), [&](const Function& function) {
      return function.name == name && function.member == member;
    });
    if (found != table.end()) return &*found;
  }
  return nullptr;
}

}  // namespace avow::cel
