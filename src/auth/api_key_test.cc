// SPDX-License-Identifier: Apache-2.0
#include "auth/api_key.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "crypto/sha256.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::auth {
namespace {

const Time kNow = *parse_time("2026-11-21T12:00:00Z");
const TenantId kTenant{{1, 2}};
const AgentId kAgentA{{10, 1}};
const AgentId kAgentB{{10, 2}};

ScopeSet scopes_of(const std::vector<std::string>& entries) {
  return *ScopeSet::parse(entries, "/scopes");
}

Caller maker_with(const std::vector<std::string>& entries) {
  return {.tenant = kTenant, .scopes = scopes_of(entries), .principal = "key:maker"};
}

Checked<IssuedKey> made(std::string_view request, const Caller& maker) {
  SeededRng rng(1);
  return make_api_key(*json::parse(request), maker, kNow, rng);
}

template <class T>
std::vector<std::string> faults_of(const Checked<T>& checked) {
  std::vector<std::string> out;
  for (const Fault& fault : checked.faults) out.push_back(fault.pointer + " " + fault.code);
  return out;
}

TEST(ApiKey, IsRandomTextOfWhichOnlyTheHashIsKept) {
  SeededRng rng(1);
  const IssuedKey one = issue_key({.tenant = kTenant, .name = "n"}, kNow, rng);
  const IssuedKey two = issue_key({.tenant = kTenant, .name = "n"}, kNow, rng);
  const std::string& text = one.text.reveal();
  EXPECT_TRUE(is_key_shaped(text));
  EXPECT_NE(text, two.text.reveal());
  EXPECT_EQ(one.key.hash, to_hex(view_of(crypto::sha256(text))));
  EXPECT_TRUE(text.starts_with(one.key.prefix));
  EXPECT_LE(one.key.prefix.size(), 11U);
  const store::RecordChange change = to_change(one.key);
  EXPECT_EQ(change.record.body.find(text), std::string::npos);
  EXPECT_EQ(change.record.unique_key, one.key.hash);
  EXPECT_EQ(json::write(render(one.key)).find(one.key.hash), std::string::npos);
}

TEST(ApiKey, ShapeIsTheMarkAnd43DigitsOfBase62) {
  const std::string digits(43, 'z');
  EXPECT_TRUE(is_key_shaped("avow_" + digits));
  EXPECT_FALSE(is_key_shaped("avow_" + digits + "z"));
  EXPECT_FALSE(is_key_shaped("avow_" + digits.substr(1)));
  EXPECT_FALSE(is_key_shaped("avow-" + digits));
  EXPECT_FALSE(is_key_shaped("avow_" + digits.substr(1) + "-"));
  EXPECT_FALSE(is_key_shaped(""));
}

TEST(ApiKey, ComesBackFromTheStoreAsItWent) {
  auto issued = made(R"({"name":"ci","scopes":["audit:read","!tools:*"],
                         "agent_ids":["00000000-0000-000a-0000-000000000001"],
                         "expires_at":"2027-01-01T00:00:00Z"})",
                     maker_with({"*:*"}));
  ASSERT_TRUE(issued);
  const ApiKey key = revoked(issued->key, kNow);
  const auto again = api_key_from(to_change(key).record);
  ASSERT_TRUE(again);
  EXPECT_EQ(render(*again), render(key));
  EXPECT_EQ(again->hash, key.hash);
  EXPECT_EQ(again->created_by, "key:maker");
  EXPECT_FALSE(again->is_platform);
  EXPECT_EQ(again->agent_ids, key.agent_ids);
  EXPECT_EQ(again->version, 1U);

  SeededRng rng(1);
  const IssuedKey platform = issue_key({.is_platform = true, .name = "platform"}, kNow, rng);
  EXPECT_TRUE(api_key_from(to_change(platform.key).record)->is_platform);
}

TEST(ApiKey, ARecordThatWeDidNotWriteIsCorruption) {
  SeededRng rng(1);
  store::Record record = to_change(issue_key({.tenant = kTenant}, kNow, rng).key).record;
  for (const std::string body : {"", "7", R"({"scopes":["no:such"]})", R"({"agent_ids":["x"]})",
                                 R"({"expires_at":"soon"})", R"({"scopes":"*:*"})"}) {
    record.body = body;
    EXPECT_EQ(api_key_from(record).error().code, Code::kCorruption) << body;
  }
}

TEST(ApiKey, IsValidUntilItsEndOrItsRevocation) {
  ApiKey key;
  EXPECT_TRUE(key.is_valid(kNow));
  key.expires_at = kNow;
  EXPECT_TRUE(key.is_valid(kNow - Duration(1)));
  EXPECT_FALSE(key.is_valid(kNow));
  key.expires_at.reset();
  EXPECT_FALSE(revoked(key, kNow).is_valid(kNow));
  EXPECT_EQ(revoked(revoked(key, kNow), kNow + Duration(9)).revoked_at, kNow);
}

TEST(MakeApiKey, GrantsWhatItsMakerHas) {
  auto issued = made(R"({"name":"ci","scopes":["workflows:*"]})", maker_with({"*:*"}));
  ASSERT_TRUE(issued);
  EXPECT_TRUE(issued->key.scopes.allows(Scope::kWorkflowsExecute));
  EXPECT_EQ(issued->key.tenant, kTenant);
}

TEST(MakeApiKey, RefusesAnyScopeThatItsMakerLacks) {
  for (const Scope scope : all_scopes()) {
    const std::string name(scope_name(scope));
    const std::string request = R"({"name":"x","scopes":[")" + name + R"("]})";
    EXPECT_TRUE(made(request, maker_with({name}))) << name;
    for (const Scope other : all_scopes()) {
      if (other == scope) continue;
      const auto refused = made(request, maker_with({std::string(scope_name(other))}));
      EXPECT_EQ(faults_of(refused), (std::vector<std::string>{"/scopes FORBIDDEN"}));
      EXPECT_EQ(refused.faults.front().kind, FaultKind::kForbidden);
    }
  }
}

TEST(MakeApiKey, InheritsDenialsAgentsAndExpiry) {
  Caller maker = maker_with({"*:*", "!receipts:erase"});
  maker.agent_ids = {kAgentA};
  maker.expires_at = kNow + Duration(1000);
  auto issued = made(R"({"name":"x","scopes":["*:*"]})", maker);
  ASSERT_TRUE(issued);
  EXPECT_FALSE(issued->key.scopes.allows(Scope::kReceiptsErase));
  EXPECT_TRUE(issued->key.scopes.allows(Scope::kReceiptsRead));
  EXPECT_EQ(issued->key.agent_ids, maker.agent_ids);
  EXPECT_EQ(issued->key.expires_at, maker.expires_at);
}

TEST(MakeApiKey, RefusesOtherAgentsAndALaterEndThanItsMakers) {
  Caller maker = maker_with({"*:*"});
  maker.agent_ids = {kAgentA};
  maker.expires_at = kNow + Duration(1000);
  EXPECT_EQ(faults_of(made(R"({"name":"x","scopes":["audit:read"],"agent_ids":[")" +
                               kAgentB.uuid() + R"("],"expires_at":"2030-01-01T00:00:00Z"})",
                           maker)),
            (std::vector<std::string>{"/agent_ids FORBIDDEN", "/expires_at FORBIDDEN"}));
  auto none = made(R"({"name":"x","scopes":["audit:read"],"agent_ids":[]})", maker);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->key.agent_ids, std::vector<AgentId>());
}

// The denials that it inherits count: the record of a key with more could not be read again.
TEST(MakeApiKey, HoldsNoMoreScopesThanCanBeReadBack) {
  std::vector<std::string> entries;
  for (const Scope scope : all_scopes()) {
    entries.emplace_back(scope_name(scope));
    if (scope != Scope::kAuditRead) entries.push_back("!" + std::string(scope_name(scope)));
  }
  for (std::string_view resource :
       {"workflows", "orchestrations", "contents", "agents", "tools", "tasks", "guardrails",
        "receipts", "approvals", "secrets", "webhooks", "metrics", "api-keys", "audit"}) {
    entries.push_back(std::string(resource) + ":*");
  }
  const auto with = [&](std::size_t count) {
    json::Array scopes(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(count));
    return json::write(json::Object{{"scopes", std::move(scopes)}});
  };
  ASSERT_GE(entries.size(), 58U);
  entries.insert(entries.end(), {"!workflows:*", "!agents:*", "!tools:*", "!tasks:*", "!secrets:*",
                                 "!metrics:*", "*:*"});
  ASSERT_GE(entries.size(), kScopesMax);
  const Caller maker = maker_with({"*:*", "!audit:*"});
  EXPECT_EQ(faults_of(made(with(kScopesMax), maker)),
            (std::vector<std::string>{"/scopes TOO_LONG"}));
  auto fits = made(with(kScopesMax - 1), maker);
  ASSERT_TRUE(fits);
  EXPECT_TRUE(api_key_from(to_change(fits->key).record));
}

TEST(MakeApiKey, APlatformKeyGrantsAnythingInTheTenantThatItNames) {
  Caller platform{.tenant = kTenant, .is_platform = true, .principal = "key:platform"};
  auto issued = made(R"({"name":"x","scopes":["*:*"]})", platform);
  ASSERT_TRUE(issued);
  EXPECT_FALSE(issued->key.is_platform);
  EXPECT_EQ(issued->key.tenant, kTenant);
  platform.tenant = {};
  EXPECT_EQ(faults_of(made(R"({"name":"x","scopes":["*:*"]})", platform)),
            (std::vector<std::string>{" MISSING"}));
}

TEST(MakeApiKey, FindsEveryFaultOfTheRequest) {
  EXPECT_EQ(faults_of(made(R"({"name":5,"scopes":["x:y","audit:read"],"agent_ids":["me"],
                               "expires_at":"yesterday","role":"admin"})",
                           maker_with({"*:*"}))),
            (std::vector<std::string>{"/name WRONG_TYPE", "/scopes/0 INVALID_VALUE",
                                      "/agent_ids/0 INVALID_VALUE", "/expires_at INVALID_VALUE",
                                      "/role UNKNOWN_FIELD"}));
  EXPECT_EQ(faults_of(made("{}", maker_with({"*:*"}))),
            (std::vector<std::string>{"/scopes MISSING"}));
}

}  // namespace
}  // namespace avow::auth
