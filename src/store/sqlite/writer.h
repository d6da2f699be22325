// SPDX-License-Identifier: Apache-2.0
// store/sqlite/writer.h: a Commit as rows. Used by the committing thread, inside its transaction.
#pragma once
#include "store/sqlite/connection.h"
#include "store/store.h"

namespace avow::store {

/// Labels in one blob: for each, name and value behind their lengths (4 bytes, little endian).
std::string encode_labels(const Labels& labels);
/// Errors: kCorruption
Result<Labels> decode_labels(std::string_view bytes);

/// Compresses in place what is stored compressed. On the caller's thread, before a commit is
/// queued.
void compress_parts(Commit& commit);

/// Writes into the open transaction of `connection`. Every verb keeps to one rule: a kConflict is
/// the fault of that commit alone and leaves nothing of it; after any other error the transaction
/// must be rolled back.
class Writer {
 public:
  explicit Writer(Connection& connection) : connection_(connection) {}

  /// Where a run stands before its change.
  struct Place {
    std::int64_t number = 0;
    RunStatus status = RunStatus::kRunning;
    bool is_parked = false;
    std::uint32_t next_seq = 1;
  };

  // A commit in two halves; it went through check_form() and compress_parts().
  /// All that can be refused, records written.
  Result<Place> admit(const Commit& commit);
  /// The rest of what was admitted just before: no error is a kConflict.
  Result<void> write(const Commit& commit, const Place& place);
  Result<void> put_meta(std::string_view name, std::string_view value);
  Result<std::size_t> drop_expired_answers(Time now, std::size_t limit);
  /// Writes a page and changes nothing: whether there is room for it.
  Result<void> probe();

 private:
  Result<Place> find_place(const RunChange& change);
  Result<void> check_answer(const IdempotentAnswer& answer);
  Result<void> write_run(const RunChange& change, Place place);
  Result<std::int64_t> insert_run(const RunChange& change, std::uint32_t next_seq);
  Result<void> insert_origin(const RunChange& change, std::int64_t number);
  Result<void> update_run(const RunRow& row, const Place& place, std::uint32_t next_seq);
  Result<void> replace_contents(const RunChange& change, std::int64_t number);
  Result<void> drop_labels(std::int64_t number);
  Result<void> insert_segment(std::int64_t key, const Segment& segment);
  Result<void> write_records(const std::vector<RecordChange>& changes);
  Result<void> write_record(const RecordChange& change);
  Result<void> write_task(const TaskChange& change);
  Result<void> write_answer(const IdempotentAnswer& answer);

  Connection& connection_;
};

}  // namespace avow::store
