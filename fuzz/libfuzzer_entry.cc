// SPDX-License-Identifier: Apache-2.0
// The entry of a libFuzzer program; AVOW_FUZZ_TARGET names its function in targets.h.
#include <cstddef>
#include <cstdint>

#include "fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  avow::fuzz::AVOW_FUZZ_TARGET(
      {reinterpret_cast<const char*>(data), size});  // NOLINT: bytes are bytes
  return 0;
}
