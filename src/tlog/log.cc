// SPDX-License-Identifier: Apache-2.0
#include "tlog/log.h"

#include <algorithm>
#include <future>
#include <map>
#include <set>

#include "base/log.h"
#include "merkle/proof.h"

namespace avow::tlog {
namespace {

SignedCheckpoint signed_checkpoint(const Head& head) {
  return {head.log, head.checkpoint, head.note, false, head.keys_index};
}

bool covers(const std::optional<SignedCheckpoint>& checkpoint, std::uint64_t index) {
  return checkpoint && index < checkpoint->checkpoint.size;
}

bool covers(const std::shared_ptr<const Head>& head, std::uint64_t index) {
  return head && index < head->checkpoint.size;
}

Error no_entry(std::uint32_t log, std::uint64_t index) {
  return failure(Code::kNotFound, "log {} has no entry {}", log, index);
}

/// `note` with `more` signatures, each in the place of an older one by the same key.
merkle::Note merged(merkle::Note note, const std::vector<merkle::NoteSignature>& more) {
  for (const merkle::NoteSignature& signature : more) {
    std::erase_if(note.signatures, [&signature](const merkle::NoteSignature& other) {
      return other.name == signature.name && other.key_id == signature.key_id;
    });
    note.signatures.push_back(signature);
  }
  return note;
}

std::string with_way_on(std::string why) { return std::move(why).append(kWayOn); }

}  // namespace

struct Log::Impl : std::enable_shared_from_this<Impl> {
  Impl(store::Store& its_store, Sequencer& its_sequencer, net::HttpClient& client,
       Executor& its_strand, Clock& its_clock, LogOptions its_options)
      : store(its_store),
        sequencer(its_sequencer),
        strand(its_strand),
        clock(its_clock),
        options(std::move(its_options)) {
    if (!options.policy) return;
    has_witnesses = std::ranges::any_of(options.policy->witnesses,
                                        [](const auto& w) { return !w.url.empty(); });
    if (has_witnesses) {
      rounds = std::make_unique<WitnessRounds>(*options.policy, client, strand, clock);
    }
  }

  Result<void> compare_with_watermark(const std::string& path);
  Result<SignedCheckpoint> published();
  Result<SignedCheckpoint> covering(std::uint32_t log, std::uint64_t index);
  Result<SignedCheckpoint> leave(std::optional<std::uint64_t> wanted);
  Result<std::uint32_t> newest_log() const;
  Result<SignedCheckpoint> last_of_older(std::uint32_t log) const;
  Result<void> check_is_told(std::uint32_t log, std::uint64_t index) const;
  SignedCheckpoint with_cosignatures(const SignedCheckpoint& plain) const REQUIRES(mutex);
  TileReader tiles(std::uint32_t log) const;

  // On the strand.
  void tick();
  void ask(bool is_start, std::function<void()> done);
  void on_round(const SignedCheckpoint& asked, bool is_start,
                const std::vector<WitnessAnswer>& answers);
  void note_failure(const WitnessAnswer& answer, bool is_start);
  void keep(const SignedCheckpoint& asked, const std::vector<merkle::NoteSignature>& cosignatures);
  void wait(std::uint64_t index, Time deadline, const std::stop_token& gone,
            std::function<void(bool)> done);
  bool is_witnessed(std::uint64_t index) const;
  void settle(std::uint64_t waiter, bool is_witnessed);
  void settle_covered();
  void close();

  store::Store& store;
  Sequencer& sequencer;
  Executor& strand;
  Clock& clock;
  const LogOptions options;
  bool has_witnesses = false;
  std::unique_ptr<Watermark> watermark;  ///< Null: no checkpoint is in the file; sealed.

  Mutex leaving;  ///< Held while a checkpoint is let out, syncs included. Taken before `mutex`.
  mutable Mutex mutex;
  std::optional<SignedCheckpoint> out GUARDED_BY(mutex);  ///< The largest that left since open().
  std::optional<SignedCheckpoint> newest_published GUARDED_BY(mutex);
  Time published_at GUARDED_BY(mutex){};
  std::optional<SignedCheckpoint> cosigned GUARDED_BY(mutex);  ///< The newest with a quorum.
  std::optional<SignedCheckpoint> partly GUARDED_BY(mutex);    ///< The newest with some.
  std::optional<std::string> alarm GUARDED_BY(mutex);
  std::uint64_t round_count GUARDED_BY(mutex) = 0;
  std::uint64_t failure_count GUARDED_BY(mutex) = 0;

  // On the strand alone.
  struct Waiter {
    std::uint64_t index = 0;
    std::function<void(bool)> done;
    std::optional<std::stop_callback<std::function<void()>>> gone;
  };
  std::unique_ptr<WitnessRounds> rounds;  ///< Null: nobody is asked, or no more.
  bool is_asking = false;
  bool is_closed = false;
  std::map<std::uint64_t, Waiter> waiters;
  std::uint64_t next_waiter = 0;
  std::set<std::string> failing;  ///< Witnesses whose last answer was no cosignature.
};

// ------------------------------------------------------------------------------------- the start

Result<std::unique_ptr<Log>> Log::open(store::Store& store, Sequencer& sequencer,
                                       const std::string& watermark_path, net::HttpClient& client,
                                       Executor& strand, Clock& clock, LogOptions options) {
  auto impl = std::make_shared<Impl>(store, sequencer, client, strand, clock, std::move(options));
  RETURN_IF_ERROR(impl->compare_with_watermark(watermark_path));
  return std::unique_ptr<Log>(new Log(std::move(impl)));
}

Result<void> Log::Impl::compare_with_watermark(const std::string& path) {
  auto opened = Watermark::open(path);
  if (!opened) {
    if (opened.error().code != Code::kCorruption) return opened.error();
    sequencer.seal(with_way_on(opened.error().message));
    return {};
  }
  watermark = std::move(*opened);
  if (sequencer.sealed()) return {};
  const auto head = sequencer.head();
  const auto seen = watermark->value();
  if (!seen && !head) {
    return watermark->reset({sequencer.keys().origin, 0, merkle::empty_root()});
  }
  ASSIGN_OR_RETURN(const auto fault, mismatch(store, sequencer.keys().origin, head, seen));
  if (fault) sequencer.seal(with_way_on(*fault));
  return {};
}

// --------------------------------------------------------------------------------- what may leave

/// Lets out the newest head, or one that left already if it covers `wanted`. Who waits here for
/// another's sync finds, more often than not, that what this one let out covers his entry too.
Result<SignedCheckpoint> Log::Impl::leave(std::optional<std::uint64_t> wanted) {
  const MutexLock one_at_a_time(leaving);
  if (const auto why = sequencer.sealed()) return failure(Code::kUnavailable, "{}", *why);
  const auto head = sequencer.head();
  {
    const MutexLock lock(mutex);
    if (wanted && covers(out, *wanted)) return with_cosignatures(*out);
    if (alarm) return failure(Code::kUnavailable, "the log is under alarm: {}", *alarm);
    if (!head) return failure(Code::kNotFound, "the log has no entry yet");
    if (out && out->checkpoint.size == head->checkpoint.size) return with_cosignatures(*out);
  }
  if (const auto raised = watermark->raise(head->checkpoint); !raised) {
    if (raised.error().code == Code::kCorruption) return raised.error();
    // The message names a file, which is not for those who ask: they can only ask again.
    log::warning("no checkpoint leaves: {}", raised.error().message);
    return failure(Code::kUnavailable, "the newest checkpoint cannot leave now: the disk refuses");
  }
  const MutexLock lock(mutex);
  out = signed_checkpoint(*head);
  return *out;
}

SignedCheckpoint Log::Impl::with_cosignatures(const SignedCheckpoint& plain) const {
  for (const auto* more : {&cosigned, &partly}) {
    if (*more && (*more)->checkpoint == plain.checkpoint) return **more;
  }
  return plain;
}

Result<SignedCheckpoint> Log::Impl::published() {
  if (const auto why = sequencer.sealed()) return failure(Code::kUnavailable, "{}", *why);
  const Time now = clock.now();
  {
    const MutexLock lock(mutex);
    if (newest_published && (alarm || now < published_at + options.publish_interval)) {
      return with_cosignatures(*newest_published);
    }
  }
  const auto newest = leave({});
  // What has left before may be seen again where the disk keeps the next one; not of a log that was
  // sealed meanwhile, nor of one that is another than the watermark's.
  const bool is_seen_again =
      !newest && newest.error().code == Code::kUnavailable && !sequencer.sealed();
  const MutexLock lock(mutex);
  if (!newest && !(is_seen_again && newest_published)) return newest.error();
  if (newest &&
      (!newest_published || newest->checkpoint.size > newest_published->checkpoint.size)) {
    newest_published = *newest;
    published_at = now;
  }
  return with_cosignatures(*newest_published);
}

Result<SignedCheckpoint> Log::Impl::covering(std::uint32_t log, std::uint64_t index) {
  ASSIGN_OR_RETURN(const std::uint32_t newest, newest_log());
  if (log < newest) {
    ASSIGN_OR_RETURN(auto last, last_of_older(log));
    if (index >= last.checkpoint.size) return no_entry(log, index);
    return last;
  }
  if (const auto why = sequencer.sealed()) return failure(Code::kUnavailable, "{}", *why);
  if (log > newest) return no_entry(log, index);
  {
    const MutexLock lock(mutex);
    if (covers(cosigned, index)) return *cosigned;
    if (covers(out, index)) return with_cosignatures(*out);
  }
  if (!covers(sequencer.head(), index)) RETURN_IF_ERROR(check_is_told(log, index));
  return leave(index);
}

/// COMMIT makes an entry readable a moment before committed() makes the head that covers it.
Result<void> Log::Impl::check_is_told(std::uint32_t log, std::uint64_t index) const {
  const auto durable = store.get_log_head(log);
  if (!durable && durable.error().code != Code::kNotFound) return durable.error();
  if (!durable || index >= durable->size) return no_entry(log, index);
  if (covers(sequencer.head(), index)) return {};
  return failure(Code::kUnavailable, "entry {} of log {} is not in a checkpoint yet", index, log);
}

Result<std::uint32_t> Log::Impl::newest_log() const {
  if (const auto head = sequencer.head()) return head->log;
  const auto stored = store.newest_log_head();
  if (stored) return stored->log;
  if (stored.error().code == Code::kNotFound) return 1;
  return stored.error();
}

/// Its stored checkpoint, if the log that took its place names it as where this one got to. Another
/// one is a fork's, or of entries that nobody had seen when it ended.
Result<SignedCheckpoint> Log::Impl::last_of_older(std::uint32_t log) const {
  ASSIGN_OR_RETURN(const auto head, store.get_log_head(log));
  ASSIGN_OR_RETURN(auto last, checkpoint_of(head.checkpoint));
  ASSIGN_OR_RETURN(const auto next, store.read_log(log + 1, 0, 1));
  if (next.empty()) return failure(Code::kCorruption, "log {} lacks its genesis", log + 1);
  ASSIGN_OR_RETURN(const auto genesis, provenance::decode_statement(next.front().statement));
  const auto& end = genesis.old_head;
  const bool is_named =
      end && end->origin == last.origin &&
      (last.size < end->size || (last.size == end->size && last.root == end->root));
  if (!is_named) {
    return failure(Code::kUnavailable,
                   "the stored end of log {} ({} entries of \"{}\") is not the one that log {} "
                   "took the place of",
                   log, last.size, shown(last.origin), log + 1);
  }
  return SignedCheckpoint{log, std::move(last), head.checkpoint, false, head.keys_index};
}

TileReader Log::Impl::tiles(std::uint32_t log) const {
  auto head = sequencer.head();
  if (head && head->log != log) head = nullptr;
  return {store, log, std::move(head)};
}

// ----------------------------------------------------------------------------------- the witnesses

void Log::Impl::tick() {
  if (is_closed) return;
  ask(false, [] {});
  strand.post_at(clock.now() + options.witness_interval, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->tick();
  });
}

/// Asks about the newest head, unless its quorum is there or a round is under way. `done` once.
void Log::Impl::ask(bool is_start, std::function<void()> done) {
  const auto head = sequencer.head();
  bool is_needed = rounds && !is_asking && head && !sequencer.sealed();
  if (is_needed) {
    const MutexLock lock(mutex);
    is_needed = !alarm && !covers(cosigned, head->checkpoint.size - 1);
  }
  if (!is_needed) return done();
  auto asked = leave({});
  if (!asked) {
    log::warning("log: no witness is asked: {}", asked.error().message);
    return done();
  }
  is_asking = true;
  const std::uint64_t size = asked->checkpoint.size;
  const auto reader = std::make_shared<TileReader>(tiles(asked->log));
  const auto prove = [reader, size](std::uint64_t old_size) {
    return merkle::prove_consistency(old_size, size, reader->nodes(size));
  };
  rounds->ask(asked->checkpoint, asked->note, prove, clock.now() + options.witness_timeout,
              [weak = weak_from_this(), asked = *asked, is_start,
               done = std::move(done)](const std::vector<WitnessAnswer>& answers) {
                if (const auto self = weak.lock()) self->on_round(asked, is_start, answers);
                done();
              });
}

void Log::Impl::on_round(const SignedCheckpoint& asked, bool is_start,
                         const std::vector<WitnessAnswer>& answers) {
  is_asking = false;
  std::vector<merkle::NoteSignature> cosignatures;
  for (const WitnessAnswer& answer : answers) {
    if (answer.kind == WitnessAnswer::Kind::kCosigned) {
      cosignatures.push_back(*answer.cosignature);
      if (failing.erase(answer.witness) > 0) log::info("log: witness {} is back", answer.witness);
    } else {
      note_failure(answer, is_start);
    }
  }
  {
    const MutexLock lock(mutex);
    ++round_count;
    failure_count += answers.size() - cosignatures.size();
  }
  keep(asked, cosignatures);
  settle_covered();
}

void Log::Impl::note_failure(const WitnessAnswer& answer, bool is_start) {
  const bool is_fork = answer.kind == WitnessAnswer::Kind::kFork;
  if (!is_fork && answer.kind != WitnessAnswer::Kind::kAhead) {
    if (failing.insert(answer.witness).second) {
      log::warning("log: witness {} does not cosign: {}", answer.witness, answer.detail);
    }
    return;
  }
  const std::string why = fmt::format("witness {} has seen another log than this one: {}",
                                      answer.witness, answer.detail);
  log::error("log: {}", why);
  if (is_start) sequencer.seal(with_way_on(why));
  if (is_start && !is_fork) return;
  const MutexLock lock(mutex);
  if (!alarm) alarm = why;
}

/// Keeps what a round brought, on top of what an earlier one of the same checkpoint did.
void Log::Impl::keep(const SignedCheckpoint& asked,
                     const std::vector<merkle::NoteSignature>& cosignatures) {
  if (cosignatures.empty()) return;
  const auto note = merkle::Note::parse(asked.note);
  CHECK(note.has_value());  // ours
  const merkle::Note with_all = merged(*note, cosignatures);
  SignedCheckpoint kept = asked;
  kept.note = with_all.format();
  const auto verified = merkle::verify_note(with_all, options.policy->keys());
  kept.is_witnessed = verified && options.policy->has_quorum(*verified);
  const MutexLock lock(mutex);
  (kept.is_witnessed ? cosigned : partly) = kept;
}

// ------------------------------------------------------------------------ who waits for witnesses

void Log::Impl::wait(std::uint64_t index, Time deadline, const std::stop_token& gone,
                     std::function<void(bool)> done) {
  if (rounds == nullptr || gone.stop_requested()) return done(false);
  if (is_witnessed(index)) return done(true);
  const std::uint64_t id = next_waiter++;
  Waiter& waiter = waiters[id];
  waiter.index = index;
  waiter.done = std::move(done);
  const auto give_up = [weak = weak_from_this(), id] {
    if (const auto self = weak.lock()) self->settle(id, false);
  };
  strand.post_at(deadline, give_up);
  // Posted: it is called on whatever thread requests the stop, perhaps inside this very line.
  waiter.gone.emplace(gone, [&to = strand, give_up] { to.post(give_up); });
}

bool Log::Impl::is_witnessed(std::uint64_t index) const {
  const MutexLock lock(mutex);
  return covers(cosigned, index);
}

void Log::Impl::settle(std::uint64_t waiter, bool is_witnessed) {
  const auto settled = waiters.extract(waiter);
  if (!settled.empty()) settled.mapped().done(is_witnessed);
}

void Log::Impl::settle_covered() {
  std::vector<std::uint64_t> covered;
  {
    const MutexLock lock(mutex);
    for (const auto& [id, waiter] : waiters) {
      if (covers(cosigned, waiter.index)) covered.push_back(id);
    }
  }
  for (const std::uint64_t id : covered) settle(id, true);
}

void Log::Impl::close() {
  is_closed = true;
  rounds.reset();
  while (!waiters.empty()) settle(waiters.begin()->first, false);
}

// ------------------------------------------------------------------------------------- the outside

Log::Log(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Log::~Log() = default;

void Log::ask_witnesses_at_start() {
  if (!impl_->has_witnesses) return;
  const auto answered = std::make_shared<std::promise<void>>();
  const auto future = answered->get_future();
  impl_->strand.post(
      [self = impl_, answered] { self->ask(true, [answered] { answered->set_value(); }); });
  future.wait();
}

void Log::start() {
  if (!impl_->has_witnesses) return;
  impl_->strand.post([self = impl_] { self->tick(); });
}

void Log::stop() {
  const auto closed = std::make_shared<std::promise<void>>();
  const auto future = closed->get_future();
  impl_->strand.post([self = impl_, closed] {
    self->close();
    closed->set_value();
  });
  future.wait();
}

Result<SignedCheckpoint> Log::published() { return impl_->published(); }

Result<SignedCheckpoint> Log::covering(std::uint32_t log, std::uint64_t index) {
  return impl_->covering(log, index);
}

void Log::when_witnessed(std::uint64_t index, Time deadline, std::stop_token gone,
                         std::function<void(bool)> done) {
  impl_->strand.post(
      [self = impl_, index, deadline, gone = std::move(gone), done = std::move(done)]() mutable {
        self->wait(index, deadline, gone, std::move(done));
      });
}

Result<std::string> Log::tile(const merkle::Tile& tile) {
  if (const auto why = impl_->sequencer.sealed()) return failure(Code::kUnavailable, "{}", *why);
  const auto head = impl_->sequencer.head();
  if (!head) return failure(Code::kNotFound, "the log has no entry yet");
  return impl_->tiles(head->log).tile(tile, impl_->watermark->value()->size);
}

Result<provenance::LoggedStatement> Log::prove(const store::LogEntry& entry,
                                               const SignedCheckpoint& checkpoint) {
  TileReader tiles = impl_->tiles(checkpoint.log);
  return tlog::prove(tiles, entry, checkpoint.checkpoint.size);
}

Result<provenance::LoggedStatement> Log::prove_keys(const SignedCheckpoint& checkpoint) {
  ASSIGN_OR_RETURN(const auto entries,
                   impl_->store.read_log(checkpoint.log, checkpoint.keys_index, 1));
  if (entries.empty()) {
    return failure(Code::kCorruption, "log {} lacks its entry {}", checkpoint.log,
                   checkpoint.keys_index);
  }
  return prove(entries.front(), checkpoint);
}

std::optional<std::string> Log::fault() const {
  if (auto why = impl_->sequencer.sealed()) return why;
  const MutexLock lock(impl_->mutex);
  return impl_->alarm;
}

Log::Figures Log::figures() const {
  const auto size_of = [](const std::optional<SignedCheckpoint>& checkpoint) {
    return checkpoint ? checkpoint->checkpoint.size : 0;
  };
  Figures figures;
  if (const auto head = impl_->sequencer.head()) figures.size = head->checkpoint.size;
  figures.is_sealed = impl_->sequencer.sealed().has_value();
  const MutexLock lock(impl_->mutex);
  figures.published_size = size_of(impl_->newest_published);
  figures.witnessed_size = size_of(impl_->cosigned);
  figures.witness_rounds = impl_->round_count;
  figures.witness_failures = impl_->failure_count;
  figures.is_alarmed = impl_->alarm.has_value();
  return figures;
}

const LogKeys& Log::keys() const { return impl_->sequencer.keys(); }
const LogOptions& Log::options() const { return impl_->options; }

}  // namespace avow::tlog
