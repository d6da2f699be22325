// SPDX-License-Identifier: Apache-2.0
// base/log.h: the process's own log, one line an event, to stderr. Never a secret, never content
// that a caller, model or tool wrote. Any thread.
#pragma once
#include <spdlog/spdlog.h>

namespace avow::log {

enum class Level { kDebug, kInfo, kWarning, kError, kOff };

/// Lines go to stderr as "2026-11-21T20:59:48.123Z info message". Call once, early.
void start(Level level);

template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::info(format, std::forward<Args>(args)...);
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::warn(format, std::forward<Args>(args)...);
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::error(format, std::forward<Args>(args)...);
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  spdlog::debug(format, std::forward<Args>(args)...);
}

}  // namespace avow::log
