// SPDX-License-Identifier: Apache-2.0
#include "testing/server_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>

#include "base/check.h"
#include "json/parse.h"

namespace avow::testing {
namespace {

/// A process, and the end of its standard output to read from.
struct Child {
  pid_t process = -1;
  int output = -1;
};

Child spawn(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  std::vector<char*> words;
  for (const std::string& one : arguments) words.push_back(const_cast<char*>(one.c_str()));
  words.push_back(nullptr);
  std::array<int, 2> ends{};
  CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const int errors = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const pid_t child = ::fork();
  CHECK(child >= 0);
  if (child == 0) {
    // Other threads of the test may hold locks: only calls that are safe after fork from here on.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(ends[1], STDOUT_FILENO);
    ::dup2(errors, STDERR_FILENO);
    ::execv(words[0], words.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  ::close(errors);
  return {child, ends[0]};
}

/// Up to the first line feed, or the end.
std::string read_line(int output) {
  std::string line;
  char one = 0;
  while (::read(output, &one, 1) == 1 && one != '\n') line += one;
  return line;
}

int wait_for(pid_t process) {
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "avow-test-XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Deployment::Deployment(std::string program) : program_(std::move(program)) {
  const Child child =
      spawn({program_, "init", "--data-dir", folder(), "--json"}, beside() / "init.log");
  const std::string line = read_line(child.output);
  ::close(child.output);
  CHECK(wait_for(child.process) == 0);
  const auto made = json::parse(line);
  CHECK(made.has_value());
  tenant_id = made->string_or("tenant_id");
  api_key = made->string_or("api_key");
  platform_key = made->string_or("platform_key");
}

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(const Deployment& deployment,
                                                            const std::string& config) {
  std::unique_ptr<ServerProcess> server(new ServerProcess());
  server->log_ = deployment.beside() / "serve.log";
  std::vector<std::string> arguments = {deployment.program(), "serve",    "--data-dir",
                                        deployment.folder(),  "--listen", "127.0.0.1:0"};
  if (!config.empty()) {
    const std::filesystem::path file = deployment.beside() / "avow.yaml";
    std::ofstream(file) << config;
    arguments.insert(arguments.end(), {"--config", file.string()});
  }
  const Child child = spawn(arguments, server->log_);
  server->process_ = child.process;
  const std::string line = read_line(child.output);
  ::close(child.output);  // it prints nothing else
  constexpr std::string_view kListening = "listening on http://127.0.0.1:";
  if (line.starts_with(kListening)) {
    const std::string_view port = std::string_view(line).substr(kListening.size());
    std::from_chars(port.data(), port.data() + port.size(), server->port_);
    return server;
  }
  server->kill();
  return failure(Code::kUnavailable, "the server did not start: {}", server->log_end());
}

ServerProcess::~ServerProcess() { kill(); }

int ServerProcess::wait() {
  const int code = wait_for(process_);
  process_ = -1;
  return code;
}

void ServerProcess::kill() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  (void)wait();
}

int ServerProcess::terminate() {
  CHECK(process_ >= 0);
  ::kill(process_, SIGTERM);
  return wait();
}

std::string ServerProcess::log_end() const {
  std::ifstream file(log_);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  constexpr std::size_t kShown = 2000;
  return text.size() > kShown ? text.substr(text.size() - kShown) : text;
}

}  // namespace avow::testing
