// SPDX-License-Identifier: Apache-2.0
// store/sqlite/compression.h: zstd frames for what is stored once and read seldom.
// Any thread; each keeps contexts of its own (about 1 MiB).
#pragma once
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow::store {

/// One zstd frame (level 1) with its content's size and checksum. Costs about 10 us for 3 KB.
std::string compress(std::string_view bytes);

/// The exact bytes that compress() was given.
/// Errors: kCorruption         not one such frame, or its checksum does not match
///         kResourceExhausted  it claims more than 1 GiB, which nothing stored here is
Result<std::string> decompress(std::string_view frame);

}  // namespace avow::store
