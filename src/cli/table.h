// SPDX-License-Identifier: Apache-2.0
// cli/table.h: what people see of objects: tables, runs, times. Text that came from elsewhere loses
// its control characters, so no answer can drive the terminal. One thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cli/command.h"
#include "json/value.h"

namespace avow::cli {

/// One column: its title, and the member that it shows.
struct Column {
  std::string_view title;
  std::string_view member;
};

/// Prints the objects of an array, a line each, or "none".
void print_table(Terminal& terminal, const std::vector<Column>& columns, const json::Value* items);
/// Prints the members of an object that it has, a line each.
void print_fields(Terminal& terminal, const std::vector<Column>& fields, const json::Value& object);
/// Prints a run: what it is, its steps, and what came of it.
void print_run(Terminal& terminal, const json::Value& run);

/// A member as one line: text without quotes, anything else as JSON; "" where it is absent.
std::string cell(const json::Value& object, std::string_view member);
/// `status` in its colour.
std::string coloured(const Terminal& terminal, std::string_view status);

}  // namespace avow::cli
