// SPDX-License-Identifier: Apache-2.0
// avow_without_log: `avow serve` with neither statements, entries, tiles nor checkpoints, so that
// one can measure what they cost. Runs that it finishes have no receipts, ever: for throw-away data
// only.
#include <CLI/CLI.hpp>
#include <iostream>

#include "server/process.h"
#include "server/server.h"

namespace avow {
namespace {

struct Command {
  std::string data_directory;
  std::string listen = "127.0.0.1:0";
  std::string config;
};

Result<void> serve(const Command& command) {
  server::ServerOptions options{.data_directory = command.data_directory, .is_log_off = true};
  ASSIGN_OR_RETURN(options.listen, server::parse_endpoint(command.listen));
  if (!command.config.empty()) {
    ASSIGN_OR_RETURN(options.config, server::load_config(command.config));
  }
  log::start(options.config.log_level);
  server::prepare_process();
  server::ShutdownSignals signals;
  ASSIGN_OR_RETURN(const auto server, server::Server::start(options));
  options.listen.port = server->port();
  std::cout << fmt::format("listening on http://{}\n", options.listen.text()) << std::flush;
  signals.wait();
  server->stop(options.config.shutdown_grace);
  return {};
}

}  // namespace
}  // namespace avow

int main(int argc, char** argv) {
  avow::Command command;
  CLI::App app("Serves a throw-away data directory without a log, for measuring.");
  auto* serve = app.add_subcommand("serve")->required();
  serve->add_option("--data-dir", command.data_directory)->required();
  serve->add_option("--listen", command.listen);
  serve->add_option("--config", command.config);
  CLI11_PARSE(app, argc, argv);
  const auto done = avow::serve(command);
  if (!done) std::cerr << "avow_without_log: " << done.error().message << '\n';
  return done ? 0 : 1;
}
