// SPDX-License-Identifier: Apache-2.0
// api/metrics.h: what the process counts, as text for Prometheus (exposition format 0.0.4).
// Any thread.
#pragma once
#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "api/route.h"
#include "base/mutex.h"

namespace avow::api {

class Metrics {
 public:
  /// Counts one answered request; `route` is null where none fits.
  void count(const Route* route, int status, std::chrono::duration<double> took);
  /// The whole page: requests, and the figures of the engine, the store and the process as they
  /// are.
  std::string text(Services& services);

 private:
  static constexpr std::array<double, 13> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                     0.25,  0.5,    1,     2.5,  10,    60};
  struct Latency {
    std::array<std::uint64_t, kBounds.size() + 1> buckets{};  ///< The last one: beyond all bounds.
    double sum = 0;
  };
  void write_requests(std::string& out);

  Mutex mutex_;
  std::map<std::pair<const Route*, int>, std::uint64_t> answers_ GUARDED_BY(mutex_);
  std::map<const Route*, Latency> latencies_ GUARDED_BY(mutex_);
};

}  // namespace avow::api
