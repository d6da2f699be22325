// SPDX-License-Identifier: Apache-2.0
#include "json/write.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace avow::json {
namespace {

/// Spares most texts the first steps of growing.
constexpr std::size_t kBytesReserved = 512;

void write_int_to(std::int64_t number, std::string& out) {
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
  out.append(digits.data(), end);
}

/// ECMA-262, Number::toString: the shortest digits that read back as `number`, plain between 1e-7
/// and 1e21 and in scientific form outside. `digits` and `point` are its s and n: the number is
/// 0.digits times ten to the power of point.
void write_double_to(double number, std::string& out) {
  if (number < 0) out += '-';
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), std::abs(number),
                                 std::chars_format::scientific)
                       .ptr;
  const std::string_view whole(text.data(), static_cast<std::size_t>(end - text.data()));
  const std::size_t e = whole.find('e');
  std::string digits(whole.substr(0, 1));
  if (e > 2) digits += whole.substr(2, e - 2);
  int exponent = 0;
  const char* exponent_start = text.data() + e + (text[e + 1] == '+' ? 2 : 1);
  std::from_chars(exponent_start, end, exponent);
  const int point = exponent + 1;
  const int count = static_cast<int>(digits.size());

  if (count <= point && point <= 21) {
    out.append(digits).append(static_cast<std::size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    out.append(digits, 0, static_cast<std::size_t>(point)).append(1, '.');
    out.append(digits, static_cast<std::size_t>(point));
  } else if (-6 < point && point <= 0) {
    out.append("0.").append(static_cast<std::size_t>(-point), '0').append(digits);
  } else {
    out += digits[0];
    if (count > 1) out.append(1, '.').append(digits, 1);
    out.append(exponent < 0 ? "e" : "e+");
    write_int_to(exponent, out);
  }
}

/// Orders UTF-8 strings as their UTF-16 forms: bytes order code points, but the surrogates of those
/// above U+FFFF (lead bytes F0-F4) come before U+E000 to U+FFFF (lead bytes EE and EF).
bool utf16_less(std::string_view a, std::string_view b) {
  const auto [at_a, at_b] = std::ranges::mismatch(a, b);
  if (at_b == b.end()) return false;
  if (at_a == a.end()) return true;
  const auto rank = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0xEE || byte == 0xEF ? byte + 0x10 : int{byte};
  };
  return rank(*at_a) < rank(*at_b);
}

enum class Layout { kCompact, kPretty, kCanonical };

class Writer {
 public:
  Writer(Layout layout, std::string& out) : layout_(layout), out_(out) {}

  void value(const Value& v) {
    switch (v.type()) {
      case Type::kNull:
        out_ += "null";
        return;
      case Type::kBool:
        out_ += v.as_bool() ? "true" : "false";
        return;
      case Type::kInt:
        write_int_to(v.as_int(), out_);
        return;
      case Type::kDouble:
        write_double_to(v.as_double(), out_);
        return;
      case Type::kString:
        write_string_to(v.as_string(), out_);
        return;
      case Type::kArray:
        array(v.as_array());
        return;
      case Type::kObject:
        object(v.as_object());
        return;
    }
  }

 private:
  void array(const Array& items) {
    out_ += '[';
    ++indent_;
    for (std::size_t i = 0; i < items.size(); ++i) {
      separate(i == 0);
      value(items[i]);
    }
    close(items.empty(), ']');
  }

  void object(const Object& object) {
    out_ += '{';
    ++indent_;
    if (layout_ == Layout::kCanonical) {
      sorted_members(object);
    } else {
      bool first = true;
      for (const Member& m : object) member(m, std::exchange(first, false));
    }
    close(object.empty(), '}');
  }

  void sorted_members(const Object& object) {
    std::vector<const Member*> members;
    members.reserve(object.size());
    for (const Member& m : object) members.push_back(&m);
    std::ranges::sort(members, utf16_less,
                      [](const Member* m) { return std::string_view(m->key); });
    for (const Member* m : members) member(*m, m == members.front());
  }

  void member(const Member& m, bool first) {
    separate(first);
    write_string_to(m.key, out_);
    out_ += layout_ == Layout::kPretty ? ": " : ":";
    value(m.value);
  }

  void separate(bool first) {
    if (!first) out_ += ',';
    new_line();
  }

  void close(bool empty, char bracket) {
    --indent_;
    if (!empty) new_line();
    out_ += bracket;
  }

  void new_line() {
    if (layout_ == Layout::kPretty) out_.append(1, '\n').append(2 * indent_, ' ');
  }

  Layout layout_;
  std::string& out_;
  std::size_t indent_ = 0;
};

bool is_plain(char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

}  // namespace

void write_string_to(std::string_view text, std::string& out) {
  out += '"';
  while (true) {
    const auto stop = std::ranges::find_if_not(text, is_plain);
    const auto plain = static_cast<std::size_t>(stop - text.begin());
    out.append(text.substr(0, plain));
    if (stop == text.end()) break;
    const char c = *stop;
    text.remove_prefix(plain + 1);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\r':
        out += "\\r";
        break;
      default:
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        break;
    }
  }
  out += '"';
}

void write_to(const Value& value, std::string& out) { Writer(Layout::kCompact, out).value(value); }

std::string write(const Value& value) {
  std::string out;
  out.reserve(kBytesReserved);
  write_to(value, out);
  return out;
}

std::string write_pretty(const Value& value) {
  std::string out;
  Writer(Layout::kPretty, out).value(value);
  return out + '\n';
}

void write_canonical_to(const Value& value, std::string& out) {
  Writer(Layout::kCanonical, out).value(value);
}

std::string write_canonical(const Value& value) {
  std::string out;
  out.reserve(kBytesReserved);
  write_canonical_to(value, out);
  return out;
}

}  // namespace avow::json
