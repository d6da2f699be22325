// SPDX-License-Identifier: Apache-2.0
#include "provenance/draft.h"

#include <array>

#include "base/check.h"

namespace avow::provenance {
namespace {

constexpr std::string_view kPrev = R"("prev":")";
constexpr std::string_view kPrevEnd = R"(",)";  // "tenant" follows in every type
constexpr std::string_view kSeq = R"("tenant_seq":)";
constexpr std::size_t kLengthBytes = 4;

std::string length_of(std::string_view text) {
  std::string out;
  for (int shift = 24; shift >= 0; shift -= 8) {
    out += static_cast<char>(text.size() >> shift & 0xFF);
  }
  return out;
}

/// The text behind its length at the front of `bytes`, which it leaves.
std::optional<std::string> take(std::string_view& bytes) {
  if (bytes.size() < kLengthBytes) return {};
  std::size_t size = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    size = size << 8 | static_cast<unsigned char>(bytes[i]);
  }
  bytes.remove_prefix(kLengthBytes);
  if (bytes.size() < size) return {};
  std::string text(bytes.substr(0, size));
  bytes.remove_prefix(size);
  return text;
}

}  // namespace

Draft::Draft(const Statement& statement) {
  CHECK(!is_about_keys(statement.type));
  Statement placed = statement;
  placed.tenant_seq = 2;
  placed.prev.emplace();
  const std::string text = provenance::encode(placed);
  // An unescaped quote ends a string, so these can only be names of members, and no other member,
  // inner ones included, has these names.
  const std::size_t prev = text.find(kPrev);
  const std::size_t seq = text.find(kSeq);
  CHECK(prev != std::string::npos && seq != std::string::npos && prev < seq);
  const std::size_t rest = prev + kPrev.size() + 2 * Bytes32().size() + kPrevEnd.size();
  before_prev_ = text.substr(0, prev);
  before_seq_ = text.substr(rest, seq + kSeq.size() - rest);
  after_seq_ = text.substr(seq + kSeq.size() + 1);  // behind the one digit
}

std::string Draft::encode() const {
  return length_of(before_prev_) + before_prev_ + length_of(before_seq_) + before_seq_ + after_seq_;
}

Result<Draft> Draft::decode(std::string_view bytes) {
  const std::size_t all = bytes.size();
  auto before_prev = take(bytes);
  auto before_seq = before_prev ? take(bytes) : std::nullopt;
  if (!before_seq) return failure(Code::kCorruption, "a draft of {} bytes is cut short", all);
  Draft draft;
  draft.before_prev_ = *std::move(before_prev);
  draft.before_seq_ = *std::move(before_seq);
  draft.after_seq_ = bytes;
  return draft;
}

std::string Draft::numbered(std::uint64_t tenant_seq, const std::optional<Bytes32>& prev) const {
  CHECK(tenant_seq >= 1 && prev.has_value() == (tenant_seq > 1));
  const std::string number = std::to_string(tenant_seq);
  std::string out;
  out.reserve(before_prev_.size() + kPrev.size() + 2 * Bytes32().size() + kPrevEnd.size() +
              before_seq_.size() + number.size() + after_seq_.size());
  out += before_prev_;
  if (prev) {
    out += kPrev;
    out += to_hex(view_of(*prev));
    out += kPrevEnd;
  }
  out += before_seq_;
  out += number;
  out += after_seq_;
  return out;
}

}  // namespace avow::provenance
