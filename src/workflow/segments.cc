// SPDX-License-Identifier: Apache-2.0
#include "workflow/segments.h"

#include <algorithm>

namespace avow::workflow {
namespace {

constexpr std::string_view kOpen = "${{";
constexpr std::string_view kEscapedOpen = "$${{";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Behind the string literal whose quote is at `at`; npos if it does not end. Raw literals need no
/// rule of their own: in them too the character behind a backslash does not end the literal.
std::size_t skip_literal(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string triple(3, quote);
  const bool is_triple = text.substr(at, 3) == triple;
  at += is_triple ? 3 : 1;
  while (at < text.size()) {
    if (text[at] == '\\') {
      at += 2;
    } else if (is_triple && text.substr(at, 3) == triple) {
      return at + 3;
    } else if (!is_triple && text[at] == quote) {
      return at + 1;
    } else if (!is_triple && (text[at] == '\n' || text[at] == '\r')) {
      return text.npos;  // CEL has no line end in a plain literal
    } else {
      ++at;
    }
  }
  return text.npos;
}

/// Where the "}}" stands that ends the expression which begins at `begin`; npos if there is none.
std::size_t find_close(std::string_view text, std::size_t begin) {
  std::size_t depth = 0;
  std::size_t at = begin;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = skip_literal(text, at);
      if (at == text.npos) return at;
      continue;
    }
    if (text.substr(at, 2) == "//") {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '{') ++depth;
    if (c == '}') {
      if (depth > 0) {
        --depth;
      } else {
        return text.substr(at, 2) == "}}" ? at : text.npos;
      }
    }
    ++at;
  }
  return text.npos;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

std::variant<std::vector<Segment>, Fault> split_template(std::string_view text) {
  std::vector<Segment> out;
  std::string literal;
  std::size_t literal_offset = 0;
  const auto end_literal = [&](std::size_t next_offset) {
    if (!literal.empty()) out.push_back({false, std::move(literal), literal_offset});
    literal.clear();
    literal_offset = next_offset;
  };
  std::size_t at = 0;
  while (at < text.size()) {
    if (text.substr(at, kEscapedOpen.size()) == kEscapedOpen) {
      literal += kOpen;
      at += kEscapedOpen.size();
    } else if (text.substr(at, kOpen.size()) == kOpen) {
      const std::size_t begin = at + kOpen.size();
      const std::size_t close = find_close(text, begin);
      if (close == text.npos) {
        const Place place = place_of(text, at);
        return Fault{"", "BAD_EXPRESSION",
                     "\"${{\" without its \"}}\"; write \"$${{\" for the characters themselves",
                     place.line, place.column};
      }
      end_literal(close + 2);
      out.push_back({true, std::string(text.substr(begin, close - begin)), begin});
      at = close + 2;
    } else {
      const std::size_t next = std::min(text.find('$', at + 1), text.size());
      literal += text.substr(at, next - at);
      at = next;
    }
  }
  end_literal(at);
  return out;
}

bool has_expression(std::string_view text) {
  const auto segments = split_template(text);
  const auto* split = std::get_if<std::vector<Segment>>(&segments);
  if (split == nullptr) return true;
  return std::any_of(split->begin(), split->end(),
                     [](const Segment& s) { return s.is_expression; });
}

bool is_whole_expression(std::string_view text) {
  if (!text.starts_with(kOpen)) return false;
  const auto segments = split_template(text);
  const auto* split = std::get_if<std::vector<Segment>>(&segments);
  return split != nullptr && split->size() == 1 && split->front().is_expression;
}

std::string secret_name(std::string_view text) {
  if (!is_whole_expression(text)) return {};
  constexpr std::string_view kRoot = "secrets.";
  const std::string_view inner = trimmed(text.substr(kOpen.size(), text.size() - kOpen.size() - 2));
  if (!inner.starts_with(kRoot)) return {};
  const std::string_view name = inner.substr(kRoot.size());
  const bool good = !name.empty() && (name[0] < '0' || name[0] > '9') &&
                    std::all_of(name.begin(), name.end(), is_name_character);
  return good ? std::string(name) : std::string();
}

Place place_of(std::string_view text, std::size_t offset) {
  Place place;
  for (const char c : text.substr(0, offset)) {
    if (c == '\n') {
      ++place.line;
      place.column = 1;
    } else if ((c & 0xC0) != 0x80) {
      ++place.column;
    }
  }
  return place;
}

Place place_within(Place part, Place inner) {
  if (inner.line > 1) return {part.line + inner.line - 1, inner.column};
  return {part.line, part.column + inner.column - 1};
}

}  // namespace avow::workflow
