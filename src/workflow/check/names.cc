// SPDX-License-Identifier: Apache-2.0
#include "workflow/check/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "base/bytes.h"
#include "cel/expression.h"

namespace avow::workflow {
namespace {

constexpr std::size_t kNameMax = 64;

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name_character(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

/// Levenshtein distance, or `enough` if it is at least that.
std::size_t distance(std::string_view a, std::string_view b, std::size_t enough) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) >= enough) return enough;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
    // No later row gets below the smallest of this one.
    if (*std::min_element(row.begin(), row.end()) >= enough) return enough;
  }
  return row.back();
}

}  // namespace

std::optional<NameFault> check_name(std::string_view name) {
  const bool formed = !name.empty() && name.size() <= kNameMax && is_letter(name[0]) &&
                      std::all_of(name.begin(), name.end(), is_name_character);
  if (!formed) {
    return NameFault{"ILL_FORMED_NAME",
                     fmt::format("\"{}\" is no name: a letter or _ first, then up to 63 letters, "
                                 "digits, _ or -",
                                 shown(name))};
  }
  if (cel::is_reserved_word(name)) {
    return NameFault{"RESERVED_NAME",
                     fmt::format("\"{}\" is a reserved word of the expression language", name)};
  }
  return std::nullopt;
}

std::optional<std::string_view> nearest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
  if (word.size() > kNameMax) return std::nullopt;  // nobody misspells that much
  std::optional<std::string_view> best;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, word.size() / 3);
  for (const std::string_view candidate : candidates) {
    const std::size_t d = distance(word, candidate, best_distance);
    if (d >= best_distance) continue;
    best = candidate;
    best_distance = d;
  }
  return best;
}

std::string suggestion(std::string_view word, std::span<const std::string_view> candidates) {
  const auto near = nearest(word, candidates);
  return near ? fmt::format("; did you mean \"{}\"?", *near) : std::string();
}

std::string listed(std::span<const std::string_view> words, std::string_view conjunction) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? fmt::format(" {} ", conjunction) : ", ";
    out += words[i];
  }
  return out;
}

}  // namespace avow::workflow
