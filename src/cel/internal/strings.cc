// SPDX-License-Identifier: Apache-2.0
// The functions over strings. Places count in code points; all text is well-formed UTF-8, so that a
// search for bytes finds whole characters.
#include <algorithm>
#include <array>
#include <cstring>

#include "cel/internal/functions.h"

namespace avow::cel {
namespace {

constexpr std::size_t kNone = std::string_view::npos;

bool is_start(char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }

/// The bytes of the character at the front of `text`, which is not empty.
std::size_t front_length(std::string_view text) {
  std::size_t length = 1;
  while (length < text.size() && !is_start(text[length])) ++length;
  return length;
}

std::int64_t characters(std::string_view text) {
  return static_cast<std::int64_t>(std::count_if(text.begin(), text.end(), is_start));
}

/// Where character `at` begins; the size for the place behind the last; kNone beyond.
std::size_t byte_offset(std::string_view text, std::int64_t at) {
  if (at < 0) return kNone;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (is_start(text[i]) && at-- == 0) return i;
  }
  return at == 0 ? text.size() : kNone;
}

/// Linear even at worst, unlike std::string_view::find(): both texts may be hostile and long.
std::size_t find(std::string_view text, std::string_view part, std::size_t from = 0) {
  if (part.empty()) return from;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return found == nullptr ? kNone
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

/// The last place of `part` that is at most `from`.
std::size_t find_last(std::string_view text, std::string_view part, std::size_t from) {
  if (part.size() > text.size()) return kNone;
  text = text.substr(0, std::min(from, text.size() - part.size()) + part.size());
  const std::string backward_text(text.rbegin(), text.rend());
  const std::string backward_part(part.rbegin(), part.rend());
  const std::size_t found = find(backward_text, backward_part);
  return found == kNone ? kNone : text.size() - found - part.size();
}

/// The arguments as the strings and ints that the function wants.
class Arguments {
 public:
  Arguments(Context& context, std::string_view name, std::span<const Value> values)
      : context_(context), name_(name), values_(values) {}

  [[nodiscard]] std::size_t size() const { return values_.size(); }
  /// Takes the next argument; pays for its bytes.
  bool text(std::string_view& out) {
    const auto* text = next().get<std::string_view>();
    if (text == nullptr) return no_overload(context_, name_, values_);
    out = *text;
    return context_.pay_bytes(text->size());
  }
  /// Takes the next argument if there is one; `out` stays what it is if not.
  bool optional_int(std::int64_t& out) {
    if (at_ == values_.size()) return true;
    const auto n = next().integral();
    if (!n) return no_overload(context_, name_, values_);
    out = *n;
    return true;
  }
  bool optional_text(std::string_view& out) { return at_ == values_.size() || text(out); }
  bool list(Value& out) {
    out = next();
    return out.kind() == Kind::kList || no_overload(context_, name_, values_);
  }

 private:
  const Value& next() { return values_[at_++]; }

  Context& context_;
  std::string_view name_;
  std::span<const Value> values_;
  std::size_t at_ = 0;
};

bool out_of_range(Context& context, std::int64_t at) {
  return context.fail(fmt::format("index {} is outside the string", at));
}

template <bool (*kTest)(std::string_view, std::string_view)>
bool run_test(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "a test of strings", values);
  std::string_view text;
  std::string_view part;
  if (!arguments.text(text) || !arguments.text(part)) return false;
  out = kTest(text, part);
  return true;
}
bool contains(std::string_view text, std::string_view part) { return find(text, part) != kNone; }
bool starts_with(std::string_view text, std::string_view part) { return text.starts_with(part); }
bool ends_with(std::string_view text, std::string_view part) { return text.ends_with(part); }

bool run_char_at(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "charAt", values);
  std::string_view text;
  std::int64_t at = 0;
  if (!arguments.text(text) || !arguments.optional_int(at)) return false;
  const std::size_t offset = byte_offset(text, at);
  if (offset == kNone) return out_of_range(context, at);
  text.remove_prefix(offset);
  out = text.substr(0, text.empty() ? 0 : front_length(text));
  return true;
}

bool run_index_of(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "indexOf", values);
  std::string_view text;
  std::string_view part;
  std::int64_t from = 0;
  if (!arguments.text(text) || !arguments.text(part) || !arguments.optional_int(from)) return false;
  const std::size_t offset = byte_offset(text, from);
  if (offset == kNone) return out_of_range(context, from);
  const std::size_t found = find(text, part, offset);
  out = found == kNone ? std::int64_t{-1} : characters(text.substr(0, found));
  return true;
}

bool run_last_index_of(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "lastIndexOf", values);
  std::string_view text;
  std::string_view part;
  if (!arguments.text(text) || !arguments.text(part)) return false;
  std::int64_t from = characters(text);
  if (!arguments.optional_int(from)) return false;
  const std::size_t offset = byte_offset(text, from);
  if (offset == kNone) return out_of_range(context, from);
  const std::size_t found = find_last(text, part, offset);
  out = found == kNone ? std::int64_t{-1} : characters(text.substr(0, found));
  return true;
}

bool run_substring(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "substring", values);
  std::string_view text;
  std::int64_t begin = 0;
  if (!arguments.text(text) || !arguments.optional_int(begin)) return false;
  std::int64_t end = characters(text);
  if (!arguments.optional_int(end)) return false;
  const std::size_t first = byte_offset(text, begin);
  const std::size_t last = byte_offset(text, end);
  if (first == kNone) return out_of_range(context, begin);
  if (last == kNone) return out_of_range(context, end);
  if (first > last) return context.fail(fmt::format("substring from {} to {}", begin, end));
  out = text.substr(first, last - first);
  return true;
}

template <char kFirst, char kLast>
bool run_change_case(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "a change of case", values);
  std::string_view text;
  if (!arguments.text(text)) return false;
  std::string changed(text);
  for (char& c : changed) {
    if (c >= kFirst && c <= kLast) c = static_cast<char>(c ^ 0x20);
  }
  return context.keep(std::move(changed), out);
}

/// An empty `old` stands before each character and at the end.
bool run_replace(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "replace", values);
  std::string_view text;
  std::string_view old;
  std::string_view with;
  std::int64_t count = -1;  // negative: all
  if (!arguments.text(text) || !arguments.text(old) || !arguments.text(with) ||
      !arguments.optional_int(count)) {
    return false;
  }
  TextBuilder builder(context);
  std::size_t done = 0;  // bytes of `text` that are in the result
  for (std::size_t at = 0; count != 0; --count) {
    const std::size_t found = find(text, old, at);
    if (found == kNone) break;
    if (!context.pay(1) || !builder.append(text.substr(done, found - done)) ||
        !builder.append(with)) {
      return false;
    }
    done = found + old.size();
    if (old.empty() && found == text.size()) break;
    at = old.empty() ? found + front_length(text.substr(found)) : done;
  }
  return builder.append(text.substr(done)) && context.keep(builder.take(), out);
}

bool run_split(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "split", values);
  std::string_view text;
  std::string_view separator;
  std::int64_t count = -1;  // negative: as many as there are
  if (!arguments.text(text) || !arguments.text(separator) || !arguments.optional_int(count))
    return false;
  List parts;
  const auto is_last = [&] {
    return count > 0 && static_cast<std::int64_t>(parts.size()) + 1 >= count;
  };
  while (count != 0) {
    const bool by_character = separator.empty();
    if (by_character && text.empty()) break;
    std::size_t found = by_character ? front_length(text) : find(text, separator);
    if (is_last() || (by_character && found == text.size())) found = kNone;
    if (!context.pay(1)) return false;
    parts.emplace_back(text.substr(0, found));
    if (found == kNone) break;
    text.remove_prefix(found + separator.size());
  }
  out = context.arena.keep(std::move(parts));
  return true;
}

bool run_join(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "join", values);
  Value list;
  std::string_view separator;
  if (!arguments.list(list) || !arguments.optional_text(separator)) return false;
  TextBuilder builder(context);
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Value element = list.element(i);
    const auto* text = element.get<std::string_view>();
    if (text == nullptr) {
      return context.fail(fmt::format("join() of a list with {}", kind_name(element.kind())));
    }
    if (!context.pay(1) || !builder.append(i == 0 ? "" : separator) || !builder.append(*text))
      return false;
  }
  return context.keep(builder.take(), out);
}

/// The characters with the property White_Space in Unicode.
constexpr std::array<std::string_view, 25> kWhiteSpace = {
    "\t",           "\n",           "\v",           "\f",           "\r",           " ",
    "\xC2\x85",     "\xC2\xA0",     "\xE1\x9A\x80", "\xE2\x80\x80", "\xE2\x80\x81", "\xE2\x80\x82",
    "\xE2\x80\x83", "\xE2\x80\x84", "\xE2\x80\x85", "\xE2\x80\x86", "\xE2\x80\x87", "\xE2\x80\x88",
    "\xE2\x80\x89", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF", "\xE2\x81\x9F",
    "\xE3\x80\x80"};

bool run_trim(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "trim", values);
  std::string_view text;
  if (!arguments.text(text)) return false;
  const auto* found = kWhiteSpace.begin();
  const auto at_front = [&](std::string_view space) { return text.starts_with(space); };
  while ((found = std::find_if(kWhiteSpace.begin(), kWhiteSpace.end(), at_front)) !=
         kWhiteSpace.end()) {
    text.remove_prefix(found->size());
  }
  const auto at_back = [&](std::string_view space) { return text.ends_with(space); };
  while ((found = std::find_if(kWhiteSpace.begin(), kWhiteSpace.end(), at_back)) !=
         kWhiteSpace.end()) {
    text.remove_suffix(found->size());
  }
  out = text;
  return true;
}

bool run_reverse(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "reverse", values);
  std::string_view text;
  if (!arguments.text(text)) return false;
  std::string reversed;
  reversed.reserve(text.size());
  while (!text.empty()) {
    std::size_t start = text.size() - 1;
    while (!is_start(text[start])) --start;
    reversed += text.substr(start);
    text = text.substr(0, start);
  }
  return context.keep(std::move(reversed), out);
}

std::string_view quoted(char c) {
  switch (c) {
    case '\a':
      return "\\a";
    case '\b':
      return "\\b";
    case '\f':
      return "\\f";
    case '\n':
      return "\\n";
    case '\r':
      return "\\r";
    case '\t':
      return "\\t";
    case '\v':
      return "\\v";
    case '\\':
      return "\\\\";
    case '"':
      return "\\\"";
    default:
      return "";
  }
}

bool run_quote(Context& context, std::span<const Value> values, Value& out) {
  Arguments arguments(context, "strings.quote", values);
  std::string_view text;
  if (!arguments.text(text)) return false;
  TextBuilder builder(context);
  if (!builder.append("\"")) return false;
  for (const char& c : text) {
    const std::string_view escape = quoted(c);
    if (!builder.append(escape.empty() ? std::string_view(&c, 1) : escape)) return false;
  }
  return builder.append("\"") && context.keep(builder.take(), out);
}

constexpr std::array<Function, 16> kFunctions = {{
    {"contains", true, 2, 2, run_test<contains>},
    {"startsWith", true, 2, 2, run_test<starts_with>},
    {"endsWith", true, 2, 2, run_test<ends_with>},
    {"charAt", true, 2, 2, run_char_at},
    {"indexOf", true, 2, 3, run_index_of},
    {"lastIndexOf", true, 2, 3, run_last_index_of},
    {"substring", true, 2, 3, run_substring},
    {"lowerAscii", true, 1, 1, run_change_case<'A', 'Z'>},
    {"upperAscii", true, 1, 1, run_change_case<'a', 'z'>},
    {"replace", true, 3, 4, run_replace},
    {"split", true, 2, 3, run_split},
    {"join", true, 1, 2, run_join},
    {"trim", true, 1, 1, run_trim},
    {"reverse", true, 1, 1, run_reverse},
    {"format", true, 2, 2, format_text},
    {"strings.quote", false, 1, 1, run_quote},
}};

}  // namespace

std::span<const Function> string_functions() { return kFunctions; }

}  // namespace avow::cel
