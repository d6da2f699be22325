// SPDX-License-Identifier: Apache-2.0
// auth/api_key.h: API keys and how they are made, kept and revoked (CONTRACT.md, sections 1 and 5).
// A key's text is "avow_" and 256 random bits in base62. It is shown once; stored is its SHA-256,
// which is enough because nobody can guess 256 bits. Pure functions; safe from any thread. What
// changes a key returns the new record; the caller commits it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/caller.h"
#include "auth/fault.h"
#include "base/rng.h"
#include "base/secret.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::auth {

inline constexpr std::size_t kKeyAgentsMax = 256;  ///< agent_ids of one key.

struct ApiKey {
  KeyId id;
  TenantId tenant;           ///< All zero for a platform key.
  bool is_platform = false;  ///< A stored kind of key, not a scope.
  std::string name;
  ScopeSet scopes;
  std::optional<std::vector<AgentId>> agent_ids;
  std::optional<Time> expires_at;
  std::string prefix;      ///< The first characters of the text, to recognise it by.
  std::string hash;        ///< SHA-256 of the text, in hex.
  std::string created_by;  ///< The principal of its maker; "init" for the first ones.
  Time created_at;
  std::optional<Time> revoked_at;
  std::uint64_t version = 0;  ///< Of the store's record.

  [[nodiscard]] bool is_valid(Time now) const {
    return !revoked_at && (!expires_at || now < *expires_at);
  }
};

/// A key with the text that is answered once.
struct IssuedKey {
  ApiKey key;
  Secret text;
};

/// What a new key may do.
struct KeyGrant {
  TenantId tenant = {};
  bool is_platform = false;
  std::string name = {};
  ScopeSet scopes = {};
  std::optional<std::vector<AgentId>> agent_ids = {};
  std::optional<Time> expires_at = {};
  std::string created_by = "init";
};

/// A new key for `grant`, which the caller vouches for.
IssuedKey issue_key(KeyGrant grant, Time now, Rng& rng);

/// Reads POST /v1/api-keys (`name`, `scopes`, `agent_ids`, `expires_at`) and issues a key that
/// grants no effective right that `maker` lacks: its denials are added, its `agent_ids` and expiry
/// taken where the request names none; more than that is FORBIDDEN. A platform key may grant any
/// right within the tenant it named. `request` is untrusted; that its agents exist is for the
/// caller to check.
Checked<IssuedKey> make_api_key(const json::Value& request, const Caller& maker, Time now,
                                Rng& rng);

/// The key, valid no more; of a revoked one the same again.
ApiKey revoked(ApiKey key, Time now);

/// What the answer of GET and POST shows: no hash. POST adds `api_key`.
json::Value render(const ApiKey& key);

/// To and from the store. The record's unique key is the hash; its version is the next one.
store::RecordChange to_change(const ApiKey& key);
/// Errors: kCorruption
Result<ApiKey> api_key_from(const store::Record& record);

/// Whether `text` has the form of a key: what has not need not be looked up.
bool is_key_shaped(std::string_view text);
/// The hash under which a key is stored.
std::string key_hash(std::string_view text);

}  // namespace avow::auth
