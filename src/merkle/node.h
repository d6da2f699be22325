// SPDX-License-Identifier: Apache-2.0
// merkle/node.h: names for the nodes of a tree, and where their hashes come from.
#pragma once
#include <compare>
#include <cstdint>
#include <functional>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

/// The root of a complete subtree of 2^height leaves; `index` counts those of its height from the
/// left. Such a node never changes once its last leaf is there.
struct Node {
  int height = 0;           ///< 0 (a leaf) to 63.
  std::uint64_t index = 0;  ///< Below 2^(64 - height).
  auto operator<=>(const Node&) const = default;
};

/// Gives the hash of a node whose leaves are all in the tree. What it returns is believed: a wrong
/// hash gives a proof that leads to another root. Its errors are passed on.
using NodeSource = std::function<Result<Hash>(const Node&)>;

}  // namespace avow::merkle
