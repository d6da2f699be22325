// SPDX-License-Identifier: Apache-2.0
// auth/jwt_signature.h: the one place that sees librhonabwy. Any thread; no network.
#pragma once
#include <string>

#include "auth/jwks.h"

namespace avow::auth {

/// Whether `token` (compact JWS, its header already judged) is signed by `key` with that key's
/// algorithm.
bool is_signed_by(const std::string& token, const VerificationKey& key);

}  // namespace avow::auth
