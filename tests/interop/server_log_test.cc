// SPDX-License-Identifier: Apache-2.0
// The real program's log, while it runs and as it exports it, read by Go's checksum database
// packages.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "json/parse.h"
#include "json/write.h"
#include "testing/http_exchange.h"
#include "tests/interop/go_checksum.h"

namespace avow {
namespace {

using ::testing::HasSubstr;
using testing::value_at;

constexpr std::size_t kRuns = 300;  // more than one tile

class Server {
 public:
  Server() : deployment_(AVOW_PROGRAM) {
    auto started = testing::ServerProcess::start(deployment_, "log_level: warning\n");
    CHECK(started);
    process_ = std::move(*started);
  }

  [[nodiscard]] const testing::Deployment& deployment() const { return deployment_; }
  [[nodiscard]] std::string url() const {
    return fmt::format("http://127.0.0.1:{}", process_->port());
  }
  [[nodiscard]] testing::HttpReply call(const std::string& method, const std::string& target,
                                        const json::Value& body = json::Object()) const {
    return testing::exchange(
        {.port = process_->port()},
        {method,
         target,
         {{"X-API-Key", deployment_.api_key}, {"Content-Type", "application/json"}},
         method == "GET" ? std::string() : json::write(body)});
  }

  /// Executes a workflow of one pure step so many times, and waits for all the ends.
  void run(std::size_t count) const {
    const json::Value agent = call("POST", "/v1/agents").json();
    const json::Value workflow =
        call("POST", "/v1/workflows",
             *json::parse(fmt::format(
                 R"({{"name": "copy", "agent_id": "{}", "output": "${{{{ steps.copy.result }}}}",
                      "steps": [{{"name": "copy", "type": "transform",
                                  "config": {{"output": "${{{{ input.n }}}}"}}}}]}})",
                 agent.string_or("id"))))
            .json();
    const std::string path = "/v1/workflows/" + workflow.string_or("id");
    ASSERT_EQ(call("POST", path + "/publish").status, 200) << json::write(workflow);
    std::vector<std::string> runs;
    for (std::size_t i = 0; i < count; ++i) {
      const auto reply =
          call("POST", path + "/execute",
               json::Object{{"input", json::Object{{"n", static_cast<std::int64_t>(i)}}}});
      ASSERT_EQ(reply.status, 202) << reply.body;
      runs.push_back(reply.json().string_or("orchestration_id"));
    }
    for (const std::string& run : runs) {
      const auto reply = call("GET", "/v1/orchestrations/" + run + "?wait=30");
      ASSERT_EQ(reply.json().string_or("status"), "completed") << reply.body;
    }
  }

 private:
  const testing::Deployment deployment_;
  std::unique_ptr<testing::ServerProcess> process_;
};

TEST(GoChecksumDatabase, AcceptsAServersLogWhileItGrowsAndItsExport) {
  if (const auto why = GoChecksum::missing(); !why.empty()) GTEST_SKIP() << why;
  const GoChecksum program;
  const Server server;
  const std::string vkey =
      value_at(server.call("GET", "/log/keys").json(), "/log_keys/0").as_string();
  const std::string old = (server.deployment().beside() / "old-checkpoint").string();
  std::ofstream(old) << server.call("GET", "/log/checkpoint").body;

  ASSERT_NO_FATAL_FAILURE(server.run(kRuns));

  const CommandEnd online =
      program.run({"-log", server.url() + "/log", "-vkey", vkey, "-old", old});
  EXPECT_EQ(online.exit_code, 0) << online.output;
  EXPECT_THAT(online.output, HasSubstr("refused: "));

  const std::string folder = (server.deployment().beside() / "export").string();
  const CommandEnd exported =
      run_shell(fmt::format("{} log export {} --url {}", AVOW_PROGRAM, folder, server.url()));
  ASSERT_EQ(exported.exit_code, 0) << exported.output;
  const CommandEnd offline = program.run({"-log", folder, "-vkey", vkey, "-old", old});
  EXPECT_EQ(offline.exit_code, 0) << offline.output;
  // One entry for each run, and those of the deployment's making.
  int entries = 0;
  EXPECT_EQ(std::sscanf(offline.output.c_str(), "accepted: checkpoint of %d", &entries), 1);
  EXPECT_GT(entries, static_cast<int>(kRuns));
}

}  // namespace
}  // namespace avow
