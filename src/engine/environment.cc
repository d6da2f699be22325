// SPDX-License-Identifier: Apache-2.0
#include "engine/environment.h"

namespace avow::engine {
namespace {
const json::Value kNull;
}

const json::Value* RunEnvironment::keep(json::Value value) const {
  return &made_.emplace_back(std::move(value));
}

const json::Value* RunEnvironment::step_member(const StepState& step,
                                               std::string_view member) const {
  if (member == "status") return keep(step_status_name(step.status));
  if (member == "result") {
    const json::Value* value = contents_.find(step.output.ref);
    return value == nullptr ? &kNull : value;
  }
  if (member == "error") {
    if (step.status != StepStatus::kFailed) return &kNull;
    const json::Value* message = contents_.find(step.error_message.ref);
    return keep(json::Object{{"code", step.error_code},
                             {"message", message == nullptr ? kNull : *message}});
  }
  return nullptr;
}

const json::Value* RunEnvironment::find(std::string_view root, std::span<const std::string> path,
                                        std::size_t& used) const {
  used = 0;
  if (root == "input") return contents_.find(state_.input.ref);
  if (root == "parameters") return contents_.find(state_.parameters.ref);
  if (root == "item") return item_;
  if (root == "index") return item_ == nullptr ? nullptr : &index_;
  if (root == "run") {
    return keep(json::Object{{"id", "maip-orch:" + state_.id.ulid()},
                             {"started_at", format_time(state_.started_at)}});
  }
  if (root != "steps" || path.empty()) return nullptr;
  const StepState* step = state_.find_step(path[0]);
  if (step == nullptr) return nullptr;
  if (path.size() >= 2) {
    used = 2;
    return step_member(*step, path[1]);
  }
  used = 1;
  return keep(json::Object{{"result", *step_member(*step, "result")},
                           {"error", *step_member(*step, "error")},
                           {"status", step_status_name(step->status)}});
}

}  // namespace avow::engine
