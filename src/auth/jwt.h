// SPDX-License-Identifier: Apache-2.0
// auth/jwt.h: Bearer tokens (RFC 7519) of configured issuers, with the practices of RFC 8725.
// The token is read by our own strict JSON parser; only the signature is left to librhonabwy, with
// a key chosen by us. Any thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "auth/jwks.h"
#include "base/executor.h"
#include "base/result.h"
#include "net/http_client.h"

namespace avow::auth {

inline constexpr std::size_t kTokenBytesMax = 8192;
inline constexpr Duration kTokenLifeMax = std::chrono::hours(24);  ///< From now to `exp`.
inline constexpr Duration kTokenLeeway = std::chrono::seconds(60);

/// Who may issue tokens, and for whom.
struct JwtIssuer {
  std::string issuer = {};                    ///< `iss`, compared byte by byte.
  std::string audience = {};                  ///< Must be `aud`, or in it.
  std::vector<JwtAlgorithm> algorithms = {};  ///< No other one is accepted.
  std::string jwks = {};                      ///< The text of a JWKS file; or else:
  std::string jwks_url = {};                  ///< https only.
  std::vector<TenantId> tenants = {};         ///< The tenants it may speak for.
};

class JwtVerifier {
 public:
  /// `client` and `executor` serve issuers with a jwks_url; they must outlive the verifier.
  /// Errors: kInvalidArgument  two issuers of one name, or something missing or wrong in one
  static Result<std::unique_ptr<JwtVerifier>> create(std::vector<JwtIssuer> issuers,
                                                     net::HttpClient& client, Executor& executor);
  ~JwtVerifier();

  /// Starts to read what keys come from URLs, so that the first tokens find them.
  void refresh(Time now);

  /// The caller for whom `token` speaks. Untrusted. Refused: more than kTokenBytesMax; anything but
  /// three parts of base64url; ill-formed JSON, duplicate members; `alg` none or not configured for
  /// the issuer; jku, jwk, x5u, x5c, any crit, b64, zip, enc; a `typ` of another kind of token; a
  /// bad signature; iss, aud or tenant_id that are not the issuer's; exp missing, over, or more
  /// than kTokenLifeMax ahead; nbf or iat to come; a missing tenant_id, scope or sub; a denial in
  /// scope that we do not know. Errors: kUnauthenticated  refused; the message names the member,
  /// never its value
  ///         kUnavailable      the issuer's keys are not at hand
  Result<Caller> verify(std::string_view token, Time now);

 private:
  struct Trusted;
  explicit JwtVerifier(std::vector<std::unique_ptr<Trusted>> issuers);

  std::vector<std::unique_ptr<Trusted>> issuers_;
};

}  // namespace avow::auth
