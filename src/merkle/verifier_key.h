// SPDX-License-Identifier: Apache-2.0
// merkle/verifier_key.h: who may have signed a note, in one line (C2SP signed-note, "Verifier
// keys"). Immutable values; safe from any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/ed25519.h"

namespace avow::merkle {

/// How a key signs. Values that are not named here exist (0x06 is ML-DSA-44): keys of such types
/// are read, kept and written, and verify nothing.
enum class SignatureType : std::uint8_t {
  kEd25519 = 0x01,  ///< Over the note's text.
  kCosignature =
      0x04,  ///< Ed25519 over the time and the text: a witness's (C2SP tlog-cosignature).
};

/// Whether `name` may name a key: not empty, UTF-8 without Unicode spaces, '+' or control
/// characters.
bool is_key_name(std::string_view name);

struct VerifierKey {
  std::string name;
  std::uint32_t id = 0;  ///< The first four bytes of SHA-256(name || 0x0A || type || key).
  SignatureType type{};
  std::string key;  ///< For the types above the 32 bytes of an Ed25519 public key.
  bool operator==(const VerifierKey&) const = default;

  /// `type` is one of the above; `name` must be an is_key_name().
  static VerifierKey ed25519(std::string name, SignatureType type,
                             const crypto::Ed25519PublicKey& key);
  /// Reads what text() writes, and nothing else. Errors: kInvalidArgument (another form, an id that
  /// is not the key's, a key of the wrong length, more than 8 KiB)
  static Result<VerifierKey> parse(std::string_view vkey);
  /// The vkey: `name+<id, 8 lower-case hex digits>+base64(type || key)`.
  [[nodiscard]] std::string text() const;
};

}  // namespace avow::merkle
