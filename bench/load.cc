// SPDX-License-Identifier: Apache-2.0
// avow_load: runs/s, latency, CPU and bytes of `avow serve`, end to end over HTTP
// (docs/performance.md).
#include <sys/utsname.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <thread>

#include "base/time.h"
#include "bench/scenario.h"
#include "json/write.h"

namespace avow::bench {
namespace {

struct Options {
  LoadOptions load;
  std::vector<StepKind> kinds{StepKind::kPure, StepKind::kWebhook, StepKind::kTool};
  std::vector<std::size_t> steps{1, 3, 5};
  std::vector<std::size_t> clients{1, 16, 64};
  double seconds = 2;
  bool is_json = false;
};

void declare(CLI::App& app, Options& options) {
  const std::map<std::string, StepKind> kinds{{"pure", StepKind::kPure},
                                              {"webhook", StepKind::kWebhook},
                                              {"tool", StepKind::kTool},
                                              {"fan-out", StepKind::kFanOut},
                                              {"agent", StepKind::kAgent}};
  app.add_option("avow", options.load.avow, "The program to measure")
      ->required()
      ->check(CLI::ExistingFile);
  app.add_option("--kind", options.kinds, "What the steps are [pure,webhook,tool]")
      ->delimiter(',')
      ->transform(
          CLI::CheckedTransformer(kinds).description("pure, webhook, tool, fan-out, agent"));
  app.add_option("--steps", options.steps, "Steps of a workflow [1,3,5]")
      ->delimiter(',')
      ->check(CLI::Range(1, 100));
  app.add_option("--clients", options.clients, "Clients at a time [1,16,64]")
      ->delimiter(',')
      ->check(CLI::Range(1, 512));
  app.add_option("--seconds", options.seconds, "Length of one repeat [2]")
      ->check(CLI::Range(0.1, 600.0));
  app.add_option("--repeats", options.load.repeats, "Repeats; medians are shown [3]")
      ->check(CLI::Range(1, 99));
  app.add_option("--serve", options.load.serve,
                 "The program that serves, if another one: avow_without_log [the same]")
      ->check(CLI::ExistingFile);
  app.add_flag("--receipts", options.load.with_receipts,
               "A run counts until its receipt is in the client's hand");
  app.add_option("--directory", options.load.directory,
                 "Where data directories are made: the disk that is measured [the temporary one]")
      ->check(CLI::ExistingDirectory);
  app.add_flag("--json", options.is_json, "A JSON object a line instead of a table");
}

void print_header() {
  utsname system{};
  ::uname(&system);
  fmt::print("{}, {} processors, {} {}\n", format_time(SystemClock().now()),
             std::thread::hardware_concurrency(), system.sysname, system.release);
  fmt::print(
      "us and bytes are for one run; sync: the median fdatasync of 4 KiB; other: CPU seconds "
      "of other processes meanwhile\n");
  fmt::print(
      "{:<8} {:>5} {:>7} | {:>7} {:>7} {:>7} {:>7} | {:>8} {:>9} {:>9} {:>7} {:>6} | {:>7} {:>7}\n",
      "kind", "steps", "clients", "runs/s", "steps/s", "p50 ms", "p99 ms", "server s", "server us",
      "client us", "bytes", "RSS MB", "sync us", "other s");
}

void print_row(const Scenario& scenario, const Figures& figures) {
  fmt::print(
      "{:<8} {:>5} {:>7} | {:>7.0f} {:>7.0f} {:>7.3f} {:>7.3f} | {:>8.2f} {:>9.0f} {:>9.0f} "
      "{:>7.0f} {:>6.1f} | {:>7.0f} {:>7.2f}\n",
      kind_name(scenario.kind), scenario.steps, scenario.clients, figures.runs_per_second,
      figures.steps_per_second, figures.p50_ms, figures.p99_ms, figures.server_cpu_s,
      figures.server_cpu_us_per_run, figures.client_cpu_us_per_run, figures.bytes_written_per_run,
      figures.resident_mb, figures.fdatasync_us, figures.other_cpu_s);
}

void print_json(const Scenario& scenario, const Figures& figures) {
  const json::Value line =
      json::Object{{"kind", kind_name(scenario.kind)},
                   {"steps", static_cast<std::int64_t>(scenario.steps)},
                   {"clients", static_cast<std::int64_t>(scenario.clients)},
                   {"runs", figures.runs},
                   {"runs_per_second", json::Value::number(figures.runs_per_second)},
                   {"steps_per_second", json::Value::number(figures.steps_per_second)},
                   {"p50_ms", json::Value::number(figures.p50_ms)},
                   {"p99_ms", json::Value::number(figures.p99_ms)},
                   {"server_cpu_s", json::Value::number(figures.server_cpu_s)},
                   {"server_cpu_us_per_run", json::Value::number(figures.server_cpu_us_per_run)},
                   {"client_cpu_us_per_run", json::Value::number(figures.client_cpu_us_per_run)},
                   {"other_cpu_s", json::Value::number(figures.other_cpu_s)},
                   {"bytes_written_per_run", json::Value::number(figures.bytes_written_per_run)},
                   {"fdatasync_us", json::Value::number(figures.fdatasync_us)},
                   {"resident_mb", json::Value::number(figures.resident_mb)},
                   {"proportional_mb", json::Value::number(figures.proportional_mb)}};
  fmt::print("{}\n", json::write(line));
}

int run(const Options& options) {
  if (!options.is_json) print_header();
  for (const StepKind kind : options.kinds) {
    for (const std::size_t steps : options.steps) {
      for (const std::size_t clients : options.clients) {
        const Scenario scenario{kind, steps, clients};
        const auto figures = measure(scenario, options.load);
        if (!figures) {
          fmt::print(stderr, "avow_load: {}\n", figures.error().message);
          return 1;
        }
        options.is_json ? print_json(scenario, *figures) : print_row(scenario, *figures);
        std::fflush(stdout);
      }
    }
  }
  return 0;
}

}  // namespace
}  // namespace avow::bench

int main(int argc, char** argv) {
  avow::bench::Options options;
  options.load.directory = std::filesystem::temp_directory_path();
  CLI::App app("Measures a server of its own: closed loops of clients that execute a workflow.");
  avow::bench::declare(app, options);
  CLI11_PARSE(app, argc, argv);
  options.load.duration = std::chrono::duration<double>(options.seconds);
  return avow::bench::run(options);
}
