// SPDX-License-Identifier: Apache-2.0
#include "provenance/run_tree.h"

#include <gtest/gtest.h>

#include "merkle/recursive_tree.h"

namespace avow::provenance {
namespace {

TEST(RunTree, WithoutEventsHasTheHashOfNothing) {
  EXPECT_EQ(RunTree().size(), 0U);
  EXPECT_EQ(to_hex(view_of(RunTree().root())),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

// The events of docs/formats/event.md; the roots were computed with Python's hashlib.
TEST(RunTree, HasTheDocumentedRoots) {
  RunTree tree;
  tree.append(R"({"data":{},"run":"0192f0c1-7a3b-7c4d-8e5f-607182a00000","seq":1,)"
              R"("time":"2026-11-21T20:59:48.123Z","type":"run.started","v":1})");
  EXPECT_EQ(to_hex(view_of(tree.root())),
            "99f40a9ed6537843632c0988b886d7078f9cfa4169af4d7df6e1cfc4df80998d");
  tree.append(R"({"actor":"key_01","agent":"0192f0c1-7a3b-7c4d-8e5f-607182900000","attempt":2,)"
              R"("data":{"cost_cents":0.25,"input":{"commitment":"00"},"model":"avow/echo"},)"
              R"("run":"0192f0c1-7a3b-7c4d-8e5f-607182a00000","seq":7,"step":"extract",)"
              R"("time":"2026-11-21T20:59:48.123Z","type":"step.completed","v":1})");
  EXPECT_EQ(tree.size(), 2U);
  EXPECT_EQ(to_hex(view_of(tree.root())),
            "4211c7cacfe40ff3cfb52e54f355e6d483c39cf53ee188c3d8813d46445acced");
}

TEST(RunTree, GoesOnFromItsStoredNodes) {
  const auto events = merkle::oracle::entries(20);
  for (std::size_t stored = 0; stored <= events.size(); ++stored) {
    RunTree before;
    for (std::size_t i = 0; i < stored; ++i) before.append(events[i]);
    auto tree = RunTree::restore(before.size(), before.nodes());
    ASSERT_TRUE(tree) << stored;
    for (std::size_t i = stored; i < events.size(); ++i) tree->append(events[i]);
    EXPECT_EQ(tree->root(), merkle::oracle::root(events)) << stored;
  }
  EXPECT_EQ(RunTree::restore(3, {merkle::Hash{}}).error().code, Code::kCorruption);
}

// The oracle is RFC 6962's recursive definition.
TEST(RunProver, ProvesEveryEventOfEveryPrefix) {
  const auto events = merkle::oracle::entries(merkle::oracle::kSizeMax);
  std::vector<merkle::Hash> leaves;
  for (const auto& event : events) leaves.push_back(merkle::hash_leaf(event));
  const RunProver prover(leaves);
  for (std::uint32_t size = 1; size <= events.size(); ++size) {
    for (std::uint32_t seq = 1; seq <= size; ++seq) {
      const auto proof = prover.prove(seq, size);
      ASSERT_TRUE(proof) << seq << " of " << size;
      EXPECT_EQ(proof->leaf_index, seq - 1);
      EXPECT_EQ(proof->tree_size, size);
      EXPECT_EQ(proof->siblings,
                merkle::oracle::path(seq - 1, merkle::oracle::Entries(events).first(size)))
          << seq << " of " << size;
    }
  }
}

TEST(RunProver, RefusesEventsThatAreNotThere) {
  const RunProver prover({merkle::Hash{}, merkle::Hash{}});
  EXPECT_EQ(prover.prove(0, 2).error().code, Code::kInvalidArgument);
  EXPECT_EQ(prover.prove(3, 2).error().code, Code::kInvalidArgument);
  EXPECT_EQ(prover.prove(1, 3).error().code, Code::kInvalidArgument);
  EXPECT_EQ(RunProver({}).prove(1, 1).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace avow::provenance
