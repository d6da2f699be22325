// SPDX-License-Identifier: Apache-2.0
// merkle/checkpoint.h: what a log says of itself: its name, its size and its root (C2SP
// tlog-checkpoint). The text of a note; note.h signs and verifies it. Pure; safe from any thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"

namespace avow::merkle {

struct Checkpoint {
  std::string origin;  ///< Names the log. Not empty, one line; anything else is only customary.
  std::uint64_t size = 0;
  Hash root{};
  /// Opaque lines that may follow, none of them empty. We write none: no monitor can audit them.
  std::vector<std::string> extensions = {};
  bool operator==(const Checkpoint&) const = default;

  /// Reads a note's text, untrusted; what is accepted is what text() writes, to the byte.
  /// Errors: kInvalidArgument
  static Result<Checkpoint> parse(std::string_view text);
  /// The origin and the extensions must be lines as above.
  [[nodiscard]] std::string text() const;
};

}  // namespace avow::merkle
