// SPDX-License-Identifier: Apache-2.0
// The vectors of transparency-dev/merkle: one flat JSON object a line, hashes in base64. They are
// read here by a few lines of our own, because sizes go up to 2^64-1, which a JSON value would
// round.
#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "merkle/consistency.h"
#include "merkle/inclusion.h"
#include "testing/conformance.h"

namespace avow::merkle {
namespace {

/// What follows `"name": ` in `row`.
std::string_view after_name(std::string_view row, const std::string& name) {
  const std::string label = '"' + name + "\": ";
  const std::size_t at = row.find(label);
  return at == std::string_view::npos ? std::string_view() : row.substr(at + label.size());
}

std::uint64_t number(std::string_view row, const std::string& name) {
  const std::string_view text = after_name(row, name);
  std::uint64_t value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  EXPECT_EQ(end.ec, std::errc()) << name << " in " << row;
  return value;
}

bool is_true(std::string_view row, const std::string& name) {
  return after_name(row, name).starts_with("true");
}

/// Nothing if it is not 32 bytes, as in vectors with garbage: no Hash can hold that.
std::optional<Hash> to_hash(std::string_view base64) {
  const auto bytes = from_base64(base64);
  if (!bytes || bytes->size() != Hash().size()) return std::nullopt;
  Hash hash;
  std::ranges::transform(*bytes, hash.begin(), [](char c) { return static_cast<std::uint8_t>(c); });
  return hash;
}

std::optional<Hash> hash(std::string_view row, const std::string& name) {
  const std::string_view text = after_name(row, name);
  if (!text.starts_with('"')) return std::nullopt;
  return to_hash(text.substr(1, text.find('"', 1) - 1));
}

/// The member "proof"; nothing if one of its hashes is none.
std::optional<std::vector<Hash>> path(std::string_view row) {
  std::vector<Hash> hashes;
  std::string_view text = after_name(row, "proof");
  text = text.substr(0, text.find(']'));  // "null" has none: then up to the next member's name
  if (!text.starts_with('[')) return hashes;
  for (std::size_t open = text.find('"'); open != std::string_view::npos; open = text.find('"')) {
    text.remove_prefix(open + 1);
    const std::size_t close = text.find('"');
    const auto node = to_hash(text.substr(0, close));
    if (!node) return std::nullopt;
    hashes.push_back(*node);
    text.remove_prefix(close + 1);
  }
  return hashes;
}

bool holds_inclusion(std::string_view row) {
  const auto leaf = hash(row, "leafHash");
  const auto root = hash(row, "root");
  auto siblings = path(row);
  if (!leaf || !root || !siblings) return false;
  return verify_inclusion(
             *leaf, {number(row, "leafIdx"), number(row, "treeSize"), *std::move(siblings)}, *root)
      .has_value();
}

bool holds_consistency(std::string_view row) {
  const auto old_root = hash(row, "root1");
  const auto new_root = hash(row, "root2");
  auto nodes = path(row);
  if (!old_root || !new_root || !nodes) return false;
  return verify_consistency({number(row, "size1"), number(row, "size2"), *std::move(nodes)},
                            *old_root, *new_root)
      .has_value();
}

/// Each row of the vectors in `folder` whose name begins with `kind`: a good proof holds, a bad one
/// does not.
void check_rows(const std::filesystem::path& folder, std::string_view kind,
                bool (*holds)(std::string_view row)) {
  std::size_t good = 0;
  std::size_t bad = 0;
  for (const auto& file : testing::files_of(folder, ".jsonl")) {
    if (!file.filename().string().starts_with(kind)) continue;
    for (const std::string& row : testing::lines_of(file)) {
      const bool is_bad = is_true(row, "wantErr");
      ++(is_bad ? bad : good);
      EXPECT_EQ(holds(row), !is_bad) << row;
    }
  }
  EXPECT_GT(good, 0U);
  EXPECT_GT(bad, 0U);
}

TEST(MerkleConformance, InclusionProofsAreJudgedAsTheVectorsSay) {
  const auto folder = testing::conformance_dir("merkle");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  check_rows(*folder, "inclusion", holds_inclusion);
}

TEST(MerkleConformance, ConsistencyProofsAreJudgedAsTheVectorsSay) {
  const auto folder = testing::conformance_dir("merkle");
  if (!folder) GTEST_SKIP() << testing::kNoConformance;
  check_rows(*folder, "consistency", holds_consistency);
}

}  // namespace
}  // namespace avow::merkle
