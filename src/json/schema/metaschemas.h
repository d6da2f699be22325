// SPDX-License-Identifier: Apache-2.0
// json/schema/metaschemas.h: the schemas of JSON Schema 2020-12 itself, which "$ref" may name.
#pragma once
#include <string_view>

#include "json/value.h"

namespace avow::json::schema {

inline constexpr std::string_view kDialect = "https://json-schema.org/draft/2020-12/schema";

/// The 2020-12 metaschema or vocabulary metaschema with the absolute URI `uri`; null pointer for
/// any other URI. Lives as long as the process. Any thread.
const Value* metaschema(std::string_view uri);

}  // namespace avow::json::schema
