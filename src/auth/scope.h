// SPDX-License-Identifier: Apache-2.0
// auth/scope.h: what a caller may do, as `resource:action` from a closed list (CONTRACT.md, section
// 1). Pure values; safe from any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "auth/fault.h"

namespace avow::auth {

/// Every scope there is. A route names exactly one, or is public, or for platform keys.
enum class Scope : std::uint8_t {
  kWorkflowsRead,
  kWorkflowsWrite,
  kWorkflowsExecute,
  kOrchestrationsRead,
  kOrchestrationsWrite,
  kContentsRead,
  kAgentsRead,
  kAgentsWrite,
  kAgentsKill,
  kToolsRead,
  kToolsWrite,
  kToolsInvoke,
  kTasksWork,
  kGuardrailsCheck,
  kReceiptsRead,
  kReceiptsErase,
  kApprovalsWrite,
  kSecretsUse,
  kSecretsWrite,
  kWebhooksWrite,
  kMetricsRead,
  kApiKeysWrite,
  kAuditRead,
};

/// All of them, in the order of the enumeration.
std::span<const Scope> all_scopes();
/// "workflows:read" and so on.
std::string_view scope_name(Scope scope);

inline constexpr std::size_t kScopesMax = 64;  ///< Entries of one set.

/// Grants and denials over the closed list.
/// An entry is `resource:action`, `resource:*` or `*:*`, with `!` before it a denial; a denial wins
/// over every grant. `orchestrations:execute` is another name of `orchestrations:write`. The
/// entries are kept as they were written, so a wildcard covers what a later version adds.
class ScopeSet {
 public:
  /// Grants nothing.
  ScopeSet() = default;

  /// Reads entries; `pointer` is where their array stands in the request. Untrusted. Every entry
  /// that is not known is a fault of its own, with the entries that are allowed.
  static Checked<ScopeSet> parse(const std::vector<std::string>& entries, std::string_view pointer);

  /// Reads the scopes of a token that was made for several services: grants that are not of this
  /// list
  /// ("openid") are left out, since they grant nothing here. Nothing if a denial is not understood,
  /// since it could not be honoured, or if there are more than kScopesMax of ours.
  static std::optional<ScopeSet> parse_token(const std::vector<std::string>& entries);

  [[nodiscard]] bool allows(Scope scope) const { return (effective() & bit(scope)) != 0; }
  /// Whether `maker` allows every scope that this allows.
  [[nodiscard]] bool is_within(const ScopeSet& maker) const {
    return (effective() & ~maker.effective()) == 0;
  }
  /// This with the denials of `other` added.
  [[nodiscard]] ScopeSet with_denials_of(const ScopeSet& other) const;
  /// As written, without repetitions.
  [[nodiscard]] const std::vector<std::string>& entries() const { return entries_; }

  bool operator==(const ScopeSet& other) const { return entries_ == other.entries_; }

 private:
  using Bits = std::uint32_t;
  static constexpr Bits bit(Scope scope) { return Bits{1} << static_cast<unsigned>(scope); }
  [[nodiscard]] Bits effective() const { return granted_ & ~denied_; }
  bool add(const std::string& entry);

  std::vector<std::string> entries_;
  Bits granted_ = 0;
  Bits denied_ = 0;
};

}  // namespace avow::auth
