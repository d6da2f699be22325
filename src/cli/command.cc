// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <fstream>
#include <istream>
#include <iterator>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "base/bytes.h"

namespace avow::cli {
namespace {

constexpr std::size_t kInputBytesMax = std::size_t{8} << 20;

constexpr const char* kFooter = R"(First steps:
  avow init --data-dir data
  avow serve --data-dir data --listen 127.0.0.1:8080
  export AVOW_URL=http://127.0.0.1:8080 AVOW_API_KEY=<the key that init printed>
  avow workflow create workflow.json
  avow workflow publish my-workflow
  avow execute my-workflow --input input.json --follow

`avow COMMAND --help` shows options and examples of each.

Exit codes:
  0  done; of `execute --follow` and `run show --wait`: the run completed
  1  the server or the data directory refused, or the run failed or was cancelled
  2  the command line, or a file that it names, is wrong
  3  no answer from the server)";

std::optional<std::string> read_stream(std::istream& stream) {
  std::string text(kInputBytesMax + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (stream.bad() || static_cast<std::size_t>(stream.gcount()) > kInputBytesMax) return {};
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

void add_commands(CLI::App& app, Selection& selection) {
  app.require_subcommand(1);
  app.set_version_flag("--version", "avow 0.1.0");
  app.footer(kFooter);
  add_init(app, selection);
  add_serve(app, selection);
  add_workflows(app, selection);
  add_execute(app, selection);
  add_runs(app, selection);
  add_agents(app, selection);
  add_keys(app, selection);
}

}  // namespace

std::optional<std::string> read_input(Terminal& terminal, const std::string& path) {
  std::optional<std::string> text;
  if (path == "-") {
    text = read_stream(terminal.in);
  } else {
    std::ifstream file(path, std::ios::binary);
    if (file) text = read_stream(file);
  }
  if (!text) {
    terminal.err << fmt::format("avow: cannot read \"{}\" (a file of at most 8 MiB)\n",
                                shown(path, 256));
  }
  return text;
}

int run(const std::vector<std::string>& arguments, Terminal& terminal) {
  CLI::App app("Avow runs AI agents' work and records what they did.", "avow");
  Selection selection{terminal, {}};
  add_commands(app, selection);
  // CLI11 throws also where nothing is wrong, as for --help; it ends here.
  try {
    app.parse(
        std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // taken from the back
  } catch (const CLI::ParseError& error) {
    return app.exit(error, terminal.out, terminal.err) == 0 ? kOk : kUsage;
  }
  return selection.action();
}

}  // namespace avow::cli
