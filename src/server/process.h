// SPDX-License-Identifier: Apache-2.0
// server/process.h: what a server sets for its whole process, and how it is told to end.
#pragma once

namespace avow::server {

/// As many open files as the system allows; SIGPIPE and SIGXFSZ ignored, so that a peer that went
/// or a full disk is an error of the call, not the end of the process.
void prepare_process();

/// SIGTERM and SIGINT as something to wait for. Make it before any thread starts, since they
/// inherit the mask. One in a process.
class ShutdownSignals {
 public:
  ShutdownSignals();
  ShutdownSignals(const ShutdownSignals&) = delete;
  ShutdownSignals& operator=(const ShutdownSignals&) = delete;
  /// Waits for the first; says which. A second one then ends the process at once.
  int wait();
};

}  // namespace avow::server
