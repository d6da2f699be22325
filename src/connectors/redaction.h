// SPDX-License-Identifier: Apache-2.0
// connectors/redaction.h: takes the secrets that a call used out of what came back, before anything
// of it leaves the module. One Redactor belongs to one call; const functions are safe from any
// thread.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "json/value.h"

namespace avow::connectors {

/// Finds the values raw, in base64 and base64url (also inside a longer encoded text),
/// percent-encoded wholly or in part, and with JSON escapes, and puts "[REDACTED:NAME]" in their
/// place. LIMITATION: other transformations (hex, compression, hashes) are not recognised, and of a
/// value inside longer base64 the up to two characters that it shares with its neighbours stay.
class Redactor {
 public:
  /// `value` of the secret `name`; also the part behind an authentication scheme ("Bearer x")
  /// or "whsec_".
  void add(std::string_view name, std::string_view value);

  [[nodiscard]] std::string text(std::string_view text) const;
  /// How many bytes at the end of `text` may be the beginning of something that text() replaces.
  [[nodiscard]] std::size_t open_length(std::string_view text) const;
  /// Every string, member name and number in `value`.
  [[nodiscard]] json::Value value(const json::Value& value) const;

 private:
  struct Entry {
    std::string mark;
    std::string raw;
    std::vector<std::string> literals;  ///< Longest first.
  };
  void add_value(std::string_view name, std::string_view value);
  std::vector<Entry> entries_;
};

}  // namespace avow::connectors
