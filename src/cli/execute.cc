// SPDX-License-Identifier: Apache-2.0
// avow execute
#include <ostream>

#include "base/bytes.h"
#include "cli/follow.h"
#include "cli/table.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::cli {
namespace {

struct ExecuteCommand {
  Connection connection;
  std::string workflow;
  std::string input;
  std::vector<std::string> parameters;
  std::string agent;
  bool is_dry_run = false;
  bool follows = false;
};

/// The request's body, or nothing after the user was told why.
std::optional<json::Value> body_of(Session& session, const ExecuteCommand& command) {
  json::Object body;
  if (!command.agent.empty()) body.set("agent_id", command.agent);
  if (!command.input.empty()) {
    const auto text = read_input(session.terminal(), command.input);
    if (!text) return {};
    auto input = json::parse(*text, {.bytes_max = std::size_t{8} << 20});
    if (!input) {
      session.fail(kUsage, fmt::format("--input: {}", input.error().message));
      return {};
    }
    body.set("input", std::move(*input));
  }
  json::Object parameters;
  for (const std::string& parameter : command.parameters) {
    const std::size_t equals = parameter.find('=');
    if (equals == std::string::npos || equals == 0) {
      session.fail(kUsage, fmt::format("--param takes name=value, not \"{}\"", shown(parameter)));
      return {};
    }
    const std::string text = parameter.substr(equals + 1);
    auto value = json::parse(text);
    parameters.set(parameter.substr(0, equals), value ? std::move(*value) : json::Value(text));
  }
  if (!parameters.empty()) body.set("parameters", std::move(parameters));
  if (command.is_dry_run) body.set("dry_run", true);
  return body;
}

int execute(Terminal& terminal, const ExecuteCommand& command) {
  Session session(terminal, command.connection);
  const auto body = body_of(session, command);
  if (!body) return kUsage;
  const auto id = session.workflow_id(command.workflow, "published");
  if (!id) return session.exit_code();
  const auto answer =
      session.call("POST", path_to("workflows", *id) + "/execute", json::write(*body));
  if (!answer) return session.exit_code();
  if (command.follows && !command.is_dry_run) {
    const std::string run_id = answer->body.string_or("run_id");
    if (!session.is_json()) terminal.out << shown(run_id) << std::endl;
    return follow_run(session, run_id);
  }
  if (session.print_json(*answer)) return kOk;
  if (command.is_dry_run) {
    print_table(terminal,
                {{"LEVEL", "level"}, {"STEP", "name"}, {"TYPE", "type"}, {"CONFIG", "config"}},
                answer->body.find("steps"));
    return kOk;
  }
  print_run(terminal, answer->body);
  terminal.out << "\nNext:  avow run show " << cell(answer->body, "run_id") << '\n';
  return kOk;
}

}  // namespace

void add_execute(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("execute", "Execute a published workflow");
  auto options = std::make_shared<ExecuteCommand>();
  command
      ->add_option("WORKFLOW", options->workflow,
                   "Its id; or its name: the highest published version")
      ->required();
  command->add_option("--input", options->input, "The input, a JSON object: a file, or -");
  command->add_option(
      "--param", options->parameters,
      "name=value, any number of times; the value is JSON if it reads as JSON, else text");
  command->add_option("--agent", options->agent, "Id of the agent that runs it");
  command->add_flag("--dry-run", options->is_dry_run, "Show the plan; start nothing");
  command->add_flag("--follow", options->follows,
                    "Show each step as it happens, until the run ends");
  add_connection(*command, options->connection);
  command->footer(
      "With --follow the exit code is 0 if the run completed and 1 if it failed. Ending this\n"
      "command does not end the run.\n\n"
      "Examples:\n"
      "  avow execute kyc-review --input input.json --follow\n"
      "  avow execute kyc-review --input - --param region=EU --param limit=5 --dry-run\n"
      "  avow execute kyc-review --param 'extract={\"model\":\"gpt-4o\"}'   # of one step's "
      "config");
  on_selected(*command, selection, options, execute);
}

}  // namespace avow::cli
