// SPDX-License-Identifier: Apache-2.0
// tests/cli/program.h: the program as a process of its own, and a data directory for it.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/check.h"
#include "json/parse.h"

namespace avow {

namespace fs = std::filesystem;

inline constexpr int kPatienceMs = 60'000;

/// A program that this test started; its stdout is read here, its stderr goes to a file.
class Process {
 public:
  Process(const std::vector<std::string>& command, const std::string& error_file) {
    std::array<int, 2> ends{};
    CHECK(::pipe2(ends.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error_file.c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    std::vector<char*> arguments;
    arguments.reserve(command.size() + 1);
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    CHECK(posix_spawnp(&id_, arguments[0], &actions, nullptr, arguments.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    output_ = ends[0];
  }
  ~Process() {
    if (id_ > 0) {
      ::kill(id_, SIGKILL);
      ::waitpid(id_, nullptr, 0);
    }
    ::close(output_);
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  /// The next line of its output; what came so far if it ended or takes too long.
  std::string line() {
    while (text_.find('\n') == std::string::npos && read_more()) {
    }
    const std::size_t end = std::min(text_.find('\n'), text_.size());
    std::string out = text_.substr(0, end);
    text_.erase(0, end + 1);
    return out;
  }
  /// All the rest.
  std::string rest() {
    while (read_more()) {
    }
    return std::move(text_);
  }
  void signal(int number) const { ::kill(id_, number); }
  /// Its exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    ::waitpid(id_, &status, 0);
    id_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  bool read_more() {
    pollfd ready{output_, POLLIN, 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0) return false;
    std::array<char, 4096> buffer{};
    const ssize_t count = ::read(output_, buffer.data(), buffer.size());
    if (count > 0) text_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  }

  pid_t id_ = 0;
  int output_ = -1;
  std::string text_;
};

class Program : public ::testing::Test {
 protected:
  Program() {
    std::string name = (fs::temp_directory_path() / "avow-program-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    Process init({AVOW_PROGRAM, "init", "--data-dir", data(), "--json"}, errors());
    keys_ = *json::parse(init.rest());
    CHECK(init.wait() == 0);
  }
  ~Program() override { fs::remove_all(root_); }

  [[nodiscard]] std::string data() const { return (root_ / "data").string(); }
  [[nodiscard]] std::string errors() const { return (root_ / "errors").string(); }
  [[nodiscard]] std::string error_text() const {
    std::ifstream file(errors());
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  [[nodiscard]] std::vector<std::string> serve(std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {AVOW_PROGRAM, "serve",    "--data-dir",
                                        data(),       "--listen", "127.0.0.1:0"};
    command.insert(command.end(), more.begin(), more.end());
    return command;
  }

  fs::path root_;
  json::Value keys_;
};

}  // namespace avow
