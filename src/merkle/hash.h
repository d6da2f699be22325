// SPDX-License-Identifier: Apache-2.0
// merkle/hash.h: the two hashes of an RFC 6962 tree (section 2.1). Leaves and inner nodes are
// hashed under different first bytes, so that neither can pass for the other. Pure; safe from any
// thread.
#pragma once
#include <string_view>

#include "base/bytes.h"

namespace avow::merkle {

using Hash = Bytes32;

/// SHA-256(0x00 || entry), for an entry of any length.
Hash hash_leaf(std::string_view entry);

/// SHA-256(0x01 || left || right).
Hash hash_children(const Hash& left, const Hash& right);

/// The root of a tree without leaves: SHA-256 of nothing.
Hash empty_root();

}  // namespace avow::merkle
