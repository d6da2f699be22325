// SPDX-License-Identifier: Apache-2.0
#include "net/server/chunk_decoder.h"

#include <algorithm>

#include "net/characters.h"

namespace avow::net {
namespace {

/// 16 digits would reach 2^64; no body is that long.
constexpr std::size_t kDigitsMax = 15;

}  // namespace

std::size_t ChunkDecoder::feed(std::string_view input, std::string& body) {
  std::size_t used = 0;
  while (used < input.size() && state_ == State::kMore) {
    if (place_ != Place::kData) {
      take(input[used++]);
      continue;
    }
    const std::size_t n = std::min<std::uint64_t>(left_, input.size() - used);
    body.append(input.substr(used, n));
    used += n;
    left_ -= n;
    if (left_ == 0) place_ = Place::kDataCr;
  }
  return used;
}

void ChunkDecoder::take(char c) {
  switch (place_) {
    case Place::kSize:
      return take_size(c);
    case Place::kExtension:
      if (c == '\r') {
        place_ = Place::kSizeEnd;
      } else if (is_control(c)) {
        state_ = State::kMalformed;
      } else if (++line_length_ > line_bytes_max_) {
        state_ = State::kMalformed;
      }
      return;
    case Place::kSizeEnd:
      line_length_ = 0;
      digits_ = 0;
      return expect(c, '\n', left_ > 0 ? Place::kData : Place::kTrailer);
    case Place::kDataCr:
      return expect(c, '\r', Place::kDataLf);
    case Place::kDataLf:
      return expect(c, '\n', Place::kSize);
    case Place::kTrailer:
      return take_trailer(c);
    case Place::kData:
      return;  // feed() takes it in one piece
  }
}

void ChunkDecoder::take_size(char c) {
  if (const int digit = hex_value(c); digit >= 0) {
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    if (++digits_ > kDigitsMax) state_ = State::kTooLarge;
    return;
  }
  // Space before the extension is "bad whitespace" that a recipient must read (RFC 9110, 5.6.3).
  const bool is_extension = c == ';' || c == ' ' || c == '\t';
  if (digits_ == 0 || (!is_extension && c != '\r')) {
    state_ = State::kMalformed;
    return;
  }
  decoded_ += left_;
  if (decoded_ > body_bytes_max_) state_ = State::kTooLarge;
  place_ = is_extension ? Place::kExtension : Place::kSizeEnd;
}

void ChunkDecoder::take_trailer(char c) {
  if (++line_length_ > line_bytes_max_ || after_cr_ != (c == '\n') ||
      (is_control(c) && c != '\r' && c != '\n')) {
    state_ = State::kMalformed;
  } else if (c == '\n') {
    if (trailer_line_ == 0) state_ = State::kDone;
    trailer_line_ = 0;
  } else if (c != '\r') {
    ++trailer_line_;
  }
  after_cr_ = c == '\r';
}

void ChunkDecoder::expect(char c, char wanted, Place next) {
  if (c != wanted) {
    state_ = State::kMalformed;
    return;
  }
  place_ = next;
}

}  // namespace avow::net
