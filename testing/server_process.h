// SPDX-License-Identifier: Apache-2.0
// testing/server_process.h: the real program as a process of its own, over a data directory that
// goes with the test. Blocking; one thread, which must outlive the process: when it ends, the
// program is killed.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace avow::testing {

/// A folder of its own under the system's temporary one; gone with everything in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// What `avow init` made.
class Deployment {
 public:
  /// Runs `program init`. CHECKs that it works.
  explicit Deployment(std::string program);

  [[nodiscard]] const std::string& program() const { return program_; }
  [[nodiscard]] std::string folder() const { return (folder_.path() / "data").string(); }
  [[nodiscard]] const std::filesystem::path& beside() const { return folder_.path(); }

  std::string tenant_id;
  std::string api_key;
  std::string platform_key;

 private:
  const std::string program_;
  TemporaryFolder folder_;
};

/// `avow serve` on a loopback port that the system chooses.
class ServerProcess {
 public:
  /// Starts it with the settings `config` (YAML; empty: none) and waits until it listens.
  /// Errors: kUnavailable  it ended first; the message holds the end of its log
  static Result<std::unique_ptr<ServerProcess>> start(const Deployment& deployment,
                                                      const std::string& config = {});
  /// Kills it if it still runs.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// SIGKILL, and waits until the process is gone. Also after it is.
  void kill();
  /// SIGTERM, and waits. Returns the exit code, or minus the signal that ended it.
  int terminate();
  /// The end of what it wrote to its log.
  [[nodiscard]] std::string log_end() const;

 private:
  ServerProcess() = default;
  int wait();

  pid_t process_ = -1;
  std::uint16_t port_ = 0;
  std::filesystem::path log_;
};

}  // namespace avow::testing
