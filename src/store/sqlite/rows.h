// SPDX-License-Identifier: Apache-2.0
// store/sqlite/rows.h: the rows of a statement as values. Each takes `row_of`, which makes a value
// of the row that a Query stands at.
#pragma once
#include <algorithm>
#include <vector>

#include "store/sqlite/connection.h"

namespace avow::store {

/// A limit as SQLite takes it.
inline std::int64_t stored_limit(std::size_t limit) {
  return static_cast<std::int64_t>(std::min<std::size_t>(limit, INT64_MAX));
}

template <class Row>
Result<void> collect(Query& query, Result<Row> (*row_of)(const Query&), std::vector<Row>& out) {
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return {};
    ASSIGN_OR_RETURN(Row row, row_of(query));
    out.push_back(std::move(row));
  }
}

template <class Row>
Result<std::vector<Row>> all(Query query, Result<Row> (*row_of)(const Query&)) {
  std::vector<Row> out;
  RETURN_IF_ERROR(collect(query, row_of, out));
  return out;
}

/// The one row of `query`, else `missing`.
template <class Row>
Result<Row> one(Query query, Result<Row> (*row_of)(const Query&), Error missing) {
  ASSIGN_OR_RETURN(const bool has_row, query.next());
  if (!has_row) return missing;
  return row_of(query);
}

}  // namespace avow::store
