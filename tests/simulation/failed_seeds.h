// SPDX-License-Identifier: Apache-2.0
// Seeds that once failed, with what was wrong. They run first. A seed means another story when
// random plans or worlds are made otherwise: each bug also has a test of its own.
#pragma once
#include <array>
#include <cstdint>

namespace avow::engine {

inline constexpr std::array<std::uint64_t, 2> kFailedSeeds = {
    1,
    1235,  // a call left before the one that it took its slot from was cancelled
};

}  // namespace avow::engine
