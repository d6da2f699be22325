// SPDX-License-Identifier: Apache-2.0
// base/result.h: a value or an error, neither of which can be dropped unseen.
// Names follow std::expected, so that moving to it later is mechanical.
#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace avow {

/// What a caller can do about a failure. A new code only if some caller would act differently.
enum class Code {
  kInvalidArgument,    ///< The input is wrong; the same input will fail again.
  kUnauthenticated,    ///< Who calls is not known.
  kPermissionDenied,   ///< Who calls is known and may not.
  kNotFound,           ///< The thing named does not exist for this caller.
  kConflict,           ///< The state moved; read again, then decide.
  kResourceExhausted,  ///< A limit is reached; later, or less, may work.
  kUnavailable,        ///< Try again.
  kDeadlineExceeded,   ///< The time set for it is over.
  kCancelled,          ///< Somebody asked for it to stop.
  kCorruption,         ///< Bytes are not what they should be; do not go on with them.
  kOutcomeUnknown,     ///< It may or may not have happened; read again, never guess.
  kInternal,           ///< Our fault.
};

/// The code's name in snake_case, for logs and metrics.
const char* code_name(Code code);

/// True where the same call may succeed later without a change: kUnavailable, kDeadlineExceeded,
/// kResourceExhausted.
bool is_retryable(Code code);

/// Why something failed. The message is a phrase: context first, values in it, no capital, no full
/// stop, never a secret.
struct Error {
  Code code = Code::kInternal;
  std::string message;

  /// The same error behind `context`, as in "open store: read header: ...".
  [[nodiscard]] Error in(std::string_view context) const {
    return {code, fmt::format("{}: {}", context, message)};
  }
};

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  // NOLINTNEXTLINE(google-explicit-constructor): a value is a Result, as in std::expected.
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  // NOLINTNEXTLINE(google-explicit-constructor): an error is a Result.
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  /// By value, so that `for (auto& x : *f())` keeps what it walks over.
  T operator*() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  T& value() {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const {
    CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  [[nodiscard]] const Error& error() const {
    CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): an error is a Result.
  Result(Error error) : error_(std::move(error)), failed_(true) {}

  [[nodiscard]] bool has_value() const { return !failed_; }
  explicit operator bool() const { return !failed_; }
  [[nodiscard]] const Error& error() const {
    CHECK(failed_);
    return error_;
  }

 private:
  Error error_;
  bool failed_ = false;
};

/// An Error with a formatted message: `return failure(Code::kNotFound, "no run {}", id);`
template <class... Args>
Error failure(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return {code, fmt::format(format, std::forward<Args>(args)...)};
}

}  // namespace avow

#define AVOW_JOIN_(a, b) a##b
#define AVOW_JOIN(a, b) AVOW_JOIN_(a, b)

/// `ASSIGN_OR_RETURN(const auto run, store.get_run(id));` returns the error, or goes on with the
/// value. Uses `return`, so it does not compile in a coroutine, on purpose (HOUSE.md 2.7).
#define ASSIGN_OR_RETURN(declaration, ...)           \
  auto AVOW_JOIN(result_, __LINE__) = (__VA_ARGS__); \
  if (!AVOW_JOIN(result_, __LINE__)) {               \
    return AVOW_JOIN(result_, __LINE__).error();     \
  }                                                  \
  declaration = std::move(*AVOW_JOIN(result_, __LINE__))

#define RETURN_IF_ERROR(...)                                            \
  do {                                                                  \
    if (auto result_ = (__VA_ARGS__); !result_) return result_.error(); \
  } while (false)
