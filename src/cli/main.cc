// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "base/log.h"
#include "cli/command.h"

int main(int count, char** values) {
  // Standard output is what was asked for, and nothing else; `serve` sets its own level.
  avow::log::start(avow::log::Level::kWarning);
  avow::cli::Terminal terminal{std::cin, std::cout, std::cerr,
                               ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr};
  return avow::cli::run({values + 1, values + count}, terminal);
}
