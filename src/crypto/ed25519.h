// SPDX-License-Identifier: Apache-2.0
// crypto/ed25519.h: Ed25519 signatures (RFC 8032, the pure variant). Keys are immutable values,
// cheap to copy; everything here is safe from any thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

struct evp_pkey_st;  // libcrypto's EVP_PKEY

namespace avow::crypto {

/// A public key: 32 bytes, of which any are accepted here; what is no point of the curve verifies
/// nothing.
struct Ed25519PublicKey {
  Bytes32 bytes{};
  bool operator==(const Ed25519PublicKey&) const = default;

  /// SubjectPublicKeyInfo (RFC 8410), DER in PEM armour.
  [[nodiscard]] std::string spki_pem() const;
  /// `pem` is untrusted. Errors: kInvalidArgument (no PEM, or a key of another kind)
  static Result<Ed25519PublicKey> from_spki_pem(std::string_view pem);

  /// Whether `signature` is this key's over `message`. Both are untrusted, of any length.
  [[nodiscard]] bool verifies(std::string_view message, std::string_view signature) const;
};

class Ed25519PrivateKey {
 public:
  /// The key of a 32-byte seed, which is the private key of RFC 8032. Must come from a real Rng.
  static Ed25519PrivateKey from_seed(const Bytes32& seed);
  /// Reads PKCS#8 PEM, encrypted or not. Never asks at a terminal.
  /// Errors: kInvalidArgument (no PEM, a key of another kind, a missing or wrong passphrase)
  static Result<Ed25519PrivateKey> from_pem(std::string_view pem, const Secret& passphrase = {});

  /// PKCS#8 PEM (RFC 8410); with a passphrase encrypted: PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC.
  [[nodiscard]] Secret pem(const Secret& passphrase = {}) const;
  [[nodiscard]] const Ed25519PublicKey& public_key() const { return public_key_; }
  /// The signature, 64 bytes; the same message gives the same one.
  [[nodiscard]] std::string sign(std::string_view message) const;

 private:
  explicit Ed25519PrivateKey(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  Ed25519PublicKey public_key_;
};

}  // namespace avow::crypto
