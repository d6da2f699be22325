// SPDX-License-Identifier: Apache-2.0
// provenance/content.h: what a caller, model, tool or person wrote, and the salted commitment to it
// that stands in the journal (DESIGN.md section 4, docs/formats/commitment.md). Content can be
// erased without breaking a proof; one member of an object can be shown without the others. Pure;
// safe from any thread.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "json/value.h"

namespace avow::provenance {

/// Names a content of one run: the event that commits to it and the member of that event's data.
struct ContentRef {
  std::uint32_t seq = 0;  ///< 0: none.
  std::string member;
  auto operator<=>(const ContentRef&) const = default;
};

struct Content {
  ContentRef ref;
  Bytes32 salt{};
  json::Value value;
};

/// The salt of `ref` in a turn with the fresh random bytes `random`, which are then dropped:
/// HMAC-SHA256(random, "salt" || seq as 4 bytes big-endian || member).
Bytes32 derive_salt(const Bytes32& random, const ContentRef& ref);

/// SHA-256(0x01 || kind || HMAC-SHA256(salt, 0x02) || the d's sorted), see DESIGN.md section 4.
Bytes32 commitment(const json::Value& value, const Bytes32& salt);

/// One member of an object opened: s_k, k, v.
struct OpenedMember {
  std::string salt;  ///< s_k, base64.
  std::string key;
  json::Value value;
};
/// What shows some members of a committed object and proves the rest present.
struct Disclosure {
  std::vector<OpenedMember> members;
  Bytes32 mask{};                ///< HMAC-SHA256(salt, 0x02).
  std::vector<Bytes32> digests;  ///< All d, sorted.
};
/// Opens the members `keys`, each once however often it is named.
/// Errors: kInvalidArgument  no object, or without a member that is named
Result<Disclosure> disclose(const json::Value& object, const Bytes32& salt,
                            std::span<const std::string> keys);
/// `disclosure` is untrusted.
/// Errors: kCorruption  it does not belong to `commitment`, or shows a member twice
Result<void> check_disclosure(const Disclosure& disclosure, const Bytes32& commitment);

/// Packs contents into the bytes of a contents segment (docs/formats/contents-segment.md), and
/// back. The values come back equal, their members in the same order; values may nest 1024 levels
/// deep.
std::string encode_contents(std::span<const Content> contents);
/// Errors: kCorruption
Result<std::vector<Content>> decode_contents(std::string_view segment);

}  // namespace avow::provenance
