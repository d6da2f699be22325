// SPDX-License-Identifier: Apache-2.0
// tlog/rotation.h: other keys, and another log, of a deployment whose server does not run. Both
// write keys first and statements then, so that what a crash leaves is finished or dropped at the
// next start. They hold the store alone: open it before (its folder's lock sees to it).
#pragma once
#include "tlog/sequencer.h"

namespace avow::tlog {

struct Rotation {
  bool log_key = true;
  bool statement_key = false;
};

/// Makes new keys and integrates the key.rotated that names them, signed by the old log key and the
/// new. From then on checkpoints carry both signatures, until end_overlap(). Returns the keys as
/// they are then. Errors: kConflict  an overlap is under way; those of Sequencer::open and commit
Result<LogKeys> rotate_keys(store::Store& store, const std::string& keys_folder, LogKeys keys,
                            const Secret& passphrase, const Rotation& what,
                            const std::string& actor, Clock& clock, Rng& rng);

/// Removes the old log key: nothing is signed with it any more. Errors: kNotFound  no overlap
Result<void> end_overlap(const std::string& keys_folder);

/// Begins a new log named `origin`, with new keys, whose genesis names the head that the old one
/// was last seen at: the only way on for a deployment whose log lost entries. What the old log
/// proved stays provable with its own keys, whose files are kept beside the new ones.
/// Errors: kInvalidArgument  the origin is that of an earlier log
Result<LogKeys> recover_log(store::Store& store, const std::string& keys_folder,
                            const std::string& origin, const Secret& passphrase, Clock& clock,
                            Rng& rng);

}  // namespace avow::tlog
