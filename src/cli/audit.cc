// SPDX-License-Identifier: Apache-2.0
// avow audit tenant
#include <ostream>

#include "base/id.h"
#include "cli/session.h"
#include "cli/tenant_audit.h"
#include "cli/trust.h"
#include "json/write.h"
#include "provenance/receipt.h"

namespace avow::cli {
namespace {

using provenance::Verdict;

constexpr std::size_t kBundleBytesMax = std::size_t{512} << 20;
constexpr int kPage = 200;

struct AuditCommand {
  Connection connection;
  TrustOptions trust;
};

/// What was found wrong, a line each; and the way to the server.
class Auditor {
 public:
  Auditor(Session& session, const provenance::Trust& trust) : session_(session), trust_(trust) {
    session_.be_patient();  // a tenant has more runs than a minute has requests
  }

  /// Every statement of the tenant, from its first. False: the server did not answer.
  bool read_statements() {
    while (true) {
      const auto page = session_.call(
          "GET",
          fmt::format("/v1/audit?type=all&order=asc&limit={}&after={}", kPage, statements_.size()));
      if (!page) return false;
      const json::Value* items = page->body.find("items");
      if (items == nullptr || !items->is_array() || items->as_array().empty()) return true;
      for (const json::Value& item : items->as_array()) {
        const auto added = statements_.add(item.string_or("statement"));
        if (added) continue;
        find(added.error().message);
        return true;
      }
    }
  }

  /// The newest statement is in the log, and with it, by `prev`, each one before it. False: the
  /// server did not answer; so below.
  bool check_newest() {
    if (!statements_.newest()) return true;
    const Checked checked = check(*statements_.newest(), *statements_.digest(), "");
    is_newest_there_ = checked == Checked::kHolds;
    return checked != Checked::kNoAnswer;
  }

  /// A bundle accounts for every content whether or not it shows it: the contents would prove
  /// nothing more here.
  bool check_runs() {
    for (const auto& [id, run] : statements_.runs()) {
      const Checked checked =
          run.is_finished ? check(id, run.digest, "/bundle?contents=false") : check_open(id);
      if (checked == Checked::kNoAnswer) return false;
      if (checked == Checked::kHolds) ++(run.is_finished ? finished_ : open_);
    }
    return true;
  }

  [[nodiscard]] const TenantAudit& statements() const { return statements_; }
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }
  /// What the server refused to give, for another reason than that it has it not.
  [[nodiscard]] const std::vector<std::string>& unchecked() const { return unchecked_; }
  [[nodiscard]] bool is_newest_there() const { return is_newest_there_; }
  /// Runs that were found as they should be.
  [[nodiscard]] std::size_t finished() const { return finished_; }
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] bool is_complete() const { return findings_.empty() && unchecked_.empty(); }

 private:
  enum class Checked { kHolds, kDoesNot, kNoAnswer };

  Checked find(std::string what) {
    findings_.push_back(std::move(what));
    return Checked::kDoesNot;
  }

  /// After a call that gave nothing. What the server says that it has not is `missing`.
  Checked refused(std::string_view name, std::string missing) {
    if (session_.exit_code() != kRefused) return Checked::kNoAnswer;
    const int status = session_.status();
    if (status == 404) return find(std::move(missing));
    const std::string why =
        status == 0 ? "its answer is too long"
                    : fmt::format("the server answered {} {}", status, net::reason_phrase(status));
    unchecked_.push_back(fmt::format("{}: could not be checked: {}", name, why));
    return Checked::kDoesNot;
  }

  /// The receipt or bundle of `id` is VALID and about the statement with that digest.
  Checked check(const Id& id, const Bytes32& digest, std::string_view suffix) {
    const std::string name = "rcpt_" + id.ulid();
    const auto file = session_.fetch("GET", path_to("receipts", name) + std::string(suffix));
    if (!file) return refused(name, fmt::format("{}: the server has no receipt", name));
    const auto receipt = provenance::decode_receipt(file->body, kBundleBytesMax);
    if (!receipt) return find(fmt::format("{}: {}", name, receipt.error().message));
    const auto verified = provenance::verify(*receipt, trust_);
    if (verified.verdict != Verdict::kValid && !is_open(verified)) {
      return find(fmt::format("{}: {}", name, provenance::verdict_name(verified.verdict)));
    }
    if (provenance::statement_digest(receipt->statement.statement) != digest) {
      return find(fmt::format("{}: it is about another statement than the list has", name));
    }
    return Checked::kHolds;
  }

  /// All holds, and the run is merely not over: the newest statement may be of such a one.
  static bool is_open(const provenance::Verification& verified) {
    return verified.verdict == Verdict::kIncomplete && verified.statement &&
           verified.statement->type != provenance::StatementType::kRunFinished;
  }

  /// A run without an end in the log must still run.
  Checked check_open(const Id& id) {
    const auto ended = [&](std::string_view status) {
      return fmt::format("run {}: the log has its start and no end, and it is {}", id.ulid(),
                         shown(status));
    };
    const auto run = session_.call("GET", path_to("orchestrations", id.uuid()));
    if (!run) return refused("run " + id.ulid(), ended("not there"));
    const std::string status = run->body.string_or("status");
    return status == "running" ? Checked::kHolds : find(ended(status));
  }

  Session& session_;
  const provenance::Trust& trust_;
  TenantAudit statements_;
  std::vector<std::string> findings_;
  std::vector<std::string> unchecked_;
  bool is_newest_there_ = false;
  std::size_t finished_ = 0;
  std::size_t open_ = 0;
};

void print(Terminal& terminal, const Auditor& auditor) {
  for (const std::string& finding : auditor.findings()) {
    terminal.out << "FAILED   " << shown(finding, 1024) << '\n';
  }
  for (const std::string& what : auditor.unchecked()) {
    terminal.out << "UNKNOWN  " << shown(what, 1024) << '\n';
  }
  if (auditor.findings().empty()) {
    terminal.out << fmt::format(
        "passed   {} statements, numbered without gaps and chained{}\n"
        "passed   {} finished runs, each with a bundle that is VALID\n"
        "passed   {} open runs, which still run\n",
        auditor.statements().size(), auditor.is_newest_there() ? "; the newest is in the log" : "",
        auditor.finished(), auditor.open());
  }
  terminal.out
      << "\nThe log cannot show what never reached it: work outside the engine, a run in its first "
         "second,\nor another view of the log given to others. For the last, compare checkpoints\n"
         "(`avow log audit --old`), or ask for witnesses (--policy).\n";
}

json::Value as_json(const Auditor& auditor) {
  json::Array runs;
  for (const auto& [id, run] : auditor.statements().runs()) {
    runs.emplace_back(json::Object{{"run", id.uuid()}, {"finished", run.is_finished}});
  }
  json::Array findings;
  for (const std::string& finding : auditor.findings()) findings.emplace_back(finding);
  json::Array unchecked;
  for (const std::string& what : auditor.unchecked()) unchecked.emplace_back(what);
  return json::Object{{"complete", auditor.is_complete()},
                      {"statements", auditor.statements().size()},
                      {"runs", std::move(runs)},
                      {"findings", std::move(findings)},
                      {"unchecked", std::move(unchecked)}};
}

int audit_tenant(Terminal& terminal, const AuditCommand& command) {
  const auto trust = read_trust(terminal, command.trust);
  if (!trust) return kUsage;
  Connection connection = command.connection;
  connection.is_json = false;  // of the calls; the report is ours
  Session session(terminal, connection);
  Auditor auditor(session, *trust);
  const bool is_read = auditor.read_statements() && auditor.check_newest() && auditor.check_runs();
  if (!is_read) return session.exit_code() == kRefused ? kUsage : session.exit_code();
  if (command.connection.is_json) {
    terminal.out << json::write(as_json(auditor)) << '\n';
  } else {
    print(terminal, auditor);
  }
  if (!auditor.findings().empty()) return kRefused;
  return auditor.is_complete() ? kOk : kUsage;
}

}  // namespace

void add_audit(CLI::App& app, Selection& selection) {
  auto* group = app.add_subcommand("audit", "Check that nothing of a tenant is missing");
  group->require_subcommand(1);
  auto made = std::make_shared<AuditCommand>();
  auto* command = group->add_subcommand("tenant", "Read all statements of a tenant and check them");
  add_trust(*command, made->trust, "--log-key");
  add_connection(*command, made->connection);
  command->footer(
      "Every statement is there and in order, every run that began has ended or still runs, every\n"
      "bundle is VALID. Needs a key with audit:read, receipts:read and orchestrations:read.\n\n"
      "Exit codes: 0 complete; 1 not, a line for each finding; 2 nothing found, but not all could\n"
      "be checked; 3 no answer.\n\n"
      "Example:\n"
      "  avow audit tenant --log-key 'log.acme.example+1a2b3c4d+AQ...'");
  on_selected(*command, selection, made, audit_tenant);
}

}  // namespace avow::cli
