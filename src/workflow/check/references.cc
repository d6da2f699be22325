// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/references.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "workflow/check/members.h"
#include "workflow/check/names.h"

namespace avow::workflow {
namespace {

constexpr auto kRoots = std::to_array<std::string_view>({"input", "parameters", "steps", "run"});
constexpr auto kOfRun = std::to_array<std::string_view>({"id", "started_at"});
constexpr auto kOfStep = std::to_array<std::string_view>({"result", "error", "status"});

Fault fault_at(const TemplateReference& use, const char* code, std::string message) {
  return {use.pointer, code, std::move(message), use.reference.line, use.reference.column};
}

bool is_one_of(Names words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace

References::References(const std::vector<CheckedStep>& steps, const json::Value* parameters,
                       Faults& faults)
    : steps_(steps), parameters_(parameters), graph_(steps.size()) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const CheckedStep& step = steps_[i];
    if (step.name.empty()) continue;
    const auto [found, is_new] = index_.emplace(step.name, i);
    if (is_new) {
      names_.push_back(step.name);
    } else {
      faults.push_back(
          {step.pointer + "/name", "DUPLICATE_NAME",
           fmt::format("\"{}\" is the name of step {} too", step.name, found->second + 1)});
    }
  }
  check_compensation_names(faults);
  resolve(faults);
  ancestors_ = ancestors(graph_);
  find_cycles(faults);
}

void References::check_compensation_names(Faults& faults) const {
  std::set<std::string_view> seen;
  for (const CheckedStep& step : steps_) {
    for (const CheckedStep& undo : step.compensation) {
      if (undo.name.empty() || (!index_.contains(undo.name) && seen.insert(undo.name).second)) {
        continue;
      }
      faults.push_back({undo.pointer + "/name", "DUPLICATE_NAME",
                        fmt::format("\"{}\" is the name of another step too", undo.name)});
    }
  }
}

void References::resolve(Faults& faults) {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    for (const auto& [name, pointer] : steps_[i].depends_on) {
      const auto found = index_.find(name);
      if (found != index_.end()) {
        graph_[i].push_back(found->second);
      } else {
        faults.push_back({pointer, "UNKNOWN_STEP",
                          fmt::format("no step \"{}\"{}", shown(name), suggested(name))});
      }
    }
    std::sort(graph_[i].begin(), graph_[i].end());
  }
}

void References::find_cycles(Faults& faults) const {
  for (const auto& cycle : cycles(graph_)) {
    std::string path;
    for (const std::size_t i : cycle) path += steps_[i].name + " -> ";
    path += steps_[cycle.front()].name;
    faults.push_back({steps_[cycle.front()].pointer + "/depends_on", "CYCLE",
                      fmt::format("the steps depend on each other in a cycle: {}", path)});
  }
}

void References::check_step(std::size_t index, Faults& faults) const {
  const CheckedStep& step = steps_[index];
  for (const TemplateReference& use : step.references) check_reference(use, {&step}, faults);
  for (const TemplateReference& use : step.config_references)
    check_reference(use, {.step = &step, .has_item = step.has_items}, faults);
  for (const CheckedStep& undo : step.compensation) {
    for (const TemplateReference& use : undo.config_references)
      check_reference(use, {.step = &step, .is_compensation = true}, faults);
  }
  for (const BranchUse& use : step.branches) check_branch(use, index, faults);
}

void References::check_output(const std::vector<TemplateReference>& references,
                              Faults& faults) const {
  for (const TemplateReference& use : references) check_reference(use, {}, faults);
}

void References::check_reference(const TemplateReference& use, const Reader& from,
                                 Faults& faults) const {
  const auto& [root, path, dynamic, line, column] = use.reference;
  if (root == "steps") {
    check_step_reference(use, from, faults);
  } else if (root == "parameters") {
    if (parameters_ == nullptr || path.empty() || parameters_->find(path[0]) != nullptr) return;
    std::vector<std::string_view> declared;
    for (const auto& member : parameters_->as_object()) declared.push_back(member.key);
    faults.push_back(fault_at(use, "UNKNOWN_PARAMETER",
                              fmt::format("no parameter \"{}\" is declared{}", shown(path[0]),
                                          suggestion(path[0], declared))));
  } else if (root == "run") {
    if (!path.empty() && is_one_of(kOfRun, path[0])) return;
    faults.push_back(
        fault_at(use, "UNKNOWN_NAME", "of a run there are only run.id and run.started_at"));
  } else if (root == "item" || root == "index") {
    if (from.has_item) return;
    faults.push_back(fault_at(
        use, "UNKNOWN_NAME",
        fmt::format("\"{}\" exists only in the config of a step that has \"for_each\"", root)));
  } else if (root == "secrets") {
    faults.push_back(fault_at(use, "SECRET_NOT_ALLOWED", "an expression cannot read a secret"));
  } else if (root != "input") {
    faults.push_back(fault_at(
        use, "UNKNOWN_NAME",
        fmt::format("unknown name \"{}\"{}{} allowed: {}", shown(root), suggestion(root, kRoots),
                    nearest(root, kRoots) ? "" : ";", listed(kRoots, "and"))));
  }
}

void References::check_step_reference(const TemplateReference& use, const Reader& from,
                                      Faults& faults) const {
  const auto& path = use.reference.path;
  if (path.empty()) {
    faults.push_back(fault_at(use, "UNKNOWN_STEP",
                              use.reference.dynamic
                                  ? "the name of a step must be written out, as in steps[\"a-b\"]"
                                  : "say which step: steps.<name>.result, .error or .status"));
    return;
  }
  const std::string& name = path[0];
  const auto found = index_.find(name);
  if (found == index_.end()) {
    faults.push_back(fault_at(use, "UNKNOWN_STEP",
                              fmt::format("no step \"{}\"{}", shown(name), suggested(name))));
    return;
  }
  if (path.size() < 2 || !is_one_of(kOfStep, path[1])) {
    faults.push_back(fault_at(
        use, "UNKNOWN_NAME",
        fmt::format("of a step there are result, error and status: steps.{}.result", name)));
    return;
  }
  if (from.step != nullptr) {
    const auto reader = static_cast<std::size_t>(from.step - steps_.data());
    const bool is_undone = from.is_compensation && reader == found->second;
    if (!is_undone && !ancestors_[reader][found->second]) {
      faults.push_back(
          fault_at(use, "NOT_A_DEPENDENCY",
                   fmt::format("this step does not depend on \"{}\"; add it to depends_on", name)));
      return;
    }
  }
  if (path[1] == "error" && !steps_[found->second].continues) {
    faults.push_back(
        fault_at(use, "ERROR_NOT_READABLE",
                 fmt::format("the error of \"{}\" can be read only if its on_failure is "
                             "\"continue\"",
                             name)));
  }
}

void References::check_branch(const BranchUse& use, std::size_t decision, Faults& faults) const {
  const auto found = index_.find(use.step);
  if (found == index_.end()) {
    faults.push_back({use.pointer, "UNKNOWN_STEP",
                      fmt::format("no step \"{}\"{}", shown(use.step), suggested(use.step))});
  } else if (!ancestors_[found->second][decision]) {
    faults.push_back({use.pointer, "NOT_A_DEPENDENCY",
                      fmt::format("\"{}\" stands on a branch of \"{}\", so it must depend on it",
                                  use.step, steps_[decision].name)});
  }
}

std::string References::suggested(std::string_view name) const { return suggestion(name, names_); }

json::Value References::depends_on(std::size_t index) const {
  json::Array out;
  for (const std::size_t dependency : graph_[index]) out.emplace_back(steps_[dependency].name);
  return out;
}

}  // namespace avow::workflow
