// SPDX-License-Identifier: Apache-2.0
// merkle/note.h: text signed by one or more keys (C2SP signed-note), a log's checkpoint among them,
// with the timed cosignatures of witnesses (C2SP tlog-cosignature v1).
// Pure functions over bytes: no I/O, no locks, safe from any thread.
#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "crypto/ed25519.h"
#include "merkle/verifier_key.h"

namespace avow::merkle {

/// C2SP wants 16 signatures accepted, and says that each may have 5 kB.
inline constexpr std::size_t kNoteBytesMax = std::size_t{256} * 1024;
inline constexpr std::size_t kNoteSignaturesMax = 64;

/// One line below a note. Who made it is a claim until it is verified.
struct NoteSignature {
  std::string name;
  std::uint32_t key_id = 0;
  std::string bytes;  ///< What follows the key's id: its form depends on the key's type.
  bool operator==(const NoteSignature&) const = default;

  /// "— name base64(id || bytes)" and a newline.
  [[nodiscard]] std::string line() const;
};

/// Reads signature lines and nothing else, as a witness answers with. Untrusted.
/// Errors: kInvalidArgument (no line, another form, too many)
Result<std::vector<NoteSignature>> parse_signature_lines(std::string_view lines);

/// Whether `text` may be a note's: UTF-8 that ends with a newline and has no other control
/// characters.
bool is_note_text(std::string_view text);

struct Note {
  std::string text;  ///< Ends with a newline.
  std::vector<NoteSignature> signatures;
  bool operator==(const Note&) const = default;

  /// Reads a note, untrusted, without believing anything of it. What is accepted is what format()
  /// writes, to the byte; signatures of unknown kinds are kept. Errors: kInvalidArgument
  static Result<Note> parse(std::string_view note);
  [[nodiscard]] std::string format() const;
};

/// A signature that holds.
struct VerifiedSignature {
  VerifierKey key;
  /// When a witness says that it saw the checkpoint; cosignatures only. It may lie in the future.
  std::optional<std::chrono::sys_seconds> time;
};

/// The signatures of `note` that hold under `keys`, in the order of their lines, each key once.
/// Signatures of other keys are passed over, and so are those of keys whose type is unknown here.
/// Errors: kCorruption       a signature that names one of `keys` does not hold under it
///         kUnauthenticated  none is left
Result<std::vector<VerifiedSignature>> verify_note(const Note& note,
                                                   std::span<const VerifierKey> keys);

/// Signs `text`, which must be an is_note_text(), as SignatureType::kEd25519 under `name`.
NoteSignature sign_note(std::string_view text, const std::string& name,
                        const crypto::Ed25519PrivateKey& key);

/// Signs `text`, a checkpoint's, as SignatureType::kCosignature: what a witness does. `time` is not
/// before 1970.
NoteSignature cosign_note(std::string_view text, const std::string& name,
                          const crypto::Ed25519PrivateKey& key, std::chrono::sys_seconds time);

}  // namespace avow::merkle
