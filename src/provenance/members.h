// SPDX-License-Identifier: Apache-2.0
// provenance/members.h: strict reading of the JSON members that statements and receipts are made
// of, and the facts in a run that a statement repeats. Everything read is untrusted; a null pointer
// is a member that is absent. Each gives false, and may have written to `out`, where the value is
// not of its one form.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/id.h"
#include "json/value.h"

namespace avow::provenance {

/// Whether `value` is an object without members of other names.
bool has_only(const json::Value& value, std::initializer_list<std::string_view> names);

/// Not empty.
bool read_string(const json::Value* value, std::string& out);
/// An array of strings, neither it nor they empty.
bool read_strings(const json::Value* value, std::vector<std::string>& out);
/// 0 to 2^53 - 1.
bool read_count(const json::Value* value, std::uint64_t& out);
/// 0 to 2^32 - 1.
bool read_count(const json::Value* value, std::uint32_t& out);
/// A UUID.
bool read_id(const json::Value* value, Id& out);
/// RFC 3339.
bool read_time(const json::Value* value, Time& out);
/// 64 lower-case hex digits.
bool read_digest(const json::Value* value, Bytes32& out);
/// Base64 of at least one byte.
bool read_base64(const json::Value* value, std::string& out);
/// Base64 of 32 bytes.
bool read_base64(const json::Value* value, Bytes32& out);
/// An array of those, empty perhaps.
bool read_hashes(const json::Value* value, std::vector<Bytes32>& out);

}  // namespace avow::provenance
