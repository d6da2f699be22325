// SPDX-License-Identifier: Apache-2.0
#include "provenance/run_tree.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace avow::provenance
