// SPDX-License-Identifier: Apache-2.0
#include "merkle/entry_bundle.h"

namespace avow::merkle {

Result<void> append_entry(std::string& bundle, std::string_view entry) {
  if (entry.size() > kEntryBytesMax) {
    return failure(Code::kInvalidArgument, "a log entry has {} bytes, more than {}", entry.size(),
                   kEntryBytesMax);
  }
  bundle += static_cast<char>(entry.size() >> 8);
  bundle += static_cast<char>(entry.size() & 0xFF);
  bundle += entry;
  return {};
}

Result<std::vector<std::string_view>> parse_entry_bundle(std::string_view bundle,
                                                         std::uint64_t width) {
  const auto byte = [&bundle](std::size_t at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bundle[at]));
  };
  std::vector<std::string_view> entries;
  while (!bundle.empty()) {
    if (entries.size() == width) {
      return failure(Code::kCorruption, "an entry bundle has {} bytes behind its {} entries",
                     bundle.size(), width);
    }
    const std::size_t size = bundle.size() < 2 ? bundle.size() : byte(0) << 8 | byte(1);
    if (bundle.size() < 2 + size) {
      return failure(Code::kCorruption, "an entry bundle ends within entry {}", entries.size());
    }
    entries.push_back(bundle.substr(2, size));
    bundle.remove_prefix(2 + size);
  }
  if (entries.size() != width) {
    return failure(Code::kCorruption, "an entry bundle has {} entries, not {}", entries.size(),
                   width);
  }
  return entries;
}

}  // namespace avow::merkle
