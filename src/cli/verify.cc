// SPDX-License-Identifier: Apache-2.0
// avow verify
#include <ostream>

#include "cli/trust.h"
#include "cli/verify_tlog_proof.h"
#include "json/parse.h"
#include "json/write.h"

namespace avow::cli {
namespace {

using provenance::Check;
using provenance::Outcome;
using provenance::Verdict;
using provenance::Verification;

/// Of a bundle.
constexpr std::size_t kFileBytesMax = std::size_t{512} << 20;
constexpr std::size_t kDetailMax = 512;

struct VerifyCommand {
  std::string file;
  TrustOptions trust;
  std::optional<std::string> payload;
  std::string payload_member;
  std::string entry_file;  ///< Given with a tlog-proof.
  bool is_json = false;
};

/// What it means that a check passed.
std::string_view claim_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::kMalformed:
      return "the file and all that it quotes can be read";
    case Verdict::kEventMismatch:
      return "the events are those of this run or step";
    case Verdict::kRunProofInvalid:
      return "the events lead to the root in the statement";
    case Verdict::kStatementMismatch:
      return "statement, log entry, id and events belong together";
    case Verdict::kStatementSignatureInvalid:
      return "the statements are signed by a key that the log names";
    case Verdict::kLogProofInvalid:
      return "the entries are in the tree of the checkpoint";
    case Verdict::kCheckpointSignatureInvalid:
      return "the checkpoint is signed by the log";
    case Verdict::kKeyUntrusted:
      return "you trust a key that signed it";
    case Verdict::kWitnessesInsufficient:
      return "enough witnesses cosigned the checkpoint";
    case Verdict::kContentMismatch:
      return "the contents are those that were committed to";
    case Verdict::kIncomplete:
      return "nothing is missing, and it is over";
    case Verdict::kValid:
      break;
  }
  return "all of it";
}

std::string_view outcome_name(Outcome outcome) {
  if (outcome == Outcome::kPassed) return "passed";
  return outcome == Outcome::kFailed ? "failed" : "skipped";
}

json::Value as_json(const Verification& found) {
  json::Array checks;
  for (const Check& check : found.checks) {
    json::Object one{{"check", provenance::verdict_name(check.verdict)},
                     {"outcome", outcome_name(check.outcome)}};
    if (!check.detail.empty()) one.set("detail", check.detail);
    checks.emplace_back(std::move(one));
  }
  json::Object out{{"valid", found.verdict == Verdict::kValid},
                   {"verdict", provenance::verdict_name(found.verdict)},
                   {"checks", std::move(checks)}};
  if (found.statement) {
    auto statement = json::parse(provenance::encode(*found.statement));
    if (statement) out.set("statement", std::move(*statement));
  }
  return out;
}

void print_statement(Terminal& terminal, const provenance::Statement& statement) {
  const auto line = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) terminal.out << fmt::format("{:<10} {}\n", name, shown(value, 256));
  };
  line("statement", provenance::statement_type_name(statement.type));
  line("about", statement.id.uuid());
  line("tenant", fmt::format("{} (number {})", statement.tenant.uuid(), statement.tenant_seq));
  line("status", statement.status);
  if (statement.events > 0) line("events", std::to_string(statement.events));
  line("created", format_time(statement.created_at));
  if (statement.completed_at) line("completed", format_time(*statement.completed_at));
}

void print(Terminal& terminal, const Verification& found, bool is_trust_given) {
  for (const Check& check : found.checks) {
    if (check.outcome == Outcome::kFailed) {
      terminal.out << fmt::format("FAILED   {}: {}\n", provenance::verdict_name(check.verdict),
                                  shown(check.detail, kDetailMax));
    } else {
      terminal.out << fmt::format("{:<8} {}\n", outcome_name(check.outcome),
                                  claim_of(check.verdict));
    }
  }
  if (found.statement) print_statement(terminal, *found.statement);
  terminal.out << provenance::verdict_name(found.verdict) << '\n';
  if (found.verdict == Verdict::kKeyUntrusted && !is_trust_given) {
    terminal.err << "Give the log's key with --key: `avow init` printed it. The file's own keys "
                    "prove nothing.\n";
  }
}

std::optional<json::Value> read_payload(Terminal& terminal, const std::string& argument) {
  std::optional<std::string> text = argument;
  if (argument.starts_with('@')) text = read_input(terminal, argument.substr(1), kFileBytesMax);
  if (!text) return {};
  auto value = json::parse(*text, {.bytes_max = kFileBytesMax});
  if (value) return std::move(*value);
  terminal.err << "avow: --payload: " << value.error().message << '\n';
  return {};
}

int verify(Terminal& terminal, const VerifyCommand& command) {
  auto trust = read_trust(terminal, command.trust);
  if (!trust) return kUsage;
  if (command.payload) {
    auto payload = read_payload(terminal, *command.payload);
    if (!payload) return kUsage;
    trust->payload = provenance::Payload{std::move(*payload), command.payload_member};
  }
  const auto file = read_input(terminal, command.file, kFileBytesMax);
  if (!file) return kUsage;
  const bool is_proof = is_tlog_proof(*file);
  if (is_proof == command.entry_file.empty()) {
    terminal.err << "avow: a tlog-proof is checked for the entry in --entry, and nothing else is\n";
    return kUsage;
  }
  std::optional<std::string> entry;
  if (is_proof) {
    entry = read_input(terminal, command.entry_file);
    if (!entry) return kUsage;
  }
  const Verification found = is_proof ? verify_tlog_proof(*file, *entry, *trust)
                                      : provenance::verify(*file, *trust, kFileBytesMax);
  if (command.is_json) {
    terminal.out << json::write(as_json(found)) << '\n';
  } else {
    print(terminal, found, !trust->log_keys.empty() || trust->policy);
  }
  return found.verdict == Verdict::kValid ? kOk : kRefused;
}

}  // namespace

void add_verify(CLI::App& app, Selection& selection) {
  auto* command = app.add_subcommand("verify", "Check a receipt or bundle offline");
  auto made = std::make_shared<VerifyCommand>();
  command
      ->add_option("FILE", made->file,
                   "A receipt or bundle (JSON), or a tlog-proof; - is standard input")
      ->required();
  add_trust(*command, made->trust, "--key");
  auto* payload =
      command->add_option("--payload", made->payload,
                          "JSON, or @FILE: a content that the file opens must be equal to it");
  command
      ->add_option("--member", made->payload_member,
                   "With --payload: only this content counts, as output or output.score")
      ->needs(payload);
  command
      ->add_option("--entry", made->entry_file,
                   "FILE is a .tlog-proof, and this the entry that it is about, to the byte")
      ->excludes(payload);
  command->add_flag("--json", made->is_json, "Print one JSON object and nothing else");
  command->footer(
      "Asks nobody: neither the server nor the network. Each check is a line, the last line is "
      "the\n"
      "verdict. Without --key or --policy it is never VALID, but KEY_UNTRUSTED at best: keys in "
      "the\n"
      "file are only hints.\n\n"
      "Exit codes: 0 VALID; 1 any other verdict; 2 it could not run.\n\n"
      "Examples:\n"
      "  avow verify receipt.json --key 'log.acme.example+1a2b3c4d+AQ...'\n"
      "  avow receipt maip-orch:01JD... | avow verify - --key \"$LOG_KEY\"\n"
      "  avow verify receipt.json --key \"$LOG_KEY\" --payload '{\"approved\": true}'\n"
      "  avow verify bundle.json --policy auditors.policy --json\n"
      "  avow verify receipt.tlog-proof --entry entry.json --policy auditors.policy");
  on_selected(*command, selection, made, verify);
}

}  // namespace avow::cli
