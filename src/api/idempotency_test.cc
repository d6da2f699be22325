// SPDX-License-Identifier: Apache-2.0
#include "api/idempotency.h"

#include <gtest/gtest.h>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

constexpr std::string_view kDefinition =
    R"({"name":"w","steps":[{"name":"a","type":"transform","config":{"output":1}}]})";

net::Request keyed(const ApiWorld& world, const std::string& key, std::string_view body) {
  auto request = world.request("POST", "/v1/workflows", std::string(body));
  request.headers.set("Idempotency-Key", key);
  return request;
}

bool is_replayed(const net::Response& response) {
  const std::string* value = response.headers.find("Idempotent-Replayed");
  return value != nullptr && *value == "true";
}

TEST(Idempotency, GivesTheFirstAnswerAgain) {
  ApiWorld world;
  const auto first = world.send(keyed(world, "k", kDefinition));
  EXPECT_EQ(first.status, 201);
  EXPECT_FALSE(is_replayed(first));
  const auto again = world.send(keyed(world, "k", kDefinition));
  EXPECT_EQ(again.status, 201);
  EXPECT_TRUE(is_replayed(again));
  EXPECT_EQ(again.body, first.body);
  EXPECT_EQ(*again.headers.find("Location"), *first.headers.find("Location"));
  EXPECT_EQ(*again.headers.find("ETag"), *first.headers.find("ETag"));
  EXPECT_NE(*again.headers.find("X-Request-ID"), *first.headers.find("X-Request-ID"));
}

TEST(Idempotency, RefusesAnotherBodyUnderTheSameKey) {
  ApiWorld world;
  world.send(keyed(world, "k", kDefinition));
  EXPECT_EQ(world.send(keyed(world, "k", std::string(kDefinition) + " ")).status, 409);
}

TEST(Idempotency, BelongsToOneCallerAndOnePath) {
  ApiWorld world;
  world.send(keyed(world, "k", kDefinition));
  auto request = keyed(world, "k", kDefinition);
  request.headers.set("X-API-Key", world.make_key(world.tenant, {"*:*"}));
  EXPECT_EQ(world.send(request).status, 409) << "not replayed: the name is taken";
  request = world.request("POST", "/v1/workflows/validate", std::string(kDefinition));
  request.headers.set("Idempotency-Key", "k");
  EXPECT_FALSE(is_replayed(world.send(request)));
}

TEST(Idempotency, ChecksTheCallerBeforeAnyReplay) {
  ApiWorld world;
  auto request = keyed(world, "k", kDefinition);
  request.headers.set("X-API-Key", world.make_key(world.tenant, {"workflows:write"}));
  EXPECT_EQ(world.send(request).status, 201);
  const std::string path = "/v1/api-keys?limit=200";
  std::string id;
  const json::Value keys = ApiWorld::body(world.send("GET", path));
  for (const json::Value& key : keys.find("items")->as_array()) {
    if (key.find("scopes")->as_array().at(0) == json::Value("workflows:write")) {
      id = key.string_or("id");
    }
  }
  EXPECT_EQ(world.send("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(world.send(request).status, 401);
}

TEST(Idempotency, KeepsNoAnswerWithoutAChange) {
  ApiWorld world;
  constexpr std::string_view kUnknownType = R"({"name":"w","steps":[{"name":"a","type":"no"}]})";
  EXPECT_EQ(world.send(keyed(world, "k", kUnknownType)).status, 422);
  EXPECT_FALSE(is_replayed(world.send(keyed(world, "k", kUnknownType))));
  EXPECT_EQ(world.send(keyed(world, "k", kDefinition)).status, 201) << "the key is free";
}

TEST(Idempotency, ForgetsAfterADay) {
  ApiWorld world;
  EXPECT_EQ(world.send(keyed(world, "k", kDefinition)).status, 201);
  world.clock.advance(kAnswerKept);
  constexpr std::string_view kOther =
      R"({"name":"other","steps":[{"name":"a","type":"transform","config":{"output":1}}]})";
  EXPECT_EQ(world.send(keyed(world, "k", kOther)).status, 201);
}

TEST(Idempotency, WithholdsASecretTheSecondTime) {
  ApiWorld world;
  auto request = world.request("POST", "/v1/api-keys", R"({"scopes":["workflows:read"]})");
  request.headers.set("Idempotency-Key", "k");
  const json::Value first = ApiWorld::body(world.send(request));
  const json::Value again = ApiWorld::body(world.send(request));
  EXPECT_NE(first.find("api_key"), nullptr);
  EXPECT_EQ(again.find("api_key"), nullptr);
  EXPECT_TRUE(again.bool_or("secret_withheld", false));
  EXPECT_EQ(again.string_or("id"), first.string_or("id"));
}

TEST(Idempotency, WantsAVisibleKeyOfUpTo255Characters) {
  ApiWorld world;
  for (const std::string& bad : {std::string(), std::string("a b"), std::string(256, 'x')}) {
    EXPECT_EQ(world.send(keyed(world, bad, kDefinition)).status, 400) << bad;
  }
  auto request = keyed(world, "a", kDefinition);
  request.headers.add("Idempotency-Key", "b");
  EXPECT_EQ(world.send(request).status, 400);
  EXPECT_EQ(world.send(keyed(world, std::string(255, 'x'), kDefinition)).status, 201);
}

/// A first request that is held until the test lets it go, and one that repeats it.
class Held : public ::testing::Test {
 protected:
  static inline std::optional<net::Responder> held_;
  static inline int calls_ = 0;

  void SetUp() override {
    held_.reset();
    calls_ = 0;
  }
  void TearDown() override { held_.reset(); }

  static Reply hold(Call&) {
    ++calls_;
    net::Later later;
    later.start = [](net::Responder respond) { held_ = std::move(respond); };
    return later;
  }

  Reply ask(const std::string& body_digest) {
    Call call{.services = world_.services,
              .request = request_,
              .caller = {},
              .path = {},
              .trace_id = std::string(32, 'a'),
              .now = world_.clock.now(),
              .keyed = KeyedRequest{"key", body_digest, world_.clock.now() + kAnswerKept}};
    return answer_once(call, hold);
  }

  static std::future<net::Response> begin(const Reply& reply) {
    auto promise = std::make_shared<std::promise<net::Response>>();
    std::get<net::Later>(reply).start(
        net::Responder([promise](std::optional<net::Response> response) {
          promise->set_value(response ? *response : net::Response{.status = 0});
        }));
    return promise->get_future();
  }

  ApiWorld world_;
  net::Request request_ = world_.request("POST", "/x");
};

TEST_F(Held, ADuplicateGetsTheAnswerOfTheFirst) {
  auto first = begin(ask("body"));
  auto second = begin(ask("body"));
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(second.wait_for(Duration(0)), std::future_status::timeout);
  (*held_)({.status = 422, .headers = {}, .body = "why"});
  EXPECT_EQ(first.get().status, 422);
  const auto replayed = second.get();
  EXPECT_EQ(replayed.status, 422);
  EXPECT_EQ(replayed.body, "why");
  EXPECT_TRUE(is_replayed(replayed));
}

TEST_F(Held, AnotherBodyIsRefusedAtOnce) {
  auto first = begin(ask("body"));
  const Reply other = ask("other");
  EXPECT_EQ(std::get<Problem>(other).status, 409);
  (*held_)({.status = 200});
}

TEST_F(Held, ADuplicateIsToldAfterTenSecondsThatTheFirstIsNotDone) {
  auto first = begin(ask("body"));
  const Reply duplicate = ask("body");
  const auto& later = std::get<net::Later>(duplicate);
  ASSERT_TRUE(later.deadline.has_value());
  EXPECT_LE(*later.deadline, world_.clock.now() + kDuplicateWaits);
  EXPECT_EQ(later.at_deadline().status, 409);
  (*held_)({.status = 200});
}

TEST_F(Held, ADuplicateDoesNotWaitForEverForAFirstThatGivesNoAnswer) {
  auto first = begin(ask("body"));
  auto second = begin(ask("body"));
  held_.reset();
  EXPECT_EQ(first.get().status, 0);
  EXPECT_EQ(second.get().status, 409);
  auto third = begin(ask("body"));
  EXPECT_EQ(calls_, 2) << "the key is free again";
  (*held_)({.status = 200});
}

TEST_F(Held, ARequestThatIsNeverStartedFreesItsKey) {
  {
    const Reply dropped = ask("body");
  }
  auto next = begin(ask("other"));
  EXPECT_EQ(calls_, 2);
  (*held_)({.status = 200});
}

}  // namespace
}  // namespace avow::api
