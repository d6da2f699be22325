// SPDX-License-Identifier: Apache-2.0
// provenance/draft.h: a statement as its maker leaves it, without the two members that only the
// integrator of the log may write: its number among the tenant's statements, and the digest of the
// one before. Completing it costs no parsing: a draft is the statement's canonical text, cut where
// they go. Pure values; safe from any thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "provenance/statement.h"

namespace avow::provenance {

class Draft {
 public:
  /// Of `statement`, whose tenant_seq and prev do not matter. Not of one about keys: those are
  /// signed inside, with their place.
  explicit Draft(const Statement& statement);
  /// Reads what encode() wrote; the text between is not looked at. Errors: kCorruption
  static Result<Draft> decode(std::string_view bytes);
  [[nodiscard]] std::string encode() const;

  /// The statement's bytes with its place: what provenance::encode() gives of the whole. `prev` is
  /// absent exactly where `tenant_seq` is 1.
  [[nodiscard]] std::string numbered(std::uint64_t tenant_seq,
                                     const std::optional<Bytes32>& prev) const;

 private:
  Draft() = default;
  std::string before_prev_;
  std::string before_seq_;
  std::string after_seq_;
};

}  // namespace avow::provenance
