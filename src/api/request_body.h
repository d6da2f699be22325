// SPDX-License-Identifier: Apache-2.0
// api/request_body.h: the JSON object that a request carries. Pure; safe from any thread.
#pragma once
#include <optional>
#include <variant>

#include "api/problem.h"

namespace avow::api {

/// The body of `request`, which is untrusted. Empty is {}; of a GET or DELETE it is not looked at.
/// In all but a PATCH, where null removes, top-level members that are null are left out: they mean
/// absent. Problems: 415 (not application/json in UTF-8, or encoded), 413, 400 (not JSON, or no
/// object)
std::variant<json::Value, Problem> read_body(const net::Request& request);
/// The 415 of it, for a body that is not read here.
std::optional<Problem> refuse_media_type(const net::Request& request);

}  // namespace avow::api
