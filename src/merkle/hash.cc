// SPDX-License-Identifier: Apache-2.0
#include "merkle/hash.h"

#include "crypto/sha256.h"

namespace avow::merkle {
namespace {

constexpr std::string_view kLeafPrefix("\x00", 1);
constexpr std::string_view kNodePrefix("\x01", 1);

}  // namespace

Hash hash_leaf(std::string_view entry) {
  return crypto::Sha256().update(kLeafPrefix).update(entry).finish();
}

Hash hash_children(const Hash& left, const Hash& right) {
  return crypto::Sha256().update(kNodePrefix).update(view_of(left)).update(view_of(right)).finish();
}

Hash empty_root() { return crypto::sha256({}); }

}  // namespace avow::merkle
