// SPDX-License-Identifier: Apache-2.0
#include "merkle/tlog_proof.h"

#include "merkle/lines.h"

namespace avow::merkle {
namespace {

constexpr std::string_view kHeader = "c2sp.org/tlog-proof@v1";
constexpr std::string_view kExtra = "extra ";
constexpr std::string_view kIndex = "index ";
constexpr std::size_t kSiblingsMax = 64;  // the height of the highest tree

Error malformed(std::string_view why) {
  return failure(Code::kInvalidArgument, "not a tlog-proof: {}", why);
}

}  // namespace

Result<TlogProof> TlogProof::parse(std::string_view text) {
  if (text.size() > kTlogProofBytesMax) return malformed("too long");
  if (take_line(text) != kHeader) return malformed("another first line");
  TlogProof proof;
  auto line = take_line(text);
  if (line && line->starts_with(kExtra)) {
    auto extra = from_base64(line->substr(kExtra.size()));
    if (!extra) return malformed("its extra data is not base64");
    proof.extra = *std::move(extra);
    line = take_line(text);
  }
  if (!line || !line->starts_with(kIndex)) return malformed("no index");
  const auto index = parse_decimal(line->substr(kIndex.size()));
  if (!index) return malformed("its index is not a decimal number below 2^64");
  proof.index = *index;

  for (line = take_line(text); line && !line->empty(); line = take_line(text)) {
    const auto sibling = parse_hash(*line);
    if (!sibling) return malformed("a hash is not base64 of 32 bytes");
    if (proof.siblings.size() == kSiblingsMax)
      return malformed("more hashes than a tree has levels");
    proof.siblings.push_back(*sibling);
  }
  if (!line) return malformed("no empty line before the checkpoint");
  ASSIGN_OR_RETURN(proof.checkpoint, Note::parse(text));
  return proof;
}

std::string TlogProof::format() const {
  std::string text = fmt::format("{}\n", kHeader);
  if (extra) text += fmt::format("{}{}\n", kExtra, to_base64(*extra));
  text += fmt::format("{}{}\n", kIndex, index);
  for (const Hash& sibling : siblings) text += format_hash(sibling) + '\n';
  return text + '\n' + checkpoint.format();
}

}  // namespace avow::merkle
