// SPDX-License-Identifier: Apache-2.0
// auth/caller.h: who makes a request and what they may do. A value; safe from any thread.
#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "auth/scope.h"
#include "base/id.h"
#include "base/time.h"

namespace avow::auth {

struct Caller {
  /// Whose objects it sees. With a platform key the tenant that X-Tenant-ID named, unchecked
  /// whether it exists, else all zero.
  TenantId tenant = {};
  /// A platform key: reaches `platform` routes and /v1/api-keys, and no other; has no scopes.
  bool is_platform = false;
  ScopeSet scopes = {};
  /// The only agents it can start runs as and work for; absent: all of the tenant.
  std::optional<std::vector<AgentId>> agent_ids = {};
  std::optional<KeyId> key = {};  ///< Absent for a token.
  /// "key:<uuid>", or "jwt:" and 32 hex digits of a hash over issuer and subject: an opaque id that
  /// may stand in journals, never personal text.
  std::string principal = {};
  /// When it ceases to be valid; streams end then.
  std::optional<Time> expires_at = {};

  [[nodiscard]] bool allows(Scope scope) const { return scopes.allows(scope); }
  [[nodiscard]] bool may_act_as(AgentId agent) const {
    return !agent_ids || std::find(agent_ids->begin(), agent_ids->end(), agent) != agent_ids->end();
  }
};

}  // namespace avow::auth
