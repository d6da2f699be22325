// SPDX-License-Identifier: Apache-2.0
#include "tlog/sequencer.h"

#include <algorithm>
#include <unordered_map>

#include "base/log.h"
#include "base/mutex.h"
#include "merkle/note.h"
#include "provenance/draft.h"
#include "provenance/entry.h"
#include "tlog/signing_pool.h"

namespace avow::tlog {
namespace {

using provenance::Statement;
using provenance::StatementType;

/// Tenants whose newest statement is remembered; beyond, all are forgotten and read again.
constexpr std::size_t kTenantTipsMax = 100'000;

/// Where a tenant's chain of statements has got to; seq 0: nowhere.
struct Tip {
  std::uint64_t seq = 0;
  Bytes32 digest{};
};
using Tips = std::unordered_map<TenantId, Tip>;

/// What one transaction has come to so far; it is dropped whole if that is rolled back.
struct Transaction {
  std::vector<store::LogEntry> entries;  ///< Statement and entry are with the pool until they meet.
  Tips tips;                             ///< Of the tenants in it.
  std::optional<Statement> key_statement;  ///< The newest one about keys in it.
  std::uint64_t keys_index = 0;            ///< Its place.
  bool is_rotated = false;
  std::shared_ptr<const Head> head;  ///< Made by integrate().
};

struct PreparedRotation {
  LogKeys next;
  std::string actor;
};

/// Why the newest statement about keys, at the place that `head` names, does not let `keys` go on.
Result<Statement> believed_key_statement(store::Store& store, const Head& head,
                                         const LogKeys& keys) {
  ASSIGN_OR_RETURN(const auto entries, store.read_log(head.log, head.keys_index, 1));
  const auto bad = [&](std::string_view why) {
    return failure(Code::kCorruption, "the statement about keys at {} {}", head.keys_index, why);
  };
  if (entries.empty() || entries[0].index != head.keys_index) return bad("is missing");
  auto statement = provenance::decode_statement(entries[0].statement);
  if (!statement) return bad("cannot be read: " + statement.error().message);
  const auto entry = provenance::decode_entry(entries[0].entry);
  if (!entry || entry->digest != provenance::statement_digest(entries[0].statement)) {
    return bad("is not that of its entry");
  }
  if (!provenance::is_about_keys(statement->type)) return bad("is not about keys");
  if (statement->origin != keys.origin) return bad("is of the log " + shown(statement->origin));
  if (!provenance::has_valid_signatures(*statement)) return bad("is not signed by its log keys");
  for (const merkle::VerifierKey& key : keys.log_keys()) {
    if (std::ranges::find(statement->log_keys, key) == statement->log_keys.end()) {
      return bad("does not name the log key " + key.text());
    }
  }
  if (!provenance::names_key(*statement, keys.statements.public_key().spki_der(),
                             head.checkpoint.size)) {
    return bad("does not name the statement key at hand for the next entry");
  }
  return statement;
}

Result<void> check_checkpoint(const Head& head, const LogKeys& keys) {
  if (head.checkpoint.origin != keys.origin) {
    return failure(Code::kCorruption, "the checkpoint is of the log {}, the keys are of {}",
                   shown(head.checkpoint.origin), keys.origin);
  }
  ASSIGN_OR_RETURN(const merkle::Note note, merkle::Note::parse(head.note));
  const std::vector<merkle::VerifierKey> newest = {keys.log_keys().front()};
  const auto signers = merkle::verify_note(note, newest);
  if (!signers) {
    return Error{Code::kCorruption, "the checkpoint: " + signers.error().message};
  }
  return {};
}

/// In the order of log_keys().
std::vector<crypto::Ed25519PrivateKey> private_keys(const LogKeys& keys) {
  std::vector<crypto::Ed25519PrivateKey> out = {keys.log};
  if (keys.old_log) out.push_back(*keys.old_log);
  return out;
}

}  // namespace

struct Sequencer::Impl {
  Impl(LogKeys with, Clock& time, Rng& chance, int signing_threads)
      : keys(std::move(with)), clock(time), rng(chance), pool(signing_threads) {}

  // What does not change while commits are made.
  const LogKeys keys;
  Clock& clock;
  Rng& rng;
  std::uint32_t log = 1;
  std::optional<Beginning> beginning;
  std::optional<PreparedRotation> rotation;

  // Of the committing thread.
  SigningPool pool;
  Tips tips;
  std::optional<Statement> key_statement;  ///< The newest one about keys.
  bool is_rotated = false;
  Transaction tx;

  mutable Mutex mutex;
  std::shared_ptr<const Head> head GUARDED_BY(mutex);
  std::optional<std::string> why_sealed GUARDED_BY(mutex);

  [[nodiscard]] std::shared_ptr<const Head> newest() const {
    const MutexLock lock(mutex);
    return head;
  }

  Result<void> adopt(store::Store& store, const store::LogHead& row);
  Result<void> check_open() const;
  void seal(std::string why);

  // Which keys sign now, inside a transaction.
  [[nodiscard]] const LogKeys& signers() const {
    return is_rotated || tx.is_rotated ? rotation->next : keys;
  }
  [[nodiscard]] const Statement* newest_key_statement() const {
    if (tx.key_statement) return &*tx.key_statement;
    return key_statement ? &*key_statement : nullptr;
  }
  [[nodiscard]] std::uint64_t next_index() const {
    const auto newest_head = newest();
    return (newest_head ? newest_head->checkpoint.size : 0) + tx.entries.size();
  }

  Result<Tip> tip(store::LogWriter& writer, TenantId tenant);
  void place(store::QueuedStatement about, std::string statement, std::uint64_t seq);
  Result<Statement> about_keys(store::LogWriter& writer, StatementType type);
  void place_about_keys(const Statement& statement);
  Result<void> add_genesis(store::LogWriter& writer);
  Result<void> add_rotated(store::LogWriter& writer);
  Result<void> add_draft(store::LogWriter& writer, store::QueuedStatement queued);
  Result<void> write(store::LogWriter& writer);
};

// --------------------------------------------------------------------------- opening and sealing

/// Takes over the head of `row` as far as it can be believed.
Result<void> Sequencer::Impl::adopt(store::Store& store, const store::LogHead& row) {
  log = row.log;
  ASSIGN_OR_RETURN(Head restored, restore_head(store, row));
  const auto shared = std::make_shared<const Head>(std::move(restored));
  {
    const MutexLock lock(mutex);
    head = shared;
  }
  RETURN_IF_ERROR(check_checkpoint(*shared, keys));
  ASSIGN_OR_RETURN(key_statement, believed_key_statement(store, *shared, keys));
  return {};
}

Result<std::unique_ptr<Sequencer>> Sequencer::open(store::Store& store, LogKeys keys, Clock& clock,
                                                   Rng& rng, SequencerOptions options) {
  auto impl = std::make_unique<Impl>(std::move(keys), clock, rng, options.signing_threads);
  const auto row = store.newest_log_head();
  Result<void> adopted;
  if (row) {
    adopted = impl->adopt(store, *row);
  } else if (row.error().code != Code::kNotFound) {
    adopted = row.error();
  }
  if (!adopted) {
    const Error error = adopted.error().in("open log");
    if (error.code != Code::kCorruption) return error;
    impl->seal(fmt::format("{}{}", error.message, kWayOn));
  }
  return std::unique_ptr<Sequencer>(new Sequencer(std::move(impl)));
}

std::unique_ptr<Sequencer> Sequencer::begin_log(Beginning beginning, LogKeys keys, Clock& clock,
                                                Rng& rng) {
  auto impl = std::make_unique<Impl>(std::move(keys), clock, rng, 0);
  impl->log = beginning.log;
  impl->beginning = std::move(beginning);
  return std::unique_ptr<Sequencer>(new Sequencer(std::move(impl)));
}

Sequencer::Sequencer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Sequencer::~Sequencer() = default;

std::shared_ptr<const Head> Sequencer::head() const { return impl_->newest(); }
const LogKeys& Sequencer::keys() const { return impl_->keys; }

void Sequencer::Impl::seal(std::string why) {
  const MutexLock lock(mutex);
  if (why_sealed) return;
  log::error("the log is sealed, nothing is signed any more: {}", why);
  why_sealed = std::move(why);
}

void Sequencer::seal(std::string why) { impl_->seal(std::move(why)); }

std::optional<std::string> Sequencer::sealed() const {
  const MutexLock lock(impl_->mutex);
  return impl_->why_sealed;
}

Result<void> Sequencer::Impl::check_open() const {
  const MutexLock lock(mutex);
  if (why_sealed) return failure(Code::kUnavailable, "the log is sealed: {}", *why_sealed);
  return {};
}

// ------------------------------------------------------------------------------- a transaction

Result<void> Sequencer::begin() {
  RETURN_IF_ERROR(impl_->check_open());
  CHECK(impl_->tx.entries.empty());
  return {};
}

Result<void> Sequencer::add(store::LogWriter& log, std::vector<store::QueuedStatement> statements) {
  for (store::QueuedStatement& queued : statements) {
    if (impl_->next_index() == 0) RETURN_IF_ERROR(impl_->add_genesis(log));
    if (queued.kind == kind_of(StatementType::kLogGenesis)) continue;
    if (queued.kind == kind_of(StatementType::kKeyRotated)) {
      RETURN_IF_ERROR(impl_->add_rotated(log));
    } else {
      RETURN_IF_ERROR(impl_->add_draft(log, std::move(queued)));
    }
  }
  return {};
}

Result<void> Sequencer::integrate(store::LogWriter& log) {
  RETURN_IF_ERROR(impl_->check_open());
  auto written = impl_->write(log);
  if (!written && written.error().code == Code::kConflict) {
    // Nobody else writes the log: its rows are not what its head says.
    impl_->seal(written.error().message);
    return Error{Code::kUnavailable, written.error().message};
  }
  return written;
}

void Sequencer::committed() {
  Transaction done = std::exchange(impl_->tx, {});
  if (done.head == nullptr) return;
  if (impl_->tips.size() + done.tips.size() > kTenantTipsMax) impl_->tips.clear();
  for (const auto& [tenant, tip] : done.tips) impl_->tips[tenant] = tip;
  if (done.key_statement) impl_->key_statement = std::move(done.key_statement);
  impl_->is_rotated = impl_->is_rotated || done.is_rotated;
  {
    const MutexLock lock(impl_->mutex);
    impl_->head = done.head;
  }
}

void Sequencer::rolled_back() {
  impl_->pool.drop();
  impl_->tx = {};
}

/// The tenant's newest statement, of this transaction or before.
Result<Tip> Sequencer::Impl::tip(store::LogWriter& writer, TenantId tenant) {
  if (const auto found = tx.tips.find(tenant); found != tx.tips.end()) return found->second;
  if (const auto found = tips.find(tenant); found != tips.end()) return found->second;
  ASSIGN_OR_RETURN(const auto stored, writer.tenant_head(tenant));
  if (!stored) return Tip{};
  return Tip{stored->tenant_seq, provenance::statement_digest(stored->statement)};
}

/// Gives final bytes their place in the log and in the tenant's chain.
void Sequencer::Impl::place(store::QueuedStatement about, std::string statement,
                            std::uint64_t seq) {
  tx.tips[about.tenant] = {seq, provenance::statement_digest(statement)};
  tx.entries.push_back({.log = log,
                        .index = next_index(),
                        .tenant = about.tenant,
                        .tenant_seq = seq,
                        .id = about.id,
                        .kind = about.kind,
                        .statement = {},
                        .entry = {},
                        .contents = std::move(about.contents)});
  pool.order(std::move(statement), signers().statements);
}

Result<void> Sequencer::Impl::add_draft(store::LogWriter& writer, store::QueuedStatement queued) {
  ASSIGN_OR_RETURN(const auto draft, provenance::Draft::decode(queued.draft));
  ASSIGN_OR_RETURN(const Tip before, tip(writer, queued.tenant));
  const auto prev = before.seq == 0 ? std::nullopt : std::optional(before.digest);
  place(std::move(queued), draft.numbered(before.seq + 1, prev), before.seq + 1);
  return {};
}

/// What the two kinds of statement about keys have in common.
Result<Statement> Sequencer::Impl::about_keys(store::LogWriter& writer, StatementType type) {
  Statement s;
  s.type = type;
  s.created_at = clock.now();
  // A clock that was set back does not show in what is signed.
  if (beginning) s.created_at = std::max(s.created_at, beginning->not_before);
  if (newest_key_statement() != nullptr) {
    s.created_at = std::max(s.created_at, newest_key_statement()->created_at);
  }
  s.id = make_id(s.created_at, rng.bytes8());
  s.nonce = rng.bytes32();
  s.origin = keys.origin;
  ASSIGN_OR_RETURN(const Tip before, tip(writer, s.tenant));
  s.tenant_seq = before.seq + 1;
  if (before.seq > 0) s.prev = before.digest;
  return s;
}

void Sequencer::Impl::place_about_keys(const Statement& statement) {
  tx.keys_index = next_index();
  tx.key_statement = statement;
  place({statement.tenant, statement.id, kind_of(statement.type), {}, {}},
        provenance::encode(statement), statement.tenant_seq);
}

Result<void> Sequencer::Impl::add_genesis(store::LogWriter& writer) {
  ASSIGN_OR_RETURN(Statement s, about_keys(writer, StatementType::kLogGenesis));
  if (beginning) s.old_head = beginning->old_head;
  if (s.tenant_seq != 1 && !s.old_head) {
    return failure(Code::kCorruption, "a log without entries, and {} statements of the deployment",
                   s.tenant_seq - 1);
  }
  s.log_keys = keys.log_keys();
  s.keys = {{0, {}, keys.statements.public_key().spki_der()}};
  provenance::sign_keys(s, private_keys(keys));
  place_about_keys(s);
  return {};
}

Result<void> Sequencer::Impl::add_rotated(store::LogWriter& writer) {
  CHECK(rotation && !is_rotated && !tx.is_rotated && newest_key_statement() != nullptr);
  ASSIGN_OR_RETURN(Statement s, about_keys(writer, StatementType::kKeyRotated));
  s.actor = rotation->actor;
  s.keys = newest_key_statement()->keys;
  const std::string& key = rotation->next.statements.public_key().spki_der();
  if (!provenance::names_key(*newest_key_statement(), key, next_index())) {
    for (provenance::StatementKey& earlier : s.keys) {
      if (!earlier.to) earlier.to = next_index();
    }
    s.keys.push_back({next_index(), {}, key});
  }
  s.log_keys = rotation->next.log_keys();
  provenance::sign_keys(s, private_keys(rotation->next));
  tx.is_rotated = true;
  place_about_keys(s);
  return {};
}

/// Everything of the transaction that the log keeps, and the head that it leads to.
Result<void> Sequencer::Impl::write(store::LogWriter& writer) {
  if (tx.entries.empty()) return {};
  const auto before = newest();
  auto after = std::make_shared<Head>(
      before ? *before : Head{.log = log, .checkpoint = {}, .note = {}, .range = {}});
  std::vector<SigningPool::Signed> made = pool.join();
  CHECK(made.size() == tx.entries.size());
  std::vector<store::LogTile> tiles;
  for (std::size_t i = 0; i < made.size(); ++i) {
    store::LogEntry& entry = tx.entries[i];
    CHECK(entry.index == after->range.size());
    entry.statement = std::move(made[i].statement);
    entry.entry = std::move(made[i].entry);
    std::ranges::move(append(*after, made[i].leaf), std::back_inserter(tiles));
  }
  if (tx.key_statement) after->keys_index = tx.keys_index;
  CHECK(!before || after->range.size() > before->checkpoint.size);
  after->checkpoint = {keys.origin, after->range.size(), after->range.root()};
  after->note = signers().sign_checkpoint(after->checkpoint.text());
  for (const store::LogEntry& entry : tx.entries) RETURN_IF_ERROR(writer.add_entry(entry));
  for (const store::LogTile& tile : tiles) RETURN_IF_ERROR(writer.add_tile(tile));
  RETURN_IF_ERROR(writer.put_head(row_of(*after)));
  tx.head = std::move(after);
  return {};
}

// ------------------------------------------------------------------------------- what is queued

store::QueuedStatement Sequencer::genesis() {
  return {{}, {}, kind_of(StatementType::kLogGenesis), {}, {}};
}

store::QueuedStatement Sequencer::rotation(LogKeys next, std::string actor) {
  CHECK(!impl_->rotation && next.origin == impl_->keys.origin);
  impl_->rotation = PreparedRotation{std::move(next), std::move(actor)};
  return {{}, {}, kind_of(StatementType::kKeyRotated), {}, {}};
}

store::QueuedStatement queued(const Statement& statement,
                              const std::vector<provenance::Content>& contents) {
  CHECK(!provenance::is_about_keys(statement.type));
  CHECK(std::ranges::all_of(contents, [](const auto& content) { return content.ref.seq == 0; }));
  return {statement.tenant, statement.id, kind_of(statement.type),
          provenance::Draft(statement).encode(),
          contents.empty() ? std::string() : provenance::encode_contents(contents)};
}

std::uint8_t kind_of(StatementType type) {
  switch (type) {
    case StatementType::kLogGenesis:
      return 1;
    case StatementType::kRunFinished:
      return 2;
    case StatementType::kRunOpen:
      return 3;
    case StatementType::kRunProgress:
      return 4;
    case StatementType::kWorkflowPublished:
      return 5;
    case StatementType::kAgentChanged:
      return 6;
    case StatementType::kAdminChanged:
      return 7;
    case StatementType::kKeyRotated:
      return 8;
    case StatementType::kContentErased:
      return 9;
    case StatementType::kJournalRetired:
      return 10;
  }
  CHECK(false);
  return 0;
}

}  // namespace avow::tlog
