// SPDX-License-Identifier: Apache-2.0
#include "auth/jwt_signature.h"

#include <rhonabwy.h>

#include <memory>

namespace avow::auth {
namespace {

struct FreeJwt {
  void operator()(jwt_t* jwt) const { r_jwt_free(jwt); }
};
struct FreeJwk {
  void operator()(jwk_t* jwk) const { r_jwk_free(jwk); }
};

jwa_alg jwa_of(JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::kHs256:
      return R_JWA_ALG_HS256;
    case JwtAlgorithm::kRs256:
      return R_JWA_ALG_RS256;
    case JwtAlgorithm::kEs256:
      return R_JWA_ALG_ES256;
    case JwtAlgorithm::kEdDsa:
      return R_JWA_ALG_EDDSA;
  }
  return R_JWA_ALG_UNKNOWN;
}

}  // namespace

bool is_signed_by(const std::string& token, const VerificationKey& key) {
  jwk_t* new_jwk = nullptr;
  jwt_t* new_jwt = nullptr;
  // The key is read anew each time: rhonabwy's keys are jansson values, whose use by several
  // threads at once is not promised, and reading one costs far less than a signature.
  if (r_jwk_init(&new_jwk) != RHN_OK) return false;
  const std::unique_ptr<jwk_t, FreeJwk> jwk(new_jwk);
  if (r_jwk_import_from_json_str(jwk.get(), key.jwk.c_str()) != RHN_OK) return false;
  if (r_jwt_init(&new_jwt) != RHN_OK) return false;
  const std::unique_ptr<jwt_t, FreeJwt> jwt(new_jwt);
  // R_PARSE_NONE: neither unsigned tokens nor keys out of the header.
  if (r_jwt_advanced_parsen(jwt.get(), token.data(), token.size(), R_PARSE_NONE,
                            R_FLAG_IGNORE_REMOTE) != RHN_OK) {
    return false;
  }
  return r_jwt_get_sign_alg(jwt.get()) == jwa_of(key.algorithm) &&
         r_jwt_verify_signature(jwt.get(), jwk.get(), R_FLAG_IGNORE_REMOTE) == RHN_OK;
}

}  // namespace avow::auth
