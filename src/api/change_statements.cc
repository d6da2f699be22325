// SPDX-License-Identifier: Apache-2.0
#include "api/change_statements.h"

#include <algorithm>

#include "tlog/sequencer.h"

namespace avow::api {
namespace {

using provenance::Statement;
using provenance::StatementType;

/// A digest as definitions write it: lower-case hex.
Bytes32 digest_of(std::string_view hex) {
  const auto bytes = from_hex(hex);
  Bytes32 out{};
  CHECK(bytes && bytes->size() == out.size());
  std::copy(bytes->begin(), bytes->end(), out.begin());
  return out;
}

}  // namespace

store::QueuedStatement stated(const Stater& by, Statement statement,
                              std::optional<Bytes32> Statement::* member, std::string_view name,
                              json::Value content) {
  statement.created_at = by.now;
  statement.nonce = by.rng.bytes32();
  statement.actor = by.caller.principal;
  const provenance::Content kept{{0, std::string(name)}, by.rng.bytes32(), std::move(content)};
  statement.*member = provenance::commitment(kept.value, kept.salt);
  return tlog::queued(statement, {kept});
}

store::QueuedStatement workflow_published(const Call& call, const StoredWorkflow& workflow) {
  // The definition's digest says all of it: there is nothing to commit to beside it.
  Statement statement;
  statement.type = StatementType::kWorkflowPublished;
  statement.tenant = workflow.tenant;
  statement.id = workflow.id.value;
  statement.created_at = call.now;
  statement.nonce = call.services.rng.bytes32();
  statement.actor = call.caller.principal;
  statement.version = workflow.definition.version;
  statement.workflow_digest = digest_of(workflow.definition.digest);
  return tlog::queued(statement);
}

store::QueuedStatement agent_changed(const Call& call, const auth::Agent& agent,
                                     std::string_view change) {
  json::Value record = auth::render(agent);
  Statement statement;
  statement.type = StatementType::kAgentChanged;
  statement.tenant = agent.tenant;
  statement.id = agent.id.value;
  statement.status = record.string_or("status");
  statement.change = change;
  return stated({call.services.rng, call.caller, call.now}, std::move(statement),
                &Statement::record, "record", std::move(record));
}

store::QueuedStatement admin_changed(const Call& call, const AdminChange& change) {
  Statement statement;
  statement.type = StatementType::kAdminChanged;
  statement.tenant = change.tenant;
  statement.id = change.id;
  statement.subject = change.subject;
  statement.change = change.change;
  return stated({call.services.rng, call.caller, call.now}, std::move(statement),
                &Statement::record, "record", change.record);
}

}  // namespace avow::api
