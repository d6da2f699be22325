// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "cel/internal/program.h"

namespace avow::cel {
namespace {

/// Walks the program. Every function returns false when there is an error, which then stands in
/// `error_`: an error is a value in CEL, so && || all() and exists() look at it and may go on.
/// Recursion follows the tree, which has at most kNodesMax nodes.
class Evaluator {
 public:
  Evaluator(const Program& program, const Environment& env, Fuel& fuel)
      : program_(program), env_(env), fuel_(fuel) {}

  std::variant<json::Value, EvalError> run() {
    Value value;
    if (!eval(static_cast<std::uint32_t>(program_.nodes.size() - 1), value))
      return std::move(error_);
    return to_json(value, fuel_);
  }

 private:
  bool fail(std::string message) { return context_.fail(std::move(message)); }
  /// Whether evaluation may go on past the error that just happened.
  [[nodiscard]] bool is_absorbable() const { return error_.kind == EvalError::Kind::kError; }

  bool eval(std::uint32_t at, Value& out) {
    if (!context_.pay(1)) return false;
    const Node& node = program_.nodes[at];
    switch (node.op) {
      case Op::kLiteral:
        out = program_.literals[node.operand];
        return true;
      case Op::kLocal:
        out = slots_[node.operand];
        return true;
      case Op::kReference:
        return eval_reference(program_.references[node.operand], out);
      case Op::kHasReference:
        return eval_has_reference(program_.references[node.operand], out);
      case Op::kSelect:
        return eval_select(node, out);
      case Op::kHas:
        return eval_has(node, out);
      case Op::kNot:
      case Op::kNegate:
        return eval_unary(node, out);
      case Op::kAnd:
        return eval_logical(node, false, out);
      case Op::kOr:
        return eval_logical(node, true, out);
      case Op::kConditional:
        return eval_conditional(node, out);
      case Op::kList:
        return eval_list(node, out);
      case Op::kMap:
        return eval_map(node, out);
      case Op::kCall:
        return eval_call(node, out);
      case Op::kComprehension:
        return eval_comprehension(node, out);
      default:
        return eval_binary(node, out);
    }
  }

  // ------------------------------------------------------------------ names and members

  bool select(const Value& target, std::string_view name, Value& out) {
    if (target.kind() != Kind::kMap) {
      return fail(fmt::format("{} has no member '{}'", kind_name(target.kind()), shown(name)));
    }
    const auto found = target.find(name);
    if (!found) return fail(fmt::format("no such key '{}'", shown(name)));
    out = *found;
    return true;
  }

  /// Asks the environment for as much of the reference as it can give; `used` members are done.
  bool resolve(const Reference& reference, std::size_t& used, Value& out) {
    used = 0;
    if (!context_.pay(reference.path.size())) return false;
    const json::Value* found = env_.find(reference.root, reference.path, used);
    if (found == nullptr) {
      std::string name = reference.root;
      for (const std::string& member : reference.path) name += "." + member;
      return fail(fmt::format("unknown name '{}'", shown(name)));
    }
    CHECK(used <= reference.path.size());
    out = Value::view_of(*found);
    return true;
  }

  bool select_rest(const Reference& reference, std::size_t begin, std::size_t end, Value& value) {
    for (std::size_t i = begin; i < end; ++i) {
      if (!select(value, reference.path[i], value)) return false;
    }
    return true;
  }

  bool eval_reference(const Reference& reference, Value& out) {
    std::size_t used = 0;
    return resolve(reference, used, out) &&
           select_rest(reference, used, reference.path.size(), out);
  }

  bool eval_has_reference(const Reference& reference, Value& out) {
    std::size_t used = 0;
    Value value;
    if (!resolve(reference, used, value)) return false;
    const std::size_t last = reference.path.size() - 1;
    if (used > last) {  // the environment knows the very member
      out = true;
      return true;
    }
    return select_rest(reference, used, last, value) && has(value, reference.path[last], out);
  }

  bool has(const Value& target, std::string_view name, Value& out) {
    if (target.kind() != Kind::kMap) {
      return fail(fmt::format("{} has no members", kind_name(target.kind())));
    }
    out = target.find(name).has_value();
    return true;
  }

  /// A look-up compares the key with others of its length.
  bool pay_for_key(const Value& key) {
    const auto* text = key.get<std::string_view>();
    return text == nullptr || context_.pay_bytes(text->size());
  }

  bool eval_select(const Node& node, Value& out) {
    return eval(program_.children_of(node)[0], out) &&
           select(out, program_.names[node.operand], out);
  }

  bool eval_has(const Node& node, Value& out) {
    Value target;
    return eval(program_.children_of(node)[0], target) &&
           has(target, program_.names[node.operand], out);
  }

  bool index(const Value& target, const Value& key, Value& out) {
    if (target.kind() == Kind::kMap) {
      if (!pay_for_key(key)) return false;
      const auto found = target.find(key);
      if (found) {
        out = *found;
        return true;
      }
      const auto* name = key.get<std::string_view>();
      return fail(name != nullptr ? fmt::format("no such key '{}'", shown(*name)) : "no such key");
    }
    const auto at = key.integral();
    if (target.kind() != Kind::kList || !at) return no_operator("[]", target, key);
    if (*at < 0 || static_cast<std::uint64_t>(*at) >= target.size()) {
      return fail(fmt::format("index {} is outside a list of {}", *at, target.size()));
    }
    out = target.element(static_cast<std::size_t>(*at));
    return true;
  }

  // ------------------------------------------------------------------ operators

  bool no_operator(std::string_view symbol, const Value& a, const Value& b) {
    return fail(fmt::format("'{}' is not defined for {} and {}", symbol, kind_name(a.kind()),
                            kind_name(b.kind())));
  }

  bool eval_unary(const Node& node, Value& out) {
    Value value;
    if (!eval(program_.children_of(node)[0], value)) return false;
    if (node.op == Op::kNot) {
      if (!value.is<bool>())
        return fail(fmt::format("'!' is not defined for {}", kind_name(value.kind())));
      out = !*value.get<bool>();
      return true;
    }
    if (const auto* n = value.get<std::int64_t>()) return arithmetic(Op::kSubtract, 0, *n, out);
    if (!value.is<double>())
      return fail(fmt::format("'-' is not defined for {}", kind_name(value.kind())));
    out = -*value.get<double>();
    return true;
  }

  /// && with `decisive` false, || with true: one decisive operand decides, whatever errors the
  /// others are; without one, an error is the result.
  bool eval_logical(const Node& node, bool decisive, Value& out) {
    std::optional<EvalError> first_error;
    for (const std::uint32_t child : program_.children_of(node)) {
      Value value;
      const bool evaluated = eval_bool(child, value);
      if (!evaluated && !is_absorbable()) return false;
      if (!evaluated && !first_error) first_error = std::move(error_);
      if (evaluated && *value.get<bool>() == decisive) {
        out = decisive;
        return true;
      }
    }
    if (first_error) {
      error_ = std::move(*first_error);
      return false;
    }
    out = !decisive;
    return true;
  }

  bool eval_bool(std::uint32_t at, Value& out) {
    if (!eval(at, out)) return false;
    if (out.is<bool>()) return true;
    return fail(fmt::format("expected bool, found {}", kind_name(out.kind())));
  }

  bool eval_conditional(const Node& node, Value& out) {
    const auto children = program_.children_of(node);
    Value condition;
    if (!eval_bool(children[0], condition)) return false;
    return eval(children[*condition.get<bool>() ? 1 : 2], out);
  }

  bool eval_binary(const Node& node, Value& out) {
    const auto children = program_.children_of(node);
    Value a;
    Value b;
    if (!eval(children[0], a) || !eval(children[1], b)) return false;
    switch (node.op) {
      case Op::kIndex:
        return index(a, b, out);
      case Op::kEqual:
      case Op::kNotEqual: {
        const bool same = equal(a, b, fuel_);
        out = same == (node.op == Op::kEqual);
        return context_.pay(0);
      }
      case Op::kIn:
        return in(a, b, out);
      case Op::kLess:
      case Op::kLessEqual:
      case Op::kGreater:
      case Op::kGreaterEqual:
        return compare(node.op, a, b, out);
      default:
        return calculate(node.op, a, b, out);
    }
  }

  bool in(const Value& element, const Value& collection, Value& out) {
    const Kind kind = collection.kind();
    if (kind == Kind::kMap) {
      if (!pay_for_key(element)) return false;
      out = collection.find(element).has_value();
      return true;
    }
    if (kind != Kind::kList) return no_operator("in", element, collection);
    bool found = false;
    for (std::size_t i = 0; i < collection.size() && !found && !fuel_.is_spent(); ++i) {
      found = equal(element, collection.element(i), fuel_);
    }
    out = found;
    return context_.pay(0);
  }

  bool compare(Op op, const Value& a, const Value& b, Value& out) {
    const Order result = order(a, b);
    if (!result.comparable) return no_operator(symbol_of(op), a, b);
    if (result.unordered) {
      out = false;
      return true;
    }
    switch (op) {
      case Op::kLess:
        out = result.sign < 0;
        break;
      case Op::kLessEqual:
        out = result.sign <= 0;
        break;
      case Op::kGreater:
        out = result.sign > 0;
        break;
      default:
        out = result.sign >= 0;
        break;
    }
    if (const auto *x = a.get<std::string_view>(), *y = b.get<std::string_view>(); x && y) {
      return context_.pay_bytes(std::min(x->size(), y->size()));
    }
    return true;
  }

  static std::string_view symbol_of(Op op) {
    switch (op) {
      case Op::kMultiply:
        return "*";
      case Op::kDivide:
        return "/";
      case Op::kModulo:
        return "%";
      case Op::kAdd:
        return "+";
      case Op::kSubtract:
        return "-";
      case Op::kLess:
        return "<";
      case Op::kLessEqual:
        return "<=";
      case Op::kGreater:
        return ">";
      case Op::kGreaterEqual:
        return ">=";
      default:
        return "?";
    }
  }

  bool calculate(Op op, const Value& a, const Value& b, Value& out) {
    const auto* n = a.get<std::int64_t>();
    const auto* m = b.get<std::int64_t>();
    if (n != nullptr && m != nullptr) return arithmetic(op, *n, *m, out);
    if (a.is_number() && b.is_number() && op != Op::kModulo) {
      out = arithmetic(op, a.real(), b.real());
      return true;
    }
    if (op == Op::kAdd && a.is<std::string_view>() && b.is<std::string_view>()) {
      TextBuilder text(context_);
      return text.append(*a.get<std::string_view>()) && text.append(*b.get<std::string_view>()) &&
             context_.keep(text.take(), out);
    }
    if (op == Op::kAdd && a.kind() == Kind::kList && b.kind() == Kind::kList) {
      return concatenate(a, b, out);
    }
    return no_operator(symbol_of(op), a, b);
  }

  bool arithmetic(Op op, std::int64_t a, std::int64_t b, Value& out) {
    std::int64_t result = 0;
    bool overflow = false;
    switch (op) {
      case Op::kAdd:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
      case Op::kSubtract:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
      case Op::kMultiply:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
      default:
        if (b == 0) return fail(op == Op::kDivide ? "division by zero" : "modulus by zero");
        overflow = a == INT64_MIN && b == -1;
        if (!overflow) result = op == Op::kDivide ? a / b : a % b;
    }
    if (overflow) return fail("int overflow");
    out = result;
    return true;
  }

  static double arithmetic(Op op, double a, double b) {
    switch (op) {
      case Op::kAdd:
        return a + b;
      case Op::kSubtract:
        return a - b;
      case Op::kMultiply:
        return a * b;
      default:
        return a / b;  // by zero: infinity or NaN, as IEEE 754 says
    }
  }

  bool concatenate(const Value& a, const Value& b, Value& out) {
    if (!context_.pay(a.size() + b.size())) return false;
    List list;
    list.reserve(a.size() + b.size());
    for (const Value* part : {&a, &b}) {
      for (std::size_t i = 0; i < part->size(); ++i) list.push_back(part->element(i));
    }
    out = context_.arena.keep(std::move(list));
    return true;
  }

  // ------------------------------------------------------------------ literals and calls

  bool eval_list(const Node& node, Value& out) {
    List list(node.child_count);
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!eval(program_.children_of(node)[i], list[i])) return false;
    }
    out = context_.arena.keep(std::move(list));
    return true;
  }

  bool eval_map(const Node& node, Value& out) {
    const auto children = program_.children_of(node);
    std::vector<std::pair<Value, Value>> entries(children.size() / 2);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (!eval(children[2 * i], entries[i].first) ||
          !eval(children[2 * i + 1], entries[i].second)) {
        return false;
      }
      const Kind kind = entries[i].first.kind();
      if (kind != Kind::kString && kind != Kind::kInt && kind != Kind::kBool) {
        return fail(fmt::format("{} cannot be a key", kind_name(kind)));
      }
    }
    return keep_map(std::move(entries), out);
  }

  bool keep_map(std::vector<std::pair<Value, Value>> entries, Value& out) {
    for (const auto& entry : entries) {
      if (!pay_for_key(entry.first)) return false;
    }
    const Map* map = context_.arena.keep_map(std::move(entries));
    if (map == nullptr) return fail("a key stands twice in a map");
    out = map;
    return true;
  }

  bool eval_call(const Node& node, Value& out) {
    const Call& call = program_.calls[node.operand];
    if (call.function == nullptr)
      return fail(fmt::format("unknown function '{}'", shown(call.name)));
    const std::size_t count = node.child_count;
    if (count < call.function->arguments_min || count > call.function->arguments_max) {
      return fail(fmt::format("{}() does not take {} arguments", call.name, count));
    }
    std::array<Value, 4> storage;  // no function takes more
    CHECK(count <= storage.size());
    const std::span<Value> arguments(storage.data(), count);
    for (std::size_t i = 0; i < count; ++i) {
      if (!eval(program_.children_of(node)[i], arguments[i])) return false;
    }
    if (call.pattern != nullptr) return match(context_, arguments, *call.pattern, out);
    return call.function->run(context_, arguments, out);
  }

  // ------------------------------------------------------------------ macros

  /// Puts element `at` of `range` into the macro's variables.
  void bind(const Comprehension& comprehension, const Value& range, bool is_map, std::size_t at) {
    Value& first = slots_[comprehension.slot];
    if (!comprehension.two_variables) {
      first = is_map ? range.key(at) : range.element(at);
      return;
    }
    first = is_map ? range.key(at) : Value(static_cast<std::int64_t>(at));
    slots_[comprehension.slot + 1] = is_map ? range.mapped(at) : range.element(at);
  }

  bool eval_comprehension(const Node& node, Value& out) {
    const Comprehension& comprehension = program_.comprehensions[node.operand];
    const auto children = program_.children_of(node);
    Value range;
    if (!eval(children[0], range)) return false;
    const Kind kind = range.kind();
    if (kind != Kind::kList && kind != Kind::kMap) {
      return fail(fmt::format("macros go over lists and maps, not over {}", kind_name(kind)));
    }
    const Loop loop{comprehension, range, kind == Kind::kMap, children};
    switch (comprehension.macro) {
      case Macro::kAll:
        return quantify(loop, false, out);
      case Macro::kExists:
        return quantify(loop, true, out);
      case Macro::kExistsOne:
        return count_one(loop, out);
      case Macro::kMap:
      case Macro::kFilter:
      case Macro::kTransformList:
        return make_list(loop, out);
      case Macro::kTransformMap:
      case Macro::kTransformMapEntry:
        return make_map(loop, out);
    }
    return false;
  }

  struct Loop {
    const Comprehension& comprehension;
    const Value& range;
    bool is_map;
    std::span<const std::uint32_t> children;
  };

  /// all() with `decisive` false, exists() with true; errors as in && and ||.
  bool quantify(const Loop& loop, bool decisive, Value& out) {
    std::optional<EvalError> first_error;
    for (std::size_t i = 0; i < loop.range.size(); ++i) {
      bind(loop.comprehension, loop.range, loop.is_map, i);
      Value value;
      const bool evaluated = eval_bool(loop.children[1], value);
      if (!evaluated && !is_absorbable()) return false;
      if (!evaluated && !first_error) first_error = std::move(error_);
      if (evaluated && *value.get<bool>() == decisive) {
        out = decisive;
        return true;
      }
    }
    if (first_error) {
      error_ = std::move(*first_error);
      return false;
    }
    out = !decisive;
    return true;
  }

  bool count_one(const Loop& loop, Value& out) {
    std::size_t count = 0;
    for (std::size_t i = 0; i < loop.range.size(); ++i) {
      bind(loop.comprehension, loop.range, loop.is_map, i);
      Value value;
      if (!eval_bool(loop.children[1], value)) return false;
      count += *value.get<bool>() ? 1 : 0;
    }
    out = count == 1;
    return true;
  }

  /// Whether the element in the variables passes the macro's filter; false is in `passes`, not
  /// here.
  bool passes_filter(const Loop& loop, bool& passes) {
    Value value = true;
    if (loop.comprehension.filtered && !eval_bool(loop.children[1], value)) return false;
    passes = *value.get<bool>();
    return true;
  }

  bool make_list(const Loop& loop, Value& out) {
    List list;
    for (std::size_t i = 0; i < loop.range.size(); ++i) {
      bind(loop.comprehension, loop.range, loop.is_map, i);
      bool passes = true;
      if (!passes_filter(loop, passes)) return false;
      if (!passes) continue;
      Value value = slots_[loop.comprehension.slot];  // what filter() keeps
      if (loop.comprehension.macro != Macro::kFilter && !eval(loop.children.back(), value))
        return false;
      list.push_back(value);
    }
    out = context_.arena.keep(std::move(list));
    return true;
  }

  bool make_map(const Loop& loop, Value& out) {
    std::vector<std::pair<Value, Value>> entries;
    for (std::size_t i = 0; i < loop.range.size(); ++i) {
      bind(loop.comprehension, loop.range, loop.is_map, i);
      bool passes = true;
      if (!passes_filter(loop, passes)) return false;
      if (!passes) continue;
      Value value;
      if (!eval(loop.children.back(), value)) return false;
      if (loop.comprehension.macro == Macro::kTransformMap) {
        entries.emplace_back(slots_[loop.comprehension.slot], value);
      } else if (value.kind() != Kind::kMap) {
        return fail(fmt::format("transformMapEntry() needs maps, not {}", kind_name(value.kind())));
      } else if (!add_entries(value, entries)) {
        return false;
      }
    }
    return keep_map(std::move(entries), out);
  }

  bool add_entries(const Value& map, std::vector<std::pair<Value, Value>>& entries) {
    if (!context_.pay(map.size())) return false;
    for (std::size_t i = 0; i < map.size(); ++i) entries.emplace_back(map.key(i), map.mapped(i));
    return true;
  }

  const Program& program_;
  const Environment& env_;
  Fuel& fuel_;
  EvalError error_;
  Arena arena_;
  Context context_{arena_, fuel_, error_};
  std::array<Value, kSlots> slots_;
};

}  // namespace

std::variant<json::Value, EvalError> evaluate_program(const Program& program,
                                                      const Environment& env, Fuel& fuel) {
  return Evaluator(program, env, fuel).run();
}

}  // namespace avow::cel
