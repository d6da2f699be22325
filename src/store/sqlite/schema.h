// SPDX-License-Identifier: Apache-2.0
// store/sqlite/schema.h: the tables, and how an older store gets them.
#pragma once
#include "store/commit_hook.h"
#include "store/sqlite/connection.h"

/// The entries that log_entries_rare holds. SQLite uses that index where a query says it literally.
#define AVOW_IS_RARE_KIND "kind NOT IN (2, 3, 4)"

namespace avow::store {

static_assert(kFrequentKinds == std::array<std::uint8_t, 3>{2, 3, 4}, "as in AVOW_IS_RARE_KIND");

/// The newest schema this program knows; it is kept in the file's user_version. Migrations are
/// numbered and run one transaction each; they expand first and contract a release later, so that
/// the program before can still be started.
std::int64_t newest_schema();

/// The schema of the open file; 0 for a file in which nothing was created yet.
Result<std::int64_t> schema_of(Connection& connection);

/// Brings the file to newest_schema(). A crash leaves it at one of the versions between.
/// Errors: kInvalidArgument  it is newer than this program; both versions are in the message
///         kCorruption       it is a database of another program
Result<void> migrate(Connection& connection);

// A row of table `segments` has the key `run number << 21 | seq << 1 | kind`: the pieces of a run
// lie side by side in the order of time, and no second index is needed.
inline constexpr int kSegmentRunShift = 21;
enum class SegmentKind : std::int64_t { kJournal = 0, kContents = 1 };

inline std::int64_t segment_key(std::int64_t run_number, std::uint32_t seq, SegmentKind kind) {
  return run_number << kSegmentRunShift | std::int64_t{seq} << 1 | static_cast<std::int64_t>(kind);
}

// A row of `log_entries` and `log_contents` has the key `log << 40 | index`, one of `log_tiles`
// `log << 40 | level << 32 | index`: a tree of 2^40 leaves has 2^32 tiles on its lowest level.
inline constexpr int kLogShift = 40;
inline constexpr int kTileLevelShift = 32;
inline constexpr std::uint32_t kLogMax = (1U << 23) - 1;

inline std::int64_t log_place(std::uint32_t log, std::uint64_t index) {
  return std::int64_t{log} << kLogShift | static_cast<std::int64_t>(index);
}
inline std::int64_t tile_place(std::uint32_t log, int level, std::uint64_t index) {
  return log_place(log, std::uint64_t(static_cast<unsigned>(level)) << kTileLevelShift | index);
}
/// Whether they fit below each other in a place.
inline bool is_log_place(std::uint32_t log, std::uint64_t index) {
  return log <= kLogMax && index >> kLogShift == 0;
}
inline bool is_tile_place(std::uint32_t log, int level, std::uint64_t index) {
  return log <= kLogMax && level >= 0 && level >> (kLogShift - kTileLevelShift) == 0 &&
         index >> kTileLevelShift == 0;
}

}  // namespace avow::store
