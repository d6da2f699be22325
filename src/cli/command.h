// SPDX-License-Identifier: Apache-2.0
// cli/command.h: what the `avow` command is made of: where it reads and writes, how it ends, and
// the function of each group of commands that adds it to the command line. One thread.
#pragma once
#include <CLI/CLI.hpp>

#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace avow::cli {

/// Exit codes, as docs/cli.md and `avow --help` say.
enum Exit : int {
  kOk = 0,
  kRefused = 1,      ///< The server, or the data directory, refused; or the run did not complete.
  kUsage = 2,        ///< The command line, or a file that it names, is wrong.
  kUnreachable = 3,  ///< No answer from the server.
};

struct Terminal {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool has_colours = false;  ///< `out` is a terminal, and NO_COLOR is not set.
};

/// Parses and runs a whole command line (without the program's name); returns its exit code.
int run(const std::vector<std::string>& arguments, Terminal& terminal);

/// What the command line asked for; called when it is known to be whole.
struct Selection {
  Terminal& terminal;
  std::function<int()> action;
};

/// Makes `action(terminal, options)` what `command` does.
template <class Options>
void on_selected(CLI::App& command, Selection& selection, const std::shared_ptr<Options>& options,
                 int (*action)(Terminal&, const Options&)) {
  command.callback([&selection, options, action] {
    selection.action = [&selection, options, action] {
      return action(selection.terminal, *options);
    };
  });
}

void add_init(CLI::App& app, Selection& selection);       // init.cc
void add_serve(CLI::App& app, Selection& selection);      // serve.cc
void add_workflows(CLI::App& app, Selection& selection);  // workflows.cc
void add_execute(CLI::App& app, Selection& selection);    // execute.cc
void add_runs(CLI::App& app, Selection& selection);       // runs.cc
void add_keys(CLI::App& app, Selection& selection);       // keys.cc: keys and tenants
void add_agents(CLI::App& app, Selection& selection);     // agents.cc: agents and tools
void add_receipt(CLI::App& app, Selection& selection);    // receipt.cc
void add_verify(CLI::App& app, Selection& selection);     // verify.cc
void add_log(CLI::App& app, Selection& selection);        // log.cc
void add_audit(CLI::App& app, Selection& selection);      // audit.cc

/// The text of a file, or of standard input for "-". If it cannot be read, or is longer, says so
/// and gives nothing.
std::optional<std::string> read_input(Terminal& terminal, const std::string& path,
                                      std::size_t bytes_max = std::size_t{8} << 20);
/// Writes the file, or standard output for "" and "-". If it cannot, says so.
bool write_output(Terminal& terminal, const std::string& path, std::string_view bytes);

}  // namespace avow::cli
