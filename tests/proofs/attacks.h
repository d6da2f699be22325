// SPDX-License-Identifier: Apache-2.0
// tests/proofs/attacks.h: every attack of docs/attacks.md, as a function that carries it out.
#pragma once
#include "tests/proofs/world.h"

namespace avow::proofs {

struct Attack {
  std::string on;         ///< Events, contents, ...: a table of the page.
  std::string what;       ///< "edit", "delete", ...
  std::string holds;      ///< What the attacker needs besides the file.
  std::string presented;  ///< What is shown instead.
  std::function<void(const World&, Shown&)> act;
  Verdict verdict;                     ///< Of a verifier who trusts the log's key.
  std::vector<std::string> detectors;  ///< As judge() names them.
};

std::vector<Attack> attacks_on_runs();  ///< Events, contents, receipts and bundles.
std::vector<Attack> attacks_on_logs();  ///< Statements, entries, tiles and checkpoints.
std::vector<Attack> attacks_that_work();

// Detectors.
inline const std::string kVerifier = "the verifier";
inline const std::string kAuditor = "an auditor with an older checkpoint";
inline const std::string kWitnesses = "witnesses";
inline const std::string kTenantAudit = "the tenant's audit";
inline const std::string kLogAudit = "an audit of the log";
inline const std::string kNobody = "nobody";

// ------------------------------------------------------------------------- honest things to attack

inline Receipt bundle_of(const TestLog& log, const TestRun& run, std::uint64_t at) {
  Receipt receipt = receipt_of(log, at);
  receipt.journal = run.events;
  receipt.contents = run.opened();
  return receipt;
}
inline Receipt bundle_of(const World& world) { return bundle_of(world.log, world.run, kRun); }

/// The receipt of the step `extract`, which shows one member of its output.
inline Receipt step_of(const World& world) {
  Receipt receipt = receipt_of(world.log, kRun, 3);
  receipt.events = {world.run.proven(2), world.run.proven(3)};
  const Content& output = world.run.content(3, "output");
  receipt.contents = {
      {{3, "output"}, *disclose(output.value, output.salt, std::vector<std::string>{"score"})}};
  return receipt;
}

/// A bundle that says what was erased, with the statement that erased it.
inline Receipt erased_bundle_of(const World& world) {
  Receipt receipt = bundle_of(world);
  for (ContentAccount& account : receipt.contents) {
    if (account.ref.member == "output") account.shown = Withheld::kErased;
  }
  receipt.erasures = {world.log.logged(kErasure)};
  return receipt;
}

// --------------------------------------------------------------------------- what attackers can do

/// `event` with another member `data.said`, canonically spelled.
inline std::string edited_event(const std::string& event) {
  Event changed = *decode(event);
  changed.data.set("said", "otherwise");
  return encode(changed);
}

/// The statement at `at` after `change`.
template <class Change>
std::string edited_statement(const TestLog& log, std::uint64_t at, const Change& change) {
  Statement statement = *decode_statement(log.statements[at]);
  change(statement);
  return encode(statement);
}

/// Puts a statement, and an entry that the real statement key signs, in the place of another.
inline void put(TestLog& log, std::uint64_t at, const std::string& statement) {
  log.statements[at] = statement;
  log.entries[at] = encode(make_entry(statement, log.statement_key));
}

/// Numbers and chains all statements anew and signs them again where they changed.
inline void rechain(TestLog& log) {
  std::map<TenantId, std::pair<std::uint64_t, Bytes32>> last;
  for (std::size_t i = 0; i < log.statements.size(); ++i) {
    Statement statement = *decode_statement(log.statements[i]);
    if (is_about_keys(statement.type)) continue;
    const auto before = last.find(statement.tenant);
    statement.tenant_seq = before == last.end() ? 1 : before->second.first + 1;
    statement.prev.reset();
    if (before != last.end()) statement.prev = before->second.second;
    const std::string bytes = encode(statement);
    if (bytes != log.statements[i]) put(log, i, bytes);
    last[statement.tenant] = {statement.tenant_seq, statement_digest(bytes)};
  }
}

inline void hand_out(Shown& shown, TenantId tenant) {
  shown.handed_out.clear();
  for (const std::string& bytes : shown.log.statements) {
    if (decode_statement(bytes)->tenant == tenant) shown.handed_out.push_back(bytes);
  }
}

/// Cuts a log to its first `size` entries.
inline void truncate(TestLog& log, std::uint64_t size) {
  log.entries.resize(size);
  log.statements.resize(size);
}

}  // namespace avow::proofs
