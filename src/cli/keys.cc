// SPDX-License-Identifier: Apache-2.0
// avow keys create | list | revoke, avow tenants create
#include <ostream>

#include "cli/session.h"
#include "cli/table.h"
#include "json/write.h"

namespace avow::cli {
namespace {

struct CreateKeyCommand {
  Connection connection;
  std::string name;
  std::vector<std::string> scopes;
  std::vector<std::string> agents;
  std::string expires_at;
};

struct RevokeCommand {
  Connection connection;
  std::string key;
};

struct ListCommand {
  Connection connection;
};

struct CreateTenantCommand {
  Connection connection;
  std::string name;
};

int create_key(Terminal& terminal, const CreateKeyCommand& command) {
  json::Object body{{"name", command.name},
                    {"scopes", json::Array(command.scopes.begin(), command.scopes.end())}};
  if (!command.agents.empty()) {
    body.set("agent_ids", json::Array(command.agents.begin(), command.agents.end()));
  }
  if (!command.expires_at.empty()) body.set("expires_at", command.expires_at);
  Session session(terminal, command.connection);
  const auto answer = session.call("POST", "/v1/api-keys", json::write(body));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal,
               {{"id", "id"},
                {"name", "name"},
                {"scopes", "scopes"},
                {"expires", "expires_at"},
                {"key", "api_key"}},
               answer->body);
  terminal.out << "\nThe key is shown this once.\n";
  return kOk;
}

int list_keys(Terminal& terminal, const ListCommand& command) {
  Session session(terminal, command.connection);
  const auto answer = session.call("GET", "/v1/api-keys?limit=200");
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"ID", "id"},
               {"NAME", "name"},
               {"PREFIX", "prefix"},
               {"SCOPES", "scopes"},
               {"EXPIRES", "expires_at"},
               {"REVOKED", "revoked_at"}},
              answer->body.find("items"));
  return kOk;
}

int revoke_key(Terminal& terminal, const RevokeCommand& command) {
  Session session(terminal, command.connection);
  const auto answer = session.call("DELETE", path_to("api-keys", command.key));
  if (!answer) return session.exit_code();
  if (!session.is_json()) {
    terminal.out << "revoked\n";
  } else if (!answer->text.empty()) {
    session.print_json(*answer);
  }
  return kOk;
}

int create_tenant(Terminal& terminal, const CreateTenantCommand& command) {
  Session session(terminal, command.connection);
  const auto answer =
      session.call("POST", "/v1/tenants", json::write(json::Object{{"name", command.name}}));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_fields(terminal, {{"tenant", "tenant_id"}, {"name", "name"}}, answer->body);
  terminal.out << "\nNext:  avow keys create --tenant-id " << cell(answer->body, "tenant_id")
               << " --name first --scope '*:*'\n";
  return kOk;
}

}  // namespace

void add_keys(CLI::App& app, Selection& selection) {
  auto* keys = app.add_subcommand("keys", "Make and revoke API keys");
  keys->require_subcommand(1);

  auto made = std::make_shared<CreateKeyCommand>();
  auto* command = keys->add_subcommand("create", "Make an API key; it is shown once");
  command->add_option("--name", made->name, "What it is for")->required();
  command
      ->add_option("--scope", made->scopes,
                   "resource:action, any number of times; resource:* and *:* are wildcards, a ! "
                   "before one denies")
      ->required();
  command->add_option("--agent", made->agents,
                      "Ids of the only agents that it may run and work for");
  command->add_option("--expires", made->expires_at, "RFC 3339: 2027-01-01T00:00:00Z");
  add_connection(*command, made->connection);
  command->footer(
      "A key grants no more than its maker has.\n\n"
      "Example:\n"
      "  avow keys create --name ci --scope workflows:execute --scope orchestrations:read");
  on_selected(*command, selection, made, create_key);

  auto listed = std::make_shared<ListCommand>();
  command = keys->add_subcommand("list", "Show API keys, without their secrets");
  add_connection(*command, listed->connection);
  command->footer("Example:\n  avow keys list");
  on_selected(*command, selection, listed, list_keys);

  auto revoked = std::make_shared<RevokeCommand>();
  command = keys->add_subcommand("revoke", "End an API key at once");
  command->add_option("KEY", revoked->key, "Its id, as in the list")->required();
  add_connection(*command, revoked->connection);
  command->footer("Example:\n  avow keys revoke 0192f0c1-7a3b-7c4d-8e5f-60718293a400");
  on_selected(*command, selection, revoked, revoke_key);

  auto* tenants = app.add_subcommand("tenants", "Make tenants, with the platform key");
  tenants->require_subcommand(1);
  auto tenant = std::make_shared<CreateTenantCommand>();
  command = tenants->add_subcommand("create", "Make a tenant");
  command->add_option("--name", tenant->name, "For people; need not be unique")->required();
  add_connection(*command, tenant->connection);
  command->footer("Example:\n  AVOW_API_KEY=<platform key> avow tenants create --name acme");
  on_selected(*command, selection, tenant, create_tenant);
}

}  // namespace avow::cli
