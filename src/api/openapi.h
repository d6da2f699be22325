// SPDX-License-Identifier: Apache-2.0
// api/openapi.h: the OpenAPI 3.1 document, made from the same table of routes that serves requests.
// Pure; safe from any thread.
#pragma once
#include <string>

#include "api/route.h"
#include "json/value.h"

namespace avow::api {

/// components.schemas: every body and answer, each a JSON Schema (2020-12) that refers to others as
/// "#/components/schemas/NAME".
json::Value openapi_schemas();

/// `path` of a route as the document has it: OpenAPI knows no parameter that takes several
/// segments.
std::string documented_path(std::string_view path);

/// The whole document of `routes`. CHECKs that each route's operation is described.
json::Value openapi_of(const std::vector<Route>& routes);

/// openapi_of(all_routes()), as text.
std::string openapi_document();

}  // namespace avow::api
