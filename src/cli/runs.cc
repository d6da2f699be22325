// SPDX-License-Identifier: Apache-2.0
// avow run show | follow | list | cancel | pause | resume | events, and avow approve
#include <ostream>

#include "cli/follow.h"
#include "cli/table.h"
#include "json/write.h"
#include "net/percent.h"

namespace avow::cli {
namespace {

struct ShowCommand {
  Connection connection;
  std::string run;
  bool waits = false;
};

struct ListCommand {
  Connection connection;
  std::string status;
  std::string name;
  std::string workflow;
  std::string agent;
  int limit = 50;
};

/// To cancel, pause or resume.
struct OrderCommand {
  std::string order;
  Connection connection = {};
  std::string run = {};
  std::string reason = {};
};

struct ApproveCommand {
  Connection connection;
  std::string run;
  std::string step;
  bool rejects = false;
  std::string comment;
  std::string subject_digest;
};

struct EventsCommand {
  Connection connection;
  std::string run;
  int limit = 200;
  std::string cursor;
};

int show(Terminal& terminal, const ShowCommand& command) {
  Session session(terminal, command.connection);
  if (command.waits) return follow_run(session, command.run);
  const auto answer = session.call("GET", path_to("orchestrations", command.run));
  if (!answer) return session.exit_code();
  if (!session.print_json(*answer)) print_run(terminal, answer->body);
  return kOk;
}

int follow(Terminal& terminal, const ShowCommand& command) {
  Session session(terminal, command.connection);
  return watch_run(session, command.run);
}

int list(Terminal& terminal, const ListCommand& command) {
  Session session(terminal, command.connection);
  std::vector<std::pair<std::string, std::string>> query = {
      {"limit", std::to_string(command.limit)}};
  if (!command.status.empty()) query.emplace_back("status", command.status);
  if (!command.name.empty()) query.emplace_back("name", command.name);
  if (!command.agent.empty()) query.emplace_back("agent_id", command.agent);
  if (!command.workflow.empty()) {
    const auto id = session.workflow_id(command.workflow, "");
    if (!id) return session.exit_code();
    query.emplace_back("workflow_id", *id);
  }
  const auto answer = session.call("GET", "/v1/orchestrations?" + net::write_query(query));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"RUN", "id"},
               {"NAME", "name"},
               {"STATUS", "status"},
               {"STARTED", "started_at"},
               {"COMPLETED", "completed_at"}},
              answer->body.find("items"));
  return kOk;
}

int post_and_print(Terminal& terminal, const Connection& connection, const std::string& path,
                   const json::Value& body) {
  Session session(terminal, connection);
  const auto answer = session.call("POST", path, json::write(body));
  if (!answer) return session.exit_code();
  if (!session.print_json(*answer)) print_run(terminal, answer->body);
  return kOk;
}

int order(Terminal& terminal, const OrderCommand& command) {
  json::Object body;
  if (!command.reason.empty()) body.set("reason", command.reason);
  return post_and_print(terminal, command.connection,
                        path_to("orchestrations", command.run) + "/" + command.order, body);
}

int approve(Terminal& terminal, const ApproveCommand& command) {
  json::Object body{{"decision", command.rejects ? "reject" : "approve"}};
  if (!command.comment.empty()) body.set("comment", command.comment);
  if (!command.subject_digest.empty()) body.set("subject_digest", command.subject_digest);
  return post_and_print(
      terminal, command.connection,
      path_to("orchestrations", command.run) + "/approvals/" + net::percent_encode(command.step),
      body);
}

int events(Terminal& terminal, const EventsCommand& command) {
  Session session(terminal, command.connection);
  std::vector<std::pair<std::string, std::string>> query = {
      {"limit", std::to_string(command.limit)}};
  if (!command.cursor.empty()) query.emplace_back("cursor", command.cursor);
  const auto answer = session.call(
      "GET", path_to("orchestrations", command.run) + "/events?" + net::write_query(query));
  if (!answer) return session.exit_code();
  if (session.print_json(*answer)) return kOk;
  print_table(terminal,
              {{"SEQ", "seq"},
               {"TIME", "time"},
               {"TYPE", "type"},
               {"STEP", "step"},
               {"ATTEMPT", "attempt"},
               {"DATA", "data"}},
              answer->body.find("items"));
  if (const std::string next = cell(answer->body, "next_cursor"); !next.empty()) {
    terminal.out << fmt::format("\nThere are more:  avow run events {} --cursor {}\n", command.run,
                                next);
  }
  return kOk;
}

template <class Options>
CLI::App* add_run_command(CLI::App& group, const char* name, const char* help, Options& options) {
  auto* command = group.add_subcommand(name, help);
  command->add_option("RUN", options.run, "Its id: maip-orch:..., or the UUID")->required();
  add_connection(*command, options.connection);
  return command;
}

}  // namespace

void add_runs(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("run", "Look at runs; cancel, pause and resume them");
  group->require_subcommand(1);

  auto shown = std::make_shared<ShowCommand>();
  auto* command = add_run_command(*group, "show", "Show one run with its steps", *shown);
  command->add_flag("--wait", shown->waits, "Follow it until it ends; exit code 1 if it failed");
  command->footer("Example:\n  avow run show maip-orch:01JD... --wait");
  on_selected(*command, selection, shown, show);

  auto followed = std::make_shared<ShowCommand>();
  command = add_run_command(*group, "follow",
                            "Show what happens in a run when it happens, and what its models say",
                            *followed);
  command->footer("Example:\n  avow run follow maip-orch:01JD... --json");
  on_selected(*command, selection, followed, follow);

  auto listed = std::make_shared<ListCommand>();
  command = group->add_subcommand("list", "Show runs, newest first");
  command->add_option("--status", listed->status, "running, completed, failed or cancelled");
  command->add_option("--name", listed->name, "The whole name that the run was given");
  command->add_option("--workflow", listed->workflow, "Id or name of a workflow");
  command->add_option("--agent", listed->agent, "Id of an agent");
  command->add_option("--limit", listed->limit, "At most so many, 1 to 200 [50]");
  add_connection(*command, listed->connection);
  command->footer("Example:\n  avow run list --status failed --workflow kyc-review");
  on_selected(*command, selection, listed, list);

  for (const auto& [name, help] :
       {std::pair{"cancel", "Cancel a run; what is done stays done"},
        std::pair{"pause", "Let nothing new start in a run; its time limits stand still"},
        std::pair{"resume", "Let a paused run go on"}}) {
    auto ordered = std::make_shared<OrderCommand>(OrderCommand{.order = name});
    command = add_run_command(*group, name, help, *ordered);
    command->add_option("--reason", ordered->reason, "Why; recorded with the run");
    command->footer(
        fmt::format("Example:\n  avow run {} maip-orch:01JD... --reason 'wrong input'", name));
    on_selected(*command, selection, ordered, order);
  }

  auto journal = std::make_shared<EventsCommand>();
  command = add_run_command(*group, "events", "Show the journal of a run, oldest first", *journal);
  command->add_option("--limit", journal->limit, "At most so many, 1 to 200 [200]");
  command->add_option("--cursor", journal->cursor, "Where the page before ended");
  command->footer("Example:\n  avow run events maip-orch:01JD... --json");
  on_selected(*command, selection, journal, events);

  auto approved = std::make_shared<ApproveCommand>();
  command = add_run_command(app, "approve", "Approve or reject what a step waits for", *approved);
  command->add_option("STEP", approved->step, "The name of the step")->required();
  command->add_flag("--reject", approved->rejects, "Reject it");
  command->add_option("--comment", approved->comment, "Recorded with the decision");
  command->add_option("--subject-digest", approved->subject_digest,
                      "Of what you were shown: refused if something else is asked by now");
  command->footer("Example:\n  avow approve maip-orch:01JD... pay --comment 'as agreed'");
  on_selected(*command, selection, approved, approve);
}

}  // namespace avow::cli
