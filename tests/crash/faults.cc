// SPDX-License-Identifier: Apache-2.0
#ifdef AVOW_FAULT_INJECTION
#include "faults.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <iterator>

namespace avow {

std::string_view moment_name(Moment moment) {
  static constexpr std::array<std::string_view, 4> kNames = {"before", "half", "after", "power"};
  return kNames.at(static_cast<std::size_t>(moment));
}

Faults::Faults(const testing::Deployment& deployment) : orders_(deployment.beside() / "faults") {
  ::setenv("AVOW_FAULT_FOLDER", deployment.folder().c_str(), 1);
  ::setenv("AVOW_FAULT_ORDERS", orders_.c_str(), 1);
  ::setenv("LD_PRELOAD", AVOW_FAULT_INJECTION, 1);
}

Faults::~Faults() {
  for (const char* name : {"AVOW_FAULT_FOLDER", "AVOW_FAULT_ORDERS", "LD_PRELOAD"}) {
    ::unsetenv(name);
  }
}

void Faults::kill_at(Moment moment, std::uint64_t number, const std::string& part) {
  order(fmt::format("kill {} {} {}", moment_name(moment), number, part));
}

void Faults::fill_disk(std::uint64_t room) { order(fmt::format("full {} {}", room, ++disks_)); }

void Faults::break_sync(const std::string& part) { order("no-sync " + part); }

void Faults::lift() { std::filesystem::remove(orders_); }

std::string Faults::met() const {
  std::ifstream file(orders_.string() + ".met");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// By renaming, so that the server never reads half of it.
void Faults::order(const std::string& text) {
  std::filesystem::remove(orders_.string() + ".met");
  const std::string next = orders_.string() + ".next";
  std::ofstream(next) << text;
  std::filesystem::rename(next, orders_);
}

}  // namespace avow
#endif
