// SPDX-License-Identifier: Apache-2.0
// provenance/receipts_for_tests.h: receipts and bundles of every kind, all of them valid under
// `log_.policy(3)`, of one run in a log of several entries. For *_test.cc only.
#pragma once
#include "provenance/log_for_tests.h"

namespace avow::provenance {

class SampleReceipts {
 protected:
  SampleReceipts() {
    run_at_ = log_.add(encode(run_.statement()));
    for (int i = 0; i < 9; ++i) log_.add(encode(published(i)));
  }

  static Statement published(int i) {
    Statement s;
    s.type = StatementType::kWorkflowPublished;
    s.tenant = TenantId{test_id(2)};
    s.id = test_id(100 + static_cast<std::uint64_t>(i));
    s.tenant_seq = 10 + static_cast<std::uint64_t>(i);
    s.prev = filled(8);
    s.created_at = test_time(60 + i);
    s.version = "1.0.0";
    s.workflow_digest = filled(9);
    return s;
  }

  [[nodiscard]] Receipt of_run() const { return log_.receipt(run_at_); }
  [[nodiscard]] Receipt of_step() const {
    Receipt receipt = log_.receipt(run_at_, 3);
    receipt.events = {run_.proven(2), run_.proven(3)};
    return receipt;
  }
  [[nodiscard]] Receipt bundle() const {
    Receipt receipt = log_.receipt(run_at_);
    receipt.journal = run_.events;
    receipt.contents = run_.opened();
    return receipt;
  }
  /// A step's receipt that shows one member of its output.
  [[nodiscard]] Receipt revealing() const {
    Receipt receipt = of_step();
    receipt.contents = {{{3, "output"}, disclosed()}};
    return receipt;
  }
  [[nodiscard]] Disclosure disclosed() const {
    const Content& output = run_.content(3, "output");
    return *disclose(output.value, output.salt, std::vector<std::string>{"score"});
  }
  /// A bundle after the run's output was erased, and one content is not for the reader.
  Receipt erased_bundle() {
    const auto at = log_.add(encode(erasure({{run_.id, 3, "output"}, {run_.id, 5, "output"}})));
    Receipt receipt = bundle();
    for (ContentAccount& account : receipt.contents) {
      if (account.ref.member == "output") account.shown = Withheld::kErased;
      if (account.ref.member == "parameters") account.shown = Withheld::kFromReader;
    }
    receipt.erasures = {log_.logged(at)};
    return receipt;
  }
  Statement erasure(std::vector<ErasedContent> erased) {
    Statement s = published(50);
    s.type = StatementType::kContentErased;
    s.version.clear();
    s.workflow_digest.reset();
    s.erased = std::move(erased);
    return s;
  }

  TestLog log_;
  TestRun run_;
  std::uint64_t run_at_ = 0;
};

}  // namespace avow::provenance
