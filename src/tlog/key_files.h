// SPDX-License-Identifier: Apache-2.0
// tlog/key_files.h: private files of a folder, and what makes a change of them last. One thread at
// a time for each folder.
#pragma once
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"

namespace avow::tlog {

/// Makes the file, which must not be there, with mode 0600, and syncs it; not its folder.
/// Errors: kConflict           it is there
///         kResourceExhausted  the disk is full
///         kUnavailable        it cannot be made
Result<void> write_private_file(const std::filesystem::path& path, const Secret& text);
/// Errors: kNotFound         no such file
///         kInvalidArgument  no regular file, one that others than its owner can use, or a long one
///         kUnavailable      it cannot be read
Result<Secret> read_private_file(const std::filesystem::path& path);
/// Renames it; what has the new name is replaced. The folder is not synced.
Result<void> rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// Removes it if it is there. The folder is not synced.
Result<void> remove_file(const std::filesystem::path& path);
/// Makes it durable which names `folder` has.
Result<void> sync_folder(const std::filesystem::path& folder);
/// Whether there is anything of that name. Errors: kUnavailable
Result<bool> is_there(const std::filesystem::path& path);

}  // namespace avow::tlog
