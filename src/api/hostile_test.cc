// SPDX-License-Identifier: Apache-2.0
// Callers of the own tenant who try for more than they were given, through the whole way of a
// request.
#include <gtest/gtest.h>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

class Hostile : public ::testing::Test {
 protected:
  std::string make_agent() {
    const auto made = world_.send("POST", "/v1/agents", "{}");
    EXPECT_EQ(made.status, 201) << made.body;
    return ApiWorld::body(made).string_or("id");
  }
  static std::string pointer_of(const net::Response& response) {
    return ApiWorld::body(response).find("details")->string_or("pointer");
  }
  ApiWorld world_;
};

TEST_F(Hostile, AKeyForOneAgentLetsNoOtherWorkByInlineSteps) {
  const std::string own = make_agent();
  const std::string other = make_agent();
  world_.key = world_.make_key(world_.tenant, {"*:*"}, {{AgentId{*parse_id(own)}}});
  const auto execute = [&](const std::string& agent) {
    return world_.send("POST", "/v1/orchestrations/execute",
                       fmt::format(R"({{"agent_id":"{}","steps":[{{"name":"a","type":"transform",
                         "agent_id":"{}","config":{{"output":1}}}}]}})",
                                   own, agent));
  };
  EXPECT_EQ(execute(own).status, 202);
  const auto refused = execute(other);
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(pointer_of(refused), "/steps/0/agent_id");
}

TEST_F(Hostile, AKeyForOneAgentWritesNoWorkflowInWhichAnotherWorks) {
  const std::string own = make_agent();
  const std::string other = make_agent();
  const auto definition = [](const std::string& name, const std::string& agent,
                             const std::string& step_agent) {
    return fmt::format(R"({{"name":"{}","agent_id":"{}","steps":[{{"name":"a","type":"transform",
                            "agent_id":"{}","config":{{"output":1}}}}]}})",
                       name, agent, step_agent);
  };
  const auto draft = world_.send("POST", "/v1/workflows", definition("theirs", own, other));
  ASSERT_EQ(draft.status, 201);
  const std::string theirs = "/v1/workflows/" + ApiWorld::body(draft).string_or("id");

  world_.key = world_.make_key(world_.tenant, {"*:*"}, {{AgentId{*parse_id(own)}}});
  const auto by_step = world_.send("POST", "/v1/workflows", definition("w", own, other));
  EXPECT_EQ(by_step.status, 403);
  EXPECT_EQ(pointer_of(by_step), "/steps/0/agent_id");
  const auto by_run = world_.send("POST", "/v1/workflows", definition("w", other, own));
  EXPECT_EQ(by_run.status, 403);
  EXPECT_EQ(pointer_of(by_run), "/agent_id");
  EXPECT_EQ(world_.send("POST", theirs + "/publish").status, 403);
  EXPECT_EQ(world_.send("POST", theirs + "/versions").status, 403);
  const auto made = world_.send("POST", "/v1/workflows", definition("w", own, own));
  ASSERT_EQ(made.status, 201);
  const std::string mine = "/v1/workflows/" + ApiWorld::body(made).string_or("id");
  EXPECT_EQ(world_.send("PUT", mine, definition("w", own, other)).status, 403);
  EXPECT_EQ(world_.send("POST", mine + "/publish").status, 200);
}

// A journal holds no text of the caller's in clear, and peers are not sent what he likes.
TEST_F(Hostile, ATraceparentIsRecordedOnlyIfItIsOne) {
  const std::string agent = make_agent();
  const std::string valid = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto recorded = [&](const std::string& traceparent) {
    auto request =
        world_.request("POST", "/v1/orchestrations/execute",
                       fmt::format(R"({{"agent_id":"{}","steps":[{{"name":"a","type":"transform",
                         "config":{{"output":1}}}}]}})",
                                   agent));
    request.headers.set("traceparent", traceparent);
    const auto started = world_.send(request);
    EXPECT_EQ(started.status, 202) << started.body;
    const std::string run = ApiWorld::body(started).string_or("orchestration_id");
    const auto events = world_.send("GET", "/v1/orchestrations/" + run + "/events?limit=1");
    const json::Value first = ApiWorld::body(events).find("items")->as_array().at(0);
    return first.find("data")->string_or("traceparent");
  };
  EXPECT_EQ(recorded(valid), valid);
  EXPECT_EQ(recorded("cc" + valid.substr(2) + "-my mother's name"), valid);
  EXPECT_EQ(recorded("my mother's name"), "");
  EXPECT_EQ(recorded(valid + "-my mother's name"), "");
}

TEST_F(Hostile, OneRequestDoesNotBuyAHundredThousandErrors) {
  std::string body = "{";
  for (int i = 0; i < 100'000; ++i) body += fmt::format(R"("x{}":0,)", i);
  body += R"("display_name":"n"})";
  const auto refused = world_.send("POST", "/v1/agents", body);
  EXPECT_EQ(refused.status, 400);
  EXPECT_LT(refused.body.size(), std::size_t{64} << 10);
}

TEST_F(Hostile, AListIsFilteredByAFewLabelsAtMost) {
  std::string target = "/v1/orchestrations?label.a=b";
  for (int i = 1; i < 16; ++i) target += fmt::format("&label.a{}=b", i);
  EXPECT_EQ(world_.send("GET", target).status, 200);
  EXPECT_EQ(world_.send("GET", target + "&label.z=b").status, 400);
}

// Every text of the definition may name the whole input.
TEST_F(Hostile, ADryRunAnswersNoMoreThanOtherAnswers) {
  const std::string agent = make_agent();
  std::string texts = R"("${{ input.x }}")";
  for (int i = 0; i < 2'000; ++i) texts += R"(,"${{ input.x }}")";
  const auto planned =
      world_.send("POST", "/v1/orchestrations/execute",
                  fmt::format(R"({{"agent_id":"{}","dry_run":true,"input":{{"x":"{}"}},"steps":[
                       {{"name":"a","type":"transform","config":{{"output":[{}]}}}}]}})",
                              agent, std::string(100'000, 'a'), texts));
  EXPECT_EQ(planned.status, 200);
  EXPECT_LT(planned.body.size(), std::size_t{8} << 20);
}

}  // namespace
}  // namespace avow::api
