// SPDX-License-Identifier: Apache-2.0
// tlog/rows_for_tests.h: puts rows of a log into a store as they are given, signed by nobody or
// copied from elsewhere. For *_test.cc only.
#pragma once
#include <gtest/gtest.h>

#include "store/store.h"

namespace avow::tlog {

struct LogRows {
  std::vector<store::LogEntry> entries;
  std::vector<store::LogTile> tiles;
  std::optional<store::LogHead> head;
};

/// Writes `rows` and nothing else, in one transaction. `scheduler` is the testing::Scheduler that
/// runs the store.
template <class Scheduler>
void put_rows(store::Store& store, Scheduler& scheduler, LogRows rows) {
  struct Hook : store::CommitHook {
    explicit Hook(LogRows given) : rows(std::move(given)) {}
    Result<void> begin() override { return {}; }
    Result<void> add(store::LogWriter& /*log*/,
                     std::vector<store::QueuedStatement> /*statements*/) override {
      return {};
    }
    Result<void> integrate(store::LogWriter& log) override {
      for (const store::LogEntry& entry : rows.entries) RETURN_IF_ERROR(log.add_entry(entry));
      for (const store::LogTile& tile : rows.tiles) RETURN_IF_ERROR(log.add_tile(tile));
      if (rows.head) RETURN_IF_ERROR(log.put_head(*rows.head));
      return {};
    }
    void committed() override {}
    void rolled_back() override {}
    LogRows rows;
  };
  // Shared with the end of the commit: the store may call the hook until then.
  const auto hook = std::make_shared<Hook>(std::move(rows));
  store.set_hook(*hook);
  store::Commit commit;
  commit.statements.emplace_back();
  bool is_done = false;
  store.commit(std::move(commit), [&is_done, hook](const Result<void>& done) {
    EXPECT_TRUE(done) << done.error().message;
    is_done = true;
  });
  scheduler.run_due();
  EXPECT_TRUE(is_done);
}

}  // namespace avow::tlog
