// SPDX-License-Identifier: Apache-2.0
#include "base/rng.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

namespace avow {
namespace {

void from_kernel(std::uint8_t* out, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::getrandom(out, size, 0);
    if (n < 0) {
      CHECK(errno == EINTR);
      continue;
    }
    out += n;
    size -= static_cast<std::size_t>(n);
  }
}

}  // namespace

void SystemRng::fill(std::span<std::uint8_t> out) {
  constexpr std::size_t kBuffer = 1024;  // one system call for 32 turns
  thread_local std::array<std::uint8_t, kBuffer> buffer;
  thread_local std::size_t used = kBuffer;
  if (out.empty()) return;  // its pointer may be null, which memcpy must not see
  if (out.size() > kBuffer) return from_kernel(out.data(), out.size());
  if (used + out.size() > kBuffer) {
    from_kernel(buffer.data(), kBuffer);
    used = 0;
  }
  std::memcpy(out.data(), buffer.data() + used, out.size());
  std::memset(buffer.data() + used, 0, out.size());  // bytes given out are not kept
  used += out.size();
}

std::uint64_t SeededRng::next() {
  // SplitMix64 (Steele, Lea, Flood 2014).
  std::uint64_t z = state_ += 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

void SeededRng::fill(std::span<std::uint8_t> out) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i, word >>= 8) {
    if (i % 8 == 0) word = next();
    out[i] = static_cast<std::uint8_t>(word & 0xFF);
  }
}

}  // namespace avow
