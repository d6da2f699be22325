// SPDX-License-Identifier: Apache-2.0
// connectors/webhook.h: the webhook step: one HTTP request, signed as Standard Webhooks say
// (standardwebhooks.com, symmetric signatures). Pure; any thread.
#pragma once
#include "base/time.h"
#include "connectors/request.h"
#include "engine/effect_runner.h"

namespace avow::connectors {

/// The recorded form of a webhook: the common members, `expect_status` and, if it is signed,
/// `signing_secret`. Errors: kInvalidArgument, kNotFound, kPermissionDenied
Result<json::Value> render_webhook(TenantId tenant, const engine::CallSpec& spec,
                                   const SecretStore& secrets);

/// The value of `webhook-signature`: "v1,<base64 of HMAC-SHA256 over id.timestamp.body>". A secret
/// "whsec_<base64>" is decoded, any other is the key itself.
std::string webhook_signature(std::string_view secret, std::string_view id, std::int64_t timestamp,
                              std::string_view body);

/// Adds `webhook-id`, `webhook-timestamp` and `webhook-signature` to a request with a signing
/// secret.
void sign_webhook(FilledRequest& request, std::string_view id, Time now);

}  // namespace avow::connectors
