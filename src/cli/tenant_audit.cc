// SPDX-License-Identifier: Apache-2.0
#include "cli/tenant_audit.h"

namespace avow::cli {

using provenance::Statement;
using provenance::StatementType;

Result<void> TenantAudit::add(std::string_view bytes) {
  const std::uint64_t place = seq_ + 1;
  const auto wrong = [&](std::string_view why) {
    return failure(Code::kCorruption, "statement {}: {}", place, why);
  };
  const auto statement = provenance::decode_statement(bytes);
  if (!statement) return wrong(statement.error().message);
  if (statement->tenant_seq != place) {
    return wrong(fmt::format("it is missing: the next one is number {}", statement->tenant_seq));
  }
  if (tenant_ && *tenant_ != statement->tenant) return wrong("it is another tenant's");
  if (statement->prev != digest_) return wrong("it does not follow the one before it");
  const Bytes32 digest = provenance::statement_digest(bytes);
  RETURN_IF_ERROR(add_run(*statement, digest));
  tenant_ = statement->tenant;
  newest_ = statement->id;
  digest_ = digest;
  seq_ = place;
  return {};
}

Result<void> TenantAudit::add_run(const Statement& statement, const Bytes32& digest) {
  const bool is_finished = statement.type == StatementType::kRunFinished;
  const bool is_open =
      statement.type == StatementType::kRunOpen || statement.type == StatementType::kRunProgress;
  if (!is_finished && !is_open) return {};
  Run& run = runs_[statement.id];
  if (run.is_finished) {
    return failure(Code::kCorruption, "statement {}: the run {} had finished already",
                   statement.tenant_seq, statement.id.uuid());
  }
  run = {statement.id, is_finished, statement.tenant_seq, digest};
  return {};
}

}  // namespace avow::cli
