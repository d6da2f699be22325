// SPDX-License-Identifier: Apache-2.0
// net/server/chunk_decoder.h: the chunked transfer coding (RFC 9112, section 7.1), byte by byte.
// Our own because Beast 1.81 asserts on a last chunk that arrives in small pieces. One thread; the
// input is untrusted.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace avow::net {

class ChunkDecoder {
 public:
  enum class State { kMore, kDone, kMalformed, kTooLarge };

  /// `body_bytes_max` bounds the decoded body, `line_bytes_max` a chunk's line with its extensions
  /// and the whole of the trailer. Extensions and trailer are read and dropped.
  ChunkDecoder(std::size_t body_bytes_max, std::size_t line_bytes_max)
      : body_bytes_max_(body_bytes_max), line_bytes_max_(line_bytes_max) {}

  /// Appends what `input` holds of the body to `body`; returns how many bytes are used up: all of
  /// them in kMore, in kDone those up to the end of the coding.
  std::size_t feed(std::string_view input, std::string& body);
  [[nodiscard]] State state() const { return state_; }

 private:
  enum class Place { kSize, kExtension, kSizeEnd, kData, kDataCr, kDataLf, kTrailer };

  void take(char c);
  void take_size(char c);
  void take_trailer(char c);
  void expect(char c, char wanted, Place next);

  const std::size_t body_bytes_max_;
  const std::size_t line_bytes_max_;
  State state_ = State::kMore;
  Place place_ = Place::kSize;
  std::uint64_t left_ = 0;  ///< Of the chunk; while reading its line, what the digits say so far.
  std::uint64_t decoded_ = 0;  ///< Of the body, with the chunk whose line was read last.
  std::size_t digits_ = 0;
  std::size_t line_length_ = 0;  ///< Of the chunk's line, or of the trailer so far.
  std::size_t trailer_line_ = 0;
  bool after_cr_ = false;
};

}  // namespace avow::net
