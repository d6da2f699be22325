// SPDX-License-Identifier: Apache-2.0
#include "crypto/p256.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include <array>

#include "crypto/evp_key.h"

namespace avow::crypto {
namespace {

constexpr std::size_t kSpkiBytes = 91;  // with an uncompressed point

/// Named curves only: explicit parameters could describe a curve of somebody's choice.
Result<void> require_p256(const EVP_PKEY* key) {
  std::array<char, 32> group{};
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
      EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
      std::string_view(group.data()) == "prime256v1") {
    return {};
  }
  ERR_clear_error();
  return failure(Code::kInvalidArgument, "a key of another kind or curve, not P-256");
}

std::string spki_of(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  CHECK(size > 0);
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

P256PublicKey::P256PublicKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)), spki_der_(spki_of(key_.get())) {}

Result<P256PublicKey> P256PublicKey::from_spki_der(std::string_view der) {
  // One key has one form here, so that forms can be compared: re-encoding must give the same bytes.
  if (der.size() != kSpkiBytes) {
    return failure(Code::kInvalidArgument, "a P-256 public key has {} bytes, here are {}",
                   kSpkiBytes, der.size());
  }
  const unsigned char* at = data_of(der);
  EVP_PKEY* parsed = d2i_PUBKEY(nullptr, &at, static_cast<long>(der.size()));
  if (parsed == nullptr) {
    ERR_clear_error();
    return failure(Code::kInvalidArgument, "not a SubjectPublicKeyInfo with a point of P-256");
  }
  auto key = own(parsed);
  RETURN_IF_ERROR(require_p256(key.get()));
  P256PublicKey out(std::move(key));
  if (out.spki_der_ != der) {
    return failure(Code::kInvalidArgument, "the SubjectPublicKeyInfo is not in its one DER form");
  }
  return out;
}

Result<P256PublicKey> P256PublicKey::from_spki_pem(std::string_view pem) {
  ASSIGN_OR_RETURN(auto key, public_key_from_pem(pem));
  RETURN_IF_ERROR(require_p256(key.get()));
  return from_spki_der(spki_of(key.get()));
}

std::string P256PublicKey::spki_pem() const { return public_key_to_pem(key_.get()); }

bool P256PublicKey::verifies(std::string_view message, std::string_view signature) const {
  return verifies_with(key_.get(), sha256_digest(), message, signature);
}

P256PrivateKey::P256PrivateKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)), public_key_(key_) {}

P256PrivateKey P256PrivateKey::generate() { return P256PrivateKey(own(EVP_EC_gen("P-256"))); }

Result<P256PrivateKey> P256PrivateKey::from_pem(std::string_view pem, const Secret& passphrase) {
  ASSIGN_OR_RETURN(auto key, private_key_from_pem(pem, passphrase));
  RETURN_IF_ERROR(require_p256(key.get()));
  return P256PrivateKey(std::move(key));
}

Secret P256PrivateKey::pem(const Secret& passphrase) const {
  return private_key_to_pem(key_.get(), passphrase);
}

std::string P256PrivateKey::sign(std::string_view message) const {
  return sign_with(key_.get(), sha256_digest(), message);
}

}  // namespace avow::crypto
