// SPDX-License-Identifier: Apache-2.0
// workflow/check/cron.h: whether a text is a cron expression: minute, hour, day of month, month,
// day of week, each "*", a number, a range, a step ("*/5", "0-30/10"), or a list of those; months
// and days of the week also by their English names, Sunday as 0 or 7. Pure; safe from any thread.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace avow::workflow {

/// What is wrong with `text`; nothing if it is a cron expression that some day matches.
std::optional<std::string> check_cron(std::string_view text);

}  // namespace avow::workflow
