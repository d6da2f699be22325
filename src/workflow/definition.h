// SPDX-License-Identifier: Apache-2.0
// workflow/definition.h: what a team writes, in either dialect, checked and normalised
// (CONTRACT.md section 2, DESIGN.md section 3). Pure; safe from any thread.
#pragma once
#include <variant>

#include "base/id.h"
#include "json/value.h"
#include "workflow/fault.h"

namespace avow::workflow {

/// What a definition may refer to, as the tenant sees it now.
class Catalog {
 public:
  virtual ~Catalog() = default;
  [[nodiscard]] virtual bool has_agent(AgentId id) const = 0;
  /// Whether that agent has a model of its own (else it pulls tasks).
  [[nodiscard]] virtual bool agent_has_model(AgentId id) const = 0;
  /// The tool's definition as registered; null pointer if there is none of that name.
  [[nodiscard]] virtual const json::Value* find_tool(std::string_view name) const = 0;
  [[nodiscard]] virtual bool has_model(std::string_view name) const = 0;
  [[nodiscard]] virtual bool has_secret(std::string_view name) const = 0;
};

/// A checked definition with every default written out.
struct Definition {
  json::Value body;    ///< Normalised; what `digest` is over and plans are made from.
  std::string digest;  ///< Lower-case hex SHA-256 of the body's canonical JSON.
  std::string name;
  std::string version;  ///< semver
  bool uses_secrets = false;
  /// A wait is longer than 300 s and the definition sets no timeout_seconds. Only of inline steps,
  /// whose request must set it; elsewhere it is a fault.
  bool needs_timeout = false;
};

inline constexpr std::size_t kDefinitionBytesMax = std::size_t{256} << 10;
inline constexpr std::size_t kStepsMax = 100;
inline constexpr std::size_t kFaultsMax = 1000;  ///< Reported of one definition.
inline constexpr std::size_t kLabelsMax = 16;
inline constexpr std::int64_t kTimeoutSecondsMax = 2'592'000;
inline constexpr std::int64_t kMaxStepsMax = 1000;

/// Checks and normalises the body of Create Workflow. All faults at once, each with its pointer
/// into `body` (of a member that is missing: of the object that lacks it). A fault with code
/// "NOT_FOUND" names an agent that this tenant does not have. A normalised body normalises to
/// itself, and the same meaning in either dialect gives the same digest.
std::variant<Definition, Faults> normalise(const json::Value& body, const Catalog& catalog);

/// The same for the inline `steps` of Execute Orchestration (an array); the result has no name, and
/// pointers begin with "/steps".
std::variant<Definition, Faults> normalise_steps(const json::Value& steps, const Catalog& catalog);

/// What the `parameters` of an execute request come to.
struct Overrides {
  json::Value definition;  ///< The body with step overrides merged in, checked again.
  json::Value parameters;  ///< Run parameters: declared defaults, then the request's.
  bool changed_steps = false;
  bool needs_timeout = false;  ///< As in Definition, of the steps as merged.
};

/// Faults by code: "UNDECLARED_PARAMETER" and definition faults (422); "OVERRIDE_FORBIDDEN" (403);
/// "WRONG_TYPE" (400). Pointers begin with "/parameters".
std::variant<Overrides, Faults> apply_parameters(const Definition& definition,
                                                 const json::Value& parameters,
                                                 const Catalog& catalog);

/// What `input` lacks by the definition's input_schema: "SCHEMA_MISMATCH" faults with pointers that
/// begin with "/input", at most 20; "LIMIT_EXCEEDED" if checking took too much work.
Faults check_input(const json::Value& definition, const json::Value& input);

/// Semver 2.0.0 precedence: negative, zero or positive. Both must be valid.
int compare_versions(std::string_view a, std::string_view b);
bool is_version(std::string_view text);

/// The body of a stored workflow record: {"definition": normalised, "request": as sent (without
/// steps), ...}. Engine and api read definitions from the store through these two.
json::Value definition_of_record(const json::Value& record_body);

}  // namespace avow::workflow
