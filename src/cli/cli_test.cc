// SPDX-License-Identifier: Apache-2.0
// The whole command line against a real server in this process.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <sstream>

#include "cli/command.h"
#include "json/parse.h"
#include "json/write.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "server/init.h"
#include "server/server.h"

namespace avow::cli {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace fs = std::filesystem;

constexpr const char* kWorkflow = R"({
  "name": "greeting",
  "parameters": {"word": "Hello", "times": 1},
  "steps": [
    {"name": "greet", "type": "transform",
     "config": {"output": "${{ parameters.word }}, ${{ input.name }}"}},
    {"name": "sign", "type": "transform", "depends_on": ["greet"],
     "config": {"output": {"text": "${{ steps.greet.result }}!", "times": "${{ parameters.times }}"}}}
  ]
})";

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
  [[nodiscard]] json::Value json() const {
    auto value = json::parse(out);
    EXPECT_TRUE(value) << out;
    return value ? std::move(*value) : json::Value();
  }
};

Ended run_alone(const std::vector<std::string>& arguments, const std::string& input = {}) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  Terminal terminal{in, out, err};
  const int code = run(arguments, terminal);
  return {code, out.str(), err.str()};
}

class CommandLine : public ::testing::Test {
 protected:
  CommandLine() {
    std::string name = (fs::temp_directory_path() / "avow-cli-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    const std::string data = (root_ / "data").string();
    const Ended made = run_alone({"init", "--data-dir", data, "--json"});
    const json::Value keys = made.json();
    key_ = keys.string_or("api_key");
    platform_key_ = keys.string_or("platform_key");
    log_key_ = keys.string_or("log_key");
    auto started = server::Server::start({.data_directory = data});
    CHECK(started);
    server_ = std::move(*started);
  }
  ~CommandLine() override {
    server_->stop(Duration::zero());
    fs::remove_all(root_);
  }

  std::string file(const std::string& name, std::string_view text) {
    std::ofstream(root_ / name) << text;
    return (root_ / name).string();
  }

  /// The command against the server, with the tenant's key.
  Ended avow(std::vector<std::string> arguments, const std::string& input = {}) {
    arguments.insert(arguments.end(),
                     {"--url", fmt::format("http://127.0.0.1:{}", server_->port()), "--key", key_});
    return run_alone(arguments, input);
  }

  void publish_greeting() {
    ASSERT_EQ(avow({"workflow", "create", file("workflow.json", kWorkflow)}).code, kOk);
    const Ended published = avow({"workflow", "publish", "greeting"});
    ASSERT_EQ(published.code, kOk) << published.err;
  }

  fs::path root_;
  std::string key_;
  std::string platform_key_;
  std::string log_key_;
  std::unique_ptr<server::Server> server_;
};

TEST_F(CommandLine, DefinesPublishesAndExecutesAWorkflowByName) {
  publish_greeting();
  const Ended shown = avow({"workflow", "show", "greeting"});
  EXPECT_EQ(shown.code, kOk);
  EXPECT_THAT(shown.out, HasSubstr("published"));
  EXPECT_THAT(shown.out, HasSubstr("transform"));

  const std::string input = file("input.json", R"({"name": "Ada"})");
  const Ended followed = avow({"execute", "greeting", "--input", input, "--follow"});
  EXPECT_EQ(followed.code, kOk) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr("greet                     completed"));
  EXPECT_THAT(followed.out, HasSubstr("sign                      completed"));
  EXPECT_THAT(followed.out, HasSubstr("\"text\": \"Hello, Ada!\""));
}

TEST_F(CommandLine, ShowsAnOutputWithoutCharactersThatATerminalObeys) {
  publish_greeting();
  const std::string input =
      file("input.json", "{\"name\": \"\\u009b31m\\u001b[2J\\u007f\\u00e9\"}");
  const Ended followed = avow({"execute", "greeting", "--input", input, "--follow"});
  EXPECT_EQ(followed.code, kOk) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr(R"(Hello, \u009b31m\u001b[2J\u007fé!)"));
}

TEST_F(CommandLine, ReadsParametersAsJsonWhereTheyAreAndAsTextElsewhere) {
  publish_greeting();
  const Ended followed = avow({"execute", "greeting", "--input", "-", "--param", "word=Good day",
                               "--param", "times=3", "--follow", "--json"},
                              R"({"name": "Bo"})");
  EXPECT_EQ(followed.code, kOk) << followed.err;
  const json::Value run = followed.json();  // one JSON object and nothing else
  EXPECT_EQ(run.find("output")->string_or("text"), "Good day, Bo!");
  EXPECT_EQ(run.find("output")->int_or("times", 0), 3);
}

TEST_F(CommandLine, ShowsThePlanOfADryRunAndStartsNothing) {
  publish_greeting();
  const Ended planned = avow({"execute", "greeting", "--dry-run"});
  EXPECT_EQ(planned.code, kOk) << planned.err;
  EXPECT_THAT(planned.out, HasSubstr("greet"));
  EXPECT_EQ(avow({"run", "list"}).out, "none\n");
}

TEST_F(CommandLine, EndsWithOneWhereTheRunFails) {
  publish_greeting();
  // The input has no name, so the first expression fails.
  const Ended followed = avow({"execute", "greeting", "--follow"});
  EXPECT_EQ(followed.code, kRefused);
  EXPECT_THAT(followed.out, HasSubstr("EXPRESSION_ERROR"));
}

TEST_F(CommandLine, ShowsRunsTheirEventsAndCancelsThem) {
  ASSERT_EQ(avow({"workflow", "create", file("wait.json", R"({"name": "waiting", "steps": [
      {"name": "nap", "type": "wait", "config": {"seconds": 200}}]})")})
                .code,
            kOk);
  ASSERT_EQ(avow({"workflow", "publish", "waiting"}).code, kOk);
  const std::string id = avow({"execute", "waiting", "--json"}).json().string_or("run_id");
  EXPECT_THAT(avow({"run", "list", "--status", "running"}).out, HasSubstr(id));
  EXPECT_THAT(avow({"run", "show", id}).out, HasSubstr("nap"));
  EXPECT_THAT(avow({"run", "events", id}).out, HasSubstr("run.started"));
  const Ended cancelled = avow({"run", "cancel", id, "--reason", "enough", "--json"});
  EXPECT_EQ(cancelled.code, kOk) << cancelled.err;
  EXPECT_EQ(cancelled.json().string_or("status"), "cancelled");
  EXPECT_EQ(avow({"run", "show", id, "--wait"}).code, kRefused);
  const Ended followed = avow({"run", "follow", id});
  EXPECT_EQ(followed.code, kRefused) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr("cancel_requested"));
  const std::string lines = avow({"run", "follow", id, "--json"}).out;
  EXPECT_TRUE(lines.starts_with("{")) << lines;
  EXPECT_THAT(lines, HasSubstr(R"("type":"run.cancelled")"));
  EXPECT_EQ(avow({"run", "follow", "maip-orch:00000000000000000000000001"}).code, kRefused);
}

TEST_F(CommandLine, PausesResumesAndApproves) {
  ASSERT_EQ(avow({"workflow", "create", file("ask.json", R"({"name": "asking",
      "timeout_seconds": 600, "steps": [{"name": "ask", "type": "approval",
      "config": {"prompt": "pay 7?", "allow_self": true}}]})")})
                .code,
            kOk);
  ASSERT_EQ(avow({"workflow", "publish", "asking"}).code, kOk);
  const std::string id = avow({"execute", "asking", "--json"}).json().string_or("run_id");
  EXPECT_EQ(
      avow({"run", "pause", id, "--reason", "look", "--json"}).json().string_or("waiting_for"),
      "paused");
  EXPECT_EQ(avow({"run", "resume", id, "--json"}).json().string_or("waiting_for"), "approval");
  EXPECT_THAT(avow({"run", "show", id}).out, HasSubstr("ask asks: pay 7?"));
  EXPECT_EQ(avow({"approve", id, "ask", "--subject-digest", std::string(64, '0')}).code, kRefused);
  const Ended approved = avow({"approve", id, "ask", "--comment", "as agreed", "--json"});
  EXPECT_EQ(approved.code, kOk) << approved.err;
  EXPECT_EQ(approved.json().string_or("status"), "completed");
}

TEST_F(CommandLine, ShowsEveryFaultOfADefinitionWithItsPlace) {
  const std::string bad = file("bad.json", R"({"name": "bad", "steps": [
      {"name": "a", "type": "transfrom"}, {"name": "b", "type": "wait", "depends_on": ["x"]}]})");
  const Ended refused = avow({"workflow", "validate", bad});
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_TRUE(refused.out.empty());
  const Ended not_created = avow({"workflow", "create", bad});
  EXPECT_EQ(not_created.code, kRefused);
  EXPECT_THAT(not_created.err, HasSubstr("avow: UNPROCESSABLE: "));
  for (const Ended& ended : {refused, not_created}) {
    EXPECT_THAT(ended.err, HasSubstr("  /steps/0/type: "));
    EXPECT_THAT(ended.err, HasSubstr("  /steps/1/depends_on/0: "));
  }

  const Ended as_json = avow({"workflow", "create", bad, "--json"});
  EXPECT_EQ(as_json.code, kRefused);
  EXPECT_EQ(as_json.json().string_or("code"), "UNPROCESSABLE");
  EXPECT_EQ(avow({"workflow", "validate", file("good.json", kWorkflow)}).out, "valid\n");
}

TEST_F(CommandLine, SaysWhichWorkflowThereIsNot) {
  ASSERT_EQ(avow({"workflow", "create", file("workflow.json", kWorkflow)}).code, kOk);
  const Ended refused = avow({"execute", "greeting"});  // a draft
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_THAT(refused.err, HasSubstr("there is no published workflow \"greeting\""));
}

TEST_F(CommandLine, MakesAndRevokesKeysThatReachNoFurtherThanTheyShould) {
  const json::Value made =
      avow({"keys", "create", "--name", "reader", "--scope", "workflows:read", "--json"}).json();
  const std::string full_key = key_;
  key_ = made.string_or("api_key");
  EXPECT_EQ(avow({"workflow", "list"}).code, kOk);
  const Ended refused = avow({"run", "list"});
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_THAT(refused.err, HasSubstr("FORBIDDEN"));
  key_ = full_key;
  EXPECT_THAT(avow({"keys", "list"}).out, HasSubstr("reader"));
  EXPECT_EQ(avow({"keys", "revoke", made.string_or("id")}).code, kOk);
  key_ = made.string_or("api_key");
  EXPECT_THAT(avow({"workflow", "list"}).err, HasSubstr("UNAUTHORIZED"));
}

TEST_F(CommandLine, MakesTenantsAndTheirFirstKeyWithThePlatformKey) {
  key_ = platform_key_;
  const json::Value tenant = avow({"tenants", "create", "--name", "acme", "--json"}).json();
  const Ended made = avow({"keys", "create", "--tenant-id", tenant.string_or("tenant_id"), "--name",
                           "first", "--scope", "*:*", "--json"});
  EXPECT_EQ(made.code, kOk) << made.err;
  key_ = made.json().string_or("api_key");
  EXPECT_EQ(avow({"workflow", "list"}).out, "none\n");
}

TEST_F(CommandLine, RegistersToolsAndAgents) {
  const Ended tool = avow({"tool", "create", "-"}, R"({"name": "search", "description": "Finds",
      "http": {"method": "GET", "url": "https://search.example/"}})");
  EXPECT_EQ(tool.code, kOk) << tool.err;
  const Ended agent = avow({"agent", "create", "--name", "Researcher", "--model", "avow/echo",
                            "--tool", "search", "--json"});
  EXPECT_EQ(agent.code, kOk) << agent.err;
  EXPECT_THAT(avow({"agent", "list"}).out, HasSubstr("Researcher"));
  EXPECT_THAT(avow({"tool", "list"}).out, HasSubstr("search"));
}

TEST_F(CommandLine, DoesNotLetAnAnswerDriveTheTerminal) {
  ASSERT_EQ(avow({"agent", "create", "--name", "evil \xC2\x9B name", "--json"}).code, kOk);
  EXPECT_THAT(avow({"agent", "list"}).out, Not(HasSubstr("\xC2\x9B")));
}

/// Stands between the command and the server, and answers itself where `answer` gives something.
class Between {
 public:
  using Answer = std::function<std::optional<net::Response>(const net::Request&)>;
  Between(std::uint16_t server, Answer answer)
      : server_(server),
        answer_(std::move(answer)),
        client_({.policy = {{*net::Cidr::parse("127.0.0.0/8")}}}, clock_) {
    auto started = net::HttpServer::start(
        {}, clock_, [this](const net::Request& request) -> net::Answer { return pass(request); },
        [](int status, std::string_view, const net::Request*) { return net::Response{status}; });
    CHECK(started);
    http_ = std::move(*started);
  }
  ~Between() {
    http_->stop(Duration::zero());
    client_.stop();
  }
  Between(const Between&) = delete;
  Between& operator=(const Between&) = delete;
  [[nodiscard]] std::uint16_t port() const { return http_->port(); }

 private:
  net::Response pass(const net::Request& request) {
    if (auto own = answer_(request)) return std::move(*own);
    net::ClientRequest on{.method = request.method,
                          .url = fmt::format("http://127.0.0.1:{}{}", server_, request.target)};
    on.headers.add("X-API-Key", *request.headers.find("X-API-Key"));
    auto answer = net::send_blocking(client_, std::move(on), std::chrono::seconds(60));
    return answer ? net::Response{answer->status, {}, std::move(answer->body)} : net::Response{502};
  }

  const std::uint16_t server_;
  const Answer answer_;
  SystemClock clock_;
  net::CurlClient client_;
  std::unique_ptr<net::HttpServer> http_;
};

net::Response refusal(int status, const std::string& message, net::Headers headers = {}) {
  return {status, std::move(headers),
          json::write(json::Object{{"code", "CONTENT_TOO_LARGE"}, {"message", message}})};
}

TEST_F(CommandLine, ABundleThatIsTooLongIsSaidToBeThereWithoutContents) {
  publish_greeting();
  const std::string input = file("input.json", R"({"name": "Ada Lovelace"})");
  const std::string run = avow({"execute", "greeting", "--input", input, "--follow", "--json"})
                              .json()
                              .string_or("run_id");
  const auto too_long = [](const net::Request& request) -> std::optional<net::Response> {
    const bool has_contents = request.query_value("contents") == nullptr;
    if (!request.path().ends_with("/bundle") || !has_contents) return {};
    return refusal(413, "the bundle is too long");
  };
  const Between between(server_->port(), too_long);
  const auto receipt = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"receipt", run, "--bundle", "--url",
                               fmt::format("http://127.0.0.1:{}", between.port()), "--key", key_});
    return run_alone(more);
  };
  const Ended refused = receipt({});
  EXPECT_EQ(refused.code, kRefused);
  EXPECT_THAT(refused.err, HasSubstr("the bundle is too long"));
  EXPECT_THAT(refused.err, HasSubstr("--no-contents"));
  const Ended sealed = receipt({"--no-contents"});
  EXPECT_EQ(sealed.code, kOk) << sealed.err;
  EXPECT_THAT(sealed.out, Not(HasSubstr("Lovelace")));
  const std::string path = file("bundle.json", sealed.out);
  EXPECT_EQ(run_alone({"verify", path, "--key", log_key_}).code, kOk);
}

TEST_F(CommandLine, AnAuditSaysWhatCouldNotBeCheckedAndGoesOnWithTheRest) {
  publish_greeting();
  const std::string input = file("input.json", R"({"name": "Ada"})");
  std::vector<std::string> runs;
  for (int i = 0; i < 3; ++i) {
    const Ended done = avow({"execute", "greeting", "--input", input, "--follow", "--json"});
    runs.push_back(done.json().string_or("run_id"));
  }
  const std::string first = "rcpt_" + parse_id(runs.front())->ulid();
  std::atomic<int> status = 413;
  std::atomic<int> busy = 0;
  std::atomic<int> bundles = 0;
  std::atomic<bool> asks_contents = false;
  std::atomic<bool> is_always_busy = false;
  const auto answer = [&](const net::Request& request) -> std::optional<net::Response> {
    if (!request.path().ends_with("/bundle")) return {};
    const std::string* contents = request.query_value("contents");
    if (contents == nullptr || *contents != "false") asks_contents = true;
    // A server that is busy says when to ask again.
    if (++busy % 2 == 1 || is_always_busy) return refusal(503, "later", {{"Retry-After", "0"}});
    ++bundles;
    if (request.path().find(first) == std::string_view::npos) return {};
    return refusal(status, "no bundle");
  };
  const Between between(server_->port(), answer);
  const auto audit = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"audit", "tenant", "--log-key", log_key_, "--url",
                               fmt::format("http://127.0.0.1:{}", between.port()), "--key", key_});
    return run_alone(more);
  };
  const Ended partial = audit({});
  EXPECT_EQ(partial.code, kUsage) << partial.out << partial.err;
  EXPECT_EQ(bundles, 3);
  EXPECT_FALSE(asks_contents);
  EXPECT_THAT(partial.out, HasSubstr("UNKNOWN  " + first + ": could not be checked: "));
  EXPECT_THAT(partial.out, HasSubstr("passed   2 finished runs"));
  const json::Value told = audit({"--json"}).json();
  EXPECT_FALSE(told.bool_or("complete", true));
  EXPECT_EQ(told.find("findings")->as_array().size(), 0U);
  EXPECT_EQ(told.find("unchecked")->as_array().size(), 1U);

  status = 404;  // what the list has and the server has not is missing
  const Ended missing = audit({});
  EXPECT_EQ(missing.code, kRefused);
  EXPECT_THAT(missing.out, HasSubstr("FAILED   " + first));

  is_always_busy = true;  // it is waited for at the first bundle, and not at each
  busy = 0;
  EXPECT_EQ(audit({}).code, kUsage);
  EXPECT_EQ(busy, 21 + 1 + 1);
}

TEST(CommandLineAlone, TeachesWhatItCanDoAndItsExitCodes) {
  const Ended help = run_alone({"--help"});
  EXPECT_EQ(help.code, kOk);
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  for (const std::vector<std::string>& command : {std::vector<std::string>{"init"},
                                                  {"serve"},
                                                  {"execute"},
                                                  {"workflow", "create"},
                                                  {"workflow", "publish"},
                                                  {"run", "show"},
                                                  {"keys", "create"},
                                                  {"tenants", "create"},
                                                  {"agent", "create"},
                                                  {"tool", "create"}}) {
    std::vector<std::string> arguments = command;
    arguments.emplace_back("--help");
    const Ended shown = run_alone(arguments);
    EXPECT_EQ(shown.code, kOk);
    EXPECT_THAT(shown.out, HasSubstr("Example")) << command.back();
  }
}

TEST(CommandLineAlone, EndsWithTwoWhereTheCommandLineIsWrong) {
  EXPECT_EQ(run_alone({}).code, kUsage);
  EXPECT_EQ(run_alone({"dance"}).code, kUsage);
  EXPECT_EQ(run_alone({"execute"}).code, kUsage);
  EXPECT_EQ(run_alone({"run", "show", "x", "--loud"}).code, kUsage);
  EXPECT_EQ(run_alone({"workflow", "create", "/nowhere/workflow.json"}).code, kUsage);
  EXPECT_EQ(run_alone({"execute", "x", "--input", "-"}, "{").code, kUsage);
  EXPECT_EQ(run_alone({"execute", "x", "--param", "novalue"}).code, kUsage);
  EXPECT_EQ(run_alone({"init", "--data-dir", "/nowhere/x", "--origin", "https://a"}).code, kUsage);
  EXPECT_EQ(run_alone({"serve", "--data-dir", "x", "--listen", "8080"}).code, kUsage);
  EXPECT_EQ(run_alone({"workflow", "list", "--url", "ftp://x"}).code, kUsage);
}

/// What `--payload "$EXPECTED"` is where the variable is not set: a check less, if it passed.
TEST(CommandLineAlone, RefusesAnOptionThatIsEmpty) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"verify", "x", "--payload", ""},
        {"verify", "x", "--payload", "1", "--member", ""},
        {"verify", "x", "--key", "k", "--policy", ""},
        {"verify", "x", "--key", ""},
        {"verify", "x", "--key", "k", "--key", ""},
        {"verify", ""},
        {"audit", "tenant", "--log-key", ""},
        {"audit", "tenant", "--key", ""},
        {"log", "audit", "x", "--old", ""},
        {"receipt", ""},
        {"receipt", "x", "--step", ""},
        {"receipt", "x", "--reveal", ""},
        {"receipt", "x", "--out", ""},
        {"keys", "create", "--name", "x", "--scope", "tasks:work", "--agent", ""}}) {
    const Ended ended = run_alone(command);
    EXPECT_EQ(ended.code, kUsage);
    EXPECT_THAT(ended.err, HasSubstr(" is empty")) << fmt::format("{}", fmt::join(command, " "));
  }
}

TEST(CommandLineAlone, RefusesAnOptionWithNothingBehindItsSign) {
  const Ended ended = run_alone({"verify", "x", "--payload="});
  EXPECT_EQ(ended.code, kUsage);
  EXPECT_THAT(ended.err, HasSubstr("--payload"));
}

TEST(CommandLineAlone, RefusesWhatTheServerWouldRefuseOrNobodyWouldCheck) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"verify", "x", "--member", "output"},
        {"verify", "x", "--entry", "e", "--payload", "1"},
        {"receipt", "x", "--bundle", "--witnessed"},
        {"receipt", "x", "--bundle", "--format", "cose"},
        {"receipt", "x", "--bundle", "--step", "a"},
        {"receipt", "x", "--bundle", "--reveal", "output"},
        {"receipt", "x", "--reveal", "output", "--format", "sigstore"},
        {"receipt", "x", "--no-contents"}}) {
    const Ended ended = run_alone(command);
    EXPECT_EQ(ended.code, kUsage) << fmt::format("{}", fmt::join(command, " "));
    EXPECT_THAT(ended.err, AnyOf(HasSubstr("excludes"), HasSubstr("requires")));
  }
}

TEST(CommandLineAlone, ChecksATlogProofForAnEntryAndNothingElseForOne) {
  for (const auto& [file, more] :
       {std::pair{"c2sp.org/tlog-proof@v1\n", std::vector<std::string>{}},
        {"{}", {"--entry", "e"}}}) {
    std::vector<std::string> command = {"verify", "-"};
    command.insert(command.end(), more.begin(), more.end());
    const Ended ended = run_alone(command, file);
    EXPECT_EQ(ended.code, kUsage);
    EXPECT_THAT(ended.err, HasSubstr("--entry"));
  }
}

TEST(CommandLineAlone, EndsWithThreeWhereNobodyAnswers) {
  // Port 1 of this machine: nobody listens there.
  const Ended ended = run_alone({"workflow", "list", "--url", "http://127.0.0.1:1"});
  EXPECT_EQ(ended.code, kUnreachable);
  EXPECT_THAT(ended.err, HasSubstr("cannot reach the server at http://127.0.0.1:1"));
}

}  // namespace
}  // namespace avow::cli
