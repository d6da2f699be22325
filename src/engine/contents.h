// SPDX-License-Identifier: Apache-2.0
// engine/contents.h: the contents of one run that are in memory. Append-only; one thread at a time.
#pragma once
#include <algorithm>
#include <vector>

#include "provenance/content.h"

namespace avow::engine {

using provenance::Content;
using provenance::ContentRef;

/// The bytes of `value` as JSON, about: text counts as it is in memory, a number as 8.
std::size_t approximate_bytes(const json::Value& value);
/// Nested arrays and objects of `value`.
std::size_t depth_of(const json::Value& value);

class Contents {
 public:
  /// Contents come in the order of their seq.
  void add(Content content) { all_.push_back(std::move(content)); }

  /// Null pointer if it is not there: erased, or never written. Holds until the next add().
  [[nodiscard]] const json::Value* find(const ContentRef& ref) const {
    const auto first =
        std::lower_bound(all_.begin(), all_.end(), ref.seq,
                         [](const Content& c, std::uint32_t seq) { return c.ref.seq < seq; });
    for (auto at = first; at != all_.end() && at->ref.seq == ref.seq; ++at) {
      if (at->ref.member == ref.member) return &at->value;
    }
    return nullptr;
  }

  [[nodiscard]] const std::vector<Content>& all() const { return all_; }

 private:
  std::vector<Content> all_;
};

}  // namespace avow::engine
