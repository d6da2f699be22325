// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include "store/form.h"

namespace avow::store {
namespace {

// What a part costs beside its bytes: the structs themselves and the allocator's share, rounded up.
constexpr std::size_t kPartOverhead = 256;

std::size_t bytes_of(const RunChange& change) {
  std::size_t sum = kPartOverhead + change.row.summary.size();
  if (change.journal) sum += change.journal->bytes.size();
  if (change.contents) sum += change.contents->bytes.size();
  if (change.plan) sum += change.plan->size();
  for (const auto& [name, value] : change.labels) sum += name.size() + value.size() + 64;
  if (change.replaced) {
    for (const auto& segment : *change.replaced) sum += kPartOverhead + segment.bytes.size();
  }
  return sum;
}

std::size_t bytes_of(const Record& record) {
  return kPartOverhead + record.unique_key.size() + record.name.size() + record.status.size() +
         record.body.size();
}

Error wrong_run(const RunRow& row, std::string_view what) {
  return failure(Code::kInvalidArgument, "commit of run {}: {}", row.id.ulid(), what);
}

Result<void> check_replaced(const RunChange& change) {
  const auto wrong = [&change](std::string_view what) { return wrong_run(change.row, what); };
  if (change.row.status == RunStatus::kRunning) return wrong("contents replaced of a running run");
  if (change.expected_version == 0 || change.journal || change.contents || !change.labels.empty()) {
    return wrong("contents replaced together with new ones");
  }
  std::uint32_t last = 0;
  for (const auto& segment : *change.replaced) {
    if (segment.first_seq <= last || segment.first_seq > kSeqMax) {
      return wrong("the seqs of the replaced contents do not ascend");
    }
    last = segment.first_seq;
  }
  return {};
}

Result<void> check_run(const RunChange& change) {
  const RunRow& row = change.row;
  const auto wrong = [&row](std::string_view what) { return wrong_run(row, what); };
  if (row.id.is_zero()) return wrong("the id is zero");
  if (row.version != change.expected_version + 1) return wrong("the version does not follow");
  if (change.replaced) return check_replaced(change);
  if (change.expected_version > 0 && (change.plan || !change.labels.empty())) {
    return wrong("a plan or labels after creation");
  }
  if (!change.journal) {
    return change.contents ? wrong("contents without a journal segment") : Result<void>();
  }
  const Segment& journal = *change.journal;
  if (journal.first_seq == 0 || journal.count == 0 || journal.first_seq > kSeqMax ||
      journal.count > kSeqMax - journal.first_seq + 1) {
    return wrong("the journal segment's seqs are out of bounds");
  }
  // Within its journal segment, which overlaps no other: so contents never collide either.
  if (change.contents && (change.contents->first_seq < journal.first_seq ||
                          change.contents->first_seq - journal.first_seq >= journal.count)) {
    return wrong("the contents belong to no event of this journal segment");
  }
  return {};
}

Result<void> check_record(const RecordChange& change) {
  if (change.record.id.is_zero()) {
    return failure(Code::kInvalidArgument, "commit of a record: the id is zero");
  }
  const bool follows = change.erase ? change.expected_version > 0
                                    : change.record.version == change.expected_version + 1;
  if (follows) return {};
  return failure(Code::kInvalidArgument, "commit of record {}: the version does not follow",
                 change.record.id.ulid());
}

class NoHook : public CommitHook {
 public:
  Result<void> begin() override { return {}; }
  Result<void> add(LogWriter&, std::vector<QueuedStatement>) override { return {}; }
  Result<void> integrate(LogWriter&) override { return {}; }
  void committed() override {}
  void rolled_back() override {}
};

}  // namespace

CommitHook& no_hook() {
  static NoHook hook;
  return hook;
}

Result<void> from_hook(Result<void> outcome) {
  if (outcome || outcome.error().code != Code::kConflict) return outcome;
  return failure(Code::kInternal, "the log: {}", outcome.error().message);
}

std::size_t Commit::bytes() const {
  std::size_t sum = kPartOverhead;
  if (run) sum += bytes_of(*run);
  for (const auto& change : records) sum += bytes_of(change.record);
  for (const auto& change : tasks) {
    sum += kPartOverhead + change.row.step.size() + change.row.lease_token_hash.size();
  }
  if (answer) sum += kPartOverhead + answer->answer.size();
  for (const auto& queued : statements) {
    sum += kPartOverhead + queued.draft.size() + queued.contents.size();
  }
  return sum;
}

std::uint32_t last_replaced_seq(const RunChange& change) {
  return change.replaced && !change.replaced->empty() ? change.replaced->back().first_seq : 0;
}

Result<void> check_form(const Commit& commit) {
  if (commit.run) RETURN_IF_ERROR(check_run(*commit.run));
  for (const auto& change : commit.records) RETURN_IF_ERROR(check_record(change));
  return {};
}

}  // namespace avow::store
