// SPDX-License-Identifier: Apache-2.0
// base/rng.h: where chance comes from. Production asks the kernel; simulations use a seed.
#pragma once
#include <array>
#include <cstdint>
#include <span>

#include "base/bytes.h"

namespace avow {

class Rng {
 public:
  virtual ~Rng() = default;
  /// Fills `out`. Any thread.
  virtual void fill(std::span<std::uint8_t> out) = 0;

  Bytes32 bytes32() {
    Bytes32 out{};
    fill(out);
    return out;
  }
  std::array<std::uint8_t, 8> bytes8() {
    std::array<std::uint8_t, 8> out{};
    fill(out);
    return out;
  }
};

/// getrandom(2), buffered per thread. Aborts if the kernel has none, which it always has.
class SystemRng : public Rng {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// Deterministic: the same seed gives the same bytes on every machine. For tests and simulations
/// only. One thread.
class SeededRng : public Rng {
 public:
  explicit SeededRng(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> out) override;
  std::uint64_t next();
  /// Uniform enough in [0, bound), bound > 0.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace avow
