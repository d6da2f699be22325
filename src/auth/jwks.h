// SPDX-License-Identifier: Apache-2.0
// auth/jwks.h: the keys with which an issuer's tokens are verified (RFC 7517). They come only from
// the configuration: a JWKS file, or an https URL that is read through `net`, never from a token.
#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/executor.h"
#include "base/mutex.h"
#include "base/result.h"
#include "base/time.h"
#include "net/http_client.h"

namespace avow::auth {

enum class JwtAlgorithm { kHs256, kRs256, kEs256, kEdDsa };

/// "HS256", "RS256", "ES256" or "EdDSA". Errors: kInvalidArgument, naming these
Result<JwtAlgorithm> parse_jwt_algorithm(std::string_view text);

/// One key, bound to one algorithm: an RSA key can never be taken for the secret of HS256.
struct VerificationKey {
  std::string kid;  ///< Empty: it has none.
  JwtAlgorithm algorithm = JwtAlgorithm::kRs256;
  /// A JWK with nothing in it but kty, crv and the key; no URL or certificate, no private part.
  std::string jwk;
};

inline constexpr std::size_t kJwksKeysMax = 100;
inline constexpr std::size_t kJwksBytesMax = std::size_t{256} << 10;

enum class JwksOrigin { kFile, kUrl };

/// Reads a JWKS. Keys of other kinds, curves, algorithms or uses are left out.
/// Errors: kInvalidArgument  ill formed; an RSA key under 2048 or over 8192 bits, a secret under 32
/// bytes; a
///                           secret from a URL, where others can read it; no key left
Result<std::vector<VerificationKey>> parse_jwks(std::string_view text, JwksOrigin origin);

/// The present keys of one issuer. Any thread; nobody waits for the network here.
/// Keys from a URL are read again when they are kRefreshAfter old, or when a token names a key that
/// is not among them, but at most once in kAttemptEvery. If that fails the old ones serve on, up to
/// kKeysAgeMax.
class KeyRing {
 public:
  static constexpr Duration kRefreshAfter = std::chrono::minutes(10);
  static constexpr Duration kAttemptEvery = std::chrono::minutes(1);
  static constexpr Duration kKeysAgeMax = std::chrono::hours(24);
  static constexpr Duration kFetchTimeout = std::chrono::seconds(10);

  /// Keys that stay as they are.
  explicit KeyRing(std::vector<VerificationKey> keys);
  /// Keys at `url`. `client` and `executor` must outlive the ring, and the call that may be under
  /// way.
  KeyRing(std::string url, net::HttpClient& client, Executor& executor);
  ~KeyRing();
  KeyRing(const KeyRing&) = delete;
  KeyRing& operator=(const KeyRing&) = delete;

  /// The keys that may verify a token with this header: of that algorithm and that `kid`; without a
  /// `kid` the only one of that algorithm.
  /// Errors: kUnauthenticated  there is none
  ///         kUnavailable      they are just being read, or could not be; try again
  Result<std::vector<VerificationKey>> find(JwtAlgorithm algorithm,
                                            const std::optional<std::string>& kid, Time now);

  /// Starts to read the keys if that is due, as at the start of the server.
  void refresh(Time now);

 private:
  struct State;
  void fetch(Time now);

  std::string url_;
  net::HttpClient* client_ = nullptr;
  Executor* executor_ = nullptr;
  std::stop_source stop_;
  std::shared_ptr<State> state_;  ///< Shared with the call under way.
};

}  // namespace avow::auth
