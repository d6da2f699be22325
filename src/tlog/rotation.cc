// SPDX-License-Identifier: Apache-2.0
#include "tlog/rotation.h"

#include <filesystem>
#include <future>

#include "base/log.h"
#include "merkle/hash.h"
#include "tlog/key_files.h"
#include "tlog/watermark.h"

namespace avow::tlog {
namespace {

namespace fs = std::filesystem;
using provenance::Statement;

constexpr std::string_view kNextLogKeyFile = "log.ed25519.next.pem";
constexpr std::string_view kNextStatementKeyFile = "statements.p256.next.pem";
/// Recoveries of one deployment; a head with a larger number is damaged.
constexpr std::uint32_t kLogsMax = 1000;

/// The newest statement about keys, and the head that says so.
struct KeysNow {
  store::LogHead head;
  Statement statement;

  [[nodiscard]] bool is_newest(const crypto::Ed25519PrivateKey& key) const {
    return statement.log_keys.front() ==
           merkle::VerifierKey::ed25519(statement.origin, merkle::SignatureType::kEd25519,
                                        key.public_key());
  }
  [[nodiscard]] bool is_newest(const crypto::P256PrivateKey& key) const {
    return provenance::names_key(statement, key.public_key().spki_der(), head.size);
  }
  [[nodiscard]] bool is_after_recovery() const {
    return statement.type == provenance::StatementType::kLogGenesis && statement.old_head;
  }
};

/// Nothing: no log has an entry.
Result<std::optional<KeysNow>> keys_now(store::Store& store) {
  auto head = store.newest_log_head();
  if (!head && head.error().code == Code::kNotFound) return std::optional<KeysNow>();
  if (!head) return head.error();
  ASSIGN_OR_RETURN(const auto entries, store.read_log(head->log, head->keys_index, 1));
  if (entries.empty()) return failure(Code::kCorruption, "the statement about keys is missing");
  ASSIGN_OR_RETURN(Statement statement, provenance::decode_statement(entries[0].statement));
  if (!provenance::is_about_keys(statement.type)) {
    return failure(Code::kCorruption, "the statement at {} is not about keys", head->keys_index);
  }
  return std::optional<KeysNow>({*std::move(head), std::move(statement)});
}

/// One key file, the one that may take its place, and where it goes then (empty: it is replaced).
struct Slot {
  fs::path current;
  fs::path next;
  fs::path aside;
};

/// What was put aside may be the only copy of a key. Errors: kConflict  `aside` is another file
Result<void> check_is_free(const fs::path& aside, const fs::path& current) {
  ASSIGN_OR_RETURN(const bool has_aside, is_there(aside));
  ASSIGN_OR_RETURN(const bool has_current, is_there(current));
  if (!has_aside || !has_current) return {};
  ASSIGN_OR_RETURN(const Secret theirs, read_private_file(aside));
  ASSIGN_OR_RETURN(const Secret ours, read_private_file(current));
  if (theirs.reveal() == ours.reveal()) return {};
  return failure(Code::kConflict, "\"{}\" holds another key than \"{}\": move it away first",
                 aside.string(), current.string());
}

Result<void> put_aside(const fs::path& current, const fs::path& aside) {
  RETURN_IF_ERROR(check_is_free(aside, current));
  return rename_file(current, aside);
}

/// In an order that can be broken off anywhere and begun again: while `next` is there, nothing that
/// is still needed has only the name `current`.
template <class Key>
Result<void> settle(const Slot& slot, const KeysNow& now, const Secret& passphrase) {
  const auto newest_in = [&](const fs::path& path) -> Result<bool> {
    ASSIGN_OR_RETURN(const Secret pem, read_private_file(path));
    const auto key = Key::from_pem(pem.reveal(), passphrase);
    if (!key) return key.error().in(path.string());
    return now.is_newest(*key);
  };
  ASSIGN_OR_RETURN(const bool has_next, is_there(slot.next));
  if (!has_next) return {};
  ASSIGN_OR_RETURN(const bool has_current, is_there(slot.current));
  if (has_current) {
    ASSIGN_OR_RETURN(const bool is_current, newest_in(slot.current));
    if (is_current) return remove_file(slot.next);
  }
  ASSIGN_OR_RETURN(const bool is_next, newest_in(slot.next));
  if (!is_next) {
    return failure(Code::kCorruption, "the log names neither the key in \"{}\" nor that in \"{}\"",
                   slot.current.string(), slot.next.string());
  }
  if (has_current && !slot.aside.empty()) {
    RETURN_IF_ERROR(put_aside(slot.current, slot.aside));
  }
  return rename_file(slot.next, slot.current);
}

/// Where the keys of the log before go.
fs::path aside_folder(const fs::path& folder, std::uint32_t log) {
  return folder / fmt::format("log-{}", log);
}

Result<fs::path> make_aside_folder(const fs::path& folder, std::uint32_t log) {
  fs::path aside = aside_folder(folder, log);
  std::error_code error;
  fs::create_directory(aside, error);
  if (!error) fs::permissions(aside, fs::perms::owner_all, error);
  if (error) {
    return failure(Code::kUnavailable, "make \"{}\": {}", aside.string(), error.message());
  }
  return aside;
}

Result<void> settle_all(const fs::path& folder, const KeysNow& now, const Secret& passphrase) {
  Slot log{folder / kLogKeyFile, folder / kNextLogKeyFile, folder / kOldLogKeyFile};
  Slot statements{folder / kStatementKeyFile, folder / kNextStatementKeyFile, {}};
  if (now.is_after_recovery()) {
    ASSIGN_OR_RETURN(const fs::path aside, make_aside_folder(folder, now.head.log - 1));
    log.aside = aside / kLogKeyFile;
    statements.aside = aside / kStatementKeyFile;
    // The key of an overlap goes first: it belongs to the log before for as long as there is a next
    // key.
    ASSIGN_OR_RETURN(const bool has_next, is_there(log.next));
    ASSIGN_OR_RETURN(const bool has_old, is_there(folder / kOldLogKeyFile));
    if (has_next && has_old) {
      RETURN_IF_ERROR(put_aside(folder / kOldLogKeyFile, aside / kOldLogKeyFile));
    }
  }
  RETURN_IF_ERROR(settle<crypto::Ed25519PrivateKey>(log, now, passphrase));
  RETURN_IF_ERROR(settle<crypto::P256PrivateKey>(statements, now, passphrase));
  if (now.is_after_recovery()) RETURN_IF_ERROR(sync_folder(log.aside.parent_path()));
  return sync_folder(folder);
}

Result<void> drop_next(const fs::path& folder) {
  RETURN_IF_ERROR(remove_file(folder / kNextLogKeyFile));
  RETURN_IF_ERROR(remove_file(folder / kNextStatementKeyFile));
  return sync_folder(folder);
}

/// Commits it and waits; what it made of the keys' files is settled, and the store stopped, so that
/// `sequencer` may go.
Result<void> commit_and_settle(store::Store& store, Sequencer& sequencer,
                               store::QueuedStatement statement, const std::string& folder,
                               const Secret& passphrase) {
  store.set_hook(sequencer);
  std::promise<Result<void>> answer;
  store::Commit commit;
  commit.statements.push_back(std::move(statement));
  store.commit(std::move(commit),
               [&answer](Result<void> done) { answer.set_value(std::move(done)); });
  auto outcome = answer.get_future().get();
  // Also after a failure: whether it was written the store knows best.
  auto settled = finish_rotation(store, folder, passphrase);
  store.stop();
  return outcome ? settled : outcome;
}

/// Whether `log` had this name, or its genesis says it of the one before, which the store may have
/// lost. What cannot be read may be why there is a recovery: it says nothing.
Result<bool> names_log(store::Store& store, std::uint32_t log, const std::string& origin) {
  const auto is_damage = [](const Error& error) {
    return error.code == Code::kNotFound || error.code == Code::kCorruption;
  };
  const auto head = store.get_log_head(log);
  if (!head && !is_damage(head.error())) return head.error();
  if (head) {
    const auto checkpoint = checkpoint_of(head->checkpoint);
    if (checkpoint && checkpoint->origin == origin) return true;
  }
  const auto entries = store.read_log(log, 0, 1);
  if (!entries && !is_damage(entries.error())) return entries.error();
  if (!entries || entries->empty()) return false;
  const auto genesis = provenance::decode_statement(entries->front().statement);
  return genesis &&
         (genesis->origin == origin || (genesis->old_head && genesis->old_head->origin == origin));
}

/// Whether a log before the newest one, or that one, had this name.
Result<bool> is_taken(store::Store& store, const std::string& origin, std::uint32_t newest_log) {
  if (newest_log > kLogsMax) return failure(Code::kCorruption, "there is no log {}", newest_log);
  const auto first = store.get_meta("origin");
  if (first && *first == origin) return true;
  if (!first && first.error().code != Code::kNotFound) return first.error();
  for (std::uint32_t log = 1; log <= newest_log; ++log) {
    ASSIGN_OR_RETURN(const bool is_named, names_log(store, log, origin));
    if (is_named) return true;
  }
  return false;
}

/// What the new log says of the one before: the stored head only if it continues what was seen.
Result<provenance::OldHead> old_head_of(store::Store& store,
                                        const std::optional<store::LogHead>& stored,
                                        const std::optional<merkle::Checkpoint>& last_seen) {
  const auto of = [](const merkle::Checkpoint& checkpoint) {
    return provenance::OldHead{checkpoint.origin, checkpoint.size, checkpoint.root};
  };
  if (!stored && last_seen) return of(*last_seen);
  if (!stored) {
    ASSIGN_OR_RETURN(std::string origin, newest_origin(store));
    return provenance::OldHead{std::move(origin), 0, merkle::empty_root()};
  }
  if (!last_seen) {
    ASSIGN_OR_RETURN(const auto checkpoint, checkpoint_of(stored->checkpoint));
    return of(checkpoint);
  }
  auto restored = restore_head(store, *stored);
  if (!restored && restored.error().code == Code::kCorruption) return of(*last_seen);
  if (!restored) return restored.error();
  const auto head = std::make_shared<const Head>(*std::move(restored));
  ASSIGN_OR_RETURN(const auto why_not, mismatch(store, head->checkpoint.origin, head, last_seen));
  return of(why_not ? *last_seen : head->checkpoint);
}

/// Whether a server would refuse the log at its start, as Log::open() decides; no witness is asked.
Result<bool> is_refused(store::Store& store, const Result<LogKeys>& keys,
                        const std::optional<merkle::Checkpoint>& last_seen, Clock& clock,
                        Rng& rng) {
  if (!keys) return true;
  ASSIGN_OR_RETURN(const auto sequencer,
                   Sequencer::open(store, *keys, clock, rng, {.signing_threads = 0}));
  if (sequencer->sealed()) return true;
  if (!last_seen && sequencer->head() == nullptr) return false;
  ASSIGN_OR_RETURN(const auto why, mismatch(store, keys->origin, sequencer->head(), last_seen));
  return why.has_value();
}

/// Whether a crash left the newest log between its genesis and the watermark's reset.
bool is_begun(const KeysNow& now, const Recovery& what) {
  return now.is_after_recovery() && now.statement.origin == what.origin && what.last_seen &&
         what.last_seen->origin != what.origin;
}

/// Before anything is written that would have to be put aside.
Result<void> check_room_aside(const fs::path& folder, std::uint32_t log) {
  const fs::path aside = aside_folder(folder, log);
  for (const std::string_view name : {kLogKeyFile, kOldLogKeyFile, kStatementKeyFile}) {
    RETURN_IF_ERROR(check_is_free(aside / name, folder / name));
  }
  return {};
}

}  // namespace

Result<void> finish_rotation(store::Store& store, const std::string& keys_folder,
                             const Secret& passphrase) {
  const fs::path folder(keys_folder);
  ASSIGN_OR_RETURN(const bool has_log, is_there(folder / kNextLogKeyFile));
  ASSIGN_OR_RETURN(const bool has_statement, is_there(folder / kNextStatementKeyFile));
  if (!has_log && !has_statement) return {};
  ASSIGN_OR_RETURN(const auto now, keys_now(store));
  if (!now) return drop_next(folder);
  return settle_all(folder, *now, passphrase);
}

Result<LogKeys> rotate_keys(store::Store& store, const std::string& keys_folder, LogKeys keys,
                            const Secret& passphrase, const Rotation& what,
                            const std::string& actor, Clock& clock, Rng& rng) {
  if (keys.old_log) {
    return failure(Code::kConflict, "the rotation before is in its overlap: end that first");
  }
  if (!what.log_key && !what.statement_key) {
    return failure(Code::kInvalidArgument, "neither the log key nor the statement key is chosen");
  }
  LogKeys next = keys;
  if (what.log_key) {
    next.old_log = keys.log;
    next.log = crypto::Ed25519PrivateKey::from_seed(rng.bytes32());
  }
  if (what.statement_key) next.statements = crypto::P256PrivateKey::generate();
  ASSIGN_OR_RETURN(const auto sequencer,
                   Sequencer::open(store, std::move(keys), clock, rng, {.signing_threads = 0}));
  if (const auto why = sequencer->sealed()) {
    return failure(Code::kUnavailable, "the log is sealed: {}", *why);
  }
  if (what.last_seen) {
    // A store that was put back to an old copy must not sign a second log from there on.
    ASSIGN_OR_RETURN(const auto why,
                     mismatch(store, next.origin, sequencer->head(), what.last_seen));
    if (why) return failure(Code::kUnavailable, "{}: see `avow log recover`", *why);
  }
  // The keys are durable before anything names them. A crash before the commit leaves files that
  // nothing names, one behind it files that the log names: finish_rotation() tells them apart.
  const fs::path folder(keys_folder);
  if (what.log_key) {
    RETURN_IF_ERROR(write_private_file(folder / kNextLogKeyFile, next.log.pem(passphrase)));
  }
  if (what.statement_key) {
    RETURN_IF_ERROR(
        write_private_file(folder / kNextStatementKeyFile, next.statements.pem(passphrase)));
  }
  RETURN_IF_ERROR(sync_folder(folder));
  RETURN_IF_ERROR(commit_and_settle(store, *sequencer, sequencer->rotation(next, actor),
                                    keys_folder, passphrase));
  return next;
}

Result<void> end_overlap(const std::string& keys_folder) {
  const fs::path folder(keys_folder);
  ASSIGN_OR_RETURN(const bool has_old, is_there(folder / kOldLogKeyFile));
  if (!has_old) return failure(Code::kNotFound, "no rotation of the log key is in its overlap");
  RETURN_IF_ERROR(remove_file(folder / kOldLogKeyFile));
  return sync_folder(folder);
}

Result<LogKeys> recover_log(store::Store& store, const std::string& keys_folder,
                            const Recovery& what, const Secret& passphrase, Clock& clock,
                            Rng& rng) {
  if (!merkle::is_key_name(what.origin)) {
    return failure(Code::kInvalidArgument, "\"{}\" cannot name a log", shown(what.origin));
  }
  const auto finished = finish_rotation(store, keys_folder, passphrase);
  if (!finished && finished.error().code != Code::kCorruption) return finished.error();
  // Who cannot read the keys that are there ends nothing, and makes no others in their place.
  const auto newest = newest_origin(store);
  auto old_keys = load_keys(keys_folder, newest ? *newest : std::string(), passphrase);
  if (!old_keys && old_keys.error().code != Code::kNotFound) return old_keys.error();

  std::optional<store::LogHead> stored;
  if (auto head = store.newest_log_head()) {
    stored = *std::move(head);
  } else if (head.error().code != Code::kNotFound) {
    return head.error();
  }
  const auto now = keys_now(store);
  const bool is_readable = now && now->has_value();
  if (is_readable && is_begun(**now, what)) return old_keys;
  const std::uint32_t before = stored ? stored->log : 1;
  ASSIGN_OR_RETURN(const bool is_stored, is_taken(store, what.origin, before));
  if (is_stored || (what.last_seen && what.last_seen->origin == what.origin)) {
    return failure(Code::kInvalidArgument, "\"{}\" is the name of an earlier log", what.origin);
  }
  if (!what.is_healthy_too) {
    ASSIGN_OR_RETURN(const bool is_lost, is_refused(store, old_keys, what.last_seen, clock, rng));
    if (!is_lost) {
      return failure(Code::kConflict,
                     "the log {} is the one that was last seen, and can go on: nothing is to be "
                     "recovered. --even-if-healthy ends it all the same, as after a witness that "
                     "has seen more",
                     old_keys->origin);
    }
  }
  RETURN_IF_ERROR(check_room_aside(keys_folder, before));
  ASSIGN_OR_RETURN(auto old_head, old_head_of(store, stored, what.last_seen));
  // The log that names what a crash left cannot be read any more: those keys sign nothing.
  if (!finished) RETURN_IF_ERROR(drop_next(keys_folder));
  const Time not_before = is_readable ? (*now)->statement.created_at : Time();
  log::warning("log {} of {} ends at size {}; log {} begins as {}", before, old_head.origin,
               old_head.size, before + 1, what.origin);

  LogKeys keys{what.origin, crypto::Ed25519PrivateKey::from_seed(rng.bytes32()), std::nullopt,
               crypto::P256PrivateKey::generate()};
  const fs::path folder(keys_folder);
  RETURN_IF_ERROR(write_private_file(folder / kNextLogKeyFile, keys.log.pem(passphrase)));
  RETURN_IF_ERROR(
      write_private_file(folder / kNextStatementKeyFile, keys.statements.pem(passphrase)));
  RETURN_IF_ERROR(sync_folder(folder));
  const auto sequencer =
      Sequencer::begin_log({before + 1, std::move(old_head), not_before}, keys, clock, rng);
  RETURN_IF_ERROR(
      commit_and_settle(store, *sequencer, Sequencer::genesis(), keys_folder, passphrase));
  return keys;
}

}  // namespace avow::tlog
