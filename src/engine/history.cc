// SPDX-License-Identifier: Apache-2.0
#include "engine/history.h"

#include "json/parse.h"

namespace avow::engine {
namespace {

Result<std::shared_ptr<const PlanIndex>> plan_of(const store::RunRecord& record,
                                                 PlanSource& plans) {
  if (!record.plan) {
    if (!record.row.workflow)
      return failure(Code::kCorruption, "a run with neither a plan nor a workflow");
    return plans.workflow_plan(*record.row.workflow);
  }
  ASSIGN_OR_RETURN(
      const json::Value source,
      json::parse(*record.plan, {.depth_max = 256, .bytes_max = std::size_t{64} << 20}));
  ASSIGN_OR_RETURN(auto plan, Plan::compile(source));
  return std::shared_ptr<const PlanIndex>(std::make_shared<PlanIndex>(std::move(plan)));
}

Result<void> replay(const store::RunRecord& record, Machine& machine, Contents& contents) {
  for (const store::Segment& segment : record.contents) {
    ASSIGN_OR_RETURN(auto decoded, provenance::decode_contents(segment.bytes));
    for (Content& content : decoded) contents.add(std::move(content));
  }
  for (const store::Segment& segment : record.journal) {
    ASSIGN_OR_RETURN(const auto events, provenance::decode_journal(segment.bytes));
    for (const std::string& bytes : events) {
      ASSIGN_OR_RETURN(const Event event, provenance::decode(bytes));
      if (event.seq != machine.state().seq + 1) {
        return failure(Code::kCorruption, "event {} follows event {}", event.seq,
                       machine.state().seq);
      }
      RETURN_IF_ERROR(machine.replay(event, bytes));
    }
  }
  return {};
}

}  // namespace

Result<History> read_history(const store::RunRecord& record, PlanSource& plans) {
  ASSIGN_OR_RETURN(auto plan, plan_of(record, plans));
  History history{Machine(record.row.id, record.row.tenant, std::move(plan)), {}, 0};
  for (const store::Segment& segment : record.contents)
    history.contents_bytes += segment.bytes.size();
  RETURN_IF_ERROR(replay(record, history.machine, history.contents));
  return history;
}

}  // namespace avow::engine
