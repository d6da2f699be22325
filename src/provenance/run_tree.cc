// SPDX-License-Identifier: Apache-2.0
#include "provenance/run_tree.h"

#include "merkle/proof.h"

namespace avow::provenance {

Result<RunTree> RunTree::restore(std::uint64_t size, std::vector<merkle::Hash> nodes) {
  RunTree tree;
  ASSIGN_OR_RETURN(tree.range_, merkle::CompactRange::restore(size, std::move(nodes)));
  return tree;
}

void RunTree::append(std::string_view event_bytes) {
  range_.append(merkle::hash_leaf(event_bytes));
}

std::uint64_t RunTree::size() const { return range_.size(); }

merkle::Hash RunTree::root() const { return range_.root(); }

RunProver::RunProver(std::vector<merkle::Hash> leaves) {
  levels_.push_back(std::move(leaves));
  while (levels_.back().size() > 1) {
    const auto& below = levels_.back();
    std::vector<merkle::Hash> level;
    level.reserve(below.size() / 2);
    for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
      level.push_back(merkle::hash_children(below[i], below[i + 1]));
    }
    levels_.push_back(std::move(level));
  }
}

Result<merkle::InclusionProof> RunProver::prove(std::uint32_t seq, std::uint32_t events) const {
  if (seq < 1 || seq > events || events > levels_.front().size()) {
    return failure(Code::kInvalidArgument, "no event {} among the first {} of {}", seq, events,
                   levels_.front().size());
  }
  return merkle::prove_inclusion(seq - 1, events, [this](const merkle::Node& node) {
    const auto& level = levels_.at(static_cast<std::size_t>(node.height));
    return Result<merkle::Hash>(level.at(static_cast<std::size_t>(node.index)));
  });
}

}  // namespace avow::provenance
