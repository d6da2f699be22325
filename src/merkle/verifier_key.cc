// SPDX-License-Identifier: Apache-2.0
#include "merkle/verifier_key.h"

#include <algorithm>
#include <array>

#include "crypto/sha256.h"

namespace avow::merkle {
namespace {

constexpr std::size_t kVkeyBytesMax = 8192;  // an ML-DSA-44 key has 1312 bytes

// Unicode's White_Space above ASCII, in UTF-8. A search for these bytes finds nothing else in
// well-formed UTF-8.
constexpr std::array<std::string_view, 19> kSpaces = {
    "\u0085", "\u00A0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
    "\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200A",
    "\u2028", "\u2029", "\u202F", "\u205F", "\u3000"};

std::string typed_key(SignatureType type, std::string_view key) {
  return static_cast<char>(type) + std::string(key);
}

std::uint32_t key_id(std::string_view name, std::string_view typed) {
  const Bytes32 hash = crypto::Sha256().update(name).update("\n").update(typed).finish();
  return std::uint32_t{hash[0]} << 24 | std::uint32_t{hash[1]} << 16 | std::uint32_t{hash[2]} << 8 |
         hash[3];
}

bool has_ed25519_key(SignatureType type) {
  return type == SignatureType::kEd25519 || type == SignatureType::kCosignature;
}

}  // namespace

bool is_key_name(std::string_view name) {
  const auto is_plain = [](char c) { return static_cast<unsigned char>(c) > ' ' && c != '+'; };
  return !name.empty() && std::ranges::all_of(name, is_plain) && is_utf8(name) &&
         std::ranges::none_of(kSpaces, [name](std::string_view space) {
           return name.find(space) != std::string_view::npos;
         });
}

VerifierKey VerifierKey::ed25519(std::string name, SignatureType type,
                                 const crypto::Ed25519PublicKey& key) {
  CHECK(is_key_name(name) && has_ed25519_key(type));
  const std::string bytes(view_of(key.bytes));
  const std::uint32_t id = key_id(name, typed_key(type, bytes));
  return {std::move(name), id, type, bytes};
}

Result<VerifierKey> VerifierKey::parse(std::string_view vkey) {
  const auto malformed = [vkey](std::string_view why) {
    return failure(Code::kInvalidArgument, "\"{}\" is not a vkey: {}", shown(vkey), why);
  };
  const std::size_t name_end = vkey.find('+');
  const std::size_t id_end = name_end == std::string_view::npos ? name_end : name_end + 9;
  if (vkey.size() > kVkeyBytesMax || id_end >= vkey.size() || vkey[id_end] != '+') {
    return malformed("its form is name+id+key");
  }
  const std::string_view name = vkey.substr(0, name_end);
  if (!is_key_name(name)) return malformed("its name has characters that names have not");
  const auto typed = from_base64(vkey.substr(id_end + 1));
  if (!typed || typed->size() < 2) return malformed("its key is not base64 of a type and a key");

  VerifierKey key{std::string(name), key_id(name, *typed),
                  SignatureType{static_cast<std::uint8_t>(typed->front())}, typed->substr(1)};
  if (has_ed25519_key(key.type) && key.key.size() != 32) {
    return malformed("an Ed25519 key has 32 bytes");
  }
  // Compares the id, and sees to it that there is one spelling.
  if (key.text() != vkey) return malformed("its id is not that of its name and key");
  return key;
}

std::string VerifierKey::text() const {
  return fmt::format("{}+{:08x}+{}", name, id, to_base64(typed_key(type, key)));
}

}  // namespace avow::merkle
