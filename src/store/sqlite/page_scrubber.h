// SPDX-License-Identifier: Apache-2.0
// store/sqlite/page_scrubber.h: no page of the main file holds more than its cells.
//
// secure_delete overwrites a cell where it is deleted. But SQLite has moved cells before, when it
// split or merged pages, and what it moved it leaves behind, outside of any cell, until something
// is written over it: so erased content can outlast its erasure in a neighbouring page
// (docs/decisions/0007). With a write-ahead log the main file is written by checkpoints only, a
// page at a time: that is where this zeroes what belongs to no cell.
#pragma once
#include <cstdint>
#include <string>

struct sqlite3;

namespace avow::store {

/// From now on the main file of `db` gets scrubbed pages. LIMITATION: not while it is 64 GiB or
/// longer, because the first byte of a page tells its kind only in a file with fewer than 2^25
/// pages.
void scrub_written_pages(sqlite3* db);

/// Zeroes what lies between the cell pointers and the cells, if `page` is one of a b-tree; others
/// are left as they are, and so is one that is not well formed. `is_first`: it begins with the
/// file's header.
void scrub_page(std::string& page, bool is_first);

}  // namespace avow::store
