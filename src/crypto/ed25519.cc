// SPDX-License-Identifier: Apache-2.0
#include "crypto/ed25519.h"

#include "crypto/evp_key.h"

namespace avow::crypto {
namespace {

/// The raw public key inside `key`, of which the caller knows that it is Ed25519.
Ed25519PublicKey public_part(const EVP_PKEY* key) {
  Ed25519PublicKey out;
  std::size_t size = out.bytes.size();
  CHECK(EVP_PKEY_get_raw_public_key(key, out.bytes.data(), &size) == 1 && size == out.bytes.size());
  return out;
}

std::shared_ptr<EVP_PKEY> key_of(const Bytes32& bytes) {
  return own(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes.data(), bytes.size()));
}

Result<void> require_ed25519(const EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) return {};
  return failure(Code::kInvalidArgument, "the PEM holds a key of another kind, not Ed25519");
}

}  // namespace

std::string Ed25519PublicKey::spki_pem() const { return public_key_to_pem(key_of(bytes).get()); }

Result<Ed25519PublicKey> Ed25519PublicKey::from_spki_pem(std::string_view pem) {
  ASSIGN_OR_RETURN(const auto key, public_key_from_pem(pem));
  RETURN_IF_ERROR(require_ed25519(key.get()));
  return public_part(key.get());
}

bool Ed25519PublicKey::verifies(std::string_view message, std::string_view signature) const {
  return verifies_with(key_of(bytes).get(), nullptr, message, signature);
}

Ed25519PrivateKey::Ed25519PrivateKey(std::shared_ptr<evp_pkey_st> key)
    : key_(std::move(key)), public_key_(public_part(key_.get())) {}

Ed25519PrivateKey Ed25519PrivateKey::from_seed(const Bytes32& seed) {
  return Ed25519PrivateKey(
      own(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size())));
}

Result<Ed25519PrivateKey> Ed25519PrivateKey::from_pem(std::string_view pem,
                                                      const Secret& passphrase) {
  ASSIGN_OR_RETURN(auto key, private_key_from_pem(pem, passphrase));
  RETURN_IF_ERROR(require_ed25519(key.get()));
  return Ed25519PrivateKey(std::move(key));
}

Secret Ed25519PrivateKey::pem(const Secret& passphrase) const {
  return private_key_to_pem(key_.get(), passphrase);
}

std::string Ed25519PrivateKey::sign(std::string_view message) const {
  return sign_with(key_.get(), nullptr, message);
}

}  // namespace avow::crypto
