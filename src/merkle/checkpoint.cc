// SPDX-License-Identifier: Apache-2.0
#include "merkle/checkpoint.h"

#include "merkle/lines.h"
#include "merkle/note.h"

namespace avow::merkle {

Result<Checkpoint> Checkpoint::parse(std::string_view text) {
  const auto malformed = [](std::string_view why) {
    return failure(Code::kInvalidArgument, "not a checkpoint: {}", why);
  };
  if (text.size() > kNoteBytesMax || !is_note_text(text)) return malformed("not a note's text");
  const auto origin = take_line(text);
  const auto size_line = take_line(text);
  const auto root_line = take_line(text);
  if (!root_line) return malformed("fewer than three lines");
  if (origin->empty()) return malformed("no origin");
  const auto size = parse_decimal(*size_line);
  if (!size) return malformed("its size is not a decimal number below 2^64");
  const auto root = parse_hash(*root_line);
  if (!root) return malformed("its root is not base64 of 32 bytes");

  Checkpoint checkpoint{std::string(*origin), *size, *root};
  while (const auto line = take_line(text)) {
    if (line->empty()) return malformed("an empty extension line");
    checkpoint.extensions.emplace_back(*line);
  }
  return checkpoint;
}

std::string Checkpoint::text() const {
  std::string text = fmt::format("{}\n{}\n{}\n", origin, size, format_hash(root));
  for (const std::string& line : extensions) text += line + '\n';
  return text;
}

}  // namespace avow::merkle
