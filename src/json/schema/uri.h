// SPDX-License-Identifier: Apache-2.0
// json/schema/uri.h: references between schemas (RFC 3986). Pure; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace avow::json::schema {

/// The URI that `reference` names where `base` is in force (section 5.2). Either may be empty,
/// relative or ill formed; nothing is normalised but dot segments.
std::string resolve_reference(std::string_view base, std::string_view reference);

/// `text` with its percent escapes read; nothing if one is cut off or not hexadecimal.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace avow::json::schema
