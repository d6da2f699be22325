// SPDX-License-Identifier: Apache-2.0
// avow serve
#include <ostream>

#include "cli/command.h"
#include "server/process.h"
#include "server/server.h"

namespace avow::cli {
namespace {

struct ServeCommand {
  std::string data_directory;
  std::string listen = "127.0.0.1:8080";
  std::string config;
  std::string metrics_listen;
  bool is_insecure_http_allowed = false;
};

Result<server::ServerOptions> options_of(const ServeCommand& command) {
  server::ServerOptions options{.data_directory = command.data_directory,
                                .is_insecure_http_allowed = command.is_insecure_http_allowed};
  ASSIGN_OR_RETURN(options.listen, server::parse_endpoint(command.listen));
  if (!command.config.empty()) {
    ASSIGN_OR_RETURN(options.config, server::load_config(command.config));
  }
  if (!command.metrics_listen.empty()) {
    ASSIGN_OR_RETURN(options.config.metrics_listen, server::parse_endpoint(command.metrics_listen));
  }
  return options;
}

int serve(Terminal& terminal, const ServeCommand& command) {
  const auto fail = [&](const Error& error) {
    terminal.err << "avow: serve: " << error.message << '\n';
    return error.code == Code::kInvalidArgument ? kUsage : kRefused;
  };
  auto options = options_of(command);
  if (!options) return fail(options.error());
  log::start(options->config.log_level);
  server::prepare_process();
  server::ShutdownSignals signals;
  auto started = server::Server::start(*options);
  if (!started) {
    if (started.error().code == Code::kNotFound) {
      terminal.err << "Make a data directory first: avow init --data-dir " << command.data_directory
                   << '\n';
    }
    return fail(started.error());
  }
  server::Server& server = **started;
  const std::string_view scheme = server.is_tls() ? "https" : "http";
  options->listen.port = server.port();
  if (const auto port = server.metrics_port()) {
    options->config.metrics_listen->port = *port;
    log::info("metrics at {}://{}/metrics", scheme, options->config.metrics_listen->text());
  }
  // Others wait for this line, and read nothing else here.
  terminal.out << fmt::format("listening on {}://{}\n", scheme, options->listen.text())
               << std::flush;
  const int signal = signals.wait();
  log::info("signal {}: draining for at most {} s; another one ends at once", signal,
            options->config.shutdown_grace.count() / 1000);
  server.stop(options->config.shutdown_grace);
  return kOk;
}

}  // namespace

void add_serve(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("serve", "Serve the API over a data directory");
  auto made = std::make_shared<ServeCommand>();
  command->add_option("--data-dir", made->data_directory, "The folder that `avow init` made")
      ->required();
  command->add_option("--listen", made->listen,
                      "HOST:PORT; port 0 lets the system choose [127.0.0.1:8080]");
  command->add_option("--config", made->config, "Settings; see docs/configuration.md");
  command->add_option("--metrics-listen", made->metrics_listen,
                      "HOST:PORT of a second listener for /metrics, without a key");
  command->add_flag("--insecure-http", made->is_insecure_http_allowed,
                    "Listen beyond loopback without TLS: keys cross the network in the clear");
  command->footer(
      "Prints `listening on http://HOST:PORT` on stdout when it is ready; its log goes to stderr.\n"
      "SIGTERM and SIGINT drain it: no call leaves any more, those under way get their grace "
      "time,\n"
      "and what is not finished goes on at the next start.\n\n"
      "Examples:\n"
      "  avow serve --data-dir data --listen 127.0.0.1:8080\n"
      "  avow serve --data-dir data --listen 127.0.0.1:0 --config avow.yaml\n"
      "  avow serve --data-dir data --listen 0.0.0.0:8080 --insecure-http   # behind a proxy");
  on_selected(*command, selection, made, serve);
}

}  // namespace avow::cli
