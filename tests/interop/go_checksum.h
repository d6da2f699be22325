// SPDX-License-Identifier: Apache-2.0
// tests/interop/go_checksum.h: runs the program in go_checksum/, which checks a log with Go's
// packages for its checksum database, as Debian ships them. Blocking; one thread.
#pragma once
#include <string>
#include <vector>

#include "testing/server_process.h"

namespace avow {

struct CommandEnd {
  int exit_code = -1;
  std::string output;  ///< stdout and stderr.
};
/// Runs a line of shell.
CommandEnd run_shell(const std::string& line);

class GoChecksum {
 public:
  /// Why it cannot run here; empty: it can.
  static std::string missing();
  /// Builds it, without any network. CHECKs that it compiles.
  GoChecksum();
  /// Runs it with these arguments, which hold no quotes.
  [[nodiscard]] CommandEnd run(const std::vector<std::string>& arguments) const;

 private:
  testing::TemporaryFolder folder_;
};

}  // namespace avow
