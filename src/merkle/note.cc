// SPDX-License-Identifier: Apache-2.0
#include "merkle/note.h"

#include <algorithm>

#include "merkle/lines.h"

namespace avow::merkle {
namespace {

constexpr std::string_view kDash = "\u2014 ";

std::string big_endian(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xFF);
  return out;
}

std::uint64_t from_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

/// What a cosignature signs: the header keeps it apart from every other kind of signature.
std::string cosigned(std::string_view text, std::uint64_t time) {
  return fmt::format("cosignature/v1\ntime {}\n{}", time, text);
}

std::optional<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return std::nullopt;
  line.remove_prefix(kDash.size());
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || !is_key_name(line.substr(0, space))) return std::nullopt;
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() < 5) return std::nullopt;
  return NoteSignature{std::string(line.substr(0, space)),
                       static_cast<std::uint32_t>(from_big_endian(bytes->substr(0, 4))),
                       bytes->substr(4)};
}

bool names(const NoteSignature& signature, const VerifierKey& key) {
  return signature.name == key.name && signature.key_id == key.id;
}

bool is_known(SignatureType type) {
  return type == SignatureType::kEd25519 || type == SignatureType::kCosignature;
}

/// `key` is of a known type. Nothing if the signature does not hold.
std::optional<VerifiedSignature> verify(std::string_view text, const NoteSignature& signature,
                                        const VerifierKey& key) {
  crypto::Ed25519PublicKey ed25519;
  CHECK(key.key.size() == ed25519.bytes.size());
  std::copy(key.key.begin(), key.key.end(), ed25519.bytes.begin());
  if (key.type == SignatureType::kEd25519) {
    if (!ed25519.verifies(text, signature.bytes)) return std::nullopt;
    return VerifiedSignature{key, std::nullopt};
  }
  if (signature.bytes.size() < 8) return std::nullopt;
  const std::uint64_t time = from_big_endian(signature.bytes.substr(0, 8));
  if (time >> 63 != 0) return std::nullopt;  // "MUST NOT exceed 2^63 - 1"
  if (!ed25519.verifies(cosigned(text, time), signature.bytes.substr(8))) return std::nullopt;
  return VerifiedSignature{
      key, std::chrono::sys_seconds(std::chrono::seconds(static_cast<std::int64_t>(time)))};
}

}  // namespace

std::string NoteSignature::line() const {
  return fmt::format("{}{} {}\n", kDash, name, to_base64(big_endian(key_id, 4) + bytes));
}

Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view lines) {
  std::vector<NoteSignature> signatures;
  do {
    const auto line = take_line(lines);
    auto signature = line ? parse_signature(*line) : std::nullopt;
    if (!signature) {
      return failure(Code::kInvalidArgument, "line {} of the signatures is not one",
                     signatures.size() + 1);
    }
    if (signatures.size() == kNoteSignaturesMax) {
      return failure(Code::kInvalidArgument, "a note has more than {} signatures",
                     kNoteSignaturesMax);
    }
    signatures.push_back(*std::move(signature));
  } while (!lines.empty());
  return signatures;
}

bool is_note_text(std::string_view text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\n'; };
  return text.ends_with('\n') && std::ranges::none_of(text, is_control) && is_utf8(text);
}

Result<Note> Note::parse(std::string_view note) {
  if (note.size() > kNoteBytesMax) {
    return failure(Code::kInvalidArgument, "a note has {} bytes, more than {}", note.size(),
                   kNoteBytesMax);
  }
  if (!is_note_text(note)) {
    return failure(Code::kInvalidArgument, "a note is not text that ends with a newline");
  }
  // The text may have empty lines of its own; the last one ends it.
  const std::size_t end = note.rfind("\n\n");
  if (end == std::string_view::npos) {
    return failure(Code::kInvalidArgument, "a note has no empty line before its signatures");
  }
  ASSIGN_OR_RETURN(auto signatures, parse_signature_lines(note.substr(end + 2)));
  return Note{std::string(note.substr(0, end + 1)), std::move(signatures)};
}

std::string Note::format() const {
  std::string note = text + '\n';
  for (const NoteSignature& signature : signatures) note += signature.line();
  return note;
}

Result<std::vector<VerifiedSignature>> verify_note(const Note& note,
                                                   std::span<const VerifierKey> keys) {
  std::vector<VerifiedSignature> verified;
  for (const NoteSignature& signature : note.signatures) {
    const auto key = std::ranges::find_if(keys, [&signature](const VerifierKey& candidate) {
      return is_known(candidate.type) && names(signature, candidate);
    });
    if (key == keys.end()) continue;
    auto found = verify(note.text, signature, *key);
    if (!found) {
      return failure(Code::kCorruption, "the note's signature by {}+{:08x} does not hold",
                     shown(key->name), key->id);
    }
    const auto is_there = [&key](const VerifiedSignature& other) { return other.key == *key; };
    if (std::ranges::none_of(verified, is_there)) verified.push_back(*std::move(found));
  }
  if (verified.empty()) {
    return failure(Code::kUnauthenticated, "the note has no signature by a key that is trusted");
  }
  return verified;
}

NoteSignature sign_note(std::string_view text, const std::string& name,
                        const crypto::Ed25519PrivateKey& key) {
  CHECK(is_note_text(text));
  const auto vkey = VerifierKey::ed25519(name, SignatureType::kEd25519, key.public_key());
  return {name, vkey.id, key.sign(text)};
}

NoteSignature cosign_note(std::string_view text, const std::string& name,
                          const crypto::Ed25519PrivateKey& key, std::chrono::sys_seconds time) {
  CHECK(is_note_text(text) && time.time_since_epoch().count() >= 0);
  const auto seconds = static_cast<std::uint64_t>(time.time_since_epoch().count());
  const auto vkey = VerifierKey::ed25519(name, SignatureType::kCosignature, key.public_key());
  return {name, vkey.id, big_endian(seconds, 8) + key.sign(cosigned(text, seconds))};
}

}  // namespace avow::merkle
