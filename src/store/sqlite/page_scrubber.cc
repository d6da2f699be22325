// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/page_scrubber.h"

#include <sqlite3.h>

#include <algorithm>

#include "base/check.h"

namespace avow::store {
namespace {

constexpr sqlite3_int64 kFileBytesMax = sqlite3_int64{64} << 30;
constexpr std::size_t kFileHeaderBytes = 100;

// What SQLite opened the file with; one and the same for all files of its default VFS.
const sqlite3_io_methods* plain = nullptr;

std::size_t number_at(const std::string& page, std::size_t at) {
  return std::size_t{static_cast<unsigned char>(page[at])} << 8 |
         static_cast<unsigned char>(page[at + 1]);
}

bool has_known_kinds(sqlite3_file* file) {
  sqlite3_int64 size = 0;
  return plain->xFileSize(file, &size) == SQLITE_OK && size < kFileBytesMax;
}

int write_scrubbed(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  const bool is_page = size >= 512 && (size & (size - 1)) == 0 && offset % size == 0;
  if (!is_page || !has_known_kinds(file)) return plain->xWrite(file, bytes, size, offset);
  thread_local std::string page;
  page.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
  scrub_page(page, offset == 0);
  return plain->xWrite(file, page.data(), size, offset);
}

}  // namespace

void scrub_page(std::string& page, bool is_first) {
  // SQLite's file format, section 1.6: kind (1 byte), first freeblock (2), number of cells (2),
  // begin of the cells (2, 0 for 65536), fragments (1), right-most child (4, interior only), then
  // 2 bytes for each cell. Other kinds of page begin with a page number, whose high byte is 0.
  const std::size_t header = is_first ? kFileHeaderBytes : 0;
  const char kind = page[header];
  const bool is_leaf = kind == 0x0a || kind == 0x0d;
  if (!is_leaf && kind != 0x02 && kind != 0x05) return;
  const std::size_t begin = header + (is_leaf ? 8 : 12) + 2 * number_at(page, header + 3);
  const std::size_t stated = number_at(page, header + 5);
  const std::size_t end = stated == 0 ? 65'536 : stated;
  if (begin >= end || end > page.size()) return;
  std::fill(page.begin() + static_cast<std::ptrdiff_t>(begin),
            page.begin() + static_cast<std::ptrdiff_t>(end), '\0');
}

void scrub_written_pages(sqlite3* db) {
  sqlite3_file* file = nullptr;
  const int code =
      sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  CHECK(code == SQLITE_OK && file != nullptr && file->pMethods != nullptr);
  // All that a file does is in this table, which SQLite asks for each call.
  static const sqlite3_io_methods scrubbing = [file] {
    plain = file->pMethods;
    sqlite3_io_methods methods = *plain;
    methods.xWrite = write_scrubbed;
    return methods;
  }();
  CHECK(file->pMethods == plain);
  file->pMethods = &scrubbing;
}

}  // namespace avow::store
