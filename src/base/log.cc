// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>

namespace avow::log {

void start(Level level) {
  spdlog::drop("avow");  // of an earlier start
  auto logger = spdlog::stderr_logger_mt("avow");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  switch (level) {
    case Level::kDebug:
      logger->set_level(spdlog::level::debug);
      break;
    case Level::kInfo:
      logger->set_level(spdlog::level::info);
      break;
    case Level::kWarning:
      logger->set_level(spdlog::level::warn);
      break;
    case Level::kError:
      logger->set_level(spdlog::level::err);
      break;
    case Level::kOff:
      logger->set_level(spdlog::level::off);
      break;
  }
  spdlog::set_default_logger(std::move(logger));
}

}  // namespace avow::log
