// SPDX-License-Identifier: Apache-2.0
// auth/fault.h: what is wrong with a request, in a form that an answer can show.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace avow::auth {

enum class FaultKind {
  kMalformed,  ///< 400: wrong type, unknown field, ill-formed id.
  kInvalid,    ///< 422: well formed, but not a value that can be.
  kForbidden,  ///< 403: more than the caller may give.
};

/// One thing wrong with a request.
struct Fault {
  FaultKind kind = FaultKind::kMalformed;
  std::string pointer;  ///< RFC 6901, into the request's body.
  std::string code;     ///< UNKNOWN_FIELD, WRONG_TYPE, MISSING, TOO_LONG, INVALID_VALUE, FORBIDDEN.
  std::string message;  ///< What is wrong and what is allowed; at most 64 characters of input.
};

/// What a request asks for, or everything that is wrong with it (then there is at least one fault).
template <class T>
struct [[nodiscard]] Checked {
  // NOLINTNEXTLINE(google-explicit-constructor): a value is a Checked, as with Result.
  Checked(T good) : value(std::move(good)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): faults are a Checked.
  Checked(std::vector<Fault> found) : faults(std::move(found)) {}

  explicit operator bool() const { return value.has_value(); }
  T* operator->() { return &*value; }
  T& operator*() { return *value; }

  std::optional<T> value;
  std::vector<Fault> faults;
};

}  // namespace avow::auth
