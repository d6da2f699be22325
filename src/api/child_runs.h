// SPDX-License-Identifier: Apache-2.0
// api/child_runs.h: the runs that steps of the type `orchestration` start: a published workflow is
// found and the run made as if the one who started the parent had asked for it. Any thread.
#pragma once
#include <atomic>

#include "api/services.h"
#include "engine/new_run.h"

namespace avow::api {

class ChildRuns : public engine::ChildSource {
 public:
  /// Before the engine starts; `services` names it, so it is made after this.
  void begin(Services& services) { services_ = &services; }

  Result<std::variant<engine::NewRun, engine::ChildRefused>> prepare_child(
      const engine::ChildRequest& request) override;

 private:
  std::atomic<Services*> services_ = nullptr;
};

}  // namespace avow::api
