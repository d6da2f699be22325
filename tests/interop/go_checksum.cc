// SPDX-License-Identifier: Apache-2.0
#include "tests/interop/go_checksum.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>

#include "base/check.h"
#include "base/log.h"

namespace avow {
namespace {

constexpr const char* kGoPath = "/usr/share/gocode";  // where Debian puts golang-*-dev

}  // namespace

CommandEnd run_shell(const std::string& line) {
  FILE* const pipe = ::popen((line + " 2>&1").c_str(), "re");
  CHECK(pipe != nullptr);
  CommandEnd end;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    end.output.append(buffer.data(), n);
  }
  const int status = ::pclose(pipe);
  end.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return end;
}

std::string GoChecksum::missing() {
  if (run_shell("go version").exit_code != 0) return "go is not installed (golang-go)";
  if (!std::filesystem::exists(std::string(kGoPath) + "/src/golang.org/x/mod/sumdb/tlog")) {
    return "golang.org/x/mod is not installed (golang-golang-x-mod-dev)";
  }
  return {};
}

GoChecksum::GoChecksum() {
  // Without modules Go takes what Debian installed, and asks no network. What it compiles it keeps
  // beside the tests.
  const auto cache =
      std::filesystem::absolute(std::filesystem::path(AVOW_PROGRAM).parent_path() / "go-cache");
  const CommandEnd end = run_shell(fmt::format(
      "cd tests/interop/go_checksum && GO111MODULE=off GOFLAGS= GOTOOLCHAIN=local GOPATH={} "
      "GOCACHE={} CGO_ENABLED=0 go build -o {}/go_checksum .",
      kGoPath, cache.string(), folder_.path().string()));
  if (end.exit_code != 0) log::error("go build: {}", end.output);
  CHECK(end.exit_code == 0);
}

CommandEnd GoChecksum::run(const std::vector<std::string>& arguments) const {
  std::string line = (folder_.path() / "go_checksum").string();
  for (const std::string& argument : arguments) line += " '" + argument + "'";
  return run_shell(line);
}

}  // namespace avow
