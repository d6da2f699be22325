// SPDX-License-Identifier: Apache-2.0
// base/time.h: points in time as the whole system sees them: UTC, milliseconds.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow {

using Duration = std::chrono::milliseconds;
using Time = std::chrono::sys_time<Duration>;

/// RFC 3339 in UTC with milliseconds: "2026-11-21T20:59:48.123Z". Years 0000 to 9999.
std::string format_time(Time time);
/// Reads RFC 3339 with any offset and any number of decimals (cut to milliseconds).
/// Errors: kInvalidArgument
Result<Time> parse_time(std::string_view text);

/// Where time comes from. Production reads the system; simulations move it by hand.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Now. Never goes back. Any thread.
  virtual Time now() = 0;
};

/// Wall time read once, then advanced by the steady clock and slewed by at most 5 % toward wall
/// time, so that event times never go back (DESIGN.md section 2).
class SystemClock : public Clock {
 public:
  SystemClock();
  Time now() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace avow
