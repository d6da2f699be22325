// SPDX-License-Identifier: Apache-2.0
// tlog/rotation.h: other keys, and another log, of a deployment whose server does not run. Both
// write keys first and statements then, so that what a crash leaves is finished or dropped at the
// next start. They hold the store alone (its folder's lock sees to it), take its hook, and stop it
// once they have committed: what follows needs it opened again.
#pragma once
#include "tlog/sequencer.h"

namespace avow::tlog {

/// Settles what a crash left of a rotation or a recovery: keys in `*.next.pem` become the keys if
/// the newest statement about keys names them, and are removed if it names those at hand. Before
/// load_keys(), which takes newest_origin(). Does nothing, and reads nothing, without such files.
/// Errors: kInvalidArgument  a file cannot be read, or the passphrase is not theirs
///         kCorruption       the statement cannot be read, or names neither
///         kConflict         another key is where one is to be put aside
///         kUnavailable, kResourceExhausted  the folder cannot be written; those of the reads
Result<void> finish_rotation(store::Store& store, const std::string& keys_folder,
                             const Secret& passphrase);

struct Rotation {
  bool log_key = true;
  bool statement_key = false;
  /// The watermark's: a log that has not grown from it signs nothing, not even this. Absent:
  /// nothing is compared, as in a log that nobody has seen.
  std::optional<merkle::Checkpoint> last_seen = {};
};

/// Makes new keys and integrates the key.rotated that names them, signed by the old log key and the
/// new. With another log key, checkpoints carry both signatures from then on, until end_overlap().
/// Returns the keys as they are then; the old statement key is gone. `keys` are the loaded ones.
/// Errors: kConflict         an overlap is under way, or another rotation is not finished
///         kInvalidArgument  nothing is to be rotated
///         kUnavailable      the log is sealed, or smaller or another than was seen; and those of
///         Sequencer::open, commit and
///                           finish_rotation
Result<LogKeys> rotate_keys(store::Store& store, const std::string& keys_folder, LogKeys keys,
                            const Secret& passphrase, const Rotation& what,
                            const std::string& actor, Clock& clock, Rng& rng);

/// Removes the old log key: nothing is signed with it any more. Errors: kNotFound  no overlap
Result<void> end_overlap(const std::string& keys_folder);

struct Recovery {
  std::string origin;  ///< The new log's name.
  /// The watermark's. Absent: there is none, or none that can be read.
  std::optional<merkle::Checkpoint> last_seen = {};
  /// Also if a server would go on with the log: a witness has seen more, or a key was stolen.
  bool is_healthy_too = false;
};

/// Begins a new log, with new keys, whose genesis names the head that the old one was last seen at:
/// `last_seen`, or the stored head if that continues it. The only way on for a deployment whose log
/// lost entries. What the old log proved stays provable with its own keys, whose files move to
/// `log-<its number>`. The caller then resets the watermark, to size 0 of the new origin. Called
/// again with the same after a crash before that, it finishes what was begun.
/// Errors: kInvalidArgument  no key name, or the origin of an earlier log, in the store or
///                           seen; the passphrase is not that of the keys that are there
///         kConflict         the log can go on; or `log-<its number>` has other keys, which nothing
///                           replaces
///         those of commit, finish_rotation and load_keys; nothing is changed by any before
///         commit's
Result<LogKeys> recover_log(store::Store& store, const std::string& keys_folder,
                            const Recovery& what, const Secret& passphrase, Clock& clock, Rng& rng);

}  // namespace avow::tlog
