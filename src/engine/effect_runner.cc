// SPDX-License-Identifier: Apache-2.0
#include "engine/effect_runner.h"

namespace avow::engine {

std::string_view call_kind_name(CallKind kind) {
  switch (kind) {
    case CallKind::kModel:
      return "model";
    case CallKind::kTool:
      return "tool";
    case CallKind::kWebhook:
      return "webhook";
    case CallKind::kRun:
      return "run";
  }
  return "webhook";
}

std::string CallId::key() const {
  return number == 1 ? fmt::format("{}/{}", run.ulid(), step)
                     : fmt::format("{}/{}/c{}", run.ulid(), step, number);
}

}  // namespace avow::engine
