// SPDX-License-Identifier: Apache-2.0
// merkle/entry_bundle.h: up to 256 log entries in a row, each behind its length (C2SP tlog-tiles,
// "Log entries"). Pure; safe from any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace avow::merkle {

/// The length is 16 bits.
inline constexpr std::size_t kEntryBytesMax = 65535;

/// Appends `entry` behind its length in big-endian order. Errors: kInvalidArgument (too long)
Result<void> append_entry(std::string& bundle, std::string_view entry);

/// The `width` entries of `bundle`, as views into it. `bundle` is untrusted: it must hold exactly
/// so many, and nothing behind them. Errors: kCorruption
Result<std::vector<std::string_view>> parse_entry_bundle(std::string_view bundle,
                                                         std::uint64_t width);

}  // namespace avow::merkle
