// SPDX-License-Identifier: Apache-2.0
// bench/server_process.h: an `avow serve` of our own in a fresh folder, and what it uses.
#pragma once
#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace avow::bench {

/// A folder that is removed with everything in it.
class Folder {
 public:
  /// A new one inside `parent`. Errors: kUnavailable
  static Result<std::unique_ptr<Folder>> create(const std::filesystem::path& parent);
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// What a process has used since its start, and holds now.
struct Usage {
  std::chrono::duration<double> cpu{};  ///< In user mode and in the kernel.
  std::uint64_t bytes_written = 0;      ///< Handed to block devices (write_bytes).
  std::uint64_t resident_bytes = 0;
  std::uint64_t proportional_bytes = 0;
};

class ServerProcess {
 public:
  /// Runs `avow init` and `avow serve` (of the program `serve`, unless that is empty) with a data
  /// directory in `folder`, calls to 127.0.0.0/8 allowed, a model "bench" at `models`. It ends with
  /// this process, whatever happens. Errors: kUnavailable
  static Result<std::unique_ptr<ServerProcess>> start(const std::filesystem::path& avow,
                                                      const std::filesystem::path& serve,
                                                      const std::filesystem::path& folder,
                                                      const std::string& models);
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  /// SIGTERM and, if it is still there after 15 s, SIGKILL; waits for its end.
  ~ServerProcess();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] const std::string& api_key() const { return api_key_; }
  /// Errors: kUnavailable (it has ended)
  [[nodiscard]] Result<Usage> usage() const;

 private:
  ServerProcess(pid_t pid, std::uint16_t port, std::string api_key)
      : pid_(pid), port_(port), api_key_(std::move(api_key)) {}
  const pid_t pid_;
  const std::uint16_t port_;
  const std::string api_key_;
};

/// What all processes of the machine have used since it started.
std::chrono::duration<double> machine_cpu();

/// The median of fdatasync after appending 4 KiB to a new file in `folder`.
/// Errors: kUnavailable
Result<std::chrono::nanoseconds> median_fdatasync(const std::filesystem::path& folder);

}  // namespace avow::bench
