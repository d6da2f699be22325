// SPDX-License-Identifier: Apache-2.0
// json/schema/multiple_of.h: whether one number is a multiple of another, as people read them.
// Pure; safe from any thread.
#pragma once

namespace avow::json::schema {

/// Whether `number` is `divisor` times an integer, both taken as the shortest decimals that denote
/// them: 0.3 is a multiple of 0.1, though no double is exactly either. Exact for all finite
/// numbers; `divisor` is not zero.
bool is_multiple(double number, double divisor);

}  // namespace avow::json::schema
