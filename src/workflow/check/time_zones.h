// SPDX-License-Identifier: Apache-2.0
// workflow/check/time_zones.h: the names of the IANA time zone database. They are part of the
// program because a server without the database on its disk must not judge definitions differently.
#pragma once
#include <span>
#include <string_view>

namespace avow::workflow {

bool is_time_zone(std::string_view name);
std::span<const std::string_view> time_zones();

}  // namespace avow::workflow
