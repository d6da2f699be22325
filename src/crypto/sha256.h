// SPDX-License-Identifier: Apache-2.0
// crypto/sha256.h: SHA-256 (FIPS 180-4) and HMAC-SHA256 (RFC 2104). The hot path is many inputs of
// some tens of bytes, so nothing here allocates or looks up an algorithm. Inputs may be of any
// length. Pure; functions are safe from any thread, one Sha256 belongs to one thread at a time.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace avow::crypto {

/// A hash in the making; a copy goes on from the same state.
class Sha256 {
 public:
  Sha256();
  Sha256& update(std::string_view data);
  /// The hash of all that was given so far. The object starts again, as if new.
  Bytes32 finish();

 private:
  alignas(8)
      std::array<std::byte, 112> state_;  ///< libcrypto's SHA256_CTX, which only the source sees.
};

Bytes32 sha256(std::string_view data);

/// A key under which many HMACs are made: what depends on the key alone is hashed once.
class HmacKey {
 public:
  /// `key` may have any length, also none.
  explicit HmacKey(std::string_view key);
  [[nodiscard]] Bytes32 hmac(std::string_view data) const;

 private:
  Sha256 inner_;  ///< The padded key is in it already.
  Sha256 outer_;
};

/// HmacKey(key).hmac(data).
Bytes32 hmac_sha256(std::string_view key, std::string_view data);

}  // namespace avow::crypto
