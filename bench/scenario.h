// SPDX-License-Identifier: Apache-2.0
// bench/scenario.h: one workflow, executed by some clients on a server that has nothing else to do.
#pragma once
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow::bench {

/// What the steps of the workflow are. Each step takes what the one before it gave.
enum class StepKind {
  kPure,     ///< transform: nothing leaves the server, a run is one commit.
  kWebhook,  ///< webhook: an HTTP call a step, to a stub of ours.
  kTool,     ///< tool_call: the same through a registered HTTP tool.
  kFanOut,   ///< One webhook for each of `steps` items of a list, at once, and a step that joins
             ///< them.
  kAgent     ///< An agent by itself: its model asks for a tool `steps` times, one after the other.
};
std::string_view kind_name(StepKind kind);

struct Scenario {
  StepKind kind = StepKind::kPure;
  std::size_t steps = 1;  ///< Of kFanOut items, of kAgent tool calls.
  std::size_t clients = 1;
};

struct LoadOptions {
  std::filesystem::path avow;       ///< The program.
  std::filesystem::path serve;      ///< What serves, where it is another program.
  bool with_receipts = false;       ///< Each run counts until its receipt is in the client's hand.
  std::filesystem::path directory;  ///< Data directories are made here: its disk is measured.
  std::chrono::duration<double> warm_up{0.5};
  std::chrono::duration<double> duration{2};  ///< Of each repeat.
  std::size_t repeats = 3;
};

/// Of each figure the median over the repeats, save where it says otherwise.
struct Figures {
  double runs_per_second = 0;
  double steps_per_second = 0;
  double p50_ms = 0;
  double p99_ms = 0;
  double server_cpu_us_per_run = 0;
  double server_cpu_s = 0;           ///< Of all repeats together.
  double other_cpu_s = 0;            ///< Of everybody else, all repeats: should be near nothing.
  double client_cpu_us_per_run = 0;  ///< This process: the clients and the stub.
  double bytes_written_per_run = 0;
  double fdatasync_us = 0;     ///< Median of 200 before each repeat.
  double resident_mb = 0;      ///< The server's, at the end.
  double proportional_mb = 0;  ///< The same, shared pages divided.
  std::uint64_t runs = 0;      ///< All repeats together.
};

/// Starts a server in a fresh folder, makes the workflow, warms up and measures. Every answer is
/// checked: a run that is not completed is an error.
Result<Figures> measure(const Scenario& scenario, const LoadOptions& options);

}  // namespace avow::bench
