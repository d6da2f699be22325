// SPDX-License-Identifier: Apache-2.0
#include "json/parse.h"

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "json/pointer.h"

namespace avow::json {
namespace {

using boost::json::error_code;
using Text = boost::json::string_view;

/// An array or object that is not yet closed.
struct Frame {
  bool is_object = false;
  Object object;
  Array array;
  std::string key;        // of the member being read
  Value* slot = nullptr;  // where its value goes; null between members
};

/// Takes the parser's events and builds the value. The parser checks the grammar, UTF-8 and the
/// depth; this adds what it does not do: exact doubles and the refusal of duplicate names.
class Builder {
 public:
  static constexpr std::size_t max_object_size = SIZE_MAX;  // bytes_max bounds them all
  static constexpr std::size_t max_array_size = SIZE_MAX;
  static constexpr std::size_t max_key_size = SIZE_MAX;
  static constexpr std::size_t max_string_size = SIZE_MAX;

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_array_begin(error_code&) {
    frames_.emplace_back();
    return true;
  }
  bool on_array_end(std::size_t, error_code&) {
    Value value(std::move(frames_.back().array));
    return close(std::move(value));
  }
  bool on_object_begin(error_code&) {
    frames_.emplace_back().is_object = true;
    return true;
  }
  bool on_object_end(std::size_t, error_code&) {
    Value value(std::move(frames_.back().object));
    return close(std::move(value));
  }
  bool on_string_part(Text part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_string(Text rest, std::size_t, error_code&) { return put(Value(take_text(rest))); }
  bool on_key_part(Text part, std::size_t, error_code&) {
    text_.append(part.data(), part.size());
    return true;
  }
  bool on_key(Text rest, std::size_t, error_code& error) {
    Frame& frame = frames_.back();
    frame.key = take_text(rest);
    frame.slot = frame.object.append(frame.key);
    if (frame.slot != nullptr) return true;
    return refuse(fmt::format("the name \"{}\" stands twice in one object", shown(frame.key)),
                  error);
  }
  bool on_number_part(Text, error_code&) { return true; }  // only where the text ends too early
  bool on_int64(std::int64_t number, Text, error_code&) {
    if (-kSafeIntegerMax <= number && number <= kSafeIntegerMax) return put(Value(number));
    return put(Value::number(static_cast<double>(number)));
  }
  bool on_uint64(std::uint64_t number, Text, error_code&) {
    return put(Value::number(static_cast<double>(number)));
  }
  /// `rough` is what Boost computed, too often one bit off; it only tells large from small here.
  bool on_double(double rough, Text text, error_code& error) {
    double number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc::result_out_of_range || !std::isfinite(number)) {
      if (!(std::abs(rough) < 1)) {
        behind_ = text.size();
        return refuse("the number is beyond the largest double", error);
      }
      number = 0;
    }
    return put(Value::number(number));
  }
  bool on_bool(bool value, error_code&) { return put(Value(value)); }
  bool on_null(error_code&) { return put(Value()); }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

  Value take() { return std::move(root_); }
  /// Why an event was refused here; empty if the parser itself found the fault.
  [[nodiscard]] const std::string& refusal() const { return refusal_; }
  /// By how many bytes the parser stands behind the start of what was refused here.
  [[nodiscard]] std::size_t behind() const { return behind_; }
  [[nodiscard]] std::string pointer() const {
    std::string path;
    for (const Frame& frame : frames_) {
      if (!frame.is_object) {
        path = join(path, frame.array.size());
      } else if (frame.slot != nullptr || (&frame == &frames_.back() && !refusal_.empty())) {
        path = join(path, frame.key);
      }
    }
    return path;
  }

 private:
  bool put(Value&& value) {
    if (frames_.empty()) {
      root_ = std::move(value);
    } else if (Frame& frame = frames_.back(); frame.is_object) {
      *frame.slot = std::move(value);
      frame.slot = nullptr;
    } else {
      frame.array.push_back(std::move(value));
    }
    return true;
  }
  bool close(Value&& value) {
    frames_.pop_back();
    return put(std::move(value));
  }
  std::string take_text(Text rest) {
    if (text_.empty()) return {rest.data(), rest.size()};
    text_.append(rest.data(), rest.size());
    return std::exchange(text_, {});
  }
  bool refuse(std::string why, error_code& error) {
    refusal_ = std::move(why);
    error = boost::json::make_error_code(boost::json::error::syntax);
    return false;
  }

  Value root_;
  std::vector<Frame> frames_;
  std::string text_;  // of the string or name being read, up to the last escape
  std::string refusal_;
  std::size_t behind_ = 0;
};

/// What the grammar's fault at `offset` is, in our words.
std::string reason(boost::json::error error, std::string_view text, std::size_t offset,
                   const ParseOptions& options) {
  using Fault = boost::json::error;
  switch (error) {
    case Fault::incomplete:
      return "the text ends too early";
    case Fault::extra_data:
      return "there is more text behind the value";
    case Fault::too_deep:
      return fmt::format("arrays and objects are nested more than {} deep", options.depth_max);
    case Fault::exponent_overflow:
      return "the exponent is too long";
    case Fault::expected_hex_digit:
      return "\\u needs four hexadecimal digits";
    case Fault::illegal_leading_surrogate:
    case Fault::illegal_trailing_surrogate:
      return "half of a surrogate pair stands alone";
    default:
      break;
  }
  if (offset >= text.size()) return "the text ends too early";
  const auto byte = static_cast<unsigned char>(text[offset]);
  if (byte < 0x20) return fmt::format("unexpected control character 0x{:02x}", byte);
  if (byte < 0x7f) return fmt::format("unexpected character '{}'", text[offset]);
  return is_utf8(text) ? "unexpected character" : "unexpected bytes, or text that is not UTF-8";
}

/// Line and column of the byte at `offset`, both from 1. Only on the way to an error: it reads from
/// the start.
void locate(std::string_view text, std::size_t offset, ParseFault& fault) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const std::size_t newline = before.rfind('\n');
  const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  const auto starts_character = [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  };
  fault.line = 1 + static_cast<std::size_t>(std::ranges::count(before, '\n'));
  fault.column = 1 + static_cast<std::size_t>(
                         std::ranges::count_if(before.substr(line_start), starts_character));
}

}  // namespace

Result<Value> parse(std::string_view text, const ParseOptions& options) {
  ParseFault fault;
  return parse(text, options, fault);
}

Result<Value> parse(std::string_view text, const ParseOptions& options, ParseFault& fault) {
  if (text.size() > options.bytes_max) {
    fault.error = failure(Code::kResourceExhausted, "JSON text of {} bytes, at most {} are allowed",
                          text.size(), options.bytes_max);
    return fault.error;
  }
  boost::json::parse_options grammar;  // strict by default: no comments, commas or bad UTF-8
  grammar.max_depth = options.depth_max;
  boost::json::basic_parser<Builder> parser(grammar);
  error_code error;
  std::size_t offset = parser.write_some(false, text.data(), text.size(), error);
  if (!error && offset < text.size())
    error = boost::json::make_error_code(boost::json::error::extra_data);
  if (!error) return parser.handler().take();

  const Builder& builder = parser.handler();
  const std::string why =
      builder.refusal().empty()
          ? reason(static_cast<boost::json::error>(error.value()), text, offset, options)
          : builder.refusal();
  locate(text, offset - builder.behind(), fault);
  fault.pointer = builder.pointer();
  fault.error =
      failure(Code::kInvalidArgument, "line {}, column {}: {}", fault.line, fault.column, why);
  return fault.error;
}

}  // namespace avow::json
