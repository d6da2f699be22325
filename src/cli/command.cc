// SPDX-License-Identifier: Apache-2.0
#include "cli/command.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <istream>
#include <iterator>
#include <optional>
#include <ostream>

#include <fmt/format.h>

#include "base/bytes.h"

namespace avow::cli {
namespace {

constexpr const char* kFooter = R"(First steps:
  avow init --data-dir data
  avow serve --data-dir data --listen 127.0.0.1:8080
  export AVOW_URL=http://127.0.0.1:8080 AVOW_API_KEY=<the key that init printed>
  avow workflow create workflow.json
  avow workflow publish my-workflow
  avow execute my-workflow --input input.json --follow
  avow receipt <the run> --out receipt.json
  avow verify receipt.json --key <the log key that init printed>

`avow COMMAND --help` shows options and examples of each.

Exit codes:
  0  done; of `execute --follow` and `run show --wait`: the run completed; of `verify` and the
     audits: all is as it should be
  1  the server or the data directory refused; the run failed or was cancelled; of `verify` and the
     audits: it is not
  2  the command line, or a file that it names, is wrong; of `verify`: it could not run
  3  no answer from the server)";

std::optional<std::string> read_stream(std::istream& stream, std::size_t bytes_max) {
  std::string text;
  std::array<char, 65536> block{};
  while (text.size() <= bytes_max && stream) {
    stream.read(block.data(), block.size());
    text.append(block.data(), static_cast<std::size_t>(stream.gcount()));
  }
  if (stream.bad() || text.size() > bytes_max) return {};
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
  add_receipt(app, selection);
  add_verify(app, selection);
  add_log(app, selection);
  add_audit(app, selection);
  add_agents(app, selection);
  add_keys(app, selection);
}

/// An option that was given and says nothing: mostly a variable of the shell that is not set. To
/// take it for an option that is not there could leave out a check.
const CLI::Option* find_empty(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const auto& values = option->results();
    if (std::find(values.begin(), values.end(), "") != values.end()) return option;
  }
  for (const CLI::App* command : app.get_subcommands()) {
    if (const CLI::Option* empty = find_empty(*command)) return empty;
  }
  return nullptr;
}

}  // namespace

std::optional<std::string> read_input(Terminal& terminal, const std::string& path,
                                      std::size_t bytes_max) {
  std::optional<std::string> text;
  std::error_code error;
  if (path == "-") {
    text = read_stream(terminal.in, bytes_max);
  } else if (!std::filesystem::is_directory(path, error)) {
    std::ifstream file(path, std::ios::binary);
    if (file) text = read_stream(file, bytes_max);
  }
  if (!text) {
    terminal.err << fmt::format("avow: cannot read \"{}\" (a file of at most {} MiB)\n",
                                shown(path, 256), bytes_max >> 20);
  }
  return text;
}

bool write_output(Terminal& terminal, const std::string& path, std::string_view bytes) {
  if (path.empty() || path == "-") {
    terminal.out << bytes << std::flush;
    return static_cast<bool>(terminal.out);
  }
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << bytes;
  file.close();
  if (!file) terminal.err << fmt::format("avow: cannot write \"{}\"\n", shown(path, 256));
  return static_cast<bool>(file);
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
  if (const CLI::Option* empty = find_empty(app)) {
    terminal.err << fmt::format("avow: {} is empty; is a variable of the shell not set?\n",
                                empty->get_name());
    return kUsage;
  }
  return selection.action();
}

}  // namespace avow::cli
