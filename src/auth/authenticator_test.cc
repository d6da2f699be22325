// SPDX-License-Identifier: Apache-2.0
#include "auth/authenticator.h"

#include <gtest/gtest.h>

#include <deque>

#include "store/memory/memory_store.h"

namespace avow::auth {
namespace {

const Time kNow = *parse_time("2026-11-21T12:00:00Z");
const TenantId kTenant{{1, 2}};
const TenantId kOther{{3, 4}};
constexpr std::string_view kSource = "192.0.2.1";

class Queue : public Executor {
 public:
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  void post_at(Time, Task task) override { tasks_.push_back(std::move(task)); }
  void run() {
    for (; !tasks_.empty(); tasks_.pop_front()) tasks_.front()();
  }

 private:
  std::deque<Task> tasks_;
};

class AuthenticatorTest : public testing::Test {
 protected:
  ~AuthenticatorTest() override { store_.stop(); }

  IssuedKey add(KeyGrant grant) {
    IssuedKey issued = issue_key(std::move(grant), kNow, rng_);
    write(to_change(issued.key));
    return issued;
  }
  void write(store::RecordChange change) {
    store::Commit commit;
    commit.records.push_back(std::move(change));
    bool is_written = false;
    store_.commit(std::move(commit), [&](Result<void> done) { is_written = done.has_value(); });
    queue_.run();
    ASSERT_TRUE(is_written);
  }
  void revoke(const IssuedKey& issued) {
    const auto record = store_.get_record(store::RecordKind::kApiKey, issued.key.id.value);
    ASSERT_TRUE(record);
    write(to_change(revoked(*api_key_from(*record), kNow)));
  }

  Result<Caller> with_key(std::string_view key, std::vector<std::string_view> tenants = {},
                          Time now = kNow) {
    return authenticator_.authenticate(
        {.api_keys = {key}, .tenant_ids = std::move(tenants), .source_address = kSource}, now);
  }
  void fail(int times, Time now = kNow) {
    for (int i = 0; i < times; ++i) EXPECT_FALSE(with_key(kUnknown, {}, now));
  }

  const std::string kUnknown = "avow_" + std::string(43, 'x');
  SeededRng rng_{1};
  Queue queue_;
  store::MemoryStore store_{queue_};
  Authenticator authenticator_{store_, nullptr};
  ScopeSet all_ = *ScopeSet::parse({"*:*"}, "");
};

TEST_F(AuthenticatorTest, AKnownKeyIsItsCaller) {
  const IssuedKey issued =
      add({.tenant = kTenant, .scopes = all_, .agent_ids = {{AgentId{{5, 6}}}}});
  for (int i = 0; i < 2; ++i) {  // from the store, then from memory
    const auto caller = with_key(issued.text.reveal());
    ASSERT_TRUE(caller);
    EXPECT_EQ(caller->tenant, kTenant);
    EXPECT_TRUE(caller->allows(Scope::kAuditRead));
    EXPECT_FALSE(caller->is_platform);
    EXPECT_EQ(caller->key, issued.key.id);
    EXPECT_EQ(caller->principal, "key:" + issued.key.id.uuid());
    EXPECT_TRUE(caller->may_act_as(AgentId{{5, 6}}));
    EXPECT_FALSE(caller->may_act_as(AgentId{{5, 7}}));
  }
}

TEST_F(AuthenticatorTest, RefusesWhatIsNoCredential) {
  const auto code_of = [&](const Credentials& credentials) {
    return authenticator_.authenticate(credentials, kNow).error().code;
  };
  EXPECT_EQ(code_of({}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.api_keys = {""}}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.api_keys = {"hello"}}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.api_keys = {kUnknown}}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.authorizations = {"Basic YTpi"}}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.authorizations = {"Bearer"}}), Code::kUnauthenticated);
  EXPECT_EQ(code_of({.authorizations = {"Bearer a.b.c"}}), Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, RefusesBothAndRepeatedCredentials) {
  const IssuedKey issued = add({.tenant = kTenant, .scopes = all_});
  const std::string_view key = issued.text.reveal();
  const std::string tenant = kTenant.uuid();
  for (const Credentials& credentials :
       {Credentials{.api_keys = {key}, .authorizations = {"Bearer a.b.c"}},
        Credentials{.api_keys = {key, key}},
        Credentials{.authorizations = {"Bearer a.b.c", "Bearer a.b.c"}},
        Credentials{.api_keys = {key}, .tenant_ids = {tenant, tenant}}}) {
    EXPECT_EQ(authenticator_.authenticate(credentials, kNow).error().code, Code::kInvalidArgument);
  }
}

TEST_F(AuthenticatorTest, TheTenantHeaderMustBeTheKeys) {
  const IssuedKey issued = add({.tenant = kTenant, .scopes = all_});
  const std::string_view key = issued.text.reveal();
  EXPECT_TRUE(with_key(key, {kTenant.uuid()}));
  EXPECT_TRUE(with_key(key, {kTenant.ulid()}));
  EXPECT_EQ(with_key(key, {kOther.uuid()}).error().code, Code::kPermissionDenied);
  EXPECT_EQ(with_key(key, {"nonsense"}).error().code, Code::kPermissionDenied);
  EXPECT_EQ(with_key(kUnknown, {kOther.uuid()}).error().code, Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, APlatformKeyTakesTheTenantThatItNames) {
  const IssuedKey issued = add({.is_platform = true});
  const std::string_view key = issued.text.reveal();
  EXPECT_TRUE(with_key(key)->is_platform);
  EXPECT_TRUE(with_key(key)->tenant.is_zero());
  const auto caller = with_key(key, {kOther.uuid()});
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller->tenant, kOther);
  for (const Scope scope : all_scopes()) EXPECT_FALSE(caller->allows(scope));
  EXPECT_EQ(with_key(key, {"nonsense"}).error().code, Code::kInvalidArgument);
}

TEST_F(AuthenticatorTest, ExpiryIsCheckedAtEachUse) {
  const IssuedKey issued =
      add({.tenant = kTenant, .scopes = all_, .expires_at = kNow + Duration(1000)});
  EXPECT_TRUE(with_key(issued.text.reveal()));
  EXPECT_TRUE(with_key(issued.text.reveal(), {}, kNow + Duration(999)));
  EXPECT_EQ(with_key(issued.text.reveal(), {}, kNow + Duration(1000)).error().code,
            Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, ARevokedKeyIsRefusedAtOnce) {
  const IssuedKey issued = add({.tenant = kTenant, .scopes = all_});
  EXPECT_TRUE(with_key(issued.text.reveal()));
  revoke(issued);
  authenticator_.forget(issued.key.id);
  EXPECT_EQ(with_key(issued.text.reveal()).error().code, Code::kUnauthenticated);
  EXPECT_EQ(with_key(issued.text.reveal()).error().code, Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, TwentyFailuresAMinuteThenTheAddressWaits) {
  fail(20);
  const auto limited = with_key(kUnknown);
  EXPECT_EQ(limited.error().code, Code::kResourceExhausted);
  EXPECT_EQ(authenticator_.retry_after(kSource, kNow), std::chrono::seconds(3));
  EXPECT_EQ(with_key(kUnknown, {}, kNow + std::chrono::seconds(3)).error().code,
            Code::kUnauthenticated);
  const auto elsewhere =
      authenticator_.authenticate({.api_keys = {kUnknown}, .source_address = "192.0.2.2"}, kNow);
  EXPECT_EQ(elsewhere.error().code, Code::kUnauthenticated);
}

TEST_F(AuthenticatorTest, ALimitedAddressKeepsItsKnownKeysAndMayTryNothingNew) {
  const IssuedKey known = add({.tenant = kTenant, .scopes = all_});
  const IssuedKey fresh = add({.tenant = kTenant, .scopes = all_});
  EXPECT_TRUE(with_key(known.text.reveal()));
  fail(20);
  EXPECT_TRUE(with_key(known.text.reveal()));
  EXPECT_EQ(with_key(fresh.text.reveal()).error().code, Code::kResourceExhausted);
  EXPECT_EQ(with_key("short").error().code, Code::kResourceExhausted);
  const auto token = authenticator_.authenticate(
      {.authorizations = {"Bearer x"}, .source_address = kSource}, kNow);
  EXPECT_EQ(token.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(with_key(fresh.text.reveal(), {}, kNow + std::chrono::seconds(3)));
}

TEST_F(AuthenticatorTest, GoodRequestsAndMissingCredentialsAreNoFailures) {
  const IssuedKey issued = add({.tenant = kTenant, .scopes = all_});
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(with_key(issued.text.reveal()));
    EXPECT_EQ(authenticator_.authenticate({.source_address = kSource}, kNow).error().code,
              Code::kUnauthenticated);
    EXPECT_EQ(with_key(issued.text.reveal(), {kOther.uuid()}).error().code,
              Code::kPermissionDenied);
  }
}

TEST_F(AuthenticatorTest, MoreKeysThanItRemembersStillWork) {
  Authenticator small(store_, nullptr, {.keys_max = 2});
  std::vector<IssuedKey> keys;
  for (int i = 0; i < 5; ++i) keys.push_back(add({.tenant = kTenant, .scopes = all_}));
  for (int round = 0; round < 3; ++round) {
    for (const IssuedKey& key : keys) {
      EXPECT_TRUE(small.authenticate({.api_keys = {key.text.reveal()}}, kNow));
    }
  }
}

}  // namespace
}  // namespace avow::auth
