// SPDX-License-Identifier: Apache-2.0
// auth/agent.h: agents: what they are, how they are registered and changed (CONTRACT.md, section
// 4). Pure functions; safe from any thread. What changes an agent returns the new record; the
// caller commits it.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/fault.h"
#include "base/id.h"
#include "base/rng.h"
#include "base/secret.h"
#include "crypto/ed25519.h"
#include "json/value.h"
#include "store/store.h"

namespace avow::auth {

inline constexpr std::size_t kAgentToolsMax = 64;
inline constexpr std::size_t kAgentMetadataBytesMax = std::size_t{16} << 10;
inline constexpr std::size_t kAgentInstructionsMax = std::size_t{64} << 10;  ///< Characters.

enum class AgentStatus { kActive, kSuspended, kRevoked };

struct Agent {
  AgentId id;
  TenantId tenant;
  AgentStatus status = AgentStatus::kActive;
  std::string status_reason;  ///< Why it was suspended or revoked; what a person wrote.
  std::string agent_type = "worker";
  std::string display_name;
  std::string description;
  std::vector<std::string> scopes;  ///< Of tools that it may call; names of the tenant's choice.
  json::Value metadata;             ///< An object, or null.
  std::optional<Time> expires_at;
  crypto::Ed25519PublicKey public_key;
  std::string model;               ///< Empty: it has none and pulls tasks.
  std::string instructions;        ///< Only with a model.
  std::vector<std::string> tools;  ///< Names; only with a model.
  Time created_at;
  Time updated_at;
  std::uint64_t version = 0;  ///< Of the store's record.

  /// Whether it may run now; if not: 403 at execute, AGENT_INACTIVE for a step.
  [[nodiscard]] bool is_active(Time now) const {
    return status == AgentStatus::kActive && (!expires_at || now < *expires_at);
  }
  /// Whether it may call a tool of this scope: an equal entry, `resource:*` or `*:*`, and no
  /// denial.
  [[nodiscard]] bool has_scope(std::string_view tool_scope) const;
  /// A short name of the public key: the first 16 hex digits of its SHA-256.
  [[nodiscard]] std::string key_id() const;
};

/// A scope of a tool or an agent: `resource:action`, each [a-z0-9][a-z0-9._-]{0,63}.
bool is_tool_scope(std::string_view text);

struct RegisteredAgent {
  Agent agent;
  /// Base64 of the 32-byte seed, answered once as `private_key`; empty if the request had a public
  /// key.
  Secret private_key;
};

/// Reads POST /v1/agents. `public_key` is the base64 of the 32 bytes of an Ed25519 key, or a
/// SubjectPublicKeyInfo in PEM; absent, a pair is made. `request` is untrusted. Whether its tools
/// and its model exist is for the caller to say.
Checked<RegisteredAgent> register_agent(const json::Value& request, TenantId tenant, Time now,
                                        Rng& rng);

/// Reads PATCH /v1/agents/{id}: RFC 7396 over what can be sent at registration, so null removes;
/// `public_key` cannot change. The agent must not be revoked (ask first: can_change()).
Checked<Agent> patch_agent(const Agent& agent, const json::Value& patch, Time now);

/// Errors: kConflict  it is revoked, which is final
Result<void> can_change(const Agent& agent);
/// The agent in another state; in that state already: unchanged. A suspended one can be resumed or
/// revoked. Errors: kConflict  it is revoked, which is final (save for revoke_agent)
Result<Agent> suspend_agent(Agent agent, std::string reason, Time now);
Result<Agent> resume_agent(Agent agent, Time now);
Agent revoke_agent(Agent agent, std::string reason, Time now);

/// Reads the body of suspend, revoke and kill: `reason`, up to 1024 characters, may be absent.
/// With `cascade` not null also that bool.
Checked<std::string> read_reason(const json::Value& request, bool* cascade = nullptr);

/// What answers show. POST adds `private_key`.
json::Value render(const Agent& agent);

store::RecordChange to_change(const Agent& agent);
/// Errors: kCorruption
Result<Agent> agent_from(const store::Record& record);

}  // namespace avow::auth
