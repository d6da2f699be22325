// SPDX-License-Identifier: Apache-2.0
// engine/environment.h: the names that a run's expressions see: input, parameters, steps and run.
// One thread; values hold until the next event of the run.
#pragma once
#include <deque>

#include "cel/expression.h"
#include "engine/contents.h"
#include "engine/state.h"

namespace avow::engine {

class RunEnvironment : public cel::Environment {
 public:
  RunEnvironment(const RunState& state, const Contents& contents)
      : state_(state), contents_(contents) {}

  const json::Value* find(std::string_view root, std::span<const std::string> path,
                          std::size_t& used) const override;

  /// What `item` and `index` are until the next call; null pointer: there is none.
  void set_item(const json::Value* item, std::uint32_t index) {
    item_ = item;
    index_ = static_cast<std::int64_t>(index);
  }

 private:
  const json::Value* step_member(const StepState& step, std::string_view member) const;
  const json::Value* keep(json::Value value) const;

  const RunState& state_;
  const Contents& contents_;
  const json::Value* item_ = nullptr;
  json::Value index_;
  mutable std::deque<json::Value> made_;  ///< Values that stand in no content.
};

}  // namespace avow::engine
