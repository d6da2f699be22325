// SPDX-License-Identifier: Apache-2.0
#include "provenance/run_tree.h"

namespace avow::provenance {

void RunTree::append(std::string_view event_bytes) {
  range_.append(merkle::hash_leaf(event_bytes));
}

std::uint64_t RunTree::size() const { return range_.size(); }

merkle::Hash RunTree::root() const { return range_.root(); }

}  // namespace avow::provenance
