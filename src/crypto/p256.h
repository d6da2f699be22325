// SPDX-License-Identifier: Apache-2.0
// crypto/p256.h: ECDSA over NIST P-256 with SHA-256 (FIPS 186-4), signatures in DER (RFC 3279).
// Keys are immutable values, cheap to copy; everything here is safe from any thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

struct evp_pkey_st;  // libcrypto's EVP_PKEY

namespace avow::crypto {

class P256PublicKey {
 public:
  /// Reads a SubjectPublicKeyInfo (RFC 5480), DER or the same in PEM armour. Untrusted.
  /// Errors: kInvalidArgument (ill formed, bytes behind it, another kind or curve, no point of it)
  static Result<P256PublicKey> from_spki_der(std::string_view der);
  static Result<P256PublicKey> from_spki_pem(std::string_view pem);

  /// With the uncompressed point: 91 bytes.
  [[nodiscard]] const std::string& spki_der() const { return spki_der_; }
  [[nodiscard]] std::string spki_pem() const;
  /// Whether `signature` (DER) is this key's over `message`. Both are untrusted, of any length.
  [[nodiscard]] bool verifies(std::string_view message, std::string_view signature) const;

  bool operator==(const P256PublicKey& other) const { return spki_der_ == other.spki_der_; }

 private:
  friend class P256PrivateKey;
  explicit P256PublicKey(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  std::string spki_der_;
};

class P256PrivateKey {
 public:
  /// A new key from libcrypto's own generator, seeded by the kernel.
  static P256PrivateKey generate();
  /// Reads PKCS#8 PEM, encrypted or not. Never asks at a terminal.
  /// Errors: kInvalidArgument (no PEM, another kind or curve, a missing or wrong passphrase)
  static Result<P256PrivateKey> from_pem(std::string_view pem, const Secret& passphrase = {});

  /// PKCS#8 PEM; with a passphrase encrypted: PBES2, PBKDF2-HMAC-SHA256, AES-256-CBC.
  [[nodiscard]] Secret pem(const Secret& passphrase = {}) const;
  [[nodiscard]] const P256PublicKey& public_key() const { return public_key_; }
  /// The signature in DER, at most 72 bytes; random, so two of one message differ.
  [[nodiscard]] std::string sign(std::string_view message) const;

 private:
  explicit P256PrivateKey(std::shared_ptr<evp_pkey_st> key);

  std::shared_ptr<evp_pkey_st> key_;
  P256PublicKey public_key_;
};

}  // namespace avow::crypto
