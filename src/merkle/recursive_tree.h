// SPDX-License-Identifier: Apache-2.0
// merkle/recursive_tree.h: the tests' oracle: RFC 6962, sections 2.1 to 2.1.2, slow and word for
// word. It shares no code with the iterative functions under test. For *_test.cc only.
#pragma once
#include <bit>
#include <span>
#include <string>
#include <vector>

#include "crypto/sha256.h"
#include "merkle/hash.h"

namespace avow::merkle::oracle {

using Entries = std::span<const std::string>;

inline std::string joined(const Hash& left, const Hash& right) {
  return '\x01' + std::string(view_of(left)) + std::string(view_of(right));
}

/// MTH({d(0)}) = SHA-256(0x00 || d(0)).
inline Hash leaf(const std::string& entry) { return crypto::sha256('\0' + entry); }

/// The largest power of two smaller than n, for n > 1.
inline std::size_t split(std::size_t n) { return std::bit_floor(n - 1); }

/// MTH(D[n]).
inline Hash root(Entries d) {
  if (d.empty()) return crypto::sha256("");
  if (d.size() == 1) return leaf(d[0]);
  const std::size_t k = split(d.size());
  return crypto::sha256(joined(root(d.first(k)), root(d.subspan(k))));
}

inline std::vector<Hash> with(std::vector<Hash> path, const Hash& last) {
  path.push_back(last);
  return path;
}

/// PATH(m, D[n]).
inline std::vector<Hash> path(std::size_t m, Entries d) {
  if (d.size() == 1) return {};
  const std::size_t k = split(d.size());
  if (m < k) return with(path(m, d.first(k)), root(d.subspan(k)));
  return with(path(m - k, d.subspan(k)), root(d.first(k)));
}

/// SUBPROOF(m, D[n], b).
inline std::vector<Hash> subproof(std::size_t m, Entries d, bool b) {
  if (m == d.size()) return b ? std::vector<Hash>() : std::vector<Hash>{root(d)};
  const std::size_t k = split(d.size());
  if (m <= k) return with(subproof(m, d.first(k), b), root(d.subspan(k)));
  return with(subproof(m - k, d.subspan(k), false), root(d.first(k)));
}

/// PROOF(m, D[n]).
inline std::vector<Hash> proof(std::size_t m, Entries d) { return subproof(m, d, true); }

/// `n` entries that differ, of several lengths.
inline std::vector<std::string> entries(std::size_t n) {
  std::vector<std::string> out;
  out.reserve(n);
  for (std::size_t i = 0; i < n; ++i) out.push_back(std::string(i % 5, 'x') + std::to_string(i));
  return out;
}

inline constexpr std::size_t kSizeMax = 70;  // past 64, so that every shape up to 7 levels occurs

}  // namespace avow::merkle::oracle
