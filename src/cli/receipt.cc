// SPDX-License-Identifier: Apache-2.0
// avow receipt
#include <ostream>

#include "base/bytes.h"
#include "cli/session.h"
#include "net/percent.h"

namespace avow::cli {
namespace {

struct ReceiptCommand {
  Connection connection;
  std::string run;
  std::string step;
  std::vector<std::string> reveal;
  bool is_bundle = false;
  bool is_sealed = false;  ///< A bundle that shows no content.
  bool is_witnessed = false;
  std::string format = "avow";
  std::string out;
};

/// The receipt's id of that step of the run.
std::optional<std::string> receipt_of_step(Session& session, const ReceiptCommand& command) {
  const auto answer = session.call("GET", path_to("orchestrations", command.run));
  if (!answer) return {};
  const json::Value* steps = answer->body.find("steps");
  if (steps != nullptr && steps->is_array()) {
    for (const json::Value& step : steps->as_array()) {
      if (step.string_or("name") != command.step) continue;
      std::string id = step.string_or("receipt_id");
      if (!id.empty()) return id;
      session.fail(kRefused, fmt::format("the step {} has no receipt yet", shown(command.step)));
      return {};
    }
  }
  session.fail(kRefused, fmt::format("the run has no step {}", shown(command.step)));
  return {};
}

int receipt(Terminal& terminal, const ReceiptCommand& command) {
  Session session(terminal, command.connection);
  std::string id = command.run;
  if (!command.step.empty()) {
    auto of_step = receipt_of_step(session, command);
    if (!of_step) return session.exit_code();
    id = std::move(*of_step);
  }
  std::vector<std::pair<std::string, std::string>> query;
  if (command.format != "avow") query.emplace_back("format", command.format);
  for (const std::string& member : command.reveal) query.emplace_back("reveal", member);
  if (command.is_sealed) query.emplace_back("contents", "false");
  if (command.is_witnessed) query.emplace_back("witnessed", "true");
  std::string path = path_to("receipts", id);
  if (command.is_bundle) path += "/bundle";
  if (!query.empty()) path += "?" + net::write_query(query);
  const auto answer = session.fetch("GET", path);
  if (!answer) {
    if (session.status() == 413 && command.is_bundle && !command.is_sealed) {
      terminal.err << "With --no-contents it is shorter, and proves the same events.\n";
    }
    return session.exit_code();
  }
  const std::string* witnessed = answer->headers.find("Avow-Witnessed");
  if (command.is_witnessed && (witnessed == nullptr || *witnessed != "true")) {
    terminal.err << "avow: no quorum of witnesses has cosigned it yet\n";
  }
  std::string bytes = answer->body;
  const bool is_text = command.format != "cose";
  if (is_text && !bytes.ends_with('\n')) bytes += '\n';
  return write_output(terminal, command.out, bytes) ? kOk : kUsage;
}

}  // namespace

void add_receipt(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("receipt", "Fetch the receipt of a run or of a step");
  auto made = std::make_shared<ReceiptCommand>();
  command->add_option("RUN", made->run, "Id of a run, or of a receipt: rcpt_...")->required();
  auto* step = command->add_option("--step", made->step, "The step whose receipt is wanted");
  auto* reveal =
      command
          ->add_option(
              "--reveal", made->reveal,
              "Opens a content, or one member of it: output, output.score; any number of times")
          ->allow_extra_args(false);  // what follows may be the run
  auto* format =
      command
          ->add_option("--format", made->format, "avow [the default], tlog-proof, sigstore or cose")
          ->check(CLI::IsMember({"avow", "tlog-proof", "sigstore", "cose"}))
          ->excludes(reveal);
  auto* witnessed = command->add_flag("--witnessed", made->is_witnessed,
                                      "Wait up to ten seconds for the witnesses' quorum");
  auto* bundle =
      command
          ->add_flag("--bundle", made->is_bundle, "With every event, and contents that you may see")
          ->excludes(step)
          ->excludes(reveal)
          ->excludes(format)
          ->excludes(witnessed);
  command
      ->add_flag("--no-contents", made->is_sealed,
                 "With --bundle: show no content; each is provably present")
      ->needs(bundle);
  command->add_option("--out", made->out, "The file to write [standard output]");
  add_connection(*command, made->connection);
  command->footer(
      "What is not revealed stays hidden and is provably present. `avow verify` checks the "
      "file;\n"
      "who else checks the other formats is in docs/interop.md.\n\n"
      "Examples:\n"
      "  avow receipt maip-orch:01JD... --out receipt.json\n"
      "  avow receipt maip-orch:01JD... --step score --reveal output.score\n"
      "  avow receipt maip-orch:01JD... --bundle --out bundle.json\n"
      "  avow receipt maip-orch:01JD... --format tlog-proof --witnessed");
  on_selected(*command, selection, made, receipt);
}

}  // namespace avow::cli
