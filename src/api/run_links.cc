// SPDX-License-Identifier: Apache-2.0
#include "api/run_links.h"

#include "json/parse.h"
#include "json/write.h"

namespace avow::api {
namespace {

json::Value parsed_summary(const store::RunRow& row) {
  auto parsed = json::parse(row.summary);
  return parsed && parsed->is_object() ? std::move(*parsed) : json::Value(json::Object());
}

json::Array reruns_in(const json::Value& summary) {
  const json::Value* reruns = summary.find("reruns");
  return reruns != nullptr && reruns->is_array() ? reruns->as_array() : json::Array();
}

}  // namespace

Result<store::RunChange> with_rerun(const store::RunRow& row, RunId rerun) {
  json::Value summary = parsed_summary(row);
  json::Array reruns = reruns_in(summary);
  if (reruns.size() >= kRerunsMax) {
    return failure(Code::kResourceExhausted,
                   "the orchestration was run again {} times: run one of those again", kRerunsMax);
  }
  reruns.emplace_back(rerun.uuid());
  summary.set("reruns", std::move(reruns));
  store::RunChange change;
  change.row = row;
  change.row.version += 1;
  change.row.summary = json::write(summary);
  change.expected_version = row.version;
  return change;
}

RunLinks links_of(const store::RunRow& row, const std::vector<provenance::Event>& events) {
  RunLinks out;
  const auto add = [](const json::Value* id, std::vector<RunId>& to) {
    if (id == nullptr || !id->is_string()) return;
    if (const auto parsed = parse_id(id->as_string())) to.push_back(RunId{*parsed});
  };
  for (const provenance::Event& event : events) {
    if (event.type == "effect.started") add(event.data.find("child"), out.children);
  }
  std::vector<RunId> parents;
  if (!events.empty()) add(events.front().data.find("parent"), parents);
  if (!parents.empty()) out.parent = parents.front();
  for (const json::Value& id : reruns_in(parsed_summary(row))) add(&id, out.reruns);
  return out;
}

}  // namespace avow::api
