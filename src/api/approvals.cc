// SPDX-License-Identifier: Apache-2.0
// POST /v1/orchestrations/{id}/approvals/{step}: somebody decides.
#include "api/orchestrations.h"
#include "api/route.h"
#include "auth/fields.h"

namespace avow::api {
namespace {

constexpr std::size_t kCommentMax = 4096;
constexpr std::size_t kDigestDigits = 64;

Reply decide_approval(Call& call) {
  const auto id = call.path_id("id");
  if (!id) return problem_of(id.error());
  std::vector<auth::Fault> faults;
  auth::Fields fields(call.body, faults);
  const auto decision = fields.text("decision", {.characters_min = 1, .characters_max = 64});
  if (fields.any("decision") == nullptr) {
    fields.fault(auth::FaultKind::kMalformed, "/decision", "MISSING", "decision is required");
  } else if (decision && *decision != "approve" && *decision != "reject") {
    fields.fault(auth::FaultKind::kInvalid, "/decision", "INVALID_VALUE",
                 "must be \"approve\" or \"reject\"");
  }
  const auto comment =
      fields.text("comment", {.characters_max = kCommentMax, .is_one_line = false});
  const auto digest = fields.text("subject_digest", {.characters_max = 256});
  const bool is_digest =
      !digest || (digest->size() == kDigestDigits &&
                  digest->find_first_not_of("0123456789abcdef") == std::string::npos);
  if (!is_digest) {
    fields.fault(auth::FaultKind::kInvalid, "/subject_digest", "INVALID_VALUE",
                 "must be 64 lower-case hex digits, as the step shows it");
  }
  fields.refuse_unknown();
  if (!faults.empty()) return problem_of(faults);
  return tell_run(call, RunId{*id},
                  engine::ApprovalDecided{.step = call.path.find("step")->second,
                                          .actor = call.caller.principal,
                                          .agents = call.caller.agent_ids,
                                          .approves = *decision == "approve",
                                          .comment = comment.value_or(""),
                                          .subject_digest = digest.value_or("")});
}

}  // namespace

std::vector<Route> approval_routes() {
  return {{"POST", "/v1/orchestrations/{id}/approvals/{step}", scope(auth::Scope::kApprovalsWrite),
           decide_approval, "decideApproval"}};
}

}  // namespace avow::api
