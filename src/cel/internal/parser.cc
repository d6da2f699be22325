// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "base/bytes.h"
#include "cel/internal/lexer.h"
#include "cel/internal/program.h"

namespace avow::cel {
namespace {

struct BinaryOperator {
  std::string_view symbol;
  int precedence;
  Op op;
};
constexpr std::array<BinaryOperator, 14> kBinaryOperators = {{
    {"||", 1, Op::kOr},
    {"&&", 2, Op::kAnd},
    {"<", 3, Op::kLess},
    {"<=", 3, Op::kLessEqual},
    {">", 3, Op::kGreater},
    {">=", 3, Op::kGreaterEqual},
    {"==", 3, Op::kEqual},
    {"!=", 3, Op::kNotEqual},
    {"in", 3, Op::kIn},
    {"+", 4, Op::kAdd},
    {"-", 4, Op::kSubtract},
    {"*", 5, Op::kMultiply},
    {"/", 5, Op::kDivide},
    {"%", 5, Op::kModulo},
}};

struct MacroForm {
  std::string_view name;
  std::size_t arguments;
  Macro macro;
  bool two_variables;
  bool filtered;
};
constexpr std::array<MacroForm, 17> kMacroForms = {{
    {"all", 2, Macro::kAll, false, false},
    {"all", 3, Macro::kAll, true, false},
    {"exists", 2, Macro::kExists, false, false},
    {"exists", 3, Macro::kExists, true, false},
    {"exists_one", 2, Macro::kExistsOne, false, false},
    {"exists_one", 3, Macro::kExistsOne, true, false},
    {"existsOne", 2, Macro::kExistsOne, false, false},
    {"existsOne", 3, Macro::kExistsOne, true, false},
    {"map", 2, Macro::kMap, false, false},
    {"map", 3, Macro::kMap, false, true},
    {"filter", 2, Macro::kFilter, false, true},
    {"transformList", 3, Macro::kTransformList, true, false},
    {"transformList", 4, Macro::kTransformList, true, true},
    {"transformMap", 3, Macro::kTransformMap, true, false},
    {"transformMap", 4, Macro::kTransformMap, true, true},
    {"transformMapEntry", 3, Macro::kTransformMapEntry, true, false},
    {"transformMapEntry", 4, Macro::kTransformMapEntry, true, true},
}};

/// No node: the parse has failed and `fault_` says why.
constexpr std::uint32_t kFailed = ~std::uint32_t{0};

/// Recursive descent over the tokens. Only parse_expression() and what it calls recurse, and it
/// counts its depth; chains of operators and members are loops, bounded by kNodesMax.
class Parser {
 public:
  Parser(const std::vector<Token>& tokens, Program& program, Fault& fault)
      : tokens_(tokens), program_(program), fault_(fault) {}

  bool run() {
    const std::uint32_t root = parse_expression();
    if (root == kFailed) return false;
    if (peek().kind != TokenKind::kEnd) {
      refuse(peek(), fmt::format("unexpected {}", describe(peek())));
      return false;
    }
    return true;
  }

 private:
  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& next() {
    const Token& token = peek();
    at_ = std::min(at_ + 1, tokens_.size() - 1);
    return token;
  }
  static bool is_symbol(const Token& token, std::string_view symbol) {
    return token.kind == TokenKind::kSymbol && token.text == symbol;
  }
  bool accept(std::string_view symbol) {
    if (!is_symbol(peek(), symbol)) return false;
    next();
    return true;
  }
  bool expect(std::string_view symbol) {
    if (accept(symbol)) return true;
    refuse(peek(), fmt::format("expected '{}', found {}", symbol, describe(peek())));
    return false;
  }

  static std::string describe(const Token& token) {
    switch (token.kind) {
      case TokenKind::kEnd:
        return "the end";
      case TokenKind::kString:
        return "a string";
      case TokenKind::kInt:
      case TokenKind::kDouble:
        return "a number";
      case TokenKind::kIdentifier:
      case TokenKind::kQuotedIdentifier:
      case TokenKind::kSymbol:
        break;
    }
    return fmt::format("'{}'", shown(token.text));
  }

  std::uint32_t refuse(const Token& token, std::string message) {
    fault_ = {std::move(message), token.line, token.column};
    return kFailed;
  }

  std::uint32_t add(const Token& token, Op op, std::size_t operand,
                    std::span<const std::uint32_t> children) {
    if (program_.nodes.size() >= kNodesMax) {
      return refuse(token, fmt::format("more than {} nodes", kNodesMax));
    }
    Node node;
    node.op = op;
    node.operand = static_cast<std::uint32_t>(operand);
    node.first_child = static_cast<std::uint32_t>(program_.children.size());
    node.child_count = static_cast<std::uint32_t>(children.size());
    node.line = static_cast<std::uint32_t>(token.line);
    node.column = static_cast<std::uint32_t>(token.column);
    program_.children.insert(program_.children.end(), children.begin(), children.end());
    program_.nodes.push_back(node);
    return static_cast<std::uint32_t>(program_.nodes.size() - 1);
  }
  std::uint32_t add(const Token& token, Op op, std::size_t operand,
                    std::initializer_list<std::uint32_t> children) {
    return add(token, op, operand, std::span(children.begin(), children.size()));
  }
  std::uint32_t add_literal(const Token& token, Value value) {
    program_.literals.push_back(value);
    return add(token, Op::kLiteral, program_.literals.size() - 1, {});
  }
  std::uint32_t add_named(const Token& token, Op op, std::string name, std::uint32_t child) {
    program_.names.push_back(std::move(name));
    return add(token, op, program_.names.size() - 1, {child});
  }

  // ------------------------------------------------------------------ operators

  std::uint32_t parse_expression() {
    if (depth_ == kDepthMax) {
      return refuse(peek(), fmt::format("nested deeper than {}", kDepthMax));
    }
    ++depth_;
    const std::uint32_t node = parse_conditional();
    --depth_;
    return node;
  }

  std::uint32_t parse_conditional() {
    const std::uint32_t condition = parse_binary(1);
    if (condition == kFailed || !is_symbol(peek(), "?")) return condition;
    const Token& token = next();
    const std::uint32_t yes = parse_binary(1);
    if (yes == kFailed || !expect(":")) return kFailed;
    const std::uint32_t no = parse_expression();
    if (no == kFailed) return kFailed;
    return add(token, Op::kConditional, 0, {condition, yes, no});
  }

  [[nodiscard]] const BinaryOperator* binary_operator() const {
    const Token& token = peek();
    const bool candidate = token.kind == TokenKind::kSymbol ||
                           (token.kind == TokenKind::kIdentifier && token.text == "in");
    if (!candidate) return nullptr;
    const auto* found = std::find_if(kBinaryOperators.begin(), kBinaryOperators.end(),
                                     [&](const auto& o) { return o.symbol == token.text; });
    return found == kBinaryOperators.end() ? nullptr : found;
  }

  /// Precedence climbing; recursion is at most one call per level of precedence.
  std::uint32_t parse_binary(int precedence) {
    std::uint32_t left = parse_unary();
    while (left != kFailed) {
      const BinaryOperator* found = binary_operator();
      if (found == nullptr || found->precedence < precedence) break;
      if (found->op == Op::kAnd || found->op == Op::kOr) {
        left = parse_logical(left, *found);
        continue;
      }
      const Token& token = next();
      const std::uint32_t right = parse_binary(found->precedence + 1);
      if (right == kFailed) return kFailed;
      left = add(token, found->op, 0, {left, right});
    }
    return left;
  }

  /// `a && b && c` is one node.
  std::uint32_t parse_logical(std::uint32_t first, const BinaryOperator& which) {
    const Token& token = peek();
    std::vector<std::uint32_t> children = {first};
    while (accept(which.symbol)) {
      children.push_back(parse_binary(which.precedence + 1));
      if (children.back() == kFailed) return kFailed;
    }
    return add(token, which.op, 0, children);
  }

  std::uint32_t parse_unary() {
    const std::size_t begin = at_;
    while (is_symbol(peek(), "!") || is_symbol(peek(), "-")) next();
    std::size_t end = at_;
    const bool number = peek().kind == TokenKind::kInt || peek().kind == TokenKind::kDouble;
    // The sign belongs to the number, or the smallest int could not be written.
    const bool negative = number && end > begin && is_symbol(tokens_[end - 1], "-");
    if (negative) --end;
    std::uint32_t node = parse_member(negative);
    while (node != kFailed && end > begin) {
      --end;
      node = add(tokens_[end], tokens_[end].text == "!" ? Op::kNot : Op::kNegate, 0, {node});
    }
    return node;
  }

  // ------------------------------------------------------------------ members, calls, indexes

  std::uint32_t parse_member(bool negative) {
    std::uint32_t node = parse_primary(negative);
    while (node != kFailed) {
      if (is_symbol(peek(), ".")) {
        node = parse_dot(node);
      } else if (is_symbol(peek(), "[")) {
        node = parse_index(node);
      } else {
        break;
      }
    }
    return node;
  }

  /// The reference that `node` is, if it is one that can still grow.
  Reference* reference_of(std::uint32_t node) {
    if (program_.nodes[node].op != Op::kReference) return nullptr;
    return &program_.references[program_.nodes[node].operand];
  }

  std::uint32_t parse_dot(std::uint32_t target) {
    next();
    const Token& name = next();
    const bool quoted = name.kind == TokenKind::kQuotedIdentifier;
    if (!quoted && (name.kind != TokenKind::kIdentifier || is_literal_word(name.text))) {
      return refuse(name, fmt::format("expected a member name, found {}", describe(name)));
    }
    if (!quoted && is_symbol(peek(), "(")) return parse_member_call(target, name);
    if (Reference* reference = reference_of(target)) {
      reference->path.push_back(name.text);
      ends_in_select_ = target;
      return target;
    }
    return add_named(name, Op::kSelect, name.text, target);
  }

  std::uint32_t parse_index(std::uint32_t target) {
    const Token& bracket = next();
    Reference* reference = reference_of(target);
    if (reference != nullptr && peek().kind == TokenKind::kString && is_symbol(peek(1), "]")) {
      reference->path.push_back(next().text);
      next();
      ends_in_select_ = kFailed;
      return target;
    }
    const bool literal = peek().kind == TokenKind::kInt && is_symbol(peek(1), "]");
    if (reference != nullptr && !literal) reference->dynamic = true;
    const std::uint32_t index = parse_expression();
    if (index == kFailed || !expect("]")) return kFailed;
    return add(bracket, Op::kIndex, 0, {target, index});
  }

  std::uint32_t parse_member_call(std::uint32_t target, const Token& name) {
    const MacroForm* macro = macro_form(name.text);
    if (macro != nullptr) return parse_macro(target, name, *macro);
    const Reference* reference = reference_of(target);
    const std::string qualified = reference == nullptr ? "" : reference->root + "." + name.text;
    if (reference != nullptr && reference->path.empty() &&
        find_function(qualified, false) != nullptr) {
      // `strings` of strings.quote(...) is no value but part of the function's name. It was read
      // just now, so it is the last of everything.
      program_.references.pop_back();
      program_.nodes.pop_back();
      return parse_call(name, qualified, {});
    }
    return parse_call(name, name.text, {target});
  }

  std::uint32_t parse_call(const Token& token, std::string name,
                           std::vector<std::uint32_t> children) {
    Call call;
    call.member = !children.empty();
    call.name = std::move(name);
    call.function = find_function(call.name, call.member);
    if (!expect("(") || !parse_list(")", false, children)) return kFailed;
    if (call.name == "matches" && children.size() == 2) {
      const Node& pattern = program_.nodes[children[1]];
      const auto* text = pattern.op == Op::kLiteral
                             ? program_.literals[pattern.operand].get<std::string_view>()
                             : nullptr;
      if (text != nullptr) call.pattern = compile_pattern(*text);
    }
    program_.calls.push_back(std::move(call));
    return add(token, Op::kCall, program_.calls.size() - 1, children);
  }

  /// Expressions up to `close`, which is consumed, appended to `children`.
  bool parse_list(std::string_view close, bool trailing_comma,
                  std::vector<std::uint32_t>& children) {
    if (accept(close)) return true;
    while (true) {
      children.push_back(parse_expression());
      if (children.back() == kFailed) return false;
      if (!accept(",")) return expect(close);
      if (trailing_comma && accept(close)) return true;
    }
  }

  // ------------------------------------------------------------------ macros

  /// How many arguments stand between the parenthesis that comes next and its partner.
  [[nodiscard]] std::size_t count_arguments() const {
    std::size_t open = 0;
    std::size_t commas = 0;
    for (std::size_t i = at_; i < tokens_.size(); ++i) {
      if (tokens_[i].kind != TokenKind::kSymbol) continue;
      const char c = tokens_[i].text[0];
      if (c == '(' || c == '[' || c == '{') ++open;
      if ((c == ')' || c == ']' || c == '}') && --open == 0) return i == at_ + 1 ? 0 : commas + 1;
      if (c == ',' && open == 1) ++commas;
    }
    return 0;
  }

  [[nodiscard]] const MacroForm* macro_form(std::string_view name) const {
    const auto named = [&](const MacroForm& form) { return form.name == name; };
    if (std::none_of(kMacroForms.begin(), kMacroForms.end(), named)) return nullptr;
    const std::size_t arguments = count_arguments();
    const auto* found = std::find_if(kMacroForms.begin(), kMacroForms.end(), [&](const auto& form) {
      return named(form) && form.arguments == arguments;
    });
    return found == kMacroForms.end() ? nullptr : found;
  }

  std::uint32_t parse_macro(std::uint32_t range, const Token& name, const MacroForm& form) {
    if (comprehension_depth_ == kComprehensionDepthMax) {
      return refuse(name, fmt::format("macros nested deeper than {}", kComprehensionDepthMax));
    }
    const std::size_t slot = scope_.size();
    next();  // the parenthesis that count_arguments() saw
    if (!parse_variable(slot) || (form.two_variables && !parse_variable(slot))) return kFailed;
    ++comprehension_depth_;
    std::vector<std::uint32_t> children = {range};
    const bool parsed = parse_list(")", false, children);
    --comprehension_depth_;
    scope_.resize(slot);
    if (!parsed) return kFailed;
    const std::size_t variables = form.two_variables ? 2 : 1;
    if (children.size() != 1 + form.arguments - variables) {
      // `x.all(k, )`: the comma made it look like one more argument.
      return refuse(name, fmt::format("{}() lacks its last argument", name.text));
    }
    program_.comprehensions.push_back(
        {form.macro, form.two_variables, form.filtered, static_cast<std::uint32_t>(slot)});
    return add(name, Op::kComprehension, program_.comprehensions.size() - 1, children);
  }

  bool parse_variable(std::size_t slot) {
    const Token& token = next();
    const bool repeated = std::find(scope_.begin() + static_cast<std::ptrdiff_t>(slot),
                                    scope_.end(), token.text) != scope_.end();
    if (token.kind != TokenKind::kIdentifier || is_reserved_word(token.text) || repeated) {
      refuse(token,
             fmt::format("expected a name for the macro's variable, found {}", describe(token)));
      return false;
    }
    scope_.push_back(token.text);
    return expect(",");
  }

  std::uint32_t parse_has(const Token& token) {
    next();
    const std::uint32_t node = parse_expression();
    if (node == kFailed || !expect(")")) return kFailed;
    const Op op = program_.nodes[node].op;
    const bool reference = op == Op::kReference && ends_in_select_ == node;
    if (!reference && op != Op::kSelect) {
      return refuse(token, "has() takes a member selection, as in has(a.b)");
    }
    program_.nodes[node].op = reference ? Op::kHasReference : Op::kHas;
    return node;
  }

  // ------------------------------------------------------------------ primaries

  static bool is_literal_word(std::string_view word) {
    return word == "true" || word == "false" || word == "null" || word == "in";
  }

  std::uint32_t parse_primary(bool negative) {
    const Token& token = next();
    switch (token.kind) {
      case TokenKind::kInt:
        return parse_int(token, negative);
      case TokenKind::kDouble:
        return add_literal(token, negative ? -token.real : token.real);
      case TokenKind::kString:
        return add_literal(token, program_.strings.keep(token.text));
      case TokenKind::kIdentifier:
        return parse_identifier(token, false);
      case TokenKind::kSymbol:
        return parse_bracketed(token);
      case TokenKind::kEnd:
      case TokenKind::kQuotedIdentifier:
        break;
    }
    return refuse(token, fmt::format("expected a value, found {}", describe(token)));
  }

  std::uint32_t parse_int(const Token& token, bool negative) {
    constexpr std::uint64_t kTwoTo63 = std::uint64_t{1} << 63U;  // the lexer lets no more through
    if (!negative && token.integer == kTwoTo63) return refuse(token, "int out of range");
    const std::uint64_t bits = negative ? ~token.integer + 1 : token.integer;
    return add_literal(token, static_cast<std::int64_t>(bits));
  }

  std::uint32_t parse_bracketed(const Token& token) {
    std::vector<std::uint32_t> children;
    if (token.text == "(") {
      const std::uint32_t inner = parse_expression();
      return inner == kFailed || !expect(")") ? kFailed : inner;
    }
    if (token.text == "[") {
      return parse_list("]", true, children) ? add(token, Op::kList, 0, children) : kFailed;
    }
    if (token.text == "{") return parse_map(token, children);
    if (token.text == "." && peek().kind == TokenKind::kIdentifier) {
      return parse_identifier(next(), true);
    }
    return refuse(token, fmt::format("expected a value, found {}", describe(token)));
  }

  std::uint32_t parse_map(const Token& token, std::vector<std::uint32_t>& children) {
    while (!accept("}")) {
      for (const bool key : {true, false}) {
        children.push_back(parse_expression());
        if (children.back() == kFailed || (key && !expect(":"))) return kFailed;
      }
      if (!is_symbol(peek(), "}") && !expect(",")) return kFailed;
    }
    return add(token, Op::kMap, 0, children);
  }

  /// A literal word, a call, a macro's variable, a type or a free name. A dot in front (`absolute`)
  /// passes over the macros' variables.
  std::uint32_t parse_identifier(const Token& token, bool absolute) {
    if (token.text == "true" || token.text == "false")
      return add_literal(token, token.text == "true");
    if (token.text == "null") return add_literal(token, Value());
    if (is_reserved_word(token.text)) {
      return refuse(token, fmt::format("'{}' is a reserved word", token.text));
    }
    if (is_symbol(peek(), "(")) {
      const bool has = token.text == "has" && count_arguments() == 1;
      return has ? parse_has(token) : parse_call(token, token.text, {});
    }
    const auto local = std::find(scope_.rbegin(), scope_.rend(), token.text);
    if (!absolute && local != scope_.rend()) {
      return add(token, Op::kLocal, static_cast<std::size_t>(scope_.rend() - local - 1), {});
    }
    const auto type = kind_named(token.text);
    if (type && !is_symbol(peek(), ".")) return add_literal(token, *type);
    program_.references.push_back({token.text, {}, false, token.line, token.column});
    return add(token, Op::kReference, program_.references.size() - 1, {});
  }

  const std::vector<Token>& tokens_;
  Program& program_;
  Fault& fault_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t comprehension_depth_ = 0;
  std::vector<std::string> scope_;  ///< Variables of the macros around, by slot.
  /// The reference whose last member was written with a dot, which is what has() needs to know.
  std::uint32_t ends_in_select_ = kFailed;
};

}  // namespace

bool parse_program(std::string_view source, Program& program, Fault& fault) {
  std::vector<Token> tokens;
  if (!tokenize(source, tokens, fault)) return false;
  program.source = source;
  return Parser(tokens, program, fault).run();
}

}  // namespace avow::cel
