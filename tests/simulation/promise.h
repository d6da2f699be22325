// SPDX-License-Identifier: Apache-2.0
// A promise of the engine's: a sentence, and how one sees from a story that it was broken. The
// rules are written apart from the engine's own. All of them: specification.h.
#pragma once
#include <fmt/format.h>

#include <optional>
#include <string>

#include "story.h"

namespace avow::engine {

/// What is wrong; nothing if all is well.
using Fault = std::optional<std::string>;

class Promise {
 public:
  explicit Promise(std::string_view sentence) : sentence_(sentence) {}
  virtual ~Promise() = default;
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  [[nodiscard]] std::string_view sentence() const { return sentence_; }
  [[nodiscard]] virtual Fault judge(const Story& story) const = 0;

 private:
  const std::string_view sentence_;
};

/// One that holds for each run by itself.
class RunPromise : public Promise {
 public:
  using Promise::Promise;
  [[nodiscard]] Fault judge(const Story& story) const final {
    for (const RunStory& run : story.runs) {
      if (const Fault fault = judge_run(run))
        return fmt::format("run {}: {}", run.row.id.ulid(), *fault);
    }
    return std::nullopt;
  }
  [[nodiscard]] virtual Fault judge_run(const RunStory& run) const = 0;
};

}  // namespace avow::engine
