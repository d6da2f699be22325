// SPDX-License-Identifier: Apache-2.0
// workflow/check/graph.h: steps and what they depend on, as indexes. Pure; safe from any thread.
#pragma once
#include <cstddef>
#include <optional>
#include <vector>

namespace avow::workflow {

/// dependencies[i] holds what i depends on; every index is below size().
using Graph = std::vector<std::vector<std::size_t>>;

/// For each node, every node that it depends on, directly or not: result[i][j].
/// On a cycle a node depends on itself.
std::vector<std::vector<bool>> ancestors(const Graph& graph);

/// For each node the length of the longest way to a node without dependencies; nothing if there is
/// a cycle.
std::optional<std::vector<std::size_t>> levels(const Graph& graph);

/// One cycle for each group of nodes that all depend on each other; each from its smallest index
/// on, each node depending on the next and the last one on the first.
std::vector<std::vector<std::size_t>> cycles(const Graph& graph);

}  // namespace avow::workflow
