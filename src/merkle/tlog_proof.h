// SPDX-License-Identifier: Apache-2.0
// merkle/tlog_proof.h: everything that shows offline that an entry is in a log, in one text file
// (C2SP tlog-proof, `.tlog-proof`). Pure; safe from any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "merkle/hash.h"
#include "merkle/note.h"

namespace avow::merkle {

inline constexpr std::size_t kTlogProofBytesMax = 2 * kNoteBytesMax;

struct TlogProof {
  std::optional<std::string> extra;  ///< The application's own bytes. Nothing vouches for them.
  std::uint64_t index = 0;           ///< Of the entry, from 0.
  std::vector<Hash> siblings;  ///< As in an InclusionProof, whose tree size is the checkpoint's.
  Note checkpoint;
  bool operator==(const TlogProof&) const = default;

  /// Reads a proof, untrusted, and checks nothing but its form: verify_note(), Checkpoint::parse()
  /// and verify_inclusion() do the rest. What is accepted is what format() writes, to the byte.
  /// Errors: kInvalidArgument
  static Result<TlogProof> parse(std::string_view text);
  [[nodiscard]] std::string format() const;
};

}  // namespace avow::merkle
