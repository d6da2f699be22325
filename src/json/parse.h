// SPDX-License-Identifier: Apache-2.0
// json/parse.h: JSON text to a Value, strict and bounded (RFC 8259 with the restrictions of RFC
// 7493). Pure; never throws, recursion bounded; safe from any thread.
#pragma once
#include "json/value.h"

namespace avow::json {

struct ParseOptions {
  std::size_t depth_max = 64;                    ///< Nested arrays and objects.
  std::size_t bytes_max = std::size_t{4} << 20;  ///< Of the text.
};

/// Where and why a text was refused.
struct ParseFault {
  Error error;             ///< kInvalidArgument, or kResourceExhausted above bytes_max.
  std::string pointer;     ///< RFC 6901, of the value being read.
  std::size_t line = 0;    ///< From 1.
  std::size_t column = 0;  ///< In characters, from 1.
};

/// Reads one JSON value that is the whole of `text`. Refused: anything RFC 8259 does not allow,
/// UTF-8 that is not well formed, lone surrogates in \u escapes, a member name twice in one object,
/// a number whose magnitude is above the largest double, more depth or bytes than `options` allow.
/// Numbers: see Value; decimals are rounded to the nearest double.
/// Errors: kInvalidArgument (message with line and column), kResourceExhausted (longer than
/// bytes_max)
Result<Value> parse(std::string_view text, const ParseOptions& options = {});
/// The same, with the place of the fault in `fault` on failure.
Result<Value> parse(std::string_view text, const ParseOptions& options, ParseFault& fault);

}  // namespace avow::json
