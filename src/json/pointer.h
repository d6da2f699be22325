// SPDX-License-Identifier: Apache-2.0
// json/pointer.h: RFC 6901. Pure; safe from any thread.
#pragma once
#include "json/value.h"

namespace avow::json {

/// `pointer` with one more token behind it, escaped: join("/a", "b/c") is "/a/b~1c".
std::string join(std::string_view pointer, std::string_view token);
std::string join(std::string_view pointer, std::size_t index);

/// The tokens of `pointer`, unescaped. Errors: kInvalidArgument (no leading "/", "~" without 0 or
/// 1)
Result<std::vector<std::string>> tokens(std::string_view pointer);

/// The value at `pointer` ("" is the whole); null pointer if there is none or it is ill formed.
const Value* at(const Value& root, std::string_view pointer);

/// Replaces the value at `pointer`, which must exist. Errors: kNotFound, kInvalidArgument
Result<void> replace(Value& root, std::string_view pointer, Value value);

}  // namespace avow::json
