// SPDX-License-Identifier: Apache-2.0
// provenance/exports/cbor.h: writes CBOR (RFC 8949) in its deterministic form: shortest heads,
// definite lengths; the order of a map's keys is the caller's to keep. For this folder alone. Our
// own, because a COSE receipt needs six kinds of item and no reader; no C++ library in Debian is
// worth the dependency for that.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace avow::provenance {

class CborWriter {
 public:
  CborWriter& number(std::int64_t n) {
    return n < 0 ? head(kNegative, static_cast<std::uint64_t>(-(n + 1)))
                 : head(kUnsigned, static_cast<std::uint64_t>(n));
  }
  CborWriter& unsigned_number(std::uint64_t n) { return head(kUnsigned, n); }
  CborWriter& bytes(std::string_view bytes) { return head(kBytes, bytes.size()).raw(bytes); }
  CborWriter& text(std::string_view utf8) { return head(kText, utf8.size()).raw(utf8); }
  /// So many items follow.
  CborWriter& array(std::size_t items) { return head(kArray, items); }
  /// So many keys, each before its value, follow.
  CborWriter& map(std::size_t pairs) { return head(kMap, pairs); }
  /// The item that follows has this tag.
  CborWriter& tag(std::uint64_t tag) { return head(kTag, tag); }
  CborWriter& null() { return raw("\xF6"); }

  [[nodiscard]] const std::string& str() const { return out_; }

 private:
  enum Major : std::uint8_t { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag };

  /// RFC 8949, section 3: three bits of type, then the number in the fewest bytes that hold it.
  CborWriter& head(Major major, std::uint64_t n) {
    const std::uint64_t type = static_cast<std::uint64_t>(major) << 5;
    if (n < kInlineMax) return byte(type | n);
    unsigned log = 0;  // of the number of bytes
    while (log < 3 && n >> (8U << log) != 0) ++log;
    byte(type | (kInlineMax + log));
    for (unsigned left = 8U << log; left > 0; left -= 8) byte(n >> (left - 8));
    return *this;
  }
  CborWriter& byte(std::uint64_t n) {
    out_ += static_cast<char>(n & 0xFF);
    return *this;
  }
  CborWriter& raw(std::string_view bytes) {
    out_ += bytes;
    return *this;
  }

  static constexpr std::uint64_t kInlineMax = 24;
  std::string out_;
};

}  // namespace avow::provenance
