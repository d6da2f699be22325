// SPDX-License-Identifier: Apache-2.0
// connectors/outcome.h: what an HTTP answer, or none, means for a call. Answers are untrusted.
// Pure; any thread. What is cut short is redacted before it is cut: half a secret would not be
// found.
#pragma once
#include "connectors/redaction.h"
#include "engine/effect_runner.h"
#include "net/http_client.h"

namespace avow::connectors {

/// Why no answer came: code TRANSPORT_ERROR, TIMEOUT, ADDRESS_REFUSED, RESPONSE_TOO_LARGE,
/// CANCELLED or INVALID_REQUEST, with the class that retry_on knows.
engine::CallError transport_error(const Error& error);

/// A status that is no success: code "HTTP_<status>", the class, Retry-After and what the peer
/// said.
engine::CallError status_error(const net::ClientResponse& response, const Redactor& redactor,
                               Time now);

/// Retry-After as delay-seconds or as an HTTP date (RFC 9110, section 10.2.3; only the preferred
/// format), from 0 to 24 h; nothing if it is neither.
std::optional<Duration> retry_after(std::string_view value, Time now);

/// The body as a value: JSON where the content type says so or is missing and it parses, else the
/// text; null if it is empty. Errors: kInvalidArgument  says JSON and is not, or is not UTF-8
Result<json::Value> body_value(const net::ClientResponse& response);

/// The same; what body_value() refuses becomes its first 4096 printable characters.
json::Value readable_body(const net::ClientResponse& response, const Redactor& redactor);

/// The outcome without the secrets that `redactor` knows.
engine::CallOutcome redacted(engine::CallOutcome outcome, const Redactor& redactor);

}  // namespace avow::connectors
