// SPDX-License-Identifier: Apache-2.0
// Runs found by what they were started with, and no more once that is erased.
#include <gtest/gtest.h>

#include "testing/api_world.h"

namespace avow::api {
namespace {

using testing::ApiWorld;

class SearchTest : public ::testing::Test {
 protected:
  SearchTest() {
    agent_ = ApiWorld::body(world_.send("POST", "/v1/agents", R"({"display_name":"a"})"))
                 .string_or("id");
  }

  /// Runs it to its end; its id.
  std::string run(const std::string& rest) {
    const auto response = world_.send(
        "POST", "/v1/orchestrations/execute?wait=20",
        R"({"agent_id":")" + agent_ +
            R"(","steps":[{"name":"a","type":"transform","config":{"output":1}}])" + rest + "}");
    EXPECT_EQ(response.status, 200) << response.body;
    return ApiWorld::body(response).string_or("orchestration_id");
  }

  std::vector<std::string> found(const std::string& query) {
    std::vector<std::string> out;
    const json::Value list = ApiWorld::body(world_.send("GET", "/v1/orchestrations?" + query));
    for (const json::Value& item : list.find("items")->as_array())
      out.push_back(item.string_or("orchestration_id"));
    return out;
  }

  using Ids = std::vector<std::string>;
  ApiWorld world_;
  std::string agent_;
};

TEST_F(SearchTest, FindsRunsByTheirWholeName) {
  const std::string first = run(R"(,"name":"claim 17","labels":{"team":"x"})");
  const std::string second = run(R"(,"name":"claim 18","labels":{"team":"x"})");
  run(R"(,"labels":{"name":"claim 17"})");
  EXPECT_EQ(found("name=claim%2017"), Ids{first});
  EXPECT_EQ(found("name=claim%2018&label.team=x"), Ids{second});
  EXPECT_EQ(found("name=claim%2018&label.team=y"), Ids{});
  EXPECT_EQ(found("name=claim"), Ids{});
  EXPECT_EQ(found("name="), Ids{});
  const json::Value shown = ApiWorld::body(world_.send("GET", "/v1/orchestrations/" + first));
  EXPECT_EQ(json::write(*shown.find("labels")), R"({"team":"x"})");
  EXPECT_EQ(shown.string_or("name"), "claim 17");
  world_.key = world_.make_key(world_.make_tenant("other"), {"*:*"});
  EXPECT_EQ(found("name=claim%2017"), Ids{});
}

TEST_F(SearchTest, FindsNobodyByANameThatIsErased) {
  const std::string id = run(R"(,"name":"Jane Roe")");
  EXPECT_EQ(found("name=Jane%20Roe"), Ids{id});
  const auto erased =
      world_.send("POST", "/v1/orchestrations/" + id + "/erase", R"({"reason":"why"})");
  EXPECT_EQ(erased.status, 200) << erased.body;
  EXPECT_EQ(found("name=Jane%20Roe"), Ids{});
}

TEST_F(SearchTest, ShowsThePriorityOfARun) {
  const std::string urgent = run(R"(,"priority":9)");
  const auto shown = ApiWorld::body(world_.send("GET", "/v1/orchestrations/" + urgent));
  EXPECT_EQ(shown.int_or("priority", -1), 9);
  EXPECT_EQ(
      ApiWorld::body(world_.send("GET", "/v1/orchestrations/" + run(""))).int_or("priority", -1),
      5);
  for (const char* const wrong : {"10", "-1"}) {
    EXPECT_EQ(world_
                  .send("POST", "/v1/orchestrations/execute",
                        R"({"agent_id":")" + agent_ + R"(","input":{},"priority":)" + wrong + "}")
                  .status,
              422);
  }
}

}  // namespace
}  // namespace avow::api
