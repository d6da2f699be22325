// SPDX-License-Identifier: Apache-2.0
// net/percent.h: percent-encoding (RFC 3986, section 2.1) of path segments and queries.
// Pure; safe from any thread.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace avow::net {

/// `text` with every byte but unreserved ones (letters, digits, - . _ ~) as %XX: fit for a path
/// segment or for a name or value of a query.
std::string percent_encode(std::string_view text);

/// Undoes it. The result may hold any bytes. Errors: kInvalidArgument ("%" without two hex digits)
Result<std::string> percent_decode(std::string_view text);

/// "a=1&b=x+y" as pairs in order; "+" is a space, a name without "=" has an empty value, empty
/// pieces are skipped. Errors: kInvalidArgument
Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view text);

/// The pairs as "a=1&b=x%20y".
std::string write_query(const std::vector<std::pair<std::string, std::string>>& pairs);

}  // namespace avow::net
