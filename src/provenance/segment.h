// SPDX-License-Identifier: Apache-2.0
// provenance/segment.h: how segments are put together and read (docs/formats/journal-segment.md): a
// version, a number of records, and fields that say how long they are. For this folder alone.
// Readers take hostile bytes: each length is checked before it is believed.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/result.h"

namespace avow::provenance {

inline constexpr std::uint8_t kSegmentVersion = 1;
/// What a number takes in a segment.
inline constexpr std::size_t kNumberBytes = 4;

class SegmentWriter {
 public:
  /// A segment of `records`, with room for `bytes` more.
  SegmentWriter(std::size_t records, std::size_t bytes) {
    bytes_.reserve(1 + kNumberBytes + bytes);
    bytes_ += static_cast<char>(kSegmentVersion);
    add_number(records);
  }
  /// As four bytes, most significant first. CHECKs that it fits.
  void add_number(std::size_t n) {
    CHECK(n <= std::numeric_limits<std::uint32_t>::max());
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(n >> shift & 0xFF);
  }
  /// Bytes whose number the reader knows.
  void add_fixed(std::string_view bytes) { bytes_ += bytes; }
  /// Bytes behind their length.
  void add_field(std::string_view bytes) {
    add_number(bytes.size());
    bytes_ += bytes;
  }
  std::string finish() && { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Errors of everything: kCorruption; `what` names the segment in the message.
class SegmentReader {
 public:
  /// Reads the version and the number of records, each of which takes at least `record_min` bytes.
  static Result<SegmentReader> open(std::string_view segment, std::string_view what,
                                    std::size_t record_min) {
    SegmentReader reader(segment, what);
    ASSIGN_OR_RETURN(const std::string_view version, reader.fixed(1));
    if (static_cast<std::uint8_t>(version[0]) != kSegmentVersion) {
      return failure(Code::kCorruption, "{} begins with no version that this program knows", what);
    }
    ASSIGN_OR_RETURN(reader.records_, reader.number());
    if (reader.records_ > reader.rest_.size() / record_min) return reader.ends_early();
    return reader;
  }

  /// At most what the segment's length allows, so safe to reserve for.
  [[nodiscard]] std::uint32_t records() const { return records_; }

  Result<std::uint32_t> number() {
    ASSIGN_OR_RETURN(const std::string_view bytes, fixed(kNumberBytes));
    std::uint32_t n = 0;
    for (const char c : bytes) n = n << 8 | static_cast<std::uint8_t>(c);
    return n;
  }
  /// The next `n` bytes; valid as long as the segment.
  Result<std::string_view> fixed(std::size_t n) {
    if (n > rest_.size()) return ends_early();
    const std::string_view bytes = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return bytes;
  }
  Result<std::string_view> field() {
    ASSIGN_OR_RETURN(const std::uint32_t size, number());
    return fixed(size);
  }
  /// To be called behind the last record.
  Result<void> close() const {
    if (rest_.empty()) return {};
    return failure(Code::kCorruption, "{} has {} bytes behind its last record", what_,
                   rest_.size());
  }

 private:
  SegmentReader(std::string_view segment, std::string_view what) : rest_(segment), what_(what) {}
  [[nodiscard]] Error ends_early() const {
    return failure(Code::kCorruption, "{} ends inside a record", what_);
  }

  std::string_view rest_;
  std::string_view what_;
  std::uint32_t records_ = 0;
};

}  // namespace avow::provenance
