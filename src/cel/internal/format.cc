// SPDX-License-Identifier: Apache-2.0
// "...".format([...]): the clauses %s %d %f %e %x %X %o %b and %%, with a precision for %f and %e.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "cel/internal/functions.h"

namespace avow::cel {
namespace {

constexpr int kPrecisionMax = 100;

/// Reads the format string once, from left to right.
class Formatter {
 public:
  Formatter(Context& context, std::string_view format, const Value& arguments)
      : context_(context), builder_(context), rest_(format), arguments_(arguments) {}

  bool run(Value& out) {
    while (!rest_.empty()) {
      const std::size_t percent = std::min(rest_.find('%'), rest_.size());
      if (!builder_.append(rest_.substr(0, percent))) return false;
      rest_.remove_prefix(percent);
      if (!rest_.empty() && !write_clause()) return false;
    }
    return context_.keep(builder_.take(), out);
  }

 private:
  bool write_clause() {
    rest_.remove_prefix(1);
    if (rest_.starts_with('%')) {
      rest_.remove_prefix(1);
      return builder_.append("%");
    }
    int precision = 6;
    if (!read_precision(precision)) return context_.fail("format(): malformed precision");
    if (rest_.empty()) return context_.fail("format(): the format string ends inside a clause");
    const char clause = rest_[0];
    if (std::string_view("sdfexXob").find(clause) == std::string_view::npos) {
      return context_.fail(
          fmt::format("format(): unknown clause '%{}'", shown(rest_.substr(0, 1))));
    }
    rest_.remove_prefix(1);
    if (next_ >= arguments_.size()) return context_.fail("format(): fewer arguments than clauses");
    return context_.pay(1) && write(clause, precision, arguments_.element(next_++));
  }

  bool read_precision(int& precision) {
    if (!rest_.starts_with('.')) return true;
    const char* begin = rest_.data() + 1;
    const auto [stop, error] = std::from_chars(begin, rest_.data() + rest_.size(), precision);
    if (error != std::errc() || precision < 0 || precision > kPrecisionMax) return false;
    rest_.remove_prefix(static_cast<std::size_t>(stop - rest_.data()));
    return true;
  }

  bool write(char clause, int precision, const Value& value) {
    if (clause == 's') return write_text(value);
    const auto* d = value.get<double>();
    if (d != nullptr && !std::isfinite(*d) && (clause == 'd' || clause == 'f' || clause == 'e')) {
      return builder_.append(number_text(value));
    }
    if ((clause == 'f' || clause == 'e') && value.is_number()) {
      return write_real(clause, precision, value.real());
    }
    if (clause == 'b' && value.is<bool>()) return builder_.append(*value.get<bool>() ? "1" : "0");
    if ((clause == 'x' || clause == 'X') && value.is<std::string_view>()) {
      return write_hex(clause, *value.get<std::string_view>());
    }
    if (const auto n = value.integral(); n && clause != 'f' && clause != 'e')
      return write_int(clause, *n);
    return context_.fail(
        fmt::format("format(): '%{}' is not defined for {}", clause, kind_name(value.kind())));
  }

  bool write_int(char clause, std::int64_t n) {
    switch (clause) {
      case 'x':
        return builder_.append(fmt::format("{:x}", n));
      case 'X':
        return builder_.append(fmt::format("{:X}", n));
      case 'o':
        return builder_.append(fmt::format("{:o}", n));
      case 'b':
        return builder_.append(fmt::format("{:b}", n));
      default:
        return builder_.append(fmt::format("{}", n));
    }
  }

  bool write_real(char clause, int precision, double d) {
    std::array<char, 512> text{};  // 309 digits, a sign, a point and kPrecisionMax more
    const auto form = clause == 'f' ? std::chars_format::fixed : std::chars_format::scientific;
    const auto end = std::to_chars(text.data(), text.data() + text.size(), d, form, precision);
    CHECK(end.ec == std::errc());
    return builder_.append({text.data(), static_cast<std::size_t>(end.ptr - text.data())});
  }

  bool write_hex(char clause, std::string_view text) {
    if (!context_.pay_bytes(2 * text.size())) return false;
    std::string hex = to_hex(text);
    if (clause == 'X') {
      for (char& c : hex) c = static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c);
    }
    return builder_.append(hex);
  }

  /// Recursion: see equal().
  bool write_text(const Value& value) {
    if (!context_.pay(1)) return false;
    switch (value.kind()) {
      case Kind::kNull:
        return builder_.append("null");
      case Kind::kBool:
        return builder_.append(*value.get<bool>() ? "true" : "false");
      case Kind::kInt:
      case Kind::kDouble:
        return builder_.append(number_text(value));
      case Kind::kString:
        return context_.pay_bytes(value.get<std::string_view>()->size()) &&
               builder_.append(*value.get<std::string_view>());
      case Kind::kType:
        return builder_.append(kind_name(*value.get<Kind>()));
      case Kind::kList:
        return write_list(value);
      case Kind::kMap:
        return write_map(value);
    }
    return false;
  }

  bool write_list(const Value& list) {
    if (!builder_.append("[")) return false;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!builder_.append(i == 0 ? "" : ", ") || !write_text(list.element(i))) return false;
    }
    return builder_.append("]");
  }

  static std::string key_text(const Value& key) {
    if (const auto* text = key.get<std::string_view>()) return std::string(*text);
    if (const auto* b = key.get<bool>()) return *b ? "true" : "false";
    return number_text(key);
  }

  /// In the order of the keys' texts.
  bool write_map(const Value& map) {
    if (!context_.pay(map.size())) return false;
    std::vector<std::pair<std::string, std::size_t>> keys;
    for (std::size_t i = 0; i < map.size(); ++i) {
      keys.emplace_back(key_text(map.key(i)), i);
      if (!context_.pay_bytes(keys.back().first.size())) return false;
    }
    std::sort(keys.begin(), keys.end());
    if (!builder_.append("{")) return false;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (!builder_.append(i == 0 ? "" : ", ") || !builder_.append(keys[i].first) ||
          !builder_.append(": ") || !write_text(map.mapped(keys[i].second))) {
        return false;
      }
    }
    return builder_.append("}");
  }

  Context& context_;
  TextBuilder builder_;
  std::string_view rest_;
  const Value& arguments_;
  std::size_t next_ = 0;
};

}  // namespace

bool format_text(Context& context, std::span<const Value> arguments, Value& out) {
  const auto* format = arguments[0].get<std::string_view>();
  if (format == nullptr || arguments[1].kind() != Kind::kList) {
    return no_overload(context, "format", arguments);
  }
  return Formatter(context, *format, arguments[1]).run(out);
}

}  // namespace avow::cel
