// SPDX-License-Identifier: Apache-2.0
#include "json/schema/ecma_regex.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "base/bytes.h"

namespace avow::json::schema {
namespace {

constexpr std::int64_t kMemoryMax = std::int64_t{2} << 20;

// ECMA-262, WhiteSpace and LineTerminator: RE2's \s is ASCII without \v.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}\x{feff})";
constexpr std::string_view kNotSpaces =
    R"(\x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{9f}\x{a1}-\x{167f}\x{1681}-\x{1fff}\x{200b}-\x{2027})"
    R"(\x{202a}-\x{202e}\x{2030}-\x{205e}\x{2060}-\x{2fff}\x{3001}-\x{fefe}\x{ff00}-\x{10ffff})";
constexpr std::string_view kNotLineEnds = R"([^\n\r\x{2028}\x{2029}])";

struct PropertyName {
  std::string_view ecma;
  std::string_view re2;
};
constexpr PropertyName kCategories[] = {
    {"Letter", "L"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Private_Use", "Co"},
};

/// RE2's name for what stands between the braces of \p{...}.
std::string_view property(std::string_view name) {
  for (const std::string_view prefix : {"General_Category=", "gc=", "Script=", "sc="}) {
    if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
  }
  const auto* found = std::ranges::find(kCategories, name, &PropertyName::ecma);
  return found == std::end(kCategories) ? name : found->re2;
}

bool is_digit(char c) { return '0' <= c && c <= '9'; }
bool is_letter(char c) { return ('a' <= c && c <= 'z') || ('A' <= c && c <= 'Z'); }

/// Goes through the pattern once, left to right. Errors end it: `error_` is then set.
class Translator {
 public:
  explicit Translator(std::string_view pattern) : rest_(pattern) {}

  Result<std::string> run() {
    while (!rest_.empty() && error_.empty()) term();
    if (!error_.empty()) return failure(Code::kInvalidArgument, "{}", error_);
    return std::move(out_);
  }

 private:
  void term() {
    const char c = rest_[0];
    switch (c) {
      case '\\':
        rest_.remove_prefix(1);
        escape(false);
        return;
      case '[':
        character_class();
        return;
      case '(':
        group();
        return;
      case '.':
        rest_.remove_prefix(1);
        out_ += kNotLineEnds;
        return;
      case '{':
        brace();
        return;
      case '}':
      case ']':
        literal();
        return;
      default:
        out_ += c;  // a letter, an operator that both have, or a byte of a longer character
        rest_.remove_prefix(1);
    }
  }

  /// Nothing is captured, so a named group is a group. Other "(?" are what RE2 has not, or ECMA has
  /// not.
  void group() {
    rest_.remove_prefix(1);
    out_ += "(?:";
    if (!rest_.starts_with('?')) return;
    if (rest_.starts_with("?:")) {
      rest_.remove_prefix(2);
    } else if (rest_.starts_with("?<") && !rest_.starts_with("?<=") && !rest_.starts_with("?<!")) {
      const std::size_t end = rest_.find('>');
      if (end == std::string_view::npos || end == 2) return fail("a group's name needs an end");
      rest_.remove_prefix(end + 1);
    } else {
      fail("look-around and modifiers are not supported");
    }
  }

  /// {n}, {n,} or {n,m}; any other brace is a literal, as browsers read it.
  void brace() {
    std::size_t end = 1;
    while (end < rest_.size() && (is_digit(rest_[end]) || rest_[end] == ',')) ++end;
    const std::string_view inner = rest_.substr(1, end - 1);
    const bool counts = end < rest_.size() && rest_[end] == '}' && !inner.empty() &&
                        is_digit(inner[0]) && std::ranges::count(inner, ',') <= 1;
    if (!counts) return literal();
    out_ += rest_.substr(0, end + 1);
    rest_.remove_prefix(end + 1);
  }

  void character_class() {
    rest_.remove_prefix(1);
    const bool negated = rest_.starts_with('^');
    if (negated) rest_.remove_prefix(1);
    if (rest_.starts_with(']')) {  // [] is nothing, [^] is anything; RE2 has neither
      rest_.remove_prefix(1);
      out_ += negated ? R"([\x{0}-\x{10ffff}])" : R"([^\x{0}-\x{10ffff}])";
      return;
    }
    out_ += negated ? "[^" : "[";
    bool may_start_range = false;
    while (!rest_.empty() && rest_[0] != ']' && error_.empty()) {
      const bool is_set = begins_set(rest_);
      if (rest_[0] == '\\') {
        rest_.remove_prefix(1);
        escape(true);
      } else if (rest_[0] == '-' && may_start_range && ends_range(rest_.substr(1))) {
        out_ += '-';
        rest_.remove_prefix(1);
      } else {
        literal();
      }
      may_start_range = !is_set;
    }
    if (rest_.empty()) return fail("a character class needs a \"]\"");
    rest_.remove_prefix(1);
    out_ += ']';
  }

  /// \d, \w, \s, \p or their opposites.
  static bool begins_set(std::string_view text) {
    return text.size() > 1 && text[0] == '\\' &&
           std::string_view("dDwWsSpP").find(text[1]) != std::string_view::npos;
  }

  /// A "-" with these on both sides is a range; else it is itself, as browsers read [\w-.].
  static bool ends_range(std::string_view text) {
    return !text.empty() && text[0] != ']' && !begins_set(text);
  }

  /// What follows a backslash.
  void escape(bool in_class) {
    if (rest_.empty()) return fail("\"\\\" at the end");
    const char c = rest_[0];
    if (c == 'p' || c == 'P') return unicode_property();
    if (c == 'u') return unicode_escape();
    if (c == 'x') {
      const auto code = hex(1, 2);
      if (!code) return fail("\\x needs two hexadecimal digits");
      rest_.remove_prefix(3);
      return put(*code);
    }
    if (c == 'c') {
      if (rest_.size() < 2 || !is_letter(rest_[1])) return fail("\\c needs a letter");
      put(static_cast<unsigned char>(rest_[1]) % 32U);
      return rest_.remove_prefix(2);
    }
    if (!is_digit(c) && !is_letter(c)) return literal();  // an escaped sign is itself
    rest_.remove_prefix(1);
    simple_escape(c, in_class);
  }

  void simple_escape(char c, bool in_class) {
    switch (c) {
      case 'd':
      case 'D':
      case 'w':
      case 'W':
        out_.append(1, '\\').append(1, c);
        return;
      case 's':
      case 'S': {
        const std::string_view set = c == 's' ? kSpaces : kNotSpaces;
        if (in_class) {
          out_ += set;
        } else {
          out_.append(1, '[').append(set).append(1, ']');
        }
        return;
      }
      case 'b':
        if (in_class) return put('\b');
        out_ += "\\b";
        return;
      case 'B':
        if (in_class) break;
        out_ += "\\B";
        return;
      case 't':
        return put('\t');
      case 'n':
        return put('\n');
      case 'v':
        return put('\v');
      case 'f':
        return put('\f');
      case 'r':
        return put('\r');
      case '0':
        if (!rest_.empty() && is_digit(rest_[0])) break;
        return put(0);
      default:
        break;
    }
    if (is_digit(c) || c == 'k') return fail("back-references and octal escapes are not supported");
    fail(fmt::format("\\{} is not an escape of ECMA-262", c));
  }

  void unicode_property() {
    const std::size_t end = rest_.find('}');
    if (rest_.size() < 2 || rest_[1] != '{' || end == std::string_view::npos) {
      return fail("\\p needs a name in braces");
    }
    const std::string_view name = property(rest_.substr(2, end - 2));
    out_.append(1, '\\').append(1, rest_[0]).append(1, '{').append(name).append(1, '}');
    rest_.remove_prefix(end + 1);
  }

  /// \uXXXX, \uXXXX\uXXXX as a surrogate pair, or \u{X...}.
  void unicode_escape() {
    if (rest_.size() > 1 && rest_[1] == '{') {
      const std::size_t end = rest_.find('}');
      const auto code = end == std::string_view::npos ? std::nullopt : hex(2, end - 2);
      if (!code || *code > 0x10FFFF) return fail("\\u{} needs a code point");
      rest_.remove_prefix(end + 1);
      return put(*code);
    }
    const auto high = hex(1, 4);
    if (!high) return fail("\\u needs four hexadecimal digits");
    rest_.remove_prefix(5);
    if (*high < 0xD800 || *high > 0xDFFF) return put(*high);
    const unsigned low = rest_.starts_with("\\u") ? hex(2, 4).value_or(0) : 0;
    if (*high > 0xDBFF || low < 0xDC00 || low > 0xDFFF) {
      return fail("half of a surrogate pair stands alone");
    }
    rest_.remove_prefix(6);
    put(0x10000 + ((*high - 0xD800) << 10U) + (low - 0xDC00));
  }

  [[nodiscard]] std::optional<unsigned> hex(std::size_t from, std::size_t count) const {
    const std::string_view digits = rest_.substr(std::min(from, rest_.size()), count);
    unsigned code = 0;
    const char* end = digits.data() + digits.size();
    const auto read = std::from_chars(digits.data(), end, code, 16);
    if (digits.empty() || digits.size() != count || read.ec != std::errc() || read.ptr != end) {
      return std::nullopt;
    }
    return code;
  }

  void put(unsigned code) { fmt::format_to(std::back_inserter(out_), "\\x{{{:x}}}", code); }

  /// The next character as itself.
  void literal() {
    const char c = rest_[0];
    rest_.remove_prefix(1);
    if (static_cast<unsigned char>(c) >= 0x80 || is_digit(c) || is_letter(c)) {
      out_ += c;
    } else {
      put(static_cast<unsigned char>(c));
    }
  }

  void fail(std::string why) { error_ = std::move(why); }

  std::string_view rest_;
  std::string out_;
  std::string error_;
};

}  // namespace

Result<std::string> translate_ecma_regex(std::string_view pattern) {
  if (!is_utf8(pattern)) return failure(Code::kInvalidArgument, "the pattern is not UTF-8");
  return Translator(pattern).run();
}

Result<std::unique_ptr<re2::RE2>> compile_ecma_regex(std::string_view pattern) {
  ASSIGN_OR_RETURN(const auto translated, translate_ecma_regex(pattern));
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto regex = std::make_unique<re2::RE2>(translated, options);
  if (!regex->ok()) return failure(Code::kInvalidArgument, "{}", regex->error());
  return regex;
}

}  // namespace avow::json::schema
