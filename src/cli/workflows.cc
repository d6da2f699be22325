// SPDX-License-Identifier: Apache-2.0
// avow workflow create | validate | publish | archive | list | show
#include <ostream>

#include "cli/session.h"
#include "cli/table.h"
#include "json/write.h"
#include "net/percent.h"

namespace avow::cli {
namespace {

const std::vector<Column> kWorkflowFields = {{"workflow", "id"},
                                             {"name", "name"},
                                             {"version", "version"},
                                             {"status", "status"},
                                             {"description", "description"},
                                             {"digest", "digest"},
                                             {"created", "created_at"},
                                             {"published", "published_at"}};

struct FileCommand {
  Connection connection;
  std::string file;
};

struct WorkflowCommand {
  Connection connection;
  std::string workflow;
};

struct ListCommand {
  Connection connection;
  std::string name;
  std::string status;
  int limit = 50;
};

int create(Terminal& terminal, const FileCommand& command) {
  auto text = read_input(terminal, command.file);
  if (!text) return kUsage;
  Session session(terminal, command.connection);
  const auto answer = session.call("POST", "/v1/workflows", std::move(*text));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal, kWorkflowFields, answer->body);
  terminal.out << "\nIt is a draft. Next:  avow workflow publish " << cell(answer->body, "name")
               << '\n';
  return kOk;
}

int validate(Terminal& terminal, const FileCommand& command) {
  auto text = read_input(terminal, command.file);
  if (!text) return kUsage;
  Session session(terminal, command.connection);
  const auto answer = session.call("POST", "/v1/workflows/validate", std::move(*text));
  if (!answer) return session.exit_code();
  const bool is_valid = answer->body.bool_or("valid", false);
  if (session.print_json(*answer)) return is_valid ? kOk : kRefused;
  if (is_valid) {
    terminal.out << "valid\n";
    return kOk;
  }
  terminal.err << "avow: the definition is not valid\n";
  session.tell_faults(answer->body.find("errors"));
  return kRefused;
}

/// What can be done with a stored workflow.
int change(Terminal& terminal, const WorkflowCommand& command, std::string_view verb,
           std::string_view from_status) {
  Session session(terminal, command.connection);
  const auto id = session.workflow_id(command.workflow, from_status);
  if (!id) return session.exit_code();
  const auto answer =
      session.call("POST", path_to("workflows", *id) + "/" + std::string(verb), "{}");
  if (!answer) return session.exit_code();
  if (!session.print_json(*answer)) print_fields(terminal, kWorkflowFields, answer->body);
  return kOk;
}

int publish(Terminal& terminal, const WorkflowCommand& command) {
  return change(terminal, command, "publish", "draft");
}

int archive(Terminal& terminal, const WorkflowCommand& command) {
  return change(terminal, command, "archive", "published");
}

int show(Terminal& terminal, const WorkflowCommand& command) {
  Session session(terminal, command.connection);
  const auto id = session.workflow_id(command.workflow, "");
  if (!id) return session.exit_code();
  const auto answer = session.call("GET", path_to("workflows", *id));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal, kWorkflowFields, answer->body);
  terminal.out << '\n';
  print_table(terminal,
              {{"STEP", "name"},
               {"TYPE", "type"},
               {"DEPENDS ON", "depends_on"},
               {"CONDITION", "condition"},
               {"ON FAILURE", "on_failure"}},
              answer->body.find("steps"));
  return kOk;
}

int list(Terminal& terminal, const ListCommand& command) {
  Session session(terminal, command.connection);
  std::vector<std::pair<std::string, std::string>> query = {
      {"limit", std::to_string(command.limit)}};
  if (!command.name.empty()) query.emplace_back("name", command.name);
  if (!command.status.empty()) query.emplace_back("status", command.status);
  const auto answer = session.call("GET", "/v1/workflows?" + net::write_query(query));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"WORKFLOW", "id"},
               {"NAME", "name"},
               {"VERSION", "version"},
               {"STATUS", "status"},
               {"CREATED", "created_at"}},
              answer->body.find("items"));
  return kOk;
}

void add_file_command(CLI::App& group, Selection& selection, const char* name, const char* help,
                      const char* footer, int (*action)(Terminal&, const FileCommand&)) {
  auto* command = group.add_subcommand(name, help);
  auto options = std::make_shared<FileCommand>();
  command->add_option("FILE", options->file, "The definition in JSON; - for standard input")
      ->required();
  add_connection(*command, options->connection);
  command->footer(footer);
  on_selected(*command, selection, options, action);
}

void add_workflow_command(CLI::App& group, Selection& selection, const char* name, const char* help,
                          const char* footer, int (*action)(Terminal&, const WorkflowCommand&)) {
  auto* command = group.add_subcommand(name, help);
  auto options = std::make_shared<WorkflowCommand>();
  command->add_option("WORKFLOW", options->workflow, "Its id; or its name: the highest version")
      ->required();
  add_connection(*command, options->connection);
  command->footer(footer);
  on_selected(*command, selection, options, action);
}

void add_list(CLI::App& group, Selection& selection) {
  auto* command = group.add_subcommand("list", "Show workflows, newest first");
  auto options = std::make_shared<ListCommand>();
  command->add_option("--name", options->name, "Only of this name");
  command->add_option("--status", options->status, "Only draft, published or archived ones");
  command->add_option("--limit", options->limit, "At most so many, 1 to 200 [50]");
  add_connection(*command, options->connection);
  command->footer("Example:\n  avow workflow list --status published");
  on_selected(*command, selection, options, list);
}

}  // namespace

void add_workflows(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("workflow", "Define, publish and look at workflows");
  group->require_subcommand(1);
  add_file_command(*group, selection, "create", "Store a definition as a draft",
                   "Examples:\n"
                   "  avow workflow create workflow.json\n"
                   "  generate-workflow | avow workflow create -",
                   create);
  add_file_command(*group, selection, "validate", "Check a definition; stores nothing",
                   "Shows every fault with its place in the file.\n\n"
                   "Example:\n  avow workflow validate workflow.json",
                   validate);
  add_workflow_command(*group, selection, "publish",
                       "Make a draft executable; it cannot change from then on",
                       "Example:\n  avow workflow publish kyc-review", publish);
  add_workflow_command(*group, selection, "archive",
                       "End a published workflow; its runs go on, new ones do not start",
                       "Example:\n  avow workflow archive kyc-review", archive);
  add_list(*group, selection);
  add_workflow_command(*group, selection, "show", "Show one workflow with its steps",
                       "Example:\n  avow workflow show kyc-review --json", show);
}

}  // namespace avow::cli
