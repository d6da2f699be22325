// SPDX-License-Identifier: Apache-2.0
// base/id.h: the one kind of identifier, 128 bits, with its two renderings (CONTRACT.md, section
// 1). A UUID (RFC 9562) and a ULID of the same bits: ids made here are UUIDv7, whose first 48 bits
// are the ULID's time. Pure values; safe from any thread.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace avow {

struct Id {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  auto operator<=>(const Id&) const = default;

  [[nodiscard]] bool is_zero() const { return high == 0 && low == 0; }
  /// Lower case with hyphens: "0192f0c1-7a3b-7c4d-8e5f-60718293a400".
  [[nodiscard]] std::string uuid() const;
  /// 26 characters of Crockford base32, upper case.
  [[nodiscard]] std::string ulid() const;
  /// The 16 bytes, most significant first: the form in stores.
  [[nodiscard]] std::string bytes() const;
  static Result<Id> from_bytes(std::string_view bytes);
};

/// A UUIDv7 of `now` with 54 random bits from `random`; its low 20 bits are zero, so that a receipt
/// can carry a seq in them (DESIGN.md section 4).
Id make_id(Time now, const std::array<std::uint8_t, 8>& random);

/// Reads a UUID (any version), or a ULID (any case, I and L as 1, O as 0), with or without one of
/// the prefixes `maip-orch:`, `maip-agent:`, `maip-wf:`, `maip:<8 hex>:`, `rcpt_`. Errors:
/// kInvalidArgument  not of these forms
Result<Id> parse_id(std::string_view text);

/// An id of one kind of thing, which does not turn into another by accident.
template <class Tag>
struct TypedId {
  Id value;
  auto operator<=>(const TypedId&) const = default;
  [[nodiscard]] std::string uuid() const { return value.uuid(); }
  [[nodiscard]] std::string ulid() const { return value.ulid(); }
  [[nodiscard]] std::string bytes() const { return value.bytes(); }
  [[nodiscard]] bool is_zero() const { return value.is_zero(); }
};

using RunId = TypedId<struct RunTag>;
using WorkflowId = TypedId<struct WorkflowTag>;
using AgentId = TypedId<struct AgentTag>;
using TenantId = TypedId<struct TenantTag>;
using KeyId = TypedId<struct KeyTag>;
using TaskId = TypedId<struct TaskTag>;

}  // namespace avow

template <>
struct std::hash<avow::Id> {
  std::size_t operator()(const avow::Id& id) const noexcept {
    return static_cast<std::size_t>((id.high ^ (id.low >> 20)) * 0x9E3779B97F4A7C15ULL);
  }
};
template <class Tag>
struct std::hash<avow::TypedId<Tag>> {
  std::size_t operator()(const avow::TypedId<Tag>& id) const noexcept {
    return std::hash<avow::Id>()(id.value);
  }
};
