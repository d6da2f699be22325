// SPDX-License-Identifier: Apache-2.0
// json/write.h: a Value to text. Pure; safe from any thread.
#pragma once
#include "json/value.h"

namespace avow::json {

/// Compact text, members in the order of the object, numbers as RFC 8785 writes them.
std::string write(const Value& value);
/// Appends what write() returns.
void write_to(const Value& value, std::string& out);
/// Two-space indents and a newline at the end, for people.
std::string write_pretty(const Value& value);
/// RFC 8785 (JCS): members sorted by UTF-16 code units, numbers as ECMAScript writes them.
std::string write_canonical(const Value& value);
void write_canonical_to(const Value& value, std::string& out);
/// One string as a JSON string with quotes, appended (RFC 8785 escapes).
void write_string_to(std::string_view text, std::string& out);

}  // namespace avow::json
