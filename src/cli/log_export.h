// SPDX-License-Identifier: Apache-2.0
// cli/log_export.h: copies a log into a folder of static files (C2SP tlog-tiles) that any web
// server can serve. One thread.
#pragma once
#include <string>

#include "cli/log_audit.h"

namespace avow::cli {

struct LogExport {
  merkle::Checkpoint checkpoint;
  std::uint64_t written = 0;  ///< Files.
  std::uint64_t kept = 0;     ///< Full tiles and bundles that were there already, and right.
};

/// Copies every tile and bundle of the tree of the log's checkpoint into `folder`, which is made if
/// it is missing, and the checkpoint last. Each file appears whole under its name or not at all.
/// Every file is compared with the checkpoint's root before it is written; a full one that is there
/// and right is not read again, so an export that was broken off goes on. Whose the checkpoint is,
/// it does not ask: `avow log audit FOLDER` is for that, and for what the entries say.
/// It keeps one tile or bundle a level in memory.
/// Errors: kCorruption   no checkpoint, or a file that does not lead to its root
///         kConflict     the folder holds another log, a longer one, or one that this one does not
///                       prove to continue; nothing is written
///         kUnavailable, kResourceExhausted  it cannot be written; and those of `read`
Result<LogExport> export_log(const ReadLogFile& read, const std::string& folder);

}  // namespace avow::cli
