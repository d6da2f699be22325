// SPDX-License-Identifier: Apache-2.0
// workflow/segments.h: where the expressions stand in a template's text. Reads just so much of CEL
// as it takes not to be misled: string literals, comments and braces. Pure; safe from any thread.
#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "workflow/fault.h"

namespace avow::workflow {

/// A literal (with "$${{" already turned into "${{"), or what stands between "${{" and "}}".
struct Segment {
  bool is_expression = false;
  std::string text;
  std::size_t offset = 0;  ///< Of the text's first byte in the whole.
};

/// Splits `text` into segments, none empty but expressions. A Fault (without pointer) says where an
/// expression does not end.
std::variant<std::vector<Segment>, Fault> split_template(std::string_view text);

/// Whether `text` holds an expression, well formed or not.
bool has_expression(std::string_view text);
/// Whether `text` is exactly one expression, which gives a value with its type.
bool is_whole_expression(std::string_view text);
/// The name in a text that is exactly "${{ secrets.NAME }}"; empty if it is not.
std::string secret_name(std::string_view text);

/// A place in a text. Both count from 1, the column in characters.
struct Place {
  std::size_t line = 1;
  std::size_t column = 1;
};
Place place_of(std::string_view text, std::size_t offset);
/// `inner`, which counts from the start of a part of a text, from the start of the text.
Place place_within(Place part, Place inner);

}  // namespace avow::workflow
