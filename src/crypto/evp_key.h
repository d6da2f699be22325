// SPDX-License-Identifier: Apache-2.0
// crypto/evp_key.h: what both kinds of key share over libcrypto's EVP_PKEY: PEM text, sign, verify.
// Inside this module only. Every function is safe from any thread; keys are not changed once made.
#pragma once
#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace avow::crypto {

/// Takes ownership; CHECKs that there is something.
std::shared_ptr<EVP_PKEY> own(EVP_PKEY* key);

/// PKCS#8 (or SEC 1) PEM of any kind of key. Errors: kInvalidArgument
Result<std::shared_ptr<EVP_PKEY>> private_key_from_pem(std::string_view pem,
                                                       const Secret& passphrase);
Secret private_key_to_pem(EVP_PKEY* key, const Secret& passphrase);

/// SubjectPublicKeyInfo in PEM, of any kind of key. Errors: kInvalidArgument
Result<std::shared_ptr<EVP_PKEY>> public_key_from_pem(std::string_view pem);
std::string public_key_to_pem(EVP_PKEY* key);

/// SHA-256, fetched once: each use by name would look it up again under a lock.
const EVP_MD* sha256_digest();

/// `digest` is null for algorithms that hash themselves.
std::string sign_with(EVP_PKEY* key, const EVP_MD* digest, std::string_view message);
bool verifies_with(EVP_PKEY* key, const EVP_MD* digest, std::string_view message,
                   std::string_view signature);

/// Bytes as libcrypto takes them.
inline const unsigned char* data_of(std::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace avow::crypto
