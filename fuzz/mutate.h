// SPDX-License-Identifier: Apache-2.0
// fuzz/mutate.h: seeded damage to a text, for the corpus test. The same seed, the same damage.
#pragma once
#include <span>
#include <string>

#include "base/rng.h"

namespace avow::fuzz {

inline constexpr std::size_t kMutantBytesMax = 64 * 1024;

/// `text` with one to four small changes: a byte flipped, set, dropped or doubled, a piece removed,
/// repeated or moved, a number or word that parsers stumble over put in, a piece of one of `others`
/// spliced in. At most kMutantBytesMax long.
inline std::string mutate(std::string text, std::span<const std::string> others, SeededRng& rng) {
  static constexpr std::string_view kWords[] = {
      "null", "true",    "-0",      "1e308",    "1e-400",       "9007199254740993",
      "\"",   "\\u0000", "\\ud800", "\xC0\x80", "\xED\xA0\x80", "{",
      "}",    "[",       "]",       "[[[[[[[[", "\"\":",        ",",
      "${{",  "}}",      "$${{",    "steps.a",  "input",        "(",
      ")",    "?",       ":",       "\n",       "\x00"};
  const std::uint64_t changes = 1 + rng.below(4);
  for (std::uint64_t n = 0; n < changes; ++n) {
    const std::size_t at = rng.below(text.size() + 1);
    const std::size_t length = rng.below(text.size() - at + 1) % 64;
    const bool is_end = at == text.size();
    switch (rng.below(8)) {
      case 0:
        if (!is_end) text[at] = static_cast<char>(text[at] ^ (1 << rng.below(8)));
        break;
      case 1:
        if (!is_end) text[at] = static_cast<char>(rng.below(256));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      case 4: {
        const std::string piece = text.substr(at, length);
        text.erase(at, length);
        text.insert(rng.below(text.size() + 1), piece);
        break;
      }
      case 5:
        text.insert(at, kWords[rng.below(std::size(kWords))]);
        break;
      case 6: {
        const std::string& other = others[rng.below(others.size())];
        const std::size_t from = rng.below(other.size() + 1);
        text.insert(at, other, from, rng.below(128));
        break;
      }
      default:
        text.resize(at);
        break;
    }
  }
  if (text.size() > kMutantBytesMax) text.resize(kMutantBytesMax);
  return text;
}

}  // namespace avow::fuzz
