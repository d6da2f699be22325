// SPDX-License-Identifier: Apache-2.0
#include "bench/server_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <sstream>
#include <vector>

#include "json/parse.h"

namespace avow::bench {
namespace {

constexpr int kStartWaitMs = 20'000;
constexpr int kStopWaitMs = 15'000;
constexpr int kStopPollMs = 10;
constexpr int kSyncSamples = 200;

Error system_error(std::string_view what) {
  return failure(Code::kUnavailable, "{}: {}", what, std::strerror(errno));
}

struct Child {
  pid_t pid = -1;
  int output = -1;  ///< Its stdout.
};

/// Starts `arguments`, its stderr appended to `log`.
Result<Child> spawn(const std::vector<std::string>& arguments, const std::filesystem::path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));  // NOLINT: what exec asks for
  }
  argv.push_back(nullptr);
  const int log_file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  std::array<int, 2> pipe{};
  if (log_file < 0 || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return system_error("start a process");
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(pipe[1], STDOUT_FILENO);
    ::dup2(log_file, STDERR_FILENO);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ::close(log_file);
  ::close(pipe[1]);
  if (pid < 0) return system_error("fork");
  return Child{pid, pipe[0]};
}

/// What arrives on `output` up to its end, or up to `stop` if that is not empty.
std::string read_until(int output, std::string_view stop) {
  std::string text;
  std::array<char, 4096> buffer{};
  pollfd waiting{output, POLLIN, 0};
  while (::poll(&waiting, 1, kStartWaitMs) > 0) {
    const ssize_t got = ::read(output, buffer.data(), buffer.size());
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (!stop.empty() && text.find(stop) != std::string::npos) break;
  }
  return text;
}

std::string text_of(const std::filesystem::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

/// The number behind `name` at the start of a line of a /proc file.
std::uint64_t field(std::string_view text, std::string_view name) {
  std::size_t at = text.find(name);
  if (at == std::string_view::npos) return 0;
  at = text.find_first_of("0123456789", at + name.size());
  std::uint64_t number = 0;
  if (at != std::string_view::npos)
    std::from_chars(text.data() + at, text.data() + text.size(), number);
  return number;
}

std::chrono::duration<double> seconds_of_ticks(double ticks) {
  return std::chrono::duration<double>(ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
}

Result<std::string> init(const std::filesystem::path& avow, const std::filesystem::path& folder) {
  const std::string data = folder / "data";
  ASSIGN_OR_RETURN(
      const Child child,
      spawn({avow, "init", "--data-dir", data, "--tenant", "bench", "--json"}, folder / "log"));
  const std::string output = read_until(child.output, {});
  ::close(child.output);
  int status = 0;
  ::waitpid(child.pid, &status, 0);
  const auto made = json::parse(output);
  if (status != 0 || !made || made->string_or("api_key").empty()) {
    return failure(Code::kUnavailable, "{} init failed: {}", avow.string(),
                   text_of(folder / "log"));
  }
  return made->string_or("api_key");
}

/// Behind "listening on http://HOST:"; 0 if there is none.
std::uint16_t port_in(std::string_view text) {
  const std::size_t at = text.find("listening on http://");
  if (at == std::string_view::npos) return 0;
  return static_cast<std::uint16_t>(field(text.substr(at), "127.0.0.1:"));
}

}  // namespace

Result<std::unique_ptr<Folder>> Folder::create(const std::filesystem::path& parent) {
  std::string pattern = parent / "avow-load-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) return system_error("make a folder");
  return std::unique_ptr<Folder>(new Folder(pattern));
}

Folder::~Folder() {
  std::error_code ignored;  // what is left behind harms no measurement
  std::filesystem::remove_all(path_, ignored);
}

Result<std::unique_ptr<ServerProcess>> ServerProcess::start(const std::filesystem::path& avow,
                                                            const std::filesystem::path& serve,
                                                            const std::filesystem::path& folder,
                                                            const std::string& models) {
  ASSIGN_OR_RETURN(std::string api_key, init(avow, folder));
  const std::string config = folder / "avow.yaml";
  std::ofstream(config) << "outbound:\n  allow: [\"127.0.0.0/8\"]\n"
                        << "models:\n  bench:\n    provider: openai\n    base_url: " << models
                        << "\n";
  const std::string data = folder / "data";
  ASSIGN_OR_RETURN(const Child child, spawn({serve.empty() ? avow : serve, "serve", "--data-dir",
                                             data, "--listen", "127.0.0.1:0", "--config", config},
                                            folder / "log"));
  const std::uint16_t port = port_in(read_until(child.output, "\n"));
  // The server writes nothing more there.
  ::close(child.output);
  std::unique_ptr<ServerProcess> server(new ServerProcess(child.pid, port, std::move(api_key)));
  if (port == 0) {
    return failure(Code::kUnavailable, "{} serve did not start: {}", avow.string(),
                   text_of(folder / "log"));
  }
  return server;
}

ServerProcess::~ServerProcess() {
  ::kill(pid_, SIGTERM);
  for (int waited_ms = 0; ::waitpid(pid_, nullptr, WNOHANG) == 0; waited_ms += kStopPollMs) {
    if (waited_ms >= kStopWaitMs) ::kill(pid_, SIGKILL);
    ::usleep(kStopPollMs * 1000);
  }
}

Result<Usage> ServerProcess::usage() const {
  const std::filesystem::path proc = fmt::format("/proc/{}", pid_);
  const std::string stat = text_of(proc / "stat");
  // The name, in parentheses, may hold anything; utime and stime are the 12th and 13th behind it.
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return failure(Code::kUnavailable, "the server has ended");
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;
  double user_ticks = 0;
  double system_ticks = 0;
  fields >> user_ticks >> system_ticks;
  const std::string memory = text_of(proc / "smaps_rollup");
  return Usage{.cpu = seconds_of_ticks(user_ticks + system_ticks),
               .bytes_written = field(text_of(proc / "io"), "\nwrite_bytes:"),
               .resident_bytes = field(memory, "\nRss:") * 1024,
               .proportional_bytes = field(memory, "\nPss:") * 1024};
}

std::chrono::duration<double> machine_cpu() {
  std::istringstream fields(text_of("/proc/stat"));
  std::string name;
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double waiting = 0;
  double interrupts = 0;
  double soft_interrupts = 0;
  fields >> name >> user >> nice >> system >> idle >> waiting >> interrupts >> soft_interrupts;
  return seconds_of_ticks(user + nice + system + interrupts + soft_interrupts);
}

Result<std::chrono::nanoseconds> median_fdatasync(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / "fdatasync";
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return system_error("measure fdatasync");
  const std::string block(4096, 'x');
  std::vector<std::chrono::nanoseconds> times;
  bool has_failed = false;
  for (int i = 0; i < kSyncSamples && !has_failed; ++i) {
    has_failed = ::write(file, block.data(), block.size()) != static_cast<ssize_t>(block.size());
    const auto began = std::chrono::steady_clock::now();
    has_failed = has_failed || ::fdatasync(file) != 0;
    times.push_back(std::chrono::steady_clock::now() - began);
  }
  const Error error = system_error("measure fdatasync");
  ::close(file);
  ::unlink(path.c_str());
  if (has_failed) return error;
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

}  // namespace avow::bench
