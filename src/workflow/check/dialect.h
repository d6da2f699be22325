// SPDX-License-Identifier: Apache-2.0
// workflow/check/dialect.h: the OpenAPI dialect of Create Workflow turned into the narrative one
// (CONTRACT.md section 2), and pointers back into what was sent. Pure; safe from any thread.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "json/value.h"
#include "workflow/fault.h"

namespace avow::workflow {

/// Pointers below the first stand, in what was sent, below the second.
struct Moved {
  std::string narrative;
  std::string sent;
};

struct Adapted {
  json::Value body;  ///< In the narrative dialect; steps that are neither are left as they are.
  std::vector<Moved> moved;
};

/// `body` with its steps of {action, agent_id, parameters} as {name, type, config, ...}; where a
/// step's parameters may also be called `input`, `may_say_input`.
Adapted to_narrative(const json::Value& body, bool may_say_input, Faults& faults);

/// Points each fault into what was sent: the longest prefix that was moved counts.
void point_back(const std::vector<Moved>& moved, Faults& faults);

}  // namespace avow::workflow
