// SPDX-License-Identifier: Apache-2.0
// cli/log_audit.h: re-reads a whole log (C2SP tlog-tiles) and says whether it is what its
// checkpoint says. Pure save for what it is given to read with; one thread. It keeps at most 256
// hashes a level in memory, whatever the size of the log.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "merkle/checkpoint.h"
#include "merkle/tile.h"
#include "provenance/verify.h"

namespace avow::cli {

/// Reads a file of a log by its path: "checkpoint", "tile/0/000.p/17". What it gives is untrusted.
/// Errors: kNotFound where there is no such file; any other: it cannot be said.
using ReadLogFile = std::function<Result<std::string>(const std::string& path)>;

inline constexpr const char* kCheckpointPath = "checkpoint";

/// A checkpoint that somebody trusted has signed, with the policy's quorum if there is one.
/// Errors: kCorruption  no checkpoint, a signature that is wrong, nobody trusted, no quorum
Result<merkle::Checkpoint> read_checkpoint(const std::string& note, const provenance::Trust& trust);

/// What was read and found right.
struct LogAudit {
  merkle::Checkpoint checkpoint;
  std::uint64_t entries = 0;
  std::uint64_t tiles = 0;  ///< Files of hashes, of every level.
  std::vector<std::uint64_t>
      new_keys;                 ///< Indexes of entries with another key than the one before.
  bool are_keys_named = false;  ///< Each by the statement about keys.
  std::optional<std::uint64_t> old_size;  ///< The log continues the older checkpoint of this size.
};

/// What the caller brings beside the log itself.
struct LogAuditInputs {
  provenance::Trust trust;
  std::string old_checkpoint = {};  ///< A note that was kept from before; empty: none.
  /// A statement about keys that is believed: each entry's key must be one that it names there.
  /// None: it is not asked which keys there are.
  std::optional<provenance::Statement> keys = {};
};

/// Reads the checkpoint and then every entry and every tile of a tree of its size.
/// Errors: kCorruption  the first place where it is inconsistent, a file that is missing among them
///         others       a file cannot be read
Result<LogAudit> audit_log(const ReadLogFile& read, const LogAuditInputs& inputs);

}  // namespace avow::cli
