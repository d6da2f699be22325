// SPDX-License-Identifier: Apache-2.0
// auth/authenticator.h: from the credentials of a request to its Caller (CONTRACT.md, section 1).
// Any thread. Reads the store briefly for keys that it has not seen.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "auth/api_key.h"
#include "auth/caller.h"
#include "auth/jwt.h"
#include "auth/rate_limit.h"
#include "base/mutex.h"
#include "store/store.h"

namespace avow::auth {

/// All values of the headers that say who calls, as they came, and where they came from.
struct Credentials {
  std::vector<std::string_view> api_keys = {};        ///< X-API-Key
  std::vector<std::string_view> authorizations = {};  ///< Authorization
  std::vector<std::string_view> tenant_ids = {};      ///< X-Tenant-ID
  std::string_view source_address = {};               ///< Of the client, behind trusted proxies.
};

struct AuthenticatorOptions {
  RateLimit failures{20, Duration(60'000)};  ///< Per source address; 0 tokens: no limit.
  std::size_t sources_max = 65'536;          ///< Addresses remembered for it.
  std::size_t keys_max = 10'000;             ///< API keys remembered.
};

class Authenticator {
 public:
  /// `store` must outlive this; so must `tokens`, which may be null: then no token is accepted.
  Authenticator(store::Store& store, JwtVerifier* tokens, AuthenticatorOptions options = {});

  /// Who calls. A source that failed too often is refused without a look at what it brings, save
  /// for an API key that is known to be valid: one misconfigured client does not shut out its
  /// neighbours. Errors: kInvalidArgument    both kinds of credential, one of them or X-Tenant-ID
  /// twice; with a
  ///                             platform key an X-Tenant-ID that is no id
  ///         kUnauthenticated    none, unknown, expired or revoked; a refused token
  ///         kPermissionDenied   X-Tenant-ID names another tenant than the credential's
  ///         kResourceExhausted  too many failures from this address; see retry_after()
  ///         kUnavailable        the store, or the issuer's keys, cannot be read now
  Result<Caller> authenticate(const Credentials& credentials, Time now);

  /// How long that address should wait.
  Duration retry_after(std::string_view source_address, Time now);

  /// Call when a key's revocation is durable: from then on it is refused here.
  /// LIMITATION: this reaches one process. With several nodes on one database, each must be told.
  void forget(KeyId key);

  /// Calls `revoked` (brief; any thread) when forget() is called for `key`, for what goes on longer
  /// than a request. It may have been revoked before: watch first, then ask is_revoked(). Returns
  /// what unwatch() takes; after that it may still be on its way once.
  std::uint64_t watch(KeyId key, std::function<void()> revoked);
  void unwatch(std::uint64_t watch);
  /// As the store says now. Errors: those of Store::get_record
  Result<bool> is_revoked(KeyId key);

 private:
  Result<Caller> identify(const Credentials& credentials, bool is_limited, Time now);
  Result<ApiKey> find_key(const std::string& hash, bool is_limited);

  store::Store& store_;
  JwtVerifier* const tokens_;
  const AuthenticatorOptions options_;
  TokenBuckets failures_;

  Mutex mutex_;
  std::unordered_map<std::string, ApiKey> keys_ GUARDED_BY(mutex_);  ///< By hash.
  /// Counts calls of forget(): a record read before one must not be remembered after it.
  std::uint64_t forgettings_ GUARDED_BY(mutex_) = 0;
  struct Watch {
    KeyId key;
    std::function<void()> revoked;
  };
  std::map<std::uint64_t, Watch> watches_ GUARDED_BY(mutex_);
  std::uint64_t next_watch_ GUARDED_BY(mutex_) = 1;
};

}  // namespace avow::auth
