// SPDX-License-Identifier: Apache-2.0
// json/schema/ecma_regex.h: regular expressions of ECMA-262 (with its "u" flag), run by RE2.
// RE2 matches in time linear in the text, so an untrusted pattern cannot stall us; what it cannot
// express is refused. Pure; safe from any thread.
#pragma once
#include <re2/re2.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow::json::schema {

/// `pattern` in RE2's syntax. The two differ in what "." and \s match, in escapes (\cX, \uXXXX,
/// \/), in classes ([], [^], a "[" inside) and in the names of groups and of Unicode properties.
/// Errors: kInvalidArgument  back-references, look-around, modifiers, escapes that ECMA-262 has not
Result<std::string> translate_ecma_regex(std::string_view pattern);

/// `pattern` ready to search with RE2::PartialMatch. Memory is bounded by 2 MiB.
/// Errors: kInvalidArgument  as above, or RE2 refuses it (bad syntax, a repetition above 1000, too
/// large)
Result<std::unique_ptr<re2::RE2>> compile_ecma_regex(std::string_view pattern);

}  // namespace avow::json::schema
