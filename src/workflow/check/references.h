// SPDX-License-Identifier: Apache-2.0
// workflow/check/references.h: what steps say about each other: dependencies, branches, and the
// names in their expressions. Pure; safe from any thread.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "workflow/check/graph.h"
#include "workflow/check/step.h"

namespace avow::workflow {

class References {
 public:
  /// Resolves the names in `steps`, which outlive this. `parameters` are the declared ones; null if
  /// none are, and then every name is allowed. Faults: DUPLICATE_NAME, UNKNOWN_STEP, CYCLE.
  References(const std::vector<CheckedStep>& steps, const json::Value* parameters, Faults& faults);

  /// The names in the step's expressions, and its branches.
  void check_step(std::size_t index, Faults& faults) const;
  /// The names in the definition's output, which may speak of every step.
  void check_output(const std::vector<TemplateReference>& references, Faults& faults) const;

  /// The step's dependencies in the order of the definition.
  [[nodiscard]] json::Value depends_on(std::size_t index) const;

 private:
  void check_compensation_names(Faults& faults) const;
  void resolve(Faults& faults);
  void find_cycles(Faults& faults) const;
  /// Who reads: a step, what compensates it, or (null) the definition's output.
  struct Reader {
    const CheckedStep* step = nullptr;
    bool is_compensation = false;  ///< It may read the result of `step` itself too.
    bool has_item = false;
  };
  void check_reference(const TemplateReference& use, const Reader& from, Faults& faults) const;
  void check_step_reference(const TemplateReference& use, const Reader& from, Faults& faults) const;
  void check_branch(const BranchUse& use, std::size_t decision, Faults& faults) const;
  [[nodiscard]] std::string suggested(std::string_view name) const;

  const std::vector<CheckedStep>& steps_;
  const json::Value* parameters_;
  std::map<std::string, std::size_t, std::less<>> index_;
  std::vector<std::string_view> names_;
  Graph graph_;
  std::vector<std::vector<bool>> ancestors_;
};

}  // namespace avow::workflow
