// SPDX-License-Identifier: Apache-2.0
#include "tlog/receipts.h"

#include <algorithm>
#include <map>

#include "json/parse.h"
#include "provenance/event.h"
#include "provenance/run_tree.h"
#include "provenance/verify.h"

namespace avow::tlog {
namespace {

using provenance::Content;
using provenance::ContentAccount;
using provenance::ContentRef;
using provenance::Event;
using provenance::OpenedContent;
using provenance::ProvenEvent;
using provenance::Receipt;
using provenance::Statement;
using provenance::StatementType;
using provenance::Withheld;

bool is_of_run(const Statement& statement) {
  return statement.type == StatementType::kRunFinished ||
         statement.type == StatementType::kRunOpen || statement.type == StatementType::kRunProgress;
}

bool ends_step(const Event& event) {
  return !event.step.empty() && (event.type == "step.completed" || event.type == "step.failed" ||
                                 event.type == "step.skipped" || event.type == "step.cancelled");
}

bool commits_to(const Event& event, const std::string& member) {
  return std::ranges::count(provenance::committed_members(event.data), member) > 0;
}

Error is_gone(const ContentRef& ref) {
  return failure(Code::kConflict, "\"{}\" of event {} is not kept any more", shown(ref.member),
                 ref.seq);
}

/// An erasure of the run.
struct Erasure {
  store::LogEntry entry;
  Statement statement;
};

/// A run as the store has it at one moment, and which statement its receipts are for.
class StoredRun {
 public:
  static Result<StoredRun> read(store::Store& store, const store::LogEntry& entry,
                                const Statement& statement, const ReceiptOptions& options);

  [[nodiscard]] std::uint32_t length() const { return static_cast<std::uint32_t>(events_.size()); }
  [[nodiscard]] const std::string& bytes(std::uint32_t seq) const { return events_[seq - 1]; }
  [[nodiscard]] Result<Event> event(std::uint32_t seq) const {
    return provenance::decode(bytes(seq));
  }
  /// Null pointer: it is not kept, or not any more.
  [[nodiscard]] const Content* content(const ContentRef& ref) const {
    const auto found = contents_.find(ref);
    return found == contents_.end() ? nullptr : &found->second;
  }
  /// By age. Those in another log than the run's statement are among them.
  [[nodiscard]] const std::vector<Erasure>& erasures() const { return erasures_; }

 private:
  Result<void> read_journal(store::Store& store, RunId id);
  Result<void> add_journal(const std::vector<store::Segment>& segments);
  Result<void> add_contents(const std::vector<store::Segment>& segments,
                            const ReceiptOptions& options);
  Result<void> read_erasures(store::Store& store, TenantId tenant, std::string_view summary);
  [[nodiscard]] bool needs_contents(const ReceiptOptions& options) const;
  void complete_plan(const store::RunRecord& record, const ReceiptOptions& options);

  std::vector<std::string> events_;
  std::map<ContentRef, Content> contents_;
  std::vector<Erasure> erasures_;
};

/// Of a bundle: before anything of it is in memory.
Result<void> check_fits(std::string_view summary, std::size_t bytes_max) {
  const auto parsed = json::parse(summary);
  const json::Value* const bytes = parsed ? parsed->find("contents_bytes") : nullptr;
  if (bytes == nullptr || !bytes->is_int()) return {};  // written by an older program
  if (bytes->as_int() <= static_cast<std::int64_t>(bytes_max)) return {};
  return failure(Code::kResourceExhausted,
                 "bundle: contents have {} bytes, at most {}: ask with contents=false",
                 bytes->as_int(), bytes_max);
}

Result<StoredRun> StoredRun::read(store::Store& store, const store::LogEntry& entry,
                                  const Statement& statement, const ReceiptOptions& options) {
  const RunId id{statement.id};
  ASSIGN_OR_RETURN(const auto row, store.get_run(id));
  StoredRun run;
  RETURN_IF_ERROR(run.read_erasures(store, entry.tenant, row.summary));
  if (!run.needs_contents(options)) {
    RETURN_IF_ERROR(run.read_journal(store, id));
  } else {
    if (options.is_bundle) RETURN_IF_ERROR(check_fits(row.summary, options.bytes_max));
    ASSIGN_OR_RETURN(const auto record, store.read_run(id));
    RETURN_IF_ERROR(run.add_journal(record.journal));
    RETURN_IF_ERROR(run.add_contents(record.contents, options));
    // What is gone from these contents must be among them.
    run.erasures_.clear();
    RETURN_IF_ERROR(run.read_erasures(store, entry.tenant, record.row.summary));
    run.complete_plan(record, options);
  }
  if (run.length() < statement.events) {
    return failure(Code::kCorruption, "run {} has {} events, its statement is about {}",
                   statement.id.uuid(), run.length(), statement.events);
  }
  return run;
}

/// Where everything was erased little is left, and only the contents say what: a plan, perhaps.
bool StoredRun::needs_contents(const ReceiptOptions& options) const {
  if (!options.reveal.empty()) return true;
  if (!options.is_bundle) return false;
  return options.shows_contents || std::ranges::any_of(erasures_, [](const Erasure& erasure) {
           return std::ranges::any_of(erasure.statement.erased,
                                      [](const auto& erased) { return erased.seq == 0; });
         });
}

Result<void> StoredRun::read_journal(store::Store& store, RunId id) {
  constexpr std::size_t kPage = 256;
  while (true) {
    ASSIGN_OR_RETURN(const auto segments, store.read_journal(id, length(), kPage));
    const std::uint32_t before = length();
    RETURN_IF_ERROR(add_journal(segments));
    if (segments.size() < kPage || length() == before) return {};
  }
}

Result<void> StoredRun::add_journal(const std::vector<store::Segment>& segments) {
  for (const store::Segment& segment : segments) {
    ASSIGN_OR_RETURN(auto events, provenance::decode_journal(segment.bytes));
    std::ranges::move(events, std::back_inserter(events_));
  }
  return {};
}

/// Of a receipt only what it may have to reveal.
Result<void> StoredRun::add_contents(const std::vector<store::Segment>& segments,
                                     const ReceiptOptions& options) {
  const auto is_wanted = [&](const Content& content) {
    return options.is_bundle ||
           std::ranges::count(options.reveal, content.ref.member, &Reveal::content) > 0;
  };
  for (const store::Segment& segment : segments) {
    ASSIGN_OR_RETURN(auto contents, provenance::decode_contents(segment.bytes));
    for (Content& content : contents) {
      if (is_wanted(content)) contents_.emplace(content.ref, std::move(content));
    }
  }
  return {};
}

Result<void> StoredRun::read_erasures(store::Store& store, TenantId tenant,
                                      std::string_view summary) {
  // Ids of the content.erased about this run; not for lists, as the rest of the summary.
  const auto parsed = json::parse(summary);
  const json::Value* const ids = parsed ? parsed->find("erasures") : nullptr;
  if (ids == nullptr || !ids->is_array()) return {};
  for (const json::Value& text : ids->as_array()) {
    if (!text.is_string()) return failure(Code::kCorruption, "an erasure without an id");
    ASSIGN_OR_RETURN(const Id id, parse_id(text.as_string()));
    auto found = store.find_statement(id);
    if (!found) return found.error().in("erasure " + id.uuid());
    if (found->tenant != tenant) continue;
    ASSIGN_OR_RETURN(auto statement, provenance::decode_statement(found->statement));
    erasures_.push_back({std::move(*found), std::move(statement)});
  }
  return {};
}

/// The engine keeps the plan beside the run or with its workflow, and here the salt alone.
void StoredRun::complete_plan(const store::RunRecord& record, const ReceiptOptions& options) {
  const auto kept = contents_.find({1, "plan"});
  if (kept == contents_.end() || !kept->second.value.is_null()) return;
  const auto first = event(1);
  Result<json::Value> plan = failure(Code::kNotFound, "nobody knows the plan");
  if (record.plan) {
    plan = json::parse(*record.plan, {.depth_max = 256, .bytes_max = std::size_t{64} << 20});
  } else if (record.row.workflow && options.plan_of) {
    plan = options.plan_of(*record.row.workflow);
  }
  // An erasure may have left a plan with which the run can be replayed and nothing more.
  if (plan && first &&
      first->data.string_or("plan") ==
          to_hex(view_of(provenance::commitment(*plan, kept->second.salt)))) {
    kept->second.value = std::move(*plan);
  } else {
    contents_.erase(kept);
  }
}

/// Fills in what a receipt shows of a run; at the end `rests_on` are the erasures that it quotes.
class Maker {
 public:
  Maker(const StoredRun& run, std::uint32_t log, const Statement& statement,
        const ReceiptOptions& options)
      : run_(run), log_(log), statement_(statement), options_(options) {}

  Result<void> add_bundle(Receipt& receipt);
  Result<void> add_step(Receipt& receipt, std::uint32_t seq);
  Result<void> add_run(Receipt& receipt);
  [[nodiscard]] const std::vector<const Erasure*>& rests_on() const { return rests_on_; }

 private:
  [[nodiscard]] Result<std::vector<ProvenEvent>> prove(const std::vector<Event>& events) const;
  Result<std::vector<Event>> events_of_step(std::uint32_t seq) const;
  Result<ContentAccount> account(const ContentRef& ref);
  const Erasure* erasure_of(const ContentRef& ref) const;
  /// Opens what is asked for; each content is looked for in the first of `places` that has it.
  /// Returns the events that were found.
  Result<std::vector<Event>> reveal(Receipt& receipt, const std::vector<Event>& places) const;

  const StoredRun& run_;
  const std::uint32_t log_;  ///< Where the statement stands.
  const Statement& statement_;
  const ReceiptOptions& options_;
  std::vector<const Erasure*> rests_on_;
};

Result<std::vector<ProvenEvent>> Maker::prove(const std::vector<Event>& events) const {
  std::vector<merkle::Hash> leaves;
  leaves.reserve(statement_.events);
  for (std::uint32_t seq = 1; seq <= statement_.events; ++seq) {
    leaves.push_back(merkle::hash_leaf(run_.bytes(seq)));
  }
  const provenance::RunProver prover(std::move(leaves));
  std::vector<ProvenEvent> proven;
  for (const Event& event : events) {
    ASSIGN_OR_RETURN(auto proof, prover.prove(event.seq, statement_.events));
    proven.push_back({run_.bytes(event.seq), std::move(proof.siblings)});
  }
  return proven;
}

// ---------------------------------------------------------------------------------------- bundles

const Erasure* Maker::erasure_of(const ContentRef& ref) const {
  using provenance::ErasedContent;
  const RunId run{statement_.id};
  for (const Erasure& erasure : run_.erasures()) {
    const auto& erased = erasure.statement.erased;
    if (std::ranges::binary_search(erased, ErasedContent{run, ref.seq, ref.member}) ||
        std::ranges::binary_search(erased, ErasedContent{run, 0, {}})) {
      return &erasure;
    }
  }
  return nullptr;
}

Result<ContentAccount> Maker::account(const ContentRef& ref) {
  if (const Content* content = run_.content(ref)) {
    if (!options_.shows_contents) return ContentAccount{ref, Withheld::kFromReader};
    return ContentAccount{ref, OpenedContent{content->salt, content->value}};
  }
  const Erasure* const erasure = erasure_of(ref);
  if (erasure == nullptr) return ContentAccount{ref, Withheld::kFromReader};
  if (erasure->entry.log == log_) {
    if (std::ranges::count(rests_on_, erasure) == 0) rests_on_.push_back(erasure);
    return ContentAccount{ref, Withheld::kErased};
  }
  // The format knows no content that is gone without a proof in the bundle's one checkpoint. Who
  // asks for none of them is told of none.
  if (!options_.shows_contents) return ContentAccount{ref, Withheld::kFromReader};
  return failure(Code::kConflict,
                 "bundle: \"{}\" of event {} was erased, as the receipt rcpt_{} says; that stands "
                 "in a later log than the run's statement, and a bundle has one checkpoint: ask "
                 "with contents=false, or for receipts of the run and its steps",
                 shown(ref.member), ref.seq, erasure->entry.id.ulid());
}

Result<void> Maker::add_bundle(Receipt& receipt) {
  receipt.journal.emplace();
  for (std::uint32_t seq = 1; seq <= statement_.events; ++seq) {
    receipt.journal->push_back(run_.bytes(seq));
    ASSIGN_OR_RETURN(const Event event, run_.event(seq));
    for (std::string& member : provenance::committed_members(event.data)) {
      ASSIGN_OR_RETURN(auto one, account({seq, std::move(member)}));
      receipt.contents.push_back(std::move(one));
    }
  }
  // Members stand in the event by UTF-16 code units, in the file by bytes.
  std::ranges::sort(receipt.contents, {}, &ContentAccount::ref);
  return {};
}

// --------------------------------------------------------------------------------------- receipts

/// The event that ended a step, and the first one that started it, if it ever started.
Result<std::vector<Event>> Maker::events_of_step(std::uint32_t seq) const {
  const auto no_step = [&] {
    return failure(Code::kNotFound, "run {} has no step that ended at {}", statement_.id.uuid(),
                   seq);
  };
  if (seq > run_.length()) return no_step();
  ASSIGN_OR_RETURN(Event end, run_.event(seq));
  if (!ends_step(end)) return no_step();
  if (seq > statement_.events) {
    return failure(Code::kUnavailable, "no statement covers event {} yet", seq);
  }
  std::vector<Event> events;
  for (std::uint32_t before = 1; before < seq && events.empty(); ++before) {
    ASSIGN_OR_RETURN(Event start, run_.event(before));
    const bool is_start = start.type == "step.started" && start.step == end.step;
    if (is_start && start.attempt <= end.attempt) events.push_back(std::move(start));
  }
  events.push_back(std::move(end));
  return events;
}

Result<void> Maker::add_step(Receipt& receipt, std::uint32_t seq) {
  ASSIGN_OR_RETURN(const auto events, events_of_step(seq));
  ASSIGN_OR_RETURN(receipt.events, prove(events));
  // A member of both is meant as the step left it.
  const std::vector<Event> places(events.rbegin(), events.rend());
  RETURN_IF_ERROR(reveal(receipt, places));
  return {};
}

Result<void> Maker::add_run(Receipt& receipt) {
  if (options_.reveal.empty()) return {};
  std::vector<Event> places;
  for (const std::uint32_t seq : {statement_.events, std::uint32_t{1}}) {
    ASSIGN_OR_RETURN(Event event, run_.event(seq));
    places.push_back(std::move(event));
  }
  ASSIGN_OR_RETURN(const auto found, reveal(receipt, places));
  ASSIGN_OR_RETURN(receipt.events, prove(found));
  return {};
}

Result<std::vector<Event>> Maker::reveal(Receipt& receipt, const std::vector<Event>& places) const {
  std::map<ContentRef, std::vector<std::string>> members;  // to open; "" is all of them
  std::map<std::uint32_t, Event> found;
  for (const Reveal& wanted : options_.reveal) {
    const auto at = std::ranges::find_if(
        places, [&](const Event& event) { return commits_to(event, wanted.content); });
    if (at == places.end()) {
      return failure(Code::kInvalidArgument, "there is no content \"{}\" to reveal",
                     shown(wanted.content));
    }
    members[{at->seq, wanted.content}].push_back(wanted.member);
    found.emplace(at->seq, *at);
  }
  for (const auto& [ref, keys] : members) {
    const Content* const content = run_.content(ref);
    if (content == nullptr) return is_gone(ref);
    if (std::ranges::count(keys, std::string()) > 0) {
      receipt.contents.push_back({ref, OpenedContent{content->salt, content->value}});
      continue;
    }
    ASSIGN_OR_RETURN(auto disclosure, provenance::disclose(content->value, content->salt, keys));
    receipt.contents.push_back({ref, std::move(disclosure)});
  }
  std::vector<Event> events;
  events.reserve(found.size());
  for (auto& [seq, event] : found) events.push_back(std::move(event));
  return events;
}

// --------------------------------------------------------------------------------- the log's part

/// Statement, keys and erasures, all proved in one checkpoint.
Result<void> add_proofs(Log& log, const store::LogEntry& entry,
                        const std::vector<const Erasure*>& erasures, Receipt& receipt) {
  std::uint64_t last = entry.index;
  for (const Erasure* erasure : erasures) last = std::max(last, erasure->entry.index);
  ASSIGN_OR_RETURN(const SignedCheckpoint checkpoint, log.covering(entry.log, last));
  receipt.checkpoint = checkpoint.note;
  ASSIGN_OR_RETURN(receipt.statement, log.prove(entry, checkpoint));
  ASSIGN_OR_RETURN(receipt.keys, log.prove_keys(checkpoint));
  for (const Erasure* erasure : erasures) {
    ASSIGN_OR_RETURN(receipt.erasures.emplace_back(), log.prove(erasure->entry, checkpoint));
  }
  return {};
}

Result<store::LogEntry> find_entry(store::Store& store, TenantId tenant, const Id& id) {
  const auto not_found = [&] { return failure(Code::kNotFound, "no statement {}", id.uuid()); };
  auto entry = store.find_statement(id);
  if (!entry && entry.error().code != Code::kNotFound) return entry.error();
  if (!entry) {
    const auto run = store.get_run(RunId{id});
    if (!run && run.error().code != Code::kNotFound) return run.error();
    if (!run || run->tenant != tenant) return not_found();
    if (run->status == store::RunStatus::kRunning) {
      return failure(Code::kUnavailable, "there is no statement of run {} yet", id.uuid());
    }
    // It ended with its statement in one commit: perhaps since the first look, else before there
    // was a log.
    entry = store.find_statement(id);
    if (!entry && entry.error().code == Code::kNotFound) {
      return failure(Code::kNotFound, "run {} ended before there was a log: nothing states it",
                     id.uuid());
    }
    if (!entry) return entry.error();
  }
  if (entry->tenant != tenant) return not_found();
  return entry;
}

Result<void> check_wanted(const Statement& statement, std::uint32_t seq,
                          const ReceiptOptions& options) {
  if (!is_of_run(statement) && seq != 0) {
    return failure(Code::kNotFound, "a {} has no steps", statement_type_name(statement.type));
  }
  if (!is_of_run(statement) && (options.is_bundle || !options.reveal.empty())) {
    return failure(Code::kInvalidArgument, "a {} has no events to show",
                   statement_type_name(statement.type));
  }
  if (options.is_bundle && (seq != 0 || !options.reveal.empty())) {
    return failure(Code::kInvalidArgument, "a bundle is of a whole run, with all its contents");
  }
  return {};
}

}  // namespace

Result<Reveal> Reveal::parse(std::string_view text) {
  const std::size_t dot = text.find('.');
  Reveal reveal{std::string(text.substr(0, dot)), {}};
  if (dot != std::string_view::npos) reveal.member = text.substr(dot + 1);
  if (reveal.content.empty() || (dot != std::string_view::npos && reveal.member.empty())) {
    return failure(Code::kInvalidArgument, "\"{}\" names no content, as \"output\" or \"output.x\"",
                   shown(text));
  }
  return reveal;
}

Result<Receipt> make_receipt(store::Store& store, Log& log, TenantId tenant, Id id,
                             const ReceiptOptions& options) {
  const std::uint32_t seq = provenance::seq_of(id);
  ASSIGN_OR_RETURN(const auto entry, find_entry(store, tenant, provenance::statement_of(id)));
  ASSIGN_OR_RETURN(const Statement statement, provenance::decode_statement(entry.statement));
  RETURN_IF_ERROR(check_wanted(statement, seq, options));

  Receipt receipt;
  receipt.id = id;
  std::vector<const Erasure*> erasures;
  std::optional<StoredRun> run;
  // A run's own receipt shows nothing of its events: most that are asked for need no more.
  if (is_of_run(statement) && (options.is_bundle || seq != 0 || !options.reveal.empty())) {
    // Read after the statement: the journal has all events that it covers, and perhaps more.
    ASSIGN_OR_RETURN(run, StoredRun::read(store, entry, statement, options));
    Maker maker(*run, entry.log, statement, options);
    RETURN_IF_ERROR(options.is_bundle ? maker.add_bundle(receipt)
                    : seq != 0        ? maker.add_step(receipt, seq)
                                      : maker.add_run(receipt));
    erasures = maker.rests_on();
    std::ranges::sort(erasures, {}, [](const Erasure* erasure) { return erasure->entry.index; });
  }
  RETURN_IF_ERROR(add_proofs(log, entry, erasures, receipt));
  if (!options.reveal.empty() &&
      provenance::encode(receipt).size() > provenance::kReceiptBytesMax) {
    return failure(Code::kResourceExhausted, "what is to be revealed does not fit into a receipt");
  }
  if (options.is_bundle && options.shows_contents) {
    const std::size_t bytes = provenance::encode(receipt).size();
    if (bytes > options.bytes_max) {
      return failure(Code::kResourceExhausted,
                     "bundle: it has {} bytes, at most {}: ask with contents=false", bytes,
                     options.bytes_max);
    }
  }
  return receipt;
}

}  // namespace avow::tlog
