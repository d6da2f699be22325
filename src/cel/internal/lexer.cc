// SPDX-License-Identifier: Apache-2.0
#include "cel/internal/lexer.h"

#include <charconv>

#include "base/bytes.h"

namespace avow::cel {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }
bool is_word(char c) { return is_word_start(c) || is_digit(c); }

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// What one letter behind a backslash stands for; 0 if it stands for nothing.
char simple_escape(char c) {
  switch (c) {
    case 'a':
      return '\a';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case 'n':
      return '\n';
    case 'r':
      return '\r';
    case 't':
      return '\t';
    case 'v':
      return '\v';
    case '\\':
    case '\'':
    case '"':
    case '`':
    case '?':
      return c;
    default:
      return 0;
  }
}

/// Appends the UTF-8 form of a Unicode scalar value.
void append_utf8(char32_t scalar, std::string& out) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (scalar < 0x80) {
    put(scalar);
  } else if (scalar < 0x800) {
    put(0xC0U | (scalar >> 6U));
    put(0x80U | (scalar & 0x3FU));
  } else if (scalar < 0x10000) {
    put(0xE0U | (scalar >> 12U));
    put(0x80U | ((scalar >> 6U) & 0x3FU));
    put(0x80U | (scalar & 0x3FU));
  } else {
    put(0xF0U | (scalar >> 18U));
    put(0x80U | ((scalar >> 12U) & 0x3FU));
    put(0x80U | ((scalar >> 6U) & 0x3FU));
    put(0x80U | (scalar & 0x3FU));
  }
}

class Lexer {
 public:
  Lexer(std::string_view source, std::vector<Token>& tokens, Fault& fault)
      : rest_(source), tokens_(tokens), fault_(fault) {}

  bool run() {
    while (true) {
      skip_blanks();
      Token token;
      token.line = line_;
      token.column = column_;
      if (rest_.empty()) {
        tokens_.push_back(std::move(token));
        return true;
      }
      if (!read(token)) return false;
      tokens_.push_back(std::move(token));
    }
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return ahead < rest_.size() ? rest_[ahead] : '\0';
  }

  void advance(std::size_t bytes) {
    for (const char c : rest_.substr(0, bytes)) {
      if (c == '\n') {
        ++line_;
        column_ = 1;
      } else if (!is_continuation(c)) {
        ++column_;
      }
    }
    rest_.remove_prefix(std::min(bytes, rest_.size()));
  }

  bool refuse(std::string message) {
    fault_ = {std::move(message), line_, column_};
    return false;
  }

  void skip_blanks() {
    while (!rest_.empty()) {
      if (rest_.starts_with("//")) {
        advance(std::min(rest_.find('\n'), rest_.size()));
      } else if (std::string_view(" \t\n\f\r").find(rest_[0]) != std::string_view::npos) {
        advance(1);
      } else {
        return;
      }
    }
  }

  bool read(Token& token) {
    const char c = peek();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return read_number(token);
    if (c == '"' || c == '\'') return read_string(token, false);
    if ((c == 'r' || c == 'R') && (peek(1) == '"' || peek(1) == '\'')) {
      advance(1);
      return read_string(token, true);
    }
    if (is_bytes_literal()) return refuse("bytes are not supported");
    if (is_word_start(c)) return read_word(token);
    if (c == '`') return read_quoted_word(token);
    return read_symbol(token);
  }

  [[nodiscard]] bool is_bytes_literal() const {
    std::size_t at = 0;
    bool bytes = false;
    for (; at < 2 && std::string_view("bBrR").find(peek(at)) != std::string_view::npos; ++at) {
      bytes = bytes || peek(at) == 'b' || peek(at) == 'B';
    }
    return bytes && (peek(at) == '"' || peek(at) == '\'');
  }

  bool read_word(Token& token) {
    std::size_t end = 1;
    while (is_word(peek(end))) ++end;
    token.kind = TokenKind::kIdentifier;
    token.text = rest_.substr(0, end);
    advance(end);
    return true;
  }

  bool read_quoted_word(Token& token) {
    std::size_t end = 1;
    while (is_word(peek(end)) || (peek(end) != '\0' && std::string_view(".-/ ").find(peek(end)) !=
                                                           std::string_view::npos)) {
      ++end;
    }
    if (end == 1 || peek(end) != '`') return refuse("malformed name in backticks");
    token.kind = TokenKind::kQuotedIdentifier;
    token.text = rest_.substr(1, end - 1);
    advance(end + 1);
    return true;
  }

  bool read_symbol(Token& token) {
    for (const std::string_view symbol : {"&&", "||", "==", "!=", "<=", ">="}) {
      if (rest_.starts_with(symbol)) return take_symbol(token, 2);
    }
    if (peek() != '\0' &&
        std::string_view("()[]{}.,?:!<>+-*/%").find(peek()) != std::string_view::npos) {
      return take_symbol(token, 1);
    }
    std::size_t length = 1;
    while (is_continuation(peek(length))) ++length;
    return refuse(fmt::format("unexpected '{}'", shown(rest_.substr(0, length))));
  }

  bool take_symbol(Token& token, std::size_t length) {
    token.kind = TokenKind::kSymbol;
    token.text = rest_.substr(0, length);
    advance(length);
    return true;
  }

  bool read_number(Token& token) {
    if (peek() == '0' && (peek(1) == 'x' || peek(1) == 'X')) {
      std::size_t end = 2;
      while (hex_digit(peek(end)) >= 0) ++end;
      return read_integer(token, 2, end, 16);
    }
    std::size_t end = 0;
    bool real = false;
    while (is_digit(peek(end))) ++end;
    if (peek(end) == '.' && is_digit(peek(end + 1))) {
      real = true;
      for (++end; is_digit(peek(end));) ++end;
    }
    if (peek(end) == 'e' || peek(end) == 'E') {
      const std::size_t digits = end + (peek(end + 1) == '+' || peek(end + 1) == '-' ? 2 : 1);
      if (is_digit(peek(digits))) {
        real = true;
        for (end = digits; is_digit(peek(end));) ++end;
      }
    }
    return real ? read_real(token, end) : read_integer(token, 0, end, 10);
  }

  bool read_integer(Token& token, std::size_t begin, std::size_t end, int base) {
    const char* last = rest_.data() + end;
    const auto [stop, error] = std::from_chars(rest_.data() + begin, last, token.integer, base);
    if (begin == end || error != std::errc() || stop != last ||
        token.integer > std::uint64_t{1} << 63U) {
      return refuse("int out of range");
    }
    if (peek(end) == 'u' || peek(end) == 'U') return refuse("unsigned ints are not supported");
    token.kind = TokenKind::kInt;
    return finish_number(end);
  }

  bool read_real(Token& token, std::size_t end) {
    if (std::from_chars(rest_.data(), rest_.data() + end, token.real).ec != std::errc()) {
      return refuse("double out of range");
    }
    token.kind = TokenKind::kDouble;
    return finish_number(end);
  }

  bool finish_number(std::size_t end) {
    advance(end);
    return !is_word(peek()) || refuse("a number runs into a name");
  }

  bool read_string(Token& token, bool raw) {
    const char quote = peek();
    const std::string triple(3, quote);
    const bool is_triple = rest_.starts_with(triple);
    const std::string_view end = is_triple ? std::string_view(triple) : rest_.substr(0, 1);
    token.kind = TokenKind::kString;
    advance(end.size());
    while (!rest_.starts_with(end)) {
      const char c = peek();
      if (rest_.empty() || (!is_triple && (c == '\n' || c == '\r'))) {
        fault_ = {"unterminated string", token.line, token.column};
        return false;
      }
      if (c == '\\' &&
          raw) {  // both characters stand for themselves, and the second does not end it
        if (rest_.size() < 2 || (!is_triple && (peek(1) == '\n' || peek(1) == '\r'))) {
          return refuse("unterminated string");
        }
        token.text += rest_.substr(0, 2);
        advance(2);
      } else if (c == '\\') {
        if (!read_escape(token.text)) return false;
      } else {
        token.text += c;
        advance(1);
      }
    }
    advance(end.size());
    return true;
  }

  bool read_escape(std::string& out) {
    const char letter = peek(1);
    if (const char c = simple_escape(letter); c != 0) {
      out += c;
      advance(2);
      return true;
    }
    switch (letter) {
      case 'x':
      case 'X':
        return read_numeric_escape(out, 2, 2, 16);
      case 'u':
        return read_numeric_escape(out, 2, 4, 16);
      case 'U':
        return read_numeric_escape(out, 2, 8, 16);
      case '0':
      case '1':
      case '2':
      case '3':
        return read_numeric_escape(out, 1, 3, 8);
      default:
        return refuse("unknown escape sequence");
    }
  }

  /// In a string, \x and octal escapes are code points too, not bytes.
  bool read_numeric_escape(std::string& out, std::size_t begin, std::size_t digits, int base) {
    std::uint32_t scalar = 0;
    for (std::size_t i = begin; i < begin + digits; ++i) {
      const int digit = hex_digit(peek(i));
      if (digit < 0 || digit >= base) return refuse("malformed escape sequence");
      scalar = scalar * static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(digit);
    }
    if (scalar > 0x10FFFF || (scalar >= 0xD800 && scalar <= 0xDFFF)) {
      return refuse("escape sequence is not a Unicode character");
    }
    append_utf8(scalar, out);
    advance(begin + digits);
    return true;
  }

  std::string_view rest_;
  std::vector<Token>& tokens_;
  Fault& fault_;
  std::size_t line_ = 1;
  std::size_t column_ = 1;
};

}  // namespace

bool tokenize(std::string_view source, std::vector<Token>& tokens, Fault& fault) {
  if (source.size() > kSourceBytesMax) {
    fault = {fmt::format("longer than {} bytes", kSourceBytesMax), 1, 1};
    return false;
  }
  if (!is_utf8(source)) {
    fault = {"not well-formed UTF-8", 1, 1};
    return false;
  }
  return Lexer(source, tokens, fault).run();
}

}  // namespace avow::cel
