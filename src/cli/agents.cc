// SPDX-License-Identifier: Apache-2.0
// avow agent create | list, avow tool create | list
#include <ostream>

#include "cli/session.h"
#include "cli/table.h"
#include "json/write.h"

namespace avow::cli {
namespace {

struct CreateAgentCommand {
  Connection connection;
  std::string name;
  std::string type;
  std::string model;
  std::string instructions;
  std::vector<std::string> tools;
  std::vector<std::string> scopes;
};

struct CreateToolCommand {
  Connection connection;
  std::string file;
};

struct ListCommand {
  Connection connection;
};

int create_agent(Terminal& terminal, const CreateAgentCommand& command) {
  json::Object body;
  const auto set = [&](const char* member, const std::string& value) {
    if (!value.empty()) body.set(member, value);
  };
  const auto set_all = [&](const char* member, const std::vector<std::string>& values) {
    if (!values.empty()) body.set(member, json::Array(values.begin(), values.end()));
  };
  set("display_name", command.name);
  set("agent_type", command.type);
  set("model", command.model);
  set("instructions", command.instructions);
  set_all("tools", command.tools);
  set_all("scopes", command.scopes);
  Session session(terminal, command.connection);
  const auto answer = session.call("POST", "/v1/agents", json::write(body));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal,
               {{"agent", "agent_id"},
                {"id", "id"},
                {"name", "display_name"},
                {"status", "status"},
                {"model", "model"},
                {"tools", "tools"},
                {"private key", "private_key"}},
               answer->body);
  terminal.out << "\nThe private key is shown this once.\n";
  return kOk;
}

int list_agents(Terminal& terminal, const ListCommand& command) {
  Session session(terminal, command.connection);
  const auto answer = session.call("GET", "/v1/agents?limit=200");
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"ID", "id"},
               {"NAME", "display_name"},
               {"TYPE", "agent_type"},
               {"STATUS", "status"},
               {"MODEL", "model"}},
              answer->body.find("items"));
  return kOk;
}

int create_tool(Terminal& terminal, const CreateToolCommand& command) {
  auto text = read_input(terminal, command.file);
  if (!text) return kUsage;
  Session session(terminal, command.connection);
  const auto answer = session.call("POST", "/v1/tools", std::move(*text));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal, {{"tool", "name"}, {"description", "description"}, {"risk", "risk_level"}},
               answer->body);
  return kOk;
}

int list_tools(Terminal& terminal, const ListCommand& command) {
  Session session(terminal, command.connection);
  const auto answer = session.call("GET", "/v1/tools?limit=200");
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"TOOL", "name"},
               {"RISK", "risk_level"},
               {"SCOPE", "scope"},
               {"DESCRIPTION", "description"}},
              answer->body.find("items"));
  return kOk;
}

void add_list(CLI::App& group, Selection& selection, const char* help, const char* footer,
              int (*action)(Terminal&, const ListCommand&)) {
  auto* command = group.add_subcommand("list", help);
  auto options = std::make_shared<ListCommand>();
  add_connection(*command, options->connection);
  command->footer(footer);
  on_selected(*command, selection, options, action);
}

}  // namespace

void add_agents(CLI::App& app, Selection& selection) {
  auto* agents = app.add_subcommand("agent", "Register agents");
  agents->require_subcommand(1);
  auto made = std::make_shared<CreateAgentCommand>();
  auto* command = agents->add_subcommand("create", "Register an agent");
  command->add_option("--name", made->name, "What people call it");
  command->add_option("--type", made->type,
                      "orchestrator, worker, inference, pipeline, service, bot or llm [worker]");
  command->add_option("--model", made->model,
                      "The engine runs it with this model; else it polls tasks");
  command->add_option("--instructions", made->instructions, "What the model is told first");
  command->add_option("--tool", made->tools, "Names of tools that the model may call");
  command->add_option("--scope", made->scopes, "Scopes of tools that it has");
  add_connection(*command, made->connection);
  command->footer(
      "Examples:\n"
      "  avow agent create --name 'KYC officer'\n"
      "  avow agent create --name Researcher --model avow/echo --tool search --tool read_page");
  on_selected(*command, selection, made, create_agent);
  add_list(*agents, selection, "Show agents, newest first", "Example:\n  avow agent list",
           list_agents);

  auto* tools = app.add_subcommand("tool", "Register HTTP tools");
  tools->require_subcommand(1);
  auto tool = std::make_shared<CreateToolCommand>();
  command = tools->add_subcommand("create", "Register a tool");
  command->add_option("FILE", tool->file, "Its definition in JSON; - for standard input")
      ->required();
  add_connection(*command, tool->connection);
  command->footer("Example:\n  avow tool create search.json");
  on_selected(*command, selection, tool, create_tool);
  add_list(*tools, selection, "Show tools, newest first", "Example:\n  avow tool list", list_tools);
}

}  // namespace avow::cli
