// SPDX-License-Identifier: Apache-2.0
#include "auth/scope.h"

#include <gtest/gtest.h>

#include <set>

namespace avow::auth {
namespace {

// The closed list, copied by hand from CONTRACT.md section 1: the oracle for everything below.
const std::vector<std::string> kClosedList = {
    "workflows:read",       "workflows:write",  "workflows:execute", "orchestrations:read",
    "orchestrations:write", "contents:read",    "agents:read",       "agents:write",
    "agents:kill",          "tools:read",       "tools:write",       "tools:invoke",
    "tasks:work",           "guardrails:check", "receipts:read",     "receipts:erase",
    "approvals:write",      "secrets:use",      "secrets:write",     "webhooks:write",
    "metrics:read",         "api-keys:write",   "audit:read"};

std::string resource_of(const std::string& scope) { return scope.substr(0, scope.find(':')); }

ScopeSet set_of(const std::vector<std::string>& entries) {
  auto parsed = ScopeSet::parse(entries, "/scopes");
  EXPECT_TRUE(parsed) << (parsed.faults.empty() ? "" : parsed.faults[0].message);
  return parsed ? *parsed : ScopeSet();
}

/// What `set` allows, by name.
std::set<std::string> allowed(const ScopeSet& set) {
  std::set<std::string> out;
  for (const Scope scope : all_scopes()) {
    if (set.allows(scope)) out.emplace(scope_name(scope));
  }
  return out;
}

/// The rule read literally: some grant matches and no denial does.
std::set<std::string> expected(const std::vector<std::string>& entries) {
  std::set<std::string> out;
  for (const std::string& scope : kClosedList) {
    bool is_granted = false;
    bool is_denied = false;
    for (std::string entry : entries) {
      const bool is_denial = entry[0] == '!';
      if (is_denial) entry.erase(0, 1);
      if (entry == "orchestrations:execute") entry = "orchestrations:write";
      const bool matches = entry == "*:*" || entry == scope || entry == resource_of(scope) + ":*";
      if (matches) (is_denial ? is_denied : is_granted) = true;
    }
    if (is_granted && !is_denied) out.insert(scope);
  }
  return out;
}

/// Every entry there is.
std::vector<std::string> every_entry() {
  std::set<std::string> grants = {"*:*", "orchestrations:execute"};
  for (const std::string& scope : kClosedList) {
    grants.insert(scope);
    grants.insert(resource_of(scope) + ":*");
  }
  std::vector<std::string> out;
  for (const std::string& grant : grants) {
    out.push_back(grant);
    out.push_back("!" + grant);
  }
  return out;
}

TEST(Scope, TheListIsTheContracts) {
  std::vector<std::string> names;
  for (const Scope scope : all_scopes()) names.emplace_back(scope_name(scope));
  EXPECT_EQ(names, kClosedList);
}

TEST(ScopeSet, GrantsNothingByItself) { EXPECT_TRUE(allowed(ScopeSet()).empty()); }

TEST(ScopeSet, EveryPairOfEntriesAllowsWhatTheRuleSays) {
  const auto entries = every_entry();
  for (const std::string& a : entries) {
    EXPECT_EQ(allowed(set_of({a})), expected({a})) << a;
    for (const std::string& b : entries) {
      EXPECT_EQ(allowed(set_of({a, b})), expected({a, b})) << a << " " << b;
    }
  }
}

TEST(ScopeSet, IsWithinAnotherExactlyWhenItAllowsNothingMore) {
  const auto entries = every_entry();
  std::vector<std::vector<std::string>> sets = {
      {}, {"*:*", "!receipts:erase"}, {"tools:*", "!tools:write", "audit:read"}};
  for (const std::string& entry : entries) sets.push_back({entry});
  for (const auto& inner : sets) {
    for (const auto& outer : sets) {
      const auto more = expected(inner);
      const auto has = expected(outer);
      const bool is_within = std::includes(has.begin(), has.end(), more.begin(), more.end());
      EXPECT_EQ(set_of(inner).is_within(set_of(outer)), is_within);
    }
  }
}

TEST(ScopeSet, InheritedDenialsTakeRightsAway) {
  const ScopeSet maker = set_of({"*:*", "!receipts:*"});
  const ScopeSet key = set_of({"receipts:read", "audit:read"}).with_denials_of(maker);
  EXPECT_EQ(allowed(key), (std::set<std::string>{"audit:read"}));
  EXPECT_EQ(key.entries(),
            (std::vector<std::string>{"receipts:read", "audit:read", "!receipts:*"}));
}

TEST(ScopeSet, RefusesWhatIsNotInTheListAndNamesThePlace) {
  for (const std::string bad : {"", "!", "*", ":", "*:read", "workflows", "workflows:", ":read",
                                "workflows:reed", "files:*", "Workflows:read", "workflows:read ",
                                "!!workflows:read", "workflows:read:x", "workflows:**"}) {
    auto parsed = ScopeSet::parse({"audit:read", bad}, "/scopes");
    ASSERT_FALSE(parsed) << bad;
    ASSERT_EQ(parsed.faults.size(), 1U);
    EXPECT_EQ(parsed.faults[0].pointer, "/scopes/1");
    EXPECT_NE(parsed.faults[0].message.find("orchestrations:write"), std::string::npos);
  }
  EXPECT_FALSE(ScopeSet::parse(std::vector<std::string>(kScopesMax + 1, "audit:read"), "/scopes"));
}

TEST(ScopeSet, ATokensForeignGrantsGrantNothingAndForeignDenialsRefuseIt) {
  const auto scopes = ScopeSet::parse_token({"openid", "files:read", "audit:read"});
  ASSERT_TRUE(scopes);
  EXPECT_EQ(allowed(*scopes), (std::set<std::string>{"audit:read"}));
  EXPECT_FALSE(ScopeSet::parse_token({"*:*", "!files:read"}));
}

}  // namespace
}  // namespace avow::auth
