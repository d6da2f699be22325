// SPDX-License-Identifier: Apache-2.0
// The program as others see it: its output, exit codes and signals, and the examples that run
// against it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <sstream>

#include "cli/command.h"
#include "tests/cli/program.h"

namespace avow {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(Program, InitPrintsOneObjectWithExactlyTheseMembers) {
  std::vector<std::string> names;
  for (const auto& [name, value] : keys_.as_object()) {
    names.push_back(name);
    EXPECT_TRUE(value.is_string());
  }
  EXPECT_EQ(names, (std::vector<std::string>{"tenant_id", "api_key", "platform_key", "log_key",
                                             "origin"}));
}

TEST_F(Program, SaysWhereItListensOnOneLineAndEndsWithZeroOnSigterm) {
  for (const int number : {SIGTERM, SIGINT}) {
    Process server(serve(), errors());
    EXPECT_THAT(server.line(), StartsWith("listening on http://127.0.0.1:"));
    server.signal(number);
    EXPECT_EQ(server.rest(), "");
    EXPECT_EQ(server.wait(), 0) << error_text();
  }
}

TEST_F(Program, DoesNotStartWithASettingThatItDoesNotKnow) {
  const std::string config = (root_ / "avow.yaml").string();
  std::ofstream(config) << "limits:\n  conections: 5\n";
  Process server(serve({"--config", config}), errors());
  EXPECT_EQ(server.rest(), "");
  EXPECT_EQ(server.wait(), 2);
  EXPECT_THAT(error_text(), HasSubstr("line 2: unknown key \"conections\"; allowed in limits: "));
}

TEST_F(Program, DoesNotServeAFolderThatInitDidNotMake) {
  Process server({AVOW_PROGRAM, "serve", "--data-dir", (root_ / "none").string()}, errors());
  EXPECT_EQ(server.wait(), 1);
  EXPECT_THAT(error_text(), HasSubstr("avow init --data-dir"));
}

/// Takes connections and never answers.
class SilentReceiver {
 public:
  SilentReceiver() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address_);
    CHECK(::bind(socket_, generic(), size) == 0 && ::listen(socket_, 16) == 0);
    CHECK(::getsockname(socket_, generic(), &size) == 0);
  }
  ~SilentReceiver() { ::close(socket_); }
  SilentReceiver(const SilentReceiver&) = delete;
  SilentReceiver& operator=(const SilentReceiver&) = delete;
  [[nodiscard]] int port() const { return ntohs(address_.sin_port); }
  [[nodiscard]] bool has_caller() const {
    pollfd ready{socket_, POLLIN, 0};
    return ::poll(&ready, 1, kPatienceMs) == 1;
  }

 private:
  sockaddr* generic() { return reinterpret_cast<sockaddr*>(&address_); }
  const int socket_;
  sockaddr_in address_{};
};

TEST_F(Program, EndsAtOnceOnASecondSignalAndHasTheRunAtItsNextStart) {
  const SilentReceiver receiver;
  const auto avow_json = [&](std::vector<std::string> arguments, const std::string& url,
                             const std::string& input) {
    arguments.insert(arguments.end(),
                     {"--json", "--url", url, "--key", keys_.string_or("api_key")});
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    cli::Terminal terminal{in, out, err};
    EXPECT_EQ(cli::run(arguments, terminal), 0) << err.str();
    return json::parse(out.str()).value();
  };
  std::string run_id;
  {
    Process server(serve({"--config", "examples/avow.yaml"}), errors());
    const std::string url = server.line().substr(13);
    avow_json({"workflow", "create", "-"}, url,
              fmt::format(R"({{"name": "hook", "steps": [{{"name": "call", "type": "webhook",
                           "config": {{"url": "http://127.0.0.1:{}/"}}}}]}})",
                          receiver.port()));
    avow_json({"workflow", "publish", "hook"}, url, "");
    run_id = avow_json({"execute", "hook"}, url, "").string_or("run_id");
    ASSERT_TRUE(receiver.has_caller());
    server.signal(SIGTERM);  // drains: the call has ten seconds
    server.signal(SIGINT);
    const int code = server.wait();
    EXPECT_TRUE(code == -SIGINT || code == -SIGTERM) << code;
  }
  Process server(serve({"--config", "examples/avow.yaml"}), errors());
  const std::string url = server.line().substr(13);
  EXPECT_EQ(avow_json({"run", "show", run_id}, url, "").string_or("status"), "running");
  avow_json({"run", "cancel", run_id}, url, "");
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST_F(Program, RunsEveryExample) {
  Process server(serve({"--config", "examples/avow.yaml"}), errors());
  const std::string line = server.line();
  ASSERT_THAT(line, StartsWith("listening on "));
  ::setenv("AVOW_URL", line.substr(13).c_str(), 1);
  ::setenv("AVOW_API_KEY", keys_.string_or("api_key").c_str(), 1);
  const std::string example_errors = (root_ / "example-errors").string();
  std::size_t examples = 0;
  for (const auto& folder : fs::directory_iterator("examples")) {
    if (!fs::exists(folder.path() / "run.sh")) continue;
    // Twice: what the first one left behind must not stop the second.
    for (int time = 0; time < 2; ++time) {
      Process example({(folder.path() / "run.sh").string()}, example_errors);
      const std::string output = example.rest();
      std::ifstream file(example_errors);
      const std::string what{std::istreambuf_iterator<char>(file), {}};
      EXPECT_EQ(example.wait(), 0) << folder.path() << '\n' << output << what;
      EXPECT_THAT(output, HasSubstr(" completed\n"));
    }
    ++examples;
  }
  EXPECT_GE(examples, 3U);
  server.signal(SIGTERM);
  EXPECT_EQ(server.wait(), 0);
}

TEST_F(Program, ShowsTheDemoOnceAndEndsWithZero) {
  ::setenv("ONCE", "1", 1);
  ::setenv("DEMO_DIR", (root_ / "demo").c_str(), 1);
  Process demo({"scripts/run-demo", AVOW_PROGRAM}, errors());
  const std::string output = demo.rest();
  EXPECT_EQ(demo.wait(), 0) << output << error_text();
  EXPECT_THAT(output, HasSubstr("notify                    completed"));
  EXPECT_THAT(output, HasSubstr("\"notified\": true"));
  EXPECT_THAT(output, EndsWith("\nVALID\n"));
}

}  // namespace
}  // namespace avow
