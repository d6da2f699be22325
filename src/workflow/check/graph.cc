// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/graph.h"

#include <algorithm>

namespace avow::workflow {

std::vector<std::vector<bool>> ancestors(const Graph& graph) {
  std::vector<std::vector<bool>> reached(graph.size(), std::vector<bool>(graph.size()));
  for (std::size_t start = 0; start < graph.size(); ++start) {
    std::vector<std::size_t> open = graph[start];
    while (!open.empty()) {
      const std::size_t node = open.back();
      open.pop_back();
      if (reached[start][node]) continue;
      reached[start][node] = true;
      open.insert(open.end(), graph[node].begin(), graph[node].end());
    }
  }
  return reached;
}

std::optional<std::vector<std::size_t>> levels(const Graph& graph) {
  std::vector<std::size_t> level(graph.size());
  // A level below `size` settles in at most `size` rounds; one that still moves is on a cycle.
  for (std::size_t round = 0; round <= graph.size(); ++round) {
    bool moved = false;
    for (std::size_t node = 0; node < graph.size(); ++node) {
      for (const std::size_t dependency : graph[node]) {
        if (level[node] > level[dependency]) continue;
        level[node] = level[dependency] + 1;
        moved = true;
      }
    }
    if (!moved) return level;
  }
  return std::nullopt;
}

std::vector<std::vector<std::size_t>> cycles(const Graph& graph) {
  const auto above = ancestors(graph);
  std::vector<std::vector<std::size_t>> out;
  std::vector<bool> seen(graph.size());
  for (std::size_t start = 0; start < graph.size(); ++start) {
    if (seen[start] || !above[start][start]) continue;
    // Every node on a cycle depends on one from which there is a way back to it: following those
    // ends where it has been before.
    std::vector<std::size_t> path;
    std::size_t node = start;
    while (std::find(path.begin(), path.end(), node) == path.end()) {
      path.push_back(node);
      const auto next = std::find_if(graph[node].begin(), graph[node].end(),
                                     [&](std::size_t d) { return d == start || above[d][start]; });
      node = *next;
    }
    std::vector<std::size_t> cycle(std::find(path.begin(), path.end(), node), path.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    for (std::size_t i = 0; i < graph.size(); ++i) {
      seen[i] = seen[i] || (above[start][i] && above[i][start]);
    }
    out.push_back(std::move(cycle));
  }
  return out;
}

}  // namespace avow::workflow
