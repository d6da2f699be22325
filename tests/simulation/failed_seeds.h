// SPDX-License-Identifier: Apache-2.0
// Seeds that once failed, with what was wrong. They run first. A seed means another story when
// random plans or worlds are made otherwise: each bug also has a test of its own.
#pragma once
#include <array>
#include <cstdint>

namespace avow::engine {

inline constexpr std::array<std::uint64_t, 6> kFailedSeeds = {
    // More calls than slots: after a start, runs got slots that others held (docs/decisions/0032).
    25, 145, 260,
    // The same, where a slot was given back before the end of its call was written.
    380,
    952,   // a fallback model's call left before the one that had run out of time was cancelled
    1235,  // a call left before the one that it took its slot from was cancelled
};

}  // namespace avow::engine
