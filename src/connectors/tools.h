// SPDX-License-Identifier: Apache-2.0
// connectors/tools.h: HTTP tools: their registration (CONTRACT.md section 4) and their calls.
//
// A definition: {"name", "description", "input_schema", "output_schema"?, "scope"?, "risk_level",
// "http": {"method", "url", "headers", "body"?}}. `${{ arguments.x }}` may stand in url (path and
// query), header values and body; `${{ secrets.NAME }}` as a whole header value or a whole string
// of the body. Without `body`, POST, PUT and PATCH send the arguments as JSON. Pure; safe from any
// thread.
#pragma once
#include <variant>

#include "connectors/outcome.h"
#include "connectors/request.h"
#include "workflow/fault.h"

namespace avow::connectors {

/// Checks the body of POST /v1/tools and writes out its defaults (description "", input_schema any
/// object, risk_level "medium", method "POST", headers {}). `body` is untrusted; every fault is
/// found, with its pointer: UNKNOWN_FIELD, MISSING_FIELD, WRONG_TYPE, OUT_OF_RANGE, BAD_SCHEMA,
/// BAD_URL, BAD_EXPRESSION, UNKNOWN_NAME, ILL_FORMED_NAME, BAD_HEADER, SECRET_REQUIRED (a
/// credential header with a literal), SECRET_NOT_ALLOWED, UNKNOWN_SECRET (or one that may not go to
/// the tool's host).
std::variant<json::Value, workflow::Faults> normalise_tool(TenantId tenant, const json::Value& body,
                                                           const SecretStore& secrets);

/// The recorded form of a tool call: the common members, `tool` and, if there is one,
/// `output_schema`. Errors: kInvalidArgument  the arguments do not fit input_schema or the
/// templates: the message names
///                           pointers into the arguments (TOOL_ARGUMENTS_INVALID)
///         kNotFound, kPermissionDenied  a secret
Result<json::Value> render_tool(TenantId tenant, const engine::CallSpec& spec,
                                const SecretStore& secrets);

/// What the tool's answer (a 2xx) is worth: its value, checked against `output_schema` of the
/// recorded `request`; or TOOL_OUTPUT_INVALID.
engine::CallOutcome read_tool(const json::Value& request, const net::ClientResponse& response,
                              const Redactor& redactor);

}  // namespace avow::connectors
