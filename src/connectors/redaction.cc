// SPDX-License-Identifier: Apache-2.0
#include "connectors/redaction.h"

#include <algorithm>

#include "base/bytes.h"
#include "json/write.h"

namespace avow::connectors {
namespace {

/// Shorter pieces of base64 would be found by chance in large answers.
constexpr std::size_t kInnerBase64CharactersMin = 8;
/// A part of a secret below this is no credential by itself.
constexpr std::size_t kPartBytesMin = 8;
/// The longest spelling of one byte: "\u0041".
constexpr std::size_t kUnitMax = 6;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The number that `digits` write in hex; -1 if they do not.
int hex_number(std::string_view digits) {
  int number = 0;
  for (const char c : digits) {
    if (hex_digit(c) < 0) return -1;
    number = number * 16 + hex_digit(c);
  }
  return number;
}

/// How many characters at `at` stand for `byte`, encoded or as it is; 0: something else stands
/// there.
std::size_t unit_length(std::string_view text, std::size_t at, unsigned char byte) {
  const std::string_view rest = text.substr(at);
  if (rest.empty()) return 0;
  if (rest.size() >= 3 && rest[0] == '%' && hex_number(rest.substr(1, 2)) == byte) return 3;
  if (rest.size() >= 6 && rest.starts_with("\\u") && hex_number(rest.substr(2, 4)) == byte)
    return 6;
  if (rest.size() >= 2 && rest[0] == '\\' && (byte == '"' || byte == '\\' || byte == '/') &&
      static_cast<unsigned char>(rest[1]) == byte) {
    return 2;
  }
  if (rest[0] == '+' && byte == ' ') return 1;
  return static_cast<unsigned char>(rest[0]) == byte ? 1 : 0;
}

/// How many characters at `at` spell `raw`; 0: they do not.
std::size_t spelled_length(std::string_view text, std::size_t at, std::string_view raw) {
  const std::size_t begin = at;
  for (const char c : raw) {
    const std::size_t length = unit_length(text, at, static_cast<unsigned char>(c));
    if (length == 0) return 0;
    at += length;
  }
  return at - begin;
}

/// Whether `text` ends before it has spelled all of `raw`, and spells it so far.
bool is_begun(std::string_view text, std::string_view raw) {
  std::size_t at = 0;
  for (const char c : raw) {
    const std::string_view rest = text.substr(at);
    // What an escape stands for is known when all of it is there.
    const bool is_open_escape =
        rest.size() < kUnitMax && (rest.starts_with('%') || rest.starts_with('\\'));
    if (rest.empty() || is_open_escape) return true;
    const std::size_t length = unit_length(text, at, static_cast<unsigned char>(c));
    if (length == 0) return false;
    at += length;
  }
  return false;
}

std::string replace_spelled(std::string_view text, std::string_view raw, std::string_view mark) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = spelled_length(text, at, raw);
    if (length == 0) {
      ++at;
      continue;
    }
    out.append(text, copied, at - copied).append(mark);
    at += length;
    copied = at;
  }
  return out.append(text, copied);
}

std::string replace_literal(std::string_view text, std::string_view literal,
                            std::string_view mark) {
  std::string out;
  std::size_t copied = 0;
  for (std::size_t at = text.find(literal); at != std::string_view::npos;
       at = text.find(literal, copied)) {
    out.append(text, copied, at - copied).append(mark);
    copied = at + literal.size();
  }
  return out.append(text, copied);
}

/// The characters of base64 that depend on `value` alone where `shift` bytes stand before it.
std::string inner_base64(std::string_view value, std::size_t shift) {
  const std::string encoded = to_base64(std::string(shift, '\0').append(value));
  const std::size_t first = (shift * 8 + 5) / 6;
  const std::size_t last = (shift + value.size()) * 8 / 6;
  return encoded.substr(first, last - first);
}

std::string url_alphabet(std::string base64) {
  std::replace(base64.begin(), base64.end(), '+', '-');
  std::replace(base64.begin(), base64.end(), '/', '_');
  return base64;
}

}  // namespace

void Redactor::add(std::string_view name, std::string_view value) {
  if (value.empty()) return;
  add_value(name, value);
  constexpr std::string_view kSigningPrefix = "whsec_";
  if (value.starts_with(kSigningPrefix) && value.size() >= kSigningPrefix.size() + kPartBytesMin) {
    add_value(name, value.substr(kSigningPrefix.size()));
  }
  const std::size_t space = value.find(' ');
  if (space != std::string_view::npos && value.size() - space - 1 >= kPartBytesMin) {
    add_value(name, value.substr(space + 1));
  }
}

void Redactor::add_value(std::string_view name, std::string_view value) {
  Entry entry{fmt::format("[REDACTED:{}]", name), std::string(value), {}};
  entry.literals = {entry.raw, to_base64(value), to_base64url(value)};
  for (std::size_t shift = 0; shift < 3; ++shift) {
    std::string inner = inner_base64(value, shift);
    if (inner.size() < kInnerBase64CharactersMin) continue;
    entry.literals.push_back(url_alphabet(inner));
    entry.literals.push_back(std::move(inner));
  }
  std::stable_sort(entry.literals.begin(), entry.literals.end(),
                   [](const auto& a, const auto& b) { return a.size() > b.size(); });
  entries_.push_back(std::move(entry));
}

std::string Redactor::text(std::string_view text) const {
  std::string out(text);
  for (const Entry& entry : entries_) {
    for (const std::string& literal : entry.literals) {
      out = replace_literal(out, literal, entry.mark);
    }
    out = replace_spelled(out, entry.raw, entry.mark);
  }
  return out;
}

std::size_t Redactor::open_length(std::string_view text) const {
  std::size_t longest = 0;
  for (const Entry& entry : entries_) {
    for (const std::string& literal : entry.literals) {
      std::size_t length = std::min(literal.size() - 1, text.size());
      while (length > longest && !text.ends_with(std::string_view(literal).substr(0, length)))
        --length;
      longest = std::max(longest, length);
    }
    std::size_t length = std::min(entry.raw.size() * kUnitMax, text.size());
    while (length > longest && !is_begun(text.substr(text.size() - length), entry.raw)) --length;
    longest = std::max(longest, length);
  }
  return longest;
}

json::Value Redactor::value(const json::Value& value) const {
  if (entries_.empty()) return value;
  switch (value.type()) {
    case json::Type::kNull:
    case json::Type::kBool:
      return value;
    case json::Type::kInt:
    case json::Type::kDouble: {
      const std::string written = json::write(value);
      std::string cleaned = text(written);
      return cleaned == written ? value : json::Value(std::move(cleaned));
    }
    case json::Type::kString:
      return text(value.as_string());
    case json::Type::kArray: {
      json::Array out;
      out.reserve(value.as_array().size());
      for (const json::Value& element : value.as_array()) out.push_back(this->value(element));
      return out;
    }
    case json::Type::kObject: {
      json::Object out;
      for (const auto& [key, member] : value.as_object()) out.set(text(key), this->value(member));
      return out;
    }
  }
  return {};
}

}  // namespace avow::connectors
