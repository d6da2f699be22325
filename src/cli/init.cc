// SPDX-License-Identifier: Apache-2.0
// avow init
#include "server/init.h"

#include <ostream>

#include "cli/command.h"
#include "json/write.h"
#include "tlog/keys.h"

namespace avow::cli {
namespace {

struct InitCommand {
  server::InitOptions options;
  bool is_json = false;
};

int initialise(Terminal& terminal, const InitCommand& command) {
  SystemClock clock;
  SystemRng rng;
  server::InitOptions options = command.options;
  options.keys_passphrase = tlog::keys_passphrase();
  const auto made = server::initialise(options, clock, rng);
  if (!made) {
    terminal.err << "avow: init: " << made.error().message << '\n';
    return made.error().code == Code::kInvalidArgument ? kUsage : kRefused;
  }
  if (command.is_json) {
    terminal.out << json::write(json::Object{{"tenant_id", made->tenant.uuid()},
                                             {"api_key", made->api_key.reveal()},
                                             {"platform_key", made->platform_key.reveal()},
                                             {"log_key", made->log_key},
                                             {"origin", made->origin}})
                 << '\n';
    return kOk;
  }
  terminal.out << fmt::format(
      "made {0}\n\n"
      "tenant        {1}\n"
      "API key       {2}\n"
      "platform key  {3}\n"
      "log key       {4}\n\n"
      "The API key and the platform key are shown this once. The log key is public: give it\n"
      "to those who will verify.\n"
      "Next:  avow serve --data-dir {0}\n",
      command.options.data_directory, made->tenant.uuid(), made->api_key.reveal(),
      made->platform_key.reveal(), made->log_key);
  return kOk;
}

}  // namespace

void add_init(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("init", "Make the data directory of a new deployment");
  auto made = std::make_shared<InitCommand>();
  command
      ->add_option("--data-dir", made->options.data_directory, "The folder; must not hold a store")
      ->required();
  command->add_option("--tenant", made->options.tenant, "Name of the first tenant [default]");
  command->add_option(
      "--origin", made->options.origin,
      "Host name under which the transparency log is known; fixed for ever [avow.local]");
  command->add_flag("--json", made->is_json, "Print one JSON object and nothing else");
  command->footer(
      "Makes the store, the log's and the statements' private keys (in keys/, mode 0600), a "
      "tenant\n"
      "with an API key for everything in it, a platform key, and the first entries of the log. "
      "With "
      "a\n"
      "passphrase in AVOW_KEYS_PASSPHRASE the private keys are encrypted.\n\n"
      "Examples:\n"
      "  avow init --data-dir /var/lib/avow --tenant acme --origin log.acme.example\n"
      "  avow init --data-dir data --json | jq -r .api_key");
  on_selected(*command, selection, made, initialise);
}

}  // namespace avow::cli
