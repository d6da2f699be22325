// SPDX-License-Identifier: Apache-2.0
#include "auth/scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "json/pointer.h"

namespace avow::auth {
namespace {

/// In the order of Scope.
constexpr std::array<std::string_view, 23> kNames = {
    "workflows:read",       "workflows:write",  "workflows:execute", "orchestrations:read",
    "orchestrations:write", "contents:read",    "agents:read",       "agents:write",
    "agents:kill",          "tools:read",       "tools:write",       "tools:invoke",
    "tasks:work",           "guardrails:check", "receipts:read",     "receipts:erase",
    "approvals:write",      "secrets:use",      "secrets:write",     "webhooks:write",
    "metrics:read",         "api-keys:write",   "audit:read"};
static_assert(kNames.size() == static_cast<std::size_t>(Scope::kAuditRead) + 1);

constexpr std::array<Scope, kNames.size()> kScopes = [] {
  std::array<Scope, kNames.size()> scopes{};
  for (std::size_t i = 0; i < scopes.size(); ++i) scopes[i] = static_cast<Scope>(i);
  return scopes;
}();

/// Whether `pattern` (no "!") covers the scope `name`.
bool covers(std::string_view pattern, std::string_view name) {
  if (pattern == "*:*" || pattern == name) return true;
  if (pattern == "orchestrations:execute") return name == "orchestrations:write";
  return pattern.ends_with(":*") && name.starts_with(pattern.substr(0, pattern.size() - 1));
}

std::string allowed_entries() {
  return fmt::format("{}, orchestrations:execute, resource:* or *:*, each also with ! before it",
                     fmt::join(kNames, ", "));
}

}  // namespace

std::span<const Scope> all_scopes() { return kScopes; }

std::string_view scope_name(Scope scope) { return kNames[static_cast<std::size_t>(scope)]; }

bool ScopeSet::add(const std::string& entry) {
  const bool is_denial = entry.starts_with('!');
  const std::string_view pattern = std::string_view(entry).substr(is_denial ? 1 : 0);
  Bits covered = 0;
  for (const Scope scope : kScopes) {
    if (covers(pattern, scope_name(scope))) covered |= bit(scope);
  }
  if (covered == 0) return false;
  (is_denial ? denied_ : granted_) |= covered;
  if (std::find(entries_.begin(), entries_.end(), entry) == entries_.end())
    entries_.push_back(entry);
  return true;
}

Checked<ScopeSet> ScopeSet::parse(const std::vector<std::string>& entries,
                                  std::string_view pointer) {
  if (entries.size() > kScopesMax) {
    return std::vector<Fault>{
        {FaultKind::kInvalid, std::string(pointer), "TOO_LONG",
         fmt::format("has {} scopes, at most {} are allowed", entries.size(), kScopesMax)}};
  }
  ScopeSet set;
  std::vector<Fault> faults;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (set.add(entries[i])) continue;
    faults.push_back(
        {FaultKind::kInvalid, json::join(pointer, i), "INVALID_VALUE",
         fmt::format("\"{}\" is no scope; allowed are {}", shown(entries[i]), allowed_entries())});
  }
  if (!faults.empty()) return faults;
  return set;
}

std::optional<ScopeSet> ScopeSet::parse_token(const std::vector<std::string>& entries) {
  ScopeSet set;
  for (const std::string& entry : entries) {
    const bool is_known = set.add(entry);
    if (!is_known && entry.starts_with('!')) return std::nullopt;
    if (set.entries_.size() > kScopesMax) return std::nullopt;
  }
  return set;
}

ScopeSet ScopeSet::with_denials_of(const ScopeSet& other) const {
  ScopeSet out = *this;
  for (const std::string& entry : other.entries_) {
    if (entry.starts_with('!')) out.add(entry);
  }
  return out;
}

}  // namespace avow::auth
