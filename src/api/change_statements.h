// SPDX-License-Identifier: Apache-2.0
// api/change_statements.h: what the log is told of changes that are made through the API. Each
// statement commits to the thing as it is now, without secrets; value and salt are kept beside it,
// for who reads the audit list. Pure but for the salts; safe from any thread.
#pragma once
#include "api/call.h"
#include "api/workflow_cache.h"
#include "auth/agent.h"
#include "provenance/statement.h"

namespace avow::api {

/// Who states something, and when.
struct Stater {
  Rng& rng;
  const auth::Caller& caller;
  Time now;
};

/// `statement`, made by `by`, for Commit::statements; its member `member` (of
/// that name in the format) commits to `content`, which is kept beside it.
store::QueuedStatement stated(const Stater& by, provenance::Statement statement,
                              std::optional<Bytes32> provenance::Statement::* member,
                              std::string_view name, json::Value content);

store::QueuedStatement workflow_published(const Call& call, const StoredWorkflow& workflow);
/// `change`: "created", "updated", "suspended", "resumed", "revoked" or "killed".
store::QueuedStatement agent_changed(const Call& call, const auth::Agent& agent,
                                     std::string_view change);

struct AdminChange {
  TenantId tenant;  ///< Whose numbering it stands in.
  Id id;
  std::string_view subject;  ///< "tenant", "api_key" or "tool".
  std::string_view change;   ///< "created", "updated" or "revoked".
  json::Value record;        ///< As answers show it.
};
store::QueuedStatement admin_changed(const Call& call, const AdminChange& change);

}  // namespace avow::api
