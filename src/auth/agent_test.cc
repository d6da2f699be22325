// SPDX-License-Identifier: Apache-2.0
#include "auth/agent.h"

#include <gtest/gtest.h>

#include "auth/tenant.h"
#include "base/bytes.h"
#include "json/parse.h"

namespace avow::auth {
namespace {

const Time kNow = *parse_time("2026-11-21T12:00:00Z");
const TenantId kTenant{{7, 8}};

json::Value json_of(std::string_view text) { return *json::parse(text); }

Checked<RegisteredAgent> registered(std::string_view request) {
  SeededRng rng(1);
  return register_agent(json_of(request), kTenant, kNow, rng);
}

/// "pointer code" of every fault.
template <class T>
std::vector<std::string> faults_of(const Checked<T>& checked) {
  std::vector<std::string> out;
  for (const Fault& fault : checked.faults) out.push_back(fault.pointer + " " + fault.code);
  return out;
}

constexpr std::string_view kFull =
    R"({"agent_type":"llm","display_name":"Reader","description":"reads\nthings",
        "scopes":["crm:read","crm:*","!crm:erase"],"metadata":{"team":{"a":1}},
        "expires_at":"2027-01-01T00:00:00Z","model":"avow/echo","instructions":"be brief",
        "tools":["search"]})";

TEST(Agent, AnEmptyRequestMakesAWorkerWithAKeyOfItsOwn) {
  auto made = registered("{}");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->agent.agent_type, "worker");
  EXPECT_TRUE(made->agent.is_active(kNow));
  EXPECT_EQ(made->agent.tenant, kTenant);
  // The private key that is answered belongs to the public one that is kept.
  Bytes32 seed{};
  const std::string bytes = *from_base64(made->private_key.reveal());
  ASSERT_EQ(bytes.size(), seed.size());
  std::copy(bytes.begin(), bytes.end(), seed.begin());
  EXPECT_EQ(crypto::Ed25519PrivateKey::from_seed(seed).public_key(), made->agent.public_key);
}

TEST(Agent, TheAnswerShowsWhatWasSentAndNeverThePrivateKey) {
  auto made = registered(kFull);
  ASSERT_TRUE(made);
  const json::Value answer = render(made->agent);
  EXPECT_EQ(answer.string_or("id"), made->agent.id.uuid());
  EXPECT_EQ(answer.string_or("agent_id"), "maip-agent:" + made->agent.id.ulid());
  EXPECT_EQ(answer.string_or("tenant_id"), kTenant.uuid());
  EXPECT_EQ(answer.string_or("status"), "active");
  EXPECT_EQ(answer.string_or("key_id").size(), 16U);
  EXPECT_EQ(answer.string_or("expires_at"), "2027-01-01T00:00:00.000Z");
  EXPECT_EQ(answer.string_or("created_at"), "2026-11-21T12:00:00.000Z");
  const json::Value sent = json_of(kFull);
  for (const char* name : {"agent_type", "display_name", "description", "scopes", "metadata",
                           "model", "instructions", "tools"}) {
    ASSERT_NE(answer.find(name), nullptr) << name;
    EXPECT_EQ(*answer.find(name), *sent.find(name)) << name;
  }
  EXPECT_EQ(answer.find("private_key"), nullptr);
}

TEST(Agent, TakesAPublicKeyInEitherForm) {
  SeededRng rng(2);
  const auto key = crypto::Ed25519PrivateKey::from_seed(rng.bytes32()).public_key();
  for (const std::string& text : {to_base64(view_of(key.bytes)), key.spki_pem()}) {
    auto made = register_agent(json::Object{{"public_key", text}}, kTenant, kNow, rng);
    ASSERT_TRUE(made) << text;
    EXPECT_EQ(made->agent.public_key, key);
    EXPECT_TRUE(made->private_key.empty());
  }
}

TEST(Agent, EveryFaultOfARequestIsFoundAtOnce) {
  const auto made = registered(
      R"({"agent_type":"robot","display_name":7,"scopes":["ok:x","Bad"],"metadata":[],
          "expires_at":"2020-01-01T00:00:00Z","public_key":"AAAA","instructions":"x","colour":"red"})");
  EXPECT_EQ(faults_of(made),
            (std::vector<std::string>{"/agent_type INVALID_VALUE", "/display_name WRONG_TYPE",
                                      "/scopes/1 INVALID_VALUE", "/metadata WRONG_TYPE",
                                      "/expires_at INVALID_VALUE", "/instructions INVALID_VALUE",
                                      "/public_key INVALID_VALUE", "/colour UNKNOWN_FIELD"}));
  EXPECT_EQ(faults_of(registered("[]")), (std::vector<std::string>{" WRONG_TYPE"}));
}

TEST(Agent, BoundsCountCharactersAndHoldExactly) {
  const auto with_name = [](std::size_t n) {
    std::string name;
    for (std::size_t i = 0; i < n; ++i) name += "\xc3\xa9";
    SeededRng rng(1);
    return register_agent(json::Object{{"display_name", name}}, kTenant, kNow, rng);
  };
  EXPECT_TRUE(with_name(256));
  EXPECT_EQ(faults_of(with_name(257)), (std::vector<std::string>{"/display_name TOO_LONG"}));
  const auto with_metadata = [](std::size_t bytes) {
    // {"m":"..."} has 8 bytes around the text.
    SeededRng rng(1);
    return register_agent(
        json::Object{{"metadata", json::Object{{"m", std::string(bytes - 8, 'x')}}}}, kTenant, kNow,
        rng);
  };
  EXPECT_TRUE(with_metadata(kAgentMetadataBytesMax));
  EXPECT_EQ(faults_of(with_metadata(kAgentMetadataBytesMax + 1)),
            (std::vector<std::string>{"/metadata TOO_LONG"}));
}

TEST(Agent, ComesBackFromTheStoreAsItWent) {
  auto made = registered(kFull);
  ASSERT_TRUE(made);
  const Agent suspended = *suspend_agent(made->agent, "too slow", kNow + Duration(5));
  const store::RecordChange change = to_change(suspended);
  EXPECT_EQ(change.expected_version, 0U);
  EXPECT_EQ(change.record.version, 1U);
  const auto again = agent_from(change.record);
  ASSERT_TRUE(again);
  EXPECT_EQ(render(*again), render(suspended));
  EXPECT_EQ(again->version, 1U);
  EXPECT_EQ(again->status, AgentStatus::kSuspended);
}

TEST(Agent, ARecordThatWeDidNotWriteIsCorruption) {
  auto made = registered(kFull);
  store::Record record = to_change(made->agent).record;
  for (const std::string body : {"", "[]", R"({"public_key":"x"})", R"({"agent_type":5})"}) {
    record.body = body;
    EXPECT_EQ(agent_from(record).error().code, Code::kCorruption) << body;
  }
}

TEST(Agent, APatchChangesWhatItNamesAndNullRemoves) {
  auto made = registered(kFull);
  auto patched = patch_agent(
      made->agent,
      json_of(
          R"({"display_name":"Writer","description":null,"metadata":{"team":{"b":2}},"scopes":[]})"),
      kNow + Duration(5));
  ASSERT_TRUE(patched);
  EXPECT_EQ(patched->display_name, "Writer");
  EXPECT_EQ(patched->description, "");
  EXPECT_EQ(patched->metadata, json_of(R"({"team":{"a":1,"b":2}})"));
  EXPECT_TRUE(patched->scopes.empty());
  EXPECT_EQ(patched->model, "avow/echo");
  EXPECT_EQ(patched->public_key, made->agent.public_key);
  EXPECT_EQ(patched->id, made->agent.id);
  EXPECT_EQ(patched->updated_at, kNow + Duration(5));
}

TEST(Agent, APatchIsHeldToTheSameRules) {
  auto made = registered(kFull);
  EXPECT_EQ(faults_of(patch_agent(made->agent, json_of(R"({"model":null})"), kNow)),
            (std::vector<std::string>{"/instructions INVALID_VALUE", "/tools INVALID_VALUE"}));
  EXPECT_EQ(faults_of(patch_agent(made->agent, json_of(R"({"public_key":"x"})"), kNow)),
            (std::vector<std::string>{"/public_key UNKNOWN_FIELD"}));
  EXPECT_EQ(faults_of(patch_agent(made->agent, json_of(R"({"status":"revoked"})"), kNow)),
            (std::vector<std::string>{"/status UNKNOWN_FIELD"}));
  EXPECT_EQ(faults_of(patch_agent(made->agent, json_of("7"), kNow)),
            (std::vector<std::string>{" WRONG_TYPE"}));
}

TEST(Agent, OneWhoseTimeIsOverCanStillBePatched) {
  auto made = registered(kFull);
  const Time later = *parse_time("2028-01-01T00:00:00Z");
  EXPECT_FALSE(made->agent.is_active(later));
  EXPECT_TRUE(patch_agent(made->agent, json_of(R"({"display_name":"x"})"), later));
}

TEST(Agent, IsSuspendedResumedAndRevokedForGood) {
  const Agent active = registered("{}")->agent;
  const auto suspended = suspend_agent(active, "why", kNow);
  ASSERT_TRUE(suspended);
  EXPECT_FALSE(suspended->is_active(kNow));
  EXPECT_EQ(suspend_agent(*suspended, "again", kNow)->status_reason, "why");
  const auto resumed = resume_agent(*suspended, kNow);
  ASSERT_TRUE(resumed);
  EXPECT_TRUE(resumed->is_active(kNow));
  EXPECT_EQ(resumed->status_reason, "");
  const Agent revoked = revoke_agent(*resumed, "gone", kNow);
  EXPECT_EQ(revoked.status, AgentStatus::kRevoked);
  EXPECT_EQ(revoke_agent(revoked, "again", kNow).status_reason, "gone");
  EXPECT_EQ(suspend_agent(revoked, "", kNow).error().code, Code::kConflict);
  EXPECT_EQ(resume_agent(revoked, kNow).error().code, Code::kConflict);
  EXPECT_EQ(can_change(revoked).error().code, Code::kConflict);
}

TEST(Agent, HasAScopeThatIsGrantedAndNotDenied) {
  Agent agent;
  agent.scopes = {"crm:*", "!crm:erase", "mail:send"};
  EXPECT_TRUE(agent.has_scope("crm:read"));
  EXPECT_FALSE(agent.has_scope("crm:erase"));
  EXPECT_TRUE(agent.has_scope("mail:send"));
  EXPECT_FALSE(agent.has_scope("mail:read"));
  EXPECT_FALSE(agent.has_scope("crmx:read"));
  agent.scopes = {"*:*"};
  EXPECT_TRUE(agent.has_scope("any:thing"));
  agent.scopes = {};
  EXPECT_FALSE(agent.has_scope("crm:read"));
}

TEST(Agent, ReadsTheReasonOfAKill) {
  bool cascade = false;
  auto reason = read_reason(json_of(R"({"reason":"bad","cascade":true})"), &cascade);
  ASSERT_TRUE(reason);
  EXPECT_EQ(*reason, "bad");
  EXPECT_TRUE(cascade);
  EXPECT_TRUE(read_reason(json_of("{}")));
  EXPECT_EQ(faults_of(read_reason(json_of(R"({"cascade":true})"))),
            (std::vector<std::string>{"/cascade UNKNOWN_FIELD"}));
}

TEST(Tenant, IsMadeKeptAndReadAgain) {
  SeededRng rng(3);
  auto tenant = make_tenant(json_of(R"({"name":"Acme"})"), kNow, rng);
  ASSERT_TRUE(tenant);
  EXPECT_EQ(render(*tenant).string_or("tenant_id"), tenant->id.uuid());
  EXPECT_EQ(render(*tenant_from(to_change(*tenant).record)), render(*tenant));
  EXPECT_EQ(faults_of(make_tenant(json_of("{}"), kNow, rng)),
            (std::vector<std::string>{"/name MISSING"}));
  EXPECT_EQ(faults_of(make_tenant(json_of(R"({"name":""})"), kNow, rng)),
            (std::vector<std::string>{"/name TOO_SHORT"}));
  EXPECT_EQ(faults_of(make_tenant(json_of(R"({"name":"a\u0000b"})"), kNow, rng)),
            (std::vector<std::string>{"/name INVALID_VALUE"}));
}

}  // namespace
}  // namespace avow::auth
