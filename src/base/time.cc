// SPDX-License-Identifier: Apache-2.0
#include "base/time.h"

#include <algorithm>
#include <mutex>

#include "base/bytes.h"

namespace avow {
namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::year_month_day;

/// `digits` decimal digits at `text[at]`, or -1.
int number(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

/// `value` as `digits` decimal digits at `out[at]`.
void put(std::string& out, std::size_t at, std::size_t digits, std::int64_t value) {
  for (std::size_t i = at + digits; i-- > at; value /= 10) {
    out[i] = static_cast<char>('0' + value % 10);
  }
}

/// A year that does not have four digits.
std::string format_far_time(const year_month_day& date, Duration::rep ms) {
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60, ms % 1000);
}

}  // namespace

std::string format_time(Time time) {
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const auto ms = (time - day).count();
  const auto year = static_cast<int>(date.year());
  // By hand: every event and every answer holds times, and fmt took a twentieth of a server's work.
  if (year < 0 || year > 9999) return format_far_time(date, ms);
  std::string out = "0000-00-00T00:00:00.000Z";
  put(out, 0, 4, year);
  put(out, 5, 2, static_cast<unsigned>(date.month()));
  put(out, 8, 2, static_cast<unsigned>(date.day()));
  put(out, 11, 2, ms / 3'600'000);
  put(out, 14, 2, ms / 60'000 % 60);
  put(out, 17, 2, ms / 1000 % 60);
  put(out, 20, 3, ms % 1000);
  return out;
}

Result<Time> parse_time(std::string_view text) {
  const auto bad = [&] {
    return failure(Code::kInvalidArgument,
                   "\"{}\" is not an RFC 3339 time, as 2026-01-31T09:30:00Z", shown(text));
  };
  const int year = number(text, 0, 4);
  const int month = number(text, 5, 2);
  const int day = number(text, 8, 2);
  const int hour = number(text, 11, 2);
  const int minute = number(text, 14, 2);
  const int second = number(text, 17, 2);
  if (text.size() < 20 || year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 ||
      second < 0 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
      text[13] != ':' || text[16] != ':' || hour > 23 || minute > 59 || second > 60) {
    return bad();
  }
  const year_month_day date(std::chrono::year(year),
                            std::chrono::month(static_cast<unsigned>(month)),
                            std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return bad();
  std::size_t at = 19;
  int ms = 0;
  if (text[at] == '.') {
    int scale = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, scale /= 10) {
      ms += (text[at] - '0') * scale;
    }
    if (at == first) return bad();
  }
  if (at >= text.size()) return bad();
  int offset = 0;  // minutes
  if (text[at] == 'Z' || text[at] == 'z') {
    ++at;
  } else if (text[at] == '+' || text[at] == '-') {
    const int hours = number(text, at + 1, 2);
    const int minutes = number(text, at + 4, 2);
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || text[at + 3] != ':') return bad();
    offset = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
    at += 6;
  }
  if (at != text.size()) return bad();
  using std::chrono::minutes, std::chrono::hours, std::chrono::seconds;
  const Time time = Time(std::chrono::sys_days(date)) + hours(hour) + minutes(minute - offset) +
                    seconds(second) + Duration(ms);
  // An offset, or a leap second, can lead out of the four-digit years, which could not be written.
  const int utc_year = static_cast<int>(year_month_day(floor<days>(time)).year());
  if (utc_year < 0 || utc_year > 9999) return bad();
  return time;
}

struct SystemClock::State {
  std::mutex mutex;
  std::chrono::steady_clock::time_point steady;
  std::chrono::nanoseconds shown;  // what now() last said, since the epoch
};

SystemClock::SystemClock() : state_(std::make_shared<State>()) {
  state_->steady = std::chrono::steady_clock::now();
  state_->shown = std::chrono::system_clock::now().time_since_epoch();
}

Time SystemClock::now() {
  const std::lock_guard lock(state_->mutex);
  const auto steady = std::chrono::steady_clock::now();
  const std::chrono::nanoseconds elapsed = steady - state_->steady;
  const std::chrono::nanoseconds wall = std::chrono::system_clock::now().time_since_epoch();
  const std::chrono::nanoseconds slew_max = elapsed / 20;
  const std::chrono::nanoseconds gap = wall - (state_->shown + elapsed);
  state_->shown += elapsed + std::clamp(gap, -slew_max, slew_max);
  state_->steady = steady;
  return Time(std::chrono::duration_cast<Duration>(state_->shown));
}

}  // namespace avow
