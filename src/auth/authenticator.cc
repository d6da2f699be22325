// SPDX-License-Identifier: Apache-2.0
#include "auth/authenticator.h"

#include "net/http.h"

namespace avow::auth {
namespace {

Error too_many_failures() {
  return failure(Code::kResourceExhausted, "too many failed authentications from this address");
}

Result<void> refuse_repeated(const Credentials& credentials) {
  if (credentials.api_keys.size() > 1) {
    return failure(Code::kInvalidArgument, "the header X-API-Key is there more than once");
  }
  if (credentials.authorizations.size() > 1) {
    return failure(Code::kInvalidArgument, "the header Authorization is there more than once");
  }
  if (credentials.tenant_ids.size() > 1) {
    return failure(Code::kInvalidArgument, "the header X-Tenant-ID is there more than once");
  }
  if (!credentials.api_keys.empty() && !credentials.authorizations.empty()) {
    return failure(Code::kInvalidArgument, "send either X-API-Key or Authorization, not both");
  }
  return {};
}

/// The token in "Bearer <token>". Errors: kUnauthenticated
Result<std::string_view> bearer_token(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  if (!net::equal_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) {
    return failure(Code::kUnauthenticated, "the header Authorization must be \"Bearer <JWT>\"");
  }
  authorization.remove_prefix(kScheme.size());
  if (is_key_shaped(authorization)) {
    return failure(Code::kUnauthenticated, "an API key belongs in the header X-API-Key");
  }
  return authorization;
}

Caller caller_of(const ApiKey& key) {
  return {.tenant = key.tenant,
          .is_platform = key.is_platform,
          .scopes = key.scopes,
          .agent_ids = key.agent_ids,
          .key = key.id,
          .principal = "key:" + key.id.uuid(),
          .expires_at = key.expires_at};
}

/// Holds X-Tenant-ID against the caller; a platform key's caller becomes one of the tenant it
/// names.
Result<Caller> in_tenant(Caller caller, const Credentials& credentials) {
  if (credentials.tenant_ids.empty()) return caller;
  const auto tenant = parse_id(credentials.tenant_ids[0]);
  if (caller.is_platform) {
    if (!tenant) return failure(Code::kInvalidArgument, "the header X-Tenant-ID holds no id");
    caller.tenant = {*tenant};
    return caller;
  }
  if (tenant && TenantId{*tenant} == caller.tenant) return caller;
  return failure(Code::kPermissionDenied, "the header X-Tenant-ID names another tenant than yours");
}

}  // namespace

Authenticator::Authenticator(store::Store& store, JwtVerifier* tokens, AuthenticatorOptions options)
    : store_(store),
      tokens_(tokens),
      options_(options),
      failures_(options.failures, options.sources_max) {}

Result<Caller> Authenticator::authenticate(const Credentials& credentials, Time now) {
  RETURN_IF_ERROR(refuse_repeated(credentials));
  if (credentials.api_keys.empty() && credentials.authorizations.empty()) {
    return failure(Code::kUnauthenticated, "send X-API-Key, or Authorization with a Bearer token");
  }
  const bool has_limit = options_.failures.tokens > 0;
  const std::string source = has_limit ? source_key(credentials.source_address) : std::string();
  const bool is_limited = has_limit && !failures_.look(source, now).is_allowed;
  auto caller = identify(credentials, is_limited, now);
  if (caller) return in_tenant(std::move(*caller), credentials);
  if (has_limit && caller.error().code == Code::kUnauthenticated) {
    if (!failures_.take(source, now).is_allowed) return too_many_failures();
  }
  return caller.error();
}

Result<Caller> Authenticator::identify(const Credentials& credentials, bool is_limited, Time now) {
  if (!credentials.authorizations.empty()) {
    if (is_limited) return too_many_failures();
    ASSIGN_OR_RETURN(const std::string_view token, bearer_token(credentials.authorizations[0]));
    if (tokens_ == nullptr) {
      return failure(Code::kUnauthenticated, "no issuer of tokens is configured; send X-API-Key");
    }
    return tokens_->verify(token, now);
  }
  const std::string_view text = credentials.api_keys[0];
  if (!is_key_shaped(text)) {
    if (is_limited) return too_many_failures();
    return failure(Code::kUnauthenticated, "the API key is not known");
  }
  ASSIGN_OR_RETURN(const ApiKey key, find_key(key_hash(text), is_limited));
  if (key.revoked_at) return failure(Code::kUnauthenticated, "the API key has been revoked");
  if (!key.is_valid(now)) return failure(Code::kUnauthenticated, "the API key has expired");
  return caller_of(key);
}

Result<ApiKey> Authenticator::find_key(const std::string& hash, bool is_limited) {
  std::uint64_t forgettings_before = 0;
  {
    const MutexLock lock(mutex_);
    const auto known = keys_.find(hash);
    if (known != keys_.end()) return known->second;
    forgettings_before = forgettings_;
  }
  if (is_limited) return too_many_failures();
  const auto record = store_.find_record(store::RecordKind::kApiKey, hash);
  if (!record && record.error().code == Code::kNotFound) {
    return failure(Code::kUnauthenticated, "the API key is not known");
  }
  if (!record) return record.error();
  ASSIGN_OR_RETURN(ApiKey key, api_key_from(*record));
  const MutexLock lock(mutex_);
  if (forgettings_ == forgettings_before) {
    // Full: begin again. What is in use comes back with one read each, and this is rarer than the
    // bookkeeping of an order of use on every request.
    if (keys_.size() >= options_.keys_max) keys_.clear();
    keys_.emplace(hash, key);
  }
  return key;
}

Duration Authenticator::retry_after(std::string_view source_address, Time now) {
  if (options_.failures.tokens == 0) return {};
  return failures_.look(source_key(source_address), now).retry_after;
}

void Authenticator::forget(KeyId key) {
  std::vector<std::function<void()>> told;
  {
    const MutexLock lock(mutex_);
    ++forgettings_;
    std::erase_if(keys_, [key](const auto& entry) { return entry.second.id == key; });
    for (const auto& [id, watch] : watches_) {
      if (watch.key == key) told.push_back(watch.revoked);
    }
  }
  for (const auto& revoked : told) revoked();
}

std::uint64_t Authenticator::watch(KeyId key, std::function<void()> revoked) {
  const MutexLock lock(mutex_);
  watches_.emplace(next_watch_, Watch{key, std::move(revoked)});
  return next_watch_++;
}

void Authenticator::unwatch(std::uint64_t watch) {
  std::function<void()> dropped;  // outlives the lock: what it holds may do anything when it goes
  const MutexLock lock(mutex_);
  const auto at = watches_.find(watch);
  if (at == watches_.end()) return;
  dropped = std::move(at->second.revoked);
  watches_.erase(at);
}

Result<bool> Authenticator::is_revoked(KeyId key) {
  ASSIGN_OR_RETURN(const auto record, store_.get_record(store::RecordKind::kApiKey, key.value));
  ASSIGN_OR_RETURN(const ApiKey stored, api_key_from(record));
  return stored.revoked_at.has_value();
}

}  // namespace avow::auth
