// SPDX-License-Identifier: Apache-2.0
// cel/internal/lexer.h: a source as tokens, with literals decoded.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cel/expression.h"

namespace avow::cel {

enum class TokenKind {
  kEnd,
  kIdentifier,        ///< Any word that is no literal, reserved ones included: they may be members.
  kQuotedIdentifier,  ///< `content-type` in backticks; a member only.
  kInt,               ///< Magnitude in `integer`; the sign is the parser's.
  kDouble,
  kString,
  kSymbol,  ///< An operator or bracket, in `text`.
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string text;  ///< The identifier, the decoded string or the symbol.
  std::uint64_t integer = 0;
  double real = 0;
  std::size_t line = 1;
  std::size_t column = 1;
};

/// Splits `source`; the last token is kEnd. False with the first `fault` if a literal is malformed,
/// a character has no meaning here, or the text is too long or not UTF-8. Surrogates and bytes
/// literals, unsigned numbers and numbers out of range are faults.
bool tokenize(std::string_view source, std::vector<Token>& tokens, Fault& fault);

}  // namespace avow::cel
