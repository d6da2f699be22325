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
  Auditor(Session& session, const provenance::Trust& trust) : session_(session), trust_(trust) {}

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

  /// The newest statement is in the log, and with it, by `prev`, each one before it.
  bool check_newest() {
    if (!statements_.newest()) return true;
    return check(*statements_.newest(), *statements_.digest(), "");
  }

  bool check_runs() {
    for (const auto& [id, run] : statements_.runs()) {
      if (run.is_finished ? !check(id, run.digest, "/bundle") : !check_open(id)) return false;
    }
    return true;
  }

  [[nodiscard]] const TenantAudit& statements() const { return statements_; }
  [[nodiscard]] const std::vector<std::string>& findings() const { return findings_; }

 private:
  void find(std::string what) { findings_.push_back(std::move(what)); }

  /// The receipt or bundle of `id` is VALID and about the statement with that digest.
  bool check(const Id& id, const Bytes32& digest, std::string_view suffix) {
    const std::string name = "rcpt_" + id.ulid();
    const auto file = session_.fetch("GET", path_to("receipts", name) + std::string(suffix));
    if (!file) {
      if (session_.exit_code() != kRefused) return false;
      find(fmt::format("{}: the server gives no receipt", name));
      return true;
    }
    const auto receipt = provenance::decode_receipt(file->body, kBundleBytesMax);
    if (!receipt) {
      find(fmt::format("{}: {}", name, receipt.error().message));
      return true;
    }
    const auto verified = provenance::verify(*receipt, trust_);
    if (verified.verdict != Verdict::kValid && !is_open(verified)) {
      find(fmt::format("{}: {}", name, provenance::verdict_name(verified.verdict)));
    } else if (provenance::statement_digest(receipt->statement.statement) != digest) {
      find(fmt::format("{}: it is about another statement than the list has", name));
    }
    return true;
  }

  /// All holds, and the run is merely not over: the newest statement may be of such a one.
  static bool is_open(const provenance::Verification& verified) {
    return verified.verdict == Verdict::kIncomplete && verified.statement &&
           verified.statement->type != provenance::StatementType::kRunFinished;
  }

  /// A run without an end in the log must still run.
  bool check_open(const Id& id) {
    const auto run = session_.call("GET", path_to("orchestrations", id.uuid()));
    if (!run && session_.exit_code() != kRefused) return false;
    const std::string status = run ? run->body.string_or("status") : "not there";
    if (status != "running") {
      find(fmt::format("run {}: the log has its start and no end, and it is {}", id.ulid(),
                       shown(status)));
    }
    return true;
  }

  Session& session_;
  const provenance::Trust& trust_;
  TenantAudit statements_;
  std::vector<std::string> findings_;
};

void print(Terminal& terminal, const Auditor& auditor) {
  std::size_t finished = 0;
  for (const auto& [id, run] : auditor.statements().runs()) finished += run.is_finished ? 1U : 0U;
  const std::size_t open = auditor.statements().runs().size() - finished;
  for (const std::string& finding : auditor.findings()) {
    terminal.out << "FAILED   " << shown(finding, 1024) << '\n';
  }
  if (auditor.findings().empty()) {
    terminal.out << fmt::format(
        "passed   {} statements, numbered without gaps and chained; the newest is in the log\n"
        "passed   {} finished runs, each with a bundle that is VALID\n"
        "passed   {} open runs, which still run\n",
        auditor.statements().size(), finished, open);
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
  return json::Object{{"complete", auditor.findings().empty()},
                      {"statements", auditor.statements().size()},
                      {"runs", std::move(runs)},
                      {"findings", std::move(findings)}};
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
  return auditor.findings().empty() ? kOk : kRefused;
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
      "Exit codes: 0 complete; 1 not, a line for each finding; 2 and 3 it could not be read.\n\n"
      "Example:\n"
      "  avow audit tenant --log-key 'log.acme.example+1a2b3c4d+AQ...'");
  on_selected(*command, selection, made, audit_tenant);
}

}  // namespace avow::cli
