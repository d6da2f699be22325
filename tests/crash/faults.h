// SPDX-License-Identifier: Apache-2.0
// tests/crash/faults.h: orders for a server's file system (preload/fault_injection.cc), which the
// test gives while the server runs. One thread. Not under sanitizers.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "testing/server_process.h"

namespace avow {

/// When, beside the call that is told, the process is killed.
enum class Moment { kBefore, kHalf, kAfter, kPower };
std::string_view moment_name(Moment moment);

/// Servers that start while it lives obey its orders.
class Faults {
 public:
  explicit Faults(const testing::Deployment& deployment);
  ~Faults();
  Faults(const Faults&) = delete;
  Faults& operator=(const Faults&) = delete;

  // A call's name is such as "pwrite:/data/avow.db-wal".

  /// For the next start: kill -9 at the `number`-th call (from 1) that has `part` in its name.
  void kill_at(Moment moment, std::uint64_t number, const std::string& part);
  /// From now on so many writes find room, and no more.
  void fill_disk(std::uint64_t room = 0);
  /// From now on every sync fails whose name ends in `part`.
  void break_sync(const std::string& part);
  /// From now on all is well.
  void lift();
  /// The last call that an order was carried out at; empty: none since it was given.
  [[nodiscard]] std::string met() const;

 private:
  void order(const std::string& text);
  std::filesystem::path orders_;
  int disks_ = 0;
};

}  // namespace avow
