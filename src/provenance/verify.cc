// SPDX-License-Identifier: Apache-2.0
#include "provenance/verify.h"

#include <algorithm>
#include <array>
#include <map>

#include "crypto/p256.h"
#include "merkle/checkpoint.h"
#include "merkle/inclusion.h"
#include "provenance/entry.h"
#include "provenance/event.h"
#include "provenance/members.h"
#include "provenance/run_tree.h"

namespace avow::provenance {
namespace {

constexpr std::array<std::string_view, 12> kVerdictNames = {"MALFORMED",
                                                            "EVENT_MISMATCH",
                                                            "RUN_PROOF_INVALID",
                                                            "STATEMENT_MISMATCH",
                                                            "STATEMENT_SIGNATURE_INVALID",
                                                            "LOG_PROOF_INVALID",
                                                            "CHECKPOINT_SIGNATURE_INVALID",
                                                            "KEY_UNTRUSTED",
                                                            "WITNESSES_INSUFFICIENT",
                                                            "CONTENT_MISMATCH",
                                                            "INCOMPLETE",
                                                            "VALID"};

bool is_of_run(StatementType type) {
  return type == StatementType::kRunFinished || type == StatementType::kRunOpen ||
         type == StatementType::kRunProgress;
}

bool ends_step(std::string_view type) {
  return type == "step.completed" || type == "step.failed" || type == "step.skipped" ||
         type == "step.cancelled";
}

bool ends_run(std::string_view type) {
  return type == "run.completed" || type == "run.failed" || type == "run.cancelled";
}

/// A statement of the file with its entry, read.
struct Logged {
  const LoggedStatement* quoted;
  Statement statement;
  Entry entry;
};

Result<Logged> read_logged(const LoggedStatement& quoted) {
  Logged logged{&quoted, {}, {}};
  ASSIGN_OR_RETURN(logged.statement, decode_statement(quoted.statement));
  ASSIGN_OR_RETURN(logged.entry, decode_entry(quoted.entry));
  return logged;
}

/// A check: nothing where it does not apply, else whether it passed.
using Finding = std::optional<Result<void>>;

Finding fails(std::string why) { return Result<void>(Error{Code::kCorruption, std::move(why)}); }
template <class... Args>
Finding fails(fmt::format_string<Args...> format, Args&&... args) {
  return fails(fmt::format(format, std::forward<Args>(args)...));
}
Finding passes() { return Result<void>(); }

/// All parts of a receipt, read, and one function for each check, in the order of the verdicts.
/// Each stands by itself: none relies on an earlier one having passed.
class Verifier {
 public:
  /// The first check: errors mean that the file is malformed.
  static Result<Verifier> read(const Receipt& receipt, const Trust& trust);

  [[nodiscard]] Finding check_events() const;
  [[nodiscard]] Finding check_run_proof() const;
  [[nodiscard]] Finding check_statements() const;
  [[nodiscard]] Finding check_statement_signatures() const;
  [[nodiscard]] Finding check_log_proofs() const;
  [[nodiscard]] Finding check_checkpoint_signature() const;
  [[nodiscard]] Finding check_trust() const;
  [[nodiscard]] Finding check_witnesses() const;
  [[nodiscard]] Finding check_contents() const;
  [[nodiscard]] Finding check_completeness() const;

  [[nodiscard]] const Statement& statement() const { return logged_.front().statement; }

 private:
  Verifier(const Receipt& receipt, const Trust& trust) : receipt_(receipt), trust_(trust) {}

  Result<void> read_events();
  void verify_checkpoint();
  [[nodiscard]] const Statement& keys() const { return logged_[1].statement; }
  [[nodiscard]] const Event* event_at(std::uint32_t seq) const;
  [[nodiscard]] bool is_trusted_log(const merkle::VerifierKey& key) const;
  [[nodiscard]] Finding check_step_events() const;
  [[nodiscard]] Finding check_facts() const;
  [[nodiscard]] Finding check_account(const ContentAccount& account) const;
  [[nodiscard]] bool is_erased(const ContentRef& ref) const;
  [[nodiscard]] bool is_payload(const Event* event, const std::string& name,
                                const json::Value& value) const;
  [[nodiscard]] bool shows_payload(const ContentAccount& account) const;

  const Receipt& receipt_;
  const Trust& trust_;
  std::vector<Logged> logged_;  ///< The receipt's statement, the one of the keys, the erasures.
  std::vector<Event> events_;   ///< Of the receipt or bundle, in the order of the file.
  /// Places in events_; of two events with one seq, the first.
  std::map<std::uint32_t, std::size_t> by_seq_;
  merkle::Note note_;
  merkle::Checkpoint checkpoint_;
  std::vector<merkle::VerifierKey> trusted_keys_;  ///< The caller's, witnesses included.
  /// What holds of the checkpoint's signatures, under the caller's keys and under the hints.
  Result<std::vector<merkle::VerifiedSignature>> verified_ =
      std::vector<merkle::VerifiedSignature>();
};

Result<Verifier> Verifier::read(const Receipt& receipt, const Trust& trust) {
  Verifier verifier(receipt, trust);
  std::vector<const LoggedStatement*> quoted = {&receipt.statement, &receipt.keys};
  for (const LoggedStatement& erasure : receipt.erasures) quoted.push_back(&erasure);
  for (const LoggedStatement* one : quoted) {
    ASSIGN_OR_RETURN(auto logged, read_logged(*one));
    verifier.logged_.push_back(std::move(logged));
  }
  RETURN_IF_ERROR(verifier.read_events());
  ASSIGN_OR_RETURN(verifier.note_, merkle::Note::parse(receipt.checkpoint));
  ASSIGN_OR_RETURN(verifier.checkpoint_, merkle::Checkpoint::parse(verifier.note_.text));
  verifier.verify_checkpoint();
  return verifier;
}

Result<void> Verifier::read_events() {
  const auto add = [this](std::string_view bytes) -> Result<void> {
    ASSIGN_OR_RETURN(auto event, decode(bytes));
    by_seq_.emplace(event.seq, events_.size());
    events_.push_back(std::move(event));
    return {};
  };
  for (const ProvenEvent& proven : receipt_.events) RETURN_IF_ERROR(add(proven.event));
  if (!receipt_.journal) return {};
  for (const std::string& event : *receipt_.journal) RETURN_IF_ERROR(add(event));
  return {};
}

void Verifier::verify_checkpoint() {
  trusted_keys_ = trust_.log_keys;
  if (trust_.policy) {
    const auto policy_keys = trust_.policy->keys();
    trusted_keys_.insert(trusted_keys_.end(), policy_keys.begin(), policy_keys.end());
  }
  // The caller's keys stand first: a key in the file that was made to have the same name and id
  // does not take their place.
  std::vector<merkle::VerifierKey> known = trusted_keys_;
  known.insert(known.end(), keys().log_keys.begin(), keys().log_keys.end());
  verified_ = merkle::verify_note(note_, known);
}

const Event* Verifier::event_at(std::uint32_t seq) const {
  const auto at = by_seq_.find(seq);
  return at == by_seq_.end() ? nullptr : &events_[at->second];
}

// ------------------------------------------------------------------------ the run and its events

Finding Verifier::check_events() const {
  if (events_.empty() && !receipt_.is_bundle() && seq_of(receipt_.id) == 0) return {};
  if (!is_of_run(statement().type)) {
    return fails("a {} has no events to show", statement_type_name(statement().type));
  }
  std::uint32_t last = 0;
  for (const Event& event : events_) {
    if (event.run.value != statement().id) {
      return fails("event {} is of run {}, the statement of {}", event.seq, event.run.uuid(),
                   statement().id.uuid());
    }
    if (event.seq <= last || (receipt_.is_bundle() && event.seq != last + 1)) {
      return fails("event {} stands behind event {}", event.seq, last);
    }
    last = event.seq;
  }
  return seq_of(receipt_.id) == 0 ? passes() : check_step_events();
}

/// Of a step: nothing but its start, if it started, and its end, which the receipt's id names.
Finding Verifier::check_step_events() const {
  if (receipt_.is_bundle() || events_.empty() || events_.size() > 2) {
    return fails("a step is shown by its start and its end");
  }
  const Event& end = events_.back();
  if (end.seq != seq_of(receipt_.id) || !ends_step(end.type) || end.step.empty()) {
    return fails("event {} ({}) is not the end of the step that the receipt's id names", end.seq,
                 shown(end.type));
  }
  if (events_.size() == 1) return passes();
  const Event& start = events_.front();
  if (start.type != "step.started" || start.step != end.step || start.attempt > end.attempt) {
    return fails("event {} ({}) is not the start of step \"{}\"", start.seq, shown(start.type),
                 shown(end.step));
  }
  return passes();
}

Finding Verifier::check_run_proof() const {
  if (receipt_.is_bundle()) {
    RunTree tree;
    for (const std::string& event : *receipt_.journal) tree.append(event);
    if (tree.size() != statement().events) {
      return fails("{} events, the statement is about {}", tree.size(), statement().events);
    }
    if (tree.root() != statement().root) return fails("the events lead to another root");
    return passes();
  }
  if (events_.empty()) return {};
  if (!statement().root) return fails("the statement has no root");
  for (std::size_t i = 0; i < events_.size(); ++i) {
    const ProvenEvent& proven = receipt_.events[i];
    const auto proof = merkle::verify_inclusion(
        merkle::hash_leaf(proven.event), {events_[i].seq - 1, statement().events, proven.path},
        *statement().root);
    if (!proof) return proof.error().in(fmt::format("event {}", events_[i].seq));
  }
  return passes();
}

// -------------------------------------------------------------------- statements and their entries

Finding Verifier::check_statements() const {
  if (statement_of(receipt_.id) != statement().id) {
    return fails("the receipt's id names {}, the statement {}", statement_of(receipt_.id).uuid(),
                 statement().id.uuid());
  }
  for (const Logged& logged : logged_) {
    if (logged.entry.digest != statement_digest(logged.quoted->statement)) {
      return fails("the entry at {} is of another statement than the {} beside it",
                   logged.quoted->index, statement_type_name(logged.statement.type));
    }
    if (logged.statement.type == StatementType::kLogGenesis && logged.quoted->index != 0) {
      return fails("the log's first entry stands at {}", logged.quoted->index);
    }
  }
  if (!is_about_keys(keys().type)) {
    return fails("a {} names no keys", statement_type_name(keys().type));
  }
  for (std::size_t i = 2; i < logged_.size(); ++i) {
    const Statement& erasure = logged_[i].statement;
    if (erasure.type != StatementType::kContentErased || erasure.tenant != statement().tenant) {
      return fails("a {} of tenant {} erases nothing here", statement_type_name(erasure.type),
                   erasure.tenant.uuid());
    }
  }
  return is_of_run(statement().type) ? check_facts() : passes();
}

/// What the statement says of the run, against the run's first and last event if they are here.
Finding Verifier::check_facts() const {
  const Statement& said = statement();
  if (const Event* first = event_at(1)) {
    const auto digest_in = [first](std::string_view member) -> std::optional<Bytes32> {
      Bytes32 digest;
      if (!read_digest(first->data.find(member), digest)) return {};
      return digest;
    };
    if (first->type != "run.started") return fails("event 1 is a {}", shown(first->type));
    if (digest_in("plan") != said.plan) return fails("event 1 commits to another plan");
    if (digest_in("workflow_digest") != said.workflow_digest) {
      return fails("event 1 names another workflow");
    }
    if (first->agent != said.agent) return fails("event 1 names another agent");
    if (first->time != said.started_at) return fails("event 1 has another time of start");
  }
  const Event* last = event_at(said.events);
  if (last == nullptr) return passes();
  if (said.type != StatementType::kRunFinished) {
    if (ends_run(last->type)) return fails("the run had ended with {}", shown(last->type));
    return passes();
  }
  if (last->type != "run." + said.status) {
    return fails("the last event is a {}, the status \"{}\"", shown(last->type), said.status);
  }
  if (last->time != said.completed_at) return fails("the last event has another time of end");
  return passes();
}

Finding Verifier::check_statement_signatures() const {
  for (const Logged& logged : logged_) {
    const std::uint64_t index = logged.quoted->index;
    if (!names_key(keys(), logged.entry.public_key, index)) {
      return fails("the key of the entry at {} is not one that the log named for it", index);
    }
    const auto key = crypto::P256PublicKey::from_spki_der(logged.entry.public_key);
    if (!key) return key.error();
    if (!key->verifies(logged.quoted->statement, logged.entry.signature)) {
      return fails("the signature of the entry at {} does not hold", index);
    }
  }
  if (!has_valid_signatures(keys())) {
    return fails("the log keys have not signed the {}", statement_type_name(keys().type));
  }
  return passes();
}

// --------------------------------------------------------------------------- the log and its keys

Finding Verifier::check_log_proofs() const {
  for (const Logged& logged : logged_) {
    const LoggedStatement& quoted = *logged.quoted;
    const auto proof =
        merkle::verify_inclusion(merkle::hash_leaf(quoted.entry),
                                 {quoted.index, checkpoint_.size, quoted.path}, checkpoint_.root);
    if (!proof) return proof.error().in(fmt::format("entry at {}", quoted.index));
  }
  return passes();
}

/// C2SP tlog-checkpoint: the log's signature is by a key that is named like the origin.
bool is_log_signature(const merkle::VerifiedSignature& signature, std::string_view origin) {
  return signature.key.type == merkle::SignatureType::kEd25519 && signature.key.name == origin;
}

Finding Verifier::check_checkpoint_signature() const {
  if (checkpoint_.origin != keys().origin) {
    return fails("the checkpoint is of log \"{}\", the keys of \"{}\"", shown(checkpoint_.origin),
                 shown(keys().origin));
  }
  if (!verified_) return verified_.error();
  if (std::ranges::none_of(*verified_, [this](const auto& signature) {
        return is_log_signature(signature, checkpoint_.origin);
      })) {
    return fails("the log has not signed the checkpoint");
  }
  return passes();
}

bool Verifier::is_trusted_log(const merkle::VerifierKey& key) const {
  return key.type == merkle::SignatureType::kEd25519 && key.name == checkpoint_.origin &&
         std::ranges::find(trusted_keys_, key) != trusted_keys_.end();
}

Finding Verifier::check_trust() const {
  if (!verified_ || std::ranges::none_of(*verified_, [this](const auto& signature) {
        return is_trusted_log(signature.key);
      })) {
    return fails("no key that you trust has signed the checkpoint");
  }
  if (std::ranges::none_of(keys().log_keys,
                           [this](const auto& key) { return is_trusted_log(key); })) {
    return fails("no key that you trust has signed the {}", statement_type_name(keys().type));
  }
  return passes();
}

Finding Verifier::check_witnesses() const {
  if (!trust_.policy) return {};
  if (!verified_ || !trust_.policy->has_quorum(*verified_)) {
    return fails("the cosignatures are fewer than the policy's quorum");
  }
  return passes();
}

// ------------------------------------------------------------------------------------ the contents

bool Verifier::is_erased(const ContentRef& ref) const {
  const RunId run{statement().id};
  return std::any_of(logged_.begin() + 2, logged_.end(), [&](const Logged& logged) {
    const auto& erased = logged.statement.erased;
    return std::ranges::binary_search(erased, ErasedContent{run, ref.seq, ref.member}) ||
           std::ranges::binary_search(erased, ErasedContent{run, 0, {}});
  });
}

Finding Verifier::check_account(const ContentAccount& account) const {
  const auto& [seq, member] = account.ref;
  const Event* event = event_at(seq);
  Bytes32 committed{};
  if (event == nullptr || !read_digest(event->data.find(member), committed)) {
    return fails("event {} is not here, or commits to no \"{}\"", seq, shown(member));
  }
  if (const auto* opened = std::get_if<OpenedContent>(&account.shown)) {
    if (commitment(opened->value, opened->salt) == committed) return passes();
    return fails("\"{}\" of event {} is not what was committed to", shown(member), seq);
  }
  if (const auto* disclosure = std::get_if<Disclosure>(&account.shown)) {
    return check_disclosure(*disclosure, committed);
  }
  if (std::get<Withheld>(account.shown) == Withheld::kErased && !is_erased(account.ref)) {
    return fails("no statement of the file erases \"{}\" of event {}", shown(member), seq);
  }
  return passes();
}

/// Whether the content `name` of `event`'s data, or of a member of it, is what the caller looks
/// for.
bool Verifier::is_payload(const Event* event, const std::string& name,
                          const json::Value& value) const {
  const std::string& wanted = trust_.payload->name;
  const bool is_named = wanted.empty() || wanted == name ||
                        (event != nullptr && !event->step.empty() &&
                         wanted == fmt::format("{}.{}", event->step, name));
  return is_named && value == trust_.payload->value;
}

bool Verifier::shows_payload(const ContentAccount& account) const {
  const auto& [seq, member] = account.ref;
  const Event* event = event_at(seq);
  if (const auto* opened = std::get_if<OpenedContent>(&account.shown)) {
    return is_payload(event, member, opened->value);
  }
  const auto* disclosure = std::get_if<Disclosure>(&account.shown);
  if (disclosure == nullptr) return false;
  return std::ranges::any_of(disclosure->members, [&](const OpenedMember& one) {
    return is_payload(event, fmt::format("{}.{}", account.ref.member, one.key), one.value);
  });
}

Finding Verifier::check_contents() const {
  if (receipt_.contents.empty() && !trust_.payload) return {};
  for (const ContentAccount& account : receipt_.contents) {
    if (auto finding = check_account(account); !finding->has_value()) return finding;
  }
  if (trust_.payload && std::ranges::none_of(receipt_.contents, [this](const auto& account) {
        return shows_payload(account);
      })) {
    return fails(
        "no content that is shown {}is the payload",
        trust_.payload->name.empty() ? "" : fmt::format("as \"{}\" ", shown(trust_.payload->name)));
  }
  return passes();
}

Finding Verifier::check_completeness() const {
  const std::uint32_t seq = seq_of(receipt_.id);
  if (seq != 0) {
    const bool has_started = !events_.empty() && events_.back().attempt != 0;
    if (has_started && events_.size() < 2) return fails("the start of the step is missing");
    return passes();
  }
  if (is_of_run(statement().type) && statement().type != StatementType::kRunFinished) {
    return fails("the run had not ended");
  }
  if (!receipt_.is_bundle()) return passes();
  for (const Event& event : events_) {
    for (const std::string& member : committed_members(event.data)) {
      // `contents` ascends: decode_receipt() saw to it.
      if (!std::ranges::binary_search(receipt_.contents, ContentRef{event.seq, member}, {},
                                      &ContentAccount::ref)) {
        return fails("\"{}\" of event {} is neither shown nor said to be withheld", shown(member),
                     event.seq);
      }
    }
  }
  return passes();
}

struct NamedCheck {
  Verdict verdict;
  Finding (Verifier::*run)() const;
};

constexpr std::array<NamedCheck, 10> kChecks = {{
    {Verdict::kEventMismatch, &Verifier::check_events},
    {Verdict::kRunProofInvalid, &Verifier::check_run_proof},
    {Verdict::kStatementMismatch, &Verifier::check_statements},
    {Verdict::kStatementSignatureInvalid, &Verifier::check_statement_signatures},
    {Verdict::kLogProofInvalid, &Verifier::check_log_proofs},
    {Verdict::kCheckpointSignatureInvalid, &Verifier::check_checkpoint_signature},
    {Verdict::kKeyUntrusted, &Verifier::check_trust},
    {Verdict::kWitnessesInsufficient, &Verifier::check_witnesses},
    {Verdict::kContentMismatch, &Verifier::check_contents},
    {Verdict::kIncomplete, &Verifier::check_completeness},
}};

Verification malformed(const Error& error) {
  Verification out;
  out.checks.push_back({Verdict::kMalformed, Outcome::kFailed, error.message});
  for (const NamedCheck& check : kChecks) {
    out.checks.push_back({check.verdict, Outcome::kSkipped, {}});
  }
  return out;
}

}  // namespace

std::string_view verdict_name(Verdict verdict) {
  return kVerdictNames.at(static_cast<std::size_t>(verdict));
}

Verification verify(std::string_view file, const Trust& trust, std::size_t bytes_max) {
  const auto receipt = decode_receipt(file, bytes_max);
  return receipt ? verify(*receipt, trust) : malformed(receipt.error());
}

Verification verify(const Receipt& receipt, const Trust& trust) {
  const auto verifier = Verifier::read(receipt, trust);
  if (!verifier) return malformed(verifier.error());
  Verification out{Verdict::kValid, {}, verifier->statement()};
  out.checks.push_back({Verdict::kMalformed, Outcome::kPassed, {}});
  for (const NamedCheck& check : kChecks) {
    const Finding finding = ((*verifier).*check.run)();
    const bool has_failed = finding && !finding->has_value();
    if (has_failed && out.verdict == Verdict::kValid) out.verdict = check.verdict;
    out.checks.push_back({check.verdict,
                          has_failed ? Outcome::kFailed
                          : finding  ? Outcome::kPassed
                                     : Outcome::kSkipped,
                          has_failed ? finding->error().message : std::string()});
  }
  return out;
}

std::vector<std::string> committed_members(const json::Value& data) {
  std::vector<std::string> members;
  for (const auto& [key, value] : data.as_object()) {
    Bytes32 digest{};
    if (!key.ends_with("_digest") && read_digest(&value, digest)) members.push_back(key);
  }
  return members;
}

}  // namespace avow::provenance
